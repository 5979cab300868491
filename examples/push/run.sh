#!/usr/bin/env bash
# examples/push/run.sh rust|python|node: mounts the route that takes notifications in each web framework of a language, and lets a mail arrive by push.
# A framework that is not installed is named and left out. Everything must be built before.
set -euo pipefail
language=${1:-}
case $language in
rust | python | node) ;;
*)
  echo "usage: examples/push/run.sh rust|python|node" >&2
  exit 2
  ;;
esac
# shellcheck source=examples/simulator.sh
. "$(dirname "$0")/../simulator.sh"
here=$root/examples/push

routes() {
  case $language in
  rust) echo axum ;;
  python) echo wsgi fastapi starlette flask django ;;
  node) echo http express fastify ;;
  esac
}

has() {
  case $language-$1 in
  rust-* | python-wsgi | node-http) true ;;
  python-*) python -c "import $1, uvicorn" 2>/dev/null ;;
  node-*) [ -d "$here/node/node_modules/$1" ] ;;
  esac
}

route() {
  case $language in
  rust) "$target/debug/push_axum" ;;
  python) python "$here/python/$1_app.py" ;;
  node) node "$here/node/$1_app.mjs" ;;
  esac
}

start_simulator
if [ "$language" = node ]; then link_node_package "$here/node"; fi
for name in $(routes); do
  if ! has "$name"; then
    echo "left out $language $name: it is not installed"
    continue
  fi
  fresh_world
  export TIDINGS_DATA=$work/$name
  route "$name" >"$work/$name.txt" 2>&1 </dev/null || echo "ended with status $?" >>"$work/$name.txt"
  compare "$language $name" "$here/expected.txt" "$work/$name.txt"
done
summary
