#!/bin/sh
# Makes the peers that `npm run bench -- scheduler --peers` compares with: the current release of dask.distributed in a
# virtual environment beside this file (git ignores it). Debian's own, older release comes with
# `apt-get install python3-distributed` and is used as it is installed.
# Usage: bench/peers/setup.sh [VERSION]      for example 2026.8.0; without it the newest
set -eu
folder=$(dirname "$0")/.venv
python3 -m venv --clear "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check "distributed${1:+==$1}" uvloop numpy
"$folder/bin/python" -c 'import distributed; print("distributed", distributed.__version__, "in", distributed.__path__[0])'
