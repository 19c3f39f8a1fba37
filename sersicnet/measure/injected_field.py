"""A survey image with galaxies added as it is read; the image itself stays as it is."""

from dataclasses import dataclass, replace

import astropy.units as u
import numpy as np
from astropy.table import QTable

from sersicnet.diagnostics.scores import split_truth
from sersicnet.io.cards import header_number
from sersicnet.measure.models import galaxy_labels, galaxy_stamps
from sersicnet.measure.pixels import pixels_at
from sersicnet.measure.psf import centered_psf
from sersicnet.preprocessing.frame import StampFrame

__all__ = ["Gain", "field_gain", "injected_rounds", "with_galaxies"]

# Brightest sources by which a noise map is compared with their photons, and the half side of the
# window around each whose median is the noise of the sky.
_N_SOURCES = 50
_HALF_SIDE = 20
# Photons of the source over the variance of the sky from which on they can be seen in a map.
_VISIBLE = 0.3
# Share of the photons' variance from which on a map has it.
_HAS_PHOTONS = 0.5
# Units that are counts.
_COUNTS = (u.dimensionless_unscaled, u.adu, u.DN, u.ct, u.electron)
_PER_SECOND = tuple(unit / u.s for unit in _COUNTS[1:])

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


def field_gain(field, given, existing, noise_scale=1.0):
    """Find the gain of an image, and whether its noise map has the photons of the sources.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    given : float or None
        Electrons per unit of the image; None for the card ``GAIN`` of an image in counts (1 where
        it is in electrons), times ``EXPTIME`` of one in counts per second.
    existing : `~astropy.table.Table`
        Catalog of the image.
    noise_scale : float, optional
        Factor of a noise map that is relative.

    Returns
    -------
    Gain

    Raises
    ------
    ValueError
        If it is given and not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import CCDData
    >>> from astropy.table import Table
    >>> from sersicnet.measure.field import open_field
    >>> from sersicnet.measure.injected_field import field_gain
    >>> image = CCDData(np.zeros((50, 60)), unit="adu", meta={"GAIN": 2.5})
    >>> with open_field(image) as field:
    ...     field_gain(field, None, Table()).value
    2.5
    """
    value = given
    if value is None:
        value = _header_gain(field)
    elif not 0 < value < np.inf:
        msg = f"gain={given} must be a positive number of electrons per unit of the image"
        raise ValueError(msg)
    if value is None:
        return Gain(noise_scale=noise_scale)
    in_map = field.noise is not None and _has_photons(field, existing, value, noise_scale)
    return Gain(float(value), in_map, noise_scale)


def _header_gain(field):
    """The gain that unit and header of an image tell; None where they do not."""
    unit = field.unit
    if unit is None:
        unit = u.dimensionless_unscaled
    gain = 1.0
    if unit not in (u.electron, u.electron / u.s):
        gain = header_number(field.meta, "GAIN")
    if unit in _PER_SECOND:
        exposure = header_number(field.meta, "EXPTIME")
        if gain is None or exposure is None:
            return None
        gain *= exposure
    elif unit not in _COUNTS:
        return None
    if gain is None or not 0 < gain < np.inf:
        return None
    return gain


def _has_photons(field, existing, gain, noise_scale):
    """Whether the noise map is higher where sources are, by the noise of their photons."""
    if not {"mag", "x_centroid", "y_centroid", "kron_mag"} <= set(existing.colnames):
        return False
    order = np.argsort(np.nan_to_num(np.asarray(existing["kron_mag"].value), nan=np.inf))
    shares = []
    for row in order[:_N_SOURCES]:
        x = round(existing["x_centroid"][row].value)
        y = round(existing["y_centroid"][row].value)
        box = tuple(
            slice(max(middle - _HALF_SIDE, 0), min(middle + _HALF_SIDE + 1, n))
            for middle, n in zip((y, x), field.data.shape, strict=True)
        )
        shares.append(_photon_share(field, box, y - box[0].start, x - box[1].start, gain))
    shares = np.array(shares) * noise_scale**2
    shares = shares[np.isfinite(shares)]
    return bool(shares.size and np.median(shares) > _HAS_PHOTONS)


def _photon_share(field, box, row, column, gain):
    """Variance that a map has in the middle of a source beyond that around it, over the photons'.

    NaN where the photons are too few, or the pixel is bad.
    """
    data = field.data[box].astype(float)
    variance = field.noise[box].astype(float) ** 2
    good = np.isfinite(data) & np.isfinite(variance)
    if field.mask is not None:
        good &= ~field.mask[box]
    if not (0 <= row < data.shape[0] and 0 <= column < data.shape[1] and good[row, column]):
        return np.nan
    sky = np.median(variance[good])
    photons = (data[row, column] - np.median(data[good])) / gain
    if not photons > _VISIBLE * sky:
        return np.nan
    return (variance[row, column] - sky) / photons


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
    gain = Gain(meta.get("GAIN"), bool(meta.get("PHOTMAP")), meta.get("NOISCALE", 1.0))
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
