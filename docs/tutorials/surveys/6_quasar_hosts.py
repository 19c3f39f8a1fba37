"""
Hosts of quasars
================

The light of a galaxy around a point source that outshines it: magnitude and size of the host, with
errors that include how the light is divided.
"""

# %%
# Four files
# ----------
#
# The same host behind nuclei of which the brightest has ten times its light, in drizzled images of
# HST/WFC3: counts per second with weights, ``WHT``, and the zero point in ``PHOTFLAM`` and
# ``PHOTPLAM``. Weights are inverse variances of the sky; the photons of the quasar are not in them.

from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits
from astropy.table import QTable

from sersicnet.simulate_catalog import PSFModel, draw_psf, render_field

scale, side, exposure = 0.06, 81, 2000.0
photometry = {"PHOTFLAM": 1.9276e-20, "PHOTPLAM": 15369.18}
zeropoint = -2.5 * np.log10(1.9276e-20) - 5 * np.log10(15369.18) - 2.408
psf = draw_psf(PSFModel("moffat", fwhm=0.17, beta=2.5, size=61), pixel_scale=scale)
units = {"pixel_scale": scale, "zeropoint": zeropoint, "psf": psf}
host = {"mag": 20.5, "r_eff": 0.45, "n": 1.5, "q": 0.7, "theta": 35.0, "x_0": 40.2, "y_0": 39.9}
contrast = np.array([0.3, 1.0, 3.0, 10.0])  # light of the nucleus over that of the host
about = {"TELESCOP": "HST", "INSTRUME": "WFC3", "DETECTOR": "IR", "FILTER": "F160W"}
about |= {"EXPTIME": exposure, "D001OUUN": "cps", "D001WTSC": "IVM"}
sky = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg"}
sky |= {"CRVAL1": 214.9, "CRVAL2": 52.8, "CRPIX1": 41.0, "CRPIX2": 41.0}
sky |= {"CDELT1": -scale / 3600, "CDELT2": scale / 3600, "BUNIT": "ELECTRONS/S"}
folder = Path(mkdtemp())
rng = np.random.default_rng(61)
paths = []
for number, ratio in enumerate(contrast):
    nucleus = host | {"mag": host["mag"] - 2.5 * np.log10(ratio), "r_eff": 0.0}
    light = render_field(QTable([host, nucleus]), (side, side), **units)
    noisy = light + rng.normal(0, np.sqrt(0.02**2 + light / exposure))
    extensions = {"SCI": noisy, "WHT": np.full(light.shape, 0.02**-2), "CTX": np.ones(light.shape)}
    hdus = [fits.PrimaryHDU(header=fits.Header(about))]
    for name, data in extensions.items():
        header = fits.Header(sky | photometry if name == "SCI" else {})
        kind = "i4" if name == "CTX" else "f4"
        hdus.append(fits.ImageHDU(data.astype(kind), header, name=name))
    paths.append(folder / f"quasar_{number}_drz.fits")
    fits.HDUList(hdus).writeto(paths[-1])

# %%
# Nucleus and host
# ----------------
#
# Pixel scale, zero point and gain come from the files, so that the photons of the quasars are in
# the noise. ``model="point+sersic"`` fits both at one center. One Sérsic profile is too steep, and
# flagged.

from sersicnet import SersicNet, decode_flags, read_cutout

cutouts = [read_cutout(path) for path in paths]
net = SersicNet.from_pretrained()
both = net.predict(cutouts, psf=psf, model="point+sersic")
single = net.predict(cutouts, psf=psf, refine="lm")
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
