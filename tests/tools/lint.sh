#!/usr/bin/env bash
# What clippy does not see: dependencies, and the workflows by their schema.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/tools/linters.sh
target/tools/linters/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
tests/tools/deny.sh
