"""A machine that lacks most packages, as a new Python that cannot import them."""

ABSENT = (
    "astropy",
    "bokeh",
    "galsim",
    "matplotlib",
    "photutils",
    "scipy",
    "skimage",
    "surveycodex",
)
# First lines of a script.
WITHOUT = f"""
import sys
from importlib.metadata import Distribution, PackageNotFoundError

absent = {ABSENT}
found = Distribution.from_name

def from_name(name):
    if name.lower() in absent:
        raise PackageNotFoundError(name)
    return found(name)

Distribution.from_name = from_name
sys.modules.update(dict.fromkeys(absent))
"""
