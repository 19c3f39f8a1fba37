"""Python programs of their own."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial

from helpers.places import ROOT


def run_script(folder, text, *arguments, before=""):
    """Run Python code as its own program, with what `before` holds as the first thing that runs."""
    (folder / "script.py").write_text(text)
    path = [str(ROOT)]
    if before:
        (folder / "sitecustomize.py").write_text(before)
        path.insert(0, str(folder))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(folder / "script.py"), *map(str, arguments)]
    options = {"env": environment, "cwd": folder, "capture_output": True, "text": True}
    answer = subprocess.run(command, timeout=300, check=False, **options)
    assert answer.returncode == 0, answer.stderr
    return answer


# Seconds after which a process hangs: far longer than anything takes, on a busy machine as well.
PATIENCE = 300


def end_command(arguments, number, *, ready, whole_group):
    """Run a command, send a signal when ``ready()``, and wait until all of its processes are gone.

    Returns the exit status, and what it printed on both streams.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "sersicnet.cli", *map(str, arguments)]
    options = {"env": environment, "text": True, "start_new_session": True}
    # jobs in the background of a shell ignore Ctrl-C, and so would what they start
    options["preexec_fn"] = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    try:
        _wait(lambda: ready() or process.poll() is not None)
        if whole_group:  # as Ctrl-C in a terminal
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
        _wait(lambda: not _exists(process.pid))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, out, err


def _exists(group):
    """Whether a group has a process."""
    with suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False


def _wait(condition):
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"nothing happened within {PATIENCE} s"
        time.sleep(0.1)
