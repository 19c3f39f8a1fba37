"""``SersicNet.predict(refine=...)``: what it returns, how good it is, and what spoils it."""

import copy
import pickle

import numpy as np
import pytest
import torch
from astropy.nddata import StdDevUncertainty
from astropy.table import vstack
from helpers.rendered import NOISE, add_noise, labels_of, make_cutout, render, star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import SersicNet
from sersicnet.flags import Flags, decode_flags
from sersicnet.inference.fits import median_labels
from sersicnet.inference.importance import sample
from sersicnet.inference.refine import ImportanceSampling, LevenbergMarquardt
from sersicnet.model.labels import N_LABELS, angle, axis_ratio, length, split_labels
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.profile import psf_transform
from sersicnet.model.psf import collect_psfs
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing import prepare

SEVEN = tuple(PARAMETERS)
TABLE = [
    labels_of(snr=100),
    labels_of(snr=300, r_eff=8, n=3, q=0.4, theta=-50, dx=1.2, dy=-0.7),
    labels_of(snr=25, r_eff=3, n=1, q=0.7, theta=80, dx=-0.5, dy=0.4),
    labels_of(snr=1000, r_eff=3, n=3.5, q=0.7, theta=-85, dy=2),
]
FEW = ImportanceSampling(ess=60, max_samples=600, min_ess=20, n_kept=100)
KINDS = {"lm": LevenbergMarquardt(), "importance": FEW}
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


@pytest.fixture(scope="module")
def cutouts():
    return [make_cutout(image) for image in add_noise(render(TABLE, star()))]


@pytest.fixture(scope="module")
def results(net, cutouts):
    """Of each kind; not to be changed by a test."""
    return {kind: net.predict(cutouts, refine=refine) for kind, refine in KINDS.items()}


def truth():
    labels = split_labels(np.array(TABLE))
    return {
        "mag": 25 - 2.5 * (labels.log_flux + np.log10(NOISE)),
        "r_eff": 0.1 * 10**labels.log_r_eff,
        "n": labels.n,
        "q": axis_ratio(length(labels.e1, labels.e2)),
        "theta": np.degrees(angle(labels.e1, labels.e2)),
        "x_0": 63.5 + labels.dx,
        "y_0": 63.5 + labels.dy,
    }


def same(one, other, *, rows=slice(None), within=0.02):
    """Whether two results agree to this part of their errors."""
    for name in SEVEN:
        difference = np.abs(one.median(name)[rows] - other.median(name)[rows])
        if name == "theta":
            difference = np.minimum(difference, 180 - difference)
        assert (difference <= within * one.error(name)[rows]).all(), name


# --- what it returns --------------------------------------------------------------------------


@kinds
def test_pulls(results, kind):
    """28 numbers, each about normal: none is absurd, and together they are as large as they say."""
    found = results[kind]
    pulls = []
    for name, values in truth().items():
        error = found.median(name) - values
        if name == "theta":
            error = (error + 90) % 180 - 90
        pulls.append(error / found.error(name))
    assert np.abs(pulls).max() < 4
    assert 0.5 < np.mean(np.square(pulls)) < 2
    assert not found.flags.any()


def test_columns_of_the_fit(results):
    table = results["lm"].to_table()
    n_pixels, chi2 = np.asarray(table["n_pixels"]), np.asarray(table["chi2"])
    assert_allclose(chi2 / n_pixels, 1, atol=5 * np.sqrt(2 / n_pixels.min()))
    assert (np.asarray(table["n_iter"]) >= 2).all()
    assert table.colnames[-1] == "flags"


@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_the_sky_that_was_fitted_is_told(net, results, scale):
    """In the unit of the image, for each of its pixels, also where the galaxy was binned."""
    sky = 0.3 * NOISE
    large = labels_of(snr=2000, r_eff=40, n=1)
    images = [render([TABLE[0]], star())[0], render([large], star(), size=256)[0]]
    images = [scale * (add_noise(image) + sky) for image in images]
    found = net.predict([make_cutout(image, noise=scale * NOISE) for image in images], refine="lm")
    assert [bool(flag & int(Flags.BINNED)) for flag in found.flags] == [False, True]
    assert_allclose(found.columns["sky"] / scale, sky, atol=0.1 * NOISE)
    assert abs(results["lm"].columns["sky"]).max() < 0.1 * NOISE


def test_a_fit_that_leaves_much_is_flagged(net, cutouts, results):
    """Noise that is said to be three quarters of what it is makes chi2 1.8 a pixel."""
    bold = [copy.deepcopy(cutout) for cutout in cutouts]
    for cutout in bold:
        cutout.uncertainty = StdDevUncertainty(0.75 * cutout.uncertainty.array)
    for refine in KINDS.values():
        found = net.predict(bold, refine=refine)
        assert (found.flags & int(Flags.HIGH_CHI2)).all()
    assert not (results["lm"].flags & int(Flags.HIGH_CHI2)).any()


def test_columns_of_importance_sampling(results):
    table = results["importance"].to_table()
    assert (np.asarray(table["ess"]) >= 60).all()
    assert (table["ess"] < table["n_samples"]).all()
    assert (table["n_samples"] <= 600).all()
    assert np.isfinite(table["log_evidence"]).all()


def test_without_a_refinement_there_are_none(net, cutouts):
    plain = net.predict(cutouts[:1])
    assert plain.columns == {}
    assert {"chi2", "ess"}.isdisjoint(plain.to_table().colnames)


def test_names_are_short_for_the_defaults(net, cutouts, results):
    same(net.predict(cutouts, refine="lm"), results["lm"])


@pytest.mark.parametrize("refine", ["LM", "mcmc", 1, LevenbergMarquardt])
def test_unknown_refinements_are_refused(net, cutouts, refine):
    with pytest.raises(ValueError, match="must be None, 'lm', 'importance', or a Levenberg"):
        net.predict(cutouts, refine=refine)


def test_other_networks_cannot_be_refined(cutouts):
    with pytest.raises(ValueError, match="refine='lm' needs the posterior network"):
        SersicNet.from_pretrained("deeplegato").predict(cutouts, refine="lm")


@pytest.mark.parametrize("name", ["ess", "max_samples", "min_ess", "n_kept"])
@pytest.mark.parametrize("value", [0, -3, np.inf, np.nan, "10", True])
def test_numbers_that_make_no_sense_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"{name}=.* must be a positive.* (integer|number)"):
        ImportanceSampling(**{name: value})


@pytest.mark.parametrize(
    ("kind", "name"),
    [(LevenbergMarquardt, "prior"), (LevenbergMarquardt, "sky"), (ImportanceSampling, "sky")],
)
def test_what_is_neither_true_nor_false_is_refused(kind, name):
    for value in ("no", 0, None):
        with pytest.raises(ValueError, match=rf"{name}={value!r} must be True or False"):
            kind(**{name: value})
    assert not getattr(kind(**{name: np.False_}), name)


@pytest.mark.parametrize("options", [{"max_samples": 99}, {"ess": 50}, {"ess": 99.5}])
def test_what_would_flag_every_galaxy_is_refused(options):
    with pytest.raises(ValueError, match=r"(ess|max_samples)=.* must not be below min_ess=100"):
        ImportanceSampling(**options)
    ImportanceSampling(**options, min_ess=50)


@kinds
def test_samples_are_those_of_the_table(results, kind):
    samples = results[kind].samples(2000, seed=3)
    for name in set(SEVEN) - {"theta"}:
        error = results[kind].error(name)
        assert_allclose(
            np.median(samples[name], axis=1), results[kind].median(name), atol=0.4 * error.max()
        )
        spread = np.diff(np.quantile(samples[name], [0.16, 0.84], axis=1), axis=0)[0] / 2
        assert_allclose(spread / error, 1, atol=0.35)


@kinds
def test_a_seed_repeats_and_copies_are_the_same(results, kind):
    found = results[kind]
    for other in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        one, two = found.samples(5, seed=2), other.samples(5, seed=2)
        assert all(np.array_equal(one[name], two[name]) for name in SEVEN)
        assert_array_equal(other.columns["chi2"], found.columns["chi2"])


def test_draws_are_taken_evenly(results):
    """Twice as many as were kept: each comes twice."""
    for values in results["importance"].posterior.draw([0], 200, 1)["log_flux"]:
        assert set(np.unique(values, return_counts=True)[1]) <= {2, 4, 6, 8, 10, 12}


def test_each_galaxy_has_draws_of_its_own(net, cutouts, monkeypatch):
    """They depend on its pixels and on the seed, and on nothing else that is measured."""
    seeds = []

    def keep_seed(target, proposals, *, generator, **options):
        seeds.append(generator.initial_seed())
        return sample(target, proposals, generator=generator, **options)

    monkeypatch.setattr("sersicnet.inference.refine.sample", keep_seed)
    options = {"refine": ImportanceSampling(max_samples=40, min_ess=10)}
    net.predict(cutouts, **options)
    assert len(set(seeds)) == len(cutouts)
    together = set(seeds)
    for changes, same in (({}, True), ({"seed": 1}, False)):
        net.predict(cutouts[1], **options, **changes)
        assert (seeds[-1] in together) == same


# --- how good it is ---------------------------------------------------------------------------


def test_the_optimum_is_one(net, cutouts):
    """No step away from the fit along any parameter makes chi2 smaller."""
    found = net.predict(cutouts, refine=LevenbergMarquardt(prior=False))
    stamps = prepare(cutouts)
    psfs = collect_psfs([cutout.psf for cutout in cutouts])
    labels = torch.from_numpy(median_labels(found.quantiles, stamps, psfs))
    transform = psf_transform(torch.from_numpy(star()), 128)
    data, weight = (torch.tensor(part).double() for part in (stamps.data, stamps.weight))
    likelihood = StampLikelihood(data, weight, transform)
    _, _, curvature = likelihood.normal_equations(labels)
    best, width = likelihood.chi2(labels), torch.diagonal(curvature, dim1=1, dim2=2).rsqrt()
    for column in range(N_LABELS):
        for sign in (-1, 1):
            moved = labels.clone()
            moved[:, column] += sign * width[:, column]
            assert (likelihood.chi2(moved) > best + 0.5).all()


def test_oversampled_psf(net):
    psf = star(1.6, (83, 83), oversampling=2)
    image = add_noise(render([labels_of(snr=300)], psf, oversampling=2))[0]
    found = net.predict([make_cutout(image, psf=None)], psf=psf, psf_oversampling=2, refine="lm")
    for name in ("r_eff", "n", "q", "theta", "x_0", "y_0"):  # truth is of another S/N
        assert abs(found.median(name)[0] - truth()[name][0]) < 4 * found.error(name)[0]


@kinds
def test_a_stamps_own_light_and_place(net, cutouts, results, kind):
    """The PSF's normalization moves the magnitude alone, and its place the center."""
    kept = net.predict(cutouts, psf=0.9 * star(), normalize_psf=False, refine=KINDS[kind])
    change = kept.median("mag") - results[kind].median("mag")
    assert_allclose(change, 2.5 * np.log10(0.9), atol=1e-5)
    moved = net.predict(cutouts, psf=np.pad(star(), ((8, 0), (0, 8))), refine=KINDS[kind])
    for name, expected in {"x_0": 4, "y_0": -4, "mag": 0, "n": 0}.items():
        change = moved.median(name) - results[kind].median(name)
        assert (np.abs(change - expected) < 0.3 * results[kind].error(name)).all(), name
    drawn = moved.samples(200)["x_0"].mean(axis=1) - results[kind].samples(200)["x_0"].mean(axis=1)
    assert_allclose(drawn, 4, atol=0.1)


def test_zero_point_and_scale_are_exact(net, cutouts, results):
    stack = np.stack([cutout.data for cutout in cutouts])
    options = {"psf": star(), "zeropoint": 27.5, "pixel_scale": 0.3, "refine": "lm"}
    cutout = make_cutout(stack[0])
    found = net.predict([cutout], **options)
    assert_allclose(found.median("mag")[0], results["lm"].median("mag")[0] + 2.5, atol=1e-4)
    assert_allclose(found.median("r_eff")[0], 3 * results["lm"].median("r_eff")[0], rtol=1e-4)


def test_a_sky_does_not_matter(net, cutouts, results):
    raised = [make_cutout(cutout.data + 0.1 * NOISE) for cutout in cutouts]
    bright = [0, 1, 3]  # what is seen of the faint one depends on where the network has its edge
    same(net.predict(raised, refine="lm"), results["lm"], rows=bright, within=0.1)
    fixed = net.predict(raised, refine=LevenbergMarquardt(sky=False))
    shift = fixed.median("mag") - results["lm"].median("mag")
    assert (shift < -0.5 * results["lm"].error("mag")).any()


@kinds
def test_a_large_galaxy_is_binned_and_refined(net, kind):
    label = labels_of(snr=200, r_eff=30, n=1, q=0.7)
    image = add_noise(render([label], star(), size=384))[0]
    found = net.predict([make_cutout(image)], refine=KINDS[kind])
    assert "BINNED" in decode_flags(int(found.flags[0]))
    assert abs(found.median("r_eff")[0] - 3.0) < 5 * found.error("r_eff")[0]
    assert abs(found.median("x_0")[0] - 191.5) < 5 * found.error("x_0")[0]


@kinds
def test_many_psfs(net, kind):
    """Each galaxy is fitted with its own PSF, in whatever order they come."""
    psfs = [star(fwhm) for fwhm in (3.0, 5.0, 2.6, 4.0)]
    images = [render([label], psf)[0] for label, psf in zip(TABLE, psfs, strict=True)]
    galaxies = [make_cutout(image, psf=None) for image in add_noise(images)]
    together = net.predict(galaxies[::-1], psf=psfs[::-1], refine=KINDS[kind])
    for row, (galaxy, psf) in enumerate(zip(galaxies, psfs, strict=True)):
        alone = net.predict([galaxy], psf=psf, refine=KINDS[kind])
        for name in SEVEN:
            difference = abs(together.median(name)[3 - row] - alone.median(name)[0])
            assert difference <= 0.05 * alone.error(name)[0], name
    for name, values in truth().items():
        error = together.median(name)[::-1] - values
        error = (error + 90) % 180 - 90 if name == "theta" else error
        assert (np.abs(error) < 4 * together.error(name)[::-1]).all(), name


# --- what spoils it ---------------------------------------------------------------------------


def corner():
    return np.roll(render([labels_of(snr=100)], star())[0], (55, 58), axis=(0, 1)) * NOISE


def spoiled():
    """Cutouts that no one would wish to fit."""
    galaxy = add_noise(render([labels_of(snr=100)], star()))[0]
    five = np.ones(galaxy.shape, bool)
    five.flat[[8256, 8257, 8384, 8385, 8513]] = False
    holes = np.full(galaxy.shape, NOISE)
    holes[::3] = 0
    noise = NOISE * np.random.default_rng(5).normal(size=galaxy.shape)
    two = render([labels_of(snr=100, dx=-2.9), labels_of(snr=100, dx=2.9)], star()).sum(axis=0)
    edge = [labels_of(snr=100, n=n) for n in (0.3, 6.2)]
    faint, bright = render([labels_of(snr=1), labels_of(snr=1e5)], star())
    return {
        "wrong PSF": make_cutout(galaxy, psf=star(8.0)),
        "a PSF of NaN": make_cutout(galaxy, psf=np.full((9, 9), np.nan)),
        "constant": make_cutout(np.full(galaxy.shape, 3.0)),
        "five pixels": make_cutout(galaxy, mask=five),
        "holes in the noise map": make_cutout(galaxy, uncertainty=StdDevUncertainty(holes)),
        "in the corner": make_cutout(corner() + noise),
        "n at its bounds": make_cutout(NOISE * render(edge, star())[0] + noise),
        "n at its other bound": make_cutout(NOISE * render(edge, star())[1] + noise),
        "two of them": make_cutout(NOISE * two + noise),
        "S/N of 1": make_cutout(NOISE * faint + noise),
        "S/N of 1e5": make_cutout(NOISE * bright + noise),
        "tiny numbers": make_cutout(1e-20 * galaxy, noise=1e-20 * NOISE),
        "huge numbers": make_cutout(1e20 * galaxy, noise=1e20 * NOISE),
        "NaN": make_cutout(np.full(galaxy.shape, np.nan)),
    }


@pytest.fixture(scope="module")
def spoiled_results(net, cutouts):
    """Good galaxies with all spoiled ones between them."""
    bad = spoiled()
    mixed = [*cutouts[:2], *bad.values(), *cutouts[2:]]
    return {kind: net.predict(mixed, refine=refine) for kind, refine in KINDS.items()}, list(bad)


@kinds
def test_good_galaxies_do_not_care(results, spoiled_results, kind):
    found, names = spoiled_results
    rows = [0, 1, len(names) + 2, len(names) + 3]
    for name in SEVEN:
        difference = np.abs(found[kind].median(name)[rows] - results[kind].median(name))
        assert (difference <= 0.05 * results[kind].error(name)).all(), name


# Of the refinement, or flags that any answer would have.
TOLD = {
    "wrong PSF": {"MISFIT"},
    "a PSF of NaN": {"BAD_PSF"},
    "constant": {"NOT_REFINED"},
    "five pixels": {"NOT_REFINED"},
    "in the corner": {"OFF_CENTER"},
    "two of them": {"MISFIT"},
    "S/N of 1": {"LOW_SNR"},
    "S/N of 1e5": {"OUT_OF_RANGE"},
    "NaN": {"NO_DATA"},
}
# of the best fit, which importance sampling does not need
FITS = ("chi2", "sky")
REFINED = Flags.NOT_REFINED | Flags.AT_BOUND | Flags.LOW_ESS


@kinds
def test_nothing_wrong_goes_unsaid(spoiled_results, kind):
    """What cannot be right is flagged, and so is each number that is missing."""
    found, names = spoiled_results
    table = found[kind].to_table()[2:-2]
    flags = dict(zip(names, decode_flags(np.asarray(table["flags"])), strict=True))
    for name, told in TOLD.items():
        assert told & set(flags[name]), (name, flags[name])
    for row, name in zip(table, names, strict=True):
        columns = [key for key in table.colnames if key not in FITS]
        numbers = [getattr(row[key], "value", row[key]) for key in columns]
        if not np.isfinite(numbers).all() and name not in ("a PSF of NaN", "NaN"):
            assert int(row["flags"]) & int(REFINED), name


def test_outside_of_the_prior_there_are_no_samples(spoiled_results):
    """The network's answer is kept, and nobody is told of many effective samples."""
    found, names = spoiled_results
    row = 2 + names.index("S/N of 1e5")
    assert found["importance"].columns["ess"][row] < 10
    assert found["importance"].flags[row] & int(Flags.NOT_REFINED | Flags.LOW_ESS)


@kinds
def test_numbers_of_any_size(spoiled_results, kind):
    found, names = spoiled_results
    rows = [2 + names.index("tiny numbers"), 2 + names.index("huge numbers")]
    tiny, huge = found[kind].median("mag")[rows]
    assert_allclose(tiny - huge, 100, atol=1e-3)
    for name in ("r_eff", "n", "q"):
        assert_allclose(*found[kind].median(name)[rows], rtol=1e-3)


def test_a_bound_is_told_and_has_no_error(net):
    """Maximum likelihood puts the index of some galaxies at its limit."""
    table = [labels_of(snr=40, r_eff=4, n=6.2 if i % 2 else 0.3) for i in range(12)]
    galaxies = [make_cutout(image) for image in add_noise(render(table, star()))]
    found = net.predict(galaxies, refine=LevenbergMarquardt(prior=False))
    told = (found.flags & int(Flags.AT_BOUND)) != 0
    assert 2 < told.sum() < 12
    assert_array_equal(told, np.isnan([found.error(name) for name in SEVEN]).any(axis=0))
    at_limit = np.minimum(np.abs(found.median("n") - 0.3), np.abs(found.median("n") - 6.2)) < 0.01
    assert np.isnan(found.error("n")[at_limit]).all()
    assert np.isfinite([found.median(name) for name in SEVEN]).all()
    assert not ((found.flags & int(Flags.NOT_REFINED)) != 0)[told].any()


def test_a_fit_that_fails_keeps_the_networks_answer(net, cutouts, monkeypatch):
    monkeypatch.setattr("sersicnet.inference.levenberg_marquardt.MAX_ITERATIONS", 1)
    plain, found = net.predict(cutouts), net.predict(cutouts, refine="lm")
    lost = (found.flags & int(Flags.NOT_REFINED)) != 0
    assert lost.any()
    for name in SEVEN:
        assert_array_equal(found.median(name)[lost], plain.median(name)[lost])
    drawn, own = (part.samples(4)["n"][lost] for part in (found, plain))
    assert_allclose(drawn, own, rtol=1e-6)
    assert np.isnan(found.columns["chi2"][lost]).all()


def test_too_few_effective_samples_are_told(net, cutouts):
    found = net.predict(cutouts, refine=ImportanceSampling(max_samples=40, min_ess=40))
    assert (found.flags & int(Flags.LOW_ESS)).all()
    assert (found.columns["n_samples"] <= 40).all()


def test_results_of_many_batches(net, cutouts, results, monkeypatch):
    monkeypatch.setattr("sersicnet.preprocessing.batches.SIZE", 3)
    for kind, refine in KINDS.items():
        found = net.predict(cutouts, refine=refine)
        same(found, results[kind], within=0.05)
        assert len(found.columns["chi2"]) == len(cutouts)
        assert found.samples(3)["n"].shape == (4, 3)
        assert len(vstack([found.to_table(), found.to_table()])) == 8
