"""`SersicNetFitter`, a fitter of `astropy.modeling`.

Where sersicnet is installed, ``from astropy.modeling.fitting import SersicNetFitter`` gives it too.
"""

# Before the class: astropy.modeling asks for the class while it is imported itself, and drops it
# where its module has been begun but not finished.
import astropy.modeling.fitting  # noqa: F401

from sersicnet._fitter import SersicNetFitter

__all__ = ["SersicNetFitter"]
