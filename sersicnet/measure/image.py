"""From a survey image to a catalog: detection, cutouts, prediction, tile by tile."""

import os
from pathlib import Path

from sersicnet.diagnostics.dialects import check_dialect, shown_table
from sersicnet.diagnostics.summary import NO_RESULT, without_result
from sersicnet.estimator import SersicNet
from sersicnet.inference.calls import check_plain
from sersicnet.inference.choose import check_choice
from sersicnet.inference.morphology import check_morphology
from sersicnet.inference.refine import check_refinement
from sersicnet.io.files import check_image_path, check_table_path, write_table
from sersicnet.io.memory import enough_memory
from sersicnet.io.paths import check_outputs
from sersicnet.io.samples_files import check_samples_path
from sersicnet.measure.bands import check_detection, measure_bands
from sersicnet.measure.counts import with_counts
from sersicnet.measure.draws import check_covariance, take_draws
from sersicnet.measure.images import write_background, write_segmentation
from sersicnet.measure.log import (
    log_counts,
    log_detection,
    log_inputs,
    log_joined,
    log_results,
    log_sky,
)
from sersicnet.measure.matched import describe_detection
from sersicnet.measure.option_keywords import check_keywords, takes_options
from sersicnet.measure.options import Options
from sersicnet.measure.populations import INFER, check_population, with_population
from sersicnet.measure.psf_stage import with_psf
from sersicnet.measure.shown import check_shown
from sersicnet.measure.structure import structure_in
from sersicnet.measure.sweeps import JOINED
from sersicnet.measure.tiles import open_measurement
from sersicnet.measure.whole import measure_all
from sersicnet.model.description import Model, check_model
from sersicnet.networks.posterior import PosteriorNetwork

__all__ = ["infer_population", "measure_catalog", "measure_image", "name_of", "open_net"]

# Keyword arguments that are no options.
_OWN = ("detection", "wavelength", "net", "population", "output", "columns", "dialect")
_OWN += ("background_image", "segmentation_image", "progress_bar")


@takes_options
def measure_image(
    image,
    *,
    detection=None,
    wavelength=None,
    net=None,
    population=None,
    output=None,
    columns=None,
    dialect="sersicnet",
    background_image=None,
    segmentation_image=None,
    progress_bar=False,
    **options,
):
    """Measure all galaxies of a survey image.

    The sky is mapped, sources are detected and deblended by photutils, and each is measured in a
    cutout in which its neighbors are masked, or fitted with it (``refine``). Memory is bounded
    by the size of a tile, and the catalog does not depend on it: a source belongs to the tile with
    its brightest pixel, and is measured whole, up to the size of a tile.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`, 2-D `~numpy.ndarray`, path, or dict of these
        The image, with uncertainty, mask, WCS and PSF where it has them, or a FITS file, of which a
        tile at a time is read (extensions as for `~sersicnet.io.read_cutout`). A dict has those of
        several bands, in which each source is fitted together; ``psf`` to ``gain``, ``sky`` to
        ``noise_correlation`` and ``background_box`` may then be dicts as well.
    detection : str, optional
        Of several bands, the one in which sources are detected, the reference band, by default the
        first; or ``'chi2'`` for all bands together, whose images have the same pixels.
    wavelength : dict, optional
        That of each band, in micron or with units, for ``Model("sersic", chromatic=True)`` and
        ``Model.auto(("sersic", "chromatic"))``.
    net : `~sersicnet.SersicNet` or str, optional
        The network, or the name of shipped weights; by default the universal ones.
    population : None, ``'infer'``, path or `~sersicnet.inference.Population`, optional
        Population of the sources, which is taken as the prior of each in further columns:
        ``mag_population``, its error and quantiles, and the same for ``r_eff``, ``n`` and ``q``,
        ``ess_population`` and ``flags_population``. ``'infer'`` infers it from the sources of
        squares of 512 pixels in random order, 5 % of the image, and as many more as 2000 sources
        need (or all): these are measured first.
    output : path, optional
        File to which the table is written as well: ``.ecsv``, ``.fits``, ``.vot`` (a VOTable) or
        ``.parquet`` (which needs pyarrow). It appears when it is complete, and replaces another.
        Draws (``samples``) are beside it; without them, those of an earlier table may not be there.
    columns : sequence of str, optional
        Names of the columns of the table, in their order; by default all.
    dialect : {"sersicnet", "sextractor", "lsst"}, optional
        Whose names and conventions the columns have (:ref:`dialects`). What is made from a catalog
        later, such as images of models, needs our own names.
    background_image : path, optional
        FITS file to which the sky is written that is subtracted.
    segmentation_image : path, optional
        FITS file to which the pixels of sources are written: the row of the source in the table,
        counted from 1, and 0 for the sky. For this, the sources are detected once more.
    progress_bar : bool, optional
        Whether to show a progress bar; without one, the log (``sersicnet``, at the level ``INFO``)
        has a line for each tenth of the tiles.
    {options}

    Returns
    -------
    `~astropy.table.QTable`
        One row per source, from the bottom to the top of the image, or one per row of ``catalog``,
        with its ``id``. Companions that only joint fits find (flag ``COMPANION``) are behind all
        others. Columns are those of `~sersicnet.SersicResults.to_table` with fluxes, with ``x_0``
        and ``y_0`` in pixels of the image, and photutils' ``x_centroid``, ``y_centroid``
        (where a catalog is given: its positions), ``kron_mag`` and ``kron_mag_err``,
        ``half_light_radius`` (circular, with the PSF), and ``area``. ``group_id`` (``id`` of the
        brightest source), ``group_size`` and ``blend_fraction`` say which sources share light.
        ``local_background`` was subtracted from the cutout after the sky map. Several bands add
        those of each band, as in `~sersicnet.inference.BandResults.to_table`. ``meta`` has
        ``PIXSCALE``, ``MAGZP`` (the zero point), and what measured: ``VERSION``, ``WEIGHTS`` (name
        and SHA-256 of the file), ``REFINE``, ``PSFSAMP`` and ``PSFNORM`` (oversampling and
        normalization of the PSF), ``SKY``, ``SKYERR`` and ``NOISECOR`` (what a fit assumed),
        ``THRESH`` and ``KERNFWHM`` (threshold and filter of the detection), ``NFALSE`` (the number
        of sources that noise alone is expected to make), ``MINPIX``, ``CONTRAST``, ``LARGE1ST`` and
        ``SKYBOX`` (``n_pixels``, ``contrast``, ``large_first`` and ``background_box``), of fits
        ``JOINPAIR`` and ``NJOINED`` (``join_pairs``, and how many were), ``NOISCALE``, the factor
        of the noise of relative weights, and ``NOISNEXT`` and ``NOISSUM``, the correlation of the
        noise of next neighbors and its sum over all distances, where it was measured, ``PHOTONS``
        (what was done about the photons of sources) and ``GAIN``, if it is known, ``HIDDEN``
        (whether errors of fits include hidden sources) and ``NCOUNTED`` (number of sources from
        which theirs follow), where these were counted, ``PSFSTARS``, ``PSFLIGHT``, ``PSFLERR`` and
        ``PSFCHI2`` (stars on which the PSF was tried, their light within 2 pixels over that of the
        PSF, minus 1, its error, and their median chi2); with ``columns``, ``NORESULT`` (rows
        without a result). Each column has a description and a UCD.

    Raises
    ------
    TypeError, ValueError, OSError, `~astropy.units.UnitConversionError`
        If an argument is unknown or impossible, there will be no such column, a file that is read
        would be overwritten, the image has no usable pixel, or no row of ``catalog`` is in it; if
        images of several bands do not overlap (the message names the band). If the image has no
        PSF, and fewer than five stars to make one from. If a file is damaged, or cut while it is
        read; the message names it.
    MemoryError
        If there is too little memory; the message names the image.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the given noise is less than half of the scatter of the pixels of the sky, or more than
        2.7 times that: it may be of another kind or unit. If the header card ``SATURATE`` is not
        above the sky. If the WCS does not agree with ``pixel_scale``, or with the card
        ``PIXSCALE``. If the PSF is doubtful (see `~sersicnet.check_psf`), or does not fit the
        stars of the image (rows there have the flag ``BAD_PSF``), most sources are
        ``UNRESOLVED``, or some have half-light radii above a fifth of ``background_box``.

    Examples
    --------
    >>> from sersicnet.measure import measure_image
    >>> table = measure_image("field.fits", psf="star.fits", output="field.ecsv")  # doctest: +SKIP
    """
    check_keywords("measure_image", options, own=_OWN)
    if segmentation_image is not None and options.get("segmentation") is not None:
        msg = "segmentation_image= is what is detected, and segmentation= says what it is"
        raise ValueError(msg)
    images = {"background_image": background_image, "segmentation_image": segmentation_image}
    samples = check_samples_path(options.get("samples"), output)
    inputs = {"image": image, "population": population, **options}
    _check_paths(output, images, inputs, samples=samples)
    check_dialect(dialect)
    check_covariance(options.get("covariance"), columns)
    table = measure_catalog(
        image,
        detection=detection,
        wavelength=wavelength,
        net=net,
        population=population,
        shown={"columns": columns, "dialect": dialect},
        **images,
        progress_bar=progress_bar,
        **options,
    )
    log_results(table)
    draws = take_draws(table)
    if columns is not None:  # which may show no result
        table.meta[NO_RESULT] = int(without_result(table).sum())
    table = shown_table(table, columns, dialect)
    if output is not None:
        write_table(table, output, overwrite=True)
    if draws is not None:
        write_table(draws, samples, overwrite=True)
    return table


def measure_catalog(
    image,
    *,
    detection=None,
    wavelength=None,
    net=None,
    population=None,
    shown=None,
    background_image=None,
    segmentation_image=None,
    progress_bar=False,
    **options,
):
    """Measure all galaxies of a survey image, with draws as columns of their table.

    Parameters
    ----------
    image, detection, wavelength, net, population, background_image, segmentation_image
        As in `measure_image`.
    shown : dict, optional
        Its ``columns`` and ``dialect``, which are only checked.
    progress_bar, **options
        As there.

    Returns
    -------
    `~astropy.table.QTable`
        The table of `measure_image`, for `~sersicnet.measure.draws.take_draws`.
    """
    shown = shown or {"columns": None, "dialect": "sersicnet"}
    asked = {"detection": detection, "wavelength": wavelength}
    bands = _bands_of(image, options, population, background_image, **asked)
    population = check_population(population)
    net = open_net(net)
    memory = enough_memory(name_of(image), "a smaller tile_size= needs less")
    if bands is not None:
        asked = {"segmentation_image": segmentation_image, "progress_bar": progress_bar}
        asked |= {"detection": detection, "wavelength": wavelength, **shown}
        asked |= {"model": check_model(options.get("model", "sersic"))}
        with memory:
            return measure_bands(bands, net=net, options=options, **asked)
    with memory, open_measurement(image, Options(**options), net=net) as measurement:
        _check_network(measurement, population)
        check_shown(measurement, **shown)
        log_inputs(measurement)
        sky = measurement.map_sky()
        log_sky(measurement, sky)
        measurement = with_psf(measurement, sky)
        found = describe_detection(measurement, sky)
        log_detection(measurement.options, found)
        sky = with_counts(measurement, sky)
        log_counts(measurement, sky)
        measurement = with_population(measurement, population, sky)
        table = measure_all(measurement, sky, progress_bar=progress_bar)
        joined = table.meta.get(JOINED)
        log_joined(measurement.options, joined)
        table = measurement.finish([table])
        if background_image is not None:
            write_background(measurement, sky, Path(background_image))
        if segmentation_image is not None:
            write_segmentation(measurement, sky, Path(segmentation_image), joined=joined)
    table.meta |= sky.describe() | found
    return table


def _bands_of(image, options, population, background_image, **asked):
    """Return the images of several bands, None of one, after a check of what goes with them."""
    if not isinstance(image, dict):
        for name, value in asked.items():
            if value is not None:
                msg = f"{name}={value!r} is of several bands: image must be a dict of them"
                raise ValueError(msg)
        return None
    for name, value in (("population", population), ("background_image", background_image)):
        if value is not None:
            msg = f"{name}={value!r} is for an image of one band, and image is a dict of several"
            raise ValueError(msg)
    return check_detection(image, asked["detection"], options)


def name_of(image):
    """Return how a message names an image.

    Parameters
    ----------
    image : object
        A path, or an image in memory.

    Returns
    -------
    str
    """
    if isinstance(image, str | os.PathLike):
        return str(image)
    return "the image"


def infer_population(image, *, net=None, **options):
    """Infer the population of the sources of an image.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`, 2-D `~numpy.ndarray` or path
        As for `measure_image`.
    net : `~sersicnet.SersicNet` or str, optional
        As for `measure_image`.
    **options
        Options of `measure_image`.

    Returns
    -------
    `~sersicnet.inference.Population`

    Raises
    ------
    TypeError, ValueError, OSError, `~astropy.units.UnitConversionError`
        As `measure_image`, or if the image has too few sources.

    Examples
    --------
    >>> from sersicnet.measure.image import infer_population
    >>> population = infer_population("field.fits", psf="star.fits")  # doctest: +SKIP
    """
    check_keywords("infer_population", options, own=("net",))
    with open_measurement(image, Options(**options), net=open_net(net)) as measurement:
        _check_network(measurement, INFER)
        sky = measurement.map_sky()
        measurement = with_psf(measurement, sky)
        sky = with_counts(measurement, sky)
        return with_population(measurement, INFER, sky).population


def open_net(net):
    """Return the network that a user names.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`, str or None
        The network, the name of shipped weights, or None for the universal ones.

    Returns
    -------
    `~sersicnet.SersicNet`

    Raises
    ------
    TypeError
        If it is something else.
    ValueError
        If there are no weights of this name.

    Examples
    --------
    >>> from sersicnet.measure.image import open_net
    >>> len(open_net("universal").parameters_)
    7
    """
    if net is None:
        return SersicNet.from_pretrained()
    if isinstance(net, str):
        return SersicNet.from_pretrained(net)
    if not isinstance(net, SersicNet):
        msg = f"net must be a SersicNet or the name of shipped weights, not {type(net).__name__}"
        raise TypeError(msg)
    return net


def _check_network(measurement, population):
    """Raise ValueError, before the sky is measured, if what was asked cannot be done."""
    if measurement.options.fixed:
        structure_in(measurement)  # raises if the catalog lacks a column
    if measurement.options.fixed and population is not None:
        msg = "population= is for sources whose structure is fitted, not for fixed="
        raise ValueError(msg)
    model = measurement.options.fitted
    if model.chromatic:
        msg = f"model={model!r} changes with wavelength: it needs images of several bands"
        raise ValueError(msg)
    check_choice(model, check_refinement(measurement.options.refine), measurement.options.sky)
    if population is not None and not (measurement.priors or model).is_free:
        known = "a catalog with priors" if measurement.priors else repr(model)
        msg = f"population= is for model='sersic', of which nothing is known, not {known}"
        raise ValueError(msg)
    if not isinstance(measurement.net.network_, PosteriorNetwork):
        check_plain(measurement.options.refine, measurement.options.augment, model)
        check_morphology(measurement.net, Model("sersic"), measurement.options.morphology)
        if population is not None:
            msg = "population= needs the posterior network: use the weights 'universal'"
            raise ValueError(msg)


def _check_paths(output, images, inputs, *, samples):
    """Raise an error, before hours of work, if a file may not be written."""
    if output is not None:
        check_table_path(output, "output")
    for name, path in images.items():
        if path is not None:
            check_image_path(path, name)
    files = {}
    for name, value in inputs.items():
        files[name] = list(value.values()) if isinstance(value, dict) else value
    check_outputs({"output": output, "samples": samples, **images}, files)
