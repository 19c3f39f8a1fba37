"""A survey image with galaxies added as it is read; the image itself stays as it is."""

from dataclasses import dataclass, replace

import numpy as np
from astropy.table import QTable

from sersicnet.diagnostics.scores import split_truth
from sersicnet.measure.image_psf import centered_psf
from sersicnet.measure.models import galaxy_labels, galaxy_stamps
from sersicnet.measure.pixels import pixels_at
from sersicnet.preprocessing.frame import StampFrame
from sersicnet.preprocessing.photons import IN_MAP, PHOTONS

__all__ = ["Gain", "injected_rounds", "with_galaxies"]

# Photons of a pixel above which their number is normal, not Poisson: NumPy has a largest one.
_MANY = 1e9


@dataclass(frozen=True)
class Gain:
    """Photons of galaxies in an image.

    Attributes
    ----------
    value : float or None
        Electrons per unit of the image, None where it is not known: galaxies then have no noise of
        their own.
    in_map : bool
        Whether the noise map of the image has the noise of the photons of its sources.
    noise_scale : float
        Factor of a noise map that is relative.
    """

    value: float | None = None
    in_map: bool = False
    noise_scale: float = 1.0

    @classmethod
    def of(cls, meta):
        """Return what the ``meta`` of a catalog of the image, or of injections, says of them."""
        in_map = meta.get("PHOTONS") == PHOTONS[IN_MAP]
        return cls(meta.get("GAIN"), in_map, meta.get("NOISCALE", 1.0))


class _AddedPlane:
    """A plane of a survey image, changed where stamps are."""

    def __init__(self, plane, corners, stamps, combine):
        self.shape = plane.shape
        self._plane = plane
        self._stamps = stamps
        self._first = np.reshape(corners, (-1, 2))
        sides = [stamp.shape for stamp in stamps]
        self._stop = self._first + np.reshape(sides, (-1, 2))
        self._combine = combine

    def __getitem__(self, box):
        pixels = self._plane[box]
        first, stop, step = np.transpose(
            [side.indices(n) for side, n in zip(box, self.shape, strict=True)]
        )
        near = ((self._first < stop) & (self._stop > first)).all(axis=1)
        if not near.any():
            return pixels
        added = np.zeros(np.maximum(stop - first, 0))
        for number in np.flatnonzero(near):
            lower = np.maximum(self._first[number], first)
            upper = np.minimum(self._stop[number], stop)
            there = tuple(map(slice, lower - first, upper - first))
            here = tuple(map(slice, lower - self._first[number], upper - self._first[number]))
            added[there] += self._stamps[number][here]
        added = added[:: step[0], :: step[1]]
        return self._combine(pixels.astype(float), added)


def with_galaxies(field, truth, psf, *, pixel_scale, zeropoint, normalize_psf, gain, seed):
    """Add galaxies to a survey image, which reads them window by window.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    truth : `~astropy.table.QTable`
        Galaxies: ``id``, ``mag``, ``r_eff``, ``n``, ``q``, ``theta``, and ``x_0``, ``y_0`` in
        pixels of the image. ``r_eff`` and ``q`` are those on the sky, ``theta`` that in pixels.
    psf : `~sersicnet.measure.FieldPSF`
        The PSF.
    pixel_scale : float, `~astropy.units.Quantity` or None
        Arcsec per pixel that the user gave, None for those of the image.
    zeropoint : float
        AB magnitude of a flux of 1.
    normalize_psf : bool
        As in `~sersicnet.SersicNet.predict`.
    gain : Gain
        How many photons the galaxies are.
    seed : int
        Seed of the noise of these photons; each galaxy draws by its ``id``.

    Returns
    -------
    `~sersicnet.measure.field.FieldImage`

    Examples
    --------
    >>> from sersicnet.measure.injected_field import Gain, with_galaxies
    >>> injected = with_galaxies(
    ...     field,
    ...     truth,
    ...     psf,
    ...     pixel_scale=None,
    ...     zeropoint=25.0,
    ...     normalize_psf=True,
    ...     gain=Gain(),
    ...     seed=0,
    ... )  # doctest: +SKIP
    """
    catalog = _in_pixels(field, truth, pixel_scale)
    rows, places, labels = galaxy_labels(catalog, 1.0, zeropoint)
    corners = []
    light = []
    photons = []
    for number, stamp in galaxy_stamps(places, labels, psf, normalize_psf=normalize_psf):
        corners.append(places[number][::-1] - np.array(stamp.shape) // 2)
        photons.append(np.clip(stamp, 0, None))
        light.append(_with_noise(stamp, gain.value, [seed, 2, int(truth["id"][rows[number]])]))
    data = _AddedPlane(field.data, corners, light, np.add)
    noise = field.noise
    if noise is not None and gain.in_map:
        factor = 1 / gain.value / gain.noise_scale**2

        def widened(sigma, counts):
            return np.sqrt(sigma**2 + factor * counts)

        noise = _AddedPlane(noise, corners, photons, widened)
    return replace(field, data=data, noise=noise)


def injected_rounds(field, injections, rows, psf, *, pixel_scale, zeropoint, psf_options):
    """Add the galaxies of a table of injections to an image again, round by round.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    injections : `~astropy.table.Table`
        Table of `~sersicnet.measure.inject_galaxies`; of another catalog, nothing is injected.
    rows : (M,) int `~numpy.ndarray`
        Rows of the table that are wanted.
    psf, pixel_scale, zeropoint
        As for `with_galaxies`; the PSF as it was given to the measurement.
    psf_options : dict
        Options of the PSF, ``normalize`` and ``recenter``, True where they are missing.

    Yields
    ------
    rows : int `~numpy.ndarray`
        Some of the rows.
    field : `~sersicnet.measure.field.FieldImage`
        The image in which they were measured.
    """
    meta = injections.meta
    if "NINJECT" not in meta or "round" not in injections.colnames:
        yield rows, field
        return
    normalize = psf_options.get("normalize", True)
    psf, _ = centered_psf(
        psf,
        field.data.shape,
        normalize=normalize,
        recenter=psf_options.get("recenter", True),
    )
    options = {"pixel_scale": pixel_scale, "zeropoint": zeropoint, "normalize_psf": normalize}
    gain = Gain.of(meta)
    _, truth = split_truth(injections)
    truth["id"] = injections["id"]
    rounds = np.asarray(injections["round"])
    for number in np.unique(rounds[rows]):
        part = truth[rounds == number]
        injected = with_galaxies(field, part, psf, gain=gain, seed=meta["SEED"], **options)
        yield rows[rounds[rows] == number], injected


def _in_pixels(field, truth, pixel_scale):
    """The galaxies with the ellipses that they are in pixels, wherever they are."""
    names = ("mag", "r_eff", "n", "q", "theta", "x_0", "y_0")
    values = {name: np.asarray(getattr(truth[name], "value", truth[name])) for name in names}
    scale, stretch = pixels_at(field, values["x_0"], values["y_0"], pixel_scale)
    one = np.ones(len(scale))
    frame = StampFrame(one, one, scale, one, values["x_0"], values["y_0"], stretch)
    values = frame.in_pixels(values)
    catalog = QTable({name: values[name] for name in names})
    catalog["r_eff_pix"] = values["r_eff"] / scale
    catalog["q_pix"] = values["q"]
    return catalog


def _with_noise(stamp, gain, seed):
    """A stamp with the noise of its photons."""
    if gain is None:
        return stamp
    expected = np.clip(stamp, 0, None).astype(float) * gain
    rng = np.random.default_rng(seed)
    drawn = rng.poisson(np.minimum(expected, _MANY))
    if expected.max() > _MANY:
        normal = rng.normal(expected, np.sqrt(expected))
        drawn = np.where(expected > _MANY, normal, drawn)
    return (stamp + (drawn - expected) / gain).astype(np.float32)
