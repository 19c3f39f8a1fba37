"""How time and memory of one image grow with its area, and what compressed files cost.

::

    export OMP_NUM_THREADS=1
    python -m benchmarks.large_image docs/_static/scale --sides 2000 4000 8000
    python -m benchmarks.large_image docs/_static/scale --sides 30000 --formats fits

An image with a galaxy per 40,000 pixels and some stars (`benchmarks.sets.tiles`) is written block
by block, and measured by `sersicnet.measure.measure_image` in a process of its own, which is given
nothing but the path. ``large_image.csv`` has a row per side and format: CPU time, which should grow
like the area, and the peak of the memory of the process above what it had before, which should not
grow. Rows that exist are kept. ``fz`` is the compression of fpack row by row, its default, and
``fz 256`` in squares of 256 pixels, both by astropy; ``gz`` is gzip.
"""

import gzip
import multiprocessing
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from astropy.io import fits
from astropy.table import Table, vstack

from benchmarks.common.command import make_parser
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.common.watch import peak_memory, reset_peak
from benchmarks.sets import tiles
from sersicnet import SersicNet
from sersicnet.measure import measure_image

FORMATS = ("fits", "fz", "fz 256", "gz")
# Sparser than the tiles of a survey: most of the time is that of pixels.
PIXELS_PER_GALAXY = 40_000
# Rows that are drawn at a time.
_ROWS = 1000
_MEGA = 1e6


def main(arguments=None):
    """Write and measure the images, and write the table."""
    parser = make_parser(__doc__)
    text = "sides of the images in pixels, by default 2000 4000 8000"
    parser.add_argument("--sides", type=int, nargs="+", default=[2000, 4000, 8000], help=text)
    text = "formats, by default all"
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS), help=text)
    text = "directory of the images, by default a temporary one; they are deleted"
    parser.add_argument("--work", type=Path, help=text)
    parser.add_argument("--seed", type=int, default=200, help="seed, by default 200")
    options = parser.parse_args(arguments)
    path = options.output / "large_image.csv"
    context = multiprocessing.get_context("spawn")
    for side in options.sides:
        missing = [kind for kind in options.formats if not _is_there(path, side, kind)]
        if not missing:
            continue
        with TemporaryDirectory(dir=options.work) as scratch:
            image = Path(scratch) / "image.fits"
            write_image(image, side, options.seed)
            for kind in missing:
                given = compress(image, kind)
                with context.Pool(1) as pool:
                    row = pool.apply(measure, (str(given),))
                row["CPU s per million pixels"] = _MEGA * row["CPU s"] / side**2
                _add(path, {"side": side, "format": kind} | row)
                if given != image:
                    given.unlink()
    print_table(Table.read(path))


def _is_there(path, side, kind):
    """Whether the table has the row of an image."""
    if not path.exists():
        return False
    table = Table.read(path)
    return bool(np.any((table["side"] == side) & (table["format"] == kind)))


def _add(path, row):
    """Add a row to the table."""
    table = Table(rows=[row])
    if path.exists():
        table = vstack([Table.read(path), table])
    order = [(side, FORMATS.index(kind)) for side, kind in table.iterrows("side", "format")]
    table = table[sorted(range(len(table)), key=order.__getitem__)]
    write_rounded(table, path, decimals=2)


def write_image(path, side, seed):
    """Write an image block by block, so that it need not fit into memory.

    Parameters
    ----------
    path : `~pathlib.Path`
        File to write.
    side : int
        Pixels on a side.
    seed : int
        Seed of sources and noise.
    """
    torch.set_num_threads(1)
    truth = tiles.draw_truth(seed, 0, side, pixels_per_galaxy=PIXELS_PER_GALAXY)
    psf = tiles.make_psf()
    header = tiles.tile_header()
    cards = {"SIMPLE": True, "BITPIX": -32, "NAXIS": 2, "NAXIS1": side, "NAXIS2": side}
    text = fits.Header([*cards.items(), *header.cards]).tostring().encode()
    size = len(text) + 4 * side**2
    with path.open("wb") as file:
        file.write(text)
        file.truncate(-(-size // 2880) * 2880)
    pixels = np.memmap(path, ">f4", mode="r+", offset=len(text), shape=(side, side))
    for top in range(0, side, _ROWS):
        block = np.zeros((min(_ROWS, side - top), side), np.float32)
        tiles.add_sources(block, truth, psf, top=top)
        rng = np.random.default_rng([seed, top, 1])
        block += tiles.SIGMA * rng.standard_normal(block.shape, dtype=np.float32)
        pixels[top : top + _ROWS] = block
    pixels.flush()


def compress(image, kind):
    """Write a compressed copy of an image, and return its path.

    Parameters
    ----------
    image : `~pathlib.Path`
        The image.
    kind : str
        Format, of which ``'fits'`` is the image itself.

    Returns
    -------
    `~pathlib.Path`
    """
    if kind == "fits":
        return image
    if kind == "gz":
        packed = image.with_suffix(".fits.gz")
        with image.open("rb") as file, gzip.open(packed, "wb", compresslevel=1) as copy:
            shutil.copyfileobj(file, copy, 2**20)
        return packed
    packed = image.with_suffix(".fits.fz")
    options = {"compression_type": "RICE_1", "quantize_level": 4, "quantize_method": 1}
    if kind == "fz 256":
        options["tile_shape"] = (256, 256)
    with fits.open(image) as hdus:
        data = hdus[0].data
        fits.CompImageHDU(data, tiles.tile_header(), **options).writeto(packed, overwrite=True)
    return packed


def measure(path):
    """Measure an image, and return what it costs, in a process that measures nothing else.

    Parameters
    ----------
    path : str
        File of the image.

    Returns
    -------
    dict
        Size of the file, number of sources, CPU seconds, and megabytes of memory.
    """
    torch.set_num_threads(1)
    net = SersicNet.from_pretrained()
    psf = tiles.make_psf()
    with TemporaryDirectory() as scratch:
        # Imports and first calls are neither timed nor counted.
        small = Path(scratch) / "small.fits"
        tiles.write_tile(small, 0, 0, 300)
        measure_image(small, net=net, psf=psf)
    reset_peak()
    before = peak_memory()
    start = time.process_time()
    table = measure_image(path, net=net, psf=psf)
    seconds = time.process_time() - start
    return {
        "MB of the file": Path(path).stat().st_size / _MEGA,
        "sources": len(table),
        "CPU s": seconds,
        "MB before": before,
        "MB above at most": peak_memory() - before,
    }


if __name__ == "__main__":
    main()
