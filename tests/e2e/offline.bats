#!/usr/bin/env bats
# offline.bats - promise 1: no filesystem operation needs the network, and reading costs no request.

load lib

setup() {
  begin
  start_sim --integrations 3 --total 3000 --rate-limit 0
  start_daemon "$@"
  ready
  truth
}

teardown() { finish; }

@test "browsing asks the API nothing" {
  until_true 20 test -e "$M/integrations/$(first_integration)/jobs.jsonl"
  control POST stats/reset
  ls -lR "$M" >/dev/null
  grep -rq nothing-like-this "$M" || true
  tar cf /dev/null -C "$M" .
  rsync -a "$M/" "$T/backup/"
  [ "$(stat_of .requests)" = 0 ]
}

@test "the API gone: every record stays readable, also after unmount and mount, and a kill" {
  stop_sim
  "$BIN/tests/treecheck" "$M" "$T/truth"
  grep -rq '"id"' "$M/integrations"
  umount_daemon
  start_daemon
  "$BIN/tests/treecheck" "$M" "$T/truth"
  kill_daemon
  start_daemon
  "$BIN/tests/treecheck" "$M" "$T/truth"
  until_true 20 sh -c "jq -e '.api.reachable == false and .api.last_error' '$M/status.json' >/dev/null"
}

@test "--offline never connects, and needs no key" {
  umount_daemon
  control POST stats/reset
  rm "$T/key"
  start_daemon --offline
  "$BIN/tests/treecheck" "$M" "$T/truth"
  sleep 1
  [ "$(stat_of .requests)" = 0 ]
  [ "$(stat_of .connections.open)" -le 1 ] # this very question
}

@test "the key revoked: everything stays readable, status says so, and a good key again is noticed" {
  control POST key '{"revoke":true}'
  umount_daemon
  start_daemon --refresh 1
  until_true 20 sh -c "jq -e '.api.authorized == false' '$M/status.json' >/dev/null"
  "$BIN/tests/treecheck" "$M" "$T/truth"
  control POST key '{"revoke":false}'
  until_true 90 sh -c "jq -e '.api.authorized == true' '$M/status.json' >/dev/null"
}
