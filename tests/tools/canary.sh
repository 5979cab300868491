#!/usr/bin/env bash
# Looks for secrets that leaked during a test run: canary.sh FOLDER…  Every code and token of the simulator bears a mark, and a JWT is known by its form.
set -uo pipefail
mark='CanaryOfTheSimulator|eyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}|simulator-secret'
files=$(find "$@" -type f 2>/dev/null | wc -l)
hits=$(find "$@" -type f -print0 2>/dev/null | xargs -0 -r grep -aElz -- "$mark")
echo "$files files, $(grep -c . <<<"$hits") hits"
[ "$files" -gt 0 ] && [ -z "$hits" ] && exit 0
echo "$hits" | tr '\0' '\n'
exit 1
