"""The record of what a survey has measured: one line of JSON per image, only appended to."""

import json

import numpy as np
from astropy.table import Table

from sersicnet.io.files import atomic_path

__all__ = ["Manifest"]

# Shown for options that are not recorded; None can be a value of its own (background_box).
_DEFAULT = "the default"


class Manifest:
    """The records of the images of a survey; the last record of an image counts.

    Parameters
    ----------
    output : `~pathlib.Path`
        Folder of the survey. It need not exist.

    Attributes
    ----------
    path : `~pathlib.Path`
        File of the records.
    records : dict of dict
        Records of the images, by name.
    """

    def __init__(self, output):
        self._output = output
        self.path = output / "manifest.jsonl"
        text = ""
        if self.path.exists():
            text = self.path.read_text(encoding="utf-8")
        # a run that was killed may have left an incomplete line at the end
        lines = text[: text.rfind("\n") + 1].splitlines()
        self.records = {record["name"]: record for record in map(json.loads, lines)}

    def check_unchanged(self, tasks, weights):
        """Check that images were measured with the same options and weights.

        Parameters
        ----------
        tasks : list of `~sersicnet.survey.tasks.Task`
            The images.
        weights : str
            Name and checksum of the weights.

        Raises
        ------
        ValueError
            If an image has been measured with other options or weights.
        """
        for task in tasks:
            record = self.records.get(task.name)
            if record is None or record["error"] is not None:
                continue
            now = self._described(task, weights)
            before = record["options"]
            changes = []
            for name in sorted(now.keys() | before.keys()):
                new = now.get(name, _DEFAULT)
                old = before.get(name, _DEFAULT)
                if new != old:
                    changes.append(f"{name}={new!r}, which was {old!r}")
            if changes:
                msg = (
                    f"output={str(self._output)!r} has {task.name!r} measured with other options "
                    f"(now {'; '.join(changes)}): use another folder"
                )
                raise ValueError(msg)

    def missing(self, tasks):
        """Find the images that have not been measured, or whose files have changed since.

        Parameters
        ----------
        tasks : list of `~sersicnet.survey.tasks.Task`
            The images.

        Returns
        -------
        list of `~sersicnet.survey.tasks.Task`
        """
        return [task for task in tasks if not self._is_done(task)]

    def begin(self):
        """Make the folders, and write the file anew with one line per image."""
        (self._output / "parts").mkdir(parents=True, exist_ok=True)
        with atomic_path(self.path) as partial:
            partial.write_text("".join(map(_line, self.records.values())), encoding="utf-8")

    def add(self, task, weights, *, error=None, **result):
        """Add the record of an image.

        Parameters
        ----------
        task : `~sersicnet.survey.tasks.Task`
            The image.
        weights : str
            Name and checksum of the weights.
        error : str, optional
            The error, if the measurement failed.
        **result
            The record that `~sersicnet.survey.run.measure_task` returned, if it succeeded.
        """
        options = self._described(task, weights)
        record = {"name": task.name, "options": options, "error": error, **result}
        self.records[task.name] = record
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(record))

    def to_table(self, names):
        """Make a table of the records of some images.

        Parameters
        ----------
        names : iterable of str
            Names of the images.

        Returns
        -------
        `~astropy.table.Table`
            Table as `~sersicnet.survey.measure_survey` returns it.
        """
        records = [self.records[name] for name in names]
        options = [record["options"] for record in records]
        errors = [record["error"] or "" for record in records]
        return Table(
            {
                "name": _column(records, "name", str),
                "image": _column(options, "image", str),
                "part": _column(records, "part", str, missing=""),
                "n_sources": _column(records, "n_sources", int, missing=0),
                "n_without_result": _column(records, "n_without_result", int, missing=0),
                "seconds": _column(records, "seconds", float, missing=np.nan),
                "error": np.array(errors, dtype=str),
            }
        )

    def _is_done(self, task):
        record = self.records.get(task.name)
        if record is None or record["error"] is not None:
            return False
        part = self._output / record["part"]
        try:
            is_complete = part.stat().st_size == record["part_bytes"]
            return is_complete and task.file_states() == record["files"]
        except OSError:  # one of the files does not exist any more
            return False

    @staticmethod
    def _described(task, weights):
        return task.describe() | {"weights": weights}


def _column(records, name, dtype, *, missing=None):
    """One entry of each record, as an array."""
    return np.array([record.get(name, missing) for record in records], dtype=dtype)


def _line(record):
    """One line of the file."""
    return json.dumps(record) + "\n"
