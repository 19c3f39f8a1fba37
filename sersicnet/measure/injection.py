"""Inject galaxies into a survey image, and measure them as the image is measured."""

import logging
import warnings
from contextlib import contextmanager
from dataclasses import replace

import astropy.units as u
import numpy as np
from astropy.table import vstack
from scipy.spatial import KDTree

from sersicnet._words import counted
from sersicnet.io.files import check_table_path, write_table
from sersicnet.io.memory import enough_memory
from sersicnet.io.paths import check_outputs
from sersicnet.measure.field import open_field
from sersicnet.measure.image import infer_population, measure_image, name_of, open_net
from sersicnet.measure.image_psf import open_psf
from sersicnet.measure.injected_field import Gain, with_galaxies
from sersicnet.measure.injection_match import injection_table, match_injections
from sersicnet.measure.injection_places import (
    LAYOUTS,
    given_rounds,
    good_pixels,
    place_galaxies,
    warn_of_places,
)
from sersicnet.measure.injection_truth import check_sizes, draw_truth, open_galaxies
from sersicnet.measure.log import tile_progress
from sersicnet.measure.made_psf import psf_of_field
from sersicnet.measure.option_keywords import check_keywords, takes_options
from sersicnet.measure.option_values import check_number
from sersicnet.measure.options import Options
from sersicnet.measure.populations import check_population

__all__ = ["Near", "inject_galaxies"]

_LOG = logging.getLogger("sersicnet")
# Keyword arguments that are no options of the measurement.
_OWN = (
    "n_galaxies",
    "magnitudes",
    "layout",
    "min_distance",
    "match_radius",
    "net",
    "population",
    "output",
    "progress_bar",
)
# Options that a field has in itself.
_PLANES = ("rms", "weight_map", "mask", "mask_bits")


@takes_options
def inject_galaxies(
    image,
    galaxies,
    *,
    n_galaxies=None,
    magnitudes=None,
    layout="grid",
    min_distance=80.0,
    match_radius=3.0,
    net=None,
    population=None,
    output=None,
    progress_bar=False,
    **options,
):
    """Add galaxies of known properties to a survey image, and measure them.

    What is found of them, and how well, is the completeness, bias and scatter of the catalog of
    this image, as Balrog (Suchyta et al. 2016, MNRAS 457, 786) and SynPipe (Huang et al. 2018, PASJ
    70, S6) measure them for their surveys. The image itself is not changed. It is measured once as
    it is (by the network alone), and once in each round with galaxies that are far from each other,
    with your options. Where the gain is known, galaxies have the noise of their photons; a noise
    map that has those of the sources of the image gets theirs as well.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`, 2-D `~numpy.ndarray` or path
        The image, as for `~sersicnet.measure.measure_image`. It needs a PSF.
    galaxies : str, `~sersicnet.simulate_catalog.SimulationConfig`, table, path or object
        What is injected:

        - a simulated survey, or its name, such as ``'candels_f160w'`` or ``'LSST:i'``;
        - a table, a dict of columns or a file of them, with ``mag``, ``r_eff`` (arcsec, major
          axis), ``n``, ``q``, and if they are known ``theta`` (degrees), ``x_0`` and ``y_0``
          (pixels of the image). Angles and positions are random where they are missing;
        - a `~sersicnet.inference.Population` that was inferred, its file (``.safetensors``), or
          another object with a method ``sample(n)`` or ``sample(n, seed=...)`` that returns such
          a table, and, if it has one, a method ``log_density(mag, log_r_eff, n, q)``.
    n_galaxies : int, optional
        Number of galaxies, by default 1000, or all rows of a table. More than it has are drawn
        several times.
    magnitudes : (float, float), optional
        Range of the magnitudes of a simulated survey, instead of its own. Completeness needs
        fainter galaxies than those that can be measured.
    layout : {'grid', 'random'}, optional
        Whether the positions of a round are a grid with a random origin and jitter, or random.
    min_distance : float, optional
        Smallest distance of two injected galaxies of a round, in pixels.
    match_radius : float, optional
        Largest distance of an injected galaxy and its detection, in pixels.
    net : `~sersicnet.SersicNet` or str, optional
        The network, or the name of shipped weights; by default the universal ones.
    population : None, ``'infer'``, path or `~sersicnet.inference.Population`, optional
        As for `~sersicnet.measure.measure_image`; ``'infer'`` infers it from the sources of the
        image as it is, not from the injected galaxies.
    output : path, optional
        File to which the table is written as well, as for `~sersicnet.measure.measure_image`.
    progress_bar : bool, optional
        Whether to show a progress bar of the rounds.
    {options}

    Returns
    -------
    `~astropy.table.QTable`
        One row per injected galaxy: ``id``, ``round``, its properties ``true_<p>``, and

        - ``log_density``, the natural logarithm of the density of (mag, log10(r_eff / arcsec), n,
          q) that it was drawn from, NaN where that is not known;
        - ``detected``: whether a source is within ``match_radius``, and not a brighter one of the
          image; ``distance`` to it;
        - ``on_source``: whether the image has a source within that radius; ``source_mag``, its
          magnitude; ``source_distance`` to the nearest source of the image, for blends;
        - all columns of `~sersicnet.measure.measure_image`, NaN where it was not detected.

        ``meta`` has that of the catalog, and ``NINJECT``, ``NROUNDS``, ``AREA`` (square arcmin of
        good pixels), ``MATCHRAD`` and ``MINDIST`` (pixels), ``GALAXIES`` (their name), ``SEED``,
        ``NSOURCES`` (of the image as it is), and ``PHOTONS`` and ``GAIN`` of the image as it is.
        `~sersicnet.diagnostics.injection_summary` makes completeness, bias and errors of it.

    Raises
    ------
    TypeError, ValueError, OSError, `~astropy.units.UnitConversionError`
        If an argument is impossible, the image has no PSF or no good pixel, or a file that is read
        would be overwritten.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        As `~sersicnet.measure.measure_image`, for the image as it is. If some of the positions
        that a table gives are in bad pixels, or most of them on sources of the image.

    Examples
    --------
    >>> from sersicnet.diagnostics import injection_summary
    >>> from sersicnet.measure import inject_galaxies
    >>> table = inject_galaxies(
    ...     "field.fits", "LSST:i", magnitudes=(20, 27), psf="star.fits"
    ... )  # doctest: +SKIP
    >>> injection_summary(table)["mag_lower", "completeness", "bias_mag"]  # doctest: +SKIP
    """
    check_keywords("inject_galaxies", options, own=_OWN)
    options = Options(**options)
    _check_settings(options, layout, min_distance, match_radius)
    _check_output(output, {"image": image, "galaxies": galaxies} | vars(options))
    source, name = open_galaxies(galaxies, magnitudes=magnitudes)
    truth = draw_truth(source, n_galaxies, seed=options.seed)
    net = open_net(net)
    population = check_population(population)
    planes = {name: getattr(options, name) for name in _PLANES}
    memory = enough_memory(name_of(image), "a smaller tile_size= needs less")
    with memory, open_field(image, **planes) as field:
        injector = _Injector(field, options, net)
        existing = injector.measure(field, refine=None)
        check_sizes(truth, field.data.shape, existing.meta["PIXSCALE"])
        gain = Gain.of(existing.meta)
        good = good_pixels(field, options)
        places = {"min_distance": min_distance, "layout": layout, "seed": options.seed}
        if _place(truth, good, **places):
            warn_of_places(truth, good, existing, radius=match_radius, stacklevel=2)
        injector.take_population(population)
        _log_injection(truth, existing, gain)
        tables = []
        for number in _rounds(truth, progress_bar):
            part = truth[truth["round"] == number]
            catalog = injector.measure_with(part, existing.meta["MAGZP"], gain, radius=match_radius)
            matches = match_injections(part, catalog, existing, radius=match_radius)
            tables.append(injection_table(part, matches, catalog))
    table = _stacked(tables)
    table.meta = existing.meta | catalog.meta | {"GALAXIES": name, "SEED": options.seed}
    table.meta |= _of_image(existing, tables, good)
    table.meta |= {"MINDIST": float(min_distance), "MATCHRAD": float(match_radius)}
    _LOG.info("%s", _summary(table))
    if output is not None:
        write_table(table, output, overwrite=True)
    return table


class _Injector:
    """An image that is measured again and again, with one network and the same options."""

    def __init__(self, field, options, net):
        self.field = field
        self.net = net
        self.options = options.replace(**dict.fromkeys(_PLANES))  # the field has planes
        self.population = None
        with _silence():  # the measurement of the image as it is says the same
            pixel_scale, _ = field.units(options.pixel_scale, options.zeropoint)
            self.psf = open_psf(field, options, pixel_scale, stacklevel=1)
            if self.psf is None:  # that of the image as it is for the images with galaxies too
                self.psf = psf_of_field(field, self.options)
                self.options = self.options.replace(psf=self.psf)

    def take_population(self, population):
        """Keep a population, or infer that of the image: injected galaxies have another one."""
        if isinstance(population, str):
            with _silence():
                population = infer_population(self.field, net=self.net, **vars(self.options))
        self.population = population

    def measure(self, field, **changes):
        """Measure the image, or the image with galaxies."""
        options = self.options.replace(**changes)
        return measure_image(field, net=self.net, population=self.population, **vars(options))

    def measure_with(self, truth, zeropoint, gain, *, radius):
        """Measure the image with galaxies, without saying again what it is like."""
        injected = with_galaxies(
            self.field,
            truth,
            self.psf,
            pixel_scale=self.options.pixel_scale,
            zeropoint=zeropoint,
            normalize_psf=self.options.normalize_psf,
            gain=gain,
            seed=self.options.seed,
        )
        with _silence():
            if self.options.refine is None:  # no need of others' models
                injected = replace(injected, is_wanted=Near(truth, radius))
            return self.measure(injected)


class Near:
    """Whether positions are near an injected galaxy: other sources need not be measured again.

    Parameters
    ----------
    truth : `~astropy.table.Table`
        Injected galaxies: ``x_0`` and ``y_0``.
    radius : float
        Largest distance, in pixels.
    """

    def __init__(self, truth, radius):
        self._places = KDTree(np.column_stack([truth["x_0"].value, truth["y_0"].value]))
        self._radius = radius

    def __call__(self, x, y):
        """Return whether each position is near a galaxy, (N,) bool `~numpy.ndarray`."""
        distance, _ = self._places.query(np.column_stack([x, y]))
        return distance <= self._radius


@contextmanager
def _silence():
    """Leave out log and warnings of a measurement that is like one before."""
    level = _LOG.level
    _LOG.setLevel(max(logging.WARNING, level))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _LOG.setLevel(level)


def _check_output(output, inputs):
    """Raise an error, before hours of work, if the table may not be written."""
    if output is not None:
        check_table_path(output, "output")
    check_outputs({"output": output}, inputs)


def _check_settings(options, layout, min_distance, match_radius):
    """Raise ValueError unless galaxies can be placed and found."""
    if options.detection_image is not None:
        msg = "detection_image= has no injected galaxies, so that they would not be detected"
        raise ValueError(msg)
    if options.segmentation is not None:
        msg = "segmentation= says what the sources are, but injected galaxies must be detected"
        raise ValueError(msg)
    if options.catalog is not None:
        msg = "catalog= gives the positions of sources, but injected galaxies must be detected"
        raise ValueError(msg)
    if not options.fitted.is_free:
        msg = f"model={options.model!r}: injected galaxies are measured with one Sersic profile"
        raise ValueError(msg)
    if layout not in LAYOUTS:
        msg = f"layout={layout!r} must be one of {', '.join(LAYOUTS)}"
        raise ValueError(msg)
    for name, value in (("match_radius", match_radius), ("min_distance", min_distance)):
        if not 0 < check_number(name, value) < np.inf:
            msg = f"{name}={value} must be a positive number of pixels"
            raise ValueError(msg)
    if min_distance < 2 * match_radius:
        msg = (
            f"min_distance={min_distance} must be at least twice match_radius={match_radius}, or a "
            "detection could belong to two galaxies"
        )
        raise ValueError(msg)


def _place(truth, good, *, min_distance, layout, seed):
    """Add rounds, and positions if there are none; return whether there were."""
    is_given = {"x_0", "y_0"} <= set(truth.colnames)
    if is_given:
        x = truth["x_0"].value
        y = truth["y_0"].value
        rounds = given_rounds(x, y, good.shape, min_distance=min_distance)
    else:
        options = {"min_distance": min_distance, "layout": layout, "seed": seed}
        x, y, rounds = place_galaxies(len(truth), good, **options)
    truth["x_0"] = x * u.pix
    truth["y_0"] = y * u.pix
    truth["round"] = rounds
    truth["id"] = np.arange(len(truth))
    return is_given


def _rounds(truth, progress_bar):
    """Count the rounds, and show or log how many of them are done."""
    n_rounds = int(truth["round"].max()) + 1
    with tile_progress(n_rounds, progress_bar=progress_bar, unit="round") as progress:
        for number in range(n_rounds):
            yield number
            progress.update()


def _of_image(existing, tables, good):
    """Return what ``meta`` says of the image as it is, and the numbers of galaxies and rounds."""
    return {
        "PHOTONS": existing.meta["PHOTONS"],
        "NSOURCES": len(existing),
        "NINJECT": sum(map(len, tables)),
        "NROUNDS": len(tables),
        "AREA": good.number * (existing.meta["PIXSCALE"] / 60) ** 2,
    }


def _stacked(tables):
    """The galaxies of all rounds, in the order in which they were drawn."""
    table = vstack(tables, metadata_conflicts="silent")
    return table[np.argsort(table["id"])]


def _log_injection(truth, existing, gain):
    """Log what is injected."""
    noise = "no noise of their own (the gain is not known)"
    if gain.value is not None:
        where = "has" if gain.in_map else "does not have"
        noise = f"{gain.value:g} electrons per unit; the noise map {where} the photons of sources"
    _LOG.info(
        "%s in %s; the image has %s; %s",
        counted(len(truth), "galaxy"),
        counted(truth["round"].max() + 1, "round"),
        counted(len(existing), "source"),
        noise,
    )


def _summary(table):
    """How many galaxies were found, and how many are on sources of the image, in words."""
    n_found = int(table["detected"].sum())
    n_on = int(table["on_source"].sum())
    return f"{n_found} of {len(table)} injected galaxies were detected, {n_on} are on sources"
