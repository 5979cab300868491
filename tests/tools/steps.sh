# Sourced by test.sh: runs a step with its output in target/logs, counts what passed and failed in it, and tells where the time went.

logs=target/logs

now_ms() { date +%s%3N; }

# step NAME COMMAND…: prints one line; on failure the end of the log as well.
step() {
  local name=$1 start end rc counted
  shift
  start=$(now_ms)
  # `timeout` knows programs alone; a function is handed to a shell that was given it by `export -f`.
  if declare -F "$1" >/dev/null; then set -- bash -c '"$@"' step "$@"; fi
  # In our own process group, so that Ctrl-C ends it with us.
  timeout --foreground -k 10 1200 "$@" >"$logs/$name.log" 2>&1
  rc=$?
  end=$(now_ms)
  counted=$(count "$logs/$name.log" $rc)
  echo "$name $rc $counted $((end - start))" >"$logs/$name.result"
  # In one piece: steps of the other lane print as well.
  {
    printf '%-6s %-22s %6s passed %4s failed %8s\n' "$([ $rc = 0 ] && echo ok || echo FAILED)" "$name" $counted "$(seconds $((end - start)))"
    if [ $rc != 0 ]; then
      echo "------ the end of $logs/$name.log"
      tail -n 60 "$logs/$name.log"
      echo "------"
    fi
  } | cat
  return $rc
}

seconds() { printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100)); }

# count LOG RC: "passed failed", read from what the test tools say. A step that counts nothing is one check itself; one that was skipped is none.
count() {
  awk -v rc="$2" '
    /^test result:/ { p += $4; f += $6 }                                        # cargo test
    /^(rust|python|node|kotlin): [0-9]+ passed, [0-9]+ failed$/ { p += $2; f += $4 }   # the scenarios
    /^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3 }                       # the examples
    /^# pass [0-9]+$/ { p += $3 }                                               # node --test
    /^# fail [0-9]+$/ { f += $3 }
    !/^test result:/ && / in [0-9.]+s( \(.*\))?( =+)?$/ && /[0-9]+ (passed|failed|error)/ {   # pytest
      for (i = 2; i <= NF; i++) {
        if ($i ~ /^passed/) p += $(i - 1)
        if ($i ~ /^(failed|errors?)/) f += $(i - 1)
      }
    }
    /Tests run: .*Failures: / && !/Time elapsed/ {                              # Maven says it for each class, then in sum
      gsub(/[^0-9 ]/, ""); mp = $1 - $2 - $3 - $4; mf = $2 + $3
    }
    /^skipped: / { skipped = 1 }
    END {
      p += mp; f += mf
      if (rc != 0 && f == 0) f = 1
      if (rc == 0 && p == 0 && !skipped) p = 1
      print p + 0, f + 0
    }' "$1"
}

# What failed, by name, with the step it failed in. It stands right before the end: of a long output mostly the end is kept.
failures() {
  local name rc rest
  cat "$logs"/*.result | while read -r name rc rest; do
    [ "$rc" = 0 ] && continue
    # cargo test, pytest, node --test, the scenarios, then Maven; of a step that names nothing the last lines.
    grep -aE -A 1 --no-group-separator '^(test .* FAILED$|FAILED |not ok [0-9]+ |FAIL(ED)? +[a-z]|\[ERROR\] +[A-Za-z_.]+:[0-9]+)|panicked at ' "$logs/$name.log" | head -n 20 >"$logs/$name.failed"
    [ -s "$logs/$name.failed" ] || tail -n 5 "$logs/$name.log" >"$logs/$name.failed"
    sed "s/^/  $name: /" "$logs/$name.failed"
  done >"$logs/failures"
  [ -s "$logs/failures" ] && printf 'What failed\n%s\n\n' "$(cat "$logs/failures")"
}

# The table, then the closing line alone on its line; fails when anything failed.
closing() {
  local total=$1
  echo
  echo "Where the time went"
  sort -k5,5nr "$logs"/*.result | while read -r name rc passed failed ms; do
    printf '  %-22s %10s   %s\n' "$name" "$(seconds "$ms")" "$([ "$rc" = 0 ] || echo failed)"
  done
  printf '  %-22s %10s\n\n' "all, side by side" "$(seconds "$total")"
  failures
  cat "$logs"/*.result | awk '{ p += $3; f += $4 } END { printf "%d passed, %d failed\n", p, f; exit f > 0 }'
}
