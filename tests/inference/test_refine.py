"""``SersicNet.predict(refine=...)``: what it returns, how good it is, and what spoils it."""

import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty
from astropy.table import vstack
from helpers.refined import KINDS, SEVEN, TABLE, kinds
from helpers.rendered import NOISE, add_noise, labels_of, make_cutout, render, star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import SersicNet
from sersicnet.diagnostics.fluxes import magnitudes_of
from sersicnet.flags import Flags, decode_flags
from sersicnet.inference.importance import sample
from sersicnet.inference.refine import ImportanceSampling, LevenbergMarquardt
from sersicnet.model.labels import angle, axis_ratio, length, split_labels


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
    """Whether two measurements agree to this part of their errors."""
    for name in SEVEN:
        difference = np.abs(one.median(name)[rows] - other.median(name)[rows])
        if name == "theta":
            difference = np.minimum(difference, 180 - difference)
        assert (difference <= within * one.error(name)[rows]).all(), name


# --- what it returns --------------------------------------------------------------------------


@kinds
def test_pulls(refined, kind):
    """28 numbers, each about normal: none is absurd, and together they are as large as they say."""
    found = refined[kind]
    pulls = []
    for name, values in truth().items():
        error = found.median(name) - values
        if name == "theta":
            error = (error + 90) % 180 - 90
        pulls.append(error / found.error(name))
    assert np.abs(pulls).max() < 4
    assert 0.5 < np.mean(np.square(pulls)) < 2
    assert not found.flags.any()


def test_columns_of_importance_sampling(refined):
    table = refined["importance"].to_table()
    assert (np.asarray(table["ess"]) >= 60).all()
    assert (table["ess"] < table["n_samples"]).all()
    assert (table["n_samples"] <= 600).all()
    assert np.isfinite(table["log_evidence"]).all()


def test_without_a_refinement_there_are_none(net, four):
    plain = net.predict(four[:1])
    assert list(plain.columns) == ["chi2", "n_pixels", "flux", "flux_err"]
    assert {"sky", "ess"}.isdisjoint(plain.to_table().colnames)


def test_names_are_short_for_the_defaults(net, four, refined):
    same(net.predict(four, refine="lm"), refined["lm"])


@pytest.mark.parametrize("refine", ["LM", "mcmc", 1, LevenbergMarquardt])
def test_unknown_refinements_are_refused(net, four, refine):
    with pytest.raises(ValueError, match="must be None, 'lm', 'importance', or a Levenberg"):
        net.predict(four, refine=refine)


def test_other_networks_cannot_be_refined(four):
    with pytest.raises(ValueError, match="refine='lm' needs the posterior network"):
        SersicNet.from_pretrained("deeplegato").predict(four, refine="lm")


@pytest.mark.parametrize("name", ["ess", "max_samples", "min_ess", "n_kept"])
@pytest.mark.parametrize("value", [0, -3, np.inf, np.nan, "10", True])
def test_numbers_that_make_no_sense_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"{name}=.* must be a positive.* (integer|number)"):
        ImportanceSampling(**{name: value})


def test_what_is_neither_true_nor_false_is_refused():
    for value in ("no", 0, None):
        with pytest.raises(ValueError, match=rf"prior={value!r} must be True or False"):
            LevenbergMarquardt(prior=value)
    assert not LevenbergMarquardt(prior=np.False_).prior


@pytest.mark.parametrize("options", [{"max_samples": 99}, {"ess": 50}, {"ess": 99.5}])
def test_what_would_flag_every_galaxy_is_refused(options):
    with pytest.raises(ValueError, match=r"(ess|max_samples)=.* must not be below min_ess=100"):
        ImportanceSampling(**options)
    ImportanceSampling(**options, min_ess=50)


def test_each_galaxy_has_draws_of_its_own(net, four, monkeypatch):
    """They depend on its pixels and on the seed, and on nothing else that is measured."""
    seeds = []

    def keep_seed(target, proposals, *, generator, **options):
        seeds.append(generator.initial_seed())
        return sample(target, proposals, generator=generator, **options)

    monkeypatch.setattr("sersicnet.inference.refine.sample", keep_seed)
    options = {"refine": ImportanceSampling(max_samples=40, min_ess=10)}
    net.predict(four, **options)
    assert len(set(seeds)) == len(four)
    together = set(seeds)
    for changes, same in (({}, True), ({"seed": 1}, False)):
        net.predict(four[1], **options, **changes)
        assert (seeds[-1] in together) == same


# --- how good it is ---------------------------------------------------------------------------


def test_oversampled_psf(net):
    psf = star(1.6, (83, 83), oversampling=2)
    image = add_noise(render([labels_of(snr=300)], psf, oversampling=2))[0]
    found = net.predict([make_cutout(image, psf=None)], psf=psf, psf_oversampling=2, refine="lm")
    for name in ("r_eff", "n", "q", "theta", "x_0", "y_0"):  # truth is of another S/N
        assert abs(found.median(name)[0] - truth()[name][0]) < 4 * found.error(name)[0]


@kinds
def test_a_stamps_own_light_and_place(net, four, refined, kind):
    """The PSF's normalization moves the magnitude alone, and its place the center."""
    kept = net.predict(four, psf=0.9 * star(), normalize_psf=False, refine=KINDS[kind])
    change = kept.median("mag") - refined[kind].median("mag")
    assert_allclose(change, 2.5 * np.log10(0.9), atol=1e-5)
    moved = net.predict(
        four, psf=np.pad(star(), ((8, 0), (0, 8))), recenter_psf=False, refine=KINDS[kind]
    )
    for name, expected in {"x_0": 4, "y_0": -4, "mag": 0, "n": 0}.items():
        change = moved.median(name) - refined[kind].median(name)
        assert (np.abs(change - expected) < 0.3 * refined[kind].error(name)).all(), name
    drawn = moved.samples(200)["x_0"].mean(axis=1) - refined[kind].samples(200)["x_0"].mean(axis=1)
    assert_allclose(drawn, 4, atol=0.1)


def test_zero_point_and_scale_are_exact(net, four, refined):
    stack = np.stack([cutout.data for cutout in four])
    options = {"psf": star(), "zeropoint": 27.5, "pixel_scale": 0.3, "refine": "lm"}
    cutout = make_cutout(stack[0])
    found = net.predict([cutout], **options)
    assert_allclose(found.median("mag")[0], refined["lm"].median("mag")[0] + 2.5, atol=1e-4)
    assert_allclose(found.median("r_eff")[0], 3 * refined["lm"].median("r_eff")[0], rtol=1e-4)


def test_a_sky_does_not_matter(net, four, refined):
    raised = [make_cutout(cutout.data + 0.1 * NOISE) for cutout in four]
    bright = [0, 1, 3]  # what is seen of the faint one depends on where the network has its edge
    free, fixed = ({"refine": "lm", "sky": sky} for sky in ("free", "fixed"))
    found = net.predict(four, **free)
    same(net.predict(raised, **free), found, rows=bright, within=0.1)
    shift = net.predict(raised, **fixed).median("mag") - found.median("mag")
    assert (shift < -0.5 * found.error("mag")).any()


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
def spoiled_results(net, four):
    """Good galaxies with all spoiled ones between them."""
    bad = spoiled()
    mixed = [*four[:2], *bad.values(), *four[2:]]
    return {kind: net.predict(mixed, refine=refine) for kind, refine in KINDS.items()}, list(bad)


@kinds
def test_good_galaxies_do_not_care(refined, spoiled_results, kind):
    found, names = spoiled_results
    rows = [0, 1, len(names) + 2, len(names) + 3]
    for name in SEVEN:
        difference = np.abs(found[kind].median(name)[rows] - refined[kind].median(name))
        assert (difference <= 0.05 * refined[kind].error(name)).all(), name


# Of the refinement, or flags that any answer would have.
TOLD = {
    "wrong PSF": {"MISFIT", "UNRESOLVED"},  # far wider than the galaxy
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
FITS = ("sky",)
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
        if int(row["flags"]) & int(Flags.LOW_SNR):  # what is not detected has no magnitude
            columns = [key for key in columns if key not in magnitudes_of(columns)]
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


def test_a_fit_that_fails_keeps_the_networks_answer(net, four, monkeypatch):
    monkeypatch.setattr("sersicnet.inference.levenberg_marquardt.MAX_ITERATIONS", 1)
    plain, found = net.predict(four), net.predict(four, refine="lm")
    lost = (found.flags & int(Flags.NOT_REFINED)) != 0
    assert lost.any()
    for name in SEVEN:
        assert_array_equal(found.median(name)[lost], plain.median(name)[lost])
    drawn, own = (part.samples(4)["n"][lost] for part in (found, plain))
    assert_allclose(drawn, own, rtol=1e-6)
    for name in ("chi2", "n_pixels"):
        assert_allclose(found.columns[name][lost], plain.columns[name][lost], rtol=1e-3)


def test_too_few_effective_samples_are_told(net, four):
    found = net.predict(four, refine=ImportanceSampling(max_samples=40, min_ess=40))
    assert (found.flags & int(Flags.LOW_ESS)).all()
    assert (found.columns["n_samples"] <= 40).all()


def test_results_of_many_batches(net, four, refined, monkeypatch):
    monkeypatch.setattr("sersicnet.preprocessing.batches.SIZE", 3)
    for kind, refine in KINDS.items():
        found = net.predict(four, refine=refine)
        same(found, refined[kind], within=0.05)
        assert len(found.columns["chi2"]) == len(four)
        assert found.samples(3)["n"].shape == (4, 3)
        assert len(vstack([found.to_table(), found.to_table()])) == 8
