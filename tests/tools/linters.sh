#!/usr/bin/env bash
# What checks files that no compiler reads, in target/tools/linters: workflows and software bills of materials by their schemas.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=target/tools/linters
wanted="check-jsonschema==0.39.0 cyclonedx-python-lib[json-validation]==11.12.0"
if [ "$(cat "$folder/installed" 2>/dev/null)" != "$wanted" ]; then
  [ -x "$folder/bin/python" ] || python3 -m venv "$folder"
  # shellcheck disable=SC2086 # two words
  "$folder/bin/pip" install -q --disable-pip-version-check $wanted
  echo "$wanted" >"$folder/installed"
fi
