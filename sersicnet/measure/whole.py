"""The measurement of a whole image, sweep after sweep."""

from dataclasses import replace

from sersicnet.measure import sweeps
from sersicnet.measure.log import tile_progress
from sersicnet.measure.parts import with_parts

__all__ = ["measure_all"]


def measure_all(measurement, sky, *, progress_bar):
    """Measure the sources of all tiles of an image, with fits in several sweeps.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.
    progress_bar : bool
        Whether to show a progress bar.

    Returns
    -------
    `~astropy.table.QTable`
        Rows for the method ``finish``.
    """
    tiles = measurement.tiles
    n_steps = measurement.n_sweeps * len(tiles)
    if len(tiles) == 1:
        measurement = replace(measurement, kept=[])
    with tile_progress(n_steps, progress_bar=progress_bar) as bar:
        table = measurement.measure(tiles, sky, bar=bar)
        if not measurement.joint:
            return table
        models = [sweeps.models_of(table)]
        for _ in range(sweeps.N_SWEEPS - 1):
            again = measurement.measure(tiles, sky, models=models, bar=bar)
            table = sweeps.replace_rows(table, again)
            models = [models[-1], sweeps.models_of(table)]
        if measurement.has_parts:
            again = measurement.measure(tiles, sky, models=models, parts=True, bar=bar)
            table = with_parts(table, again)
    return table
