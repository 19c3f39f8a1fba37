"""The Sersic profile: its images are those of `sersicnet.model.profile`."""

from sersicnet.model.jacobian import image_and_jacobian
from sersicnet.model.labels import LABELS
from sersicnet.model.profile import sersic_images

__all__ = ["LABELS", "image_and_jacobian", "images"]

images = sersic_images
