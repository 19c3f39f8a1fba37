"""What commands have in common."""

import re
import sys
from pathlib import Path

__all__ = [
    "add_measuring",
    "add_refine",
    "add_units",
    "in_options",
    "measuring_of",
    "show_progress",
    "units_of",
]

# Arguments of the Python API of which the option has another name.
_OTHER_NAMES = {
    "name": "weights",
    "path": "output",
    "n_jobs": "jobs",
    "n_workers": "workers",
    "max_epochs": "epochs",
}
# An argument in a message: psf=None, psf_oversampling=0, or psf= with no value behind it.
_ARGUMENT = re.compile(r"(?<![\w./'\"-])([a-z_]+)=(None\b)?(?=([\w'\"-])?)")


def read_named_cutouts(paths):
    """Cutouts and names of the files that can be read; the others are told, status 1."""
    from sersicnet.io.cutouts import read_cutouts

    cutouts, names, status = [], [], 0
    for path in paths:
        try:
            found = read_cutouts(path)
        except (OSError, ValueError) as error:
            print(f"sersicnet: {error}", file=sys.stderr)
            status = 1
            continue
        cutouts += found
        stem = Path(path).stem
        names += [stem] if len(found) == 1 else [f"{stem}-{i}" for i in range(len(found))]
    return cutouts, names, status


def add_units(parser):
    """Options that say what a pixel and a count are, and which weights measure."""
    parser.add_argument("--pixel-scale", type=float, help="arcsec/pixel; default: WCS or header")
    parser.add_argument("--zeropoint", type=float, help="AB mag of a flux of 1; default: header")
    parser.add_argument(
        "--weights",
        default="universal",
        help="universal (any image with its PSF), deeplegato or deeplegato-mag (images like "
        "CANDELS F160W), cosmos (COSMOS F814W), or a file; default: %(default)s",
    )


def add_refine(parser):
    """How much is done for a better answer."""
    parser.add_argument(
        "--augment", action="store_true", help="mean of the stamp seen in eight ways"
    )
    parser.add_argument(
        "--refine", choices=("lm", "importance"), help="polish the network's answer by a fit"
    )


def add_measuring(parser):
    """How survey images are measured."""
    parser.add_argument(
        "--psf", metavar="PSF", help="star-like stamp (FITS) or PSFEx file; default: that of IMAGE"
    )
    parser.add_argument(
        "--psf-oversampling", type=int, default=1, metavar="K", help="stamp pixels per image pixel"
    )
    parser.add_argument(
        "--saturation", type=float, metavar="LEVEL", help="in the unit of IMAGE; default: SATURATE"
    )
    parser.add_argument(
        "--threshold", type=float, default=1.5, help="of detection, in sigma (default: %(default)s)"
    )
    parser.add_argument("--no-sky", action="store_true", help="IMAGE has no sky to take off")
    add_refine(parser)
    parser.add_argument(
        "--n-passes",
        type=int,
        metavar="N",
        help="how often sources are measured, from the second time without the light of their "
        "neighbors; default: 6 with --refine, else 1",
    )
    parser.add_argument("--tile-size", type=int, default=1024, help="pixels (default: %(default)s)")
    add_units(parser)


def units_of(options):
    """Arguments of the Python API."""
    return {"pixel_scale": options.pixel_scale, "zeropoint": options.zeropoint}


def measuring_of(options):
    """Likewise, of what `add_measuring` has added."""
    names = ("psf", "psf_oversampling", "saturation", "threshold", "tile_size", "n_passes")
    values = {name: getattr(options, name) for name in (*names, "augment", "refine")}
    sky = {"background_box": None} if options.no_sky else {}
    return values | units_of(options) | sky


def in_options(message, options):
    """An error message of the Python API for who knows only options: ``--psf`` for ``psf=``.

    Parameters
    ----------
    message : str
        The message.
    options : `argparse.Namespace`
        With the ``parser`` of the command: what is none of its options stays as it is.

    Returns
    -------
    str
    """
    known = set(re.findall(r"--[a-z-]+", options.parser.format_help()))

    def translated(found):
        argument, none, value = found.groups()
        option = "--" + _OTHER_NAMES.get(argument, argument).replace("_", "-")
        if option not in known:
            return found[0]
        return f"no {option}" if none else option + "=" * (value is not None)

    return _ARGUMENT.sub(translated, message)


def show_progress():
    """Whether somebody would see a progress bar."""
    return sys.stderr.isatty()
