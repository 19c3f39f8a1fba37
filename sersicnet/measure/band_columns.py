"""The columns of a catalog of several bands, known before anything is measured."""

from dataclasses import replace

from sersicnet.diagnostics.band_schema import band_columns, color_columns
from sersicnet.diagnostics.schema import COLUMNS
from sersicnet.measure.model_columns import columns_of_model, parts_of, with_first_shares
from sersicnet.measure.shown import columns_of

__all__ = ["NOT_OF_BANDS", "base_columns", "columns_of_bands"]

# Columns of an image that several bands do not have: each has its own sky.
NOT_OF_BANDS = ("sky", "prob_star")

# Columns that are in the unit of an image.
_OF_IMAGE = ("sky", "local_background")


def columns_of_bands(bands, model):
    """Make the columns of what is measured in each band, and of colors.

    Parameters
    ----------
    bands : dict of `~sersicnet.measure.band_cutouts.ImageBand`
        The bands, the reference first.
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        What is fitted.

    Returns
    -------
    list of `~sersicnet.parameters.Column`
    """
    columns = []
    first = next(iter(bands))
    parts = parts_of(model)
    for band, image in bands.items():
        own = with_first_shares(band_columns([band], parts), parts)
        name = f"local_background_{band}"
        about = f"{COLUMNS['local_background'].description}, in {band}"
        own.append(replace(COLUMNS["local_background"], name=name, description=about))
        for column in own:
            is_shift = column.name.removesuffix("_err") in (f"x_shift_{band}", f"y_shift_{band}")
            if column.name in (f"sky_{band}", name):
                column = replace(column, unit=image.measurement.field.unit)
            if not (is_shift and band == first):
                columns.append(column)
    return columns + color_columns(list(bands))


def base_columns(reference, model):
    """Make the columns of the catalog without those of bands.

    Parameters
    ----------
    reference : `~sersicnet.measure.tiles.Measurement`
        The image of the reference band.
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        What is fitted.

    Returns
    -------
    list of `~sersicnet.parameters.Column`
    """
    of_model = {column.name for column in columns_of_model(model)}
    others = set(NOT_OF_BANDS) - of_model
    return [column for column in columns_of(reference) if column.name not in others]
