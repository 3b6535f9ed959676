#!/usr/bin/env bats
# docs.bats - what the documents quote of the program is what the program has: messages, commands, options.

setup() {
  bin=$(realpath "${BUILD:-build}/propexofs")
  tmp=$(mktemp -d)
}

teardown() { rm -rf "$tmp"; }

# The program's string literals, joined where the source breaks them, with … for each conversion.
literals() {
  find src -path src/sim -prune -o -name '*.c' -print0 | xargs -0 cat |
    sed -z 's/"[[:space:]]*"//g; s/%[-+ #0-9.*]*[hlz]*[a-z]/…/g; s/\\"/"/g'
}

@test "every message that docs/troubleshooting.md explains is one that the program prints" {
  literals >"$tmp/literals"
  sed -n 's/^### `\(.*\)`$/\1/p' docs/troubleshooting.md >"$tmp/messages"
  [ "$(wc -l <"$tmp/messages")" -ge 30 ]
  [ "$(grep -c '^### ' docs/troubleshooting.md)" = "$(wc -l <"$tmp/messages")" ]
  missing=0
  while IFS= read -r message; do
    grep -qF -- "$message" "$tmp/literals" || { echo "not in the source: $message"; missing=1; }
  done <"$tmp/messages"
  [ "$missing" = 0 ]
}

@test "commands and options in the documents' examples are the program's" {
  # lines that are typed: indented by four, continued lines joined
  cat README.md docs/operations.md docs/troubleshooting.md docs/webhooks.md | sed ':a; /\\$/{N; s/\\\n *//; ba}' | sed -n 's/^    \(.*\)/\1/p' >"$tmp/typed"
  grep -oE '(^|[^/A-Za-z-])propexofs [a-z]+[^|&;#>]*' "$tmp/typed" | sed 's/.*propexofs \([a-z]*\)/\1/' >"$tmp/uses"
  [ "$(wc -l <"$tmp/uses")" -ge 20 ]
  while read -r command rest; do
    case $command in propexofs) continue ;; esac
    "$bin" "$command" --help >"$tmp/help" 2>&1 || { echo "no such command: $command $rest"; false; }
    for option in $(grep -oE -- '(^| )--?[a-z][a-z-]*' <<<"$rest" || true); do
      grep -qE -- "(^ *|, )$option(,| |$)" "$tmp/help" || { echo "no such option: $command $option"; false; }
    done
  done <"$tmp/uses"
}

@test "links between the documents lead somewhere" {
  for doc in README.md docs/*.md; do
    for link in $(grep -oE '\]\([a-zA-Z0-9_./#-]+\)' "$doc" | tr -d '()]' || true); do
      file=${link%%#*} anchor=${link#*#}
      target=$doc
      [ -z "$file" ] || target=$(dirname "$doc")/$file
      [ -e "$target" ] || { echo "$doc: $link"; false; }
      [ "$anchor" = "$link" ] ||
        grep '^#' "$target" | sed 's/^#* //' | tr '[:upper:] ' '[:lower:]-' | tr -d "\`,.'" | grep -qx -- "$anchor" || { echo "$doc: $link"; false; }
    done
  done
}
