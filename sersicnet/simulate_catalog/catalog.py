"""Draw the truth table of simulated galaxies from priors; split, write and read it."""

import json

import astropy.units as u
import numpy as np
from astropy.table import QTable

from sersicnet._settings import check_seed
from sersicnet.io.files import write_table
from sersicnet.io.tables import read_table
from sersicnet.parameters import PARAMETERS
from sersicnet.simulate_catalog.config import SimulationConfig

__all__ = ["draw_catalog", "draw_row", "read_catalog", "split_catalog", "write_catalog"]


def draw_catalog(n, config, *, seed):
    """Draw the true parameters of ``n`` galaxies.

    Parameters
    ----------
    n : int
        Number of galaxies.
    config : `SimulationConfig`
        Priors, sizes of the cutouts and PSF.
    seed : int
        Non-negative seed; galaxy ``i`` depends on the seed and on ``i`` alone.

    Returns
    -------
    `~astropy.table.QTable`
        One row per galaxy: ``id``, the parameters of `~sersicnet.parameters.PARAMETERS` with
        units, the side of the cutout ``size`` (pixels) and the drawn ``psf_fwhm`` and
        ``psf_jitter`` (arcsec). ``meta`` holds the configuration and the seed.

    Raises
    ------
    ValueError
        If ``n`` or ``seed`` is negative or not an integer.

    Examples
    --------
    >>> from sersicnet.simulate_catalog import SimulationConfig, draw_catalog
    >>> config = SimulationConfig.candels_f160w()
    >>> catalog = draw_catalog(3, config, seed=1)
    >>> catalog["r_eff"].unit
    Unit("arcsec")
    """
    check_seed("n", n)
    check_seed("seed", seed)
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
    """Draw one galaxy with the generator ``rng``, as a dictionary of plain numbers."""
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
        Catalog to split.
    fractions : tuple of float
        Fraction of the rows in each part; the sum must be 1.
    seed : int
        Seed of the shuffle.

    Returns
    -------
    list of `~astropy.table.Table`
        One per fraction; each row is in one of them.

    Raises
    ------
    ValueError
        If the fractions are not positive or do not sum to one.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from sersicnet.simulate_catalog import split_catalog
    >>> parts = split_catalog(Table({"id": range(10)}), (0.8, 0.2), seed=1)
    >>> [len(part) for part in parts]
    [8, 2]
    """
    fractions = np.asarray(fractions, dtype=float)
    if fractions.ndim != 1 or (fractions <= 0).any() or not np.isclose(fractions.sum(), 1):
        msg = f"fractions={fractions.tolist()} must be positive and sum to 1"
        raise ValueError(msg)
    order = np.random.default_rng(seed).permutation(len(catalog))
    borders = np.rint(np.cumsum(fractions)[:-1] * len(catalog)).astype(int)
    return [catalog[np.sort(part)] for part in np.split(order, borders)]


def write_catalog(catalog, path, *, overwrite=False):
    """Write a catalog, without loss, to a file that `read_catalog` reads.

    Parameters
    ----------
    catalog : `~astropy.table.QTable`
        Catalog from `draw_catalog`, or some rows of it.
    path : str or path-like
        The file: ``.ecsv``, ``.fits``, ``.vot``, or ``.parquet`` (which needs pyarrow).
    overwrite : bool
        Whether to replace an existing file.

    Raises
    ------
    OSError
        If the file exists and ``overwrite`` is False.
    ValueError
        If the format is another one, which would lose units or the configuration.

    Notes
    -----
    FITS and VOTable do not have a unit for AB magnitudes: see `~sersicnet.io.write_table`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sersicnet.simulate_catalog import (
    ...     SimulationConfig,
    ...     draw_catalog,
    ...     read_catalog,
    ...     write_catalog,
    ... )
    >>> config = SimulationConfig.candels_f160w()
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "catalog.ecsv"
    ...     write_catalog(draw_catalog(3, config, seed=1), path)
    ...     catalog, again = read_catalog(path)
    >>> again == config
    True
    """
    write_table(catalog, path, overwrite=overwrite)


def read_catalog(path):
    """Read a catalog that `write_catalog` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    catalog : `~astropy.table.QTable`
        The truth table, with units.
    config : `SimulationConfig`
        Configuration of the simulation.

    Raises
    ------
    ValueError
        If the table does not have a configuration.

    Examples
    --------
    See `write_catalog`.
    """
    catalog = read_table(path)
    # FITS writes keys in upper case
    catalog.meta = {key.lower(): value for key, value in catalog.meta.items()}
    if "config" not in catalog.meta:
        msg = f"{path} has no 'config' in its metadata: it must come from draw_catalog"
        raise ValueError(msg)
    return catalog, SimulationConfig.from_dict(json.loads(catalog.meta["config"]))
