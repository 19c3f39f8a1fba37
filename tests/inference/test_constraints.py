"""Fits of galaxies of which something is known."""

import numpy as np
import pytest
import torch
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from helpers.refined import FEW, SEVEN, TABLE
from helpers.rendered import NOISE, add_noise, make_cutout, render, star
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm

from sersicnet import Exponential, Model, NormalPrior, Population, Sersic, SersicNet
from sersicnet.flags import Flags
from sersicnet.inference.constraints import Constraints
from sersicnet.inference.prior_terms import normal_terms
from sersicnet.inference.refine import LevenbergMarquardt
from sersicnet.model.description import check_model
from sersicnet.model.labels import angle, axis_ratio, length, split_labels
from sersicnet.model.prior import N_LIMITS
from sersicnet.model.scene_prior import log_density
from sersicnet.preprocessing import StampFrame

VALUES = {"mag": 19.3, "r_eff": 0.41, "n": 1.7, "q": 0.55, "theta": 27.0, "x_0": 64.0, "y_0": 63.0}


def truth(name):
    labels = split_labels(np.array(TABLE))
    q = axis_ratio(length(labels.e1, labels.e2))
    return {
        "mag": 25 - 2.5 * (labels.log_flux + np.log10(NOISE)),
        "r_eff": 0.1 * 10**labels.log_r_eff,
        "n": labels.n,
        "q": q,
        "theta": np.degrees(angle(labels.e1, labels.e2)),
        "x_0": 63.5 + labels.dx,
        "y_0": 63.5 + labels.dy,
    }[name]


def frame(n=1):
    columns = np.array([[2.0], [25.0], [0.1], [1.0], [63.5], [63.5]])
    return StampFrame(*np.repeat(columns, n, axis=1))


def scene_of(model, n=1):
    """The scene of galaxies in the middle of stamps, and which can be fitted."""
    constraints = Constraints.of(check_model(model), np.arange(n))
    start = np.repeat(np.array([TABLE[0]]), n, axis=0)
    return constraints.scene(start, frame(n), np.zeros(n), np.zeros((n, 2)))


@pytest.mark.parametrize("name", SEVEN)
def test_a_fixed_value_comes_back_exactly(net, four, name):
    known = np.array(truth(name))[:1]
    found = net.predict(four[:1], model=Model("sersic", fixed={name: known}))
    assert_array_equal(found.median(name), known)
    assert_array_equal(found.error(name), 0)
    assert_allclose(found.samples(5)[name], np.repeat(known[:, None], 5, axis=1), rtol=1e-9)
    for other in SEVEN:
        difference = found.median(other) - truth(other)[:1]
        if other == "theta":
            difference = (difference + 90) % 180 - 90
        assert (np.abs(difference) <= 4 * found.error(other)).all(), other
    assert not found.flags.any()


def test_all_values_can_be_fixed_but_one(net, four, refined):
    """The magnitude is then that of forced photometry, with the smallest of errors."""
    fixed = {name: truth(name) for name in SEVEN if name != "mag"}
    found = net.predict(four, model=Model("sersic", fixed=fixed))
    free = refined["lm"]
    assert (np.abs(found.median("mag") - truth("mag")) < 4 * found.error("mag")).all()
    assert (found.error("mag") < free.error("mag")).all()


def test_importance_sampling_with_a_known_index(net, four):
    """Its errors are those of the fit, and the evidence is that of one parameter less."""
    model = Sersic(n=truth("n")[0])
    fit = net.predict(four[:1], model=model)
    found = net.predict(four[:1], model=model, refine=FEW)
    assert (found.columns["ess"] > 60).all()
    assert_array_equal(found.median("n"), truth("n")[:1])
    for name in ("mag", "r_eff", "q"):
        assert_allclose(found.error(name), fit.error(name), rtol=0.35)
        assert (np.abs(found.median(name) - fit.median(name)) < 0.5 * fit.error(name)).all()


@pytest.mark.parametrize("refine", ["lm", FEW])
def test_a_narrow_prior_decides(net, four, refine):
    """With an error far below that of the image, the answer is the prior's."""
    priors = {"r_eff": NormalPrior(0.35, 1e-4), "theta": NormalPrior(25, 0.01)}
    found = net.predict(four[:1], model=Model("sersic", priors=priors), refine=refine)
    assert_allclose(found.median("r_eff"), 0.35, atol=3e-4)
    assert_allclose(found.median("theta"), 25, atol=0.03)
    assert_allclose(found.error("r_eff"), 1e-4, rtol=0.3)


@pytest.mark.parametrize("name", ["mag", "r_eff", "n", "q", "x_0"])
def test_a_prior_and_an_image_add_their_information(net, four, refined, name):
    """The prior has the error of the fit, and its mean is that of the fit: the error falls."""
    free = refined["lm"][:1]
    mean = free.median(name)[0]
    err = free.error(name)[0]
    found = net.predict(four[:1], model=Model("sersic", priors={name: NormalPrior(mean, err)}))
    assert_allclose(found.error(name) / err, np.sqrt(0.5), rtol=0.1)
    assert np.abs(found.median(name) - mean)[0] < 0.3 * err


def test_a_wide_prior_changes_nothing(net, four, refined):
    free = refined["lm"][:1]
    found = net.predict(four[:1], model=Model("sersic", priors={"mag": NormalPrior(20, 50)}))
    for name in SEVEN:
        difference = np.abs(found.median(name) - free.median(name))
        assert (difference < 0.05 * free.error(name)).all(), name


def test_limits_of_a_prior_hold(net, four):
    prior = NormalPrior(3, 1, low=2.5, high=3.5)  # the first galaxy has n = 1.5
    found = net.predict(four[:1], model=Sersic(n=prior))
    assert_allclose(found.median("n"), 2.5, atol=1e-3)
    assert found.flags[0] & int(Flags.AT_BOUND)
    draws = net.predict(four[:1], model=Sersic(n=prior), refine=FEW).samples(50)["n"]
    assert ((draws >= 2.5 - 1e-6) & (draws <= 3.5)).all()


def test_what_cannot_be_used_is_one_row(net, four):
    """It is NaN and has flags; the others are as they would be without it."""
    values = [1.5, np.nan, 1.5, 99]
    with pytest.warns(AstropyUserWarning, match="2 of 4 galaxies could not be fitted"):
        found = net.predict(four, model=Sersic(n=values))
    lost = int(Flags.NOT_REFINED | Flags.PREDICTION_FAILED)
    assert_array_equal(found.flags & lost != 0, [False, True, False, True])
    assert np.isnan(found.median("mag")[[1, 3]]).all()
    for name in ("mag", "n"):
        assert np.isnan(found.samples(3)[name][[1, 3]]).all()
    alone = net.predict([four[0], four[2]], model=Sersic(n=1.5))
    for name in SEVEN:
        difference = found.median(name)[[0, 2]] - alone.median(name)
        assert (np.abs(difference) <= 0.05 * alone.error(name)).all()


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *[("r_eff", 0), ("r_eff", -1), ("r_eff", 1e4), ("n", -3), ("q", 0), ("q", -1)],
        *[("theta", np.inf), ("mag", np.inf), ("mag", -1000), ("x_0", 1e9)],
    ],
)
def test_values_of_no_galaxy(name, bad):
    """They have a stand-in, without a warning of NumPy, and leave the other rows alone."""
    fixed = {name: np.array([VALUES[name], bad])}
    scene, usable = scene_of(Model("sersic", fixed=fixed), 2)
    assert_array_equal(usable, [True, False])
    assert torch.isfinite(scene.labels(torch.zeros(2, 6, dtype=torch.float64))).all()
    quantiles = np.stack([np.full((7, 3), 15.0), np.full((7, 3), np.nan)], axis=2)
    found = Constraints(np.arange(2), fixed, {}).put_into(quantiles, SEVEN)
    assert_array_equal(found[SEVEN.index(name), 1], [VALUES[name], np.nan])


@pytest.mark.parametrize("part", ["mean", "err", "low", "high"])
def test_priors_that_are_not_known(part):
    """Also where one of two limits is NaN: the other does not hold alone."""
    prior = {"mean": 2.0, "err": 1.0, "low": 1.0, "high": 3.0}
    prior |= {part: np.array([prior[part], np.nan])}
    _, usable = scene_of(Model("sersic", priors={"n": NormalPrior(**prior)}), 2)
    assert_array_equal(usable, [True, False])


@pytest.mark.parametrize("refine", ["lm", FEW])
def test_a_row_without_a_fit_has_no_sky(net, refine):
    """A galaxy of this size is not in the noise, and the sky of the network is another."""
    cutout = make_cutout(add_noise(np.zeros((64, 64)), 5))
    with pytest.warns(AstropyUserWarning, match="1 of 1 galaxy could not be fitted"):
        found = net.predict([cutout], model=Sersic(mag=5.0), refine=refine)
    assert np.isnan(found.median("r_eff")[0])
    assert np.isnan(found.columns["sky"][0])
    assert np.isnan(found.samples(2)["sky"]).all()


def test_a_model_that_knows_something_is_fitted(net, four):
    found = net.predict(four[:1], model=Exponential())
    assert found.meta["REFINE"] == "lm (the model needs a fit)"
    assert found.meta["MODEL"] == "exponential, fixed: n"
    assert "n_iter" in found.to_table().colnames
    plain = net.predict(four[:1])
    assert "MODEL" not in plain.meta
    assert plain.meta["REFINE"] == "none"


def test_a_network_of_one_survey_knows_no_models(four):
    net = SersicNet.from_pretrained("deeplegato")
    with pytest.raises(ValueError, match=r"model=Model\(Sersic\(n=4\)\) needs the posterior"):
        net.predict(four[:1], model=Sersic(n=4))


def test_as_many_values_as_cutouts(net, four):
    with pytest.raises(ValueError, match="n of the model has 3 values"):
        net.predict(four, model=Sersic(n=[1, 2, 3]))


def test_a_population_needs_free_parameters(net, four):
    found = net.predict(four[:1], model=Sersic(n=2))
    with pytest.raises(ValueError, match="results of the model 'sersic, fixed: n'"):
        Population.infer(found)


def test_values_of_batches_and_bins(net):
    """They belong to the galaxies of their rows, also where an image is binned."""
    large = list(TABLE[0])
    large[0], large[1] = large[0] + 2.2, np.log10(40)
    images = add_noise(render([large], star(), size=256))
    found = net.predict([make_cutout(images[0])], model=Sersic(r_eff=4.0, x_0=127.5))
    assert found.flags[0] & int(Flags.BINNED)
    assert_array_equal(found.median("r_eff"), 4.0)
    assert_array_equal(found.median("x_0"), 127.5)
    assert abs(found.median("y_0")[0] - 127.5) < 5 * found.error("y_0")[0]


# --- the scene --------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("q",), ("theta",), ("q", "theta"), ("mag", "x_0"), SEVEN[:6]])
def test_the_scene_has_the_known_values(names):
    model = Model("sersic", fixed={name: VALUES[name] for name in names})
    scene, usable = scene_of(model)
    assert usable.all()
    assert scene.layout.n_parameters == 7 - len(names)
    labels = scene.labels(torch.randn(1, 7 - len(names), dtype=torch.float64)).numpy()
    columns = split_labels(labels)._asdict()
    q = axis_ratio(length(columns["e1"], columns["e2"]))
    found = frame().from_labels(columns, [name for name in SEVEN if name != "q"]) | {"q": q}
    for name in names:
        assert_allclose(found[name], VALUES[name], rtol=1e-7)


def test_sizes_are_not_held_where_pixels_are_not_square():
    """Unless the whole ellipse is known: one on the sky is then one in pixels."""
    wide = StampFrame(
        *np.array([[2.0], [25.0], [0.1], [1.0], [63.5], [63.5]]),
        stretch=np.array([[[1.2, 0], [0, 1 / 1.2]]]),
    )
    start = np.array([TABLE[0]])
    for fixed, expected in (({"r_eff": 0.4}, False), ({"n": 2}, True)):
        constraints = Constraints.of(Model("sersic", fixed=fixed), np.arange(1))
        assert constraints.scene(start, wide, np.zeros(1), np.zeros((1, 2)))[1][0] == expected
    fixed = {"r_eff": 0.4, "q": 0.5, "theta": 20}
    constraints = Constraints.of(Model("sersic", fixed=fixed), np.arange(1))
    scene, usable = constraints.scene(start, wide, np.zeros(1), np.zeros((1, 2)))
    columns = split_labels(scene.labels(torch.zeros(1, 4, dtype=torch.float64)).numpy())
    values = {"r_eff": 0.1 * 10**columns.log_r_eff, "theta": np.array([20.0])}
    values["q"] = axis_ratio(length(columns.e1, columns.e2))
    assert usable[0]
    assert_allclose(wide.on_sky(values)["r_eff"], 0.4)
    assert_allclose(wide.on_sky(values)["q"], 0.5)


@pytest.mark.parametrize(
    ("name", "prior"),
    [
        ("mag", NormalPrior(19, 0.3)),
        ("mag", NormalPrior(19, 0.3, low=18.9)),
        ("r_eff", NormalPrior(0.4, 0.1)),
        ("r_eff", NormalPrior(0.02, 0.1, high=0.5)),
        ("n", NormalPrior(6, 2)),
        ("q", NormalPrior(0.9, 0.2)),
        ("theta", NormalPrior(30, 20)),
        ("x_0", NormalPrior(64, 1, low=63)),
    ],
)
def test_densities_with_a_prior_are_normalized(name, prior):
    """That of the parameter that has it, with all others known."""
    fixed = {other: value for other, value in VALUES.items() if other != name}
    scene, usable = scene_of(Model("sersic", fixed=fixed, priors={name: prior}))
    assert usable.all()
    values = torch.linspace(-20, 20, 200_001, dtype=torch.float64)[:, None]
    density = log_density(scene, values).exp()
    assert_allclose(float(torch.trapezoid(density, values[:, 0])), 1, atol=2e-3)


def test_slopes_of_normal_priors():
    priors = {name: NormalPrior(VALUES[name], 0.2) for name in ("mag", "r_eff", "n", "q", "theta")}
    scene, _ = scene_of(Model("sersic", priors=priors), 5)
    values = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for prior in (True, False):
        _, slope, curvature = normal_terms(scene, values, prior=prior)
        for column in range(7):
            step = torch.zeros(7, dtype=torch.float64)
            step[column] = 1e-6
            above, below = (
                normal_terms(scene, values + sign * step, prior=prior)[0] for sign in (1, -1)
            )
            torch.testing.assert_close(
                slope[:, column], (above - below) / 2e-6, rtol=1e-4, atol=1e-3
            )
        assert (torch.linalg.eigvalsh(curvature) > -1e-6).all()


def test_priors_count_without_the_universal_one(net, four):
    """`LevenbergMarquardt(prior=False)` leaves out the latter only."""
    model = Sersic(n=NormalPrior(2.5, 1e-3))
    with pytest.warns(AstropyUserWarning, match="prior of n contradicts the image"):
        found = net.predict(four[:1], model=model, refine=LevenbergMarquardt(prior=False))
    assert_allclose(found.median("n"), 2.5, atol=5e-3)


def test_a_row_without_a_prior_is_as_without_a_model(net, four, refined):
    """The universal prior holds for it, and limits alone leave it as it is within them."""
    table = Table({"n_prior_mean": [truth("n")[0], np.nan, np.nan, np.nan]})
    table["n_prior_err"] = [0.1, np.nan, np.nan, np.nan]
    table["n_max"] = [np.nan, 6.0, 6.0, 6.0]
    found = net.predict(four, model=Model.from_table(table))
    free = refined["lm"]
    for name in SEVEN:
        difference = np.abs(found.median(name) - free.median(name))
        assert (difference[1:] < 0.02 * free.error(name)[1:]).all(), name
    assert found.error("n")[0] < 0.101
    tension = found.to_table()["n_tension"]
    assert tension[0] < 3
    assert np.isnan(tension[1:]).all()


def test_angles_without_a_prior_go_around():
    """A row without one is as free as others, and limits may go over 90 degrees."""
    columns = {"theta_prior_mean": [np.nan, np.nan, 60], "theta_prior_err": [np.nan, np.nan, 5]}
    columns |= {"theta_min": [np.nan, 80, np.nan], "theta_max": [np.nan, 120, np.nan]}
    scene, usable = scene_of(Model.from_table(Table(columns)), 3)
    assert usable.all()
    labels = split_labels(np.array(TABLE[0]))
    middle = np.degrees(scene.known.numpy()[:, scene.layout.known.index("theta")])
    assert_allclose(middle, [np.degrees(angle(labels.e1, labels.e2)), 100, 60])
    limits = np.degrees(scene.normals.numpy()[:, scene.layout.priors.index("turn"), 2:])
    assert_allclose(limits, [[-90, 90], [-20, 20], [-90, 90]])


def test_limits_that_leave_nothing_are_one_row():
    """The lower one is not taken for the upper one; magnitudes go the other way."""
    for name, low, high in (("n", 3, 2), ("mag", 21, 20)):
        table = Table({f"{name}_min": [low, high], f"{name}_max": [high, low]})
        _, usable = scene_of(Model.from_table(table), 2)
        assert_array_equal(usable, [False, True])


@pytest.mark.parametrize(("name", "middle"), [("r_eff", 0.4), ("n", 2.0), ("q", 0.5)])
def test_limits_alone_share_the_universal_prior(name, middle):
    """Within limits that divide it, the prior is larger, each by one over its share."""
    shares = []
    values = None
    for low, high in ((np.nan, np.nan), (np.nan, middle), (middle, np.nan)):
        table = Table({f"{name}_min": [low], f"{name}_max": [high]})
        scene, _ = scene_of(Model.from_table(table))
        if values is None:
            rng = np.random.default_rng(4)
            values = torch.from_numpy(rng.normal(0, 0.6, (40, scene.layout.n_parameters)))
            values[:, 0] = 3  # the logarithm of the flux: the S/N has limits
            whole = log_density(scene, values)
        density = log_density(scene, values)
        inside = torch.isfinite(density)
        assert inside.any()
        share = torch.exp((whole - density)[inside])
        assert_allclose(share, share.mean(), rtol=1e-6)
        shares.append(share.mean())
    assert_allclose(shares[0], 1, rtol=1e-6)
    assert_allclose(shares[1] + shares[2], 1, rtol=1e-4)


@pytest.mark.parametrize("refine", ["lm", FEW])
def test_a_prior_that_contradicts_the_image_shows(net, four, refined, refine):
    """However narrow it is: by its distance from the fit without it."""
    free = refined["lm"][:1]
    x, err = free.median("n")[0], free.error("n")[0]
    for own in (2 * err, 1e-3 * err):
        distance = 8 * np.hypot(own, err)
        model = Model("sersic", priors={"n": NormalPrior(x + distance, own)})
        with pytest.warns(AstropyUserWarning, match="prior of n contradicts the image of 1 galaxy"):
            found = net.predict(four[:1], model=model, refine=refine)
        assert_allclose(found.columns["n_tension"], 8, rtol=0.02)


def test_evidence_knows_the_priors_of_a_table(net, four, refined):
    """Its ratio is the mean of that of the priors over the posterior (Savage and Dickey)."""
    mean, err = truth("n")[0], 0.4
    table = Table({"n_prior_mean": [mean, np.nan], "n_prior_err": [err, np.nan]})
    found = net.predict(four[:2], model=Model.from_table(table), refine=FEW)
    free = refined["importance"][:2]
    n = free.samples(100)["n"][0]
    universal = 0.5 / np.sqrt(n) / np.diff(np.sqrt(N_LIMITS))
    expected = np.log(np.mean(norm.pdf(n, mean, err) / norm.sf(N_LIMITS[0], mean, err) / universal))
    change = found.columns["log_evidence"] - free.columns["log_evidence"]
    assert expected > 1
    assert_allclose(change, [expected, 0], atol=0.5)
