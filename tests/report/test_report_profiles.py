"""Profiles as small pictures."""

import base64
import re
from xml.etree import ElementTree as ET

import numpy as np
from numpy.testing import assert_allclose

from sersicnet.report.profiles import profile_url

SIDE = 64
NAMESPACE = "{http://www.w3.org/2000/svg}"


def make_parts():
    y, x = np.mgrid[:SIDE, :SIDE] - 31.5
    radius = np.hypot(x, y)
    return {"bulge": 90 * np.exp(-radius / 2), "a<b": 30 * np.exp(-radius / 6)}


def drawn(data, parts):
    ellipse = (31.5, 31.5), 1.0, 0.0
    snr = np.random.default_rng(1).normal(size=data.shape)
    url = profile_url(data, np.where(np.isfinite(data), snr, np.nan), parts, ellipse, (25.0, 0.1))
    header, content = url.split(",")
    assert header == "data:image/svg+xml;base64"
    assert " " not in url
    return ET.fromstring(base64.b64decode(content))


def points(svg, number):
    text = svg.findall(f"{NAMESPACE}polyline")[number].get("points")
    return np.array(re.findall(r"[\d.]+", text), float).reshape(-1, 2)


def test_data_lie_on_their_model():
    parts = make_parts()
    svg = drawn(sum(parts.values()), parts)
    labels = [text.text for text in svg.findall(f"{NAMESPACE}text")]
    assert {"bulge", "a<b", "model"} <= set(labels)
    model = points(svg, 2)
    circles = svg.findall(f"{NAMESPACE}circle")
    places = np.array([[float(each.get(axis)) for axis in ("cx", "cy")] for each in circles])
    assert len(places) > 8
    assert_allclose(np.interp(places[:, 0], *model.T), places[:, 1], atol=0.2)
    assert (np.diff(model[:, 1]) >= 0).all()  # it becomes fainter


def test_galaxies_without_pixels_have_no_profile():
    parts = make_parts()
    nothing = np.full((SIDE, SIDE), np.nan)
    assert profile_url(nothing, nothing, parts, ((31.5, 31.5), 1.0, 0.0), (25.0, 0.1)) == ""


def test_a_galaxy_in_the_noise():
    """There are no points, but the model is drawn."""
    parts = make_parts()
    svg = drawn(np.full((SIDE, SIDE), -1.0), parts)
    assert not svg.findall(f"{NAMESPACE}circle")
    assert len(points(svg, 2)) > 8


def test_a_part_without_light_has_no_line():
    parts = make_parts()
    parts["a<b"] = np.zeros((SIDE, SIDE))
    svg = drawn(sum(parts.values()), parts)
    assert points(svg, 1).size == 0
    assert len(points(svg, 2)) > 8
    units = (25.0, 0.1)
    nothing = {"bulge": parts["a<b"]}
    ellipse = (31.5, 31.5), 1.0, 0.0
    assert not profile_url(parts["bulge"], np.ones((SIDE, SIDE)), nothing, ellipse, units)
