#!/bin/sh
# Writes requirements.lock anew: every platform, Python from 3.11 on, with hashes, and no index host or path in it.
set -eu

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
.venv/bin/python -m venv "$place"
"$place/bin/python" -m pip install --quiet --disable-pip-version-check uv
"$place/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
    --group dev pyproject.toml --output-file requirements.lock "$@"
