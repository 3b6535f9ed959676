#!/usr/bin/env bats
# notify.bats - what a service manager is told, by a stand-in for it that listens at NOTIFY_SOCKET.

load ../e2e/lib

setup() {
  begin
  "$BIN/tests/notified" "$T/notify" >"$T/told" 3>&- &
  echo $! >"$T/notified.pid"
  until_true 5 test -S "$T/notify"
}

teardown() {
  kill "$(cat "$T/notified.pid")"
  finish
}

managed() { NOTIFY_SOCKET=$T/notify start_daemon "$@"; }

told() { grep -q "^[0-9]* $1" "$T/told"; }

# line_of TEXT: which line of what was told it is.
line_of() { grep -n -m 1 "^[0-9]* $1" "$T/told" | cut -d: -f1; }

@test "READY=1 when the tree can be served, STATUS= with phase and counts, STOPPING=1" {
  start_sim --integrations 1 --records units=300 --rate-limit 0
  managed
  until_true 5 told 'READY=1$'
  ready
  until_true 5 told 'STATUS=current: [0-9]* records, 1 integration$'
  kill -TERM "$(cat "$T/daemon.pid")"
  until_true 8 ended "$(cat "$T/daemon.pid")"
  told 'STOPPING=1$'
  [ "$(line_of READY)" -lt "$(line_of STOPPING)" ]
  [ "$(grep -c 'READY=1' "$T/told")" = 1 ]
  told 'WATCHDOG' && fail "there is no watchdog"
  # said once, not again and again
  [ "$(grep -c 'STATUS=current' "$T/told")" -le 3 ]
}

@test "no READY=1 while the mount cannot be made" {
  start_sim --integrations 1 --records units=10 --rate-limit 0
  rc=0
  NOTIFY_SOCKET=$T/notify "$BIN/propexofs" mount -f --api-url "$URL" --api-key-file "$T/key" --store "$T/store.db" "$T/missing" \
    >"$T/log" 2>&1 || rc=$?
  [ "$rc" = 1 ]
  [ ! -s "$T/told" ]
}

@test "WATCHDOG=1 at half the interval, and no more once the request thread hangs" {
  start_sim --integrations 1 --records units=10 --rate-limit 0
  export WATCHDOG_USEC=1000000
  managed
  ready
  until_true 5 told WATCHDOG=1
  sleep 3
  n=$(grep -c WATCHDOG=1 "$T/told")
  [ "$n" -ge 5 ] && [ "$n" -le 14 ] || fail "$n in three seconds"
  # the request thread is the main one; the one that tells goes on
  "$BIN/tests/holdthread" "$(cat "$T/daemon.pid")" 4 >"$T/held" 2>&1 3>&- &
  until_true 5 test -s "$T/held"
  grep -q held "$T/held" || skip "threads cannot be stopped here: $(cat "$T/held")"
  sleep 1
  n=$(grep -c WATCHDOG=1 "$T/told")
  sleep 2
  [ "$(grep -c WATCHDOG=1 "$T/told")" = "$n" ]
  grep -q "request thread has not answered" "$T/log"
  wait %%
  until_true 5 eval '[ "$(grep -c WATCHDOG=1 "$T/told")" -gt "$n" ]'
}

@test "RELOADING=1 with its time, then READY=1 again" {
  start_sim --integrations 1 --records units=10 --rate-limit 0
  managed
  until_true 5 told 'READY=1$'
  kill -HUP "$(cat "$T/daemon.pid")"
  until_true 5 told 'RELOADING=1$'
  told 'MONOTONIC_USEC=[0-9][0-9]*$'
  until_true 5 [ "$(grep -c 'READY=1' "$T/told")" = 2 ]
}

@test "unmounted by somebody else: STOPPING=1, too" {
  start_sim --integrations 1 --records units=10 --rate-limit 0
  managed
  until_true 5 told 'READY=1$'
  umount "$M"
  until_true 8 ended "$(cat "$T/daemon.pid")"
  told 'STOPPING=1$'
}

@test "standard error that is the journal's gets levels, and no times" {
  start_sim --integrations 1 --records units=10 --rate-limit 0
  : >"$T/log"
  JOURNAL_STREAM=$(stat -c %d:%i "$T/log") start_daemon
  ready
  grep -q '^<6>daemon: serving at ' "$T/log"
  [ "$(grep -vc '^<[0-7]>' "$T/log")" = 0 ]
  umount_daemon
  JOURNAL_STREAM=1:1 start_daemon
  grep -q '^20.*Z info daemon: serving at' "$T/log"
}
