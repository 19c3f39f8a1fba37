"""Values for each of several bands on the command line: ``g=g.fits,r=r.fits``."""

import re
from functools import partial
from pathlib import Path

__all__ = ["image_of", "let_bands", "of_bands"]

# Options of `sersicnet measure` that may differ between bands.
_OPTIONS = ("psf", "psf_oversampling", "rms", "weight_map", "mask", "mask_bits", "saturation")
_OPTIONS += ("zeropoint", "pixel_scale", "gain", "sky_err", "noise_correlation", "background_box")
_BAND = re.compile(r"([A-Za-z0-9]\w*)=(.+)", re.ASCII)
_NEXT = re.compile(r",(?=[A-Za-z0-9]\w*=)", re.ASCII)


def of_bands(word, convert=str):
    """Convert a word to a value, or to those of several bands.

    Parameters
    ----------
    word : str
        A value, or ``NAME=VALUE``, several of them separated by commas. The name of a file that
        exists is a value.
    convert : callable, optional
        Function that makes a value of a word.

    Returns
    -------
    object or dict

    Examples
    --------
    >>> from sersicnet.cli.bands import of_bands
    >>> of_bands("g=25.1,r=26", float), of_bands("star.fits")
    ({'g': 25.1, 'r': 26.0}, 'star.fits')
    """
    if not _BAND.fullmatch(word) or Path(word).exists():
        return convert(word)
    found = {}
    for one in _NEXT.split(word):
        band, value = _BAND.fullmatch(one).groups()
        found[band] = convert(value)
    return found


def image_of(words):
    """Return the image of a command, or those of several bands.

    Parameters
    ----------
    words : list of str
        Paths, or ``NAME=PATH``.

    Returns
    -------
    str, dict or None
        None where there is none.

    Raises
    ------
    ValueError
        If there are several paths without the name of a band, or a name is there twice.

    Examples
    --------
    >>> from sersicnet.cli.bands import image_of
    >>> image_of(["g=g.fits", "r=r.fits"]), image_of(["field.fits"])
    ({'g': 'g.fits', 'r': 'r.fits'}, 'field.fits')
    """
    found = {}
    for word in words:
        one = of_bands(word)
        if not isinstance(one, dict):
            if len(words) > 1:
                msg = f"IMAGE is {' '.join(words)}: several are bands, each as NAME={word}"
                raise ValueError(msg)
            return one
        for band in one.keys() & found.keys():
            msg = f"IMAGE has the band {band!r} twice"
            raise ValueError(msg)
        found |= one
    return found or None


def let_bands(parser):
    """Let options of a command have values for each of several bands.

    Parameters
    ----------
    parser : `argparse.ArgumentParser`
        The command.
    """
    for action in parser._actions:
        if action.dest in _OPTIONS:
            action.type = partial(of_bands, convert=action.type or str)
