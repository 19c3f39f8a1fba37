"""Images with galaxies: the light of GalSim, the noise of photons, the image as it was."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable
from helpers.fields import SCALE, ZEROPOINT, render, star
from helpers.sky import make_oblong
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.measure.field import open_field
from sersicnet.measure.injected_field import Gain, with_galaxies
from sersicnet.measure.psf import field_psf

SHAPE = (90, 110)


def galaxy(**changes):
    row = {"id": 0, "flux": 5000.0, "r_eff": 4.0, "n": 1.0, "q": 0.5, "theta": 30.0}
    row |= {"x_0": 52.3, "y_0": 40.8} | changes
    return {name: np.array([value]) for name, value in row.items()}


def truth_of(rows):
    """The table of galaxies whose radii are in pixels."""
    mag = (ZEROPOINT - 2.5 * np.log10(rows["flux"])) * u.ABmag
    units = {"r_eff": SCALE * u.arcsec, "theta": u.deg, "x_0": u.pix, "y_0": u.pix}
    table = QTable({name: values for name, values in rows.items() if name != "flux"})
    for name, unit in units.items():
        table[name] = table[name] * unit
    table["mag"] = mag
    return table


def inject(field, rows, *, gain=None, **changes):
    options = {"pixel_scale": None, "zeropoint": ZEROPOINT, "normalize_psf": True, "seed": 1}
    options |= {"gain": gain or Gain()}
    return with_galaxies(field, truth_of(rows), field_psf(star()), **(options | changes))


def image(data=None, **changes):
    if data is None:
        data = np.zeros(SHAPE)
    meta = {"PIXSCALE": SCALE, "MAGZP": ZEROPOINT}
    return CCDData(data, **({"unit": "adu", "meta": meta} | changes))


WHOLE = (slice(0, SHAPE[0]), slice(0, SHAPE[1]))


def test_the_light_is_that_of_galsim():
    rows = galaxy()
    with open_field(image()) as field:
        added = inject(field, rows).data[WHOLE]
    expected = render({name: rows[name] for name in rows if name != "id"}, SHAPE)
    assert_allclose(added, expected, atol=3e-3 * expected.max())
    assert added.sum() == pytest.approx(expected.sum(), rel=2e-3)


def test_windows_are_parts_of_the_whole():
    rows = {
        name: np.append(values, galaxy(id=1, x_0=4.0)[name]) for name, values in galaxy().items()
    }
    with open_field(image()) as field:
        injected = inject(field, rows, gain=Gain(2.0))
        whole = injected.data[WHOLE]
        for box in ((slice(0, 30), slice(40, 60)), (slice(35, 36), slice(0, 110)), WHOLE):
            assert_array_equal(injected.data[box], whole[box])
        assert_array_equal(injected.data[::3, ::2], whole[::3, ::2])
        assert injected.data.shape == SHAPE


def test_the_image_is_not_changed():
    data = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    given = image(data.copy(), uncertainty=StdDevUncertainty(np.ones(SHAPE)))
    with open_field(given) as field:
        inject(field, galaxy(), gain=Gain(2.0, in_map=True)).data[WHOLE]
        inject(field, galaxy(), gain=Gain(2.0, in_map=True)).noise[WHOLE]
    assert_array_equal(given.data, data)
    assert_array_equal(given.uncertainty.array, 1)


def test_bad_pixels_stay_bad():
    data = np.zeros(SHAPE)
    data[40, 50:55] = np.nan
    with open_field(image(data)) as field:
        added = inject(field, galaxy()).data[WHOLE]
    assert np.isnan(added[40, 50:55]).all()
    assert np.isfinite(added).sum() == added.size - 5


def test_the_noise_of_photons_has_their_variance():
    """The scatter of many galaxies over their light, and no correlation of their numbers."""
    gain = 0.5
    with open_field(image()) as field:
        clean = inject(field, galaxy()).data[WHOLE]
        drawn = [inject(field, galaxy(id=i), gain=Gain(gain)).data[WHOLE] for i in range(40)]
    bright = clean > 0.2 * clean.max()
    variance = np.var(drawn, axis=0, ddof=1)[bright] / (clean[bright] / gain)
    assert np.mean(variance) == pytest.approx(1, abs=5 * np.sqrt(2 / 39 / bright.sum()))
    assert_allclose(np.mean(drawn, axis=0)[bright].sum(), clean[bright].sum(), rtol=0.02)


def test_photons_beyond_the_largest_poisson_number():
    """Their noise is small beside the light."""
    rows = galaxy(flux=1e22)
    with open_field(image()) as field:
        clean = inject(field, rows).data[WHOLE]
        drawn = inject(field, rows, gain=Gain(1e3)).data[WHOLE]
    bright = clean * 1e3 > 2.0**63
    assert bright.any()
    assert_allclose(drawn[bright], clean[bright], rtol=1e-6)


@pytest.mark.parametrize("noise_scale", [1.0, 3.0])
def test_a_map_with_photons_gets_those_of_galaxies(noise_scale):
    given = image(uncertainty=StdDevUncertainty(np.full(SHAPE, 2.0)))
    with open_field(given) as field:
        clean = inject(field, galaxy()).data[WHOLE]
        gain = Gain(4.0, in_map=True, noise_scale=noise_scale)
        noise = inject(field, galaxy(), gain=gain).noise[WHOLE] * noise_scale
        sky_only = inject(field, galaxy(), gain=Gain(4.0)).noise[WHOLE]
    expected = (2 * noise_scale) ** 2 + np.clip(clean, 0, None) / 4
    assert_allclose(noise**2, expected, rtol=1e-6)
    assert_array_equal(sky_only, 2)


def test_ellipses_are_those_on_the_sky():
    """Pixels of 0.1 by 0.2 arcsec: a round galaxy is half as wide along the long side."""
    wcs = make_oblong([[-0.1, 0.0], [0.0, 0.2]])
    with open_field(image(wcs=wcs)) as field:
        added = inject(field, galaxy(q=1.0, r_eff=8.0, theta=0.0)).data[WHOLE]
    y, x = np.indices(SHAPE)
    width = [np.sqrt(np.sum(added * (c - m) ** 2)) for c, m in ((x, 52.3), (y, 40.8))]
    assert width[0] / width[1] == pytest.approx(2, rel=0.2)


@pytest.mark.parametrize("in_map", [True, False])
def test_what_a_catalog_says_of_photons(in_map):
    said = "in the noise map" if in_map else "added to the noise map"
    assert Gain.of({"GAIN": 2.5, "PHOTONS": said}) == Gain(2.5, in_map)
    assert Gain.of({"PHOTONS": "gain not known", "NOISCALE": 3.0}) == Gain(None, False, 3.0)
