"""Measurements that are kept in files, so that a run which was stopped goes on."""

from astropy.table import QTable, vstack

from sersicnet.io import atomic_path
from sersicnet.io.tables import read_table

__all__ = ["kept"]


def kept(folder, name, measure, cutouts, start):
    """Measure cutouts, but for those that a file has from another run.

    Parameters
    ----------
    folder : `~pathlib.Path` or None
        Folder of the files; None keeps nothing.
    name : str
        Name of the file, without its suffix.
    measure : callable
        Function of cutouts and the values that fits start from, which returns a table.
    cutouts : list of `~astropy.nddata.CCDData`
        The cutouts.
    start : dict of `~numpy.ndarray` or None
        Values, one per cutout.

    Returns
    -------
    `~astropy.table.QTable`
        One row per cutout.
    """
    if folder is None:
        return QTable(measure(cutouts, start))
    path = folder / f"{name.replace(' ', '_').replace('/', '')}.ecsv"
    known = QTable()
    if path.exists():
        known = read_table(path)[: len(cutouts)]
    n_known = len(known)
    if n_known == len(cutouts):
        return known
    if start is not None:
        start = {column: values[n_known:] for column, values in start.items()}
    found = QTable(measure(cutouts[n_known:], start))
    if n_known:
        found = vstack([known, found], metadata_conflicts="silent")
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as new:
        found.write(new, format="ascii.ecsv")
    return found
