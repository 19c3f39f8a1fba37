"""Which parameters of the parts of a galaxy are free."""

import torch

from sersicnet.inference.composites import LAYOUTS
from sersicnet.model.layout import SERSIC, Layout, kind_of
from sersicnet.model.scene import Scene

BULGE_AND_DISK = LAYOUTS["sersic+exp"]


def test_names_of_parameters():
    assert kind_of("e1.bulge") == "e1"
    assert BULGE_AND_DISK.columns("log_r_eff", "n") == [3, 4]
    assert BULGE_AND_DISK.disks == [slice(5, 7), slice(7, 9)]
    assert BULGE_AND_DISK.profiles == ("sersic", "sersic")
    assert SERSIC.logits == [1, 2, 5, 6]


def test_two_parts_share_light_and_center():
    scene = Scene.of(BULGE_AND_DISK, torch.ones(1, 1, dtype=torch.float64))
    values = torch.randn(40, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    labels = scene.labels(values)
    bulge, disk = scene.part(labels, 0), scene.part(labels, 1)
    total = torch.log10(10 ** bulge["log_flux"] + 10 ** disk["log_flux"])
    torch.testing.assert_close(total, values[:, 0])
    assert torch.equal(bulge["dx"], disk["dx"])
    assert (bulge["log_r_eff"] < disk["log_r_eff"]).all()
    assert (disk["n"] == 1).all()
    torch.testing.assert_close(scene.values(labels), values)


def test_what_parts_have_in_common_has_one_parameter():
    layout = Layout(
        free=("log_flux.one", "log_flux.two", "log_r_eff.one", "log_r_eff.two", "n", "q", "turn"),
        known=("theta", "dx", "dy"),
        parts=(("one", "sersic"), ("two", "sersic")),
    )
    scene = Scene.of(layout, torch.tensor([[0.3, 0.0, 1.0]], dtype=torch.float64))
    labels = scene.labels(torch.randn(9, 7, dtype=torch.float64))
    one, two = scene.part(labels, 0), scene.part(labels, 1)
    for name in ("n", "e1", "e2", "dx", "dy"):
        assert torch.equal(one[name], two[name]), name


def test_one_galaxy_around_a_known_place():
    """Its center has no part in its name, as there is one."""
    layout = Layout(known=("at_dx.galaxy", "at_dy.galaxy"))
    values = torch.zeros(1, 7, dtype=torch.float64)
    labels = layout.labels(values, torch.tensor([[10.0, -5.0]]).double())
    assert labels[0, -2:].tolist() == [10.0, -5.0]


def test_parts_of_known_index_are_drawn_as_such():
    parts = (("bulge", "sersic"), ("disk", "sersic"))
    layout = Layout(("log_flux", "share"), known=("n.disk",), parts=parts)
    assert layout.drawn == ("sersic", "known index")
    assert layout.profiles == ("sersic", "sersic")
    host = (("point", "point"), ("host", "sersic"))
    assert Layout(("log_flux",), known=("n",), parts=host).drawn == ("point", "known index")
    assert Layout(("log_flux",), known=("n",)).drawn == ("sersic",)
