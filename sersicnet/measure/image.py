"""From a survey image to a catalog: detection, cutouts, prediction, tile by tile."""

from difflib import get_close_matches
from inspect import Parameter, signature

from sersicnet.estimator import SersicNet
from sersicnet.io.files import check_table_path, write_table
from sersicnet.measure.sky import BACKGROUND_BOX
from sersicnet.measure.tiles import open_measurement

__all__ = ["measure_image"]


def measure_image(
    image,
    *,
    psf=None,
    psf_oversampling=1,
    net=None,
    rms=None,
    weight_map=None,
    mask=None,
    saturation=None,
    zeropoint=None,
    pixel_scale=None,
    catalog=None,
    threshold=1.5,
    n_pixels=5,
    contrast=0.005,
    background_box=BACKGROUND_BOX,
    tile_size=1024,
    n_passes=None,
    output=None,
    progress_bar=False,
    **options,
):
    """Measure all galaxies of a survey image.

    The sky is mapped, sources are detected and told apart by photutils, and each is measured in a
    cutout in which its neighbors are masked. Memory is bounded by the size of a tile, and the
    answer does not depend on it: a source belongs to the tile with its brightest pixel, and is
    seen whole, up to the size of a tile.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`, 2-D `~numpy.ndarray` or path
        The image, with uncertainty, mask, WCS and PSF where it has them, or a FITS file, of which a
        tile at a time is read (extensions as for `~sersicnet.io.read_cutout`).
    psf : stamp, photutils model, PSFEx file or callable, optional
        See `~sersicnet.measure.field_psf`; by default that of the image.
    psf_oversampling : int, optional
        Pixels of a PSF stamp on a side of a pixel of the image.
    net : `~sersicnet.SersicNet`, optional
        What measures; by default the universal weights.
    rms, weight_map : 2-D array_like or path, optional
        Noise instead of that of the image: standard deviations in its unit, or **inverse
        variances** (0: no data). Without any, noise is measured with the sky, and flagged.
    mask : 2-D array_like or path, optional
        Bad pixels (True, or not zero) instead of those of the image.
    saturation : float, optional
        Pixels of so much are saturated; by default the header card ``SATURATE``, if there is one.
    zeropoint, pixel_scale : float or `~astropy.units.Quantity`, optional
        AB magnitude of a flux of 1 and arcsec per pixel, by default those of the image.
    catalog : `~astropy.table.Table`, optional
        Where to measure instead of what is detected: columns ``x_0`` and ``y_0`` (0-based
        pixels), or ``ra`` and ``dec`` (degrees, where they have no unit). Neighbors are
        detected and masked all the same.
    threshold : float, optional
        Of detection: above the sky, in units of the noise of a pixel, after smoothing
        by a Gaussian of 3 pixels FWHM.
    n_pixels : int, optional
        Smallest number of connected pixels above it.
    contrast : float, optional
        Smallest fraction of the light of a blend that makes a source of its own.
    background_box : int or None, optional
        Pixels on a side of the boxes in which the sky is measured. None: the image has no sky
        any more, nothing is taken off (noise, where it is not given, is measured all the same).
    tile_size : int, optional
        Pixels on a side of what is done at a time, neighboring pixels not counted.
    n_passes : int, optional
        How often sources are measured, at most. From the second time, the light of their
        neighbors, as it was measured before, is taken off, where it has changed. By default 6
        where answers are refined, else 1: the network knows of the wings of masked neighbors.
    output : path, optional
        Where the table is written as well: ``.ecsv``, ``.fits`` or ``.parquet`` (which needs
        pyarrow). The file appears when it is complete, and replaces another.
    progress_bar : bool, optional
        Whether to show one.
    **options
        Of `~sersicnet.SersicNet.predict`, such as ``normalize_psf``.

    Returns
    -------
    `~astropy.table.QTable`
        A row a source, from the bottom to the top of the image, or a row of ``catalog``, with its
        ``id``. Columns as of `~sersicnet.SersicResults.to_table`, with ``x_0`` and ``y_0``
        in pixels of the image, and, as photutils measures them, ``x_centroid``, ``y_centroid``
        (where a catalog is given: its positions), ``kron_mag`` and ``kron_mag_err``,
        ``half_light_radius`` (circular, with the PSF), and ``area``.
        ``local_background`` was subtracted from the cutout after the sky map. ``meta`` has
        ``PIXSCALE``, ``MAGZP`` (the zero point), and
        what measured: ``VERSION``, ``WEIGHTS`` (name and SHA-256 of the file), ``REFINE``, and
        ``THRESH``.

    Raises
    ------
    TypeError, ValueError, OSError, `~astropy.units.UnitConversionError`
        If the call makes no sense, or the image has no usable pixel.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the noise that is given is less than half of what pixels of the sky scatter by, or more
        than four times that: it may be of another kind or unit.

    Examples
    --------
    >>> from sersicnet.measure import measure_image
    >>> table = measure_image("field.fits", psf="star.fits", output="field.ecsv")  # doctest: +SKIP
    """
    _check_names(options)
    if output is not None:
        check_table_path(output)
    with open_measurement(
        image,
        psf=psf,
        psf_oversampling=psf_oversampling,
        net=SersicNet.from_pretrained() if net is None else net,
        rms=rms,
        weight_map=weight_map,
        mask=mask,
        saturation=saturation,
        zeropoint=zeropoint,
        pixel_scale=pixel_scale,
        catalog=catalog,
        threshold=threshold,
        n_pixels=n_pixels,
        contrast=contrast,
        background_box=background_box,
        tile_size=tile_size,
        n_passes=n_passes,
        **options,
    ) as measurement:
        table = measurement.measure_all(measurement.map_sky(), progress_bar=progress_bar)
        table = measurement.finish([table])
    if output is not None:
        write_table(table, output, overwrite=True)
    return table


def _check_names(options):
    """Refuse what neither `measure_image` nor `SersicNet.predict` takes."""
    known = [
        name
        for function in (measure_image, SersicNet.predict)
        for name, parameter in signature(function).parameters.items()
        if parameter.kind is Parameter.KEYWORD_ONLY
    ]
    for name in options:
        if name not in known:
            close = " or ".join(get_close_matches(name, known))
            hint = f": did you mean {close}?" if close else ""
            msg = f"measure_image() got an unexpected keyword argument {name!r}{hint}"
            raise TypeError(msg)
