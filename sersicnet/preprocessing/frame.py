"""Units of a batch of stamps, and conversions between labels and parameters."""

from dataclasses import dataclass

import numpy as np

from sersicnet._rows import Rows
from sersicnet.model.labels import angle, components
from sersicnet.parameters import wrap_theta
from sersicnet.preprocessing.ellipses import TOLERANCE, elongation, stretched, unstretched
from sersicnet.profile_shapes import SHAPES

__all__ = ["StampFrame"]


@dataclass(frozen=True)
class StampFrame(Rows):
    """Units of a batch of N stamps, which turn labels into parameters and back.

    Attributes
    ----------
    noise_level : (N,) `~numpy.ndarray`
        The flux that is 1 in the stamp, in the unit of the cutout.
    zeropoint : (N,) `~numpy.ndarray`
        AB magnitude of a flux of 1 in the unit of the cutout.
    pixel_scale : (N,) `~numpy.ndarray`
        Arcsec per pixel of the cutout: the square root of the area of a pixel, at the galaxy.
    bins : (N,) `~numpy.ndarray`
        Pixels of the cutout on a side of a pixel of the stamp, 1 where it is not binned.
    x_middle, y_middle : (N,) `~numpy.ndarray`
        Position of the middle of the stamp in 0-based pixels of the cutout
        (half-integer where the stamp is even).
    stretch : (N, 2, 2) `~numpy.ndarray`, optional
        Matrix of determinant 1 or -1 that, times ``pixel_scale``, turns steps in pixels of the
        cutout into arcsec along east and north. By default pixels are square.

    Notes
    -----
    In labels, ``r_eff`` and ``q`` are those of the ellipse in pixels, as ``theta`` is. So are the
    values of `to_labels` and `from_labels`, where ``r_eff`` is in arcsec by ``pixel_scale``. Where
    pixels are not square, `on_sky` and `in_pixels` convert the ellipse to that on the sky and back.
    """

    noise_level: np.ndarray
    zeropoint: np.ndarray
    pixel_scale: np.ndarray
    bins: np.ndarray
    x_middle: np.ndarray
    y_middle: np.ndarray
    stretch: np.ndarray = None

    def __post_init__(self):
        if self.stretch is None:
            square = np.broadcast_to(np.eye(2), (*np.shape(self.pixel_scale), 2, 2))
            object.__setattr__(self, "stretch", square)

    @property
    def elongation(self):
        """Length of pixels over their width, (N,) `~numpy.ndarray`: 1 where they are square."""
        return elongation(self.stretch)

    @property
    def is_square(self):
        """Whether one pixel scale describes all directions, (N,) bool `~numpy.ndarray`."""
        return self.elongation < 1 + TOLERANCE

    def sky_in_image(self, sky):
        """Convert the level of the sky in stamps to that in a pixel of the image, in its unit."""
        return sky * self.noise_level / self.bins**2

    def on_sky(self, values):
        """Convert ellipses in pixels to ellipses on the sky.

        Parameters
        ----------
        values : dict of (N,) `~numpy.ndarray`
            Parameters as `from_labels` returns them.

        Returns
        -------
        dict of (N,) `~numpy.ndarray`
            The same with ``r_eff`` and ``q`` of the ellipses on the sky. They do not change where
            pixels are square, or one of ``r_eff``, ``q`` and ``theta`` is missing.
        """
        return self._converted(values, stretched)

    def in_pixels(self, values):
        """Convert ellipses on the sky to ellipses in pixels, the inverse of `on_sky`.

        Parameters
        ----------
        values : dict of (N,) `~numpy.ndarray`
            Parameters as a table of results holds them; with ``r_eff_pix`` and ``q_pix``, if these
            columns are there.

        Returns
        -------
        dict of (N,) `~numpy.ndarray`
            The parameters, as `to_labels` takes them.
        """
        if {"r_eff_pix", "q_pix"} <= set(values):
            r_eff = values["r_eff_pix"] * self.pixel_scale
            return values | {"r_eff": r_eff, "q": values["q_pix"]}
        return self._converted(values, unstretched)

    def _converted(self, values, convert):
        square = self.is_square
        if square.all() or not {"r_eff", "q", "theta"} <= set(values):
            return dict(values)
        r_eff, q = convert(values["r_eff"], values["q"], values["theta"], self.stretch)
        r_eff = np.where(square, values["r_eff"], r_eff)
        q = np.where(square, values["q"], q)
        return values | {"r_eff": r_eff, "q": q}

    def to_labels(self, truth, parameters):
        """Convert parameters to labels.

        Parameters
        ----------
        truth : dict of (N,) `~numpy.ndarray`
            Values in the units of `~sersicnet.parameters.PARAMETERS`. ``theta`` needs ``q``
            as well.
        parameters : tuple of str
            The parameters to convert.

        Returns
        -------
        dict of (N,) `~numpy.ndarray`
            ``log_flux`` (decimal, in units of ``noise_level``), ``log_r_eff``
            (decimal, pixels), ``n``, ``q``, ``e1``, ``e2`` (the components of
            ``(1 - q) / (1 + q)`` along cos and sin of ``2 theta``), ``dx``, ``dy`` (pixels).
        """
        labels = {}
        if "mag" in parameters:
            log_flux = -0.4 * (truth["mag"] - self.zeropoint)
            labels["log_flux"] = log_flux - np.log10(self.noise_level)
        if "r_eff" in parameters:
            labels["log_r_eff"] = np.log10(truth["r_eff"] / self.pixel_scale / self.bins)
        for name in ("n", *SHAPES):
            if name in parameters:
                labels[name] = truth[name]
        if "q" in parameters:
            labels["q"] = truth["q"]
        if "theta" in parameters:
            labels["e1"], labels["e2"] = components(truth["q"], np.radians(truth["theta"]))
        if "x_0" in parameters:
            labels["dx"] = (truth["x_0"] - self.x_middle) / self.bins
        if "y_0" in parameters:
            labels["dy"] = (truth["y_0"] - self.y_middle) / self.bins
        return labels

    def from_labels(self, labels, parameters):
        """Convert labels to parameters, the inverse of `to_labels`.

        Parameters
        ----------
        labels : dict of (N,) `~numpy.ndarray`
            Labels, as `to_labels` returns them.
        parameters : tuple of str
            The parameters wanted.

        Returns
        -------
        dict of (N,) `~numpy.ndarray`
            Values in the units of `~sersicnet.parameters.PARAMETERS`.
        """
        values = {}
        if "mag" in parameters:
            log_flux = labels["log_flux"] + np.log10(self.noise_level)
            values["mag"] = self.zeropoint - 2.5 * log_flux
        if "r_eff" in parameters:
            values["r_eff"] = 10 ** labels["log_r_eff"] * self.pixel_scale * self.bins
        for name in ("n", *SHAPES):
            if name in parameters:
                values[name] = labels[name]
        if "q" in parameters:
            values["q"] = labels["q"]
        if "theta" in parameters:
            theta = angle(labels["e1"], labels["e2"])
            values["theta"] = wrap_theta(np.degrees(theta))
        if "x_0" in parameters:
            values["x_0"] = labels["dx"] * self.bins + self.x_middle
        if "y_0" in parameters:
            values["y_0"] = labels["dy"] * self.bins + self.y_middle
        return values
