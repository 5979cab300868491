#!/usr/bin/env bash
# examples/bots/run.sh rust|python|node|kotlin: runs the bots of a language against a simulator, with people around them, and compares what those see.
# A bot whose framework is not installed is named and left out. Everything must be built before.
set -euo pipefail
language=${1:-}
case $language in
rust | python | node | kotlin) ;;
*)
  echo "usage: examples/bots/run.sh rust|python|node|kotlin" >&2
  exit 2
  ;;
esac
# shellcheck source=examples/simulator.sh
. "$(dirname "$0")/../simulator.sh"
# shellcheck source=examples/kotlin.sh
. "$root/examples/kotlin.sh"
here=$root/examples/bots

has() {
  case $language-$1 in
  python-agent) python -c "import fastapi, uvicorn" 2>/dev/null ;;
  node-agent) [ -d "$here/node/node_modules/express" ] ;;
  *) true ;;
  esac
}

bot() {
  case $language in
  rust) "$target/debug/bot_$1" ;;
  python) python "$here/python/$1.py" ;;
  node) node "$here/node/$1.mjs" ;;
  kotlin) kotlin_main "dev.tidings.examples.bots.$1.$(kotlin_name "$1")Kt" ;;
  esac
}
# They are started by play.mjs.
export -f bot python kotlin_main kotlin_name
export language here root target kotlin_home

if [ "$language" = kotlin ]; then
  readme_program kotlin "$work"
  kotlin_compile "$work/Readme.kt"
fi
start_simulator
if [ "$language" = node ]; then
  link_node_package "$here/node"
  link_node_package "$root/examples/node" # of support.mjs
fi
# The simulator's application with a secret, which is a bot.
export TIDINGS_CLIENT_ID=4f2b6f0a-0000-4000-8000-000000000002 TIDINGS_CLIENT_SECRET=simulator-secret TIDINGS_BOT_SERVICE=$TIDINGS_BOT/teams
TIDINGS_KEY=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export TIDINGS_KEY TIDINGS_CARD=$here/card.json
for name in notify agent; do
  if ! has "$name"; then
    echo "left out $language $name: its framework is not installed"
    continue
  fi
  export TIDINGS_DATA=$work/$name
  command node "$here/play.mjs" "$name" bash -c "bot $name" >"$work/$name.txt" 2>&1 </dev/null || echo "ended with status $?" >>"$work/$name.txt"
  before=$failed
  compare "$language $name" "$here/expected/$name.txt" "$work/$name.txt"
  if [ "$failed" != "$before" ]; then cat "$work/$name.log"; fi
done
summary
