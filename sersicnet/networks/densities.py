"""Normal distributions of the labels of N galaxies, and quantiles of the parameters."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from sersicnet._rows import Rows, own_normal
from sersicnet._settings import check_positive, check_seed
from sersicnet.model.labels import axis_ratio, length
from sersicnet.parameters import ALL_PARAMETERS, wrap_theta
from sersicnet.profile_shapes import PROFILE_SHAPES, parameters_of

__all__ = ["NormalDensity", "all_samples", "drawn_samples", "named_part_samples"]
__all__ += ["parameter_samples", "sample_covariance", "samples_on_sky", "summarize"]


# Quantiles of the tables.
LEVELS = (0.16, 0.5, 0.84)


@dataclass(frozen=True, eq=False)
class NormalDensity(Rows):
    """Independent normal distributions of labels.

    Attributes
    ----------
    names : tuple of str
        Names of the labels.
    mean, scale : (N, L) `~numpy.ndarray`
        Means and standard deviations; NaN for a galaxy that could not be measured.
    """

    shared = ("names",)

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray

    def draw(self, rows, n, seed, *, numbers=None):
        """Draw labels of some galaxies, each with its own generator.

        Parameters
        ----------
        rows : (R,) array_like of int
            Rows of the galaxies.
        n : int
            Number of draws per galaxy.
        seed : int
            Seed of all generators.
        numbers : (R,) array_like of int, optional
            Numbers that tell the generators apart, by default the rows.

        Returns
        -------
        dict of (R, n) `~numpy.ndarray`
            By name of the label.
        """
        if numbers is None:
            numbers = rows
        normal = own_normal(numbers, (n, len(self.names)), seed)
        labels = self.mean[rows, None] + self.scale[rows, None] * normal
        return dict(zip(self.names, np.moveaxis(labels, 2, 0), strict=True))

    def quantiles(self, frame, parameters):
        """Compute quantiles of the parameters at ``LEVELS``, (P, 3, N) `~numpy.ndarray`."""
        quantiles = []
        for level in LEVELS:
            labels = self.mean + ndtri(level) * self.scale
            named = dict(zip(self.names, labels.T, strict=True))
            with np.errstate(over="ignore"):  # errors have no upper bound
                values = frame.from_labels(named, parameters)
            quantiles.append([_clip(values[name], name) for name in parameters])
        medians = quantiles[1]
        quantiles = np.sort(np.swapaxes(quantiles, 0, 1), axis=1)  # mag falls where flux rises
        if "theta" in parameters:
            row = parameters.index("theta")
            middle = medians[row]
            width = self._theta_width()
            quantiles[row] = [middle - width, middle, middle + width]
        return quantiles

    def _theta_width(self):
        """Compute the first-order error of the angle of (e1, e2), at most that of a flat one."""
        columns = [self.names.index("e1"), self.names.index("e2")]
        e1, e2 = self.mean[:, columns].T
        s1, s2 = self.scale[:, columns].T
        direction = np.arctan2(e2, e1)
        size = np.maximum(length(e1, e2), 1e-9)
        across = np.hypot(np.sin(direction) * s1, np.cos(direction) * s2)
        width = 0.5 * np.degrees(across / size) * ndtri(LEVELS[2])
        return np.minimum(width, 0.34 * 180)


def summarize(values, parameters, *, weights=None):
    """Compute quantiles of parameters from samples.

    Parameters
    ----------
    values : dict of (N, S) `~numpy.ndarray`
        Samples in the units of `~sersicnet.parameters.PARAMETERS`.
    parameters : tuple of str
        Names of P parameters.
    weights : (S,) or (N, S) `~numpy.ndarray`, optional
        Weights of the samples, by default all the same.

    Returns
    -------
    (P, 3, N) `~numpy.ndarray`
        The quantiles at 16, 50 and 84 %. Those of ``theta`` lie around its median and may leave
        [-90, 90).

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.networks import summarize
    >>> samples = {"n": np.linspace(1, 3, 101)[None]}
    >>> np.round(summarize(samples, ("n",)), 2)
    array([[[1.31],
            [2.  ],
            [2.69]]])
    """
    quantiles = []
    for name in parameters:
        if name == "theta":
            quantiles.append(_angle_quantiles(values[name], weights))
        else:
            quantiles.append(_quantiles(values[name], weights))
    return np.stack(quantiles)


def _quantiles(values, weights):
    """Compute quantiles at `LEVELS`, (3, N).

    Each of S values represents a probability of 1 / S around it; a weighted value represents all
    numbers up to the next value.
    """
    if weights is None:
        return np.quantile(values, LEVELS, axis=1, method="hazen")
    if np.ndim(weights) == 1:
        return np.quantile(values, LEVELS, axis=1, method="inverted_cdf", weights=weights)
    # NumPy takes a hundred times as long where each row has weights of its own.
    order = np.argsort(values, axis=1)
    edges = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    places = [(edges < level * edges[:, -1:]).sum(axis=1) for level in LEVELS]
    chosen = np.take_along_axis(order, np.stack(places, axis=1), axis=1)
    return np.take_along_axis(values, chosen, axis=1).T


def _angle_quantiles(theta, weights):
    double = np.radians(2 * theta)
    x = np.average(np.cos(double), axis=1, weights=weights)
    y = np.average(np.sin(double), axis=1, weights=weights)
    middle = 0.5 * np.degrees(np.arctan2(y, x))
    around = wrap_theta(theta - middle[:, None])
    low, median, high = _quantiles(around, weights)
    wrapped = wrap_theta(middle + median)
    return np.stack([wrapped + low - median, wrapped, wrapped + high - median])


def parameter_samples(labels, frame, parameters):
    """Convert samples of labels to samples of parameters.

    Parameters
    ----------
    labels : dict of (N, S) `~numpy.ndarray`
        Samples of the labels of N galaxies.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps.
    parameters : tuple of str
        Names of the parameters.

    Returns
    -------
    dict of (N, S) `~numpy.ndarray`
        By name of the parameter, within its limits.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.networks import parameter_samples
    >>> from sersicnet.preprocessing import StampFrame
    >>> one = np.ones(1)
    >>> frame = StampFrame(one, 25 * one, 0.1 * one, one, 31.5 * one, 31.5 * one)
    >>> samples = parameter_samples({"log_flux": np.array([[1.0, 2.0]])}, frame, ("mag",))
    >>> samples["mag"]
    array([[22.5, 20. ]])
    """
    values = frame[:, None].from_labels(labels, parameters)
    return {name: _clip(value, name) for name, value in values.items()}


def drawn_samples(posterior, frame, parameters, *, n, seed, numbers, model=None):
    """Draw samples of all that results have samples of, of ellipses in pixels.

    Parameters
    ----------
    posterior : object
        Densities of the labels of N galaxies, also over several models.
    frame, parameters
        As in `parameter_samples`.
    n, seed : int
        Number of draws for each galaxy, and their seed.
    numbers : (N,) int `~numpy.ndarray`
        Numbers that tell the generators of galaxies apart.
    model : str, optional
        Model to draw from, where there are several.

    Returns
    -------
    dict of (N, n) `~numpy.ndarray`

    Raises
    ------
    TypeError, ValueError
        If a number is not positive, or a model is named and there are not several.
    """
    check_positive("n", n)
    check_seed("seed", seed)
    if hasattr(posterior, "samples"):
        return posterior.samples(n, seed, frame, parameters, numbers=numbers, model=model)
    if model is not None:
        msg = f"model={model!r}: there is one model, and samples(n) draws from it"
        raise ValueError(msg)
    labels = posterior.draw(np.arange(len(frame)), n, seed, numbers=numbers)
    return all_samples(labels, frame, parameters, getattr(posterior, "parts", None))


def all_samples(labels, frame, parameters, parts=None):
    """Convert samples of labels to all that results have samples of.

    Parameters
    ----------
    labels, frame, parameters
        As in `parameter_samples`.
    parts : tuple of (str, str), optional
        Name and profile of each part of the galaxies.

    Returns
    -------
    dict of (N, S) `~numpy.ndarray`
        By the names of the parameters, of ``sky`` if it is there, and of the columns of parts.
        ``r_eff`` and ``q`` of the whole are of ellipses in pixels.
    """
    samples = parameter_samples(labels, frame, parameters)
    if "sky" in labels:
        samples["sky"] = frame[:, None].sky_in_image(labels["sky"])
    if parts:
        samples |= named_part_samples(labels, frame, parts)
    return samples


def samples_on_sky(samples, frame):
    """Convert samples of ellipses in pixels to samples on the sky.

    Parameters
    ----------
    samples : dict of (N, S) `~numpy.ndarray`
        Samples by the names of parameters.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps.

    Returns
    -------
    dict of (N, S) `~numpy.ndarray`
        With ``r_eff_pix`` and ``q_pix`` of the ellipses in pixels where these are not square.
    """
    if frame.is_square.all():
        return samples
    in_pixels = {}
    if "r_eff" in samples:
        in_pixels["r_eff_pix"] = samples["r_eff"] / frame.pixel_scale[:, None]
    if "q" in samples:
        in_pixels["q_pix"] = samples["q"]
    return frame[:, None].on_sky(samples) | in_pixels


def sample_covariance(samples, theta=None):
    """Return covariances of samples.

    Parameters
    ----------
    samples : dict of (N, S) `~numpy.ndarray`
        Samples of P parameters by their names.
    theta : (N,) `~numpy.ndarray`, optional
        Angles that those of ``theta`` are taken around.

    Returns
    -------
    (N, P, P) `~numpy.ndarray`
    """
    if theta is not None:
        middle = theta[:, None]
        samples = samples | {"theta": middle + wrap_theta(samples["theta"] - middle)}
    draws = np.stack(list(samples.values()), axis=1)
    draws = draws - draws.mean(axis=2, keepdims=True)
    return draws @ np.swapaxes(draws, 1, 2) / (draws.shape[2] - 1)


def named_part_samples(labels, frame, parts):
    """Return samples of parts on the sky by the names of their columns, with their shares.

    Parameters
    ----------
    labels : dict of (N, S) `~numpy.ndarray`
        Samples of labels, those of parts with the name of the part after a dot.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps.
    parts : tuple of (str, str)
        Name and profile of each part.

    Returns
    -------
    dict of (N, S) `~numpy.ndarray`
        Such as ``mag_bulge``, and ``bulge_to_total``; of one profile, its own shape parameters.
    """
    if len(parts) == 1:
        ((part, profile),) = parts
        shapes = PROFILE_SHAPES[profile].names if profile in PROFILE_SHAPES else ()
        own = {name: labels[f"{name}.{part}"] for name in shapes if name != "n"}
        return parameter_samples(own, frame, tuple(own))
    found = {}
    for part, profile in parts:
        values = _part_samples(labels, frame, part, profile)
        on_sky = frame[:, None].on_sky(values)
        found |= {f"{name}_{part}": on_sky[name] for name in values}
    return found | {f"{parts[0][0]}_to_total": labels["share"]}


def _part_samples(labels, frame, part, profile):
    """Convert samples of labels of a part to samples of its parameters, in pixels."""
    ending = f".{part}"
    own = {name.removesuffix(ending): labels[name] for name in labels if name.endswith(ending)}
    if "e1" in own:
        own["q"] = axis_ratio(length(own["e1"], own["e2"]))
    return parameter_samples(own, frame, parameters_of(profile))


def _clip(values, name):
    return np.clip(values, ALL_PARAMETERS[name].lower, ALL_PARAMETERS[name].upper)
