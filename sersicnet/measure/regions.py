"""Catalogs as region files, which DS9 and other viewers draw over the image."""

import numpy as np

from sersicnet.io.files import atomic_path, check_folder
from sersicnet.parameters import PARAMETERS, to_floats

__all__ = ["write_regions"]

_HEADER = """\
# Region file format: DS9 version 4.1
# Half-light ellipses of sersicnet: green without flags, yellow with flags, red without a result
global color=green
image
"""


def write_regions(catalog, path, *, pixel_scale=None):
    """Write a catalog as a region file of DS9, in pixels of its image.

    Each galaxy is its half-light ellipse, green or, if it has flags, yellow. A source without a
    result is a red cross at its centroid. The text is the ``id``.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        Catalog of `~sersicnet.measure.measure_image`.
    path : str or path-like
        The file to write, usually ``.reg``. An existing file is replaced.
    pixel_scale : float, optional
        Arcsec per pixel, by default that in the ``meta`` of the catalog.

    Raises
    ------
    ValueError
        If the catalog has neither centers nor centroids, or its pixel scale is unknown.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from astropy.table import Table
    >>> from sersicnet.measure import write_regions
    >>> galaxy = {"x_0": 10.0, "y_0": 20.0, "r_eff": 0.5, "q": 0.5, "theta": 30.0, "flags": 0}
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "field.reg"
    ...     write_regions(Table([galaxy]), path, pixel_scale=0.1)
    ...     print(path.read_text().splitlines()[-1])
    ellipse(11.000,21.000,5.000,2.500,30.00) # text={0}
    """
    check_folder(path)
    x, y = _centers(catalog)
    shapes = _shapes(catalog, pixel_scale)
    ids = np.arange(len(catalog))
    if "id" in catalog.colnames:
        ids = catalog["id"]
    lines = []
    for row in np.arange(len(catalog)):
        if not np.isfinite(x[row] + y[row]):
            continue
        place = f"{x[row] + 1:.3f},{y[row] + 1:.3f}"  # DS9 counts from 1
        if np.isfinite(shapes[:, row]).all():
            major, minor, angle = shapes[:, row]
            region = f"ellipse({place},{major:.3f},{minor:.3f},{angle:.2f}) #"
            if "flags" in catalog.colnames and catalog["flags"][row]:
                region += " color=yellow"
        else:
            region = f"point({place}) # point=x color=red"
        lines.append(f"{region} text={{{ids[row]}}}\n")
    with atomic_path(path) as partial:
        partial.write_text(_HEADER + "".join(lines), encoding="utf-8")


def _centers(catalog):
    """Centers of the galaxies in pixels, or where these are not known, of the sources."""
    names = set(catalog.colnames)
    if not ({"x_0", "y_0"} <= names or {"x_centroid", "y_centroid"} <= names):
        msg = f"catalog has the columns {catalog.colnames}: x_0 and y_0 are needed"
        raise ValueError(msg)
    centers = np.full((2, len(catalog)), np.nan)
    for columns in (("x_0", "y_0"), ("x_centroid", "y_centroid")):
        if names.issuperset(columns):
            found = [to_floats(catalog[column], PARAMETERS["x_0"].unit) for column in columns]
            centers = np.where(np.isnan(centers), found, centers)
    return centers


def _shapes(catalog, pixel_scale):
    """Half-light radii along major and minor axis in pixels, and angle in degrees."""
    if not {"r_eff", "q", "theta"} <= set(catalog.colnames):
        return np.full((3, len(catalog)), np.nan)
    theta = to_floats(catalog["theta"], PARAMETERS["theta"].unit)
    if {"r_eff_pix", "q_pix"} <= set(catalog.colnames):  # pixels are not square
        r_eff = to_floats(catalog["r_eff_pix"], PARAMETERS["x_0"].unit)
        return np.array([r_eff, r_eff * to_floats(catalog["q_pix"], None), theta])
    if pixel_scale is None:
        pixel_scale = catalog.meta.get("PIXSCALE")
    if pixel_scale is None:
        msg = "pixel_scale=None and the catalog has no PIXSCALE: pass arcsec per pixel"
        raise ValueError(msg)
    r_eff = to_floats(catalog["r_eff"], PARAMETERS["r_eff"].unit) / pixel_scale
    return np.array([r_eff, r_eff * to_floats(catalog["q"], None), theta])
