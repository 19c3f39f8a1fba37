"""Python programs of their own."""

import os
import subprocess
import sys

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
