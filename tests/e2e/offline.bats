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

mirror() { jq -c ".mirror | [$1]" "$M/integrations/$(first_integration)/status.json"; }

@test "when the mirror was filled and known to be right outlives the daemon and the network" {
  local before
  until_true 20 sh -c "jq -e '.mirror | .first_filled_at and .reconciled_at' '$M/integrations/$(first_integration)/status.json'"
  before=$(mirror .first_filled_at,.reconciled_at)
  umount_daemon
  start_daemon --offline
  [ "$(mirror .first_filled_at,.reconciled_at)" = "$before" ]
  "$BIN/propexofs" ready --max-age 3600 "$M"
  sleep 1.1
  run "$BIN/propexofs" ready --max-age 1 "$M"
  [ "$status" -eq 4 ]
  [[ "$output" == *"last known to be right"* ]]
}

@test "a refresh that cannot read what changed makes nothing right" {
  local id at
  id=$(first_integration)
  umount_daemon
  start_daemon --refresh 1
  at=$(mirror .reconciled_at)
  until_true 20 sh -c "[ \"\$(jq -c '.mirror | [.reconciled_at]' '$M/integrations/$id/status.json')\" != '$at' ]"
  control POST fault '{"fault":"status","status":500,"kind":"list","model":"leases","times":0}'
  control POST sync "{\"integration\":\"$id\",\"models\":[\"leases\"],\"updates\":3,\"diffs\":false}"
  until_true 20 sh -c "jq -e '.phase == \"catching-up\" and .models.leases.phase == \"error\"' '$M/integrations/$id/status.json'"
  at=$(mirror .reconciled_at)
  sleep 2.5
  [ "$(mirror .reconciled_at)" = "$at" ]
  run "$BIN/propexofs" ready --max-age 1 "$M"
  [ "$status" -eq 4 ]
  control POST fault/clear
  until_true 30 "$BIN/propexofs" ready --max-age 2 "$M"
  [ "$(jq -r .phase "$M/integrations/$id/status.json")" = current ]
  check_tree --last-seen
}
