#!/usr/bin/env bash
# examples/settings/run.sh python|node: starts the settings page of a language before a simulator, and lets a real browser use it.
# examples/settings/run.sh python|node show: starts it for you to look at, until Ctrl-C.
# What the test needs and is not there is named, and the test is skipped. Everything must be built before.
set -euo pipefail
language=${1:-}
case $language in
python | node) ;;
*)
  echo "usage: examples/settings/run.sh python|node [show]" >&2
  exit 2
  ;;
esac
# shellcheck source=examples/simulator.sh
. "$(dirname "$0")/../simulator.sh"
here=$root/examples/settings

skip() {
  echo "skipped: the settings page in $language: $1"
  exit 0
}
case $language in
python) python -c "import fastapi, uvicorn" 2>/dev/null || skip "FastAPI and uvicorn are not installed." ;;
node) [ -d "$here/node/node_modules/express" ] || skip "Express is not installed." ;;
esac

find_browser() {
  local name
  for name in chromium chromium-browser google-chrome; do
    if command -v "$name"; then return; fi
  done
  return 1
}
if [ "${2:-}" != show ]; then
  python -c "import playwright, pytest" 2>/dev/null || skip "Playwright for Python and pytest are not installed."
  if ! SETTINGS_BROWSER=$(find_browser); then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then skip "there is no Chromium (apt install chromium)."; fi
    echo "installing Chromium: apt-get install -y chromium"
    # Both languages may come here at once.
    (flock 9; find_browser >/dev/null || { apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; }) 9>"$target/apt.lock" >/dev/null 2>&1 || true
    SETTINGS_BROWSER=$(find_browser) || skip "Chromium could not be installed."
  fi
  export SETTINGS_BROWSER
fi

start_simulator
if [ "$language" = node ]; then link_node_package "$here/node"; fi
control reset '{"clock": "wall"}' >/dev/null
TIDINGS_KEY=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
PORT=$(command node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
export TIDINGS_KEY PORT TIDINGS_DATA=$work/data SETTINGS_URL=http://localhost:$PORT

server() {
  case $language in
  python) python "$here/python/app.py" ;;
  node) command node "$here/node/app.mjs" ;;
  esac
}
if [ "${2:-}" = show ]; then
  control mail/eml "{\"mailbox\": \"adele@contoso.com\", \"path\": \"$root/examples/inbox\"}" >/dev/null
  server
  exit
fi

mkfifo "$work/ready"
set -m # A group of its own, so that it ends with all that it started.
server >"$work/ready" 2>"$work/server.log" </dev/null &
server=$!
set +m
finish_all() {
  kill -- "-$server" 2>/dev/null || true
  finish
}
trap finish_all EXIT
exec 4<"$work/ready"
if ! read -r _ <&4; then
  cat "$work/server.log" >&2
  exit 1
fi

export SETTINGS_SCREENSHOTS=$target/settings-$language PYTHONDONTWRITEBYTECODE=1
mkdir -p "$SETTINGS_SCREENSHOTS"
status=0
python -m pytest -q --tb=short -p no:cacheprovider "$here/browser" || status=$?
if [ -s "$work/server.log" ]; then
  echo "the server said:"
  cat "$work/server.log"
  # It has no reason to say anything.
  status=1
fi
echo "screenshots: $SETTINGS_SCREENSHOTS"
exit $status
