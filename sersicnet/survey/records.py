"""The lines of a manifest: records of images as JSON, and what is damaged in them."""

import hashlib
import json
import logging
import reprlib

__all__ = ["checksum", "read_records", "record_line"]

_LOG = logging.getLogger("sersicnet")
# How the line of a record begins.
_BEGIN = '{"name": "'


def checksum(path):
    """Compute the SHA-256 of a file.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    Returns
    -------
    str
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_line(record):
    """Return the line of a record.

    Parameters
    ----------
    record : dict
        The record of an image.

    Returns
    -------
    str
    """
    return json.dumps(record) + "\n"


def read_records(path):
    """Read the records of a manifest.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    Returns
    -------
    dict of dict
        Records by the name of the image; the last one of an image counts. A line at the end that
        is not complete, as a run that was killed leaves it, is none; the log says so.

    Raises
    ------
    ValueError
        If another line is not a record.
    """
    try:
        *lines, last = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(_damaged(path, "it is not text")) from error
    if not _is_begun(last):
        lines.append(last)
    elif last:
        text = "%s: its last line is cut (%s), as a killed run leaves it: its image is not measured"
        _LOG.warning(text, path, reprlib.repr(last))
    records = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        record = _parsed(line)
        if record is None:
            raise ValueError(_damaged(path, f"line {number} is not the record of an image"))
        records[record["name"]] = record
    return records


def _is_begun(line):
    """Whether a line is the beginning of a record, and not all of it."""
    return _parsed(line) is None and (line.startswith(_BEGIN) or _BEGIN.startswith(line))


def _damaged(path, reason):
    """The message of a file that is damaged."""
    return (
        f"{path} is damaged: {reason}. Remove the damaged lines to measure their images again, or "
        "move the file away to measure all"
    )


def _parsed(line):
    """The record in a line, None if it is none."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    match record:
        case {"name": str(), "options": {"image": str()}, "error": str()}:
            return record
        case {
            "name": str(),
            "options": {"image": str()},
            "error": None,
            "part": str(),
            "part_bytes": int(),
            "sha256": str(),
            "files": dict(),
            "n_sources": int(),
            "n_without_result": int(),
            "flags": dict(),
            "seconds": int() | float(),
        }:
            return record
    return None
