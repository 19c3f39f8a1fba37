"""The record of what a survey has measured: one line of JSON per image, only appended to."""

import numpy as np
from astropy.table import Table

from sersicnet._caller import warn_caller
from sersicnet.io.files import atomic_path, named_errors
from sersicnet.survey.records import checksum, read_records, record_line

__all__ = ["MANIFEST", "Manifest"]

# Name of the file in the folder of a survey.
MANIFEST = "manifest.jsonl"
# Number of changed parts that a warning names.
_N_SHOWN = 5
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

    Raises
    ------
    ValueError
        If the file is damaged. A line at its end that is not complete is that of a run that was
        killed, and is no damage.
    """

    def __init__(self, output):
        self._output = output
        self.path = output / MANIFEST
        self.records = {}
        if self.path.exists():
            self.records = read_records(self.path)

    @classmethod
    def existing(cls, output):
        """Read the records of a survey that has been begun.

        Parameters
        ----------
        output : `~pathlib.Path`
            Folder of the survey.

        Returns
        -------
        Manifest

        Raises
        ------
        FileNotFoundError
            If there are none.
        """
        manifest = cls(output)
        if not manifest.path.exists():
            msg = f"output={str(output)!r} has no {manifest.path.name}: nothing was measured there"
            raise FileNotFoundError(msg)
        return manifest

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

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            If parts are not what was written, or there are parts and no records.
        """
        missing = []
        changed = []
        for task in tasks:
            if not self._has_same_files(task):
                missing.append(task)
            elif not self.is_intact(self.records[task.name]):
                missing.append(task)
                changed.append(task.part)
        self._warn_of(changed)
        return missing

    def is_intact(self, record):
        """Decide whether the part of an image, and its draws, are what was written.

        Parameters
        ----------
        record : dict
            Record of an image that was measured.

        Returns
        -------
        bool

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        part = self._output / record["part"]
        if part.stat().st_size != record["part_bytes"] or checksum(part) != record["sha256"]:
            return False
        if "samples" not in record:
            return True
        draws = self._output / record["samples"]
        return draws.exists() and checksum(draws) == record["samples_sha256"]

    def parts(self):
        """List the parts of all images that have been measured, after a look at their bytes.

        Returns
        -------
        list of `~pathlib.Path`

        Raises
        ------
        FileNotFoundError
            If a part does not exist.
        ValueError
            If a part is not what was written.
        """
        again = "measure_survey with the same arguments measures its image again"
        parts = []
        for record in self.records.values():
            if record["error"] is not None:
                continue
            part = self._output / record["part"]
            if not part.exists():
                msg = f"{part} does not exist: {again}"
                raise FileNotFoundError(msg)
            if not self.is_intact(record):
                msg = f"{part} is not the file that was written (another checksum): {again}"
                raise ValueError(msg)
            parts.append(part)
        return parts

    def begin(self):
        """Make the folders, and write the file anew with one line per image."""
        (self._output / "parts").mkdir(parents=True, exist_ok=True)
        with atomic_path(self.path) as partial:
            partial.write_text("".join(map(record_line, self.records.values())), encoding="utf-8")

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
        with named_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(record_line(record))

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
        texts = ["; ".join(record.get("warnings", [])) for record in records]
        return Table(
            {
                "name": _column(records, "name", str),
                "image": _column(options, "image", str),
                "part": _column(records, "part", str, missing=""),
                "n_sources": _column(records, "n_sources", int, missing=0),
                "n_without_result": _column(records, "n_without_result", int, missing=0),
                "seconds": _column(records, "seconds", float, missing=np.nan),
                "error": np.array(errors, dtype=str),
                "warnings": np.array(texts, dtype=str),
            }
        )

    def _has_same_files(self, task):
        """Whether an image was measured, its part exists, and no file has changed since."""
        record = self.records.get(task.name)
        if record is None or record["error"] is not None:
            return False
        if not (self._output / record["part"]).exists():
            return False
        try:
            return task.file_states() == record["files"]
        except OSError:  # one of the files does not exist any more
            return False

    def _warn_of(self, changed):
        """Warn of parts that have changed, and of an empty file beside parts."""
        if changed:
            names = ", ".join(changed[:_N_SHOWN]) + ", ..." * (len(changed) > _N_SHOWN)
            msg = (
                f"output={str(self._output)!r}: {names}: not what was written (another checksum); "
                "measured again"
            )
            warn_caller(msg)
        if self.path.exists() and not self.records and any((self._output / "parts").glob("*")):
            msg = f"{self.path} has no record, although there are parts: all are measured again"
            warn_caller(msg)

    @staticmethod
    def _described(task, weights):
        return task.describe() | {"weights": weights}


def _column(records, name, dtype, *, missing=None):
    """One entry of each record, as an array."""
    return np.array([record.get(name, missing) for record in records], dtype=dtype)
