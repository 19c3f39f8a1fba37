"""The scores of the Euclid Morphology Challenge, by its own formulas.

Bretonnière et al. (2023, A&A 671, A102) compare structural parameters with the truth in bins of
magnitude. These are the formulas of the code that they published with the paper
(https://github.com/Hbretonniere/Euclid_Morphology_Challenge), with what is unusual about them:

- the dispersion is the 0.68 quantile of ``|b| - median(b)``, not of ``|b - median(b)|``: a positive
  bias makes it smaller, a negative one larger;
- errors of the radius are relative, those of the axis ratio absolute, those of the Sérsic index
  differences of decimal logarithms, and each is an outlier above the same 0.5;
- galaxies that were not measured (NaN) count in none of the three, but in the number of galaxies.
"""

from itertools import pairwise

import numpy as np
from astropy.table import Table

from benchmarks.common.tables import plain, share

__all__ = [
    "OUTLIER",
    "PARAMETERS",
    "bias",
    "challenge_table",
    "completeness_table",
    "dispersion",
    "errors",
    "outliers",
]

# Errors above this are outliers.
OUTLIER = 0.5
PARAMETERS = ("r_eff", "q", "n")


def errors(measured, truth, name):
    """Return the errors of a parameter, in the measure that the challenge has for it.

    Parameters
    ----------
    measured, truth : array_like
        Measured and true values.
    name : {'r_eff', 'q', 'n'}
        Parameter.

    Returns
    -------
    `~numpy.ndarray`
    """
    measured = plain(measured)
    truth = plain(truth)
    match name:
        case "r_eff":
            return (measured - truth) / truth
        case "q":
            return measured - truth
        case "n":
            return np.log10(measured) - np.log10(truth)
    msg = f"name={name!r} must be one of {', '.join(PARAMETERS)}"
    raise ValueError(msg)


def bias(error):
    """Return the median of errors."""
    return np.nanmedian(error)


def dispersion(error):
    """Return the 0.68 quantile of the absolute values of errors minus the median of errors."""
    return np.nanquantile(np.abs(error) - np.nanmedian(error), 0.68)


def outliers(error):
    """Return the share of errors that are larger than 0.5."""
    return share(np.abs(error) > OUTLIER)


def challenge_table(measured, truth, edges, published):
    """Score catalogs of the same galaxies in bins of true magnitude.

    Parameters
    ----------
    measured : dict of str to `~astropy.table.Table`
        Catalogs by code, in the order of the truth.
    truth : `~astropy.table.Table`
        True ``mag``, ``r_eff``, ``q`` and ``n``, with the unit of the catalogs.
    edges : sequence of float
        Edges of the bins.
    published : dict of str to sequence of float
        Dispersions to show beside those of the codes, by parameter, one per bin.

    Returns
    -------
    `~astropy.table.Table`
        One row per parameter and bin.
    """
    rows = []
    for name in PARAMETERS:
        for number, (lower, upper) in enumerate(pairwise(edges)):
            inside = _inside(truth["mag"], lower, upper)
            row = {"parameter": name, "mag": f"{(lower + upper) / 2:.2f}"}
            row["galaxies"] = int(inside.sum())
            found = {}
            for code, table in measured.items():
                found[code] = errors(table[name][inside], truth[name][inside], name)
            for score in (bias, dispersion, outliers):
                for code, error in found.items():
                    value = score(error) if len(error) else np.nan
                    row[f"{score.__name__}: {code}"] = value
            row["dispersion: published"] = published[name][number]
            rows.append(row)
    return Table(rows=rows)


def completeness_table(truth, matches, edges):
    """Return the share of galaxies that each code has found, by magnitude and of all bins.

    Parameters
    ----------
    truth : `~astropy.table.Table`
        Galaxies, with ``mag``.
    matches : dict of str to int array
        Row of the catalog of each galaxy, -1 if it was not found, by code.
    edges : sequence of float
        Edges of the bins.

    Returns
    -------
    `~astropy.table.Table`
        One row per bin, and one of all.
    """
    rows = []
    names = [f"{(lower + upper) / 2:.2f}" for lower, upper in pairwise(edges)]
    limits = [*pairwise(edges), (edges[0], edges[-1])]
    for name, (lower, upper) in zip([*names, "all"], limits, strict=True):
        inside = _inside(truth["mag"], lower, upper)
        row = {"mag": name, "galaxies": int(inside.sum())}
        for code, match in matches.items():
            row[code] = share(match[inside] >= 0)
        rows.append(row)
    return Table(rows=rows)


def _inside(values, lower, upper):
    return (plain(values) > lower) & (plain(values) < upper)
