"""Models that are compared by their evidence."""

from dataclasses import replace
from types import SimpleNamespace
from warnings import catch_warnings, simplefilter

import numpy as np
import pytest
import torch
from astropy.utils.exceptions import AstropyUserWarning
from helpers.rendered import NOISE, draw_parts, labels_of, make_cutout, star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Model
from sersicnet.flags import Flags
from sersicnet.inference import ImportanceSampling, LevenbergMarquardt, choose, refine, sample
from sersicnet.inference.fits import fit_batch
from sersicnet.model.choice import AUTO
from sersicnet.preprocessing.batches import open_cutouts

BULGE = labels_of(log_flux=3.2, r_eff=1, n=3, q=0.8, theta=30, dx=0.3, dy=-0.2)
DISK = labels_of(log_flux=3.8, r_eff=3.5, n=1, q=0.5, theta=50, dx=0.3, dy=-0.2)
TRUTH = ["sersic", "point", "sersic+exp", "point+exp"]
SOME = ("point", "point+exp")


@pytest.fixture(scope="module")
def galaxies():
    """One of each model, in the order of `TRUTH`."""
    single = labels_of(log_flux=3.3, r_eff=2.5, n=2.5, q=0.6, theta=20, dx=0.3, dy=-0.2)
    return [
        draw_parts(single, ("sersic",), size=32),
        draw_parts([3.6, 0.4, 0.5], ("point",), size=32, seed=2),
        draw_parts(BULGE + DISK, ("sersic", "sersic"), size=32, seed=3),
        draw_parts([3.4, 0.3, -0.2, *DISK], ("point", "sersic"), size=32, seed=4),
    ]


@pytest.fixture(scope="module")
def chosen(net, galaxies):
    """Results of fits; not to be changed by a test."""
    return net.predict(galaxies, model="auto")


@pytest.fixture(scope="module")
def sampled(net, galaxies):
    """The star, by importance sampling; not to be changed by a test."""
    few = ImportanceSampling(ess=150, min_ess=60, max_samples=1500)
    return net.predict(galaxies[1:2], model=Model.auto(SOME), refine=few)


def test_the_true_model_is_likely(chosen):
    table = chosen.to_table()
    names = [f"prob_{name.replace('+', '_')}" for name in AUTO]
    probability = np.stack([table[name] for name in names], axis=1)
    assert_allclose(probability.sum(axis=1), 1)
    for row, name in enumerate(TRUTH):
        assert probability[row, AUTO.index(name)] > 0.2
    assert table["model"][1] == "point"
    assert table["model"][2] == "sersic+exp"
    assert table["prob_star"][1] > 0.9
    assert table["prob_star"][0] < 1e-6
    assert table.meta["MODEL"] == "auto: sersic, point, sersic+exp, point+exp"
    assert table.meta["EVIDENCE"] == "Laplace"
    assert not (table["flags"] & int(Flags.LOW_ESS | Flags.NOT_REFINED)).any()


def test_both_evidences_agree(chosen, sampled):
    """That of a star is of three parameters, well measured; that of others is nearly right."""
    assert sampled.meta["EVIDENCE"] == "importance sampling"
    assert not sampled.flags[0] & int(Flags.LOW_ESS)
    apart = {
        name: sampled.columns[name][0] - chosen.columns[name][1]
        for name in ("log_evidence_point", "log_evidence_point_exp")
    }
    assert abs(apart["log_evidence_point"]) < 0.3
    assert abs(apart["log_evidence_point_exp"]) < 2
    assert sampled.columns["prob_point"][0] > 0.7


def test_columns_follow_from_the_call(chosen, net, galaxies):
    """Also where no row has the model that they are of."""
    one = net.predict(galaxies[1:2], model=Model.auto(("point", "point+exp")))
    assert {"mag_disk", "point_to_total", "prob_point_exp"} <= set(one.columns)
    assert set(one.columns) < set(chosen.columns)
    assert np.isnan(one.columns["mag_disk"][0])
    assert np.isnan(chosen.columns["mag_bulge"][1])
    assert np.isfinite(chosen.columns["mag_bulge"][2])
    assert np.isnan(chosen.columns["bulge_to_total"][1])
    assert np.isfinite(chosen.columns["mag_point"][3])
    table = chosen.to_table()
    for column in table.colnames:
        assert table[column].info.description, column


def test_base_columns_are_of_all_models(chosen):
    total = 10**3.2 + 10**3.8
    truth = 25 - 2.5 * (np.log10([10**3.3, 10**3.6, total, 10**3.4 + 10**3.8]) + np.log10(NOISE))
    assert (np.abs(chosen.median("mag") - truth) < 4 * chosen.error("mag")).all()
    likely = chosen.columns["prob_sersic"] > 0.5
    assert_array_equal(np.isfinite(chosen.median("n")), likely)
    assert np.isnan(chosen.median("r_eff")[1])
    assert np.isfinite(chosen.median("r_eff")[[0, 2, 3]]).all()


def test_draws_name_their_model(chosen):
    draws = chosen.samples(400, seed=3)
    assert draws["model"].shape == (4, 400)
    for name in AUTO:
        share = (draws["model"] == name).mean(axis=1)
        expected = chosen.columns[f"prob_{name.replace('+', '_')}"]
        assert_allclose(share, expected, atol=0.12)
    assert_array_equal(np.isfinite(draws["n"]), draws["model"] == "sersic")
    assert_array_equal(np.isfinite(draws["mag_bulge"]), draws["model"] == "sersic+exp")
    own = chosen.samples(50, model="point+exp")
    assert (own["model"] == "point+exp").all()
    assert np.isfinite(own["mag_point"]).all()
    assert_allclose(chosen[2:3].samples(5)["mag"], chosen.samples(5)["mag"][2:3])
    with pytest.raises(ValueError, match="model='disk': there are sersic, point"):
        chosen.samples(3, model="disk")


def test_samples_of_one_model_take_no_name(net, galaxies):
    found = net.predict(galaxies[:1])
    with pytest.raises(ValueError, match="model='point': there is one model"):
        found.samples(3, model="point")


def test_pictures_are_of_the_best_model(chosen, galaxies):
    for row in range(4):
        residual = chosen.residual(row, galaxies[row])
        assert_allclose(residual.std() / NOISE, 1, atol=0.1)
    disk = chosen.model_image(2, galaxies[2], component="disk", sky=False)
    assert 0 < disk.sum() < 1.2 * NOISE * 10**3.8
    with pytest.raises(ValueError, match="not one Sersic profile"):
        chosen.values(2)
    assert chosen.to_model(2, component="disk").n == 1
    with pytest.raises(ValueError, match="component='disk': there are the parts point"):
        chosen.to_model(1, component="disk")


def test_models_and_profiles_are_of_the_best_model(chosen, galaxies):
    assert [part.name for part in chosen.to_model(2)] == ["bulge", "disk"]
    assert chosen.to_model(1).name == "point"
    pytest.importorskip("matplotlib")
    from sersicnet.plotting import plot_profile

    shown = [line.get_label() for line in plot_profile(galaxies[2], chosen, index=2)[0].lines]
    assert {"bulge", "disk", "model"} <= set(shown)
    assert "point" not in shown


def test_parts_have_no_sky_unless_it_is_asked_for(chosen, galaxies):
    row = chosen[2]
    parts = [row.model_image(0, galaxies[2], component=name) for name in ("bulge", "disk")]
    whole = row.model_image(0, galaxies[2], sky=False)
    assert_allclose(sum(parts), whole, rtol=1e-4, atol=1e-4 * whole.max())
    with_sky = row.model_image(0, galaxies[2], component="disk", sky=True)
    assert_allclose(with_sky - parts[1], row.to_table()["sky"][0], rtol=1e-3, atol=1e-6)


def test_too_few_draws_give_no_probability(net, galaxies):
    few = ImportanceSampling(ess=256, max_samples=256, min_ess=256)
    found = net.predict(galaxies[1:2], model=Model.auto(("sersic", "point")), refine=few)
    assert found.flags[0] & int(Flags.LOW_ESS)
    for name in ("prob_sersic", "prob_point", "prob_star"):
        assert np.isnan(found.columns[name][0])
    assert found.columns["model"][0] == ""
    assert np.isfinite(found.median("mag")[0])


def test_few_draws_are_enough_where_a_model_is_far_better(net, galaxies):
    """The first one is a large galaxy: no error of an evidence makes it a star."""
    few = ImportanceSampling(ess=256, max_samples=256, min_ess=256)
    found = net.predict(galaxies[:1], model=Model.auto(("point", "sersic")), refine=few)
    assert found.columns["model"][0] == "sersic"
    assert found.columns["prob_sersic"][0] > 0.99
    assert found.flags[0] & int(Flags.LOW_ESS)  # of the draws that the row shows


def test_a_model_alone_is_fitted_as_among_others(chosen, net, galaxies):
    """Both start from the fit of one Sersic profile; their stamps may differ."""
    alone = net.predict(galaxies[2:3], model="sersic+exp")
    for name in ("mag_bulge", "mag_disk", "r_eff_bulge", "r_eff_disk"):
        apart = alone.columns[name][0] - chosen.columns[name][2]
        assert abs(apart) < 0.5 * alone.columns[f"{name}_err"][0]


def test_the_evidence_of_two_parts_is_that_of_quadrature(net, monkeypatch):
    """A faint galaxy of known shape, of which light and share are free."""
    faint = labels_of(log_flux=1.9, r_eff=1, n=3, q=0.8, theta=30, dx=0.3, dy=-0.2)
    disk = labels_of(log_flux=2.0, r_eff=3.5, n=1, q=0.5, theta=50, dx=0.3, dy=-0.2)
    cutout = draw_parts(faint + disk, ("sersic", "sersic"), size=32, seed=5)
    known = {"r_eff_bulge": 0.1, "n_bulge": 3, "q_bulge": 0.8, "theta_bulge": 30}
    known |= {"r_eff_disk": 0.35, "q_disk": 0.5, "theta_disk": 50, "x_0": 15.8, "y_0": 15.3}
    targets = []

    def keep(target, proposals, **options):
        targets.append(target)
        return sample(target, proposals, **options)

    monkeypatch.setattr(refine, "sample", keep)
    found = net.predict(cutout, model=Model("sersic+exp", fixed=known), refine="importance")
    best = np.log10(10**1.9 + 10**2.0)
    flux = torch.linspace(best - 0.3, best + 0.3, 41, dtype=torch.float64)
    share = torch.linspace(-12, 12, 41, dtype=torch.float64)
    points = torch.cartesian_prod(flux, share)
    assert targets[0].scene.layout.free == ("log_flux", "share")
    step = (flux[1] - flux[0]) * (share[1] - share[0])
    expected = torch.logsumexp(targets[0](points), dim=0) + torch.log(step)
    assert_allclose(found.columns["log_evidence"][0], expected, atol=0.25)


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_a_likely_model_without_a_fit_has_a_flag(share, chosen, net, galaxies, monkeypatch):
    """Columns of all models are those of the other ones."""

    def fit(*args, **options):
        found = fit_batch(*args, **options)
        if found.scene.layout.profiles == ("sersic",):
            found = replace(found, fit=replace(found.fit, converged=np.zeros(1, dtype=bool)))
        return found

    monkeypatch.setattr(choose, "fit_batch", fit)
    apart = chosen.columns["log_evidence_point"][1] - chosen.columns["log_evidence_sersic"][1]
    odds = {"sersic": np.exp(apart) * share / (1 - share)}
    with catch_warnings():
        simplefilter("ignore", AstropyUserWarning)  # where the flag is
        found = net.predict(galaxies[1:2], model=Model.auto(("sersic", "point"), odds=odds))
    assert_allclose(found.columns["prob_sersic"][0], share, rtol=0.3)
    assert found.columns["model"][0] == "point"
    assert bool(found.flags[0] & int(Flags.NOT_REFINED)) == (share > 0.1)


def test_odds_weigh_the_models(net, galaxies):
    rare = Model.auto(("sersic", "point"), odds={"point": 1e-3})
    found = net.predict(galaxies[1:2], model=rare)
    apart = found.columns["log_evidence_point"] - found.columns["log_evidence_sersic"]
    ratio = found.columns["prob_point"] / found.columns["prob_sersic"]
    assert_allclose(ratio, 1e-3 * np.exp(apart))


def test_a_bad_cutout_is_one_row(net, galaxies):
    bad = make_cutout(np.full((64, 64), np.nan))
    found = net.predict([galaxies[1], bad], model=Model.auto(("sersic", "point")))
    assert found.flags[1] & int(Flags.NO_DATA)
    assert np.isnan(found.columns["prob_point"][1])
    assert np.isnan(found.samples(3)["mag"][1]).all()
    assert found.columns["prob_point"][0] > 0.5


def test_what_cannot_be_compared(net, galaxies):
    for sky in ("free", "plane"):
        with pytest.raises(ValueError, match=f"sky='{sky}' has no prior: model='auto' needs"):
            net.predict(galaxies[:1], model="auto", sky=sky)
    with pytest.raises(ValueError, match="has no prior: an evidence"):
        net.predict(galaxies[:1], model="auto", refine=LevenbergMarquardt(prior=False))


def test_galaxies_without_a_fit_are_judged_by_the_answer_of_the_network(galaxies):
    opened = open_cutouts(galaxies[:1], stamp_size=32, psf=star(), psf_options={})
    (batch,) = opened
    values = np.array([25.0, 0.3, 1.0, 0.8, 0.0, 15.5, 15.5])
    quantiles = np.repeat(values[:, None, None], 3, axis=1)
    lost = SimpleNamespace(
        parts=(("galaxy", "sersic"),), best_labels=lambda: np.full((1, 7), np.nan)
    )
    images = batch.stamps, batch
    judged, shown = choose.judge_models(lost, quantiles, *images, device="cpu")
    alone, _ = choose.judge_models(SimpleNamespace(parts=None), quantiles, *images, device="cpu")
    assert np.isfinite(judged.chi2).all()
    assert_array_equal(judged.chi2, alone.chi2)
    assert_array_equal(judged.amplitude, alone.amplitude)
    assert_array_equal(shown, quantiles)
