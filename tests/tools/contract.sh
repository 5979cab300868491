#!/usr/bin/env bash
# contract.sh CHECK.PY RECORDING: holds recorded exchanges with Graph against Microsoft's contract.
set -euo pipefail
base=$(grep -m1 -o '"url":"http://[^/]*/v1.0' "$2" | cut -d'"' -f4)
exec python3 "$1" --base "$base" --skip-other "$2"
