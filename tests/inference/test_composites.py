"""Galaxies of several parts: starts, fits, tables and pictures."""

import astropy.units as u
import numpy as np
import pytest
import torch
from helpers.populations import frame_of
from helpers.rendered import NOISE, draw_parts, labels_of, make_cutout
from helpers.sky import OBLONG, make_oblong
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Model, Population, Sersic, SersicNet
from sersicnet.flags import Flags
from sersicnet.inference import fit_stamps
from sersicnet.inference.composites import LAYOUTS, Composite
from sersicnet.model import collect_psfs, psf_transform
from sersicnet.model.labels import part_slices
from sersicnet.model.parts import scene_images

BULGE = labels_of(log_flux=3.6, r_eff=2, n=3, q=0.8, theta=30, dx=0.3, dy=-0.2)
DISK = labels_of(log_flux=4.0, r_eff=9, n=1, q=0.5, theta=50, dx=0.3, dy=-0.2)
NUCLEUS = [3.5, 0.3, -0.2]
NAMES = list(LAYOUTS)


@pytest.fixture(scope="module")
def galaxies():
    """A bulge and a disk, a nucleus and a disk, and a star."""
    return [
        draw_parts(BULGE + DISK, ("sersic", "sersic"), size=128),
        draw_parts(NUCLEUS + DISK, ("point", "sersic"), size=128, seed=2),
        draw_parts([4.0, 0.4, 0.5], ("point",), size=128, seed=3),
    ]


@pytest.fixture(scope="module")
def measured(net, galaxies):
    """Results of each model; not to be changed by a test."""
    some = dict.fromkeys(NAMES, galaxies[:2]) | {"point": galaxies}
    return {name: net.predict(some[name], model=name) for name in NAMES}


def magnitude(log_flux):
    return 25 - 2.5 * (log_flux + np.log10(NOISE))


def pull(results, row, name, truth):
    error = results.columns[f"{name}_err"][row]
    return abs(results.columns[name][row] - truth) / error


def test_starts_do_not_depend_on_other_galaxies():
    """The part of the larger index starts as the bulge, galaxy by galaxy."""
    first = np.array([4.0, 1.0, 1.0])
    second = np.array([1.0, 4.0, 3.0])
    model = Model({"a": Sersic(n=first), "b": Sersic(n=second)})
    single = np.array([labels_of(log_flux=3.5, r_eff=4, n=2, q=0.6, theta=20)] * 3)
    shifts = np.zeros(3), np.zeros((3, 2))
    known = Composite.of(model, np.arange(3))
    scene, _ = known.scene(single, frame_of(3), *shifts)
    starts = known.starts(single, scene)
    for row in range(3):
        alone = known[row : row + 1].starts(single[row : row + 1], scene[row : row + 1])
        for one, many in zip(alone, starts, strict=True):
            assert_allclose(one[0], many[row])
    sizes = np.stack([starts[0][:, 1], starts[0][:, 8]])
    assert_array_equal(sizes[0] < sizes[1], [True, False, False])


def test_bulge_and_disk_are_found(measured):
    found = measured["sersic+exp"]
    share = 10**3.6 / (10**3.6 + 10**4.0)
    assert pull(found, 0, "bulge_to_total", share) < 4
    assert pull(found, 0, "mag_bulge", magnitude(3.6)) < 4
    assert pull(found, 0, "mag_disk", magnitude(4.0)) < 4
    assert pull(found, 0, "r_eff_bulge", 0.2) < 4
    assert pull(found, 0, "r_eff_disk", 0.9) < 4
    assert pull(found, 0, "n_bulge", 3) < 4
    assert pull(found, 0, "q_disk", 0.5) < 4
    assert found.columns["bulge_to_total_err"][0] < 0.1
    assert_array_equal(found.columns["n_disk"], 1)
    assert abs(found.median("mag")[0] - magnitude(np.log10(10**3.6 + 10**4.0))) < 0.03
    assert np.isnan(found.median("n")).all()
    assert not found.flags[0]


def test_nucleus_and_disk_are_found(measured):
    found = measured["point+exp"]
    assert pull(found, 1, "mag_point", magnitude(3.5)) < 4
    assert pull(found, 1, "r_eff_disk", 0.9) < 4
    assert pull(found, 1, "point_to_total", 10**3.5 / (10**3.5 + 10**4.0)) < 4
    assert not found.flags[1]
    host = measured["point+sersic"]
    assert pull(host, 1, "n_host", 1) < 4


def test_a_star_is_found(measured):
    found = measured["point"]
    assert abs(found.median("mag")[2] - magnitude(4.0)) < 4 * found.error("mag")[2]
    assert abs(found.median("x_0")[2] - 63.9) < 4 * found.error("x_0")[2]
    assert np.isnan(found.median("r_eff")).all()
    assert not found.flags[2]
    assert found.flags[0] & int(Flags.MISFIT)


def test_the_right_model_has_the_smallest_chi2(measured):
    """On the same pixels, of the bulge and the disk."""
    residuals = {
        name: found.columns["chi2"][0] / found.columns["n_pixels"][0]
        for name, found in measured.items()
    }
    assert residuals["sersic+exp"] < 1.15
    assert residuals["sersic+exp"] < residuals["point+exp"] < residuals["point"]


def test_a_host_behind_a_bright_nucleus_is_judged(net):
    """Half of the light is a point source, but the host is as large as it is."""
    nucleus = [4.7, 0.3, -0.2]
    cutouts = []
    for n in (4, 1):
        host = labels_of(log_flux=4.4, r_eff=9, n=n, q=0.6, dx=0.3, dy=-0.2)
        cutouts.append(draw_parts(nucleus + host, ("point", "sersic"), size=128, seed=n))
    found = net.predict(cutouts, model="point+exp")
    assert (found.median("r_eff") == 0).all()
    assert (found.columns["n_pixels"] > 200).all()  # 84 are near the nucleus
    odd = found.flags & int(Flags.MISFIT) != 0
    assert odd.tolist() == [True, False]


def test_two_parts_are_not_worse_than_one(net):
    """A bright galaxy of one profile, which two parts hold, whatever its index."""
    cutouts = []
    for number, n in enumerate((0.5, 1.6)):
        labels = labels_of(log_flux=4.0, r_eff=2.5, n=n, q=0.4, theta=30, dx=0.3, dy=-0.2)
        cutouts.append(draw_parts(labels, ("sersic",), size=31, seed=number))
    chi2 = []
    for name in ("sersic", "sersic+exp"):
        found = net.predict(cutouts, model=name, refine="lm")
        assert not (found.flags & int(Flags.NOT_REFINED)).any()
        residuals = [found.residual(row, cutouts[row]) for row in range(2)]
        chi2.append([np.sum(residual**2) / NOISE**2 for residual in residuals])
    assert (np.subtract(*chi2) > -5).all()


@pytest.mark.parametrize("name", NAMES)
def test_columns_follow_from_the_model(measured, name):
    table = measured[name].to_table()
    assert table.meta["MODEL"] == name
    parts = [part for part, _ in LAYOUTS[name].parts]
    if len(parts) > 1:
        for part in parts:
            assert table[f"mag_{part}"].unit == u.ABmag
            assert table[f"mag_{part}_err"].unit == u.mag
            assert part in table[f"mag_{part}"].info.description
        assert f"{parts[0]}_to_total" in table.colnames
    for column in table.colnames:
        assert table[column].info.description, column


def test_samples_of_parts(measured):
    found = measured["sersic+exp"]
    draws = found.samples(400)
    table = found.to_table()
    for name in ("mag_bulge", "bulge_to_total", "mag", "r_eff_disk"):
        middle = np.asarray(getattr(table[name], "value", table[name]))[0]
        width = np.asarray(getattr(table[f"{name}_err"], "value", table[f"{name}_err"]))[0]
        assert_allclose(np.median(draws[name][0]), middle, atol=0.3 * width)
        low, high = np.quantile(draws[name][0], [0.16, 0.84])
        assert_allclose((high - low) / 2, width, rtol=0.3)
    total = -2.5 * np.log10(10 ** (-0.4 * draws["mag_bulge"]) + 10 ** (-0.4 * draws["mag_disk"]))
    assert_allclose(draws["mag"], total)
    assert_allclose(found[1:2].samples(3)["mag_disk"], found.samples(3)["mag_disk"][1:2])


def test_pictures_of_parts(measured, galaxies):
    found = measured["sersic+exp"]
    whole = found.model_image(0, galaxies[0], sky=False)
    bulge = found.model_image(0, galaxies[0], sky=False, component="bulge")
    disk = found.model_image(0, galaxies[0], sky=False, component="disk")
    assert_allclose(bulge + disk, whole, atol=1e-4 * whole.max())
    assert_allclose(found.residual(0, galaxies[0]).std() / NOISE, 1, atol=0.05)


def test_models_of_astropy(measured):
    """Each part has its light, and the sum is the picture, but for the PSF."""
    found = measured["sersic+exp"]
    model = found.to_model(0)
    assert model.submodel_names == ("bulge", "disk")
    disk = found.to_model(0, component="disk")
    assert disk.n == 1
    y, x = np.mgrid[:128, :128]
    light = 10 ** (-0.4 * (found.columns["mag_disk"][0] - 25))
    assert_allclose(disk(x, y).sum() / light, 1, atol=0.02)
    assert_allclose(model(x, y), found.to_model(0, component="bulge")(x, y) + disk(x, y))
    assert_allclose(disk.r_eff.value, found.columns["r_eff_disk"][0] / 0.1)
    host = measured["point+sersic"].to_model(1, component="host")
    assert_allclose(host.ellip.value, 1 - measured["point+sersic"].columns["q_host"][1])
    draws = found[:1].samples(7)
    many = found.to_model(0, **{name: values[0] for name, values in draws.items()})
    assert many.r_eff_1.value.shape == (7,)


def test_point_sources_have_stand_ins_that_the_psf_makes_stars_of(measured, galaxies):
    """Behind a round Gaussian PSF they are Gaussians, wider by a tenth of a pixel in quadrature."""
    y, x = np.mgrid[-30:31, -30:31]
    psf = np.exp(-(x**2 + y**2) / 2 / 2.0**2)
    options = {"psf": psf, "sky": False, "component": "point"}
    for name, row in (("point+exp", 1), ("point", 2)):
        found = measured[name]
        model = found.to_model(row, component="point")
        assert model.name == "point"
        assert all(model.fixed[each] for each in ("x_stddev", "y_stddev", "theta"))
        image = found.model_image(row, galaxies[row], **options)
        blurred = model.copy()
        width = np.hypot(model.x_stddev, 2.0)
        blurred.amplitude = model.amplitude * model.x_stddev * model.y_stddev / width**2
        blurred.x_stddev = blurred.y_stddev = width
        rows, columns = np.indices(image.shape)
        assert_allclose(image, blurred(columns, rows), atol=0.01 * image.max())
        assert found.to_model(row)(0, 0) > 0 or name == "point"
    sum_of_both = measured["point+exp"].to_model(1)
    assert sum_of_both.submodel_names == ("point", "disk")


def test_pixels_that_are_not_square(net):
    """Also where a nucleus has half of the light, so that there is no size."""
    host = labels_of(log_flux=4.0, r_eff=6, n=1, q=0.5, theta=50)
    wcs = make_oblong(OBLONG, crpix=(32.5, 32.5))
    options = {"wcs": wcs, "meta": {"MAGZP": 25.0}}
    cutouts = [
        draw_parts([light, 0, 0, *host], ("point", "sersic"), size=64, **options)
        for light in (3.5, 4.3)
    ]
    found = net.predict(cutouts, model="point+exp")
    host_on_sky = found.samples(100)["r_eff_disk"]
    for row in range(2):
        error = found.columns["r_eff_disk_err"][row]
        assert abs(np.median(host_on_sky[row]) - found.columns["r_eff_disk"][row]) < error
        assert_allclose(found.residual(row, cutouts[row]).std() / NOISE, 1, atol=0.05)
    assert found.median("r_eff")[0] > 0
    assert found.median("r_eff")[1] == found.error("r_eff")[1] == 0


def test_what_several_parts_do_not_have(net, galaxies, measured):
    found = measured["sersic+exp"]
    with pytest.raises(ValueError, match="component='point': there are the parts bulge, disk"):
        found.model_image(0, galaxies[0], component="point")
    with pytest.raises(ValueError, match="q: the parts have the parameters that were fitted"):
        found.model_image(0, galaxies[0], q=0.5)
    with pytest.raises(ValueError, match="'sersic\\+exp' is not one Sersic profile"):
        found.values(0)
    with pytest.raises(ValueError, match="component='point': there are the parts bulge, disk"):
        found.to_model(0, component="point")
    with pytest.raises(ValueError, match="n is no parameter of parts: there are mag_bulge"):
        found.to_model(0, n=4)
    with pytest.raises(ValueError, match="angle is no parameter of parts"):
        found.to_model(0, component="disk", angle=4)
    with pytest.raises(IndexError, match="index=2 must be the number of a row"):
        found.to_model(2)
    with pytest.raises(ValueError, match="results of the model 'sersic\\+exp'"):
        Population.infer(found)
    plain = net.predict(galaxies[:1])
    with pytest.raises(ValueError, match="component='bulge': one profile has no parts"):
        plain.model_image(0, galaxies[0], component="bulge")
    with pytest.raises(ValueError, match="needs the posterior network"):
        SersicNet.from_pretrained("deeplegato").predict(galaxies[:1], model="point")


def test_a_bad_cutout_is_one_row(net, galaxies):
    bad = make_cutout(np.full((64, 64), np.nan))
    found = net.predict([galaxies[1], bad], model="point+exp")
    assert found.flags[1] & int(Flags.NO_DATA)
    assert np.isnan(found.columns["mag_point"][1])
    assert np.isnan(found.columns["n_disk"][1])
    assert np.isnan(found.samples(3)["n_disk"][1]).all()
    assert "1 not measured" in repr(found)
    assert np.isfinite(found.columns["mag_point"][0])


@pytest.mark.parametrize("name", NAMES)
def test_starts_have_the_light_of_the_single_profile(name):
    labels = np.array([BULGE, DISK])
    composite = Composite.of(Model(name), np.arange(2))
    scene, usable = composite.scene(labels, frame_of(2), np.zeros(2), np.zeros((2, 2)))
    assert usable.all()
    starts = composite.starts(labels, scene)
    assert len(starts) == {"point": 1, "sersic+exp": 4}.get(name, 3)
    for start in starts:
        places = part_slices(scene.layout.profiles)
        flux = sum(10 ** start[:, place.start] for place in places)
        assert_allclose(flux, 10 ** labels[:, 0])
        assert torch.isfinite(scene.values(torch.from_numpy(start))).all()


def test_a_fit_of_bulge_and_disk_ends_where_one_from_the_truth_does():
    """Share, index and size of the bulge trade off, along a bent valley."""
    bulge = labels_of(log_flux=3.5, r_eff=2, n=4, q=0.9, theta=10)
    disk = labels_of(log_flux=4.0, r_eff=6, n=1, q=0.6, theta=10)
    truth = np.array([bulge + disk])
    y, x = np.mgrid[-10:11, -10:11]
    psf = np.exp(-0.5 * (x**2 + y**2) / 1.2**2)
    transform = psf_transform(torch.from_numpy(psf / psf.sum()), 48)
    options = {"profiles": ("sersic", "sersic"), "stamp_size": 48}
    images = scene_images(torch.from_numpy(truth), transform, **options).numpy()
    data = (images + np.random.default_rng(5).normal(size=images.shape)).astype("f4")
    stamps = data, np.ones_like(data), collect_psfs([psf])
    known = Composite.of(Model("sersic+exp"), np.arange(1))
    single = np.array([labels_of(log_flux=4.1, r_eff=5, n=2, q=0.7, theta=10)])
    scene, _ = known.scene(single, frame_of(1), np.zeros(1), np.zeros((1, 2)))
    start = known.starts(single, scene)[2]
    options = {"scene": scene, "sky_err": np.full(1, 0.03)}
    fit = fit_stamps(start, *stamps, **options)
    best = fit_stamps(truth, *stamps, **options)
    assert fit.converged.all()
    assert best.converged.all()
    assert_allclose(fit.cost, best.cost, atol=0.1, rtol=0)
