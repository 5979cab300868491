# Sourced: Kotlin programs are compiled and started by way of bindings/kotlin, whose pom knows the compiler and the class path.
# shellcheck shell=bash

kotlin_home=$root/bindings/kotlin
kotlin_stage=$kotlin_home/target/examples

# kotlin_compile README_PROGRAM: compiles the stories and the program of README.md together, since it is the start of Maven that takes time,
# and only if something changed.
kotlin_compile() {
  mkdir -p "$kotlin_stage"
  local file
  for file in "$root"/examples/kotlin/*.kt "$root"/examples/push/kotlin/*.kt "$root"/examples/bots/kotlin/*.kt "$1"; do
    cmp -s "$file" "$kotlin_stage/$(basename "$file")" || { cp "$file" "$kotlin_stage/" && rm -f "$kotlin_home/target/examples.stamp"; }
  done
  if [ "$kotlin_home/target/examples.stamp" -nt "$kotlin_home/target/classes/dev/tidings/Engine.class" ]; then return; fi
  (cd "$kotlin_home" && { mvn -q -o test-compile "-Dtidings.runners=$kotlin_stage" >"$work/mvn" 2>&1 || mvn -q test-compile "-Dtidings.runners=$kotlin_stage"; })
  touch "$kotlin_home/target/examples.stamp"
}

# kotlin_main CLASS. Ktor logs by SLF4J, which would say that nobody listens.
kotlin_main() {
  java -Dslf4j.internal.verbosity=ERROR -cp "$kotlin_home/target/test-classes:$kotlin_home/target/classes:$(cat "$kotlin_home/target/classpath.txt")" "$1"
}

# send_invitation: SendInvitation
kotlin_name() {
  printf '%s\n' "$1" | awk -F_ '{ for (i = 1; i <= NF; i++) printf "%s%s", toupper(substr($i, 1, 1)), substr($i, 2); print "" }'
}
