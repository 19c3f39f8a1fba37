"""
Hosts of quasars
================

The light of a galaxy around a point source that outshines it: magnitude and size of the host, with
errors that include how the light is divided.
"""

# %%
# Four quasars
# ------------
#
# The same host behind nuclei of which the brightest has ten times its light, as HST/WFC3 sees them.

import matplotlib.pyplot as plt
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable

from sersicnet.simulate_catalog import PSFModel, draw_psf, render_field

scale, zeropoint, side = 0.06, 25.95, 81
psf = draw_psf(PSFModel("moffat", fwhm=0.17, beta=2.5, size=61), pixel_scale=scale)
units = {"pixel_scale": scale, "zeropoint": zeropoint, "psf": psf}
host = {"mag": 20.5, "r_eff": 0.45, "n": 1.5, "q": 0.7, "theta": 35.0, "x_0": 40.2, "y_0": 39.9}
contrast = np.array([0.3, 1.0, 3.0, 10.0])  # light of the nucleus over that of the host
rng = np.random.default_rng(61)
cutouts = []
for ratio in contrast:
    nucleus = host | {"mag": host["mag"] - 2.5 * np.log10(ratio), "r_eff": 0.0}
    light = render_field(QTable([host, nucleus]), (side, side), **units)
    sigma = np.sqrt(0.02**2 + light / 2000)
    noisy = light + rng.normal(0, sigma)
    cutouts.append(CCDData(noisy, unit="electron/s", uncertainty=StdDevUncertainty(sigma)))

# %%
# Nucleus and host
# ----------------
#
# ``model="point+sersic"`` fits both at one center. One Sérsic profile is too steep, and flagged.

from sersicnet import SersicNet, decode_flags

net = SersicNet.from_pretrained()
both = net.predict(cutouts, model="point+sersic", **units)
single = net.predict(cutouts, refine="lm", **units)
table = both.to_table()
for number, ratio in enumerate(contrast):
    row = table[number]
    print(
        f"nucleus/host {ratio:4.1f}: host {row['mag_host'].value:.2f} "
        f"+- {row['mag_host_err'].value:.2f}, r_eff {row['r_eff_host'].value:.3f} "
        f"+- {row['r_eff_host_err'].value:.3f}; one Sérsic: n = {single.median('n')[number]:.1f}, "
        f"{decode_flags(single.flags[number])}"
    )

# %%
# The host behind the nucleus
# ---------------------------
#
# Above, the images; below, the images minus the point source, where the host shows. The last panels
# are magnitude and size of the host beside the truth (line).

figure, axes = plt.subplots(2, 5, figsize=(10.5, 4.2), layout="constrained")
for number, cutout in enumerate(cutouts):
    point = both.model_image(number, cutout, component="point")
    for ax, data in ((axes[0, number], cutout.data), (axes[1, number], cutout.data - point)):
        ax.imshow(np.arcsinh(data[15:66, 15:66] / 0.1), origin="lower", cmap="gray_r", vmax=6)
        ax.set(xticks=[], yticks=[])
    axes[0, number].set_title(f"nucleus/host {contrast[number]:g}")
axes[0, 0].set_ylabel("image")
axes[1, 0].set_ylabel("minus point source")
for ax, name, label in ((axes[0, 4], "mag", "mag"), (axes[1, 4], "r_eff", "r_eff (arcsec)")):
    values, errors = table[f"{name}_host"].value, table[f"{name}_host_err"].value
    ax.errorbar(contrast, values, errors, fmt="o")
    ax.axhline(host[name], color="k", lw=0.8)
    ax.set(xscale="log", ylabel=f"host: {label}")
_ = axes[1, 4].set_xlabel("nucleus/host")
