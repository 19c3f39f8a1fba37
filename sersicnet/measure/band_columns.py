"""The columns of a catalog of several bands, known before anything is measured."""

from dataclasses import replace

from sersicnet.diagnostics.schema import COLUMNS, band_columns
from sersicnet.measure.shown import columns_of

__all__ = ["NOT_OF_BANDS", "base_columns", "columns_of_bands", "with_bands"]

# Columns of an image that several bands do not have: each has its own sky.
NOT_OF_BANDS = ("sky", "prob_star")

# Columns that are in the unit of an image.
_OF_IMAGE = ("sky", "local_background")


def columns_of_bands(bands):
    """Make the columns of what is measured in each band.

    Parameters
    ----------
    bands : dict of `~sersicnet.measure.band_cutouts.ImageBand`
        The bands, the reference first.

    Returns
    -------
    list of `~sersicnet.parameters.Column`
    """
    columns = []
    first = next(iter(bands))
    for band, image in bands.items():
        own = band_columns([band])
        name = f"local_background_{band}"
        about = f"{COLUMNS['local_background'].description}, in {band}"
        own.append(replace(COLUMNS["local_background"], name=name, description=about))
        for column in own:
            is_shift = column.name.removesuffix("_err") in (f"x_shift_{band}", f"y_shift_{band}")
            if column.name in (f"sky_{band}", name):
                column = replace(column, unit=image.measurement.field.unit)
            if not (is_shift and band == first):
                columns.append(column)
    return columns


def base_columns(reference):
    """Make the other columns of the catalog.

    Parameters
    ----------
    reference : `~sersicnet.measure.tiles.Measurement`
        The image of the reference band.

    Returns
    -------
    list of `~sersicnet.parameters.Column`
    """
    return [column for column in columns_of(reference) if column.name not in NOT_OF_BANDS]


def with_bands(columns, of_bands):
    """Put the columns of bands in front of the flags.

    Parameters
    ----------
    columns, of_bands : list of `~sersicnet.parameters.Column`
        From `base_columns` and `columns_of_bands`.

    Returns
    -------
    list of `~sersicnet.parameters.Column`
    """
    place = [column.name for column in columns].index("flags")
    return [*columns[:place], *of_bands, *columns[place:]]
