"""Stars that GalSim draws with the response of the pixel."""

import galsim


def draw_star(profile, shape, *, oversampling=1):
    """The image of a profile, in pixels of the data over ``oversampling``."""
    image = galsim.ImageD(shape[1], shape[0], scale=1 / oversampling)
    return galsim.Convolve(profile, galsim.Pixel(1.0)).drawImage(image, method="no_pixel").array
