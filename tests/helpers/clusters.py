"""Clusters of Dask."""

# The status page of a cluster is to use no port that may be taken.
QUIET = {"dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False}}
