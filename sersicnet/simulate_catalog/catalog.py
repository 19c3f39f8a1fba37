"""The truth about simulated galaxies: drawn from priors, split, written and read.

`sersicnet.simulate_catalog` offers these functions, and draws the cutouts.
"""

import json

import astropy.units as u
import numpy as np
from astropy.table import QTable

from sersicnet.io.files import read_table, write_table
from sersicnet.parameters import PARAMETERS
from sersicnet.simulate_catalog.config import SimulationConfig

__all__ = ["draw_catalog", "draw_row", "read_catalog", "split_catalog", "write_catalog"]


def draw_catalog(n, config, *, seed):
    """Draw the true parameters of ``n`` galaxies.

    Parameters
    ----------
    n : int
        Number of galaxies.
    config : SimulationConfig
        Priors, stamp sizes and PSF.
    seed : int
        Non-negative seed; galaxy ``i`` depends on it and on ``i`` alone.

    Returns
    -------
    `~astropy.table.QTable`
        One row a galaxy: ``id``, the parameters of `~sersicnet.parameters.PARAMETERS` with
        units, the side of the cutout ``size`` (pixels) and the drawn ``psf_fwhm`` and
        ``psf_jitter`` (arcsec). ``meta`` holds the configuration and the seed.

    Raises
    ------
    ValueError
        If ``n`` or ``seed`` is negative or not an integer.
    """
    for name, value in (("n", n), ("seed", seed)):
        if not isinstance(value, (int, np.integer)) or value < 0:
            msg = f"{name}={value!r} must be a non-negative integer"
            raise ValueError(msg)
    rows = [draw_row(i, config, np.random.default_rng([seed, i, 0])) for i in range(n)]
    names = ("id", *PARAMETERS, "size", "psf_fwhm", "psf_jitter")
    table = QTable({name: np.array([row[name] for row in rows]) for name in names})
    table["id"] = table["id"].astype(np.int64)
    table["size"] = table["size"].astype(np.int64)
    for name, parameter in PARAMETERS.items():
        if parameter.unit is not None:
            table[name] = table[name] * parameter.unit
    for name in ("psf_fwhm", "psf_jitter"):
        table[name] = table[name] * u.arcsec
    table.meta = {"config": json.dumps(config.to_dict()), "seed": int(seed)}
    return table


def draw_row(index, config, rng):
    """Draw one galaxy with the generator ``rng``: its row as a dictionary of plain numbers."""
    row = {name: config.priors[name].sample(rng) for name in ("mag", "r_eff", "n", "q", "theta")}
    size = int(rng.integers(config.stamp_size[0], config.stamp_size[1], endpoint=True))
    middle = (size - 1) / 2
    jitter = min(config.center_jitter, middle)
    row["x_0"], row["y_0"] = middle + rng.uniform(-jitter, jitter, 2)
    row["psf_fwhm"] = rng.uniform(*np.broadcast_to(config.psf.fwhm, 2))
    row["psf_jitter"] = rng.uniform(*np.broadcast_to(config.psf.jitter, 2))
    return {"id": index, "size": size, **row}


def split_catalog(catalog, fractions=(0.8, 0.1, 0.1), *, seed):
    """Split a catalog at random.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        The whole.
    fractions : tuple of float
        Share of each part; they sum to one.
    seed : int
        Of the shuffle.

    Returns
    -------
    list of `~astropy.table.Table`
        One a fraction, together every row once.

    Raises
    ------
    ValueError
        If the fractions are not positive or do not sum to one.
    """
    fractions = np.asarray(fractions, dtype=float)
    if fractions.ndim != 1 or (fractions <= 0).any() or not np.isclose(fractions.sum(), 1):
        msg = f"fractions={fractions.tolist()} must be positive and sum to 1"
        raise ValueError(msg)
    order = np.random.default_rng(seed).permutation(len(catalog))
    borders = np.rint(np.cumsum(fractions)[:-1] * len(catalog)).astype(int)
    return [catalog[np.sort(part)] for part in np.split(order, borders)]


def write_catalog(catalog, path, *, overwrite=False):
    """Write a catalog; `read_catalog` reads it back, nothing lost.

    Parameters
    ----------
    catalog : `~astropy.table.QTable`
        From `draw_catalog`, or some rows of it.
    path : str or path
        The file: ``.ecsv``, ``.fits``, or ``.parquet`` (which needs pyarrow).
    overwrite : bool
        Whether to replace an existing file.

    Raises
    ------
    OSError
        If the file exists and ``overwrite`` is False.
    ValueError
        If the format is another, which would lose units or the configuration.

    Notes
    -----
    FITS has no unit for AB magnitudes. The one of ``mag`` is kept in a comment that
    astropy alone understands, of which it warns; this function does not.
    """
    write_table(catalog, path, overwrite=overwrite)


def read_catalog(path):
    """Read a catalog of `write_catalog`.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    catalog : `~astropy.table.QTable`
        The truth, with units.
    config : SimulationConfig
        What it was drawn from.

    Raises
    ------
    ValueError
        If the table has no configuration.
    """
    catalog = read_table(path)
    # FITS makes the keys upper case
    catalog.meta = {key.lower(): value for key, value in catalog.meta.items()}
    if "config" not in catalog.meta:
        msg = f"{path} has no 'config' in its metadata: it is not from draw_catalog"
        raise ValueError(msg)
    return catalog, SimulationConfig.from_dict(json.loads(catalog.meta["config"]))
