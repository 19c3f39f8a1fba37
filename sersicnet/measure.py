"""From a survey image to a catalogue: detection, cutouts, prediction, tile by tile."""

from dataclasses import dataclass
from functools import partial

import astropy.units as u
import numpy as np
from astropy.nddata import NDData
from astropy.table import vstack
from tqdm.auto import tqdm

from sersicnet._detection import Detection, cutout_box, find_sources, unseen
from sersicnet._field_catalog import catalog_positions, finish_table, outside
from sersicnet._field_cutouts import cut_source
from sersicnet._field_image import open_field
from sersicnet._field_sky import boxes_of, map_sky
from sersicnet._field_window import read_window
from sersicnet._settings import check_positive
from sersicnet._tables import check_table_path, write_table
from sersicnet.estimator import SersicNet
from sersicnet.field_psf import FieldPSF, field_psf
from sersicnet.flags import Flags

__all__ = ["measure_image"]

# Pixels on a side of the boxes in which sky and noise are measured.
_SKY_BOX = 128
# Cutouts in memory at a time.
_BATCH = 256
# Pixels that a window may be larger than a tile, at least: galaxies of that size stay whole.
_LEAST_REACH = 512


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
    sky_box=_SKY_BOX,
    tile_size=1024,
    output=None,
    progress_bar=False,
    **options,
):
    """Measure all galaxies of a survey image.

    The sky is mapped, sources are detected and told apart by photutils, and each is measured in a
    cutout in which its neighbours are masked. Memory is bounded by the size of a tile, and the
    answer does not depend on it: a source belongs to the tile with its brightest pixel, and is
    seen whole, up to the size of a tile.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`, 2-D `~numpy.ndarray` or path
        The image, with uncertainty, mask, WCS and PSF where it has them, or a FITS file, of which a
        tile at a time is read (extensions as for `~sersicnet.cutouts.read_cutout`).
    psf : stamp, photutils model, PSFEx file or callable, optional
        See `~sersicnet.field_psf.field_psf`; by default that of the image.
    psf_oversampling : int, optional
        Pixels of a PSF stamp on a side of a pixel of the image.
    net : `~sersicnet.estimator.SersicNet`, optional
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
        pixels), or ``ra`` and ``dec`` (degrees, where they have no unit). Neighbours are
        detected and masked all the same.
    threshold : float, optional
        Of detection: above the sky, in units of the noise of a pixel, after smoothing
        by a Gaussian of 3 pixels FWHM.
    n_pixels : int, optional
        Smallest number of connected pixels above it.
    contrast : float, optional
        Smallest fraction of the light of a blend that makes a source of its own.
    sky_box : int or None, optional
        Pixels on a side of the boxes in which the sky is measured. None: the image has no sky
        any more, nothing is taken off (noise, where it is not given, is measured all the same).
    tile_size : int, optional
        Pixels on a side of what is done at a time, neighbouring pixels not counted.
    output : path, optional
        Where the table is written as well: ``.ecsv``, ``.fits`` or ``.parquet`` (which needs
        pyarrow). The file appears when it is complete, and replaces another.
    progress_bar : bool, optional
        Whether to show one.
    **options
        Of `~sersicnet.estimator.SersicNet.predict`, such as ``normalize_psf``.

    Returns
    -------
    `~astropy.table.QTable`
        A row a source, from the bottom to the top of the image, or a row of ``catalog``, with its
        ``id``. Columns as of `~sersicnet.results.SersicResults.to_table`, with ``x_0`` and ``y_0``
        in pixels of the image, and, as photutils measures them, ``x_centroid``, ``y_centroid``
        (where a catalogue is given: its positions), ``kron_mag`` and ``kron_mag_err``,
        ``half_light_radius`` (circular, with the PSF), and ``area``. ``local_sky`` was taken off
        the cutout beside the sky map. ``meta`` has ``PIXSCALE`` and ``MAGZP``, the zero point.

    Raises
    ------
    TypeError, ValueError, OSError, `~astropy.units.UnitConversionError`
        If the call makes no sense.

    Examples
    --------
    >>> from sersicnet.measure import measure_image
    >>> table = measure_image("field.fits", psf="star.fits", output="field.ecsv")  # doctest: +SKIP
    """
    box_size = _SKY_BOX if sky_box is None else sky_box
    for name, value in (("n_pixels", n_pixels), ("sky_box", box_size), ("tile_size", tile_size)):
        check_positive(name, value)
    if not threshold > 0 or not 0 <= contrast <= 1:
        msg = f"threshold={threshold} must be positive, contrast={contrast} between 0 and 1"
        raise ValueError(msg)
    detection = Detection(threshold, n_pixels, contrast)
    if output is not None:
        check_table_path(output)
    with open_field(image, rms=rms, weight_map=weight_map, mask=mask) as field:
        psf = field.psf if psf is None else psf
        measurer = _Measurer(
            SersicNet.from_pretrained() if net is None else net,
            None if psf is None else field_psf(psf, oversampling=psf_oversampling),
            *field.units(pixel_scale, zeropoint),
            noise_flag=Flags.NOISE_ESTIMATED * (field.noise is None),
            local_sky=sky_box is not None,
            options=options,
        )
        positions = None if catalog is None else catalog_positions(catalog, field.wcs)
        sky = map_sky(field, box_size=box_size, tile_size=tile_size)
        sky = sky.without_level() if sky_box is None else sky
        read = partial(read_window, field, sky, saturation=field.saturation(saturation))
        finding = {"positions": positions, "reach": max(tile_size, _LEAST_REACH)}
        shape, parts = field.data.shape, []
        tiles = list(boxes_of(shape, tile_size))
        for core in tqdm(tiles, unit="tile", disable=not progress_bar):
            sources = find_sources(read, core, shape, detection, **finding)
            parts += measurer.measure(sources)
    parts.append(measurer.measure_nothing(outside(positions, shape)))
    table = finish_table(vstack(parts), field, catalog)
    table.meta = {"PIXSCALE": measurer.pixel_scale, "MAGZP": measurer.zeropoint}
    if output is not None:
        write_table(table, output, overwrite=True)
    return table


@dataclass(frozen=True)
class _Measurer:
    """What measures, and what it needs beside cutouts."""

    net: SersicNet
    psf: FieldPSF
    pixel_scale: float
    zeropoint: float
    noise_flag: int
    local_sky: bool
    options: dict

    def measure(self, sources):
        """Tables of the sources of a tile."""
        table, tables = sources.table, []
        for start in range(0, len(table), _BATCH):
            part = table[start : start + _BATCH]
            cut = [cut_source(sources, source, local_sky=self.local_sky) for source in part]
            cutouts, part["local_sky"], part["flags"] = zip(*cut, strict=True)
            tables.append(self._predict(cutouts, part))
        return tables

    def measure_nothing(self, rows):
        """The table of rows of the catalogue that are in no tile; all columns if there are none."""
        part = unseen(max(len(rows), 1))
        part["row"][: len(rows)] = rows
        part["x"], part["y"], part["local_sky"], part["flags"] = 0.0, 0.0, np.nan, 0
        table = self._predict([NDData(np.full((1, 1), np.nan))] * len(part), part)
        table["x_centroid"], table["y_centroid"] = np.nan * u.pix, np.nan * u.pix
        return table[: len(rows)]

    def _predict(self, cutouts, part):
        """The table of some sources, from their cutouts and what is known of them."""
        star = self.psf
        stamps = None if star is None else [star.at(*place) for place in part.iterrows("x", "y")]
        results = self.net.predict(
            cutouts,
            psf=stamps,
            psf_oversampling=1 if star is None else star.oversampling,
            pixel_scale=self.pixel_scale,
            zeropoint=self.zeropoint,
            **self.options,
        )
        table = results.to_table()
        table["flags"] |= np.asarray(part["flags"]) | int(self.noise_flag)
        first = np.array([cutout_box(source)[:, 0] for source in part])
        for name, start in (("y_0", first[:, 0]), ("x_0", first[:, 1])):
            for suffix in ("", "_lo", "_hi") if name in table.colnames else ():
                table[name + suffix] += start * u.pix
        self._add_photometry(table, part)
        for name in ("local_sky", "row", "peak_y", "peak_x"):
            table[name] = part[name]
        return table

    def _add_photometry(self, table, part):
        """What photutils measured, in the units of the parameters."""
        flux, flux_err = part["kron_flux"], part["kron_flux_err"]
        with np.errstate(invalid="ignore", divide="ignore"):  # of negative fluxes
            table["kron_mag"] = (self.zeropoint - 2.5 * np.log10(flux)) * u.ABmag
            table["kron_mag_err"] = 2.5 / np.log(10) * np.abs(flux_err / flux) * u.mag
        table["half_light_radius"] = part["half_light_radius"] * self.pixel_scale * u.arcsec
        table["area"] = part["area"] * u.pix**2
        table["x_centroid"], table["y_centroid"] = part["x"] * u.pix, part["y"] * u.pix
