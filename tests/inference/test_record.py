"""What the ``meta`` of a table says of the call."""

import numpy as np
from astropy.io import fits
from helpers.cutouts import SCALE, ZEROPOINT
from helpers.rendered import make_cutout, star

from sersicnet.inference.refine import LevenbergMarquardt


def test_meta_of_a_prediction(net, images):
    results = net.predict([make_cutout(image) for image in images[:2]])
    meta = results.to_table().meta
    assert meta == results.meta
    assert meta["VERSION"].startswith("sersicnet ")
    assert meta["WEIGHTS"].startswith("universal")
    assert meta["REFINE"] == "none"
    assert meta["SKY"] == "not used"
    assert meta["PSFSAMP"] == 1
    assert meta["PSFNORM"] is True
    assert (meta["PIXSCALE"], meta["MAGZP"]) == (SCALE, ZEROPOINT)
    assert "INPUT" not in meta
    meta["REFINE"] = "changed"
    assert results.meta["REFINE"] == "none"


def test_meta_of_options_and_of_an_array_of_planes(net, images):
    refine = LevenbergMarquardt(prior=False)
    options = {"psf_oversampling": 2, "normalize_psf": False, "refine": refine}
    units = {"pixel_scale": [0.1, 0.2], "zeropoint": 25.0}
    stamp = star(shape=(83, 83), oversampling=2)
    meta = net.predict(images[:2], psf=stamp, **options, **units).to_table().meta
    assert meta["REFINE"] == repr(refine)
    assert (meta["SKY"], "SKYERR" in meta) == ("prior", False)
    assert (meta["PSFSAMP"], meta["PSFNORM"]) == (2, False)
    assert "PIXSCALE" not in meta
    assert meta["INPUT"] == f"array of shape {images[:2].shape}: 2 galaxies"
    header = fits.Header(meta)
    assert header["MAGZP"] == 25.0


def test_meta_stays_with_some_of_the_results(net, cutouts):
    results = net.predict(cutouts[:3])
    assert results[1].meta == results[[0, 2]].meta == results.meta
    assert np.all(results[1:].to_table()["id"] == [1, 2])
