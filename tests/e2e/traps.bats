#!/usr/bin/env bats
# traps.bats - what the API leaves open, or does in an awkward way, one at a time; docs/semantics.md lists them all.

load lib

setup() {
  begin
  export PROPEXOFS_TEST_CLOCK=$T/clock
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T08:00:00Z 20
}

teardown() { finish; }

phase() { jq -r .phase "$M/integrations/$(first_integration)/status.json"; }
phase_is() { [ "$(phase)" = "$1" ]; }
# goes_on HH:MM[:SS]: the clock, on the first day.
goes_on() { "$BIN/tests/testclock" "$T/clock" "2026-11-23T$1Z" 20; }
log() { cat "$M"/events/2026-*.jsonl; }

vanishes() {
  start_sim --integrations 1 --records residents=60 --rate-limit 0 --quirk "$1"
  start_live --refresh 60
  ready
  settle
  control POST delete '{"model":"residents","count":2}' >/dev/null
  # and one that is announced and not there
  deliver '{"event":"DATA_NEW","object":"residents","record_id":"nowhere","integration_id":"'"$(first_integration)"'","data":{"id":"nowhere"}}' >/dev/null
  sweep_now
  until_true 30 check_tree --last-seen >"$T/out" || fail "$1: $(tail -n 5 "$T/out")"
  [ ! -e "$M/integrations/$(first_integration)/residents/nowhere.json" ]
  # after a day of definite answers nobody asks any more
  sweep_now
  until_true 30 nothing_pending
}

@test "'not found' by id: 404" { vanishes notfound-404; }
@test "'not found' by id: 400" { vanishes notfound-400; }
@test "'not found' by id: 200 with null" { vanishes notfound-null; }
@test "'not found' by id: 200 with an empty object" { vanishes notfound-empty; }

@test "a back-sync changes records silently, and its flag may be absent: the field tells" {
  start_sim --integrations 2 --total 1500 --rate-limit 0 --quirk backsync-flag-absent
  start_live --refresh 30
  ready
  settle
  control POST back-sync '{"integration":0,"creates":5,"updates":80}' >/dev/null
  until_true 30 check_tree --last-seen >"$T/out" || fail "$(tail -n 5 "$T/out")"
}

@test "a first sync comes once per schedule: what each brings is read" {
  start_sim --integrations 1 --first-sync-pending 1 --total 600 --rate-limit 0
  start_live --refresh 30
  control POST first-sync '{"integration":0,"models":["residents"]}' >/dev/null
  until_true 30 sh -c "jq -e '.models.residents.complete' '$M/integrations/$(control GET integrations | jq -r '.[0].id')/status.json' >/dev/null"
  control POST first-sync '{"integration":0}' >/dev/null
  until_true 30 check_tree --last-seen >"$T/out" || fail "$(tail -n 5 "$T/out")"
}

@test "a sync that was given up, or whose jobs failed, is not called a clean one" {
  start_sim --integrations 1 --total 300 --rate-limit 0
  start_live --refresh 600
  ready
  control POST sync '{"integration":0,"updates":3,"failed":2,"finished":false}' >/dev/null
  settle
  [[ $(log | jq -r 'select(.event == "SYNC_COMPLETE") | .detail' | tail -n 1) == *"2 jobs"*"given up"* ]]
  control POST sync '{"integration":0,"updates":3}' >/dev/null
  settle
  [ "$(log | jq -r 'select(.event == "SYNC_COMPLETE") | .detail' | tail -n 1)" = null ]
}

@test "last_completed_sync is the freshness: it stands in the status as the API says it" {
  start_sim --integrations 1 --total 300 --rate-limit 0
  start_live --refresh 20
  ready
  before=$(jq -r .propexo.last_completed_sync "$M/integrations/$(first_integration)/status.json")
  control POST sync '{"integration":0,"updates":1}' >/dev/null
  until_true 20 sh -c "[ \"\$(jq -r .propexo.last_completed_sync '$M/integrations/$(first_integration)/status.json')\" != '$before' ]"
  said=$(curl -fsS -m 10 -H 'Authorization: Bearer sim-key' "$URL/v1/admin/integrations/" | jq -r '.results[0].last_completed_sync')
  [ "$(jq -r .propexo.last_completed_sync "$M/integrations/$(first_integration)/status.json")" = "$said" ]
}

@test "x_id is not unique: records that share it have a file each" {
  start_sim --integrations 1 --records residents=20 --rate-limit 0
  start_live
  ready
  control POST create '{"model":"residents","count":3,"set":{"x_id":"same"}}' >/dev/null
  settle
  [ "$(grep -l '"x_id": "same"' "$M"/integrations/*/residents/* | wc -l)" = 3 ]
  check_tree
}

@test "an appointment is an event: what is told of the one changes the other" {
  start_sim --integrations 1 --records events=30 --rate-limit 0
  start_live --refresh 600
  ready
  settle
  [ "$(ls "$M/integrations/$(first_integration)/appointments" | wc -l)" -ge 5 ]
  control POST update '{"model":"events","count":30}' >/dev/null
  settle
  check_tree
}

@test "details and pricing are not ids" {
  start_sim --integrations 1 --records units=20 --records unit-details=20 --records listings=10 --records unit-pricing=10 --rate-limit 0
  start_daemon
  ready
  [ ! -e "$M/integrations/$(first_integration)/units/details.json" ]
  [ ! -e "$M/integrations/$(first_integration)/listings/pricing.json" ]
  [ "$(ls "$M/integrations/$(first_integration)/unit-details" | wc -l)" = 20 ]
  check_tree
}

@test "silence is not a fault: a sandbox that never syncs stays current" {
  start_sim --integrations 1 --total 300 --rate-limit 0
  start_live --refresh 600
  ready
  until_true 20 phase_is current
  "$BIN/tests/testclock" "$T/clock" 2026-11-26T08:00:00Z 20
  sleep 3
  until_true 20 phase_is current
}

@test "stale: the API names changes that no delivery announces, until deliveries come again" {
  start_sim --integrations 1 --records residents=50 --rate-limit 0
  start_live --refresh 60
  ready
  settle
  # a log of changes that has been read once
  sleep 4
  control POST deliveries '{"lose":1}' >/dev/null
  control POST update '{"model":"residents","count":3}' >/dev/null
  # the change itself is found by the next refresh
  until_true 20 check_tree --last-seen
  phase_is current
  goes_on 09:00:00
  until_true 20 phase_is stale
  check_tree --last-seen
  control POST deliveries '{"lose":0}' >/dev/null
  control POST update '{"model":"residents","count":1}' >/dev/null
  until_true 20 phase_is current
}

@test "stale: the API is away for more than three refresh periods; ready --max-age says 4" {
  start_sim --integrations 1 --records residents=50 --rate-limit 0
  start_live --refresh 60
  ready
  until_true 20 phase_is current
  id=$(first_integration)
  stop_sim
  goes_on 09:00:00
  until_true 20 sh -c "[ \"\$(jq -r .phase '$M/integrations/$id/status.json')\" = stale ]"
  [ "$(jq -r .api.reachable "$M/status.json")" = false ]
  run "$BIN/propexofs" ready --max-age 600 "$M"
  [ "$status" = 4 ]
  grep -q API_UNREACHABLE "$M/events/latest.jsonl"
}

@test "a 429 that we did not earn is waited out, and said once" {
  # it is said once a minute, and the clock's minute should be longer than all of this takes
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T08:00:00Z 1
  start_sim --integrations 1 --records residents=1000 --rate-limit 0
  control POST fault '{"fault":"status","status":429,"retry_after":2,"times":2}' >/dev/null
  start_daemon
  ready
  [ "$(log | grep -c RATE_LIMITED)" = 1 ]
  check_tree
}

@test "a record that was marked is logged when it has been read again" {
  start_sim --integrations 1 --records residents=30 --rate-limit 0
  start_live
  ready
  control POST update '{"model":"residents","count":1}' >/dev/null
  settle
  id=$(log | jq -r 'select(.event == "DATA_UPDATE") | .record_id')
  [ "$(log | jq -r 'select(.event == "HYDRATED") | .record_id')" = "$id" ]
}

@test "rows of sub-collections: what an event names is read below its parent alone" {
  start_sim --integrations 1 --records construction-jobs=40 --records construction-job-details=200 --records purchase-orders=20 \
    --records purchase-order-items=60 --rate-limit 0
  start_live
  ready
  settle
  control POST stats/reset >/dev/null
  control POST update '{"model":"construction-job-details","count":1}' >/dev/null
  control POST update '{"model":"purchase-order-items","count":1}' >/dev/null
  settle
  until_true 10 check_tree --last-seen
  [ "$(stat_of .by_class.sub)" -le 2 ] || fail "$(stat_of .by_class.sub) lists of parents"
}

@test "rows inside unknown records are read also when the daemon is killed in between" {
  start_sim --integrations 1 --records residents=200 --records leases=100 --rate-limit 0 --quirk diffs-no-joins
  start_live --refresh 600
  ready
  settle
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T09:00:00Z 1
  control POST join '{"model":"residents_to_leases","op":"update"}' >/dev/null
  until_true 10 grep -q '"residents.to.leases"' "$M/events/latest.jsonl"
  kill_daemon
  goes_on 09:30:00
  start_live --refresh 600
  until_true 30 check_tree --last-seen >"$T/out" || fail "$(tail -n 5 "$T/out")"
}

@test "what changed on a page that a long walk had read by then is found with the next sync" {
  start_sim --integrations 1 --records residents=3000 --rate-limit 0
  control POST fault '{"fault":"status","status":403,"kind":"diffs","times":0}' >/dev/null
  slow=$(control POST fault '{"fault":"slow","bytes":10000,"interval_ms":1000,"kind":"list","model":"residents","times":0}' | jq .fault)
  start_daemon --refresh 20 --connections 1
  until_true 60 sh -c "[ \"\$(sqlite3 'file:$T/store.db?mode=ro' 'select count(*) from record')\" -gt 200 ]"
  integration=$(first_integration)
  first=$(sqlite3 "file:$T/store.db?mode=ro" 'select id from record limit 1')
  last=$(control GET 'truth?model=residents&ids=1' | tail -n 1 | jq -r .id)
  change() { control POST update "$(jq -nc --arg id "$1" --arg i "$integration" '{model:"residents",integration:$i,id:$id,events:false,diffs:false}')" >/dev/null; }
  change "$first"
  goes_on 09:00:00
  change "$last"
  control POST fault/clear "{\"fault\":$slow}" >/dev/null
  ready
  control POST sync '{"integration":0,"events":false,"diffs":false}' >/dev/null
  until_true 30 check_tree --last-seen >"$T/out" || fail "$(tail -n 5 "$T/out")"
}

@test "rows inside unknown records cost one list of those, and all of them come right" {
  start_sim --integrations 1 --records residents=600 --records leases=300 --rate-limit 0
  start_live
  ready
  settle
  for _ in 1 2 3 4 5; do control POST join '{"model":"residents_to_leases","op":"update"}' >/dev/null; done
  control POST stats/reset >/dev/null
  settle
  until_true 30 check_tree --last-seen
  [ "$(stat_of '.by_class.list')" -le 8 ] || fail "$(control GET stats)"
}
