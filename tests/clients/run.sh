#!/usr/bin/env bash
# Drives Microsoft's own clients against the simulator, over TLS. Installs them for itself alone: Python's into target/clients-venv, Node's beside this file.
set -uo pipefail
cd "$(dirname "$0")/../.."
root=$PWD here=$PWD/tests/clients
target=${CARGO_TARGET_DIR:-$root/target}
program=${TIDINGS_SIM:-$target/debug/m365-sim}
venv=$root/target/clients-venv
# Without a package registry there is nothing to run. That is no success, but to those who said that they can do without.
skip() {
  echo "skipped: $1"
  [ -n "${CLIENTS_MAY_SKIP:-}" ]
  exit
}

mkdir -p target/clients
[ -n "${TIDINGS_BUILT:-}" ] || cargo build -q -p m365-sim || exit 1
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
  python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt" >target/clients/pip.log 2>&1 ||
    skip "Microsoft's clients for Python could not be installed (target/clients/pip.log)"
  cp "$here/requirements.txt" "$venv/requirements.txt"
fi
if ! cmp -s "$here/package-lock.json" "$here/node_modules/installed.json"; then
  (cd "$here" && npm ci --no-audit --no-fund --ignore-scripts) >target/clients/npm.log 2>&1 ||
    skip "Microsoft's clients for JavaScript could not be installed (target/clients/npm.log)"
  cp "$here/package-lock.json" "$here/node_modules/installed.json"
fi

# It ends with us: its standard input is ours to close.
coproc SIM { exec "$program" --with-parent; }
read -r CLIENTS_SIM <&"${SIM[0]}" || exit 1
export CLIENTS_SIM CLIENTS_CA=$root/target/clients/ca.pem
python3 -c 'import json, os; print(json.loads(os.environ["CLIENTS_SIM"])["tls"]["ca"])' >"$CLIENTS_CA"
export SSL_CERT_FILE=$CLIENTS_CA REQUESTS_CA_BUNDLE=$CLIENTS_CA NODE_EXTRA_CA_CERTS=$CLIENTS_CA
# Nothing here is for a proxy.
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost

failed=0
PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" -m pytest -q -p no:cacheprovider "$here" || failed=1
node --test --test-concurrency=1 --test-reporter=tap "$here" || failed=1
exit $failed
