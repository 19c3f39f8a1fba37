"""
Your first cutout
=================

Measure one galaxy in a FITS file, from reading the file to the posterior.
"""

# %%
# A file
# ------
#
# The example needs a galaxy. This one is simulated, as HST/WFC3 would see it in the F160W images
# of CANDELS, and written to a file with its noise map, mask, WCS and PSF. If you have a file of
# your own, start with the next section.

from pathlib import Path
from tempfile import mkdtemp

from sersicnet import read_cutout, write_cutout
from sersicnet.simulate_catalog import SimulationConfig, draw_catalog, render_catalog

config = SimulationConfig.candels_f160w()
truth = draw_catalog(8, config, seed=5)[2:3]
path = Path(mkdtemp()) / "galaxy.fits"
write_cutout(next(iter(render_catalog(truth, config, seed=5))), path)

# %%
# Read it
# -------
#
# `~sersicnet.io.read_cutout` finds the extensions that surveys use, and returns a
# `~astropy.nddata.CCDData`. Before you measure, check the unit, the noise, the PSF (which includes
# the response of the pixel), and where pixel scale and zero point come from.

import matplotlib.pyplot as plt

cutout = read_cutout(path)
print("pixels", cutout.shape, "unit", cutout.unit)
print("uncertainty", cutout.uncertainty.uncertainty_type, "PSF", cutout.psf.shape)
print("zero point", cutout.meta["MAGZP"], "celestial WCS", cutout.wcs.has_celestial)

# %%
# Measure it
# ----------
#
# The trained weights are part of the package. ``<p>`` is the median of a parameter, ``<p>_err``
# its error.

from sersicnet import SersicNet, decode_flags

net = SersicNet.from_pretrained()
results = net.predict([cutout])
row = results.to_table()[0]
for name in results.parameters:
    median, error = results.median(name)[0], results.error(name)[0]
    true = getattr(truth[name][0], "value", truth[name][0])
    print(f"{name:5s} {median:8.3f} +- {error:.3f}, true {true:8.3f}")
print(f"ra {row['ra']:.6f}, dec {row['dec']:.6f}, pa {row['pa']:.1f}")

# %%
# Flags warn of problems with the image or the measurement. This one is harmless: the cutout is
# larger than the 128 x 128 pixels that the network sees. :ref:`flags` lists all of them.

print(decode_flags(results.flags[0]))

# %%
# Look at the residual
# --------------------
#
# The model behind the PSF, and the image minus this model, in units of the noise. The residual of a
# good measurement looks like noise; rings, or two halves of different sign in the middle, mean that
# the model is wrong.

from sersicnet.plotting import plot_residuals

figure = plt.figure(figsize=(7, 2.4), layout="constrained")
axes = plot_residuals([cutout], results, figure=figure)

# %%
# The posterior
# -------------
#
# Errors are correlated. Samples of the posterior include the correlations: compute derived
# quantities sample by sample.

import numpy as np

samples = results.samples(5000)
circularized = samples["r_eff"][0] * np.sqrt(samples["q"][0])
low, median, high = np.quantile(circularized, [0.16, 0.5, 0.84])
print(f"circularized radius {median:.4f} +{high - median:.4f} -{median - low:.4f} arcsec")

# %%

from sersicnet.plotting import plot_corner

three = {name: samples[name][0] for name in ("mag", "r_eff", "n")}
axes = plot_corner(three, truth=truth[0], figure=plt.figure(figsize=(5.5, 5.5)))
