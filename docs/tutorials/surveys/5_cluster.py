"""
A cluster with intracluster light
=================================

The brightest galaxy of a cluster is embedded in light that reaches far beyond it. What one Sérsic
profile makes of both, and how to measure them separately.
"""

# %%
# A cluster
# ---------
#
# A bright galaxy, faint light around it that is five times as large, and smaller galaxies: an image
# of HST, drizzled to pixels of 0.2 arcsec, since the light is extended. Weights are inverse
# variances of the sky, and the photons of sources follow from the exposure time.

from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits
from astropy.table import QTable

from sersicnet.simulate_catalog import PSFModel, draw_psf, render_field

scale, side, exposure = 0.2, 161, 1000.0
photometry = {"PHOTFLAM": 7.0332e-20, "PHOTPLAM": 8045.0}
zeropoint = -2.5 * np.log10(7.0332e-20) - 5 * np.log10(8045.0) - 2.408
psf = draw_psf(PSFModel("moffat", fwhm=0.4, beta=3, size=41), pixel_scale=scale)
rng = np.random.default_rng(51)
columns = ("mag", "r_eff", "n", "q", "theta", "x_0", "y_0")
central = QTable(
    rows=[(17.5, 1.2, 3.0, 0.8, 30.0, 80.0, 80.0), (17.3, 5.5, 1.0, 0.6, 40.0, 80.0, 80.0)],
    names=columns,
)
angle, radius = rng.uniform(0, 2 * np.pi, 9), rng.uniform(35, 72, 9)
members = QTable(
    {
        "mag": rng.uniform(20.0, 22.5, 9),
        "r_eff": rng.uniform(0.3, 0.8, 9),
        "n": rng.choice([1.0, 2.0, 4.0], 9),
        "q": rng.uniform(0.5, 1, 9),
        "theta": rng.uniform(-90, 90, 9),
        "x_0": 80 + radius * np.cos(angle),
        "y_0": 80 + radius * np.sin(angle),
    }
)
units = {"pixel_scale": scale, "zeropoint": zeropoint, "psf": psf}
galaxy, diffuse = (render_field(central[[i]], (side, side), **units) for i in (0, 1))
light = galaxy + diffuse + render_field(members, (side, side), **units)
image = light + rng.normal(0, np.sqrt(0.02**2 + light / exposure))

about = {"TELESCOP": "HST", "INSTRUME": "ACS", "DETECTOR": "WFC", "FILTER2": "F814W"}
about |= {"EXPTIME": exposure, "D001OUUN": "cps", "D001WTSC": "IVM"}
sky = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg"}
sky |= {"CRVAL1": 3.59, "CRVAL2": -30.4, "CRPIX1": 81.0, "CRPIX2": 81.0}
sky |= {"CDELT1": -scale / 3600, "CDELT2": scale / 3600, "BUNIT": "ELECTRONS/S"}
path = Path(mkdtemp()) / "hst_acs_abell_f814w_drz.fits"
weight = np.full(light.shape, 0.02**-2, "f4")
fits.HDUList(
    [
        fits.PrimaryHDU(header=fits.Header(about)),
        fits.ImageHDU(image.astype("f4"), fits.Header(sky | photometry), name="SCI"),
        fits.ImageHDU(weight, name="WHT"),
        fits.ImageHDU(np.ones(light.shape, "i4"), name="CTX"),
    ]
).writeto(path)

# %%
# One profile, and two
# --------------------
#
# The smaller galaxies are masked; the detection overlooks one of them in the diffuse light, which
# is masked by hand. One Sérsic profile takes the diffuse light for the wings of the galaxy: its
# index is high, and ``MISFIT`` says that something is wrong. With an exponential profile for the
# diffuse light, both have their own size and flux.

from sersicnet import Exponential, Model, Sersic, SersicNet, decode_flags, read_cutout
from sersicnet.preprocessing import mask_neighbors

masked = mask_neighbors(read_cutout(path))
y, x = np.mgrid[:side, :side]
masked.mask |= np.hypot(x - 130, y - 62) < 8
net = SersicNet.from_pretrained()
one = net.predict([masked], psf=psf, refine="lm")
model = Model({"galaxy": Sersic(), "diffuse": Exponential()})
two = net.predict([masked], psf=psf, model=model)
print("one profile: ", decode_flags(one.flags[0]), f"n = {one.median('n')[0]:.1f}")
row = two.to_table()[0]
print("two profiles:", decode_flags(row["flags"]))
for part, true in zip(("galaxy", "diffuse"), central, strict=True):
    mag, radius = row[f"mag_{part}"], row[f"r_eff_{part}"]
    errors = row[f"mag_{part}_err"], row[f"r_eff_{part}_err"]
    print(f"  {part:8s} mag {mag.value:.2f} +- {errors[0].value:.2f} (true {true['mag']})", end="")
    print(f", r_eff {radius.value:.2f} +- {errors[1].value:.2f} (true {true['r_eff']})")

# %%
# Residuals
# ---------
#
# One profile leaves rings, and two leave noise.

from sersicnet.plotting import plot_residuals

models = [results.model_image(0, masked) for results in (one, two)]
figure = plt.figure(figsize=(7.2, 4.6), layout="constrained")
axes = plot_residuals([masked, masked], models, labels=["one profile", "two"], figure=figure)

# %%
# The profile
# -----------
#
# Surface brightness of the image, and of both parts: the diffuse light is fainter than the galaxy
# within 2 arcsec, and has more light in total. What is left beyond 8 arcsec is light of the smaller
# galaxies around their masks.

from sersicnet.plotting import plot_profile

figure, ax = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
_ = plot_profile(masked, two, index=0, ax=ax)
