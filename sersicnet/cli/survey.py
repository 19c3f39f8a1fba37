"""The command ``sersicnet survey``."""

import sys
from contextlib import nullcontext

from sersicnet._words import counted
from sersicnet.cli.hdus import add_hdus, chosen_images
from sersicnet.cli.messages import in_options, show_counts, show_progress
from sersicnet.cli.option_files import add_option_file
from sersicnet.cli.options import (
    add_draws,
    add_jobs,
    add_measuring,
    add_population,
    measuring_of,
    population_file,
)
from sersicnet.cli.parser import add_command

__all__ = ["add_survey"]

_EXAMPLE = """\
examples:
  sersicnet survey images/*.fits --psf star.fits --zeropoint 25.946 --jobs 8 -o measured
  sersicnet survey --table images.ecsv --scheduler tcp://10.0.0.1:8786 -o measured

After an interruption, the same command resumes. The folder holds one Parquet file per image,
parts/NAME.parquet, and manifest.jsonl, the record of what was measured and what failed.
"""


def add_survey(commands):
    """Add the command ``survey`` to a parser's commands."""
    parser = add_command(
        commands,
        "survey",
        summary="Measure all galaxies of many survey images, on many cores or a Dask cluster.",
        example=_EXAMPLE,
        run=_survey,
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="FITS files")
    add_hdus(parser)
    parser.add_argument(
        "--table",
        metavar="TABLE",
        help="table of images instead: one row per image, with a column image and any of name, "
        "psf, rms, weight_map, mask, catalog, noise_correlation (files, relative to the present "
        "folder), zeropoint, sky and so on",
    )
    add_measuring(parser)
    add_draws(parser)
    add_population(parser)
    add_option_file(parser)
    add_jobs(
        parser, dest="n_workers", help="number of processes; default: one per core of this machine"
    )
    parser.add_argument(
        "--tiles-per-task",
        type=int,
        metavar="N",
        help="tiles per task of an image with more tiles than N; default: 16 if more than 200",
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="address of a running Dask cluster")
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="folder of the survey to write into"
    )


def _survey(options):
    """Run the command."""
    from sersicnet.io.paths import check_inputs
    from sersicnet.io.tables import read_table
    from sersicnet.survey.run import measure_survey

    if bool(options.images) == (options.table is not None):
        options.parser.error("either IMAGE or --table is needed, not both")
    if options.table is not None and (options.hdu is not None or options.all_hdus):
        options.parser.error("--hdu and --all-hdus choose images of IMAGE, not of --table")
    check_inputs({"table": options.table, "population": population_file(options)})
    images = [image for path in options.images for image in chosen_images(path, options)]
    if options.table is not None:
        images = read_table(options.table)
    with _client(options.scheduler) as client:
        table = measure_survey(
            images,
            output=options.output,
            client=client,
            n_workers=options.n_workers,
            weights=options.weights,
            population=options.population,
            tiles_per_task=options.tiles_per_task,
            progress_bar=show_progress(options),
            **measuring_of(options),
        )
    failed = table[table["error"] != ""]
    for row in failed:
        error = in_options(row["error"], options)
        print(f"sersicnet: {row['name']}: {error}", file=sys.stderr)
    n_sources = table["n_sources"].sum()
    n_done = len(table) - len(failed)
    done = f"{n_done} of {counted(len(table), 'image')}, {counted(n_sources, 'source')}"
    print(f"wrote {options.output}: {done}")
    n_lost = table["n_without_result"].sum()
    return max(int(len(failed) > 0), show_counts(n_sources, n_lost))


def _client(address):
    """Return a context manager with the client of a running cluster, or with None."""
    if address is None:
        return nullcontext()
    from dask.distributed import Client

    try:
        return Client(address)
    except (OSError, ValueError) as error:
        msg = f"scheduler={address!r} cannot be reached: {error}"
        raise OSError(msg) from error
