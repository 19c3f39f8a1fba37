"""Galaxies of two parts of which one or both are neither Sersic profiles nor point sources."""

import numpy as np
import pytest
import torch
from helpers.populations import frame_of
from helpers.rendered import NOISE, draw_parts, star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import (
    CoreSersic,
    EdgeOnDisk,
    Exponential,
    Ferrers,
    Flags,
    King,
    Model,
    NormalPrior,
    PointSource,
    Sersic,
)
from sersicnet.inference.composites import Composite
from sersicnet.inference.totals import joined_labels
from sersicnet.model import psf_transform
from sersicnet.model.labels import PROFILE_LABELS, components
from sersicnet.model.parts import scene_image_and_jacobian, scene_images
from sersicnet.preprocessing.foreign import ForeignParts, write_galfit
from sersicnet.report.parts import column_groups, parts_of

PLACE = {"dx": 0.2, "dy": -0.3}
SIDE = 64
BAR = {"log_flux": 4.0, "r_eff": 4, "q": 0.35, "theta": 60, "exponent": 2.0}
DISK = {"log_flux": 4.2, "r_eff": 7, "q": 0.7, "theta": 10, "n": 1.0}
CLUSTER = {"log_flux": 4.0, "r_eff": 2.5, "q": 0.9, "theta": 20, "log_tidal": 1.0, "alpha": 2.0}
HOST = {"log_flux": 4.3, "r_eff": 7, "q": 0.6, "theta": 40, "n": 1.5}
CORE = {"log_flux": 4.1, "r_eff": 3, "q": 0.8, "theta": 20, "n": 3.0, "log_core": -0.6}
CORE |= {"gamma": 0.2, "sharpness": 5.0}
EDGE = {"log_flux": 4.2, "r_eff": 6, "q": 0.2, "theta": 40, "sech_power": 2.0}


def labels_of(profile, values):
    e1, e2 = components(values["q"], np.radians(values["theta"]))
    known = {"log_r_eff": np.log10(values["r_eff"]), "e1": e1, "e2": e2, **PLACE, **values}
    return [known[name] for name in PROFILE_LABELS[profile]]


def drawn(*parts):
    labels = np.concatenate([labels_of(profile, values) for profile, values in parts]).tolist()
    return draw_parts(labels, tuple(profile for profile, _ in parts), size=SIDE)


def assert_found(results, part, truth, names):
    for name in names:
        error = results.columns[f"{name}_{part}_err"][0]
        wanted = truth[name] * 0.1 if name == "r_eff" else truth[name]
        assert 0 < error < np.inf
        assert abs(results.columns[f"{name}_{part}"][0] - wanted) < 5 * error, (part, name)


@pytest.fixture(scope="module")
def barred(net):
    """A disk and its bar, with an exponent that is known; not to be changed by a test."""
    model = Model({"disk": Exponential(), "bar": Ferrers(exponent=2)})
    return net.predict([drawn(("ferrers", BAR), ("sersic", DISK))], model=model)


def test_a_bar_and_its_disk_are_found(barred):
    assert not barred.flags[0] & int(Flags.EXCHANGED)
    assert barred.parts_of(0) == (("bar", "ferrers"), ("disk", "sersic"))
    assert_found(barred, "bar", BAR, ("r_eff", "q", "theta"))
    assert_found(barred, "disk", DISK, ("r_eff", "q", "theta"))
    share = barred.columns["bar_to_total"][0]
    truth = 10 ** BAR["log_flux"] / (10 ** BAR["log_flux"] + 10 ** DISK["log_flux"])
    assert abs(share - truth) < 5 * barred.columns["bar_to_total_err"][0]
    assert barred.columns["exponent_bar"][0] == 2
    assert barred.columns["exponent_bar_err"][0] == 0
    assert not barred.flags[0]


def test_tables_models_and_files_have_both_parts(barred, tmp_path):
    cutout = drawn(("ferrers", BAR), ("sersic", DISK))
    table = barred.to_table()
    assert parts_of(table) == (("bar", "ferrers"), ("disk", "sersic"))
    assert "exponent_bar" in column_groups(table)["bar"]
    assert barred.samples(5)["exponent_bar"].shape == (1, 5)
    parts = [barred.model_image(0, cutout, component=name) for name in ("bar", "disk")]
    image = barred.model_image(0, cutout)
    assert (sum(parts) - image).std() < 1e-4 * NOISE  # the whole has what is left of the sky
    model = barred.to_model(0)
    assert model.submodel_names == ("bar", "disk")
    assert_allclose(barred.to_model(0, component="bar").exponent, 2)
    for write, read in ((barred.to_galfit, Model.from_galfit), (barred.to_imfit, Model.from_imfit)):
        with pytest.warns(match="the sky is"):
            found = read(write(tmp_path / "file"))
        assert found.combination.name == "ferrers+exp"
        assert found.settings == {"exponent_bar": 2.0, "n_disk": 1.0}


def test_a_sersic_profile_with_a_king_profile(net, tmp_path):
    model = Model({"host": Sersic(), "cluster": King()}, tied={"theta": ("host", "cluster")})
    cluster = CLUSTER | {"theta": HOST["theta"]}
    found = net.predict([drawn(("king", cluster), ("sersic", HOST))], model=model)
    assert found.parts_of(0) == (("cluster", "king"), ("host", "sersic"))
    assert_found(found, "cluster", cluster, ("r_eff", "q", "log_tidal"))
    assert_found(found, "host", HOST, ("r_eff", "q", "n", "theta"))
    assert found.columns["theta_cluster"][0] == found.columns["theta_host"][0]
    assert found.columns["alpha_cluster"][0] == 2
    text = found.to_galfit(tmp_path / "file")
    assert "1_2 pa offset" in text.with_name("file.constraints").read_text()


def test_a_core_with_an_edge_on_disk(net, tmp_path):
    prior = NormalPrior(-0.6, 0.2, low=-2, high=-0.3)
    core = CoreSersic(n=3, gamma=0.2, log_core=prior)
    flat = NormalPrior(0.4, 100, low=0.05, high=0.95)
    model = Model({"bulge": core, "disk": EdgeOnDisk(q=flat)})
    found = net.predict([drawn(("core_sersic", CORE), ("edge_on", EDGE))], model=model)
    assert_found(found, "bulge", CORE, ("r_eff", "q", "log_core"))
    assert found.columns["n_bulge"][0] == 3
    assert found.columns["n_bulge_err"][0] == 0
    assert_found(found, "disk", EDGE, ("r_eff", "q", "theta"))
    warned = pytest.warns(match="log_core_bulge, q_disk: a prior that is not flat")
    with warned, pytest.raises(ValueError, match="GALFIT has no core_sersic"):
        found.to_galfit(tmp_path / "file", model=model)


PAIRS = [
    ("ferrers", BAR, "sersic", DISK),
    ("core_sersic", CORE, "edge_on", EDGE),
    ("king", CLUSTER, "ferrers", BAR),
]


@pytest.mark.parametrize(("first", "one", "second", "two"), PAIRS)
def test_derivatives_are_those_of_the_images(first, one, second, two):
    labels = torch.tensor([labels_of(first, one) + labels_of(second, two)], dtype=torch.float64)
    transform = psf_transform(torch.as_tensor(star()), 32)
    options = {"profiles": (first, second), "stamp_size": 32}
    _, jacobian = scene_image_and_jacobian(labels, transform, **options)
    step = 1e-5
    for column in range(labels.shape[1]):
        moved = []
        for sign in (1, -1):
            there = labels.clone()
            there[0, column] += sign * step
            moved.append(scene_images(there, transform, **options)[0])
        slope = (moved[0] - moved[1]) / (2 * step)
        assert_allclose(jacobian[0, column], slope, atol=2e-3 * float(slope.abs().max()))


@pytest.mark.parametrize(
    "parts",
    [
        {"a": Ferrers(), "b": Exponential()},
        {"a": CoreSersic(), "b": EdgeOnDisk()},
        {"a": PointSource(), "b": King()},
        {"a": EdgeOnDisk(), "b": EdgeOnDisk()},
        {"a": King(), "b": Sersic(n=4)},
    ],
)
def test_starts_have_the_light_of_the_single_profile(parts):
    composite = Composite.of(Model(parts), np.arange(2))
    labels = np.array([labels_of("sersic", HOST), labels_of("sersic", DISK)])
    scene, usable = composite.scene(labels, frame_of(2), np.zeros(2), np.zeros((2, 2)))
    assert usable.all()
    starts = composite.starts(labels, scene)
    assert 3 <= len(starts) <= 8
    names = [name for profile in scene.layout.profiles for name in PROFILE_LABELS[profile]]
    for start in starts:
        flux = sum(
            10 ** start[:, column] for column, name in enumerate(names) if name == "log_flux"
        )
        assert_allclose(flux, 10 ** labels[:, 0])
        values = scene.values(torch.from_numpy(start))
        assert torch.isfinite(values).all()
        assert torch.isfinite(scene.slopes(values)).all()


def test_the_whole_of_a_disk_and_an_edge_on_disk():
    """Half of the light is within the ellipse, by sums over pixels."""
    one = labels_of("edge_on", EDGE)
    two = labels_of("sersic", DISK)
    parts = (("a", "edge_on"), ("b", "sersic"))
    found = {
        name: each[0, 0] for name, each in joined_labels(np.array([[one + two]]), parts).items()
    }
    labels = torch.tensor([one + two], dtype=torch.float64)
    size = 256
    transform = psf_transform(torch.ones(1, 1, dtype=torch.float64), size)
    image = scene_images(
        labels, transform, profiles=("edge_on", "sersic"), stamp_size=size, oversampling=1
    )[0].numpy()
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    x = x - found["dx"]
    y = y - found["dy"]
    stretch = np.array([[1 - found["e1"], -found["e2"]], [-found["e2"], 1 + found["e1"]]])
    u, v = np.tensordot(stretch, [x, y], axes=1)
    tilt = np.hypot(found["e1"], found["e2"])
    radius = np.hypot(u, v) / (1 - tilt)
    inside = radius < 10 ** found["log_r_eff"]
    total = 10 ** EDGE["log_flux"] + 10 ** DISK["log_flux"]
    assert abs(image[inside].sum() / total - 0.5) < 5e-3


def test_a_known_shape_needs_no_second_start():
    labels = np.array([labels_of("sersic", HOST)])
    numbers = []
    for king in (King(), King(log_tidal=1)):
        composite = Composite.of(Model({"a": king, "b": Sersic()}), np.arange(1))
        scene, _ = composite.scene(labels, frame_of(1), np.zeros(1), np.zeros((1, 2)))
        numbers.append(len(composite.starts(labels, scene)))
    assert numbers == [8, 4]


def test_what_cannot_be_fitted(net):
    with pytest.raises(ValueError, match=r"model has 3 components.*fit the two that hold most"):
        Model({"a": Ferrers(), "b": Exponential(), "c": Sersic()})
    with pytest.raises(ValueError, match="'n' is none of what both have"):
        Model({"a": Ferrers(), "b": Exponential()}, tied={"n": ("a", "b")})
    model = Model({"a": Ferrers(), "b": Exponential()})
    bands = {"g": [np.ones((40, 40))], "r": [np.ones((40, 40))]}
    with pytest.raises(ValueError, match="this profile is fitted in one band"):
        net.predict(bands, psf=np.ones((3, 3)), pixel_scale=1, zeropoint=25, model=model)


@pytest.mark.parametrize(("name", "kind"), [("r_eff", "king"), ("q", "edge_on")])
def test_what_galfit_cannot_tie(name, kind, tmp_path):
    part = (kind, {}, set())
    galaxy = ForeignParts([part, part], (9, 9), 25.0, 0.1, None, [name], 1, [{}, {}])
    with pytest.raises(ValueError, match=f"{name} is tied: GALFIT has other parameters of {kind}"):
        write_galfit(tmp_path / "file", galaxy, {})


def test_order_of_two_of_one_kind():
    free = Model({"thin": EdgeOnDisk(), "thick": EdgeOnDisk()}).combination
    assert free.is_ordered
    assert list(free.components) == ["thin", "thick"]
    half = Model({"thin": EdgeOnDisk(sech_power=None), "thick": EdgeOnDisk()}).combination
    assert not half.is_ordered
    known = Model({"thin": EdgeOnDisk(q=0.1), "thick": EdgeOnDisk()}).combination
    assert not known.is_ordered
    assert_array_equal(list(known.components), ["thick", "thin"])
