"""Files: reading and writing of cutouts, tables and weights.

Nothing here depends on what a galaxy is.

cutouts
    `read_cutout`, `write_cutout`: one or many cutouts in a FITS file.
cards
    Numbers of header cards; units, headers and WCS as cards, without loss.
units
    `parse_unit`: units as archives write them.
missions, zeropoints
    Zero points in headers, mission by mission.
fits_files, paths
    FITS files with clear errors, and paths that choose a part of a file.
celestial
    The WCS of an image.
hdus
    Which of several images of a file is read: ``file.fits[2]``.
extensions
    The extensions that surveys use: image, uncertainty, mask, PSF.
psf_files, psf_sampling
    `read_psf`: the PSF of a file; what its header says of its pixels.
memory
    One error for too little memory, with a name.
lsst_files, lsst_psf, psfex, psf_places, pixel_areas, roman
    What the archives of LSST, HSC, Euclid, JWST and Roman hold in a way of their own.
files
    `atomic_path`: a file that appears when it is complete. `write_table`.
tables
    `read_table`: tables of any format, with catalogs of SExtractor.
hats
    `write_hats`: Parquet that is sorted for HATS (LSDB).
weights
    `read_weights`, `write_weights`: safetensors with metadata. `list_pretrained`: the weights
    that are shipped.
"""

from sersicnet._lazy import lazy_names

_HOMES = {
    "atomic_path": "files",
    "image_paths": "hdus",
    "list_pretrained": "weights",
    "parse_unit": "units",
    "read_cutout": "cutouts",
    "read_cutouts": "cutouts",
    "read_psf": "psf_files",
    "read_table": "tables",
    "read_weights": "weights",
    "write_cutout": "cutouts",
    "write_cutouts": "cutouts",
    "write_hats": "hats",
    "write_table": "files",
    "write_weights": "weights",
}

__all__ = [
    "atomic_path",
    "image_paths",
    "list_pretrained",
    "parse_unit",
    "read_cutout",
    "read_cutouts",
    "read_psf",
    "read_table",
    "read_weights",
    "write_cutout",
    "write_cutouts",
    "write_hats",
    "write_table",
    "write_weights",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
