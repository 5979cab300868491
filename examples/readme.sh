#!/usr/bin/env bash
# examples/readme.sh rust|python|node|kotlin: cuts the program of a language out of README.md (the block that opens with "```LANGUAGE run"),
# runs it twice against a simulator, on one store and with one key file as any program starts again, and compares what it prints with expected/readme.txt.
#
# Two things differ from a reader's machine: the simulator's addresses stand in for Microsoft's cloud, and this script is the person who
# opens the sign-in page.
set -euo pipefail
language=${1:-}
case $language in
rust | python | node | kotlin) ;;
*)
  echo "usage: examples/readme.sh rust|python|node|kotlin" >&2
  exit 2
  ;;
esac
# shellcheck source=examples/simulator.sh
. "$(dirname "$0")/simulator.sh"
# shellcheck source=examples/kotlin.sh
. "$root/examples/kotlin.sh"

run() {
  cd "$work" # where the program makes its store
  case $language in
  rust) "$target/debug/readme" ;; # cut out and compiled by examples/rust/build.rs
  python) python program/readme.py ;;
  node) node program/readme.mjs ;;
  kotlin) kotlin_main ReadmeKt ;;
  esac
}

mkdir "$work/program"
readme_program "$language" "$work/program"
if [ "$language" = node ]; then link_node_package "$work/program"; fi
if [ "$language" = kotlin ]; then kotlin_compile "$work/program/Readme.kt"; fi
start_simulator --auto-approve adele@contoso.com
fresh_world
control auto_approve '{"as": "adele@contoso.com"}' >/dev/null
for start in first second; do
  { run 2>&1 </dev/null || echo "ended with status $?"; } | while IFS= read -r line; do
    case $line in
    "Open "*) curl --silent --show-error --fail --noproxy '*' --location --output /dev/null "${line#Open }" || echo "the sign-in page did not lead back" ;;
    # Each language writes the names of its enums in its own way.
    *) printf '%s\n' "$line" | tr '[:upper:]' '[:lower:]' ;;
    esac
  done >"$work/$start.txt"
  compare "$language README.md, $start start" "$root/examples/expected/readme.txt" "$work/$start.txt"
done
summary
