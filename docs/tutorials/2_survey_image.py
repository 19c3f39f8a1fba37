"""
A survey image
==============

Make a catalog of an image with many galaxies, and see what goes wrong where they overlap.
"""

# %%
# A field
# -------
#
# Eighty galaxies and four stars at random places, as Hyper Suprime-Cam sees them in the i band.
# The properties of the camera come from the package surveycodex, and GalSim draws the galaxies. If
# you have an image of your own, start with the next section.

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.wcs import WCS

from sersicnet.diagnostics import parameter_values
from sersicnet.parameters import PARAMETERS, Prior
from sersicnet.simulate_catalog import SimulationConfig, draw_catalog, draw_psf, render_model

priors = {"mag": Prior(19.5, 25.0), "r_eff": Prior(0.25, 1.2, log=True), "n": Prior(0.5, 4.0)}
config = SimulationConfig.from_survey("HSC", "i").replace(priors=priors)
psf = draw_psf(config.psf, pixel_scale=config.pixel_scale)
shape, rng = (480, 480), np.random.default_rng(8)

truth = draw_catalog(80, config, seed=8)
truth["x_0"], truth["y_0"] = rng.uniform(0, 479, (2, len(truth))) * u.pix
values = {name: parameter_values(truth, name) for name in PARAMETERS}
survey = {"pixel_scale": config.pixel_scale, "zeropoint": config.zeropoint, "psf": psf}
light = np.zeros(shape)
for i in range(len(truth)):
    light += render_model({name: column[i] for name, column in values.items()}, shape, **survey)
stars = rng.integers(30, 450, (4, 2))
for (x, y), flux in zip(stars, (3000, 1000, 300, 100), strict=True):
    light[y - 20 : y + 21, x - 20 : x + 21] += flux * psf

noise = np.sqrt(config.sky_noise**2 + light.clip(0) / config.gain)
wcs = WCS(naxis=2)
wcs.wcs.ctype, wcs.wcs.cunit = ("RA---TAN", "DEC--TAN"), ("deg", "deg")
wcs.wcs.crval, wcs.wcs.crpix = (150.0, 2.2), (240.5, 240.5)
wcs.wcs.cdelt = np.array([-1, 1]) * config.pixel_scale / 3600
image = CCDData(
    light + noise * rng.standard_normal(shape),
    unit=config.unit,
    uncertainty=StdDevUncertainty(noise),
    wcs=wcs,
    psf=psf,
    meta={"MAGZP": config.zeropoint},
)

# %%
# A catalog
# -----------
#
# One call makes the catalog, or the command ``sersicnet measure field.fits --psf star.fits -o
# field.ecsv``. Here the image has its own PSF. The suffix of the file chooses ECSV, FITS or
# Parquet, and astropy reads all of them.

from pathlib import Path
from tempfile import mkdtemp

from astropy.table import QTable

from sersicnet import measure_image

folder = Path(mkdtemp())
measure_image(image, output=folder / "field.ecsv")
catalog = QTable.read(folder / "field.ecsv")
brief = catalog["ra", "dec", "mag", "mag_err", "r_eff", "n", "kron_mag", "flags"]
brief.sort("mag")
for name, digits in zip(brief.colnames[:-1], (5, 5, 2, 3, 2, 2, 2), strict=True):
    brief[name].info.format = f".{digits}f"
brief[:8].pprint(max_width=-1)

# %%
# Each source has flags. This is the number of sources with each flag:

from collections import Counter

from sersicnet import Flags, decode_flags

print(len(catalog), "sources")
names = (name for names in decode_flags(catalog["flags"]) for name in names)
for flag, n in Counter(names).most_common():
    print(f"{flag:14s} {n:2d}")

# %%
# On the sky
# ----------
#
# astropy matches each source to the nearest galaxy on the sky. Pairs within half an arcsecond are
# the same object; the sources without a match are the four stars.

from astropy.coordinates import SkyCoord

true_places = wcs.pixel_to_world(values["x_0"], values["y_0"])
places = SkyCoord(catalog["ra"], catalog["dec"])
nearest, distance, _ = places.match_to_catalog_sky(true_places)
matched = distance < 0.5 * u.arcsec
galaxies, true = catalog[matched], truth[nearest[matched]]
true["id"] = galaxies["id"]  # a report compares rows of the same id
missed = np.setdiff1d(np.arange(len(truth)), nearest[matched])
print(f"{len(galaxies)} of {len(truth)} galaxies, {np.sum(~matched)} other sources")

# %%
# Blended sources are those whose light touches that of another source. Missed galaxies are too
# faint, or so close to a brighter one that they are detected as a part of it. These have no flag of
# their own; at best, the brighter galaxy has the flag ``MISFIT``.

figure, ax = plt.subplots(figsize=(7, 7.5), layout="constrained")
ax.imshow(np.arcsinh(image.data / noise), origin="lower", vmin=-2, vmax=5, cmap="gray_r")
markers = {
    "BLENDED": ("s", "C1"),
    "MISFIT": ("D", "C6"),
    "EDGE": ("o", "C5"),
    "UNRESOLVED": ("h", "C2"),
}
for name, (marker, color) in markers.items():
    chosen = catalog[(catalog["flags"] & int(Flags[name])) != 0]
    style = {"s": 300, "marker": marker, "facecolors": "none", "edgecolors": color, "label": name}
    ax.scatter(chosen["x_0"].value, chosen["y_0"].value, **style)
ax.plot(catalog["x_0"].value, catalog["y_0"].value, "+", color="C0", ms=8, label="source")
ax.plot(values["x_0"][missed], values["y_0"][missed], "x", color="C3", ms=8, label="missed")
ax.set(xticks=[], yticks=[])
_ = figure.legend(loc="outside lower center", ncols=3, frameon=False)

# %%
# How accurate is it?
# -------------------
#
# Where two galaxies overlap, a part of the light of one is measured with the other. The error does
# not include this.

mag_error = parameter_values(galaxies, "mag") - parameter_values(true, "mag")
quoted = galaxies["mag_err"].value
suspect = (galaxies["flags"] & int(Flags.BLENDED | Flags.EDGE | Flags.MISFIT)) != 0
figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for chosen, color, label in (
    (~suspect, "C0", "without these flags"),
    (suspect, "C1", "BLENDED, EDGE or MISFIT"),
):
    x, share = true["mag"].value[chosen], np.mean(abs(mag_error[chosen]) < quoted[chosen])
    label = f"{label}: {share:.0%} of {chosen.sum()} within one error"
    ax.errorbar(x, mag_error[chosen], quoted[chosen], fmt="o", ms=4, color=color, label=label)
ax.axhline(0, color="0.5", lw=0.8)
ax.set(xlabel="true magnitude", ylabel="measured - true magnitude")
_ = ax.legend(loc="lower left")

# %%
# Fit with the neighbors
# ----------------------
#
# With ``refine="lm"``, each galaxy is fitted, together with the neighbors whose light matters. The
# sources are the same, in the same order; companions of bright galaxies that were found in the
# residuals are behind them, with the flag ``COMPANION``.

from astropy.stats import mad_std

fitted = measure_image(image, refine="lm")
print(f"{len(fitted) - len(matched)} companions")
fitted = fitted[: len(matched)]
fit_error = parameter_values(fitted[matched], "mag") - parameter_values(true, "mag")
for label, chosen in (("without these flags", ~suspect), ("with one of them", suspect)):
    scatters = [mad_std(error[chosen]) for error in (mag_error, fit_error)]
    print(f"{label:20s} scatter {scatters[0]:.3f} mag (network), {scatters[1]:.3f} mag (lm)")

# %%
# The residual
# ------------
#
# The residual is the best check of a field where the truth is not known. Light in the residual was
# missed, or is not that of a single Sérsic galaxy.

from astropy.io import fits

from sersicnet.measure import write_field_model
from sersicnet.plotting import plot_residuals

write_field_model(catalog, image, folder / "model.fits")
model = fits.getdata(folder / "model.fits")
axes = plot_residuals([image], [model], figure=plt.figure(figsize=(10, 3.5), layout="constrained"))

# %%
# The three flagged galaxies with the largest error of the magnitude relative to the quoted error.
# Two galaxies that are detected as one leave an obvious pattern. A galaxy beside a masked neighbor,
# or cut by the edge, may fit well and be wrong:

worst = np.argsort(suspect * abs(mag_error) / quoted)[:-4:-1]
boxes, labels = [], []
for row in worst:
    y, x = (round(galaxies[name][row].value) for name in ("y_0", "x_0"))
    boxes.append(np.s_[max(y - 25, 0) : y + 26, max(x - 25, 0) : x + 26])
    flags = ", ".join(decode_flags(galaxies["flags"][row])) or "no flag"
    labels.append(f"{mag_error[row]:+.2f} +- {quoted[row]:.2f} mag\n{flags}")
axes = plot_residuals(
    [image[box] for box in boxes],
    [model[box] for box in boxes],
    labels=labels,
    figure=plt.figure(figsize=(8, 5.2), layout="constrained"),
)

# %%
# A page for the browser
# ----------------------
#
# `~sersicnet.report.write_report`, or ``sersicnet report field.ecsv -o field.html``, makes a
# page with distributions, errors and a table that sorts and filters
# (:doc:`/user_guide/reports`). Where the truth is known, the page compares with it.

from sersicnet.report import write_report

page = write_report(galaxies, folder / "field.html", truth=true)
print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB")

# %%
# :doc:`/user_guide/images` explains each step and what an overlap costs, :doc:`/trust/fields`
# compares two large fields with SExtractor, and :doc:`/user_guide/surveys` measures many images.
