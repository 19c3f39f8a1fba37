"""A plugin of Dask workers that writes down what each image of a survey cost its worker."""

import json
import os
import resource
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

from dask.distributed import WorkerPlugin

__all__ = ["Watch", "peak_memory", "read_lines", "reset_peak"]

# Seconds after the start of a task at which a worker is killed.
_SOON = 0.5
_MEGA = 1e6


class Watch(WorkerPlugin):
    """Write a line of JSON for each image that was measured, and kill one worker if wanted.

    A line has the name of the image, the worker's process, wall and CPU seconds, megabytes read
    from files, whether from a disk or from a cache, and the peak of the memory of the process
    during the task, in megabytes (on Linux).

    Parameters
    ----------
    path : `~pathlib.Path`
        File to which all workers append.
    kill_at : int, optional
        Number of lines after which the worker that begins a task kills its process. The file
        ``killed`` beside ``path`` then exists, and no other is killed.
    """

    name = "watch"

    def __init__(self, path, kill_at=None):
        self._path = path
        self._kill_at = kill_at
        self._begun = {}

    def transition(self, key, start, finish, **_):
        """Note the begin and the end of a task."""
        if not (isinstance(key, tuple) and key[0].startswith("measure_task")):
            return
        if finish == "executing":
            reset_peak()
            self._begun[key] = _spent()
            self._kill_if_wanted()
        elif start == "executing" and finish in ("memory", "error"):
            self._write(key)

    def _write(self, key):
        before = self._begun.pop(key)
        line = {"image": key[1], "pid": os.getpid(), "end": time.time()}
        for name, value in _spent().items():
            line[name] = round(value - before[name], 4)
        line["peak MB"] = round(peak_memory(), 1)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _kill_if_wanted(self):
        if self._kill_at is None or len(read_lines(self._path)) < self._kill_at:
            return
        with suppress(FileExistsError), self._path.with_name("killed").open("x"):
            threading.Timer(_SOON, os.kill, (os.getpid(), signal.SIGKILL)).start()


def read_lines(path):
    """Read a file of lines of JSON.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file, which need not exist.

    Returns
    -------
    list of dict
    """
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _spent():
    """Return what this process has spent so far."""
    read = 0.0
    with suppress(OSError):
        for line in Path("/proc/self/io").read_text().splitlines():
            if line.startswith("rchar:"):
                read = int(line.split()[1]) / _MEGA
    return {"wall s": time.perf_counter(), "CPU s": time.process_time(), "read MB": read}


def reset_peak():
    """Forget the peak of this process's memory so far, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory():
    """Return the peak of the memory of this process since `reset_peak`, in MB."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1]) / _MEGA
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEGA
