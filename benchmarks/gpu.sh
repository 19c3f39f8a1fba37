#!/usr/bin/env bash
# What a GPU does in some minutes: checks against the CPU, rates, and a training of the network of
# the second generation from the shipped weights, all of which go on from what OUT holds.
#
#     bash benchmarks/gpu.sh OUT [--minutes 9] [further options of benchmarks.gpu]
#
# It needs Python with torch, lightning, numpy and safetensors. The wheel of zuko is taken from the
# top folder of the repository, if zuko is not installed.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}
if ! "$python" -c "import zuko" 2> /dev/null; then
    "$python" -m pip install --quiet --no-index --no-deps "$top"/zuko-*.whl
fi
PYTHONPATH=$top${PYTHONPATH:+:$PYTHONPATH} exec "$python" -m benchmarks.gpu "$@"
