"""PSFs of PSFEx, in its own files and in exposures of the LSST stack."""

import numpy as np
from astropy.io import fits

__all__ = ["PsfexPSF", "is_psfex", "read_psfex"]

# Cards of a polynomial of degree 0, which GalSim wants and PSFEx does not write.
_SAME_EVERYWHERE = {"POLNAXIS": 2, "POLNGRP": 1, "POLDEG1": 0}
_SAME_EVERYWHERE |= {"POLNAME1": "X_IMAGE", "POLGRP1": 1, "POLZERO1": 0.0, "POLSCAL1": 1.0}
_SAME_EVERYWHERE |= {"POLNAME2": "Y_IMAGE", "POLGRP2": 1, "POLZERO2": 0.0, "POLSCAL2": 1.0}


def is_psfex(hdu):
    """Return whether an HDU is the table of a PSF that PSFEx has written."""
    return isinstance(hdu, fits.BinTableHDU) and "PSF_MASK" in hdu.columns.names


def read_psfex(hdu):
    """Return GalSim's reader of the table of a PSF, a `~galsim.des.DES_PSFEx`."""
    from galsim.des import DES_PSFEx

    if not hdu.header.get("POLNAXIS"):
        hdu.header.update(_SAME_EVERYWHERE)
    return DES_PSFEx(hdu)


class PsfexPSF:
    """Stamps at the places of an image, of the pixels of PSFEx, which GalSim interpolates.

    Parameters
    ----------
    reader : `~galsim.des.DES_PSFEx`
        GalSim's reader of the PSF.

    Attributes
    ----------
    oversampling : int
        Pixels of the stamps on a side of a pixel of the image: as fine as PSFEx sampled it, rounded
        up to a whole number.
    """

    kind = "a PSF of PSFEx"

    def __init__(self, reader):
        self.oversampling = max(1, int(np.ceil(1 / reader.getSampleScale() - 1e-6)))
        sampled = reader.basis.shape[1] * reader.getSampleScale()
        self._side = int(sampled * self.oversampling) // 2 * 2 - 1
        self._reader = reader

    def __call__(self, x, y):
        """Return the stamp at 0-based pixels of the image."""
        from galsim import ImageD, PositionD

        psf = self._reader.getPSF(PositionD(x + 1, y + 1))  # FITS counts from 1
        image = ImageD(self._side, self._side, scale=1 / self.oversampling)
        return psf.drawImage(image, method="no_pixel").array
