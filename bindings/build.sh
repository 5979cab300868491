#!/usr/bin/env bash
# Builds the faces and puts each library where its language looks for it: bindings/build.sh python|node|kotlin|all
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
profile=${TIDINGS_PROFILE:-dev}
built=$target/$([ "$profile" = dev ] && echo debug || echo "$profile")

case "$(uname -s)" in
  Darwin) prefix=lib suffix=dylib system=darwin jna=darwin ;;
  MINGW* | MSYS* | CYGWIN*) prefix= suffix=dll system=win32 jna=win32 ;;
  *) prefix=lib suffix=so system=linux jna=linux ;;
esac
case "$(uname -m)" in
  arm64 | aarch64) arch=arm64 jna=$jna-aarch64 ;;
  *) arch=x64 jna=$jna-x86-64 ;;
esac

# Copies only what changed, under a new name first: a running process may have the old file mapped.
place() {
  mkdir -p "$(dirname "$2")"
  cmp -s "$1" "$2" || { cp "$1" "$2.new" && mv "$2.new" "$2"; }
}

# Whoever has built the workspace says so with TIDINGS_BUILT: other sets of features would build the large dependencies again.
built_already=${TIDINGS_BUILT:-}
build() { [ -n "$built_already" ] || cargo build -q --profile "$profile" "$@"; }

python() {
  build -p tidings-python
  place "$built/${prefix}tidings_python.$suffix" "bindings/python/tidings/_native.$([ "$system" = win32 ] && echo pyd || echo abi3.so)"
}

node() {
  build -p tidings-node
  place "$built/${prefix}tidings_node.$suffix" "bindings/node/lib/tidings.$system-$arch.node"
}

# The sources are read from an unstripped library, so they are always made from the dev build.
kotlin() {
  [ -n "$built_already" ] || cargo build -q -p tidings-uniffi --features bindgen
  build -p tidings-uniffi --features bindgen
  local library=$target/debug/${prefix}tidings_uniffi.$suffix stamp=$target/generated/stamp
  if ! [ "$stamp" -nt "$library" ] || ! [ -e bindings/kotlin/generated/kotlin/dev/tidings/tidings.kt ]; then
    rm -rf bindings/kotlin/generated/kotlin "$target/generated/swift"
    mkdir -p bindings/kotlin/generated/kotlin "$target/generated/swift"
    "$target/debug/tidings-bindgen" "$library" bindings/kotlin/generated/kotlin "$target/generated/swift"
    touch "$stamp"
  fi
  place "$built/${prefix}tidings_uniffi.$suffix" "bindings/kotlin/generated/native/$jna/${prefix}tidings_uniffi.$suffix"
}

case "${1:-}" in
  python | node | kotlin) "$1" ;;
  all) python && node && kotlin ;;
  *) echo "usage: bindings/build.sh python|node|kotlin|all" >&2; exit 2 ;;
esac
