#!/bin/sh
# Makes .venv hold exactly what a requirements file pins: sh launcher/venv.sh requirements.txt
# In shell, because it runs before there is a Python to trust; PYTHON names the one to build on.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3.11}
uv=uv==0.13.9

missing() {
    echo "$1" >&2
    exit 1
}

command -v git >/dev/null || missing "git is missing: apt install git"
if ! .venv/bin/python -c "import sys; sys.exit(sys.prefix == sys.base_prefix)" 2>/dev/null; then
    command -v "$python" >/dev/null || missing "$python is missing: apt install python3.11, or name another with PYTHON="
    "$python" -c "import sys; sys.exit(sys.version_info < (3, 11))" || missing "$python is too old: 3.11 is needed"
    "$python" -c "import venv, ensurepip" 2>/dev/null || missing "Python's venv module is missing: apt install python3-venv"
    "$python" -m venv --clear .venv
fi
# pip and uv keep caches under HOME; where there is none to write to, under the checkout.
if [ ! -w "${HOME:-/nowhere}" ]; then
    export PIP_CACHE_DIR="$PWD/.cache/pip" UV_CACHE_DIR="$PWD/.cache/uv"
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check "$uv"
# uv knows the public authorities only, where pip's users may have a company's own among those of the system.
[ ! -e /etc/ssl/certs/ca-certificates.crt ] || export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"
# uv does not read pip's settings; a machine that names its own package index there means both.
index=$(.venv/bin/python -m pip config get global.index-url 2>/dev/null || true)
[ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
# Compiled once, not by each of the processes that start first at once.
.venv/bin/python -m uv pip sync --quiet --compile-bytecode --python .venv --require-hashes "$1"
