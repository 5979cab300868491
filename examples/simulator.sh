# Sourced by run.sh and readme.sh: a simulator of their own, and how each language is started.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
work=$(mktemp -d)
simulator=
finish() {
  if [ -n "$simulator" ]; then kill "$simulator" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT

# On the machine's clock, as any program is; what the stories print holds no times.
start_simulator() {
  local program=${TIDINGS_SIM:-$target/debug/m365-sim}
  if [ ! -x "$program" ]; then
    echo "$program is missing. Run: cargo build --workspace" >&2
    exit 2
  fi
  mkfifo "$work/line"
  "$program" "$@" >"$work/line" &
  simulator=$!
  # Kept open: a simulator that writes once more must not meet a closed pipe.
  exec 3<"$work/line"
  local line
  if ! read -r line <&3; then
    echo "$program did not start." >&2
    exit 2
  fi
  TIDINGS_LOGIN=$(text_of login "$line")
  TIDINGS_GRAPH=$(text_of graph "$line")
  TIDINGS_CONTROL=$(text_of control "$line")
  TIDINGS_BOT=$(text_of bot "$line")
  TIDINGS_CLIENT_ID=$(text_of client_id "$line")
  export TIDINGS_LOGIN TIDINGS_GRAPH TIDINGS_CONTROL TIDINGS_BOT TIDINGS_CLIENT_ID
}

# The first of this name: further down the line there are those of the listeners with TLS.
text_of() {
  printf '%s\n' "$2" | grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4
}

# control PATH JSON
control() {
  curl --silent --show-error --fail --noproxy '*' -H 'content-type: application/json' -d "$2" "$TIDINGS_CONTROL/$1"
}

# A fresh world with seven mails in Adele's inbox.
fresh_world() {
  control reset '{"clock": "wall"}' >/dev/null
  control mail/eml "{\"mailbox\": \"adele@contoso.com\", \"path\": \"$root/examples/inbox\"}" >/dev/null
}

python() {
  local program
  for program in "$root/target/venv/bin/python" "$target/venv/bin/python"; do
    if [ -x "$program" ]; then break; fi
  done
  if [ ! -x "$program" ]; then program=python3; fi
  # Unbuffered, so that what a program asks of a person arrives while it waits.
  PYTHONPATH="$root/bindings/python${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 "$program" "$@"
}

# The folder of the program must find the package `tidings`.
link_node_package() {
  mkdir -p "$1/node_modules"
  ln -sfn "$root/bindings/node" "$1/node_modules/tidings"
}

# readme_program LANGUAGE FOLDER: cuts the program of a language out of README.md, with the simulator's addresses in place of Microsoft's cloud.
readme_program() {
  local file from to
  case $1 in
  rust) return ;;
  python) file=readme.py from='Cloud\.Public()' to='Cloud.Custom(os.environ["TIDINGS_LOGIN"], os.environ["TIDINGS_GRAPH"])' ;;
  node) file=readme.mjs from="'public'" to="{ type: 'custom', login: process.env.TIDINGS_LOGIN, graph: process.env.TIDINGS_GRAPH }" ;;
  kotlin) file=Readme.kt from='Cloud\.Public' to='Cloud.Custom(System.getenv("TIDINGS_LOGIN"), System.getenv("TIDINGS_GRAPH"))' ;;
  esac
  awk -v opening="\`\`\`$1 run" '$0 == opening { inside = 1; next } inside && $0 == "```" { exit } inside' "$root/README.md" | sed "s/$from/$to/" >"$2/$file"
}

# compare NAME EXPECTED ACTUAL: what was printed, and that the simulator has nothing to accuse the engine of.
passed=0
failed=0
compare() {
  local accused
  accused=$(control ledger '{}' | sed -n 's/.*"accusations":\(\[[^]]*\]\).*/\1/p')
  if [ "$accused" != "[]" ]; then
    echo "the simulator accuses: $accused" >>"$3"
  fi
  if diff -u "$2" "$3" >"$work/diff"; then
    passed=$((passed + 1))
    echo "ok      $1"
  else
    failed=$((failed + 1))
    echo "FAILED  $1 (- expected, + printed)"
    tail -n +3 "$work/diff"
  fi
}

summary() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}
