"""Input files of GALFIT as they are written; ``test_galfit.py`` reads them again."""

from sersicnet.model.galfit_writing import galfit_text

FILES = dict.fromkeys(("image", "sigma", "psf", "mask", "constraints"), "none")
UNITS = {"shape": (40, 50), "zeropoint": 25.0, "pixel_scale": 0.2, "psf_oversampling": 1}


def test_lines_of_a_moffat_profile():
    own = {"x_0": 20.0, "y_0": 18.0, "r_eff": 5.0, "q": 0.6, "theta": 90.0, "flux": 100.0}
    own |= {"mag": 20.0, "beta": 3.0}
    text, constraints = galfit_text([("moffat", own, {"beta"})], UNITS, files=FILES)
    lines = text.splitlines()
    assert "0) moffat" in lines
    assert "1) 21.000000 19.000000 1 1" in lines
    assert "3) 20 1  # mag" in lines
    assert "5) 3 0  # beta" in lines
    assert "10) 0 1  # theta" in lines
    assert constraints == ""
