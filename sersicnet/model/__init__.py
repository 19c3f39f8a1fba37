"""The generative model of a stamp: the image of a galaxy behind a PSF, in torch.

=================== ==============================================================================
module              content
=================== ==============================================================================
``labels``          The seven numbers that describe a galaxy: names, places, conversions.
``prior``           The galaxies that any image may hold, and the S/N of labels.
``unconstrained``   The transform between labels and values without bounds.
``profile``         Images of Sersic galaxies seen through a PSF.
``jacobian``        The derivatives of these images by the labels.
``profiles``        Profiles of light: one module each.
``parts``           Sums of profiles, and their derivatives.
``psf``             The PSFs of cutouts, checked and normalized.
``psf_stamp``       PSF stamps as users pass them.
``psf_check``       What is wrong with a PSF stamp, in words.
``psf_shape``       What is wrong with a PSF stamp, in numbers.
``psf_center``      PSFs off the middle of their stamp.
``psf_models``      Stamps of the PSF models of photutils.
``psf_resampling``  PSFs centered, binned, and as the network sees them.
``render``          Images of many galaxies, each behind its own PSF.
``layout``          Which parameters are free, and how labels follow from them.
``scene``           The same for N galaxies, with what is known of each.
``scene_prior``     The prior of these parameters.
``components``      What users say of a galaxy: components, fixed values, priors.
``combinations``    Components that can be fitted together, and their names.
``ties``            Parameters that two components have together.
``description``     The models of users.
``config_files``    What files of other codes say of galaxies, as such models.
``sersic_light``    The light of Sersic profiles (NumPy).
``galfit``          Files of GALFIT.
``imfit``           Files of imfit.
``sizes``           How much of a stamp a galaxy covers.
``likelihood``      The likelihood of stamps under one galaxy and a constant sky.
``newton``          Gauss-Newton steps of many galaxies, and the best single profiles.
``pixel_laws``      The same for counts, and for noise with outliers.
``stamp_groups``    Galaxies that are fitted together, and their likelihoods.
``band_layout``     Names of parameters in several bands: one structure, and light of each.
``band_scene``      Galaxies in several bands: the scenes of their fits.
``band_likelihood`` The likelihood of stamps in several bands.
``noise``           The correlation of the noise of neighboring pixels.
``whitening``       Stamps with correlated noise, made such that their noise is white.
``masked``          Masked pixels of such stamps, which are projected out.
``free_parts``      Slopes of the sky, which are projected out as well.
``misfit``          Residuals that one Sersic galaxy cannot explain.
``symmetries``      The eight orientations of a stamp.
=================== ==============================================================================
"""

from sersicnet._lazy import lazy_names

_HOMES = {
    "EllipticalMoffat2D": "profile_models",
    "King2D": "profile_models",
    "Ferrers2D": "profile_models",
    "EdgeOnDisk2D": "profile_models",
    "CoreSersic2D": "profile_models",
    "BrokenExponential2D": "profile_models",
    "BrokenExponential": "profile_components",
    "CoreSersic": "profile_components",
    "EdgeOnDisk": "profile_components",
    "Ferrers": "profile_components",
    "Gaussian": "profile_components",
    "King": "profile_components",
    "Moffat": "profile_components",
    "DeVaucouleurs": "components",
    "Exponential": "components",
    "LABELS": "labels",
    "Labels": "labels",
    "Layout": "layout",
    "Misfit": "misfit",
    "Model": "description",
    "ModelChoice": "choice",
    "N_LABELS": "labels",
    "NoiseFilters": "stamp_groups",
    "SharedStamps": "stamp_groups",
    "NormalEquations": "likelihood",
    "NormalPrior": "components",
    "ORIENTATIONS": "symmetries",
    "PSFCheck": "psf_check",
    "PixelLaw": "pixel_laws",
    "PSFs": "psf",
    "PointSource": "components",
    "Scene": "scene",
    "Sersic": "components",
    "StampLikelihood": "likelihood",
    "autocovariance": "noise",
    "axis_ratio": "labels",
    "bin_psf": "psf",
    "binned_oversampling": "psf",
    "check_oversampling": "psf_stamp",
    "check_psf": "psf_check",
    "collect_psfs": "psf",
    "compare_residuals": "misfit",
    "draw_labels": "prior",
    "ellipticity": "labels",
    "from_unconstrained": "unconstrained",
    "image_and_jacobian": "jacobian",
    "inverse_orientation": "symmetries",
    "is_list_of_stamps": "psf",
    "likelihoods": "stamp_groups",
    "log_density": "scene_prior",
    "log_prior": "prior",
    "log_snr": "prior",
    "log_volume": "unconstrained",
    "measure_misfit": "misfit",
    "orient_images": "symmetries",
    "orient_labels": "symmetries",
    "psf_transform": "profile",
    "psfs_of": "psf",
    "random_symmetry": "symmetries",
    "render_image": "render",
    "render_models": "render",
    "require_psfs": "psf",
    "sersic_images": "profile",
    "split_labels": "labels",
    "stack_labels": "labels",
    "stamp_sizes": "sizes",
    "to_unconstrained": "unconstrained",
    "unit_stamp": "psf_stamp",
    "unlimited_log_prior": "prior",
    "usable_psf": "psf_check",
    "visible_radius": "sizes",
    "whitened_likelihood": "whitening",
    "whitening_filters": "whitening",
}

__all__ = [
    "EllipticalMoffat2D",
    "King2D",
    "Ferrers2D",
    "EdgeOnDisk2D",
    "CoreSersic2D",
    "BrokenExponential2D",
    "BrokenExponential",
    "CoreSersic",
    "EdgeOnDisk",
    "Ferrers",
    "Gaussian",
    "King",
    "Moffat",
    "LABELS",
    "N_LABELS",
    "ORIENTATIONS",
    "DeVaucouleurs",
    "Exponential",
    "Labels",
    "Layout",
    "Misfit",
    "Model",
    "ModelChoice",
    "NoiseFilters",
    "SharedStamps",
    "NormalEquations",
    "NormalPrior",
    "PSFCheck",
    "PSFs",
    "PixelLaw",
    "PointSource",
    "Scene",
    "Sersic",
    "StampLikelihood",
    "autocovariance",
    "axis_ratio",
    "bin_psf",
    "binned_oversampling",
    "check_oversampling",
    "check_psf",
    "collect_psfs",
    "compare_residuals",
    "draw_labels",
    "ellipticity",
    "from_unconstrained",
    "image_and_jacobian",
    "inverse_orientation",
    "is_list_of_stamps",
    "likelihoods",
    "log_density",
    "log_prior",
    "log_snr",
    "log_volume",
    "measure_misfit",
    "orient_images",
    "orient_labels",
    "psf_transform",
    "psfs_of",
    "random_symmetry",
    "render_image",
    "render_models",
    "require_psfs",
    "sersic_images",
    "split_labels",
    "stack_labels",
    "stamp_sizes",
    "to_unconstrained",
    "unit_stamp",
    "unlimited_log_prior",
    "usable_psf",
    "visible_radius",
    "whitened_likelihood",
    "whitening_filters",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
