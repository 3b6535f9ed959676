#!/usr/bin/env bats
# sweep.bats - what vanishes at the API vanishes here, for certain and not sooner; what is refused does not.

load lib

setup() {
  begin
  export PROPEXOFS_TEST_CLOCK=$T/clock
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T08:00:00Z 20
  start_sim --integrations 2 --total 3000 --rate-limit 0
  start_live --refresh 20
  ready
  settle
}

teardown() { finish; }

removed() { cat "$M"/events/2026-*.jsonl | jq -sr 'map(select(.event == "RECORD_REMOVED")) | length'; }

@test "records that vanish without a word are found by the next whole list, confirmed, and removed; all others stay" {
  control POST delete '{"integration":0,"model":"residents","count":3}' >/dev/null
  control POST delete '{"integration":0,"model":"unit-types","count":1}' >/dev/null
  control POST delete '{"integration":1,"model":"fees","count":1}' >/dev/null
  sweep_now
  until_true 60 check_tree --last-seen >"$T/out" || fail "$(tail -n 30 "$T/out")"
  [ "$(removed)" -ge 5 ]
  # found again: under a new inode, and the log says what happened
  ls "$M"/integrations/*/residents >/dev/null
}

@test "the guard: when many are absent nothing goes before two whole lists agree" {
  D=$M/integrations/$(control GET integrations | jq -r '.[0].id')/residents
  before=$(ls "$D" | wc -l)
  [ "$before" -gt 40 ]
  control POST delete '{"integration":0,"model":"residents","count":40}' >/dev/null
  sweep_now
  until_true 30 grep -q '"event":"DRIFT"' "$M/events/latest.jsonl"
  sleep 2
  [ "$(ls "$D" | wc -l)" = "$before" ]
  sweep_now
  until_true 60 check_tree --last-seen >"$T/out" || fail "$(tail -n 30 "$T/out")"
  [ "$(ls "$D" | wc -l)" -lt "$before" ]
}

@test "a list that loses records they are still there by id: nothing is removed" {
  id=$(jq -r 'select(.model == "residents") | .id' <(control GET 'truth?model=residents&ids=1') | sed -n 5p)
  control POST fault "$(jq -nc --arg id "$id" '{fault:"status",status:500,kind:"get",model:"residents",times:0}')" >/dev/null
  control POST delete '{"integration":0,"model":"residents","count":2}' >/dev/null
  sweep_now
  until_true 30 grep -q '"event":"RECONCILED"' "$M/events/latest.jsonl"
  sleep 2
  # the API cannot say: they stay
  [ "$(removed)" = 0 ]
  control POST fault/clear >/dev/null
  sweep_now
  until_true 60 check_tree --last-seen >"$T/out" || fail "$(tail -n 30 "$T/out")"
}

@test "by itself after --sweep days" {
  control POST delete '{"integration":1,"model":"leases","count":2}' >/dev/null
  sweep_now
  until_true 60 check_tree --last-seen >"$T/out" || fail "$(tail -n 30 "$T/out")"
}

@test "a model that is refused or switched off keeps its directory; an integration disabled or archived stays" {
  id=$(control GET integrations | jq -r '.[0].id')
  kept=$(ls "$M/integrations/$id/leases" | wc -l)
  control POST permission '{"model":"leases","allowed":false}' >/dev/null
  control POST model '{"integration":0,"model":"units","enabled":false}' >/dev/null
  units=$(ls "$M/integrations/$id/units" | wc -l)
  control POST sync '{"integration":0,"touch":true}' >/dev/null
  sleep 4
  [ "$(ls "$M/integrations/$id/leases" | wc -l)" = "$kept" ]
  [ "$(ls "$M/integrations/$id/units" | wc -l)" = "$units" ]
  control POST integration '{"integration":1,"op":"disable"}' >/dev/null
  control POST integration '{"integration":0,"op":"archive"}' >/dev/null
  sleep 4
  [ "$(ls "$M/integrations/$id/leases" | wc -l)" = "$kept" ]
  until_true 10 sh -c "jq -e '.archived == true' '$M/integrations/$id/status.json' >/dev/null"
}

@test "a key of another account is not believed: nothing changes, UNAUTHORIZED is logged" {
  before=$(find "$M/integrations" -type f -path '*/*/*.json' | wc -l)
  control POST account '{"show":"other"}' >/dev/null
  until_true 30 grep -q '"event":"UNAUTHORIZED"' "$M/events/latest.jsonl"
  until_true 10 jq -e '.api.authorized == false and (.api.last_error | test("another account"))' "$M/status.json"
  [ "$(find "$M/integrations" -type f -path '*/*/*.json' | wc -l)" -ge "$before" ]
  [ "$(ls "$M/integrations" | wc -l)" = 2 ]
  until_true 20 jq -e '[.integrations[].phase] | all(. == "stale")' "$M/status.json"
  # said once
  [ "$(grep -c '"event":"UNAUTHORIZED"' "$M/events/latest.jsonl")" = 1 ]
  control POST account '{"show":"all"}' >/dev/null
  until_true 30 jq -e '.api.authorized and ([.integrations[].phase] | all(. == "current"))' "$M/status.json"
}

@test "forget: what is named goes, and nothing else; what the API still has comes again" {
  id=$(control GET integrations | jq -r '.[0].id')
  forget() { timeout 20 "$BIN/propexofs" forget --store "$T/store.db" "$@"; }
  run forget --model leases
  [ "$status" = 1 ]
  [[ $output == *"$(cat "$T/daemon.pid")"* ]] || fail "$output"
  umount_daemon
  run forget
  [ "$status" = 2 ]
  run forget --model leases --integration nobody
  [ "$status" = 1 ]
  forget --model leases --integration "$id"
  start_daemon --offline
  [ ! -e "$M/integrations/$id/leases" ]
  [ "$(find "$M/integrations" -path '*/leases/*.json' | wc -l)" -gt 0 ]
  umount_daemon
  forget --integration "$id"
  start_daemon --offline
  [ ! -e "$M/integrations/$id" ]
  [ "$(ls "$M/integrations" | wc -l)" = 1 ]
  umount_daemon
  start_live
  until_true 30 check_tree >"$T/out" || fail "$(tail -n 20 "$T/out")"
}

@test "rows whose parent has vanished go, and the rows of the other parents are read, whatever the API says of a parent that is not there" {
  for quirk in notfound-400 notfound-null; do
    control POST settings "{\"quirk\":\"$quirk\",\"on\":true}" >/dev/null
    control POST delete '{"integration":0,"model":"construction-jobs","count":1}' >/dev/null
    # what is below the others moves, and nobody says so
    control POST update '{"integration":0,"model":"contracts","count":5,"events":false,"diffs":false}' >/dev/null
    sweep_now
    sleep 1
    sweep_now
    until_true 60 check_tree --last-seen >"$T/out" || fail "$quirk: $(tail -n 12 "$T/out")"
    control POST settings "{\"quirk\":\"$quirk\",\"on\":false}" >/dev/null
  done
}

@test "rows below a model that is switched off cannot be read, and stay" {
  id=$(control GET integrations | jq -r '.[0].id')
  D=$M/integrations/$id/purchase-order-items
  before=$(ls -i "$D")
  row=$(jq -r .id "$D"/*.json | head -n 1)
  control POST model '{"model":"purchase-orders","integration":0,"enabled":false}' >/dev/null
  until_true 30 sh -c "jq -e '.models[\"purchase-orders\"].phase == \"disabled\"' '$M/integrations/$id/status.json' >/dev/null"
  for hour in 10 12 14; do
    "$BIN/tests/testclock" "$T/clock" "2026-11-23T$hour:00:00Z" 20
    n=$(times_read)
    deliver "{\"event\":\"DATA_UPDATE\",\"object\":\"purchase_order_items\",\"record_id\":\"$row\",\"integration_id\":\"$id\"}" >/dev/null
    until_true 30 eval '[ "$(times_read)" -gt "$n" ]'
  done
  [ "$(ls -i "$D")" = "$before" ]
}

times_read() { grep -c "purchase-order-items of $id: read to the end" "$T/log"; }
