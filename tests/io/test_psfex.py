"""PSFs of PSFEx, as far as they do not need a file: ``measure`` has tests with files."""

import numpy as np
from astropy.io import fits

from sersicnet.io.psfex import PsfexPSF, is_psfex


class Reader:
    """A PSF of 25 pixels."""

    basis = np.ones((1, 25, 25))

    def __init__(self, scale):
        self.scale = scale

    def getSampleScale(self):
        return self.scale


def test_oversampling_is_that_of_the_file_rounded_up():
    assert PsfexPSF(Reader(1.0)).oversampling == 1
    assert PsfexPSF(Reader(0.5)).oversampling == 2
    assert PsfexPSF(Reader(0.45)).oversampling == 3


def test_other_tables():
    column = fits.Column("X", "E", array=[1.0])
    assert not is_psfex(fits.BinTableHDU.from_columns([column]))
    assert not is_psfex(fits.PrimaryHDU())
