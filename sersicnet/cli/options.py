"""Options that several commands have."""

import re
import sys
from collections import Counter
from pathlib import Path

from sersicnet.io.paths import check_inputs
from sersicnet.measure.option_values import FREE_POSITION, SHAPE
from sersicnet.measure.options import Options
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = [
    "MODELS",
    "TABLE_HELP",
    "add_device",
    "add_draws",
    "add_jobs",
    "add_mask_bits",
    "add_measuring",
    "add_option",
    "add_planes",
    "add_population",
    "add_recenter",
    "add_refine",
    "add_units",
    "load_net",
    "measuring_of",
    "population_file",
    "read_named_cutouts",
    "read_psf",
    "units_of",
]

# Names of `sersicnet.Model`, which imports torch, and the choice between most of them.
MODELS = ("sersic", "point", "sersic+exp", "point+sersic", "point+exp", *PROFILE_SHAPES, "auto")
TABLE_HELP = "table to write: .ecsv, .fits, .vot or .parquet; an existing file is replaced"


def read_named_cutouts(paths, *, hdu=None, mask_bits=None):
    """Read cutouts from files, and report the files that cannot be read.

    Parameters
    ----------
    paths : list of str
        FITS files.
    hdu : str, optional
        Which image of each file, ``"all"`` for all.
    mask_bits : str, optional
        As in `~sersicnet.io.read_cutouts`.

    Returns
    -------
    cutouts : list of `~astropy.nddata.CCDData`
        The cutouts of all readable files.
    names : list of str
        Their names, all different: the name of the file, with its folder if several files have
        that name, and with a number if it holds several or is given again.
    status : int
        Exit status: 1 if a file cannot be read, else 0.
    """
    from sersicnet.io.cutouts import read_cutouts

    cutouts = []
    names = []
    status = 0
    for path, name in zip(paths, _names_of(paths), strict=True):
        try:
            check_inputs({"CUTOUT": path})
            found = read_cutouts(path, hdu=hdu, mask_bits=mask_bits)
        except (OSError, ValueError, MemoryError, ImportError) as error:
            print(f"sersicnet: {error}", file=sys.stderr)
            status = 1
            continue
        cutouts += found
        if len(found) == 1:
            names.append(name)
        else:
            names += [f"{name}-{i}" for i in range(len(found))]
    return cutouts, _all_different(names), status


def _all_different(names):
    """Add a number to names that occur again."""
    taken = set(names)
    chosen = []
    seen = set()
    for name in names:
        new = name
        number = 1
        while new in seen or (new != name and new in taken):
            number += 1
            new = f"{name}-{number}"
        seen.add(new)
        chosen.append(new)
    return chosen


def _names_of(paths):
    """The name of each file without its suffix, with its folder where that is needed."""
    wholes = [re.sub(r"(\.fits?)?(\.[fg]z)?($|(?=\[))", "", str(path)) for path in paths]
    names = [Path(whole).name for whole in wholes]
    counts = Counter(names)
    chosen = []
    for whole, name in zip(wholes, names, strict=True):
        chosen.append(name if counts[name] == 1 else whole)
    return chosen


def add_option(parser, name, **settings):
    """Add an option of `~sersicnet.measure.measure_image` to a command.

    Parameters
    ----------
    parser : `argparse.ArgumentParser` or group
        The command.
    name : str
        Name of the option in Python.
    **settings
        Arguments of `~argparse.ArgumentParser.add_argument`. Help and default are by default those
        of `~sersicnet.measure.Options`.

    Examples
    --------
    >>> from argparse import ArgumentParser
    >>> from sersicnet.cli.options import add_option
    >>> parser = ArgumentParser()
    >>> add_option(parser, "tile_size", type=int)
    >>> parser.parse_args([]).tile_size, parser.parse_args(["--tile-size", "512"]).tile_size
    (1024, 512)
    """
    default = getattr(Options, name)
    about = Options.__dataclass_fields__[name].metadata["summary"]
    shown = about.removesuffix(".").removeprefix("Whether to ")
    if shown[1].islower():  # no abbreviation
        shown = shown[0].lower() + shown[1:]
    if default is not None and "action" not in settings:
        shown = f"{shown} (default: %(default)s)"
    settings = {"default": default, "help": shown} | settings
    parser.add_argument("--" + name.replace("_", "-"), **settings)


def add_units(parser):
    """Add the options that say what a pixel and a count are, and which weights measure."""
    add_option(parser, "pixel_scale", type=float, help="arcsec/pixel; default: WCS or header")
    add_option(
        parser,
        "zeropoint",
        type=float,
        help="AB magnitude of one unit of the data; default: header",
    )
    add_option(
        parser,
        "gain",
        type=float,
        help="electrons per unit of the data, for the noise of the galaxies' photons where the "
        "noise map lacks it (inf: none); default: unit and header",
    )
    parser.add_argument(
        "--weights",
        default="universal",
        help="universal (any image with its PSF), deeplegato or deeplegato-mag (images like "
        "CANDELS F160W), cosmos (COSMOS F814W), or a file; default: %(default)s",
    )


def add_device(parser):
    """Add the option that says where the network runs."""
    parser.add_argument(
        "--device",
        default="auto",
        choices=("auto", "cpu", "gpu"),
        help="where networks run; auto is a GPU if there is one; default: %(default)s",
    )


def add_population(parser):
    """Add the option of the population of the sources."""
    parser.add_argument(
        "--population",
        metavar="infer|FILE",
        help="population of the sources, taken as their prior in further columns: infer it, or "
        "read it from a file",
    )


def population_file(options):
    """Return the path of the file of a population, None where there is none."""
    if options.population == "infer":
        return None
    return options.population


def add_jobs(parser, **settings):
    """Add the option for the number of processes, which is called the same in all commands."""
    parser.add_argument("-j", "--jobs", type=int, metavar="N", **settings)


def add_mask_bits(parser):
    """Add the option that says which bits of masks mean bad."""
    add_option(
        parser,
        "mask_bits",
        metavar="BITS",
        help="bits of masks that mean bad: their sum or names, such as BAD,SAT; default: those "
        "of the mission, else all",
    )


def add_refine(parser):
    """Add the options that take time for better posteriors."""
    add_option(parser, "augment", action="store_true")
    add_option(parser, "morphology", action="store_true")
    add_option(parser, "refine", choices=("lm", "importance"))
    add_option(
        parser,
        "sky",
        choices=("prior", "free", "fixed", "plane"),
        help="with --refine, the sky that is left: 0 within --sky-err, anything, none, or a plane "
        "with any slope; "
        "default: %(default)s",
    )
    add_option(
        parser,
        "sky_err",
        type=float,
        metavar="SIGMA",
        help="standard deviation of that sky, in units of the noise of a pixel; default: 0.03, or "
        "the error of the sky that was subtracted",
    )
    add_option(
        parser,
        "noise_correlation",
        type=_noise_correlation,
        metavar="FITS",
        help="with --refine, the correlation of the noise: measure, none, or a file with the "
        "correlation at each distance; default: %(default)s",
    )


def _noise_correlation(word):
    """The argument ``noise_correlation`` of a word."""
    return None if word == "none" else word


def add_recenter(parser):
    """Add the option of a PSF that is off the middle of its stamp on purpose."""
    parser.add_argument(
        "--no-recenter-psf",
        dest="recenter_psf",
        action="store_false",
        help="leave the star where it is on its PSF stamp: positions are off by its offset",
    )


def add_planes(parser):
    """Add the options for noise and mask of an image in files of their own."""
    noise = parser.add_mutually_exclusive_group()
    add_option(noise, "rms", metavar="RMS", help="noise (FITS): 1 sigma, in the unit of IMAGE")
    add_option(noise, "weight_map", metavar="WEIGHT", help="noise (FITS): inverse variances")
    add_option(parser, "mask", metavar="MASK", help="bad pixels (FITS): not zero")


def add_measuring(parser):
    """Add the options of survey images that one command or many images share."""
    add_option(
        parser,
        "psf",
        metavar="PSF",
        help="star-like stamp (FITS) or PSFEx file; default: that of IMAGE, else one made from its "
        "stars (auto); stars: one made from them in any case",
    )
    add_option(parser, "psf_oversampling", type=int, metavar="K")
    add_recenter(parser)
    add_option(
        parser,
        "saturation",
        type=float,
        metavar="LEVEL",
        help="value of saturated pixels, with the sky, in the unit of IMAGE; default: SATURATE",
    )
    add_mask_bits(parser)
    add_detection(parser)
    add_refine(parser)
    add_option(
        parser,
        "model",
        choices=MODELS,
        help="what is fitted: one Sersic profile, a star, a bulge and a disk, a nucleus and its "
        "host or disk; auto compares all but the host by evidence; default: %(default)s",
    )
    parser.add_argument(
        "--no-companions",
        dest="companions",
        action="store_false",
        help="with --refine lm, do not look for companions of bright galaxies",
    )
    add_option(parser, "join_pairs", action="store_true")
    parser.add_argument(
        "--no-hidden-sources",
        dest="hidden_sources",
        action="store_false",
        help="with --refine, leave sources that are too faint to be found out of the errors",
    )
    add_option(
        parser,
        "fixed",
        choices=(SHAPE,),
        help="forced photometry: take sizes, shapes and positions from CAT, and fit fluxes only",
    )
    parser.add_argument(
        "--free-position",
        action="store_true",
        help="with --fixed, fit positions too, within the errors that CAT has for them and 0.05 "
        "arcsec",
    )
    add_option(parser, "catalog_errors", action="store_true")
    add_option(parser, "tile_size", type=int, metavar="PIXELS")
    add_units(parser)


def add_draws(parser):
    """Add the options that say what of posteriors is written beside quantiles."""
    add_option(parser, "covariance", action="store_true")
    add_option(
        parser,
        "samples",
        type=int,
        metavar="K",
        help="draws from the posterior of each source, in a second file: NAME.samples.parquet "
        "beside the table, samples/NAME.parquet of a survey",
    )


def load_net(options):
    """The network of the options ``--weights`` and ``--device``."""
    from sersicnet.estimator import SersicNet
    from sersicnet.io.weights import weights_path

    net = SersicNet.load(weights_path(options.weights))
    return net.set_params(device=options.device)


def read_psf(path):
    """Read a PSF, None if it is that of the cutouts: see `sersicnet.io.read_psf`."""
    if path is None:
        return None
    from sersicnet.io.psf_files import read_psf

    return read_psf(path)


def add_detection(parser):
    """Add the options that say what a source is, and what is sky."""
    add_option(parser, "threshold", type=float, metavar="SIGMA")
    add_option(parser, "kernel_fwhm", type=float, metavar="PIXELS")
    add_option(parser, "n_pixels", type=int, metavar="N")
    add_option(parser, "contrast", type=float, metavar="FRACTION")
    parser.add_argument(
        "--no-large-first",
        dest="large_first",
        action="store_false",
        help="do not join parts of large galaxies",
    )
    sky = parser.add_mutually_exclusive_group()
    add_option(sky, "background_box", type=int, metavar="PIXELS")
    sky.add_argument("--no-sky", action="store_true", help="IMAGE has no sky to subtract")


def units_of(options):
    """The arguments ``pixel_scale``, ``zeropoint`` and ``gain`` from the options of a command."""
    return {name: getattr(options, name) for name in ("pixel_scale", "zeropoint", "gain")}


def measuring_of(options):
    """The options of `~sersicnet.measure.measure_image` from those of a command.

    Parameters
    ----------
    options : `argparse.Namespace`
        The options of a command with `add_measuring`.

    Returns
    -------
    dict
        Values by name. What the command has no option for keeps its default.
    """
    names = Options.__dataclass_fields__
    found = {name: value for name, value in vars(options).items() if name in names}
    if options.no_sky:
        found["background_box"] = None
    if options.free_position:
        if options.fixed is None:
            options.parser.error("--free-position is for forced photometry: --fixed shape")
        found["fixed"] = FREE_POSITION
    return found
