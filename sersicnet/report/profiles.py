"""Profile of a galaxy of several parts as a small picture: surface brightness against radius."""

from base64 import b64encode
from html import escape

import numpy as np

from sersicnet.plotting.style import PART_COLORS
from sersicnet.preprocessing.annuli import Annuli

__all__ = ["profile_url"]

# Size of the picture, and the margins of its axes.
_WIDTH, _HEIGHT = 470, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 8, 30
# Magnitudes below the brightest point that are shown, at most.
_DEPTH = 12.0
_LINE_COLOR = "#4d4d4d"
# Numbers of labels of axes.
_STEPS = (0.5, 1, 2, 5)


def profile_url(data, snr, models, ellipse, units):
    """Draw data and models of a galaxy in elliptical annuli.

    Parameters
    ----------
    data : (S, S) `~numpy.ndarray`
        Image in units of its noise level without its sky, NaN where pixels are bad.
    snr : (S, S) `~numpy.ndarray`
        Residual over the noise.
    models : dict of (S, S) `~numpy.ndarray`
        Images of the parts by their names, in the same units.
    ellipse : tuple
        Center [pix], axis ratio and angle [rad].
    units : tuple of float
        AB magnitude of 1 in a pixel, and arcsec per pixel.

    Returns
    -------
    str
        An SVG file as a data URL; empty where no annulus is seen, or the model has no light.
    """
    try:
        annuli = Annuli(ellipse, np.isfinite(data))
    except ValueError:
        return ""
    zeropoint, scale = units
    means = annuli.mean(data)
    noise = np.where(np.isfinite(data), 1.0, np.nan)
    errors = annuli.error(noise, snr)
    curves = {}
    for name, image in models.items():
        curves[name] = annuli.mean(image)

    def brightness(flux):
        with np.errstate(invalid="ignore", divide="ignore"):
            found = zeropoint - 2.5 * np.log10(flux / scale**2)
        return np.where(np.isfinite(found), found, np.nan)

    seen = means > errors
    points = [brightness(each)[seen] for each in (means, means - errors, means + errors)]
    radius = annuli.radius * scale
    lines = {name: brightness(flux) for name, flux in curves.items()}
    lines["model"] = brightness(sum(curves.values()))
    if np.isnan(lines["model"]).all():
        return ""
    svg = _svg(radius, lines, radius[seen], points)
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()


def _svg(radius, lines, at, points):
    """Write the picture."""
    brightest = np.nanmin(list(lines.values())) - 0.5
    faintest = np.nanmax(points[0]) + 1 if len(at) else brightest + 5
    faintest = min(faintest, brightest + _DEPTH)
    x_low = np.log10(radius[0]) - 0.05
    x_high = np.log10(radius[-1]) + 0.05

    def place(x, y):
        along = _LEFT + (np.log10(x) - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)
        down = _TOP + (y - brightest) / (faintest - brightest) * (_HEIGHT - _TOP - _BOTTOM)
        return along, np.clip(down, 0, _HEIGHT - _BOTTOM)

    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    found = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="10">'
    ]
    found += _axes(place, (x_low, x_high), (brightest, faintest))
    colors = (*PART_COLORS[: len(lines) - 1], _LINE_COLOR)
    for number, ((name, values), color) in enumerate(zip(lines.items(), colors, strict=True)):
        known = values < faintest
        x, y = place(radius[known], values[known])
        pairs = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        dash = "" if name == "model" else ' stroke-dasharray="5 3"'
        found.append(f'<polyline points="{pairs}" fill="none" stroke="{color}"{dash}/>')
        text = f'text-anchor="end" x="{_WIDTH - _RIGHT - 4}" y="{_TOP + 12 + 13 * number}"'
        found.append(f'<text {text} fill="{color}">{escape(name)}</text>')
    for x, middle, low, high in zip(at, *points, strict=True):
        along, down = place(x, middle)
        low = faintest if np.isnan(low) else low
        ends = [place(x, each)[1] for each in (low, high)]
        found.append(f'<path d="M{along:.1f} {ends[0]:.1f}V{ends[1]:.1f}" stroke="#000"/>')
        found.append(f'<circle cx="{along:.1f}" cy="{down:.1f}" r="2"/>')
    return "".join(found) + "</svg>"


def _axes(place, x_limits, y_limits):
    """Write the frame, its labels and numbers."""
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    found = [f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="#888"/>']
    for power in range(int(np.floor(x_limits[0])), int(np.ceil(x_limits[1])) + 1):
        for digit in (1, 3):
            value = digit * 10.0**power
            if x_limits[0] < np.log10(value) < x_limits[1]:
                x, _ = place(value, y_limits[0])
                found.append(f'<text x="{x:.1f}" y="{bottom + 12}" text-anchor="middle">{value:g}')
                found.append("</text>")
    span = y_limits[1] - y_limits[0]
    step = next((each for each in _STEPS if span / each < 8), _STEPS[-1])
    for value in np.arange(np.ceil(y_limits[0] / step) * step, y_limits[1], step):
        _, y = place(1.0, value)
        found.append(f'<text x="{_LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{value:g}</text>')
    middle = (_LEFT + right) / 2
    found.append(f'<text x="{middle}" y="{_HEIGHT - 4}" text-anchor="middle">')
    found.append("semi-major axis [arcsec]; surface brightness [mag/arcsec²]</text>")
    return found
