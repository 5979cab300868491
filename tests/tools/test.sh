#!/usr/bin/env bash
# Tests of the languages named: test.sh rust|python|node|kotlin…  Whatever fails, the rest goes on; the closing line tells.
set -uo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
. tests/tools/steps.sh

for language in "$@"; do
  case $language in
    rust) tools="cargo cc node npm curl" ;;
    python) tools="cargo cc python3 node curl" ;;
    node) tools="cargo cc node npm curl" ;;
    kotlin) tools="cargo cc node java mvn curl" ;;
    *) echo "usage: $0 rust|python|node|kotlin…" >&2; exit 2 ;;
  esac
  need+=($tools)
done
tests/tools/need.sh $(printf '%s\n' "${need[@]}" | sort -u) || exit 2
languages="$*"
wants() { [[ " $languages " == *" $1 "* ]]; }

started=$(now_ms)
mkdir -p "$logs"
rm -f "$logs"/*.result "$logs"/*.log target/results*.json target/exchanges-*.jsonl
# Every store and log record of the scenarios is kept until the end, to be searched for secrets.
export TIDINGS_EVIDENCE=$root/target/evidence
rm -rf "$TIDINGS_EVIDENCE"
mkdir -p "$TIDINGS_EVIDENCE"
# What tests leave in the folder for temporary files goes when they are done, whatever became of them.
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

built=${CARGO_TARGET_DIR:-$root/target}
venv=$root/target/venv
# One set of features for everything, or Cargo would build the large dependencies twice.
cargo_flags=(--workspace --features tidings-uniffi/bindgen)

python_env() {
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  # Playwright drives the Chromium of the system and needs none of its own.
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 "$venv/bin/pip" install -q --disable-pip-version-check pytest mypy typing_extensions fastapi flask django uvicorn playwright
}
node_modules() { (cd "$1" && npm ci --no-audit --no-fund --ignore-scripts); }
# The dependencies, and the plugins that compile and test.
maven() { (cd bindings/kotlin && mvn -B -ntp -q dependency:go-offline); }
downloads() {
  wants python && step get-python python_env
  { wants node || wants rust; } && step get-node-tests node_modules tests
  wants node && [ -f bindings/node/package-lock.json ] && step get-node node_modules bindings/node
  wants node && step get-node-push node_modules examples/push/node
  wants node && step get-node-bots node_modules examples/bots/node
  wants node && step get-node-settings node_modules examples/settings/node
  wants kotlin && step get-maven maven
  true
}

export -f python_env node_modules maven
export venv

# The stories, the program that README.md shows, push, and bots; the settings page has two languages alone.
examples() {
  step "examples-$1" examples/run.sh "$1"
  step "readme-$1" examples/readme.sh "$1"
  step "push-$1" examples/push/run.sh "$1"
  step "bots-$1" examples/bots/run.sh "$1"
}
rust_lane() {
  step rust cargo test "${cargo_flags[@]}" --no-fail-fast -- --nocapture
  step scenarios-rust "$built/debug/scenarios"
  examples rust
}
python_lane() {
  step python "$venv/bin/python" -m pytest -q bindings/python
  step scenarios-python "$venv/bin/python" tests/runners/python/runner.py
  examples python
  step settings-python examples/settings/run.sh python
}
node_lane() {
  step node node --test --test-reporter=tap bindings/node/tests/
  step scenarios-node node tests/runners/node/runner.mjs
  examples node
  step settings-node examples/settings/run.sh node
}
kotlin_lane() {
  step kotlin mvn -B -ntp -f bindings/kotlin/pom.xml verify
  local kotlin=bindings/kotlin/target
  step scenarios-kotlin java -Dtidings.root="$root" -cp "$kotlin/test-classes:$kotlin/classes:$(cat $kotlin/classpath.txt)" dev.tidings.scenarios.RunnerKt
  examples kotlin # last: they are compiled to the place where the runner was
}

downloads &
if step build cargo build "${cargo_flags[@]}" --all-targets; then
  for language in python node kotlin; do
    wants $language && step place-$language env TIDINGS_BUILT=1 bindings/build.sh $language
  done
fi
wait

# Two languages at a time for two cores, the longest first: whoever is free takes the next one that nobody has taken.
lanes() {
  for language in rust kotlin python node; do
    wants $language && mkdir "$logs/$language.taken" 2>/dev/null && ${language}_lane
  done
}
rm -rf "$logs"/*.taken
lanes &
lanes
wait
step results node tests/tools/merge.mjs
step canary tests/tools/canary.sh "$TIDINGS_EVIDENCE" "$logs"
if [ -n "${CONTRACT:-}" ]; then
  for file in target/exchanges-*.jsonl; do
    # Some tests never come as far as Graph.
    grep -q '"url":"http://[^/]*/v1.0' "$file" || continue
    step "contract-$(basename "${file#*-}" .jsonl)" tests/tools/contract.sh "$CONTRACT" "$file"
  done
fi
if [ -n "${CLIENTS_UNTIL:-}" ]; then
  if [ $((($(now_ms) - started) / 1000)) -lt "$CLIENTS_UNTIL" ]; then
    step clients env TIDINGS_BUILT=1 CLIENTS_MAY_SKIP=1 tests/clients/run.sh
    grep '^skipped: ' "$logs/clients.log"
  else
    echo "skipped: Microsoft's own clients, for want of time"
  fi
fi
# Of messages nobody can ask about, a kill in the wrong moment leaves some unknown.
[ -f "$logs/rust.log" ] && grep -o 'share of unknown: .*' "$logs/rust.log"
closing $(($(now_ms) - started))
