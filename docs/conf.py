"""Configuration of Sphinx, on top of what astropy's packages share."""

import csv
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from sphinx_astropy.conf.v3 import *

from sersicnet.flags import flag_table
from sersicnet.io.missions import MISSIONS
from sersicnet.parameters import PARAMETERS

project = "sersicnet"
author = "sersicnet developers"
copyright = f"{datetime.now(tz=UTC).year}, {author}"
release = installed_version("sersicnet")
version = release.partition("+")[0]

needs_sphinx = "8.1"
exclude_patterns += ["_generated", "changes", "tutorials"]
html_title = f"sersicnet {version}"
html_static_path = ["_static"]
# The diagrams need the program "dot", and the classes here inherit from next to nothing.
automodapi_inheritance_diagram = False
# Types are in the docstrings, with their shapes and units; annotations would only repeat them.
autodoc_typehints = "none"
autodoc_default_options = {"no-value": True}
linkcheck_timeout = 30

# -- Tutorials: scripts in docs/tutorials become pages in docs/gallery ------------------------

extensions += ["sphinx_gallery.gen_gallery"]
sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",  # each is run
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
}

# -- Links to other packages -----------------------------------------------------------------

del intersphinx_mapping["pythonloc"], intersphinx_mapping["astropy.org"]
del intersphinx_mapping["h5py"]
intersphinx_mapping = {name: (url, None) for name, (url, _) in intersphinx_mapping.items()} | {
    "distributed": ("https://distributed.dask.org/en/stable/", None),
    "galsim": ("https://galsim-developers.github.io/GalSim/_build/html/", None),
    "lightning": ("https://lightning.ai/docs/pytorch/stable/", None),
    "photutils": ("https://photutils.readthedocs.io/en/stable/", None),
    "sklearn": ("https://scikit-learn.org/stable/", None),
    "torch": ("https://docs.pytorch.org/docs/stable/", None),
    "zuko": ("https://zuko.readthedocs.io/stable/", None),
}


def is_reachable(url):
    """Whether the list of link targets at ``url`` can be had."""
    try:
        with urlopen(f"{url}objects.inv", timeout=5):
            return True
    except (URLError, TimeoutError, ConnectionError):
        return False


# Without a network, links to other packages stay plain text. Links into sersicnet itself are
# checked in any case.
unreachable = [name for name, (url, _) in intersphinx_mapping.items() if not is_reachable(url)]
# An attribute whose default is a class: numpydoc links it, autodoc leaves it out.
nitpick_ignore_regex = [(r"py:obj", r"dtype")]
for name in unreachable:
    del intersphinx_mapping[name]
    packages = [*sys.stdlib_module_names, *dir(__builtins__)] if name == "python" else [name]
    pattern = "|".join(map(re.escape, packages))
    nitpick_ignore_regex.append((r"py:.*", rf"({pattern})(\..*)?"))

# -- Tables made from the code ---------------------------------------------------------------


def write_csv(name, header, rows):
    """Write a table for the directive ``csv-table`` with ``:file: /_generated/<name>.csv``."""
    path = Path(__file__).parent / "_generated" / f"{name}.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


write_csv(
    "parameters",
    ("name", "meaning", "unit"),
    [
        (f"``{p.name}``", p.description.replace("Sersic", "Sérsic"), p.unit or "")
        for p in PARAMETERS.values()
    ],
)
write_csv(
    "flags",
    ("value", "name", "meaning"),
    [(row["value"], f"``{row['name']}``", row["meaning"]) for row in flag_table()],
)
write_csv(
    "missions",
    ("mission", "card", "one count of", "magnitudes", "remark"),
    [
        (
            mission.name,
            ", ".join(f"``{card.name}``" for card in mission.cards),
            ", ".join(f"the {card.of}" for card in mission.cards),
            "Vega (refused)" if mission.vega else "AB",
            mission.remark,
        )
        for mission in MISSIONS
    ],
)


def write_help(*commands):
    """Write what each command prints for ``--help``, for the directive ``literalinclude``."""
    folder = Path(__file__).parent / "_generated" / "help"
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"COLUMNS": "70", "NO_COLOR": "1"}
    for command in commands:
        call = [sys.executable, "-m", "sersicnet.cli", command, "--help"]
        answer = subprocess.run(call, check=True, capture_output=True, text=True, env=environment)
        (folder / f"{command}.txt").write_text(answer.stdout)


write_help("predict", "measure", "survey", "psf", "inject", "report", "simulate", "train", "demo")


# -- Base classes ----------------------------------------------------------------------------


def hide_internal_bases(*arguments):
    """Leave internal base classes out; their methods are documented where they are inherited."""
    bases = arguments[-1]
    public = [base for base in bases if not base.__module__.startswith("sersicnet")]
    bases[:] = public or [object]


def setup(app):
    app.connect("autodoc-process-bases", hide_internal_bases)
