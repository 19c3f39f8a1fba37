"""The generative model of a stamp: what a galaxy looks like, in torch.

Labels, their prior, the Sersic profile behind a PSF, its derivatives, and the likelihood.
"""

from sersicnet._lazy import lazy_names

_HOMES = {
    "LABELS": "labels",
    "PSFs": "psf",
    "StampLikelihood": "likelihood",
    "bin_psf": "psf",
    "check_oversampling": "psf",
    "check_psf": "psf",
    "collect_psfs": "psf",
    "draw_labels": "prior",
    "from_unconstrained": "unconstrained",
    "image_and_jacobian": "jacobian",
    "is_list_of_stamps": "psf",
    "likelihoods": "likelihood",
    "log_prior": "prior",
    "log_snr": "prior",
    "log_volume": "unconstrained",
    "psfs_of": "psf",
    "psf_transform": "profile",
    "random_symmetry": "symmetries",
    "render_models": "render",
    "require_psfs": "psf",
    "residual_power": "misfit",
    "sersic_images": "profile",
    "stamp_sizes": "likelihood",
    "to_unconstrained": "unconstrained",
    "visible_radius": "likelihood",
}

__all__ = [
    "LABELS",
    "PSFs",
    "StampLikelihood",
    "bin_psf",
    "check_oversampling",
    "check_psf",
    "collect_psfs",
    "draw_labels",
    "from_unconstrained",
    "image_and_jacobian",
    "is_list_of_stamps",
    "likelihoods",
    "log_prior",
    "log_snr",
    "log_volume",
    "psfs_of",
    "psf_transform",
    "random_symmetry",
    "render_models",
    "require_psfs",
    "residual_power",
    "sersic_images",
    "stamp_sizes",
    "to_unconstrained",
    "visible_radius",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
