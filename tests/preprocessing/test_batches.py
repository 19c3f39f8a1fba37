"""Numbers of any type are prepared; parts that do not fit raise an error that names them."""

import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from helpers.noisy import KNOWN, assert_same_stamps, random_cutout

from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.batches import check_cutouts


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u4", "i8", "u8", "f2", "f4", "f8", "g"])
@pytest.mark.parametrize("order", "<>")
def test_numeric_types_and_byte_orders(dtype, order):
    data = np.random.default_rng(0).integers(0, 100, (12, 13))
    dtype = np.dtype(dtype).newbyteorder(order)
    reference = NDData(data.astype(float), uncertainty=StdDevUncertainty(data % 5 + 1.0))
    other = NDData(data.astype(dtype), uncertainty=StdDevUncertainty((data % 5 + 1).astype(dtype)))
    assert_same_stamps(prepare(reference, **KNOWN), prepare(other, **KNOWN))
    assert_same_stamps(prepare(reference.data, **KNOWN), prepare(other.data, **KNOWN))


@pytest.mark.parametrize("name", ["mask", "uncertainty"])
def test_parts_of_the_wrong_shape(name):
    wrong = np.ones((3, 4), bool) if name == "mask" else StdDevUncertainty(np.ones((3, 4)))
    cutout = random_cutout(cls=NDData, bad=False, **{name: wrong})
    with pytest.raises(ValueError, match=rf"the {name} of cutouts\[0\] has shape \(3, 4\)"):
        prepare(cutout)


def test_number_of_the_first_cutout_in_messages():
    with pytest.raises(TypeError, match=r"cutouts\[13\] is of type str"):
        prepare([random_cutout(), "galaxy"], first=12)
    with pytest.raises(ValueError, match=r"cutouts\[12\] has .* no zero point"):
        prepare([random_cutout(meta={})], first=12)


def test_bits_of_masks():
    """The mission's, the user's, and a warning where there are none."""
    mask = np.array([[0, 1, 4], [5, 2, 0]])
    cards = {"TELESCOP": "JWST"}
    one = NDData(np.ones(mask.shape), mask=mask, meta=cards)
    stack = NDData(np.ones((2, *mask.shape)), mask=mask, meta=cards)
    for given in ([one], stack):
        for bits, expected in ((None, 1), (4, 4), ("JUMP_DET,SATURATED", 6)):
            checked = check_cutouts(given, mask_bits=bits)
            found = checked[0].mask if given is not stack else checked.mask[0]
            np.testing.assert_array_equal(found, mask & expected > 0)
    plain = NDData(one.data, mask=mask > 0)
    with pytest.warns(AstropyUserWarning, match="mask_bits=4 is ignored"):
        check_cutouts([plain], mask_bits=4)
    with pytest.raises(ValueError, match=r"cutouts\[0\]: mask_bits='SATT' is not a bit"):
        check_cutouts([one], mask_bits="SATT")
