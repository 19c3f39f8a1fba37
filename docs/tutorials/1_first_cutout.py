"""
Your first cutout
=================

A FITS file with a galaxy, and what the network says of it.
"""

# %%
# A file
# ------
#
# There has to be a galaxy first. This one is simulated, as HST/WFC3 would see it in the F160W
# images of CANDELS, and written to a file with its noise map, mask, WCS and PSF. With a file of
# your own, begin below.

from pathlib import Path
from tempfile import mkdtemp

from sersicnet.io.cutouts import read_cutout, write_cutout
from sersicnet.simulate_catalog.catalog import draw_catalog
from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.render import render_catalog

config = SimulationConfig.candels_f160w()
truth = draw_catalog(8, config, seed=5)[2:3]
path = Path(mkdtemp()) / "galaxy.fits"
write_cutout(next(iter(render_catalog(truth, config, seed=5))), path)

# %%
# Read it
# -------
#
# `~sersicnet.io.read_cutout` knows the extensions that surveys use, and gives an
# `~astropy.nddata.CCDData`. Look at what is there before you measure: the unit, the noise, the
# PSF (a star, with the response of the pixel), and where pixel scale and zero point come from.

import matplotlib.pyplot as plt

cutout = read_cutout(path)
print("pixels", cutout.shape, "unit", cutout.unit)
print("uncertainty", cutout.uncertainty.uncertainty_type, "PSF", cutout.psf.shape)
print("zero point", cutout.meta["MAGZP"], "celestial WCS", cutout.wcs.has_celestial)

# %%
# Measure it
# ----------
#
# The weights travel with the package. ``<p>`` is a median, ``<p>_err`` its error.

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
# What was noticed about the image or the answer is a flag. This one is harmless: the cutout is
# larger than the 128 x 128 pixels that the network looks at. :ref:`flags` has all of them.

print(decode_flags(results.flags[0]))

# %%
# Believe your eyes
# -----------------
#
# The model behind the PSF, and what is left of the image without it, in units of the noise. What
# is left of a good measurement looks like noise; rings and halves of different sign in the
# middle do not.

from sersicnet.plotting import plot_residuals

figure = plt.figure(figsize=(7, 2.4), layout="constrained")
axes = plot_residuals([cutout], [results.model_image(0, cutout)], figure=figure)

# %%
# The posterior
# -------------
#
# Errors hang together. Samples know how, and so does whatever you compute from them, one by one.

import numpy as np

samples = results.samples(5000)
circularized = samples["r_eff"][0] * np.sqrt(samples["q"][0])
low, median, high = np.quantile(circularized, [0.16, 0.5, 0.84])
print(f"circularized radius {median:.4f} +{high - median:.4f} -{median - low:.4f} arcsec")

# %%

from sersicnet.plotting import plot_corner

three = {name: samples[name][0] for name in ("mag", "r_eff", "n")}
axes = plot_corner(three, truth=truth[0], figure=plt.figure(figsize=(5.5, 5.5)))
