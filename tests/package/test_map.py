"""The map of the package holds: imports run one way, and each module needs only what it may.

The order of the rooms is that of the page on the development of the package. A room imports from
rooms of earlier rows only, in functions as well.
"""

import ast
import graphlib
import importlib
import inspect
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from helpers.bare import WITHOUT
from helpers.places import ROOT

import sersicnet

PACKAGE = Path(sersicnet.__file__).parent
ORDER = [
    ["_caller", "_lazy", "_rows", "_settings", "_words"],
    ["profile_shapes"],
    ["flags", "io", "parameters"],
    ["diagnostics", "model"],
    ["preprocessing"],
    ["networks", "plotting", "simulate_catalog"],
    ["_looks"],
    ["report", "results", "training"],
    ["inference"],
    ["estimator"],
    ["_fitter", "measure"],
    ["fitter", "survey"],
    ["cli"],
    ["__main__"],
    ["benchmarks"],
]
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
GENERATED = {"_version"}

# What these modules import is all that a machine needs which only trains or only predicts.
BARE = {"lightning", "numpy", "safetensors", "torch", "zuko"}
BARE_MODULES = [
    "io.weights",
    "model.edges",
    "model.jacobian",
    "model.labels",
    "model.likelihood",
    "model.misfit",
    "model.noise",
    "model.prior",
    "model.profile",
    "model.psf",
    "model.render",
    "model.residuals",
    "model.scene",
    "model.symmetries",
    "model.unconstrained",
    "networks.cnn",
    "networks.features",
    "networks.flow_density",
    "networks.posterior",
    "networks.registry",
    "training.checkpoints",
    "training.contaminants",
    "training.data",
    "training.loop",
    "training.psf_families",
    "training.regression",
    "training.scenes",
    "training.streams",
    "training.universal",
]
# In functions that a bare machine does not call.
BARE_EXCEPTIONS = {
    "io.weights": {"astropy"},
    "model.psf": {"scipy"},
    "networks.flow_density": {"scipy"},
}
HEAVY = ("galsim", "lightning", "matplotlib", "torch", "zuko")
WITHOUT_TORCH = ("diagnostics", "flags", "fitter", "io", "parameters", "preprocessing", "results")

# Packages that are slow to import or optional, and where they may be imported at the top.
PLACES = {
    "bokeh": ("report",),
    "corner": (),
    "dask": (),
    "galsim": ("simulate_catalog.render",),
    "lightning": (
        "training.checkpoints",
        "training.loop",
        "training.modules",
        "training.regression",
        "training.universal",
        "training.adapt",
    ),
    "matplotlib": ("plotting",),
    "photutils": (),
    "safetensors": (),
    "skimage": (),
    "surveycodex": (),
    "zuko": ("networks.likelihood", "networks.posterior"),
}


def list_modules():
    """File of each module of the package, without ``sersicnet.`` in front of its name."""
    files = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        name = ".".join(parts)
        if name not in GENERATED:
            files[name] = path
    return files


MODULES = list_modules()
ROOMS = sorted({name.partition(".")[0] for name in MODULES} - {""})
DOORS = [room for room in ROOMS if MODULES[room].name == "__init__.py"]


@cache
def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def read_imports(path):
    """Full names that a file imports, and whether it does so at its top."""
    tree = parse(path)
    body = set(tree.body)
    found = []
    for node in ast.walk(tree):
        top = node in body
        if isinstance(node, ast.Import):
            found += [(alias.name, top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found += [(f"{node.module}.{alias.name}", top) for alias in node.names]
    return found


def inside(path):
    """Modules of the package that a file imports, and whether it does so at its top."""
    for name, top in read_imports(path):
        package, _, rest = name.partition(".")
        if package == "sersicnet" and rest and rest.partition(".")[0] not in GENERATED:
            yield home_of(rest), top


def home_of(name):
    """The module that holds a name, which may be that of a module or stand at a lazy door."""
    if name in MODULES:
        return name
    room, _, last = name.rpartition(".")
    homes = read_homes(room)
    if last in homes:
        return f"{room}.{homes[last]}".lstrip(".")
    return room


@cache
def read_homes(room):
    """Modules of the names at a lazy door."""
    for node in parse(MODULES[room]).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            return ast.literal_eval(node.value)
    return {}


def outside(path):
    """Packages from elsewhere that a file imports, and whether it does so at its top."""
    for name, top in read_imports(path):
        package = name.partition(".")[0]
        if package not in sys.stdlib_module_names and package not in {"sersicnet", "benchmarks"}:
            yield package, top


# -- One way -----------------------------------------------------------------------------------


def test_every_room_is_on_the_map():
    assert set(ROOMS) <= set(RANK)
    assert set(DOORS) == {line for line in sersicnet.__doc__.splitlines() if line in RANK}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_down(room):
    up = []
    for name, path in MODULES.items():
        if name.partition(".")[0] != room:
            continue
        for target, _ in inside(path):
            other = target.partition(".")[0]
            if other and other != room and RANK[other] >= RANK[room]:
                up.append(f"{name} -> {target}")
    assert up == []


def test_the_package_imports_no_benchmark():
    for name, path in MODULES.items():
        assert not [
            target for target, _ in read_imports(path) if target.startswith("benchmarks")
        ], name


def test_benchmarks_use_the_package_only_through_what_exists():
    """Each name that a benchmark imports from the package is there."""
    files = sorted((ROOT / "benchmarks").rglob("*.py"))
    if not files:
        pytest.skip("the folder of benchmarks is not beside the tests")
    for path in files:
        for name, _ in read_imports(path):
            package, _, rest = name.partition(".")
            if package == "sersicnet" and rest:
                assert exists(rest), f"{path.name}: {name}"


def exists(name):
    """Whether a name is that of a module, at a lazy door, or defined in its module."""
    home = home_of(name)
    if home == name or not name.startswith(home) or home not in MODULES:
        return home in MODULES
    return name.rpartition(".")[2] in names_of(home)


@cache
def names_of(module):
    """Names that a module binds."""
    return set().union(*map(defined, ast.walk(parse(MODULES[module]))))


def defined(node):
    """Names that a statement binds."""
    match node:
        case ast.FunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.Name(ctx=ast.Store()):
            return {node.id}
        case ast.alias():
            return {node.asname or node.name}
    return set()


def test_no_circles():
    """Among the modules, imports in functions included."""
    graph = {}
    for name, path in MODULES.items():
        graph[name] = {target for target, _ in inside(path)} - {name, ""}
    assert list(graphlib.TopologicalSorter(graph).static_order())


# -- Packages from outside ---------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in BARE_MODULES if name in MODULES])
def test_bare_modules_import_little(name):
    for package, top in outside(MODULES[name]):
        allowed = BARE if top else BARE | BARE_EXCEPTIONS.get(name, set())
        assert package in allowed


@pytest.mark.parametrize("package", PLACES)
def test_packages_that_few_modules_need(package):
    for name, path in MODULES.items():
        if name in PLACES[package] or name.partition(".")[0] in PLACES[package]:
            continue
        assert (package, True) not in set(outside(path)), name


IMPORT_ALL = """
import importlib

for name in sys.argv[1:]:
    try:
        importlib.import_module(f"sersicnet.{name}")
    except ImportError as error:
        print(f"{name}: {error}")
    if name == "training.regression":
        seen = {"lightning", "torch", "zuko", "sersicnet.preprocessing.stamps"} & set(sys.modules)
        print("loaded:", *sorted(seen))
"""


def run_code(code, *arguments):
    """Lines that a new Python prints."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), *sys.path])}
    options = {"env": environment, "capture_output": True, "text": True, "timeout": 300}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=True, **options).stdout.splitlines()


def test_bare_modules_on_a_bare_machine():
    """They can be imported where astropy and the like are not installed.

    A regression does not even load what it does not need: that takes time.
    """
    first = "training.regression"
    names = [first, *(name for name in BARE_MODULES if name in MODULES and name != first)]
    assert run_code(WITHOUT + IMPORT_ALL, *names) == ["loaded: lightning torch"]


WATCH_IMPORTS = """
import importlib
import sys

heavy = set(sys.argv[1].split(","))
for name in sys.argv[2:]:
    importlib.import_module(f"sersicnet.{name}")
    if heavy & set(sys.modules):
        print(f"{name} imports {heavy & set(sys.modules)}")
        break
"""


def test_modules_without_torch():
    names = [name for name in MODULES if name.partition(".")[0] in WITHOUT_TORCH]
    assert run_code(WATCH_IMPORTS, ",".join(HEAVY), *names) == []


# -- Doors -------------------------------------------------------------------------------------


@pytest.fixture(params=DOORS)
def door(request):
    """A room of the package."""
    needed = {"plotting": "matplotlib", "report": "bokeh"}.get(request.param)
    if needed:
        pytest.importorskip(needed)
    return importlib.import_module(f"sersicnet.{request.param}")


def test_names_of_a_door(door):
    names = getattr(door, "__all__", [])
    assert len(set(names)) == len(names)
    assert set(names) <= set(dir(door))
    for name in names:
        assert getattr(door, name) is not None, name


def test_names_of_a_door_are_sorted(door):
    if hasattr(door, "__all__"):
        assert door.__dir__() == sorted(door.__dir__())


def test_unknown_name_at_a_door(door):
    with pytest.raises(AttributeError, match=f"'{door.__name__}' has no attribute 'nothing'"):
        _ = door.nothing


def test_docstrings_at_a_door(door):
    """Each function and class says what it does in a sentence."""
    assert door.__doc__
    for name in getattr(door, "__all__", []):
        value = getattr(door, name)
        if inspect.isroutine(value) or inspect.isclass(value):
            assert value.__doc__, name
            assert value.__doc__.strip().split("\n\n")[0].endswith("."), name
