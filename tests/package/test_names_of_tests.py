"""Each module of the package has a test file of its own, which its name finds."""

from collections import Counter
from pathlib import Path

import sersicnet

PACKAGE = Path(sersicnet.__file__).parent
TESTS = Path(__file__).resolve().parents[1]
# Doors of rooms, which ``test_map.py`` tests, the module behind ``python -m``, and what the build
# writes.
WITHOUT = {"__init__", "__main__", "_version"}


def has_tests(path):
    """Whether ``tests`` has the file of a module, with the name of its room where it needs one."""
    room = path.relative_to(PACKAGE).parent.name or "package"
    module = path.stem.strip("_")
    names = (f"test_{module}.py", f"test_{room}_{module}.py")
    return any((TESTS / room / name).is_file() for name in names)


def test_each_module_has_a_test_file():
    missing = set()
    for path in PACKAGE.rglob("*.py"):
        if path.stem not in WITHOUT and not has_tests(path):
            missing.add(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    assert missing == set()


def test_no_two_test_files_have_the_same_name():
    """The folders of tests are no packages."""
    names = Counter(path.name for path in TESTS.rglob("test_*.py"))
    assert [name for name, number in names.items() if number > 1] == []
