"""The catalog of a survey: the parts of all images together."""

from pathlib import Path

from sersicnet.diagnostics.schema import describe
from sersicnet.io.tables import read_table, stack_tables
from sersicnet.survey.manifest import Manifest

__all__ = ["read_survey"]


def read_survey(output):
    """Read the catalog of all images of a survey that have been measured.

    All rows are in memory: for large surveys, open the folder ``parts`` as one dataset with
    pyarrow, Dask or DuckDB.

    Parameters
    ----------
    output : path
        Folder of the survey.

    Returns
    -------
    `~astropy.table.QTable`
        Tables of `~sersicnet.measure.measure_image`, one below the other, with the name of the
        image in the column ``image``. ``meta`` has what is the same for all images.

    Raises
    ------
    FileNotFoundError
        If the folder has no record, or a part is missing.
    ValueError
        If the record or a part is damaged: the checksum of a part is not that of the file that was
        written. If no image has been measured.

    Examples
    --------
    >>> from sersicnet.survey import read_survey
    >>> table = read_survey("measured")  # doctest: +SKIP
    """
    tables = [read_table(part) for part in Manifest.existing(Path(output)).parts()]
    if not tables:
        msg = f"output={str(output)!r} is a survey of which no image has been measured"
        raise ValueError(msg)
    table = stack_tables(tables)
    describe(table)
    return table
