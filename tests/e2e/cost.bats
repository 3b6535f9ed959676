#!/usr/bin/env bats
# cost.bats - how many requests things take. Counts have no noise: what costs more fails here.

load lib

setup() {
  begin
  export PROPEXOFS_TEST_CLOCK=$T/clock
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T08:00:00Z "${RATE:-10}"
}

teardown() { finish; }

real_time() { "$BIN/tests/testclock" "$T/clock" 2026-11-23T08:00:00Z 1; }

requests() { stat_of .requests; }

# What was asked for since then, for whoever reads a failure.
asked() { control GET "requests?since=$SINCE" | jq -r '"\(.class) \(.model)"' | sort | uniq -c | sort -rn | head -n 12; }

fresh() {
  SINCE=$(control GET requests | tail -n 1 | jq .seq)
  control POST stats/reset >/dev/null
}

@test "a burst of 10,000 updates in one model: at most 60 requests, and every record has its new value" {
  real_time
  start_sim --integrations 1 --records residents=10000 --rate-limit 0
  start_live --refresh 300
  ready 120
  settle 60
  fresh
  control POST update '{"model":"residents","count":10000,"set":{"notes":"after the burst"}}' >/dev/null
  settle 120
  [ "$(requests)" -le 60 ] || fail "$(requests) requests" "$(asked)"
  until_true 60 check_tree >"$T/out" || fail "$(tail -n 12 "$T/out")"
}

# accepted N: of the deliveries since `fresh`.
accepted() { [ "$(stat_of .deliveries.accepted)" -ge "$1" ]; }

# with_pauses N SECONDS: 5000 deliveries in N + 1 parts, between them nothing for so many seconds of a clock at twice the pace.
with_pauses() {
  local i
  for ((i = 1; i <= $1; i++)); do
    until_true 60 accepted $((i * 5000 / ($1 + 1)))
    control POST deliveries '{"paused":true}' >/dev/null
    sleep "$(jq -n "$2 / 2")"
    control POST deliveries '{"paused":false}' >/dev/null
  done
}

@test "a burst that is delivered slowly, or with pauses, is not read again with each of its parts" {
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T08:00:00Z 2
  start_sim --integrations 1 --records residents=5000 --rate-limit 0
  start_live --refresh 300
  ready 120
  settle 60
  for pace in 'with_pauses 6 1' 'with_pauses 1 12' 'over 15'; do
    fresh
    [ "$pace" != 'over 15' ] || control POST deliveries '{"delay_ms":[0,15000]}' >/dev/null
    control POST update "{\"model\":\"residents\",\"count\":5000,\"set\":{\"notes\":\"$pace\"}}" >/dev/null
    [ "$pace" = 'over 15' ] || $pace
    settle 120
    # read whole it is 13 pages
    [ "$(requests)" -le 60 ] || fail "$pace: $(requests) requests" "$(asked)"
  done
  until_true 60 check_tree >"$T/out" || fail "$(tail -n 12 "$T/out")"
}

@test "the same where the changed-since filter is missing, refused or ignored" {
  real_time
  for quirk in changed-since-400 changed-since-ignored; do
    start_sim --integrations 1 --records residents=4000 --rate-limit 0 --quirk $quirk
    start_live --refresh 300
    ready 120
    settle 60
    fresh
    control POST update '{"model":"residents","count":4000}' >/dev/null
    settle 120
    [ "$(requests)" -le 60 ] || fail "$quirk: $(requests) requests" "$(asked)"
    until_true 60 check_tree >"$T/out" || fail "$quirk: $(tail -n 12 "$T/out")"
    umount_daemon
    stop_sim
    rm -f "$T"/store.db*
  done
}

@test "the same in a list that all integrations share, and while the list is being read" {
  real_time
  start_sim --integrations 2 --records fees=2000 --records residents=10000 --rate-limit 0
  n=$(control POST fault '{"fault":"slow","bytes":20000,"interval_ms":20,"model":"residents","kind":"list","times":0}' | jq .fault)
  start_live --refresh 300
  until_true 60 sh -c "[ \"\$(sqlite3 'file:$T/store.db?mode=ro' 'select count(*) from record')\" -gt 3000 ]"
  control POST update '{"integration":0,"model":"residents","count":1500}' >/dev/null
  control POST update '{"integration":1,"model":"residents","count":1500}' >/dev/null
  settle 120
  control POST fault/clear "{\"fault\":$n}" >/dev/null
  ready 120
  settle 120
  [ "$(stat_of '.by_model.residents.get // 0')" -le 60 ] || fail "$(stat_of .by_model.residents)"
  fresh
  control POST update '{"integration":0,"model":"fees","count":1000}' >/dev/null
  control POST update '{"integration":1,"model":"fees","count":1000}' >/dev/null
  settle 120
  [ "$(requests)" -le 60 ] || fail "$(requests) requests" "$(asked)"
  until_true 60 check_tree >"$T/out" || fail "$(tail -n 12 "$T/out")"
}

complete() { jq -e .complete "$M/integrations/$1/status.json" >/dev/null 2>&1; }
lists() { [ "$(stat_of .by_class.list)" -ge "$1" ]; }

@test "reading many long lists again does not keep a new integration waiting" {
  real_time
  start_sim --integrations 9 --records residents=4500 --rate-limit 0
  start_live --refresh 1 --model residents
  ready 60
  settle
  fresh
  control POST fault '{"fault":"slow","bytes":4000,"interval_ms":50,"kind":"list","times":0}'
  "$BIN/tests/testclock" "$T/clock" 2026-12-02T08:00:00Z 1
  until_true 20 lists 8
  id=$(control POST integration '{"op":"add","name":"New","records":5}' | jq -r .id)
  until_true 60 complete "$id"
  # of those that are read again none has ended
  [ "$(cat "$M"/events/2026-*.jsonl | grep -c '"event":"RECONCILED"')" = 0 ]
}

@test "after a downtime with 1,000 changes: fewer than 30 requests for each model that changed" {
  real_time
  start_sim --integrations 2 --total 20000 --rate-limit 0
  start_live --refresh 300
  ready 120
  settle 60
  umount_daemon
  control POST update '{"model":"residents","count":600,"events":false}' >/dev/null
  control POST update '{"model":"leases","count":300,"events":false}' >/dev/null
  control POST create '{"model":"residents","count":100,"events":false}' >/dev/null
  fresh
  start_live --refresh 300
  until_true 60 check_tree --last-seen >"$T/out" || fail "$(tail -n 12 "$T/out")"
  [ "$(requests)" -lt 60 ] || fail "$(requests) requests" "$(asked)"
  settle
  # a sync that nobody heard of: each model is asked once what it changed
  umount_daemon
  control POST sync '{"integration":0,"updates":1000,"models":["residents"],"events":false,"diffs":false}' >/dev/null
  fresh
  start_live --refresh 300
  until_true 60 check_tree --last-seen >"$T/out" || fail "$(tail -n 12 "$T/out")"
  [ "$(stat_of .by_model.residents.list)" -lt 30 ] || fail "$(asked)"
  [ "$(requests)" -lt 120 ] || fail "$(requests) requests" "$(asked)"
}

@test "the refresh of a quiet account with 50 integrations: at most 3 requests" {
  start_sim --integrations 50 --total 6000 --rate-limit 0
  start_live --refresh 60
  ready 120
  settle 60
  # until the first refreshes after the fill are over
  sleep 13
  fresh
  # four refresh periods
  sleep 24
  n=$(stat_of '.by_class.integrations')
  [ "$n" -ge 3 ]
  [ "$(requests)" -le $((3 * n)) ] || fail "$(requests) requests in $n refreshes" "$(asked)"
}

@test "single updates show at once, and are read again whole within two seconds when there is room" {
  real_time
  start_sim --integrations 1 --records residents=500 --rate-limit 0
  start_live --refresh 300
  ready
  settle
  for _ in 1 2 3 4 5; do
    fresh
    start=$(date +%s%3N)
    control POST update '{"model":"residents","count":1}' >/dev/null
    until_true 2 [ "$(tail -n 1 "$M/events/latest.jsonl" | jq -r .event)" != "" ]
    settle 10
    [ $(($(date +%s%3N) - start)) -lt 2500 ] || fail "read again after $(($(date +%s%3N) - start)) ms"
    [ "$(requests)" -le 2 ] || fail "$(asked)"
  done
  check_tree
}
