"""The file of draws from posteriors, which is beside that of a table."""

from pathlib import Path

from sersicnet.io.files import check_table_path

__all__ = ["check_samples_path", "samples_path"]


def samples_path(output):
    """Return the file of draws beside that of a table.

    Parameters
    ----------
    output : path
        The file of the table.

    Returns
    -------
    `~pathlib.Path`

    Examples
    --------
    >>> from sersicnet.io.samples_files import samples_path
    >>> samples_path("field.ecsv").name
    'field.samples.parquet'
    """
    path = Path(output)
    return path.with_name(f"{path.stem}.samples.parquet")


def check_samples_path(samples, output):
    """Return the file of draws, None if there are none, after a check that it can be written.

    Parameters
    ----------
    samples : int or None
        Number of draws of each galaxy.
    output : path or None
        The file of the table.

    Returns
    -------
    `~pathlib.Path` or None

    Raises
    ------
    ValueError
        If there are draws, and no file of a table beside which they could be written.
    FileExistsError
        If there are none, and those of an earlier table would be beside the new one.
    ModuleNotFoundError, OSError
        As in `~sersicnet.io.files.check_table_path`.
    """
    if not samples:
        _check_no_draws(output)
        return None
    if output is None:
        msg = f"samples={samples!r} are written into a file beside that of the table: pass output="
        raise ValueError(msg)
    return check_table_path(samples_path(output), "samples")


def _check_no_draws(output):
    """Raise FileExistsError if a table would be beside the draws of an earlier one."""
    if output is None:
        return
    path = samples_path(output)
    if path.exists():
        msg = (
            f"{path} has the draws of an earlier table, and none are written now: pass samples=, "
            "remove that file, or choose another output"
        )
        raise FileExistsError(msg)
