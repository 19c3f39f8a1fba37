"""
As an astropy fitter
====================

Use the network as a fitter of `astropy.modeling`, with the same call, and correct for the PSF.
"""

# %%
# A galaxy behind a PSF
# ---------------------
#
# Convolve a `~astropy.modeling.functional_models.Sersic2D` with a PSF, and add noise.

import matplotlib.pyplot as plt
import numpy as np
from astropy.convolution import Moffat2DKernel, convolve_fft
from astropy.modeling.models import Sersic2D

y, x = np.mgrid[:101, :101]
truth = Sersic2D(amplitude=6, r_eff=5, n=1.5, x_0=50.4, y_0=49.7, ellip=0.5, theta=0.6)
psf = Moffat2DKernel(2.5, 3, x_size=51, y_size=51).array
sigma = 0.15
noise = np.random.default_rng(3).normal(0, sigma, x.shape)
image = convolve_fft(truth(x, y), psf) + noise

# %%
# Two fitters
# -----------
#
# Compare a fitter of astropy, which fits the blurred image and needs initial values, with
# ``SersicNetFitter``, which takes the PSF. Where sersicnet is installed, ``from
# astropy.modeling.fitting import SersicNetFitter`` is equivalent to the import below.

from astropy.modeling.fitting import TRFLSQFitter

from sersicnet.fitter import SersicNetFitter

start = Sersic2D(amplitude=1, r_eff=8, n=1, x_0=50, y_0=50, ellip=0.3, theta=0.3)
blurred = TRFLSQFitter(calc_uncertainties=True)(start, x, y, image, weights=1 / sigma)
fitter = SersicNetFitter(psf)
fitted = fitter(Sersic2D(), x, y, image, weights=1 / sigma)

print(f"{'':9s}     true        TRFLSQFitter     SersicNetFitter")
for name in truth.param_names:
    both = (f"{getattr(m, name).value:7.3f} +- {m.stds[name]:.3f}" for m in (blurred, fitted))
    print(f"{name:9s} {getattr(truth, name).value:8.3f}", *both, sep="   ")

# %%
# The PSF makes a galaxy rounder and flatter in the middle. A fit without the PSF measures the
# blurred galaxy, with errors that do not include this. The network measures the galaxy before the
# PSF.

figure, axes = plt.subplots(1, 4, figsize=(10, 2.7), layout="constrained")
best = convolve_fft(fitted(x, y), psf)
panels = {
    "image": image,
    "SersicNetFitter, behind the PSF": best,
    "image - SersicNetFitter": image - best,
    "image - TRFLSQFitter": image - blurred(x, y),
}
for ax, (title, picture) in zip(axes, panels.items(), strict=True):
    if "-" in title:
        style = {"vmin": -4, "vmax": 4, "cmap": "RdBu_r"}
    else:
        style, picture = {}, sigma * np.arcsinh(picture / sigma)
    ax.imshow(picture[25:76, 25:76] / sigma, origin="lower", **style)
    ax.set(title=title, xticks=[], yticks=[])
    ax.title.set_fontsize(9)

# %%
# Bounds
# ------
#
# Bounds act as a prior. If the index is known to be at most 1.5, the parameters that are correlated
# with it change, too:

bounded = fitter(Sersic2D(bounds={"n": (None, 1.5)}), x, y, image, weights=1 / sigma)
print(f"share of the posterior: {fitter.fit_info['share']:.2f}")
for name in ("n", "r_eff", "amplitude"):
    free, known = (f"{getattr(m, name).value:.3f} +- {m.stds[name]:.3f}" for m in (fitted, bounded))
    print(f"{name:9s}  {free}  with bounds  {known}")

# %%
# ``fit_info`` holds the posterior behind the fit, in pixels (although the labels say arcsec):

from sersicnet.plotting import plot_corner

samples = fitter.fit_info["results"].samples(4000)
three = {name: samples[name][0] for name in ("r_eff", "n", "q")}
known = {"r_eff": truth.r_eff.value, "n": truth.n.value, "q": 1 - truth.ellip.value}
axes = plot_corner(three, truth=known, figure=plt.figure(figsize=(5.5, 5.5)))

# %%
# :doc:`/user_guide/fitter` lists the constraints and units that this fitter supports.
