#!/usr/bin/env bash
# contract.sh CHECK.PY RECORDING: holds recorded exchanges with Graph against Microsoft's contract.
set -euo pipefail
base=$(grep -m1 -o '"url":"http://[^/]*/v1.0' "$2" | cut -d'"' -f4)
# The contract was cut without drives and without publishing of apps, so nothing can be said of these.
grep -vE '"url":"[^"]*/v1\.0/([^"?]*/filesFolder|drives/|me/drive/|users/[^/"]*/drive/)|"method":"POST".*"url":"[^"]*/v1\.0/appCatalogs/' "$2" | python3 "$1" --base "$base" --skip-other
