"""Files of GALFIT are read as models; what a model cannot be is named by its line."""

import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose

from sersicnet import DeVaucouleurs, Exponential, Model, NormalPrior, Sersic
from sersicnet.model.galfit_writing import galfit_text

HEADER = """
=============================
A) gal.fits     # Input image
G) {constraints}   # constraints
H) 1 93 1 93
J) 26.5         # zero point
K) 0.05 0.05    # Plate scale
"""
SERSIC = """
0) sersic       # Object type
1) 48.5 51.25 1 1
3) 20.0 {mag}
4) 6.0 {re}     # R_e [pix]
5) {n}
6) 0.0000      0          #     -----
9) 0.75 1
10) -60 {pa}
Z) 0
"""
DISK = """
0) expdisk
1) 48.6 51.25 1 1
3) 19.0 1
4) 10.0 {rs}
9) 0.5 1
10) -60 1
Z) 0
"""
FREE = {"mag": 1, "re": 1, "n": "2.5 1", "pa": 1, "rs": 1}
SKY = "0) sky\n1) {sky}\n2) 0 {slope}\n3) 0 0\nZ) 0\n"


@pytest.fixture
def write(tmp_path):
    """Write a file, with constraints or without, and return its path."""

    def make(*blocks, constraints="", **known):
        path = tmp_path / "galfit.feedme"
        name = "none"
        if constraints:
            name = "these.constraints"
            (tmp_path / name).write_text(constraints)
        text = HEADER.format(constraints=name) + "".join(blocks).format(**FREE | known)
        path.write_text(text)
        return path

    return make


def test_free_components(write):
    assert Model.from_galfit(write(SERSIC)).is_free
    assert Model.from_galfit(write(SERSIC, DISK)).describe() == "sersic+exp"
    assert Model.from_galfit(write(SERSIC.replace("sersic", "psf"))).name == "point"
    devauc = Model.from_galfit(write(SERSIC.replace("sersic", "devauc").replace("5)", "6)")))
    assert isinstance(devauc.component, DeVaucouleurs)


def test_fixed_values_are_in_units_of_tables(write):
    """Pixels from 0, arcsec, half-light radii, angles from +x."""
    path = write(SERSIC, mag=0, re=0, n="4 0", pa=0)
    model = Model.from_galfit(path)
    assert model.settings == {"mag": 20.0, "r_eff": pytest.approx(0.3), "n": 4.0, "theta": 30.0}
    other = Model.from_galfit(path, pixel_scale=0.1, zeropoint=27.0)
    assert_allclose(other.settings["r_eff"], 0.6)
    assert_allclose(other.settings["mag"], 20.5)
    center = write(SERSIC.replace("1) 48.5 51.25 1 1", "1) 48.5 51.25 0 0"))
    assert Model.from_galfit(center).settings == {"x_0": 47.5, "y_0": 50.25}
    disk = Model.from_galfit(write(SERSIC, DISK, rs=0))
    assert_allclose(disk.settings["r_eff_disk"], 10 * 0.05 * 1.678347, rtol=1e-6)


def test_an_index_of_one_is_a_disk(write):
    model = Model.from_galfit(write(SERSIC, n="1 0"))
    assert isinstance(model.component, Exponential)


@pytest.mark.parametrize("limits", ["2 to 10", "-4 4"])
def test_limits_of_a_half_light_radius_with_an_index_of_one(write, limits):
    path = write(SERSIC, n="1 0", constraints=f"1 re {limits}\n")
    radius = Model.from_galfit(path).settings["r_eff"]
    assert_allclose([radius.low, radius.high], [0.1, 0.5])


def test_the_numbers_of_older_files(write):
    """Axis ratio and angle were numbers 8 and 9."""
    older = SERSIC.replace("10) -60 {pa}", "9) -60 0").replace("9) 0.75 1", "8) 0.75 0")
    assert Model.from_galfit(write(older)).settings == {"q": 0.75, "theta": 30.0}


def test_the_boxiness_of_older_files(write):
    """It was number 10."""
    older = SERSIC.replace("10) -60 {pa}", "10) 0.2 1").replace("9) 0.75 1", "8) 0.75 0")
    with pytest.raises(ValueError, match=r"line 16: boxiness, C0\)"):
        Model.from_galfit(write(older))
    plain = older.replace("10) 0.2 1", "9) -60 0\n10) 0.0 0")
    assert Model.from_galfit(write(plain)).settings == {"q": 0.75, "theta": 30.0}


def test_a_finer_psf_and_a_region(write):
    path = write(SERSIC, constraints="1 x -2 2\n")
    path.write_text(path.read_text().replace("H) 1 93 1 93", "E) 4\nH) 101 193 101 193"))
    match = r"line 5: .*psf_oversampling=4\); line 6: x_0 is of the whole image, not of the region"
    with pytest.warns(AstropyUserWarning, match=match):
        Model.from_galfit(path)


def test_constraints_of_a_component_that_is_not_chosen(write):
    path = write(SERSIC, DISK, constraints="1_2 re ratio\n1-2 mag 0 3\n")
    match = "line 1: '1_2 re ratio' of .* is about a component that is not chosen; line 2: '1-2 mag"
    with pytest.warns(AstropyUserWarning, match=match):
        assert Model.from_galfit(path, components=1).is_free


@pytest.mark.parametrize(
    ("constraints", "match"),
    [
        ("5 n 0.5 to 5", "line 1: '5 n 0.5 to 5' of these.constraints: there are 2 components"),
        ("2 sky -1 1", "line 1: '2 sky -1 1' of these.constraints is about the sky"),
        ("all n 0.5 to 5", "line 1: 'all n 0.5 to 5' of these.constraints: there are 2 comp"),
        ("1 n 0.1 to 20", "limits of n from 0.1 to 20: those of the universal prior hold, "),
        ("1 pa 0 to 5", "'1 pa 0 to 5' of these.constraints: limits of an angle are not part"),
    ],
)
def test_constraints_without_an_effect_are_noted(write, constraints, match):
    path = write(SERSIC, "0) sky\n1) 0 1\n", constraints=f"{constraints}\n")
    with pytest.warns(AstropyUserWarning, match=match):
        assert Model.from_galfit(path).is_free


def test_constraints_of_other_galaxies_are_not_noted(write):
    path = write(SERSIC, DISK, constraints="2 rs -4 6\n")
    assert Model.from_galfit(path, components=1).is_free


def test_many_components(write):
    """A cluster of thirty galaxies, and a constraint of three of them."""
    path = write(*[SERSIC] * 30, constraints="1_2_3 x offset\n")
    with pytest.raises(ValueError, match=r"30 components: components= chooses one or two$"):
        Model.from_galfit(path)


def test_constraints(write):
    constraints = "1_2 x offset\n1_2 pa offset # tied\n1 n 0.5 to 3\n2 rs -4 6\n1 q 0.01 to 1\n"
    model = Model.from_galfit(write(SERSIC, DISK, constraints=constraints))
    assert model.tied == {"theta": ("bulge", "disk")}
    assert set(model.settings) == {"n_bulge", "n_disk", "r_eff_disk"}
    prior = model.settings["n_bulge"]
    assert isinstance(prior, NormalPrior)
    assert (prior.low, prior.high) == (0.5, 3)
    assert prior.err > 5 * (prior.high - prior.low)  # flat
    radius = model.settings["r_eff_disk"]
    assert_allclose([radius.low, radius.high], np.array([6, 16]) * 0.05 * 1.678347, rtol=1e-6)


def test_a_center_that_one_part_fixes(write):
    fixed = DISK.replace("1) 48.6 51.25 1 1", "1) 48.5 51.25 0 0")
    model = Model.from_galfit(write(SERSIC, fixed, constraints="1 x -2 2\n"))
    assert model.settings["x_0"] == 47.5


def test_one_of_many(write):
    far = SERSIC.replace("48.5", "20.5")
    path = write(far, SERSIC, DISK, far, n="4 0")
    assert Model.from_galfit(path, components=(2, 3)).describe() == "sersic+exp, fixed: n_bulge"
    assert Model.from_galfit(path, components=1).describe() == "sersic, fixed: n"
    assert Model.from_galfit(path, components=np.int64(1)).describe() == "sersic, fixed: n"
    with pytest.raises(ValueError, match="line 37: 4 components: components= chooses one or two"):
        Model.from_galfit(path)
    with pytest.raises(ValueError, match=r"components=7: 7 is none of a galaxy: .* 4 \(sersic\)"):
        Model.from_galfit(path, components=7)


@pytest.mark.parametrize(
    ("sky", "slope", "match"),
    [
        ("130.5 1", 0, "the sky is 130.5: subtract it, a fit finds what is left"),
        ("0 0", 0, r"the sky is 0: subtract it, use predict\(sky=\"fixed\"\)"),
        ("0 1", 1, r"the sky has a slope: use predict\(sky=\"plane\"\)"),
    ],
)
def test_what_other_arguments_are_for(write, sky, slope, match):
    path = write(SERSIC, SKY, sky=sky, slope=slope)
    with pytest.warns(AstropyUserWarning, match=match):
        assert Model.from_galfit(path).is_free


def test_a_free_sky_is_what_fits_have(write):
    assert Model.from_galfit(write(SERSIC, SKY, sky="0 1", slope=0)).is_free


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("sersic", "nuker", "line 9: nuker: there are sersic, expdisk, devauc, psf, gaussian"),
        ("Z) 0", "F1) 0.1 30 1 1", r"line 17: Fourier modes, F1\)"),
        ("Z) 0", "R0) log", r"line 17: a rotation, as of spiral arms, R0\)"),
        ("Z) 0", "C0) 0.2 1", r"line 17: boxiness, C0\)"),
        ("Z) 0", "B2) 0.2 1", r"line 17: bending modes, B2\)"),
        ("Z) 0", "To) 2", r"line 17: a truncation, To\)"),
        ("5) 2.5 1", "5) 8 0", "line 13: n=8 must be finite and from 0.3 to 6.2"),
        ("9) 0.75 1", "9) nan 0", "line 15: q=nan must be finite"),
        ("4) 6.0 1", "4) -6.0 0", "line 12: r_eff=-0.3 must be finite and above 0"),
        ("4) 6.0 1", "4) six 1", "line 12: 'six 1': 1 numbers and as many of 0 or 1 are needed"),
        ("1) 48.5 51.25 1 1", "", "line 9: sersic has no position"),
        ("K) 0.05 0.05", "K) 0.05 a", "line 7: 'a' must begin with a number"),
        ("J) 26.5", "J) zero", "line 6: 'zero' must begin with a number"),
        ("Z) 0", "C0) a 0", "line 17: 'a 0' must begin with a number"),
        ("Z) 0", "Z) 0\n0) sky\n1) a 1", "line 19: 'a 1' must begin with a number"),
        ("K) 0.05 0.05", "K) 0.05 0.06", "line 7: pixels that are not square"),
        ("0) sersic", "0) sky", "there is no component of a galaxy"),
    ],
)
def test_what_a_model_cannot_be_is_named_by_its_line(write, old, new, match):
    path = write(SERSIC)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=match):
        Model.from_galfit(path)


def test_all_lines_are_named(write):
    path = write(SERSIC, DISK.replace("Z) 0", "F1) 1 1\nF2) 1 1"), n="9 0")
    with pytest.raises(ValueError, match=r"line 13: n=9 .*; line 25: Four.*; line 26: Four"):
        Model.from_galfit(path)


@pytest.mark.parametrize(
    ("constraints", "match"),
    [
        (
            "1_2 mag offset",
            "line 1: '1_2 mag offset' of these.constraints: parameters can be tied to be equal",
        ),
        ("1-2 mag 0.5 3", "line 1: '1-2 mag 0.5 3' of .*: parameters can only be equal"),
        ("1 c0 0 to 1", "line 1: '1 c0 0 to 1' of these.constraints is no constraint"),
        ("1 n 3 to 1", "limits from 3 to 1: the first must be below the second"),
        ("1 n low to high", "'1 n low to high' of these.constraints: two numbers are needed"),
    ],
)
def test_constraints_that_cannot_be_kept(write, constraints, match):
    with pytest.raises(ValueError, match=match):
        Model.from_galfit(write(SERSIC, DISK, constraints=constraints))


def test_components_at_two_places(write):
    path = write(SERSIC, DISK.replace("48.6", "58.6"))
    with pytest.raises(ValueError, match=r"line 20: x_0 is 10\.1 pixels from that of line 10"):
        Model.from_galfit(path)
    twins = write(DISK, DISK)
    with pytest.raises(ValueError, match="a model cannot have two of this component"):
        Model.from_galfit(twins)
    held = SERSIC.replace("1 1", "0 0").replace("0.75 1", "0.75 0")
    with pytest.raises(ValueError, match="all parameters are fixed"):
        Model.from_galfit(write(held, mag=0, re=0, n="4 0", pa=0))


def test_lines_that_are_not_read(write):
    path = write(SERSIC)
    path.write_text(path.read_text() + "something else\n")
    with pytest.warns(AstropyUserWarning, match="'something else' is no line of GALFIT"):
        Model.from_galfit(path)


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        Model.from_galfit(tmp_path / "none.feedme")
    (tmp_path / "image.fits").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is not a text"):
        Model.from_galfit(tmp_path / "image.fits")


def test_a_written_file_says_the_same(tmp_path):
    values = {"x_0": 40.25, "y_0": 30.5, "mag": 20.5, "r_eff": 6.0, "n": 4.0, "q": 0.6, "theta": 20}
    parts = [("sersic", values, {"n", "mag"}), ("expdisk", values | {"r_eff": 12.0}, {"n"})]
    units = {"shape": (60, 80), "zeropoint": 26.0, "pixel_scale": 0.1}
    files = dict.fromkeys(("image", "sigma", "psf", "mask"), "none") | {"constraints": "c"}
    text, constraints = galfit_text(parts, units, files=files, ties=["theta", "q"])
    (tmp_path / "g").write_text(text)
    (tmp_path / "c").write_text(constraints)
    model = Model.from_galfit(tmp_path / "g")
    assert model.settings == {"mag_bulge": 20.5, "n_bulge": 4.0, "n_disk": 1.0}
    assert set(model.tied) == {"theta", "q"}
    assert {Sersic, Exponential} == {type(each) for each in model.combination.components.values()}
