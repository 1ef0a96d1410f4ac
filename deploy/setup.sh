#!/usr/bin/env bash
# Sets up everything Lamproom needs in this checkout: Debian packages, .venv, Python packages.
#   deploy/setup.sh demo        what running needs
#   deploy/setup.sh test        also what the tests use: a browser, Mosquitto, PostgreSQL, an RTSP server
# RUNTIME=gpu takes onnxruntime-gpu instead of onnxruntime (never both).
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-demo}
runtime=${RUNTIME:-cpu}

case "$runtime" in cpu | gpu) ;; *) echo "RUNTIME=$runtime: give cpu or gpu" >&2; exit 2 ;; esac

needed=(python3-venv libgl1 libglib2.0-0)
useful=() # without these some tests are skipped
if [ "$purpose" = test ]; then
    useful=(chromium libatomic1 mosquitto postgresql gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base
        gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly python3-gi)
fi

missing_of() {
    local name
    for name in "$@"; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || echo "$name"
    done
}

install_packages() {
    command -v dpkg-query >/dev/null || { echo "Not Debian: make sure of ${needed[*]} yourself."; return; }
    local missing
    mapfile -t missing < <(missing_of "${needed[@]}" "${useful[@]}")
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ]; then
        echo "Please install these Debian packages and run make again:" >&2
        echo "    sudo apt-get install --no-install-recommends ${missing[*]}" >&2
        [ -z "$(missing_of "${needed[@]}")" ] || exit 2
        echo "Going on without them: the tests that use them are skipped." >&2
        return
    fi
    if [ -t 0 ] && [ -z "${CI:-}" ]; then
        read -r -p "Install Debian packages: ${missing[*]}? [Y/n] " answer
        case "$answer" in [nN]*) echo "Nothing installed." >&2; exit 2 ;; esac
    fi
    echo "Installing Debian packages: ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

find_python() {
    local name
    for name in python3.11 python3.12 python3.13 python3; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    echo "Lamproom needs Python 3.11 or newer; install python3.11 and run make again." >&2
    exit 2
}

install_packages
python=$(find_python)
if command -v uv >/dev/null; then
    [ -x .venv/bin/python ] || uv venv -q --python "$python" .venv
    pip_install() { uv pip install -q --python .venv/bin/python "$@"; }
else
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    pip_install() { .venv/bin/python -m pip install -q --disable-pip-version-check "$@"; }
fi
other=$([ "$runtime" = cpu ] && echo onnxruntime-gpu || echo onnxruntime)
if .venv/bin/python -c "import importlib.metadata as m; m.version('$other')" 2>/dev/null; then
    echo ".venv has $other; the two can't live together. Remove .venv and run make again." >&2
    exit 2
fi
echo "Installing Python packages into .venv"
pip_install -c requirements.lock -e ".[$runtime]" -r requirements-dev.txt
.venv/bin/lamproom doctor --quiet
touch ".venv/ready-$purpose" .venv/ready-demo
