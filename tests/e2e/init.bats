#!/usr/bin/env bats
# init.bats - a first configuration: what is written and how, what is left alone, and the terminal, which never shows the
# key and is as it was before however the question ends.

load lib

setup() {
  begin
  start_sim --integrations 1 --records units=5 --rate-limit 0
  export PROPEXO_API_URL=$URL PROPEXOFS_STORE=$T/store.db
  dir=$XDG_CONFIG_HOME/propexofs
}

teardown() { finish; }

# at_terminal PROMPT INPUT... -- COMMAND: runs it at a terminal of its own, each INPUT typed after its PROMPT; what the
# terminal shows is in $T/screen, its settings before and after in $T/before and $T/after, the exit code in $T/rc.
at_terminal() {
  local typed=()
  while [ "$1" != -- ]; do
    typed+=("$1" "$2")
    shift 2
  done
  shift
  printf 'trap : INT TERM HUP\nstty -a >"%s/before"\n%s\necho $? >"%s/rc"\nstty -a >"%s/after"\n' "$T" "$*" "$T" "$T" >"$T/session"
  rm -f "$T/screen" "$T/after" "$T/rc"
  mkfifo "$T/keys"
  timeout 40 script -qfc "sh $T/session" "$T/screen" <"$T/keys" >"$T/script" 2>&1 3>&- &
  exec 9>"$T/keys"
  rm "$T/keys"
  set -- "${typed[@]}"
  while [ $# -gt 0 ]; do
    until_true 10 grep -qsz "$1" "$T/screen"
    sleep 0.2
    # shellcheck disable=SC2059
    printf "$2" >&9
    shift 2
  done
  until_true 30 test -s "$T/after"
  exec 9>&-
  wait $!
}

@test "from a pipe: two files of mode 0600, the key in one alone; then the doctor" {
  umask 000
  echo sim-key | "$BIN/propexofs" init >"$T/out" 2>"$T/err"
  [ ! -s "$T/err" ]
  [ "$(stat -c %a "$dir")" = 700 ]
  [ "$(stat -c %a "$dir/default.conf" "$dir/default.key" | paste -sd,)" = 600,600 ]
  [ "$(cat "$dir/default.key")" = sim-key ]
  ! grep -q sim-key "$dir/default.conf" "$T/out" || fail "the key shows"
  [ "$(ls -A "$dir" | paste -sd,)" = default.conf,default.key ]
  head -n 1 "$T/out" | grep -qx "wrote $dir/default.conf and $dir/default.key"
  grep -q '^ok    authorisation: the key is good' "$T/out"
  unset PROPEXO_API_URL # it was written
  "$BIN/propexofs" check | grep -q '^ok    authorisation'
  "$BIN/propexofs" sync 2>/dev/null
}

@test "names: one of one's own, a file, and what is none" {
  printf '  sim-key \r\nmore\n' | "$BIN/propexofs" init acme-2 >/dev/null
  [ "$(cat "$dir/acme-2.key")" = sim-key ]
  (cd "$T" && echo sim-key | "$BIN/propexofs" init ./here.conf >/dev/null)
  grep -qx 'api-key-file = here.key' "$T/here.conf"
  "$BIN/propexofs" check --config acme-2 >/dev/null
  for name in '' .hidden -x a/b 'a b' ../up "$(printf 'a%.0s' $(seq 65))" a/.conf; do
    rc=0
    echo sim-key | "$BIN/propexofs" init -- "$name" >"$T/out" 2>"$T/err" || rc=$?
    [ "$rc" = 2 ] && [ "$(wc -l <"$T/err")" = 1 ] || fail "'$name': $rc $(cat "$T/err")"
  done
  [ "$(ls -A "$dir" | paste -sd,)" = acme-2.conf,acme-2.key ]
}

@test "what is no key is not written, nor repeated" {
  for key in '' 's3cr3t with blanks' $'s3cr3t\tkey' $'s3cr3t\xc3\xa9'; do
    rc=0
    printf '%s\n' "$key" | "$BIN/propexofs" init >"$T/out" 2>"$T/err" || rc=$?
    [ "$rc" = 2 ]
    [ "$(wc -l <"$T/err")" = 1 ]
    ! grep -q s3cr3t "$T/err" "$T/out" || fail "the key shows"
    [ -z "$(ls -A "$dir")" ]
  done
  rc=0
  "$BIN/propexofs" init </dev/null 2>"$T/err" || rc=$?
  [ "$rc" = 2 ]
  grep -q 'no key was given' "$T/err"
}

@test "a key that is refused is written, and the doctor says so: 1" {
  run "$BIN/propexofs" init <<<"wrong-key"
  [ "$status" = 1 ]
  [[ $output == *"fail  authorisation: the key is refused"* ]]
  [[ $output != *wrong-key* ]]
}

@test "nothing is overwritten from a pipe, neither of the two files" {
  mkdir -p "$dir"
  echo precious >"$dir/default.key"
  run "$BIN/propexofs" init <<<"sim-key"
  [ "$status" = 1 ]
  [[ $output == *"$dir/default.key exists"* ]]
  mv "$dir/default.key" "$dir/default.conf"
  run "$BIN/propexofs" init <<<"sim-key"
  [ "$status" = 1 ]
  [ "$(cat "$dir/default.conf")" = precious ]
  [ ! -e "$dir/default.key" ]
}

@test "a directory that cannot be written: 1, and no draft stays" {
  mkdir "$T/ro"
  chmod 555 "$T/ro"
  [ "$(id -u)" != 0 ] || mount -t tmpfs -o ro none "$T/ro" || skip "cannot mount a tmpfs here"
  run "$BIN/propexofs" init "$T/ro/a.conf" <<<"sim-key"
  umount "$T/ro" 2>/dev/null || true
  [ "$status" = 1 ]
  [[ $output == *"cannot write"* ]]
}

@test "at a terminal: the key is not shown, and the terminal is as before" {
  at_terminal 'not shown' 'sim-key\n' -- "$BIN/propexofs init"
  [ "$(cat "$T/rc")" = 0 ]
  cmp "$T/before" "$T/after"
  ! grep -q sim-key "$T/screen" || fail "the key shows"
  [ "$(cat "$dir/default.key")" = sim-key ]
}

@test "at a terminal: a yes overwrites, anything else does not" {
  echo sim-key | "$BIN/propexofs" init >/dev/null
  echo old-key >"$dir/default.key"
  at_terminal 'default.conf exists: overwrite' 'n\n' -- "$BIN/propexofs init"
  [ "$(cat "$T/rc")" = 1 ]
  [ "$(cat "$dir/default.key")" = old-key ]
  at_terminal 'default.conf exists: overwrite' 'y\n' 'default.key exists: overwrite' 'y\n' 'not shown' 'sim-key\n' -- "$BIN/propexofs init"
  [ "$(cat "$T/rc")" = 0 ]
  [ "$(cat "$dir/default.key")" = sim-key ]
  [ "$(ls -A "$dir" | paste -sd,)" = default.conf,default.key ]
}

@test "at a terminal: Ctrl-C, and a TERM, leave it as it was and write nothing" {
  at_terminal 'not shown' 'sim-k\003' -- "$BIN/propexofs init"
  [ "$(cat "$T/rc")" = 130 ]
  cmp "$T/before" "$T/after"
  ! grep -q sim-k "$T/screen" || fail "the key shows"
  [ -z "$(ls -A "$dir")" ]
  at_terminal 'not shown' 'x' -- "(sleep 1; kill -TERM \$(cat $T/pid)) & sh -c 'echo \$\$ >$T/pid; exec $BIN/propexofs init'"
  [ "$(cat "$T/rc")" = 143 ]
  cmp "$T/before" "$T/after"
}

@test "at a terminal: ^Z gives the terminal back as it was, and it is asked again" {
  printf 'set -m\n%s init\nstty -a >"%s/stopped"\necho again\nfg\n' "$BIN/propexofs" "$T" >"$T/jobs"
  at_terminal 'not shown' 'sim\032' 'again.*not shown' 'sim-key\n' -- "bash $T/jobs"
  [ "$(cat "$T/rc")" = 0 ]
  cmp "$T/before" "$T/stopped"
  cmp "$T/before" "$T/after"
  [ "$(cat "$dir/default.key")" = sim-key ]
}
