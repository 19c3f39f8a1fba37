"""What the ``meta`` of a catalog says of its image."""

import numpy as np
from helpers.fields import star
from helpers.measured import one_star

from sersicnet.io.cutouts import write_cutout
from sersicnet.measure.image import measure_image


def test_the_name_of_the_image_and_the_width_of_the_psf(net, tmp_path):
    image = one_star(70.0, 70.0)
    table = measure_image(image, net=net)
    assert "IMAGE" not in table.meta
    assert 3 < table.meta["PSFFWHM"] < 4.5  # of 3 pixels and the pixel
    write_cutout(image, tmp_path / "image.fits")
    meta = measure_image(tmp_path / "image.fits", net=net).meta
    mask = "MASK, all bits are bad (unknown product)"
    assert meta == table.meta | {"IMAGE": "image.fits", "MASKFROM": mask}
    names = ("MINPIX", "CONTRAST", "LARGE1ST", "SKYBOX")
    assert [meta[name] for name in names] == [5, 0.005, True, 128]
    assert "JOINPAIR" not in meta  # of fits
    varying = measure_image(image, psf=lambda x, y: star(3.0 if x < 75 else 4.0), net=net)
    assert "PSFFWHM" not in varying.meta
    assert np.isfinite(varying["mag"].value).all()
