#!/usr/bin/env bash
# need.sh TOOL…: one line for each tool that is missing, saying what to install; exit 2 when there is one.
missing=0
for tool in "$@"; do
  case $tool in
    cargo) hint="Rust 1.95 or newer: https://rustup.rs" ;;
    cc | c++) hint="a C compiler: apt install build-essential, or xcode-select --install" ;;
    python3) hint="Python 3.11 or newer with venv: apt install python3 python3-venv" ;;
    node | npm) hint="Node.js 20 or newer with npm: https://nodejs.org" ;;
    java) hint="a JDK, 17 or newer: apt install openjdk-17-jdk-headless" ;;
    curl) hint="curl: apt install curl" ;;
    mvn) hint="Maven 3.8 or newer: apt install maven" ;;
    *) hint="$tool" ;;
  esac
  if ! command -v "$tool" >/dev/null 2>&1; then
    echo "$tool is missing. Install $hint" >&2
    missing=2
  elif [ "$tool" = python3 ] && ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "python3 is too old or lacks venv. Install $hint" >&2
    missing=2
  elif [ "$tool" = node ] && [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
    echo "node is too old. Install $hint" >&2
    missing=2
  fi
done
exit $missing
