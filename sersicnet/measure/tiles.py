"""The measurement of a survey image: what its tiles have in common, and what is done in each."""

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import astropy.units as u
import numpy as np
from astropy.nddata import NDData
from astropy.table import vstack
from tqdm.auto import tqdm

from sersicnet import __version__
from sersicnet.estimator import SersicNet
from sersicnet.flags import Flags
from sersicnet.measure.catalog import (
    catalog_positions,
    check_noise,
    check_usable,
    finish_table,
    outside,
)
from sersicnet.measure.cutouts import cut_source
from sersicnet.measure.detection import cutout_box, find_sources, unseen
from sersicnet.measure.field import FieldImage, open_field, read_window
from sersicnet.measure.neighbors import Neighbors, first_models, matters, next_models, replace_rows
from sersicnet.measure.options import Options
from sersicnet.measure.psf import FieldPSF, field_psf
from sersicnet.measure.sky import SkyMesh, boxes_of, map_sky
from sersicnet.parameters import PARAMETERS

__all__ = ["Measurement", "open_measurement"]

# Cutouts in memory at a time.
_BATCH = 256
# How often galaxies are fitted, by default, to get rid of their neighbors' light.
_PASSES = 6
# Pixels that a window may be larger than a tile, at least: galaxies of that size stay whole.
_LEAST_REACH = 512


@contextmanager
def open_measurement(image, options, *, net):
    """A survey image that is ready to be measured, of which nothing has been read yet.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`, 2-D `~numpy.ndarray` or path
        As for `~sersicnet.measure.measure_image`.
    options : `~sersicnet.measure.Options`
        How to measure it.
    net : `~sersicnet.SersicNet`
        The network.

    Yields
    ------
    Measurement

    Raises
    ------
    TypeError, ValueError, OSError, `~astropy.units.UnitConversionError`
        If image, options and network do not fit together.
    """
    planes = {"rms": options.rms, "weight_map": options.weight_map, "mask": options.mask}
    with open_field(image, **planes) as field:
        psf = field.psf if options.psf is None else options.psf
        if psf is not None:
            psf = field_psf(psf, oversampling=options.psf_oversampling)
        positions = None
        if options.catalog is not None:
            positions = catalog_positions(options.catalog, field.wcs)
        pixel_scale, zeropoint = field.units(options.pixel_scale, options.zeropoint)
        yield Measurement(
            field=field,
            options=options,
            measurer=_Measurer(
                net,
                psf,
                pixel_scale,
                zeropoint,
                noise_flag=int(Flags.NOISE_ESTIMATED) * (field.noise is None),
                options=options,
            ),
            positions=positions,
            saturation=field.saturation(options.saturation),
            n_passes=_find_passes(options, net, psf),
        )


def _find_passes(options, net, psf):
    """How often sources are measured."""
    n_passes = options.n_passes
    if n_passes is None:
        return 1 if options.refine is None else _PASSES
    if n_passes > 1 and psf is None:
        msg = f"n_passes={n_passes} needs the psf, without which there are no models of neighbors"
        raise ValueError(msg)
    if n_passes > 1 and set(net.parameters_) != set(PARAMETERS):
        msg = f"n_passes={n_passes} needs a network of all of {', '.join(PARAMETERS)}"
        raise ValueError(msg)
    return n_passes


@dataclass(frozen=True, eq=False)
class Measurement:
    """What all tiles of an image need, of `open_measurement`.

    Its steps may be taken in one process or in many, for some tiles each: first the sky of all, of
    which pieces can be measured apart (`mesh`), then tiles, then the catalog of all.
    """

    field: FieldImage
    options: Options
    measurer: "_Measurer"
    positions: np.ndarray
    saturation: float
    n_passes: int

    @property
    def has_sky(self):
        """Whether there is a sky to subtract."""
        return self.options.background_box is not None

    @property
    def tiles(self):
        """Pairs of slices that together are the image."""
        return list(boxes_of(self.field.data.shape, self.options.tile_size))

    @property
    def mesh(self):
        """The boxes in which the sky is measured."""
        return SkyMesh.over(self.field.data.shape, self.options.box_size)

    @property
    def places(self):
        """Windows of the mesh that together are all of it."""
        return self.mesh.places(self.options.tile_size)

    def map_sky(self):
        """The sky of the image, which is checked with it."""
        sky = map_sky(self.field, box_size=self.options.box_size, tile_size=self.options.tile_size)
        check_usable(self.field, sky, self.tiles)
        if self.has_sky:  # else there may be a galaxy in the place of the sky
            check_noise(self.field, sky, self.mesh)
        return sky

    def measure_all(self, sky, *, progress_bar):
        """Measure the sources of all tiles, as often as was asked for; the table of `measure`."""
        n_steps = self.n_passes * len(self.tiles)
        with tqdm(total=n_steps, unit="tile", disable=not progress_bar) as bar:
            table = self.measure(self.tiles, sky, bar=bar)
            models = [first_models(table)] if self.n_passes > 1 else []
            for _ in range(self.n_passes - 1):
                again = self.measure(self.tiles, sky, models=models, bar=bar)
                replace_rows(table, again)
                models = [models[-1], next_models(models[-1], table)]
        return table

    def measure(self, tiles, sky, *, models=(), bar=None):
        """Measure the sources of some tiles.

        Parameters
        ----------
        tiles : iterable of pairs of slices
            Some of `tiles`.
        sky : `~sersicnet.measure.sky.SkyMap`
            Of the image.
        models : list of `~astropy.table.Table`, optional
            As of `~sersicnet.measure.neighbors.Neighbors`, of all tiles. Only sources whose
            neighbors have changed are measured, without their light.
        bar : `~tqdm.tqdm`, optional
            Told of each tile.

        Returns
        -------
        `~astropy.table.QTable`
            Rows for `finish`.
        """
        sky = sky if self.has_sky else sky.without_level()
        read = partial(read_window, self.field, sky, saturation=self.saturation)
        finding = {"positions": self.positions, "reach": max(self.options.tile_size, _LEAST_REACH)}
        tables = [self.measurer.measure_nothing([])]  # all columns where there is no source
        for core in tiles:
            found = find_sources(read, core, self.field.data.shape, self.options, **finding)
            tables += self.measurer.measure(found, models)
            if bar is not None:
                bar.update()
        return vstack(tables)

    def finish(self, tables):
        """The catalog of the image.

        Parameters
        ----------
        tables : list of `~astropy.table.QTable`
            Of `measure`, of all tiles, in any order.

        Returns
        -------
        `~astropy.table.QTable`
            As of `~sersicnet.measure.measure_image`.
        """
        nowhere = outside(self.positions, self.field.data.shape)
        if len(nowhere):
            tables = [*tables, self.measurer.measure_nothing(nowhere)]
        table = finish_table(vstack(tables), self.field, self.options.catalog)
        table.meta = self._describe()
        return table

    def _describe(self):
        """What measured, as a FITS header can hold it."""
        weights = self.measurer.net.weights_ or "trained, not loaded from a file"
        refine = self.options.refine
        return {
            "PIXSCALE": self.measurer.pixel_scale,
            "MAGZP": self.measurer.zeropoint,
            "VERSION": f"sersicnet {__version__}",
            "WEIGHTS": weights.encode("ascii", "replace").decode(),
            "REFINE": "none" if refine is None else str(refine),
            "THRESH": self.options.threshold,
        }


@dataclass(frozen=True)
class _Measurer:
    """What measures, and what it needs beside cutouts."""

    net: SersicNet
    psf: FieldPSF
    pixel_scale: float
    zeropoint: float
    noise_flag: int
    options: Options

    def measure(self, sources, models=()):
        """Tables of the sources of a tile, or of those whose neighbors have changed."""
        table, tables = sources.table, []
        for start in range(0, len(table), _BATCH):
            part = table[start : start + _BATCH]
            cut = list(map(self._place(sources, part, models), part))
            part = part[[found is not None for found in cut]]
            cut = [found for found in cut if found is not None]
            if cut:
                cutouts, part["local_background"], part["flags"] = zip(*cut, strict=True)
                tables.append(self._predict(cutouts, part))
        return tables

    def _place(self, sources, part, models):
        """What makes the cutout of a source, or None where it need not be measured again."""
        place = partial(
            cut_source, sources, local_background=self.options.background_box is not None
        )
        if not models:
            return place
        neighbors = Neighbors(
            sources,
            part,
            models,
            self.psf,
            pixel_scale=self.pixel_scale,
            zeropoint=self.zeropoint,
            normalize_psf=self.options.normalize_psf,
        )

        def place_alone(source):
            own, others, before = neighbors.light(source)
            cut = place(source, others=others)
            return cut if matters(cut[0], own, others - before) else None

        return place_alone

    def measure_nothing(self, rows):
        """The table of rows of the catalog that are in no tile; all columns if there are none."""
        part = unseen(max(len(rows), 1))
        part["row"][: len(rows)] = rows
        part["x"], part["y"], part["local_background"], part["flags"] = 0.0, 0.0, np.nan, 0
        table = self._predict([NDData(np.full((1, 1), np.nan))] * len(part), part)
        table["x_centroid"], table["y_centroid"] = np.nan * u.pix, np.nan * u.pix
        table["flags"] = int(Flags.NO_DATA)  # and nothing of how there is none
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
            **self.options.predicting(),
        )
        table = results.to_table()
        table["flags"] |= np.asarray(part["flags"]) | int(self.noise_flag)
        first = np.array([cutout_box(source)[:, 0] for source in part])
        for name, start in (("y_0", first[:, 0]), ("x_0", first[:, 1])):
            for suffix in ("", "_lo", "_hi") if name in table.colnames else ():
                table[name + suffix] += start * u.pix
        self._add_photometry(table, part)
        for name in ("local_background", "row", "peak_y", "peak_x"):
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
