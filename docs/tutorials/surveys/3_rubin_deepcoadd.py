"""
A deep coadd of Rubin
=====================

A coadd of LSST without its stack of software: the planes of the mask by their names, the PSF from
the image's own stars, blends fitted together, and a table with the names of LSST.
"""

# %%
# A file
# ------
#
# Stars and galaxies in a field of a minute of arc, two of which overlap, in the layout of
# ``deep_coadd``: image, mask and variance in nJy.

from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits
from astropy.table import QTable, vstack

from sersicnet.simulate_catalog import PSFModel, draw_psf, render_field

scale, zeropoint = 0.2, 31.4  # of 1 nJy
side = 300
psf = draw_psf(PSFModel("kolmogorov", fwhm=0.75, size=41), pixel_scale=scale)
rng = np.random.default_rng(31)
x_0, y_0 = (grid.ravel() for grid in np.meshgrid(np.arange(40, 280, 55), np.arange(40, 280, 55)))
x_0, y_0 = x_0 + rng.uniform(-8, 8, 25), y_0 + rng.uniform(-8, 8, 25)
is_star = np.arange(25) % 3 == 0
truth = QTable(
    {
        "mag": np.where(is_star, rng.uniform(18.5, 20.5, 25), rng.uniform(20, 24, 25)),
        "r_eff": np.where(is_star, 0, rng.lognormal(np.log(0.7), 0.3, 25)),
        "n": rng.choice([0.8, 1.2, 2.0, 3.0], 25),
        "q": rng.uniform(0.4, 1, 25),
        "theta": rng.uniform(-90, 90, 25),
        "x_0": x_0,
        "y_0": y_0,
    }
)
pair = truth[[4]]
pair["x_0"] += 14.0
pair["mag"] = truth["mag"][4] + 0.5
truth = vstack([truth, pair])
light = render_field(truth, (side, side), pixel_scale=scale, zeropoint=zeropoint, psf=psf)
variance = 25.0**2 + light.clip(0) * 4
image = light + rng.normal(0, np.sqrt(variance))

planes = {"BAD": 0, "SAT": 1, "INTRP": 2, "CR": 3, "EDGE": 4, "DETECTED": 5, "NO_DATA": 8}
mask = np.zeros(light.shape, "i4")
mask[120:123, :60] = 1 << planes["BAD"]
image[120:123, :60] = 0
sky = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg"}
sky |= {"CRVAL1": 53.1, "CRVAL2": -28.1, "CRPIX1": side / 2, "CRPIX2": side / 2}
sky |= {"CDELT1": -scale / 3600, "CDELT2": scale / 3600}
bits = {f"HIERARCH MP_{name}" if len(name) > 5 else f"MP_{name}": planes[name] for name in planes}
extensions = {
    "IMAGE": (image.astype("f4"), {"BUNIT": "nJy"}),
    "MASK": (mask, bits),
    "VARIANCE": (variance.astype("f4"), {"BUNIT": "nJy**2"}),
}
hdus = [fits.PrimaryHDU(header=fits.Header({"TELESCOP": "Simonyi Survey Telescope"}))]
for name, (data, cards) in extensions.items():
    header = fits.Header(sky | cards | {"EXTTYPE": name})
    hdus.append(fits.CompImageHDU(data, header, name=name, compression_type="GZIP_2"))
path = Path(mkdtemp()) / "deep_coadd_5063_14_i.fits"
fits.HDUList(hdus).writeto(path)

# %%
# A catalog
# ---------
#
# No PSF is given, so that it is made from stars. ``refine="lm"`` fits each galaxy, and those
# together that share light, which have the same ``group_id``.

from sersicnet import decode_flags, measure_image

catalog = measure_image(path, refine="lm")
print(f"PSF from {catalog.meta['PSFFROM']}, FWHM {catalog.meta['PSFFWHM']:.1f} pixels")
blended = catalog[catalog["group_size"] > 1]
print(blended["id", "group_id", "mag", "mag_err", "blend_fraction"])
print("flags:", [decode_flags(flags) for flags in blended["flags"]])
print("true magnitudes of the two:", truth["mag"][[4, -1]].round(2))

# %%
# Stars and galaxies
# ------------------
#
# ``prob_star`` is the probability of a star; stars (blue) and galaxies (red) are well separated
# here. Sizes of galaxies are those before the PSF.

away = np.hypot(
    catalog["x_0"].value[:, None] - truth["x_0"], catalog["y_0"].value[:, None] - truth["y_0"]
)
nearest = away.argmin(axis=1)
true = truth[nearest]
star = np.asarray(true["r_eff"]) == 0

figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.4), layout="constrained")
axes[0].imshow(image, origin="lower", cmap="gray_r", vmin=-50, vmax=400)
for chosen, color, marker in ((star, "C0", "*"), (~star, "C3", "o")):
    axes[0].plot(
        catalog["x_0"][chosen], catalog["y_0"][chosen], marker, mfc="none", mec=color, ms=11
    )
axes[0].set(title="stars and galaxies", xlabel="x (pixels)", ylabel="y (pixels)")
axes[1].plot(catalog["mag"][star], catalog["prob_star"][star], "C0*", label="stars")
axes[1].plot(catalog["mag"][~star], catalog["prob_star"][~star], "C3o", label="galaxies")
axes[1].set(xlabel="magnitude", ylabel="prob_star", ylim=(-0.05, 1.05))
axes[1].legend()
axes[2].errorbar(
    np.asarray(true["r_eff"])[~star],
    catalog["r_eff"].value[~star],
    catalog["r_eff_err"].value[~star],
    fmt="C3o",
)
axes[2].plot([0.2, 2], [0.2, 2], "k", lw=0.8)
_ = axes[2].set(xlabel="true r_eff (arcsec)", ylabel="measured r_eff (arcsec)")

# %%
# With the names of LSST
# ----------------------
#
# ``dialect="lsst"`` in ``measure_image``, or ``--dialect lsst``, gives the columns of the table
# Object.

same = measure_image(path, psf=psf, dialect="lsst")
print(same.colnames[:12])
