"""The measurement of a survey image, tile by tile, in stages.

A *tile* is a square part of the image of ``tile_size`` pixels on a side (smaller at the edges) that
is measured at a time, so that memory stays bounded however large the image is. Tiles do not
overlap. To measure the sources of a tile, a *window* around it is read that holds all of them with
their cutouts. A source belongs to the tile with its brightest pixel: tiles do not matter.

The stages, each of which leaves something complete:

1. sky and noise of the whole image (`Measurement.map_sky`), and then its PSF
   (`~sersicnet.measure.psf_stage.with_psf`);
2. detection of the sources of a tile (`sersicnet.measure.detector`);
3. the network, and the fit if there is one, on their cutouts (`Measurement.measure`);
4. joint fits with neighbors, if there are fits, and fits of parts, if these are wanted
   (`~sersicnet.measure.whole.measure_all`);
5. the catalog: columns, order, flags (`Measurement.finish`).

Forced photometry (`sersicnet.measure.forced`) is in the place of the third and fourth.
"""

from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from astropy.table import vstack

from sersicnet.estimator import SersicNet
from sersicnet.flags import Flags
from sersicnet.inference.assumptions import plain_width
from sersicnet.inference.population import Population
from sersicnet.inference.refine import LevenbergMarquardt, check_refinement
from sersicnet.measure.catalog import (
    catalog_positions,
    check_noise,
    check_positions,
    check_saturation,
    check_usable,
    finish_table,
    outside,
)
from sersicnet.measure.columns import blank_table
from sersicnet.measure.cutouts import cut_source
from sersicnet.measure.detector import Detector, find_in, open_detector
from sersicnet.measure.doubts import warn_of_catalog
from sersicnet.measure.field import RELATIVE, FieldImage, open_field
from sersicnet.measure.forced import ForcedSources
from sersicnet.measure.groups import grouping
from sersicnet.measure.image_psf import open_psf
from sersicnet.measure.joint import measure_groups
from sersicnet.measure.neighbors import Drawn, Neighbors
from sersicnet.measure.noise import map_correlation
from sersicnet.measure.options import Options
from sersicnet.measure.parts import measure_parts
from sersicnet.measure.photons import find_photons
from sersicnet.measure.pixels import pixels_at
from sersicnet.measure.positions import with_positions
from sersicnet.measure.priors import model_for, priors_in, with_fit
from sersicnet.measure.psf import FieldPSF
from sersicnet.measure.psf_trial import flag_bad_psf
from sersicnet.measure.record import describe_measurement
from sersicnet.measure.samples import Sample
from sersicnet.measure.segments import open_segments
from sersicnet.measure.shown import columns_of, draws_of, tile_columns_of
from sersicnet.measure.sky import SkyMesh, boxes_of, map_sky
from sersicnet.measure.source_tables import show_fluxes, source_table
from sersicnet.measure.star_catalog import add_stars, stars_in
from sersicnet.measure.sweeps import N_SWEEPS
from sersicnet.networks.posterior import PosteriorNetwork
from sersicnet.preprocessing.known_correlation import check_scale

__all__ = ["Measurement", "open_measurement"]

# Cutouts in memory at a time.
_BATCH = 256


@contextmanager
def open_measurement(image, options, *, net):
    """Open a survey image that is to be measured; its pixels are not read yet.

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
    planes = {name: getattr(options, name) for name in ("rms", "weight_map", "mask", "mask_bits")}
    opened = open_field(image, **planes)
    with opened as field, open_segments(field, options.segmentation) as field:
        pixel_scale, zeropoint = field.units(options.pixel_scale, options.zeropoint)
        psf = open_psf(field, options, pixel_scale, stacklevel=5)
        positions = None
        if options.catalog is not None:
            options = options.replace(catalog=with_positions(options.catalog, field.wcs))
            positions = catalog_positions(options.catalog, field.wcs)
            check_positions(options.catalog, positions, field)
        check_scale(options.noise_correlation, pixel_scale)
        options = with_fit(options).replace(sky_err=plain_width(options.sky_err, field.unit))
        measurement = Measurement(
            field=field,
            options=options,
            net=net,
            psf=psf,
            pixel_scale=pixel_scale,
            zeropoint=zeropoint,
            positions=positions,
            saturation=field.saturation(options.saturation),
            stars=stars_in(options.stars, field),
        )
        with open_detector(measurement, open_measurement) as detector:
            yield replace(measurement, detector=detector)


@dataclass(frozen=True, eq=False)
class Measurement:
    """A survey image that is ready to be measured, as `open_measurement` yields it.

    Attributes
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    options : `~sersicnet.measure.Options`
        How it is measured.
    net : `~sersicnet.SersicNet`
        The network.
    psf : `~sersicnet.measure.FieldPSF` or None
        The PSF at each place of the image.
    pixel_scale, zeropoint : float
        Arcsec per pixel, given or in the middle, and AB magnitude of a flux of 1.
    positions : (2, M) `~numpy.ndarray` or None
        x and y of the rows of a given catalog.
    saturation : float
        Value from which on pixels are saturated.
    population : `~sersicnet.inference.Population` or None
        Population of the sources, with which they are measured too.
    sample : `~sersicnet.measure.samples.Sample` or None
        Sources that have been measured, to infer it.
    kept : list or None
        A tile and its sources, if they are kept for the next sweep.
    stars : (2, S) `~numpy.ndarray` or None
        x and y of the stars of a given catalog.
    detector : `~sersicnet.measure.detector.Detector` or None
        The image in which sources are detected, if it is another one.
    """

    field: FieldImage
    options: Options
    net: SersicNet
    psf: FieldPSF
    pixel_scale: float
    zeropoint: float
    positions: np.ndarray
    saturation: float
    population: Population | None = None
    sample: Sample | None = None
    kept: list | None = None
    stars: np.ndarray | None = None
    detector: Detector | None = None

    @property
    def has_sky(self):
        """Whether there is a sky to subtract."""
        return self.options.background_box is not None

    @property
    def joint(self):
        """Whether sources are fitted together with their neighbors: not those with priors."""
        return self.options.refine is not None and self.priors is None

    @cached_property
    def priors(self):
        """The priors of the rows of the catalog, a `~sersicnet.Model`, None without."""
        return priors_in(self.options)

    @property
    def has_parts(self):
        """Whether something else is fitted than one Sersic profile of which nothing is known."""
        return not self.options.fitted.is_free

    @property
    def n_sweeps(self):
        """How often sources are measured."""
        return N_SWEEPS + self.has_parts if self.joint else 1

    @property
    def of_one_profile(self):
        """The measurement with one Sersic profile, by which parts are fitted without neighbors."""
        options = self.options
        if self.has_parts:
            prior = getattr(check_refinement(options.refine), "prior", True)
            options = options.replace(model="sersic", refine=LevenbergMarquardt(prior=prior))
            # parts are in what one profile leaves, and draws are those of parts
            options = options.replace(companions=False, covariance=False, samples=0)
        return replace(self, options=options)

    @property
    def judged(self):
        """Whether the network's models are compared with the image."""
        return isinstance(self.net.network_, PosteriorNetwork)

    @property
    def tiles(self):
        """The tiles of this module, pairs of slices that together are the image."""
        return list(boxes_of(self.field.data.shape, self.options.tile_size))

    @property
    def mesh(self):
        """The boxes in which the sky is measured."""
        return SkyMesh.over(self.field.data.shape, self.options.box_size)

    @property
    def places(self):
        """Windows of the mesh that together are all of it, pairs of slices."""
        return self.mesh.places(self.options.tile_size)

    def map_sky(self):
        """Measure sky and noise of the image, a `~sersicnet.measure.sky.SkyMap`, and check them."""
        sky = map_sky(self.field, box_size=self.options.box_size, tile_size=self.options.tile_size)
        return self.check(sky)

    def check(self, sky):
        """Check image, noise and saturation, and return the sky with the scale of the noise."""
        check_usable(self.field, sky, self.tiles)
        # without a sky, there may be a galaxy in its place, but relative weights need a scale
        if self.has_sky or self.field.noise_name == RELATIVE:
            sky = check_noise(self.field, sky, self.mesh)
        check_saturation(self.saturation, sky, given=self.options.saturation is not None)
        sky = replace(sky, photons=find_photons(self.field, sky, self.options.gain))
        if self.options.measures_correlation:
            sky = replace(sky, correlation=map_correlation(self.field, sky))
        return sky

    @cached_property
    def forced(self):
        """The sources of the catalog, if only their fluxes are fitted, else None."""
        return ForcedSources(self) if self.options.fixed else None

    def measure(self, tiles, sky, *, models=(), parts=False, bar=None):
        """Measure the sources of some tiles.

        Parameters
        ----------
        tiles : iterable of pairs of slices
            Some of `tiles`.
        sky : `~sersicnet.measure.sky.SkyMap`
            The sky of the image.
        models : list of `~astropy.table.Table`, optional
            Models of the sources of all tiles (see `~sersicnet.measure.neighbors.Neighbors`). If
            given, groups are measured, and sources whose neighbors have changed.
        parts : bool, optional
            Whether what the user wants is fitted to each, in the last sweep.
        bar : object, optional
            Its method ``update`` counts tiles.

        Returns
        -------
        `~astropy.table.QTable`
            Rows for `finish`.
        """
        if not self.has_sky:
            sky = sky.without_level()
        if self.forced is not None:
            return self.forced.measure(tiles, sky, bar=bar)
        if parts:
            return measure_parts(self, tiles, sky, models, bar=bar)
        if self.has_parts:
            return self.of_one_profile.measure(tiles, sky, models=models, bar=bar)
        if models:
            return measure_groups(self, tiles, sky, models, bar=bar)
        tables = [self.blank_rows([])]  # all columns where there is no source
        options = {"zeropoint": self.zeropoint, "noise_known": self.field.noise is not None}
        options |= {"population": self.population, "joint": self.joint, "draws": draws_of(self)}
        for tile in tiles:
            sources = self.find_sources(tile, sky)
            for results, part in self.results_of(sources, models):
                tables.append(source_table(results, part, **options))
                add_stars(tables[-1], self.stars)
            if bar is not None:
                bar.update()
        return vstack(tables)

    def finish(self, tables):
        """Make the catalog of the image.

        Parameters
        ----------
        tables : list of `~astropy.table.QTable`
            Tables of `measure`, of all tiles, in any order.

        Returns
        -------
        `~astropy.table.QTable`
            The catalog that `~sersicnet.measure.measure_image` returns, with its warnings.
        """
        nowhere = outside(self.positions, self.field.data.shape)
        columns = columns_of(self)
        table = vstack([*tables, self.blank_rows(nowhere)])
        show_fluxes(table)
        add_stars(table, self.stars)  # of all rows, and with the probability of evidences
        if self.psf is not None:
            flag_bad_psf(table, self.psf.trial, self.field.data.shape)
        known = {"numbered": self.field.segments is not None, "group": grouping(self)}
        table = finish_table(table, columns, self.field.wcs, self.options.catalog, **known)
        table.meta = describe_measurement(self, table.meta)
        warn_of_catalog(table, self, stacklevel=4)
        return table

    def blank_rows(self, rows):
        """Return the table of rows of the given catalog that are not in the image."""
        if self.forced is not None:
            return self.forced.blank_rows(rows)
        table = blank_table(tile_columns_of(self), len(rows))
        table["row"] = np.asarray(rows, dtype=int)
        table["flags"] = int(Flags.NO_DATA)
        return table

    def find_sources(self, tile, sky):
        """Detect the sources of a tile, one of `tiles`."""
        if self.kept and self.kept[0] == tile:
            return self.kept[1]
        found = find_in(self, tile, sky)
        if self.kept is not None:
            self.kept[:] = tile, found
        return found

    def results_of(self, sources, models=(), *, unfitted=frozenset()):
        """Measure the sources of a tile, or those whose neighbors have changed, in parts.

        Parameters
        ----------
        sources : `~sersicnet.measure.detection.Sources`
            Sources from `find_sources`.
        models, unfitted : optional
            As in `~sersicnet.measure.neighbors.Neighbors`.

        Yields
        ------
        results : `~sersicnet.SersicResults`
            Results of some sources.
        part : `~astropy.table.QTable`
            Their rows of detection.
        """
        table = sources.table
        if self.sample is not None and not models:
            measured, table = self.sample.take(table)
            yield from measured
        for start in range(0, len(table), _BATCH):
            part = table[start : start + _BATCH]
            cut_one = partial(cut_source, sources, waits=self.joint)
            if models:
                cut_one = Neighbors(sources, part, models, self.draw, unfitted=unfitted).cut
            cuts = [cut_one(source, local_background=self.has_sky) for source in part]
            part = part[[cut is not None for cut in cuts]]
            cuts = [cut for cut in cuts if cut is not None]
            if cuts:
                part["local_background"] = [cut.local_background for cut in cuts]
                part["flags"] = [cut.flags for cut in cuts]
                yield self.predict([cut.pixels for cut in cuts], part), part

    @property
    def draw(self):
        """Function that draws models, as `~sersicnet.measure.neighbors.Drawn.of` does."""
        units = {"pixel_scale": self.pixel_scale, "zeropoint": self.zeropoint}
        return partial(Drawn.of, psf=self.psf, normalize_psf=self.options.normalize_psf, **units)

    def predict(self, cutouts, part, *, model=None, neighbors="mask"):
        """Measure some sources, from their cutouts and their rows of detection."""
        psfs = None
        oversampling = 1
        if self.psf is not None:
            psfs = [self.psf.at(x, y) for x, y in part.iterrows("x", "y")]
            oversampling = self.psf.oversampling
        pixel_scale, stretch = pixels_at(
            self.field, np.asarray(part["x"]), np.asarray(part["y"]), self.options.pixel_scale
        )
        return self.net.predict(
            [replace(cutout, stretch=own) for cutout, own in zip(cutouts, stretch, strict=True)],
            psf=psfs,
            psf_oversampling=oversampling,
            pixel_scale=pixel_scale,
            zeropoint=self.zeropoint,
            model=model or model_for(self, part),
            neighbors=neighbors,
            **self.options.predicting(),
        )
