"""The values that options of `~sersicnet.measure.measure_image` may have."""

from math import isnan
from numbers import Real

from sersicnet._settings import check_bool, check_positive, check_seed

__all__ = [
    "AUTO",
    "FILES",
    "FIXED",
    "FREE_POSITION",
    "MEASURE",
    "SHAPE",
    "STARS",
    "check_number",
    "check_values",
    "files_of",
    "has_free_position",
    "is_word",
]

# Options that are files on the command line and in a survey.
FILES = ("psf", "rms", "weight_map", "mask", "catalog", "segmentation", "noise_correlation")
FILES += ("detection_image", "stars")
MEASURE = "measure"
# The PSF of the image, else one from its stars; the latter in any case.
AUTO = "auto"
STARS = "stars"
# What a catalog fixes in forced photometry, and the word for all of it; and without the position.
FIXED = ("r_eff", "n", "q", "theta", "x_0", "y_0")
FREE_POSITION = FIXED[:4]
SHAPE = "shape"
# Options that may be a word instead of a file.
_WORDS = {"psf": (AUTO, STARS), "noise_correlation": (MEASURE,)}

# FWHM of the largest Gaussian that finds sources, in pixels: its wings end within the margin around
# cutouts that makes the catalog independent of the tiles.
LARGEST_KERNEL = 10
# Side of the smallest tile: a window is larger by some 200 pixels, and read for each tile.
_SMALLEST_TILE = 32
# Side of the smallest box of the sky: in smaller ones, a star is most of the box.
_SMALLEST_BOX = 16


def check_values(options):
    """Raise an error if an option has an impossible value.

    Parameters
    ----------
    options : `~sersicnet.measure.Options`
        The options.

    Raises
    ------
    TypeError, ValueError
        With the name of the option, its value, and what is needed.
    """
    from sersicnet.inference.assumptions import check_sky, known_correlation
    from sersicnet.io.mask_bits import check_mask_bits
    from sersicnet.preprocessing.units import per_cutout

    check_mask_bits(options.mask_bits)
    check_sky(options.sky, options.sky_err, n_values=1)
    known_correlation(options.noise_correlation)
    per_cutout(options.gain, 1, "gain")
    _check_sizes(options)
    _check_numbers(options)
    check_seed("seed", options.seed)
    check_bool("augment", options.augment)
    check_bool("morphology", options.morphology)
    check_bool("normalize_psf", options.normalize_psf)
    check_bool("recenter_psf", options.recenter_psf)
    check_bool("large_first", options.large_first)
    check_bool("companions", options.companions)
    check_bool("hidden_sources", options.hidden_sources)
    check_bool("join_pairs", options.join_pairs)
    _check_draws(options)
    if options.catalog is not None and options.segmentation is not None:
        msg = "catalog and segmentation are both given: each says what the sources are"
        raise ValueError(msg)
    if options.detection_image is not None and options.segmentation is not None:
        msg = "detection_image and segmentation are both given: each says what the sources are"
        raise ValueError(msg)
    _check_fixed(options)
    _check_model(options)
    if options.refine is not None:
        from sersicnet.inference.refine import check_refinement

        check_refinement(options.refine)
    _check_join_pairs(options)


def _check_draws(options):
    """Check that draws and covariances are of posteriors."""
    check_bool("covariance", options.covariance)
    if options.samples != 0 or isinstance(options.samples, bool):
        check_positive("samples", options.samples)
    for name in ("covariance", "samples"):
        if options.fixed is not None and getattr(options, name):
            msg = (
                f"{name}={getattr(options, name)!r} is for sources whose structure is fitted: "
                "fluxes of fixed= have a normal error, flux_err"
            )
            raise ValueError(msg)


def _check_join_pairs(options):
    """Check that there are evidences of pairs, and that all sources were detected."""
    if not options.join_pairs:
        return
    from sersicnet.inference.refine import LevenbergMarquardt, check_refinement

    refine = options.refine
    if refine is None and not options.fitted.is_free:
        refine = "lm"  # as images of sources with such a model have
    refinement = check_refinement(refine)
    if not isinstance(refinement, LevenbergMarquardt) or not refinement.prior:
        msg = f"join_pairs=True needs refine='lm' with its prior, not refine={options.refine!r}"
        raise ValueError(msg)
    for name in ("catalog", "segmentation"):
        if getattr(options, name) is not None:
            msg = f"join_pairs=True is for sources that are detected, not for {name}="
            raise ValueError(msg)


def _check_fixed(options):
    """Check what is taken from a catalog: all that forced photometry needs, or nothing."""
    check_bool("catalog_errors", options.catalog_errors)
    if options.fixed is None:
        if options.catalog_errors:
            msg = "catalog_errors=True is for forced photometry: fixed= says what is not fitted"
            raise ValueError(msg)
        return
    names = FIXED if options.fixed == SHAPE else options.fixed
    if isinstance(names, str) or set(names) not in (set(FIXED), set(FREE_POSITION)):
        msg = (
            f"fixed={options.fixed!r} must be {SHAPE!r}, or all of {', '.join(FIXED)}, the last "
            "two or none: other values are fixed by the model= of predict"
        )
        raise ValueError(msg)
    if options.catalog is None:
        msg = "fixed= needs catalog=, from which sizes, shapes and positions are taken"
        raise ValueError(msg)
    if options.morphology:
        msg = "morphology=True is for sources whose structure is measured, not for fixed="
        raise ValueError(msg)
    if options.refine is not None:
        msg = f"refine={options.refine!r} is for sources whose structure is fitted, not for fixed="
        raise ValueError(msg)


def has_free_position(fixed):
    """Return whether forced photometry fits positions.

    Parameters
    ----------
    fixed : str, sequence of str or None
        The option ``fixed``.

    Returns
    -------
    bool

    Examples
    --------
    >>> from sersicnet.measure.option_values import has_free_position
    >>> has_free_position("shape"), has_free_position(("r_eff", "n", "q", "theta"))
    (False, True)
    """
    return fixed not in (None, SHAPE) and set(fixed) == set(FREE_POSITION)


def _check_model(options):
    """Check what is fitted: the same to all sources."""
    model = options.fitted
    if options.fixed is not None and not model.is_free:
        msg = f"model={model!r} is for sources whose structure is fitted, not for fixed="
        raise ValueError(msg)
    try:
        model.check_length(0)
    except ValueError:
        msg = f"model={model!r} has values of single galaxies: sources of images have one for all"
        raise ValueError(msg) from None
    places = sorted({"x_0", "y_0"} & set(getattr(model, "settings", ())))
    if places:
        msg = f"model={model!r} has {', '.join(places)}: sources of images have their own centers"
        raise ValueError(msg)


def files_of(options):
    """Return those of some options that are given and files.

    Parameters
    ----------
    options : mapping
        Values by name.

    Returns
    -------
    dict
        Their values by name, without the word ``'measure'`` for a correlation of noise.

    Examples
    --------
    >>> from sersicnet.measure.option_values import files_of
    >>> files_of({"psf": "star.fits", "threshold": 2.0, "noise_correlation": "measure"})
    {'psf': 'star.fits'}
    """
    files = {}
    for name in FILES:
        value = options.get(name)
        if not is_word(name, value):
            files[name] = value
    return files


def is_word(name, value):
    """Return whether the value of an option stands for no file: it is None or a word.

    Parameters
    ----------
    name : str
        Name of the option.
    value : object
        The value.

    Returns
    -------
    bool

    Examples
    --------
    >>> from sersicnet.measure.option_values import is_word
    >>> is_word("psf", "stars"), is_word("psf", "psf.fits"), is_word("rms", "stars")
    (True, False, False)
    """
    return value is None or (isinstance(value, str) and value in _WORDS.get(name, ()))


def _check_sizes(options):
    """Check the options that are counts of pixels or of anything else."""
    for name in ("n_pixels", "tile_size", "batch_size", "n_samples"):
        check_positive(name, getattr(options, name))
    if options.background_box is not None:
        check_positive("background_box", options.background_box)
    if options.tile_size < _SMALLEST_TILE:
        msg = f"tile_size={options.tile_size} must be {_SMALLEST_TILE} or more"
        raise ValueError(msg)
    if options.box_size < _SMALLEST_BOX:
        msg = (
            f"background_box={options.background_box} must be {_SMALLEST_BOX} pixels or more, and "
            "several times larger than the galaxies, whose light it takes for sky otherwise"
        )
        raise ValueError(msg)


def _check_numbers(options):
    """Check the options that are numbers with a unit or none."""
    if not check_number("threshold", options.threshold) > 0:
        msg = f"threshold={options.threshold} must be positive"
        raise ValueError(msg)
    width = options.kernel_fwhm
    if width is not None and not 0 < check_number("kernel_fwhm", width) <= LARGEST_KERNEL:
        msg = f"kernel_fwhm={width} must be positive and at most {LARGEST_KERNEL}"
        raise ValueError(msg)
    if not 0 <= check_number("contrast", options.contrast) <= 1:
        msg = f"contrast={options.contrast} must be between 0 and 1"
        raise ValueError(msg)
    if options.saturation is not None and isnan(check_number("saturation", options.saturation)):
        msg = f"saturation={options.saturation} must be a number: the value of saturated pixels"
        raise ValueError(msg)


def check_number(name, value):
    """Return the value of an option that is a number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        msg = f"{name}={value!r} must be a number"
        raise TypeError(msg)
    return value
