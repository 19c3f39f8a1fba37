"""What needs no profile, for ``predict(morphology=True)``: columns of galaxies and their models."""

import numpy as np
import torch

from sersicnet._settings import check_bool
from sersicnet.diagnostics.morphology_columns import MORPHOLOGY_COLUMNS
from sersicnet.inference.fits import median_labels
from sersicnet.inference.noise_filters import binned_covariance, smooth_correlation
from sersicnet.inference.nonparametric import GalaxyImage, gini, second_moment
from sersicnet.model.choice import ModelChoice
from sersicnet.model.labels import CENTER
from sersicnet.model.render import render_models
from sersicnet.networks.posterior import PosteriorNetwork
from sersicnet.preprocessing.binning import groups_by_bins

__all__ = ["check_morphology", "morphology_columns"]

# Share of the light in missing pixels, which are filled by the model, above which nothing is said.
_MOST_FILLED = 0.25
# Share of the light of a model that its ellipse is measured from.
_BRIGHT = 0.9
# Columns in pixels of stamps, before they are in arcsec.
_SIZES = ("r_petro", "r20", "r50", "r80")


def check_morphology(net, model, morphology):
    """Raise an error if nothing but a profile can be measured.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The estimator.
    model : `~sersicnet.Model`
        What is known of the galaxies.
    morphology : bool
        As in `~sersicnet.SersicNet.predict`.

    Raises
    ------
    ValueError
        If ``morphology`` is no bool, or is True, and there will be no model of one Sersic profile
        behind the PSF.
    """
    check_bool("morphology", morphology)
    if not morphology:
        return
    if not isinstance(net.network_, PosteriorNetwork):
        msg = "morphology=True needs the posterior network: use the weights 'universal'"
        raise ValueError(msg)
    if isinstance(model, ModelChoice) or model.is_composite:
        msg = f"morphology=True needs one Sersic profile, and model={model!r} is another"
        raise ValueError(msg)


@torch.no_grad()
def morphology_columns(
    quantiles,
    stamps,
    psfs,
    *,
    sky=None,
    correlation=None,
    neighbors=None,
    counts=False,
    device="cpu",
):
    """Measure the images of galaxies, those of their models, and the residuals.

    Missing pixels have the light of the model. Half-light radii and others are those behind the
    PSF. Galaxies that were binned are measured in the pixels of their stamps.

    Parameters
    ----------
    quantiles : (7, 3, N) `~numpy.ndarray`
        Quantiles of all parameters at 16, 50 and 84 %, of one Sersic profile.
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of the galaxies.
    psfs : `~sersicnet.model.PSFs`
        PSFs of their cutouts.
    sky : (N,) `~numpy.ndarray`, optional
        Sky of each pixel of the image that a fit has found, NaN where it is not known.
    correlation : (N, K, K) `~numpy.ndarray`, optional
        Correlation of the noise of pixels of the image, NaN where it is white.
    neighbors : (N,) `~numpy.ndarray`, optional
        That of next neighbors far from the galaxy, NaN where it is not known. Galaxies that were
        binned fill the pixels near them, and have their correlation from this.
    counts : bool, optional
        Whether pixels are counts: ``sky`` is then the whole one, of which stamps have lost the
        square of their noise level, and the noise map is that of the sky alone.
    device : str or `~torch.device`
        Device on which models are rendered.

    Returns
    -------
    dict of (N,) `~numpy.ndarray`
        Columns of ``MORPHOLOGY_COLUMNS``, NaN where there is no model, the Petrosian radius is
        beyond the edge, or too much of the light is missing.
    """
    device = torch.device(device)
    found = {column.name: np.full(len(stamps), np.nan) for column in MORPHOLOGY_COLUMNS}
    labels = median_labels(quantiles, stamps, psfs)
    known = np.isfinite(labels).all(axis=1) & (psfs.which >= 0)
    frame = stamps.frame
    level = np.zeros(len(stamps))
    if sky is not None:
        level = np.nan_to_num(sky) * frame.bins**2 / frame.noise_level
        if counts:
            level = np.where(np.isfinite(sky), level - frame.noise_level, 0.0)
    size = stamps.data.shape[-1]
    noise = _noise_in_stamps(correlation, neighbors, frame.bins.astype(int))
    for rows, group in groups_by_bins(stamps, psfs):
        chosen = np.flatnonzero(known[rows])
        for part, _, models in render_models(labels[rows], chosen, group, size, device=device):
            for number, model in zip(rows[part], models.cpu().double().numpy(), strict=True):
                center = (size - 1) / 2 + labels[number, CENTER]
                own = noise[number]
                if counts:
                    own = np.sqrt(1 + np.maximum(model, 0) / frame.noise_level[number]), None
                values = _of_one(stamps[[number]], model, center, level[number], own)
                for name, value in values.items():
                    found[name][number] = value
    scale = frame.pixel_scale * frame.bins
    for name in _SIZES:
        found[name] = found[name] * scale
    return found


def _noise_in_stamps(correlation, neighbors, bins):
    """Return the noise of pixels of stamps in units of the noise map, and its correlation.

    Returns
    -------
    list of (float, (K, K) `~numpy.ndarray` or None)
        One of each stamp, None where the noise is white. The noise map of binned pixels takes those
        of the image as independent.
    """
    found = []
    for number, side in enumerate(bins):
        own = None if correlation is None else correlation[number]
        level = 1.0
        if side > 1 and neighbors is not None:
            own = smooth_correlation(neighbors[[number]])[0]
        if own is not None and not np.isfinite(own).all():
            own = None
        if own is not None and side > 1:
            covariance = binned_covariance(own, side)
            level = np.sqrt(covariance.max())
            own = covariance / level**2
        found.append((level, own))
    return found


def _of_one(stamp, model, center, sky, noise_of_pixels):
    """Return the numbers of one galaxy, in pixels of its stamp; none where nothing can be said."""
    noise_level, correlation = noise_of_pixels
    weight = stamp.weight[0].astype(float)
    there = weight > 0
    light = model.sum()
    filled = float(model[~there].sum() / light) if light > 0 else 1.0
    if filled > _MOST_FILLED:
        return {"filled_fraction": filled}
    data = stamp.data[0].astype(float) - sky
    sigma = np.zeros_like(data)
    np.divide(noise_level, weight, out=sigma, where=there)
    known = {"center": tuple(center), "ellipse": _ellipse(model)}
    image = GalaxyImage(np.where(there, data, model), sigma, correlation=correlation, **known)
    fitted = GalaxyImage(model, np.zeros_like(model), **known)
    residual = np.where(there, data - model, 0.0)
    if np.isnan([*image.petrosian, *fitted.petrosian]).any():
        return {"filled_fraction": filled}
    r20, r50, r80 = image.radii
    asymmetry, error, squared, squared_error = image.asymmetry()
    inside = image.aperture
    total = np.abs(image.image[inside]).sum()
    noise = np.sqrt(2 / np.pi) * sigma[inside].sum()
    rest = GalaxyImage(residual, sigma, correlation=correlation, **known)
    rest.__dict__.update(petrosian=image.petrosian, symmetry=image.symmetry)
    return {
        "r_petro": image.petrosian[0],
        "r20": r20,
        "r50": r50,
        "r80": r80,
        "concentration": 5 * np.log10(r80 / r20),
        "asymmetry": asymmetry,
        "asymmetry_err": error,
        "rms_asymmetry2": squared,
        "rms_asymmetry2_err": squared_error,
        "smoothness": image.smoothness(),
        "gini": gini(image.image[image.pixels]),
        "m20": second_moment(image.image, image.pixels),
        "concentration_model": 5 * np.log10(fitted.radii[2] / fitted.radii[0]),
        "smoothness_model": fitted.smoothness(),
        "gini_model": gini(model[fitted.pixels]),
        "m20_model": second_moment(model, fitted.pixels),
        "residual_fraction": (np.abs(residual[inside]).sum() - noise) / total,
        "residual_asymmetry": rest.asymmetry(total)[0],
        "filled_fraction": filled,
    }


def _ellipse(model):
    """Return axis ratio and angle of the brightest pixels of a model, from second moments."""
    order = np.argsort(model, axis=None)[::-1]
    sums = np.cumsum(model.ravel()[order])
    bright = order[: np.searchsorted(sums, _BRIGHT * sums[-1]) + 1]
    y, x = np.unravel_index(bright, model.shape)
    flux = model.ravel()[bright]
    covariance = np.cov(np.stack([x, y]), aweights=np.maximum(flux, 0))
    values, vectors = np.linalg.eigh(covariance)
    major = vectors[:, 1]
    return float(np.sqrt(max(values[0] / values[1], 0.01))), float(np.arctan2(major[1], major[0]))
