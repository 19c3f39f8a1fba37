"""Measure the images of a survey on a cluster with SLURM.

    pip install dask-jobqueue
    python slurm.py --images /project/images --output /project/measured --jobs 100

Change ``SETTINGS`` for your cluster. ``--show`` prints the script of one job and submits nothing.
"""

import argparse
from pathlib import Path

# One job is a share of a node: a process with one thread for each of its cores.
SETTINGS = {
    "queue": "regular",
    "account": None,
    "cores": 32,
    "processes": 32,
    "memory": "64GB",
    "walltime": "04:00:00",
    # Disk of the node for what does not fit into memory, and for temporary files.
    "local_directory": "/tmp",
    "job_extra_directives": ["--exclusive=user"],
    "job_script_prologue": [
        "export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1",
        # "source /project/venv/bin/activate",  # the environment of this script, if it is another
    ],
    # Workers end in good order before their jobs are killed: others measure what they had begun.
    "worker_extra_args": ["--lifetime", "225m", "--lifetime-stagger", "10m"],
}
# Options of sersicnet.measure_survey, the same for all images.
OPTIONS = {"psf": "stars"}


def make_cluster(**changes):
    """Return the cluster, without any job yet."""
    from dask_jobqueue import SLURMCluster

    return SLURMCluster(**(SETTINGS | changes))


def main(arguments=None):
    """Start the jobs, and measure all images; run it again to resume."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", required=True, help="folder of FITS files")
    parser.add_argument("--output", required=True, help="folder that all nodes see")
    parser.add_argument("--jobs", type=int, default=10, help="most jobs at a time")
    parser.add_argument("--show", action="store_true", help="print the script of one job")
    options = parser.parse_args(arguments)
    with make_cluster() as cluster:
        if options.show:
            print(cluster.job_script())
            return 0
        from dask.distributed import Client

        from sersicnet import measure_survey

        cluster.adapt(maximum_jobs=options.jobs)
        with Client(cluster) as client:
            images = sorted(Path(options.images).glob("*.fits"))
            table = measure_survey(images, output=options.output, client=client, **OPTIONS)
    failed = table[table["error"] != ""]
    failed["name", "error"].pprint_all()
    return int(len(failed) > 0)


if __name__ == "__main__":  # worker processes may import this script
    raise SystemExit(main())
