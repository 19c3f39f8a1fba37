"""The light of neighbours, as it was measured before, in the cutouts of a survey image.

What a source's neighbours leave outside of their masks, wings mostly, is measured with the source
when it is measured for the first time. Once there is a model of each, that of its neighbours can be
taken off before it is measured again: galaxies are fitted together, one after the other.
"""

import numpy as np

from sersicnet._detection import cutout_box
from sersicnet._model_stamps import add_stamp, galaxy_labels, galaxy_stamps
from sersicnet.parameters import PARAMETERS

__all__ = ["Neighbours", "matters", "replace_rows"]

# Neighbours have their peak within so many pixels along x and y, and stamps that reach that far.
_REACH = 128
_LARGEST = 385
# Light of neighbours that would change a flux by so many of its errors matters.
_WORTH = 0.1
# What tells a source from others, whichever tile it was found from.
_KEY = ("row", "peak_y", "peak_x")


class Neighbours:
    """Models of the sources in and around a tile.

    Parameters
    ----------
    known : `~astropy.table.Table`
        All sources, as they were measured: the seven parameters, ``row``, ``peak_y``, ``peak_x``.
    core : pair of slices
        The tile.
    star : `~sersicnet.field_psf.FieldPSF`
        The PSF.
    pixel_scale, zeropoint : float
        Of the image.
    normalize_psf : bool
        As of `~sersicnet.estimator.SersicNet.predict`.
    """

    # Of ``known``, all that is looked at.
    columns = (*_KEY, *PARAMETERS)

    def __init__(self, known, core, star, *, pixel_scale, zeropoint, normalize_psf):
        peaks = np.array([known["peak_y"], known["peak_x"]])
        first, stop = np.transpose([[side.start, side.stop] for side in core])[:, :, None]
        near = ((peaks >= first - _REACH) & (peaks < stop + _REACH)).all(axis=0)
        known = known[near]
        rows, self._places, labels = galaxy_labels(known, pixel_scale, zeropoint)
        self._peaks = peaks[:, near][:, rows]
        self._numbers = {key: number for number, key in enumerate(_keys(known[rows]))}
        drawn = galaxy_stamps(
            self._places, labels, star, normalize_psf=normalize_psf, largest=_LARGEST
        )
        self._stamps = dict(drawn)

    def light(self, source):
        """Models in the cutout of a source.

        Parameters
        ----------
        source : `~astropy.table.Row`
            Of `~sersicnet._detection.Sources`.

        Returns
        -------
        own, others : 2-D `~numpy.ndarray`
            That of the source, zero if there is none, and the sum of its neighbours'.
        """
        first, last = cutout_box(source).T
        own, others = np.zeros((2, *(last - first + 1)))
        itself = self._numbers.get(tuple(int(source[name]) for name in _KEY))
        peak = np.array([source["peak_y"], source["peak_x"]])[:, None]
        for number in np.flatnonzero((abs(self._peaks - peak) <= _REACH).all(axis=0)):
            canvas = own if number == itself else others
            add_stamp(canvas, self._places[number] - first[::-1], self._stamps[number])
        return own, others


def matters(cutout, own, others):
    """Whether the light of neighbours changes what is measured in a cutout.

    A flux that is fitted with the right shape is off by the sum of both models' product, in units
    of its error by that over the norm of its own.
    """
    inverse = np.where(cutout.mask, 0.0, 1 / cutout.uncertainty.array)
    own, others = own * inverse, others * inverse
    return abs((own * others).sum()) > _WORTH * np.sqrt((own**2).sum())


def replace_rows(table, measured):
    """A table of sources with some of its rows replaced by what was measured again.

    Parameters
    ----------
    table, measured : `~astropy.table.QTable`
        Of `~sersicnet._field_measurement.Measurement.measure`.
    """
    numbers = {key: number for number, key in enumerate(_keys(table))}
    table[[numbers[key] for key in _keys(measured)]] = measured
    return table


def _keys(table):
    return zip(*(np.asarray(table[name]).tolist() for name in _KEY), strict=True)
