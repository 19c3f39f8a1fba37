"""Layouts of several bands."""

import numpy as np
import torch
from numpy.testing import assert_allclose

from sersicnet import Model
from sersicnet.inference.part_layouts import part_layout
from sersicnet.model.band_layout import band_layout, moved_ellipse, names_of_bands, view_of_band
from sersicnet.model.labels import angle, axis_ratio, length


def test_ellipses_move_as_their_points_do():
    matrix = np.array([[0.7, -0.4], [0.3, 1.1]])
    e1, e2 = 0.2, -0.15
    moved = moved_ellipse(
        *torch.tensor([[0.6], [e1], [e2]]).double(), torch.from_numpy(matrix.ravel())
    )
    size, new_e1, new_e2 = (float(number) for number in moved)
    turns = np.linspace(0, np.pi, 2001)
    theta = angle(e1, e2)
    q = axis_ratio(length(e1, e2))
    along = np.stack([np.cos(turns), q * np.sin(turns)]) * 10**0.6
    rotation = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    radius = np.hypot(*(matrix @ rotation @ along))
    assert_allclose(10**size, radius.max(), rtol=1e-5)
    assert_allclose(axis_ratio(length(new_e1, new_e2)), radius.min() / radius.max(), rtol=1e-5)


def test_each_band_has_its_own_light_and_shift():
    base = part_layout(Model("sersic+exp").combination, ["n_disk"])
    names = names_of_bands(base, ("g", "r"), shifted="r")
    assert {"log_flux.g", "share.g", "log_flux.r", "share.r"} <= set(names)
    assert names[-2:] == ("shift_x.r", "shift_y.r")
    view, columns = view_of_band(base, names, "r")
    assert [names[column] for column in columns[:2]] == ["log_flux.r", "share.r"]
    assert view.free == (*base.free, "shift_x", "shift_y")
    layout = band_layout(("g", "r"), base=base)
    assert layout.free == names
    assert layout.profiles == 2 * base.profiles
