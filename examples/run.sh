#!/usr/bin/env bash
# examples/run.sh rust|python|node|kotlin: runs the stories of a language against a simulator and compares what they print with expected/.
# Everything must be built before (`cargo build --workspace`, and the binding of the language).
set -euo pipefail
language=${1:-}
case $language in
rust | python | node | kotlin) ;;
*)
  echo "usage: examples/run.sh rust|python|node|kotlin" >&2
  exit 2
  ;;
esac
# shellcheck source=examples/simulator.sh
. "$(dirname "$0")/simulator.sh"
# shellcheck source=examples/kotlin.sh
. "$root/examples/kotlin.sh"

story() {
  case $language in
  rust) "$target/debug/$1" ;;
  python) python "$root/examples/python/$1.py" ;;
  node) node "$root/examples/node/$1.mjs" ;;
  kotlin) kotlin_main "dev.tidings.examples.${1//_/}.$(kotlin_name "$1")Kt" ;;
  esac
}

if [ "$language" = kotlin ]; then
  readme_program kotlin "$work"
  kotlin_compile "$work/Readme.kt"
fi
start_simulator
if [ "$language" = node ]; then link_node_package "$root/examples/node"; fi
for name in connect send_invitation sync_inbox recruiters_day inbox_page; do
  fresh_world
  # A store of its own for each: none knows the accounts of another.
  export TIDINGS_DATA=$work/$name
  story "$name" >"$work/$name.txt" 2>&1 </dev/null || echo "ended with status $?" >>"$work/$name.txt"
  compare "$language $name" "$root/examples/expected/$name.txt" "$work/$name.txt"
done
summary
