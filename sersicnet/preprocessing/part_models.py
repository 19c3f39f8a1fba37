"""Galaxies of several parts where one Sersic galaxy is expected: their models, and stand-ins."""

from dataclasses import dataclass

import numpy as np

from sersicnet._rows import Rows
from sersicnet.model.labels import LABELS, LOG_R_EFF, PROFILE_LABELS, part_slices, shifted
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing.frame import StampFrame

__all__ = ["PartModels", "shown_as_one"]

SEVEN = tuple(PARAMETERS)
# Index of a galaxy that stands in for one of several parts.
_N = 1.5


@dataclass(frozen=True, eq=False)
class PartModels(Rows):
    """Labels of all parts of N galaxies, K of them, in the units of their stamps.

    Attributes
    ----------
    labels : (N, K) `~numpy.ndarray`
        Labels, with fluxes in units of the PSF stamps.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps.
    profiles : tuple of str
        Profiles of the parts.
    """

    shared = ("profiles",)

    labels: np.ndarray
    frame: StampFrame
    profiles: tuple[str, ...]

    @classmethod
    def of(cls, posterior, frame, psfs):
        """Make those of the best fits.

        Parameters
        ----------
        posterior : `~sersicnet.inference.FitDensity` or `~sersicnet.inference.SampleDensity`
            Posteriors of N galaxies.
        frame : `~sersicnet.preprocessing.StampFrame`
            Units of their stamps.
        psfs : `~sersicnet.model.PSFs`
            PSFs of their cutouts.

        Returns
        -------
        PartModels
        """
        profiles = tuple(profile for _, profile in posterior.parts or (("galaxy", "sersic"),))
        labels = shifted(posterior.best_labels(), profiles, log_flux=psfs.log_light, center=0.0)
        return cls(labels, frame, profiles)

    def of_part(self, number):
        """Return one of the parts."""
        place = part_slices(self.profiles)[number]
        return PartModels(self.labels[:, place], self.frame, self.profiles[number : number + 1])

    def widen(self, labels):
        """Return labels of stand-ins that are not smaller than the largest part.

        Half of the light may be a point source, and the rest far larger than the whole.

        Parameters
        ----------
        labels : (N, 7) `~numpy.ndarray`
            Labels of one Sersic galaxy in the place of each, in the units of the same stamps.

        Returns
        -------
        (N, 7) `~numpy.ndarray`
            With radius and ellipticity of the largest part where that is larger.
        """
        labels = labels.copy()
        for name, place in zip(self.profiles, part_slices(self.profiles), strict=True):
            own = dict(zip(PROFILE_LABELS[name], self.labels[:, place].T, strict=True))
            if "log_r_eff" not in own:
                continue
            larger = own["log_r_eff"] > labels[:, LOG_R_EFF]
            for label in ("log_r_eff", "e1", "e2"):
                labels[larger, LABELS.index(label)] = own[label][larger]
        return labels

    def on(self, frame):
        """Return the same galaxies in the units of other stamps of the same cutouts."""
        scale = self.frame.bins / frame.bins
        labels = self.labels.copy()
        for name, place in zip(self.profiles, part_slices(self.profiles), strict=True):
            columns = dict(zip(PROFILE_LABELS[name], labels[:, place].T, strict=True))  # views
            columns["dx"] *= scale
            columns["dy"] *= scale
            if "log_r_eff" in columns:
                columns["log_r_eff"] += np.log10(scale)
        x = (self.frame.x_middle - frame.x_middle) / frame.bins
        y = (self.frame.y_middle - frame.y_middle) / frame.bins
        log_flux = np.log10(self.frame.noise_level / frame.noise_level)
        center = np.stack([x, y], axis=1)
        labels = shifted(labels, self.profiles, log_flux=log_flux, center=center)
        return PartModels(labels, frame, self.profiles)


def shown_as_one(quantiles, psfs, frame):
    """Return quantiles of one Sersic galaxy in the place of several parts.

    They tell where the light is, for flags and for the pixels in which residuals count.

    Parameters
    ----------
    quantiles : (7, 3, N) `~numpy.ndarray`
        Quantiles of the whole, NaN for ``n``; for a point source, also for its shape.
    psfs : `~sersicnet.model.PSFs`
        PSFs of the cutouts.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps.

    Returns
    -------
    (7, 3, N) `~numpy.ndarray`
        A point source is as large as half of the FWHM of its PSF.
    """
    width = psfs.widths() * frame.pixel_scale
    stand_ins = {"r_eff": width / 2, "n": _N, "q": 1.0, "theta": 0.0}
    measured = np.isfinite(quantiles[SEVEN.index("mag"), 1])
    shown = quantiles.copy()
    for name, value in stand_ins.items():
        row = shown[SEVEN.index(name)]
        row[:] = np.where(measured & np.isnan(row[1]), value, row)
    size = shown[SEVEN.index("r_eff")]
    size[:] = np.where(size[1] == 0, width / 2, size)  # half of the light is a point source
    return shown
