#!/usr/bin/env bats
# control.bats - sync and verify beside a daemon: it does the work, with its own writer and within its own allowance.

load lib

setup() {
  begin
  export PROPEXOFS_TEST_CLOCK=$T/clock
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T08:00:00Z 1
}
teardown() { finish; }

# A command for the daemon's store; no key is given.
ask() { timeout 100 "$BIN/propexofs" "$1" --store "$T/store.db" --api-url "$URL" "${@:2}"; }

@test "sync beside a daemon: what the API changed is there when it returns; no key is needed" {
  start_sim --integrations 2 --total 1500 --rate-limit 0
  start_daemon --refresh 0
  ready
  [ "$(stat -c %a "$T/store.db.sock")" = 600 ]
  control POST sync '{"integration":0,"updates":50,"creates":5}' >/dev/null
  run ask sync
  [ "$status" = 0 ] || fail "$output"
  # progress, when there was time for any; what is not known is not said
  [ -z "$output" ] || [[ ${lines[-1]} =~ ^"propexofs: "[0-9]+" of "[0-9]+" records, "[0-9]+" of "[1-9][0-9]*" models"(", ETA "[0-9:]+)?$ ]] || fail "$output"
  check_tree --last-seen
  umount_daemon
  [ ! -e "$T/store.db.sock" ]
}

@test "sync beside a daemon that fills: it returns when the mirror is complete" {
  start_sim --integrations 1 --records residents=3000 --rate-limit 0
  control POST fault '{"fault":"slow","bytes":50000,"interval_ms":20,"times":0}' >/dev/null
  start_daemon --refresh 0
  run ask sync
  [ "$status" = 0 ] || fail "$output"
  check_tree --last-seen
}

@test "sync beside a daemon whose API is away fails with the reason; beside an offline one, too" {
  start_sim --integrations 1 --records units=20 --rate-limit 0
  start_daemon --refresh 0
  ready
  stop_sim
  run ask sync
  [ "$status" = 1 ]
  [[ ${lines[-1]} == "propexofs: "*connect* ]] || fail "$output"
  umount_daemon
  start_daemon --offline
  run ask sync
  [ "$status" = 1 ]
  [[ $output == *offline* ]]
}

@test "verify beside a daemon: the same words and codes, within one allowance" {
  start_sim --integrations 1 --records residents=600 --records leases=300 --rate-limit 0
  start_daemon --refresh 0
  ready
  run ask verify --model residents
  [ "$status" = 0 ] || fail "$output"
  [[ $output == *"600 records compared, 0 differences"* ]]
  # silently, so that nobody tells the mirror
  control POST update '{"model":"residents","count":3,"events":false,"diffs":false}' >/dev/null
  run ask verify
  [ "$status" = 4 ] || fail "$output"
  [ "$(grep -c '^content .*/residents/' <<<"$output")" = 3 ]
  # its requests count with the daemon's
  sleep 2.5
  [ "$(jq '.api.requests_per_minute | .fill + .catch_up + .hydrate' "$M/status.json")" -ge 1 ]
}

@test "a command that goes away ends its work; several at once; nonsense on the socket" {
  start_sim --integrations 1 --records residents=3000 --rate-limit 0
  start_daemon --refresh 0
  ready
  control POST fault '{"fault":"slow","bytes":20000,"interval_ms":50,"times":0}' >/dev/null
  # each of four clients is served, more are told so
  pids=()
  for _ in 1 2 3 4; do
    "$BIN/propexofs" verify --store "$T/store.db" --api-url "$URL" >/dev/null 2>&1 3>&- &
    pids+=($!)
  done
  sleep 1
  run ask verify
  [ "$status" = 1 ]
  [[ $output == *busy* ]] || fail "$output"
  kill "${pids[@]}"
  until_true 20 quiet
  control POST fault/clear >/dev/null
  run ask verify
  [ "$status" = 0 ] || fail "$output"
  for text in '' 'x' '{"do":"nothing"}' '{"do":7}' '[]'; do
    printf '%s\n' "$text" | timeout 5 curl -s --unix-socket "$T/store.db.sock" telnet://x >"$T/said" || true
    grep -q '"error"' "$T/said" || fail "$text: $(cat "$T/said")"
  done
  umount_daemon
}

# Nobody asks the API any more.
quiet() {
  local before
  before=$(stat_of .requests)
  sleep 1
  [ "$(stat_of .requests)" = "$before" ]
}
