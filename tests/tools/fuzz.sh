#!/usr/bin/env bash
# Looks for inputs that break what has to hold, for a minute each: fuzz.sh [TARGET…]. FUZZ_SECONDS says another time.
# With a nightly compiler memory is watched as well (AddressSanitizer); without one the fuzzer runs on the stable compiler.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=0.13.1
tools=$PWD/target/tools
fuzz=$tools/bin/cargo-fuzz
if ! "$fuzz" --version 2>/dev/null | grep -q " $version\$"; then
  cargo install -q cargo-fuzz --version "$version" --locked --force --root "$tools"
fi

toolchain=stable sanitizer=none
if rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
  toolchain=nightly sanitizer=address
fi
echo "compiler: $toolchain, sanitizer: $sanitizer"

# What is fuzzed is what is used: the same versions of everything.
cp Cargo.lock tests/fuzz/Cargo.lock

folder=target/fuzz
options=(--fuzz-dir tests/fuzz --target-dir "$folder/build" --sanitizer "$sanitizer")
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd tests/fuzz/fuzz_targets && ls | sed 's/\.rs$//')
found=0
for target in "${targets[@]}"; do
  mkdir -p "$folder/corpus/$target" "$folder/found/$target"
  # What was found in earlier runs is kept in the corpus; the seeds are only read.
  rustup run "$toolchain" "$fuzz" run "${options[@]}" "$target" "$folder/corpus/$target" "tests/fuzz/seeds/$target" -- \
    -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 -artifact_prefix="$folder/found/$target/" || found=1
done
[ $found -eq 0 ] && echo "nothing was found" || { echo "what was found is in $folder/found: mend it, and put the input among the seeds of its target" >&2; exit 1; }
