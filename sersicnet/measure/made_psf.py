"""A PSF that is made from the stars of an image, in one call and as a file."""

import logging
from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table

from sersicnet._words import counted
from sersicnet.io.files import check_image_path
from sersicnet.io.paths import check_outputs
from sersicnet.io.psf_files import write_psf
from sersicnet.measure.field import open_field
from sersicnet.measure.option_keywords import check_keywords
from sersicnet.measure.option_values import STARS, is_word
from sersicnet.measure.options import Options
from sersicnet.measure.psf import FieldPSF, check_same_oversampling, gridded_psf
from sersicnet.measure.psf_trial import FEWEST, compare_stars, try_psf
from sersicnet.measure.star_psf import build_psf
from sersicnet.measure.stars import Stars, find_stars
from sersicnet.measure.tiles import Measurement
from sersicnet.model.psf_shape import sharpness_width
from sersicnet.preprocessing.pixels import find_pixels
from sersicnet.preprocessing.units import per_cutout

__all__ = ["MadePSF", "known_psf", "make_psf", "psf_from_stars", "psf_of_field", "stars_of"]

_LOG = logging.getLogger("sersicnet")
# Places on a side of the image at which a PSF of a polynomial of this degree is kept, between which
# it is interpolated linearly.
_PLACES = {0: 1, 2: 5}
# Options of `measure_image` that finding stars needs.
_PLANES = ("rms", "weight_map", "mask", "mask_bits")
_OPTIONS = (*_PLANES, "saturation", "pixel_scale", "gain", "background_box")
# Places on a side at which the width is shown.
_N_WIDTHS = 9


@dataclass(frozen=True, eq=False)
class MadePSF(FieldPSF):
    """A PSF that was made from the stars of an image.

    Attributes
    ----------
    stars : `~sersicnet.measure.stars.Stars`
        The stars that it was made of.
    stamps : (N, K, K) `~numpy.ndarray`
        Stamps of unit sum.
    places : (N, 2) `~numpy.ndarray`
        Their x and y in the image: one place, or a grid.
    shape : (int, int)
        Shape of the image.
    """

    stars: Stars | None = None
    stamps: np.ndarray | None = None
    places: np.ndarray | None = None
    shape: tuple = (0, 0)

    @property
    def table(self):
        """The stars: ``x``, ``y`` (pixels from 0), ``snr`` and ``fwhm`` (pixels, a Gaussian's)."""
        return Table(self.stars.table["x", "y", "snr", "fwhm"])

    def words(self):
        """What it was made of, and what the stars say of it, in words."""
        place = "the same in the whole image"
        if len(self.stamps) > 1:
            place = "which changes over the image"
        fwhm = np.median(self.stars.table["fwhm"])
        stars = counted(len(self.stars), "star")
        return (
            f"made from {stars} with a FWHM of {fwhm:.3g} pixels, oversampling "
            f"{self.oversampling}, {place}"
        )

    def widths(self):
        """FWHM in pixels on a grid of 9 x 9 places of the image, as sharp as the stamps."""
        y = np.linspace(0, self.shape[0] - 1, _N_WIDTHS)
        x = np.linspace(0, self.shape[1] - 1, _N_WIDTHS)
        widths = np.zeros((_N_WIDTHS, _N_WIDTHS))
        for row, column in np.ndindex(widths.shape):
            stamp = self.at(x[column], y[row])
            widths[row, column] = sharpness_width(stamp / stamp.sum()) / self.oversampling
        return widths

    def star_columns(self):
        """The stars with their images and those of the PSF, for `sersicnet.report.write_psf_page`.

        Returns
        -------
        dict of `~numpy.ndarray`
        """
        columns = {name: np.asarray(self.table[name]) for name in self.table.colnames}
        return columns | compare_stars(self, self.stars)

    def write(self, path):
        """Write it to a FITS file that ``psf=`` and ``--psf`` take.

        Parameters
        ----------
        path : path
            The file, which is replaced if it exists.
        """
        cards = {}
        if self.trial is not None:
            cards = self.trial.describe()
        stamps = self.stamps
        if len(stamps) == 1:
            stamps = stamps[0]
        write_psf(
            path,
            stamps,
            self.places,
            oversampling=self.oversampling,
            pixel_scale=self.pixel_scale,
            cards=cards,
        )


def stars_of(measurement, sky):
    """Find the stars of an image, from which the sky is subtracted only if it has one.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.

    Returns
    -------
    `~sersicnet.measure.stars.Stars`
    """
    if not measurement.has_sky:
        sky = sky.without_level()
    options = {"saturation": measurement.saturation, "places": measurement.stars}
    return find_stars(measurement.field, sky, **options)


def make_psf(stars, shape, options, *, pixel_scale=None):
    """Make a PSF from stars that were found.

    Parameters
    ----------
    stars : `~sersicnet.measure.stars.Stars`
        The stars.
    shape : (int, int)
        Shape of the image.
    options : `~sersicnet.measure.Options`
        Of which those of the PSF count.
    pixel_scale : float, optional
        Arcsec per pixel of the image.

    Returns
    -------
    MadePSF

    Raises
    ------
    ValueError
        If there are too few stars, or the options say another oversampling.
    """
    if len(stars) >= FEWEST:
        built = build_psf(stars, shape)
        stars = built.stars
    if len(stars) < FEWEST:
        sources = counted(stars.n_candidates, "bright, isolated source")
        why = "psf is that of the stars"
        if options.psf is None:
            why = "psf=None and the image has none"
        msg = (
            f"{why}: a PSF is made from {FEWEST} stars or more, and of "
            f"{sources} {len(stars)} are as compact as each other. Pass a star-like stamp, a file "
            "of PSFEx or a model of photutils as psf= (docs: Point spread functions)"
        )
        raise ValueError(msg)
    check_same_oversampling(options.psf_oversampling, built.oversampling, "made from stars")
    places, stamps = _grid(built, shape)
    psf = gridded_psf(stamps, places, built.oversampling)
    made = MadePSF(
        psf.at,
        psf.oversampling,
        source=STARS,
        stars=stars,
        stamps=stamps,
        places=places,
        shape=tuple(shape),
        pixel_scale=pixel_scale,
    )
    _LOG.info("PSF: %s", made.words())
    return made


def _grid(built, shape):
    """Places of an image, (N, 2), and the stamps of a PSF there."""
    n = _PLACES[built.degree]
    places = np.array([[(shape[1] - 1) / 2, (shape[0] - 1) / 2]])
    if n > 1:
        x = np.linspace(0, shape[1] - 1, n)
        y = np.linspace(0, shape[0] - 1, n)
        places = np.transpose([np.tile(x, n), np.repeat(y, n)])
    return places, np.array([built.at(x, y) for x, y in places])


def psf_from_stars(image, *, output=None, **options):
    """Make the PSF of an image from its stars.

    Stars are isolated, unsaturated sources with a S/N of 40 and more that are as compact as each
    other. The PSF explains all of their pixels at once; it is twice oversampled where its FWHM is
    below 2.4 pixels, and a polynomial of the place of degree 2 with 15 stars and more. It includes
    the response of the pixel.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`, 2-D `~numpy.ndarray` or path
        The image, as for `~sersicnet.measure.measure_image`; it needs no zero point.
    output : path, optional
        FITS file to which the PSF is written, with the cards ``OVERSAMP`` and ``PIXELSCL``, which
        ``psf=`` and ``--psf`` take.
    **options
        Those of `~sersicnet.measure.measure_image` that say what the image is: ``rms``,
        ``weight_map``, ``mask``, ``mask_bits``, ``saturation``, ``pixel_scale``, ``gain`` and
        ``background_box``.

    Returns
    -------
    MadePSF
        Its method ``at`` returns the stamp at ``x, y``, ``oversampling`` is that of the stamps,
        ``table`` has the stars, ``trial`` what they say of it.

    Raises
    ------
    TypeError, ValueError, OSError
        If an argument is unknown or impossible, or there are fewer than five stars.

    Examples
    --------
    >>> from sersicnet.measure import psf_from_stars
    >>> psf = psf_from_stars("field.fits", output="psf.fits")  # doctest: +SKIP
    """
    check_keywords("psf_from_stars", options, own=("output",))
    for name in options:
        if name not in _OPTIONS:
            msg = f"psf_from_stars() takes no {name}=: of the options, {', '.join(_OPTIONS)}"
            raise TypeError(msg)
    if output is not None:
        check_image_path(output, "output")
    check_outputs({"output": output}, {"image": image, **options})
    options = Options(psf=STARS, **options)
    planes = {name: getattr(options, name) for name in _PLANES}
    with open_field(image, **planes) as field:
        made = psf_of_field(field, options)
    if output is not None:
        made.write(output)
    return made


def known_psf(image, options):
    """Return the PSF of an image before it is measured, for what is drawn with it afterwards.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`, 2-D `~numpy.ndarray` or path
        The image.
    options : `~sersicnet.measure.Options`
        How it is measured.

    Returns
    -------
    object
        ``psf`` of the options, None for the image's own, or a `MadePSF`.
    """
    if not is_word("psf", options.psf):
        return options.psf
    planes = {name: getattr(options, name) for name in _PLANES}
    with open_field(image, **planes) as field:
        if options.psf != STARS and field.psf is not None:
            return None
        return psf_of_field(field, options)


def psf_of_field(field, options):
    """Make the PSF of an image that is open.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    options : `~sersicnet.measure.Options`
        What it is.

    Returns
    -------
    MadePSF
    """
    measurement = Measurement(
        field=field,
        options=options,
        net=None,
        psf=None,
        pixel_scale=_scale_of(field, options.pixel_scale),
        zeropoint=np.nan,
        positions=None,
        saturation=field.saturation(options.saturation),
    )
    sky = measurement.map_sky()
    shape = field.data.shape
    stars = stars_of(measurement, sky)
    made = make_psf(stars, shape, options, pixel_scale=measurement.pixel_scale)
    return replace(made, trial=try_psf(made, made.stars, shape))


def _scale_of(field, given):
    """Arcsec per pixel of an image, None where it is not known."""
    given = per_cutout(given, 1, "pixel_scale")
    try:
        found, _, _ = find_pixels(field, None if given is None else given[0], "image")
    except ValueError:
        if given is not None:
            raise
        return None
    return float(found)
