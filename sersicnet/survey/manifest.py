"""What a survey has measured so far: one line of JSON an image, in a file that only grows."""

import json

import numpy as np
from astropy.table import Table

from sersicnet.io.files import atomic_path

__all__ = ["Manifest"]

# In the place of options that are not recorded; None may be another one (background_box).
_DEFAULT = "the default"


class Manifest:
    """The records of images, by name; the last one of an image counts.

    Parameters
    ----------
    output : `~pathlib.Path`
        The folder, which need not be there.

    Attributes
    ----------
    path : `~pathlib.Path`
        The file.
    records : dict of dict
        Of the images, by name.
    """

    def __init__(self, output):
        self._output = output
        self.path = output / "manifest.jsonl"
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        # a run that was killed may have left a part of a line at the end
        lines = text[: text.rfind("\n") + 1].splitlines()
        self.records = {record["name"]: record for record in map(json.loads, lines)}

    def check_unchanged(self, tasks, weights):
        """Refuse to mix measurements that were made in different ways.

        Raises
        ------
        ValueError
            If an image has been measured with other options or weights.
        """
        for task in tasks:
            record = self.records.get(task.name)
            if record is None or record["error"] is not None:
                continue
            now, before = self._described(task, weights), record["options"]
            changes = [
                f"{name}={now.get(name, _DEFAULT)!r}, which was {before.get(name, _DEFAULT)!r}"
                for name in sorted(now.keys() | before.keys())
                if now.get(name, _DEFAULT) != before.get(name, _DEFAULT)
            ]
            if changes:
                msg = (
                    f"output={str(self._output)!r} has {task.name!r} measured in another way "
                    f"(now {'; '.join(changes)}): take another folder"
                )
                raise ValueError(msg)

    def missing(self, tasks):
        """Tasks that have not been done, or of which a file has changed since."""
        return [task for task in tasks if not self._is_done(task)]

    def begin(self):
        """Make the folders, and write the file again, one line an image."""
        (self._output / "parts").mkdir(parents=True, exist_ok=True)
        with atomic_path(self.path) as partial:
            partial.write_text("".join(map(_line, self.records.values())), encoding="utf-8")

    def add(self, task, weights, *, error=None, **result):
        """Add the record of a task.

        Parameters
        ----------
        task : `~sersicnet.survey.tasks.Task`
            What has ended.
        weights : str
            What measured.
        error : str, optional
            Why it failed.
        **result
            What `~sersicnet.survey.run.measure_task` returned, if it did not.
        """
        options = self._described(task, weights)
        record = {"name": task.name, "options": options, "error": error, **result}
        self.records[task.name] = record
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(record))

    def to_table(self, names):
        """The records of some images.

        Parameters
        ----------
        names : iterable of str
            Of the images.

        Returns
        -------
        `~astropy.table.Table`
            As of `~sersicnet.survey.measure_survey`.
        """
        records = [self.records[name] for name in names]
        return Table(
            {
                "name": np.array([record["name"] for record in records], dtype=str),
                "image": np.array([record["options"]["image"] for record in records], dtype=str),
                "part": np.array([record.get("part", "") for record in records], dtype=str),
                "n_sources": np.array([record.get("n_sources", 0) for record in records], int),
                "seconds": np.array([record.get("seconds", np.nan) for record in records], float),
                "error": np.array([record["error"] or "" for record in records], dtype=str),
            }
        )

    def _is_done(self, task):
        record = self.records.get(task.name)
        if record is None or record["error"] is not None:
            return False
        part = self._output / record["part"]
        try:
            whole = part.stat().st_size == record["part_bytes"]
            return whole and task.file_states() == record["files"]
        except OSError:  # one of the files is gone
            return False

    @staticmethod
    def _described(task, weights):
        return task.describe() | {"weights": weights}


def _line(record):
    return json.dumps(record) + "\n"
