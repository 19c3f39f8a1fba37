"""Fits of galaxies of several parts, of which something is known."""

import numpy as np
import pytest
import torch
from astropy.utils.exceptions import AstropyUserWarning
from helpers.populations import frame_of
from helpers.rendered import NOISE, draw_parts, labels_of
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Exponential, Model, NormalPrior, PointSource, Sersic
from sersicnet.flags import Flags
from sersicnet.inference.composites import Composite
from sersicnet.model.scene_prior import log_density

BULGE = labels_of(log_flux=3.4, r_eff=1.5, n=4, q=0.8, theta=50, dx=0.3, dy=-0.2)
DISK = labels_of(log_flux=3.8, r_eff=6, n=1, q=0.5, theta=50, dx=0.3, dy=-0.2)
NUCLEUS = [3.5, 0.3, -0.2]
PARTS = {"bulge": Sersic(), "disk": Exponential()}
TRUTH = {
    "mag_bulge": 25 - 2.5 * (3.4 + np.log10(NOISE)),
    "mag_disk": 25 - 2.5 * (3.8 + np.log10(NOISE)),
    "bulge_to_total": 10**3.4 / (10**3.4 + 10**3.8),
    "r_eff_bulge": 0.15,
    "r_eff_disk": 0.6,
    "n_bulge": 4.0,
    "n_disk": 1.0,
    "q_bulge": 0.8,
    "q_disk": 0.5,
    "theta_bulge": 50.0,
    "theta_disk": 50.0,
    "x_0": 31.8,
    "y_0": 31.3,
}
TRUTH["mag"] = 25 - 2.5 * np.log10(NOISE * (10**3.4 + 10**3.8))


@pytest.fixture(scope="module")
def galaxies():
    """A bulge and a disk, with two draws of the noise."""
    return [draw_parts(BULGE + DISK, ("sersic", "sersic"), size=64, seed=seed) for seed in (1, 2)]


def value(table, name):
    return np.asarray(getattr(table[name], "value", table[name]))


def check_pulls(table, rows=slice(None)):
    """All that was fitted is within four errors of the truth."""
    for name, truth in TRUTH.items():
        if name in table.colnames:
            away = value(table, name)[rows] - truth
            if name.startswith("theta"):
                away = (away + 90) % 180 - 90
            assert (np.abs(away) <= 4 * value(table, f"{name}_err")[rows] + 1e-12).all(), name


@pytest.mark.parametrize(
    "names",
    [
        ["n_bulge", "mag_bulge", "theta_bulge", "q_disk"],
        ["r_eff_bulge", "q_bulge", "mag_disk", "x_0"],
        ["bulge_to_total", "r_eff_disk", "theta_disk", "y_0"],
        ["mag_bulge", "mag_disk", "theta_bulge"],
    ],
)
def test_fixed_values_come_back_exactly(net, galaxies, names):
    """For each galaxy its own, in the table and in the samples; all others are right."""
    fixed = {name: TRUTH[name] * np.array([1, 1 + 1e-4]) for name in names}
    found = net.predict(galaxies, model=Model("sersic+exp", fixed=fixed))
    assert not found.flags.any()
    table = found.to_table()
    samples = found.samples(5)
    for name, known in fixed.items():
        for column in (name, f"{name}_lo", f"{name}_hi"):
            assert_array_equal(value(table, column), known)
        assert_array_equal(value(table, f"{name}_err"), 0)
        assert_allclose(samples[name], np.repeat(known[:, None], 5, axis=1), rtol=1e-9)
    check_pulls(table, [0])


def test_a_whole_part_can_be_known(net, galaxies):
    """What is left is the disk, and where both are."""
    names = ("mag", "r_eff", "n", "q", "theta")
    bulge = Sersic(**{name: TRUTH[f"{name}_bulge"] for name in names})
    found = net.predict(galaxies[:1], model=Model({"bulge": bulge, "disk": Exponential()}))
    check_pulls(found.to_table())
    assert not found.flags[0]
    assert found.meta["MODEL"] == (
        "sersic+exp, fixed: mag_bulge r_eff_bulge n_bulge q_bulge theta_bulge"
    )


@pytest.mark.parametrize("names", [("theta",), ("q", "theta")])
def test_tied_parameters_are_equal(net, galaxies, names):
    tied = dict.fromkeys(names, ("bulge", "disk"))
    found = net.predict(galaxies[:1], model=Model("sersic+exp", tied=tied))
    table = found.to_table()
    samples = found.samples(50)
    for name in names:
        for ending in ("", "_err", "_lo", "_hi"):
            own = value(table, f"{name}_bulge{ending}")
            assert np.isfinite(own).all()
            assert_array_equal(own, value(table, f"{name}_disk{ending}"))
        assert_allclose(samples[f"{name}_bulge"], samples[f"{name}_disk"], rtol=1e-9)
        assert samples[f"{name}_bulge"].std() > 0
    assert found.meta["MODEL"] == f"sersic+exp, tied: {' '.join(names)}"
    if names == ("theta",):
        check_pulls(table)


def test_a_narrow_prior_holds_its_parameter(net, galaxies):
    """One for each galaxy; limits hold, too."""
    narrow = 1e-3
    priors = {
        "n_bulge": NormalPrior([3.5, 4.5], narrow),
        "r_eff_bulge": NormalPrior(0.14, narrow),
        "mag_bulge": NormalPrior(TRUTH["mag_bulge"] + 0.05, narrow),
        "theta_disk": NormalPrior(51, narrow),
        "q_disk": NormalPrior(0.6, 0.5, low=0.58),
        "x_0": NormalPrior(31.82, narrow),
    }
    table = net.predict(galaxies, model=Model("sersic+exp", priors=priors)).to_table()
    for name, prior in priors.items():
        if name != "q_disk":
            assert_allclose(value(table, name), prior.mean, atol=5e-3)
    assert (value(table, "q_disk") >= 0.58 - 1e-6).all()
    priors = {
        "bulge_to_total": NormalPrior(0.35, narrow),
        "mag": NormalPrior(TRUTH["mag"] + 0.02, narrow),
    }
    table = net.predict(galaxies[:1], model=Model("sersic+exp", priors=priors)).to_table()
    for name, prior in priors.items():
        assert_allclose(value(table, name), prior.mean, atol=5e-3)


def test_the_order_of_components_does_not_matter(net, galaxies):
    """Nor does that of galaxies, and columns have the names of the user."""
    one = Model({"core": Sersic(n=[3.5, 4.5]), "thin_disk": Exponential()})
    other = Model({"thin_disk": Exponential(), "core": Sersic(n=[4.5, 3.5])})
    table = net.predict(galaxies, model=one).to_table()
    again = net.predict(galaxies[::-1], model=other).to_table()
    assert table.colnames == again.colnames
    for name in ("mag_core", "r_eff_thin_disk", "q_core", "core_to_total", "n_core", "mag"):
        error = value(table, f"{name}_err")
        away = value(again, name)[::-1] - value(table, name)
        assert (np.abs(away) <= 0.1 * error).all()
        assert_allclose(value(again, f"{name}_err")[::-1], error, rtol=0.02)
    assert table["r_eff_thin_disk"].unit == "arcsec"
    assert table["mag_core"].info.description == "total AB magnitude, of the core"


def test_a_nucleus_and_its_host(net):
    host = labels_of(log_flux=4.0, r_eff=5, n=1.5, q=0.6, dx=0.3, dy=-0.2)
    cutout = draw_parts(NUCLEUS + host, ("point", "sersic"), size=64)
    model = Model({"host": Sersic(n=NormalPrior(1.5, 0.01)), "agn": PointSource(x_0=31.8)})
    found = net.predict([cutout], model=model)
    table = found.to_table()
    assert_array_equal(value(table, "x_0"), 31.8)
    assert "agn_to_total" in table.colnames
    magnitude = 25 - 2.5 * (3.5 + np.log10(NOISE))
    assert abs(value(table, "mag_agn")[0] - magnitude) < 4 * value(table, "mag_agn_err")[0]
    assert abs(value(table, "r_eff_host")[0] - 0.5) < 4 * value(table, "r_eff_host_err")[0]
    assert not found.flags[0]


def test_a_star_at_a_known_place(net):
    """The magnitude is that of forced photometry."""
    cutout = draw_parts(NUCLEUS, ("point",), size=64)
    found = net.predict([cutout], model=PointSource(x_0=31.8, y_0=31.3))
    assert_array_equal(found.median("x_0"), 31.8)
    assert_array_equal(found.error("y_0"), 0)
    magnitude = 25 - 2.5 * (3.5 + np.log10(NOISE))
    assert abs(found.median("mag")[0] - magnitude) < 4 * found.error("mag")[0]


def test_of_two_sersic_profiles_the_first_is_the_smaller(net, galaxies):
    table = net.predict(
        galaxies[:1], model=Model({"inner": Sersic(), "outer": Sersic()})
    ).to_table()
    assert value(table, "r_eff_inner") < value(table, "r_eff_outer")
    assert abs(value(table, "n_outer")[0] - 1) < 4 * value(table, "n_outer_err")[0]


def test_an_index_tells_two_sersic_profiles_apart(net, galaxies):
    """The answer is that of a bulge in an exponential disk, but for the prior of its size."""
    one = net.predict(galaxies[:1], model=Model({"disk": Sersic(n=1), "bulge": Sersic(n=4)}))
    other = net.predict(galaxies[:1], model=Model("sersic+exp", fixed={"n_bulge": 4}))
    table = other.to_table()
    check_pulls(table)
    for name in ("mag_bulge", "mag_disk", "r_eff_disk", "q_bulge"):
        away = value(one.to_table(), name) - value(table, name)
        assert (np.abs(away) < 0.6 * value(table, f"{name}_err")).all()


def test_values_of_no_galaxy_are_one_row(net, galaxies):
    """The other row is as without it."""
    fixed = {"n_bulge": [4.0, np.nan], "r_eff_disk": [0.6, 0.6]}
    with pytest.warns(AstropyUserWarning, match="1 of 2 galaxies could not be fitted"):
        found = net.predict(galaxies, model=Model("sersic+exp", fixed=fixed))
    table = found.to_table()
    assert found.flags[1] & int(Flags.NOT_REFINED)
    for name in ("n_bulge", "n_bulge_err", "r_eff_disk", "mag", "mag_bulge"):
        assert np.isnan(value(table, name)[1])
    check_pulls(table, [0])


# --- the scene --------------------------------------------------------------------------------


def scene_of(model, n=1, **frame):
    """The scene of galaxies in the middle of stamps, and which can be fitted."""
    composite = Composite.of(model, np.arange(n))
    start = np.repeat(np.array([DISK]), n, axis=0)
    return composite.scene(start, frame_of(n, **frame), np.zeros(n), np.zeros((n, 2)))


def test_sizes_and_axis_ratios_are_not_held_where_pixels_are_not_square():
    wide = {"stretch": np.array([[[1.2, 0], [0, 1 / 1.2]]])}
    for options, expected in (
        ({"fixed": {"r_eff_disk": 0.5}}, False),
        ({"fixed": {"r_eff_disk": 0.5, "q_disk": 0.5, "theta_disk": 3}}, True),
        ({"tied": {"q": ("bulge", "disk")}}, False),
        ({"tied": {"theta": ("bulge", "disk")}}, True),
        ({"fixed": {"n_bulge": 2}}, True),
    ):
        assert scene_of(Model("sersic+exp", **options), **wide)[1][0] == expected


@pytest.mark.parametrize(
    ("name", "prior"),
    [
        ("mag_bulge", NormalPrior(18, 0.3)),
        ("bulge_to_total", NormalPrior(0.9, 0.2)),
        ("r_eff_bulge", NormalPrior(0.15, 0.1)),
        ("q_bulge", NormalPrior(0.9, 0.2)),
        ("theta_disk", NormalPrior(30, 20)),
    ],
)
def test_densities_with_a_prior_are_normalized(name, prior):
    """That of the parameter that has it, with all others known."""
    light = ("mag_bulge", "mag_disk") if name.startswith("mag") else ("mag", "bulge_to_total")
    shapes = [f"{kind}_{part}" for part in PARTS for kind in ("r_eff", "n", "q", "theta")]
    names = [*light, *(each for each in shapes if each != "n_disk"), "x_0", "y_0"]
    values = {each: frame_value(each) for each in names if each != name}
    scene, usable = scene_of(Model("sersic+exp", fixed=values, priors={name: prior}))
    assert usable.all()
    assert scene.layout.n_parameters == 1
    values = torch.linspace(-20, 20, 200_001, dtype=torch.float64)[:, None]
    density = log_density(scene, values).exp()
    assert_allclose(float(torch.trapezoid(density, values[:, 0])), 1, atol=2e-3)


def frame_value(name):
    """A value in the middle of the limits."""
    middle = {"x_0": 63.5, "y_0": 63.5, "mag": 18.0, "mag_bulge": 18.0, "mag_disk": 18.0}
    return middle.get(name, TRUTH[name])
