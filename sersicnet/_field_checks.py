"""What can be wrong with a survey image as a whole: nothing to measure, noise of another kind."""

import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

__all__ = ["check_noise", "check_usable"]

# Noise over scatter of the sky beyond which the map of the noise is doubted. Pixels of drizzled
# images scatter by up to three times less than their correlated noise is, so that a map may say
# so much more; light of sources that is not clipped makes them scatter more. Of the 35 real cutouts
# (docs/real_galaxies.rst), each for an image, the ratio is 0.66 to 1.09.
_LEAST, _MOST = 0.5, 4.0
# Boxes of the sky in which they are compared, all over the image: not all of its noise is read.
_N_BOXES = 32
# What a map may be instead of what it was given for.
_DOUBTS = {
    "rms=": "is it a weight map, or in another unit?",
    "weight_map=": "is it a map of standard deviations or exposure times, or in another unit?",
}


def check_usable(field, sky, boxes):
    """Refuse an image of which no pixel can be measured.

    Parameters
    ----------
    field : `~sersicnet._field_image.FieldImage`
        The image.
    sky : `~sersicnet._field_sky.SkyMap`
        Its sky.
    boxes : list of pairs of slices
        Windows that together are the image. The first with a usable pixel is the last to be read.

    Raises
    ------
    ValueError
        If all are NaN, masked, or without noise.
    """
    finite = unmasked = False
    middle = len(boxes) // 2  # the first ones of a mosaic may be empty
    for box in boxes[middle:] + boxes[:middle]:
        good = np.isfinite(field.data[box])
        finite |= good.any()
        if field.mask is not None:
            good &= ~field.mask[box]
        unmasked |= good.any()
        noise = sky.rms_in(box) if field.noise is None else field.noise[box]
        if (good & np.isfinite(noise) & (noise > 0)).any():
            return
    reason = f"{field.noise_name} is nowhere positive and finite"
    if not unmasked:
        reason = "all that are finite are masked" if finite else "all are NaN or infinite"
    msg = f"image has no usable pixel: {reason}"
    raise ValueError(msg)


def check_noise(field, sky, mesh):
    """Warn if the given noise is not what pixels of the sky scatter by.

    Parameters
    ----------
    field : `~sersicnet._field_image.FieldImage`
        The image.
    sky : `~sersicnet._field_sky.SkyMap`
        Its sky.
    mesh : `~sersicnet._field_sky.SkyMesh`
        The boxes in which it was measured.
    """
    if field.noise is None:
        return
    chosen = np.unique(np.linspace(0, np.prod(mesh.counts) - 1, _N_BOXES).astype(int))
    ratios = []
    for y, x in np.transpose(np.unravel_index(chosen, mesh.counts)):
        noise = field.noise[mesh.window((slice(y, y + 1), slice(x, x + 1)))]
        noise = noise[np.isfinite(noise) & (noise > 0)]
        scatter = sky.rms[y + 1, x + 1]  # there are boxes around the image
        if noise.size and scatter > 0:
            ratios.append(np.median(noise) / scatter)
    if ratios and not _LEAST <= np.median(ratios) <= _MOST:
        doubt = _DOUBTS.get(field.noise_name, "is it of another kind, or in another unit?")
        msg = (
            f"{field.noise_name} says a noise of {np.median(ratios):.2g} times the scatter of the "
            f"sky (median of {len(ratios)} boxes): {doubt}"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=4)  # of who called measure_image
