#!/usr/bin/env bash
# contract.sh CHECK.PY RECORDING: holds recorded exchanges with Graph against Microsoft's contract.
set -euo pipefail
base=$(grep -m1 -o '"url":"http://[^/]*/v1.0' "$2" | cut -d'"' -f4)
# The contract was cut without drives, so nothing can be said of what is asked of them.
grep -vE '"url":"[^"]*/v1\.0/([^"?]*/filesFolder|drives/|me/drive/|users/[^/"]*/drive/)' "$2" | python3 "$1" --base "$base" --skip-other
