#!/usr/bin/env bats
# watch.bats - status --watch: a screen that is given back, at every end; lines for what changed where there is no terminal.

load lib

setup() {
  begin
  export TERM=xterm
  start_sim --integrations 2 --records units=40 --rate-limit 0
}

teardown() {
  [ -z "${watch:-}" ] || kill "$watch" 2>/dev/null || true
  exec 9>&- || true
  finish
}

# at_terminal ROWS COMMAND: in the background at a terminal of its own, whose keys are typed into descriptor 9.
at_terminal() {
  printf 'trap : INT TERM HUP\nstty rows %s cols 100\nstty -a >"%s/before"\ntty >"%s/tty"\n%s\necho $? >"%s/rc"\nstty -a >"%s/after"\n' \
    "$1" "$T" "$T" "$2" "$T" "$T" >"$T/session"
  mkfifo "$T/keys"
  timeout 60 script -qfc "sh $T/session" "$T/screen" <"$T/keys" >"$T/script" 2>&1 3>&- &
  exec 9>"$T/keys"
  rm "$T/keys"
}

# The newest whole frame: between the last two "home"s.
frame() { tr -d '\r' <"$T/screen" | sed 's/\x1b\[H/\n@FRAME\n/g' | awk '/^@FRAME/{last=now; now=""; next} {now=now $0 "\n"} END{printf "%s", last}'; }

frame_has() { frame | grep -q -- "$1"; }

frame_rows() { frame | sed '$!b; /^$/d' | wc -l; }

@test "a screen: what there is, redrawn; resized; Ctrl-C gives the terminal back and is no failure" {
  start_live
  ready
  at_terminal 30 "$BIN/propexofs status --watch $M"
  until_true 20 frame_has '^INTEGRATION'
  frame_has "$M  pid $(cat "$T/daemon.pid")"
  frame_has 'requests this minute\|not known'
  frame_has 'current .* 40\|current .* 20'
  [ "$(frame_rows)" = 30 ]
  control POST update '{"model":"units","count":1}' >/dev/null
  until_true 20 frame_has 'DATA_UPDATE *units'
  stty -F "$(cat "$T/tty")" rows 12
  resized() { [ "$(frame_rows)" = 12 ]; }
  until_true 10 resized
  printf '\003' >&9
  until_true 10 test -s "$T/after"
  [ "$(cat "$T/rc")" = 0 ]
  sed -i 's/rows [0-9]*//' "$T/before" "$T/after"
  cmp "$T/before" "$T/after"
  # entered once, left once, in this order
  [ "$(grep -o $'\x1b\\[?1049[hl]' "$T/screen" | tr -d '\033' | paste -sd,)" = '[?1049h,[?1049l' ]
  [ "$(grep -o $'\x1b\\[?25[hl]' "$T/screen" | tail -n 1 | tr -d '\033')" = '[?25h' ]
}

@test "^Z gives the screen back, and takes it again" {
  start_daemon
  ready
  printf 'set -m\n%s status --watch %s\necho stopped >"%s/stopped"\nfg\n' "$BIN/propexofs" "$M" "$T" >"$T/jobs"
  at_terminal 30 "bash $T/jobs"
  until_true 20 frame_has '^INTEGRATION'
  printf '\032' >&9
  until_true 10 test -s "$T/stopped"
  again() { [ "$(grep -o $'\x1b\\[?1049h' "$T/screen" | wc -l)" = 2 ]; }
  until_true 10 again
  printf '\003' >&9
  until_true 10 test -s "$T/after"
  [ "$(grep -o $'\x1b\\[?1049[hl]' "$T/screen" | tr -d '\033' | paste -sd,)" = '[?1049h,[?1049l,[?1049h,[?1049l' ]
}

@test "a mount that goes and comes is said, on the screen and as a line" {
  start_daemon
  ready
  "$BIN/propexofs" status --watch --store "$T/store.db" "$M" >"$T/lines" 2>"$T/err" 3>&- &
  watch=$!
  until_true 10 grep -q 'api .*: reachable' "$T/lines"
  [ "$(grep -c ': current, ' "$T/lines")" = 2 ]
  sleep 2.5
  [ "$(wc -l <"$T/lines")" = 3 ]
  ! grep -q $'\x1b' "$T/lines" || fail "an escape sequence, and no terminal"
  umount_daemon
  until_true 10 grep -q 'api .*: not mounted' "$T/lines"
  start_daemon
  until_true 10 sh -c "tail -n 3 '$T/lines' | grep -q 'api .*: reachable'"
  kill_daemon
  until_true 10 grep -q 'the mount does not answer, its daemon has gone' "$T/lines"
  kill -INT "$watch"
  wait "$watch"
  watch=
  [ ! -s "$T/err" ]
}

@test "a dumb terminal gets lines" {
  start_daemon
  ready
  export TERM=dumb
  at_terminal 30 "$BIN/propexofs status --watch $M"
  until_true 20 grep -q ': current, ' "$T/screen"
  printf '\003' >&9
  until_true 10 test -s "$T/after"
  ! grep -q $'\x1b' "$T/screen" || fail "an escape sequence, and no terminal"
}

@test "what cannot be watched at the start is refused; a closed output ends it" {
  run "$BIN/propexofs" status --watch --store "$T/none.db"
  [ "$status" = 1 ]
  [[ $output == *"no store at"* ]]
  run "$BIN/propexofs" status --watch --json
  [ "$status" = 2 ]
  start_daemon
  rc=0
  timeout 20 "$BIN/propexofs" status --watch "$M" >/dev/full 2>"$T/err" || rc=$?
  [ "$rc" = 1 ]
}
