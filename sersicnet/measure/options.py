"""The options of `~sersicnet.measure.measure_image`: names, defaults, descriptions and checks.

Whatever takes or keeps options reads them from here: the function, the command line, the tasks of a
survey and their record. Nothing slow is imported before an option needs it.
"""

from dataclasses import dataclass, field, fields, replace

from sersicnet.measure.option_docs import documented
from sersicnet.measure.option_json import from_json, to_json
from sersicnet.measure.option_values import AUTO, MEASURE, check_values

__all__ = ["Options"]

# Pixels on a side of the boxes in which sky and noise are measured by default.
BACKGROUND_BOX = 128
# What `measure_image` passes on to `SersicNet.predict` for each cutout.
_PREDICTING = ("normalize_psf", "augment", "refine", "sky", "sky_err", "n_samples", "batch_size")
_PREDICTING += ("seed", "noise_correlation", "morphology")


def _option(default, kind, summary, details=""):
    """A field: its default, its type in words, one plain sentence, and all else about it."""
    about = {"kind": kind, "summary": summary, "details": details}
    return field(default=default, metadata=about)


@dataclass(frozen=True, eq=False)
class Options:
    """How a survey image is measured; the defaults are those of `~sersicnet.measure.measure_image`.

    Parameters
    ----------
    {options}

    Raises
    ------
    TypeError, ValueError, `~astropy.units.UnitConversionError`
        If a value is impossible.

    Examples
    --------
    >>> from sersicnet.measure import Options
    >>> options = Options(threshold=2.0, psf="star.fits")
    >>> options.to_dict()
    {'psf': 'star.fits', 'threshold': 2.0}
    >>> Options.from_dict(options.to_dict()).threshold
    2.0
    """

    psf: object = _option(
        None,
        "'auto', 'stars', stamp, photutils model, PSFEx file or callable, optional",
        "PSF of the image: a star-like stamp or a PSFEx file; by default (auto) that of the image, "
        "else one made from its stars (stars: in any case).",
        "For models of photutils and functions of x and y, see `~sersicnet.measure.field_psf`; "
        "for how one is made, `~sersicnet.measure.psf_from_stars`. None is the same as auto.",
    )
    psf_oversampling: int | None = _option(
        None,
        "int, optional",
        "Pixels of a PSF stamp on a side of a pixel of the image; by default what the file of the "
        "PSF says, else 1.",
        "A file says it by its pixel scale (a WCS, PIXELSCL or PIXSCALE) and that of the image, or "
        "by OVERSAMP. A CCDData may have a header and a WCS as well.",
    )
    normalize_psf: bool = _option(
        True,
        "bool, optional",
        "Whether PSF stamps hold all the light.",
        "If not, the sum of a stamp is the share of the light that it holds.",
    )
    recenter_psf: bool = _option(
        True,
        "bool, optional",
        "Whether a star that is off the middle of its PSF stamp is moved there.",
        "This warns from 0.1 pixel on. If not, positions are off by the same distance.",
    )
    rms: object = _option(
        None,
        "2-D array_like or path, optional",
        "Noise as standard deviations in the unit of the image, instead of that of the image.",
    )
    weight_map: object = _option(
        None,
        "2-D array_like or path, optional",
        "Noise as inverse variances, 0 where there are no data, instead of that of the image.",
        "An image without any noise has it measured with the sky, and its sources are flagged.",
    )
    mask: object = _option(
        None,
        "2-D array_like or path, optional",
        "Bad pixels (True, or not zero), instead of those of the image.",
    )
    mask_bits: object = _option(
        None,
        "int, str or list of them, optional",
        "Bits of the mask that mean bad: their sum, or their names, separated by commas.",
        "By default those of the mission, where the header names it, and else all: see "
        "`~sersicnet.io.read_cutout`.",
    )
    saturation: float | None = _option(
        None,
        "float, optional",
        "Value of a pixel from which on it is saturated, with the sky, in the unit of the image; "
        "by default the header card SATURATE, if there is one.",
        "Flat tops of sources are saturated in any case.",
    )
    zeropoint: object = _option(
        None,
        "float or `~astropy.units.Quantity`, optional",
        "AB magnitude of a flux of 1; by default that of the image.",
    )
    pixel_scale: object = _option(
        None,
        "float or `~astropy.units.Quantity`, optional",
        "Arcsec per pixel; by default that of the image.",
    )
    gain: object = _option(
        None,
        "float or `~astropy.units.Quantity`, optional",
        "Electrons per unit of the image (for counts per second, times the exposure time); by "
        "default that of unit and header.",
        "The photons of sources are added to a noise map that does not rise where they are bright. "
        "Infinite: they are not.",
    )
    catalog: object = _option(
        None,
        "`~astropy.table.Table` or path, optional",
        "Positions to measure, instead of what is detected: columns x_0 and y_0 (0-based pixels), "
        "or ra and dec (degrees, where they have no unit).",
        "Those of SExtractor (X_IMAGE from 1, ALPHA_J2000), VizieR, Gaia, Euclid and photutils are "
        "read as well. Neighbors are detected and masked all the same.",
    )
    fixed: object = _option(
        None,
        "'shape' or sequence of str, optional",
        "What is taken from the catalog, so that only fluxes are fitted (forced photometry): all "
        "of r_eff, n, q, theta, x_0, y_0, or shape for short; without the last two, positions are "
        "fitted too.",
        "Sizes and angles are carried over by ``ra``, ``dec``, ``r_eff``, ``q`` and ``pa``; "
        "without them, the catalog must be of the same pixels. Fluxes may be negative.",
    )
    catalog_errors: bool = _option(
        False,
        "bool, optional",
        "Whether to include the errors of the catalog's sizes, shapes and positions in those of "
        "forced fluxes.",
    )
    segmentation: object = _option(
        None,
        "2-D int array_like, `~photutils.segmentation.SegmentationImage` or path, optional",
        "Number of the source of each pixel, 0 for sky, instead of what is detected: of photutils, "
        "SExtractor, SEP and others.",
        "The ``id`` of a source is its number.",
    )
    detection_image: object = _option(
        None,
        "`~astropy.nddata.NDData`, 2-D array_like or path, optional",
        "Image of the same pixels in which sources are detected, such as a sum of several bands "
        "(SExtractor's dual-image mode), instead of the one that is measured.",
        "Positions and pixels of sources are those there. It has its own noise, mask and sky.",
    )
    stars: object = _option(
        None,
        "`~astropy.table.Table`, `~astropy.coordinates.SkyCoord` or path, optional",
        "Catalog of stars, such as that of Gaia (ra and dec, or x_0 and y_0): sources there are "
        "points in groups, and only these make the PSF.",
    )
    threshold: float = _option(
        4.5,
        "float, optional",
        "Detection threshold above the sky, in units of the noise of the filtered image.",
        "The log and ``meta`` say how many sources noise alone makes.",
    )
    kernel_fwhm: float | None = _option(
        None,
        "float, optional",
        "FWHM in pixels of the Gaussian that filters the image for the detection, up to 10.",
        "By default that of the PSF, and at least 3.",
    )
    n_pixels: int = _option(
        5, "int, optional", "Smallest number of connected pixels above the threshold."
    )
    contrast: float = _option(
        0.005, "float, optional", "Smallest share of the light of a blend that is a source."
    )
    large_first: bool = _option(
        True, "bool, optional", "Whether parts of large galaxies that do not stand out are joined."
    )
    background_box: int | None = _option(
        BACKGROUND_BOX,
        "int or None, optional",
        "Pixels on a side of the boxes in which the sky is measured, 16 or more.",
        "They are to have five times the half-light radius of the largest galaxies. "
        "None: the image has no sky any more, and nothing is subtracted (noise, where it is not "
        "given, is measured all the same).",
    )
    tile_size: int = _option(
        1024,
        "int, optional",
        "Pixels on a side of the tiles that are measured one after the other.",
        "Memory grows with it, the catalog does not depend on it.",
    )
    augment: bool = _option(
        False, "bool, optional", "Whether to average the posteriors of its eight orientations."
    )
    morphology: bool = _option(
        False,
        "bool, optional",
        "Whether to add what needs no profile: Petrosian radius, concentration, asymmetry and "
        "others.",
        "See :doc:`/user_guide/morphology`; neighbors have the light of the model there.",
    )
    refine: object = _option(
        None,
        "None, ``'lm'`` or ``'importance'``, optional",
        "Fit (lm) or importance sampling (importance) that starts from the network's posterior.",
        "Also a `~sersicnet.inference.LevenbergMarquardt` or "
        "`~sersicnet.inference.ImportanceSampling`.",
    )
    model: object = _option(
        "sersic",
        "str, Sersic or Model, optional",
        "What is fitted to each source: sersic, point, sersic+exp (a bulge and a disk), point+exp, "
        "point+sersic, or auto, by evidence.",
        "As in `~sersicnet.SersicNet.predict`, with values for all sources. All but a free Sersic "
        "profile needs a fit.",
    )
    companions: bool = _option(
        True,
        "bool, optional",
        "Whether fits (lm) look for companions of bright galaxies in what they leave.",
        "Those that are found are fitted with the galaxy, and have rows (flag ``COMPANION``). Not "
        "for other models than one Sersic profile: what this leaves may be parts.",
    )
    join_pairs: bool = _option(
        False,
        "bool, optional",
        "Whether to join close pairs that are one source by the evidence, with refine lm.",
    )
    hidden_sources: bool = _option(
        True,
        "bool, optional",
        "Whether errors of a refinement include those from sources that are too faint to be found.",
        "Their numbers follow from the sources that are counted in the image. Not in fits of "
        "several bands, nor in forced photometry.",
    )
    sky: str = _option(
        "prior",
        "{'prior', 'free', 'fixed', 'plane'}, optional",
        "What a refinement assumes about the sky that is left: 0 within sky_err (prior), anything "
        "(free), none (fixed), or 0 within sky_err in the middle with any slope (plane).",
    )
    sky_err: object = _option(
        None,
        "float or `~astropy.units.Quantity`, optional",
        "Standard deviation of that sky, in units of the noise of a pixel or in that of the image.",
        "By default the error of the local sky, and at least 0.03 of the noise.",
    )
    noise_correlation: object = _option(
        MEASURE,
        "'measure', None, (K, K) array_like or path, optional",
        "Correlation of the noise of two pixels at each distance, that the detection and a "
        "refinement assume: that of the image (measure), none, or a known one.",
        "An array has distance 0 in its middle; a path is that of a FITS file with such an array.",
    )
    n_samples: int = _option(
        64, "int, optional", "Samples of the network's posterior for medians and quantiles."
    )
    batch_size: int = _option(64, "int, optional", "Stamps per forward pass of the network.")
    covariance: bool = _option(
        False,
        "bool, optional",
        "Whether to add a column with the covariance matrix of the parameters, its upper triangle.",
        "COVNAMES of ``meta`` has their names. Of several bands, the magnitudes in all of them are "
        "among them.",
    )
    samples: int = _option(
        0,
        "int, optional",
        "Draws from the posterior of each source, in a second file beside the table, "
        "NAME.samples.parquet.",
        "It has ``id`` and a column of draws of each parameter; the same place in all columns is "
        "the same draw. All of them are in memory, 4 bytes for each number.",
    )
    seed: int = _option(
        0,
        "int, optional",
        "Seed of the network's samples, of those of importance sampling, and of draws.",
    )

    def __post_init__(self):
        if isinstance(self.psf, str) and self.psf == AUTO:
            object.__setattr__(self, "psf", None)  # one spelling in records of surveys
        check_values(self)

    @property
    def box_size(self):
        """Pixels on a side of the boxes in which the noise is measured, also without a sky."""
        if self.background_box is None:
            return BACKGROUND_BOX
        return self.background_box

    def predicting(self):
        """Those that `~sersicnet.SersicNet.predict` takes for each cutout, by name."""
        return {name: getattr(self, name) for name in _PREDICTING}

    @property
    def fitted(self):
        """What is fitted, a `~sersicnet.Model` or `~sersicnet.model.ModelChoice`."""
        from sersicnet.model.description import check_model

        return check_model(self.model)

    def assumptions(self):
        """What fits assume of sky and noise."""
        from sersicnet.inference.assumptions import Assumptions

        return Assumptions(self.sky, self.sky_err, self.noise_correlation)

    @property
    def measures_correlation(self):
        """Whether the correlation of the noise is measured."""
        return isinstance(self.noise_correlation, str) and self.noise_correlation == MEASURE

    def changed(self):
        """Those that differ from the default, by name."""
        changed = {}
        for option in fields(self):
            value = getattr(self, option.name)
            if value is option.default:
                continue
            # the value may be an array
            if option.default is None or hasattr(value, "shape") or value != option.default:
                changed[option.name] = value
        return changed

    def to_dict(self):
        """Those that differ from the default, as JSON can hold them.

        Returns
        -------
        dict
            Numbers and words; a quantity and the settings of a refinement as a dict.

        Raises
        ------
        TypeError
            If a value is not of these, such as an array.
        """
        return {name: to_json(name, value) for name, value in self.changed().items()}

    @classmethod
    def from_dict(cls, options):
        """Options from values by name, also as `to_dict` returns them.

        Parameters
        ----------
        options : dict
            The others have their defaults.

        Returns
        -------
        Options

        Raises
        ------
        ValueError
            If there is no option of a name, or a value is impossible.
        """
        known = [option.name for option in fields(cls)]
        for name in options:
            if name not in known:
                msg = f"{name!r} is not an option of measure_image: {', '.join(sorted(known))}"
                raise ValueError(msg)
        return cls(**{name: from_json(name, value) for name, value in options.items()})

    def replace(self, **changes):
        """A copy with some other values."""
        return replace(self, **changes)


Options.__doc__ = documented(Options.__doc__, fields(Options))
