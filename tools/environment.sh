#!/bin/sh
# Makes a virtual environment and installs into it, with uv where it is installed: it is faster.
#
#   tools/environment.sh PYTHON FOLDER/READY WHAT-IT-HOLDS ARGUMENT-OF-INSTALL...
#
# The file READY is made last. PIP_CONSTRAINT names pinned versions. A folder called node_modules gets what the lock file beside
# it names, if there is a Node.
set -eu

python=$1 ready=$2 folder=$(dirname "$2") holds=$3
shift 3
case $folder in */node_modules)
  command -v node > /dev/null && command -v npm > /dev/null || {
    echo "Node or npm is not installed: $holds is not tested"
    exit
  } ;;
esac
echo "creating $folder: $holds"
case $folder in */node_modules)
  npm ci --prefix "$(dirname "$folder")" --no-audit --no-fund --loglevel error > /dev/null
  touch "$ready"
  exit ;;
esac
case $* in *train*)
  "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || {
    echo "TensorFlow needs Python 3.10 to 3.13, $python is $("$python" -V): make PYTHON=python3.11" >&2
    exit 1
  } ;;
esac

with_uv() {  # uv reads neither pip's variables nor its configuration: fails where those are needed
  command -v uv > /dev/null || return 1
  rm -rf "$folder"
  uv venv --quiet --seed --python "$python" "$folder" &&
    UV_CONSTRAINT=${PIP_CONSTRAINT:-} uv pip install --quiet --python "$folder/bin/python" "$@"
}
with_pip() {
  rm -rf "$folder"
  "$python" -m venv "$folder" &&
    "$folder/bin/python" -m pip --disable-pip-version-check install -qq "$@"
}
with_uv "$@" || with_pip "$@"
touch "$ready"
