#!/bin/sh
# Makes .venv from requirements.lock with any Python from 3.11 on; does nothing when that is done already.
set -eu

VENV=.venv
VERSION='import sys; print("%d.%d" % sys.version_info[:2])'

say() { printf '%s\n' "$*" >&2; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" && { printf '%s' "$PYTHON"; return; }
        say "PYTHON is $PYTHON, which is no Python from 3.11 on. Name another, or unset it."
        exit 1
    fi
    for name in python3 python3.13 python3.12 python3.11 python3.14 python; do
        if command -v "$name" >/dev/null && new_enough "$name"; then printf '%s' "$name"; return; fi
    done
    found=$(python3 --version 2>/dev/null || echo none)
    say "Second Thought needs Python 3.11 or newer; found: $found. Install one, or name it: make setup PYTHON=/path/to/python3.12"
    exit 1
}

# The stamp is a copy of what was installed, named after the Python that it was installed for.
stamp() { printf '%s/installed-%s.lock' "$VENV" "$("$VENV/bin/python" -c "$VERSION")"; }

if [ -x "$VENV/bin/python" ] && new_enough "$VENV/bin/python"; then
    if cmp -s requirements.lock "$(stamp)"; then exit 0; fi
fi

if ! { [ -x "$VENV/bin/python" ] && "$VENV/bin/python" -m pip --version >/dev/null 2>&1 &&
       new_enough "$VENV/bin/python"; }; then
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        say "This Python ($python) cannot make virtual environments. On Debian or Ubuntu: apt install python3-venv"
        exit 1
    fi
    say "Making .venv with $("$python" --version) ..."
    "$python" -m venv --clear "$VENV"
fi

# Two small packages, without any compiled part, come as source alone.
say "Installing what requirements.lock names (a download of about 350 MB, 1.4 GB on disk; once) ..."
rm -f "$VENV"/installed-*.lock
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-binary forbiddenfruit,rouge-score \
    -r requirements.lock
cp requirements.lock "$(stamp)"
say "Ready."
