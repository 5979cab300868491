#!/usr/bin/env bash
# examples/push/run.sh rust|python|node|kotlin: mounts the route that takes notifications in each web framework of a language, and lets a mail arrive by push.
# A framework that is not installed is named and left out. Everything must be built before.
set -euo pipefail
language=${1:-}
case $language in
rust | python | node | kotlin) ;;
*)
  echo "usage: examples/push/run.sh rust|python|node|kotlin" >&2
  exit 2
  ;;
esac
# shellcheck source=examples/simulator.sh
. "$(dirname "$0")/../simulator.sh"
# shellcheck source=examples/kotlin.sh
. "$root/examples/kotlin.sh"
here=$root/examples/push

routes() {
  case $language in
  rust) echo axum ;;
  python) echo wsgi fastapi starlette flask django ;;
  node) echo http express fastify ;;
  kotlin) echo ktor ;;
  esac
}

has() {
  case $language-$1 in
  rust-* | python-wsgi | node-http | kotlin-*) true ;;
  python-*) python -c "import $1, uvicorn" 2>/dev/null ;;
  node-*) [ -d "$here/node/node_modules/$1" ] ;;
  esac
}

route() {
  case $language in
  rust) "$target/debug/push_axum" ;;
  python) python "$here/python/$1_app.py" ;;
  node) node "$here/node/$1_app.mjs" ;;
  kotlin) kotlin_main "dev.tidings.examples.$1app.$(kotlin_name "$1_app")Kt" ;;
  esac
}

if [ "$language" = kotlin ]; then
  readme_program kotlin "$work"
  kotlin_compile "$work/Readme.kt"
fi
start_simulator
if [ "$language" = node ]; then
  link_node_package "$here/node"
  link_node_package "$root/examples/node" # of support.mjs
fi
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
