"""Measure the images of a survey on a Kubernetes cluster with the operator of Dask.

    helm install --repo https://helm.dask.org --generate-name dask-kubernetes-operator
    kubectl apply -f on_kubernetes.yaml

The second line runs this script in the cluster, in the image of ``Dockerfile``, where it makes the
workers. ``--show`` prints the description of their cluster and makes nothing.
"""

import argparse
import json
from pathlib import Path

IMAGE = "registry.example.org/sersicnet:latest"
NAMESPACE = "default"
# Claim of a volume that many pods can read and write (ReadWriteMany), and where pods see it.
CLAIM = "survey"
MOUNT = "/survey"
# A worker has one process with one thread.
RESOURCES = {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "3Gi"}}
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# Options of sersicnet.measure_survey, the same for all images.
OPTIONS = {"psf": "stars"}


def make_spec(n_workers):
    """Return the description of the cluster."""
    from dask_kubernetes.operator import make_cluster_spec

    spec = make_cluster_spec(
        "sersicnet",
        image=IMAGE,
        n_workers=n_workers,
        resources=RESOURCES,
        env=ENVIRONMENT,
        idle_timeout=3600,
    )
    worker = spec["spec"]["worker"]["spec"]
    (container,) = worker["containers"]
    container["args"] += ["--nthreads", "1", "--memory-limit", RESOURCES["requests"]["memory"]]
    container["volumeMounts"] = [{"name": "survey", "mountPath": MOUNT}]
    worker["volumes"] = [{"name": "survey", "persistentVolumeClaim": {"claimName": CLAIM}}]
    return spec


def main(arguments=None):
    """Start the workers, and measure all images; run it again to resume."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", default=f"{MOUNT}/images", help="folder of FITS files")
    parser.add_argument("--output", default=f"{MOUNT}/measured", help="folder on the volume")
    parser.add_argument("--workers", type=int, default=100, help="number of workers")
    parser.add_argument("--show", action="store_true", help="print the description of the cluster")
    options = parser.parse_args(arguments)
    spec = make_spec(options.workers)
    if options.show:
        print(json.dumps(spec, indent=2))
        return 0
    from dask.distributed import Client
    from dask_kubernetes.operator import KubeCluster

    from sersicnet import measure_survey

    cluster = KubeCluster(custom_cluster_spec=spec, namespace=NAMESPACE)
    with cluster, Client(cluster) as client:
        images = sorted(Path(options.images).glob("*.fits"))
        table = measure_survey(images, output=options.output, client=client, **OPTIONS)
    failed = table[table["error"] != ""]
    failed["name", "error"].pprint_all()
    return int(len(failed) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
