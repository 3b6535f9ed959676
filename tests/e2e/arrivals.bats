#!/usr/bin/env bats
# arrivals.bats - deliveries before, during and after a fill; integrations that come while the mount runs; the day that ends.

load lib

setup() { begin; }
teardown() { finish; }

@test "deliveries during a fill come out right" {
  start_sim --integrations 2 --records residents=8000 --records leases=2000 --rate-limit 0
  control POST fault '{"fault":"slow","bytes":60000,"interval_ms":40,"times":0}'
  start_live
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    control POST update '{"model":"residents","count":30}' >/dev/null
    control POST create '{"model":"leases","count":2}' >/dev/null
    sleep 0.2
  done
  control POST fault/clear
  ready 90
  settle 60
  check_tree
}

@test "an integration whose first sync ends while the mount runs appears and fills by itself" {
  start_sim --integrations 3 --first-sync-pending 1 --total 2000 --rate-limit 0
  start_live --refresh 1
  last=$(control GET integrations | jq -r '.[2].id')
  until_true 20 sh -c "jq -e '.phase == \"waiting\"' '$M/integrations/$last/status.json' >/dev/null"
  # its models are not read yet: that is incomplete, too
  run "$BIN/propexofs" ready "$M"
  [ "$status" = 3 ]
  run ls "$M/integrations/$last/residents"
  [ "$status" != 0 ]
  control POST first-sync '{"integration":2}'
  until_true 20 sh -c "jq -e '.phase == \"current\"' '$M/integrations/$last/status.json' >/dev/null"
  ready
  settle
  check_tree
}

@test "a new integration appears, a renamed one has its new name, one that vanishes stays readable" {
  start_sim --integrations 2 --total 1000 --rate-limit 0
  start_live --refresh 1
  ready
  id=$(control POST integration '{"op":"add","name":"Brand new","records":5}' | jq -r .id)
  until_true 20 test -d "$M/by-name/Brand new"
  until_true 30 sh -c "ls '$M/integrations/$id/residents' >/dev/null 2>&1"
  check_tree
  control POST integration '{"integration":0,"op":"rename","name":"Renamed"}'
  until_true 20 test -d "$M/by-name/Renamed"
  kept=$(find "$M/by-name/Renamed/residents/" -name '*.json' | wc -l)
  gone=$(control GET integrations | jq -r '.[0].id')
  control POST integration '{"integration":0,"op":"remove"}'
  sleep 3
  [ "$(find "$M/integrations/$gone/residents" -name '*.json' | wc -l)" = "$kept" ]
}

@test "the address is in use, the secret is missing: one clear line" {
  start_sim --integrations 1 --records units=5 --rate-limit 0
  printf 'whsec-one-two-three\n' >"$T/secret"
  chmod 600 "$T/secret"
  run timeout 20 "$BIN/propexofs" mount --api-url "$URL" --api-key-file "$T/key" --store "$T/s.db" --webhook-listen "127.0.0.1:${URL##*:}" \
    --webhook-secret-file "$T/secret" "$M" 3>&-
  [ "$status" = 1 ]
  [ "${#lines[@]}" = 1 ]
  [[ $output == *"${URL##*:}"*"in use"* ]]
  ! mountpoint -q "$M" || fail "mounted"
  run timeout 20 "$BIN/propexofs" mount --api-url "$URL" --api-key-file "$T/key" --store "$T/s.db" --webhook-listen 127.0.0.1:0 "$M" 3>&-
  [ "$status" = 2 ]
  [ "${#lines[@]}" = 1 ]
  [[ $output == *secret* ]]
}

@test "nothing is asked for before the receiver listens" {
  start_sim --integrations 1 --records units=5 --rate-limit 0
  printf 'whsec-one-two-three\n' >"$T/secret"
  chmod 600 "$T/secret"
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    run timeout 20 "$BIN/propexofs" mount --api-url "$URL" --api-key-file "$T/key" --store "$T/s.db" \
      --webhook-listen "127.0.0.1:${URL##*:}" --webhook-secret-file "$T/secret" "$M" 3>&-
    [ "$status" = 1 ]
  done
  [ "$(stat_of .requests)" = 0 ]
}

@test "across midnight: the old day never changes, latest.jsonl follows, tail -F goes on, the clock may go back" {
  export PROPEXOFS_TEST_CLOCK=$T/clock
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T23:59:40Z
  start_sim --integrations 1 --records residents=50 --rate-limit 0
  start_live
  ready
  control POST update '{"model":"residents","count":5}' >/dev/null
  settle
  [ "$(readlink "$M/events/latest.jsonl")" = 2026-11-23.jsonl ]
  tail -n 0 -F "$M/events/latest.jsonl" >"$T/tail" 2>/dev/null 3>&- &
  pid=$!
  sleep 0.5
  "$BIN/tests/testclock" "$T/clock" 2026-11-24T00:00:10Z
  old=$(sha256sum <"$M/events/2026-11-23.jsonl")
  control POST update '{"model":"residents","count":7}' >/dev/null
  until_true 5 sh -c "[ \"\$(readlink '$M/events/latest.jsonl')\" = 2026-11-24.jsonl ]"
  settle
  until_true 10 sh -c "[ \$(grep -c DATA_UPDATE '$T/tail') -ge 7 ]"
  kill $pid
  # events of the new day never go into the old one, also when the clock goes back
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T12:00:00Z
  control POST update '{"model":"residents","count":3}' >/dev/null
  settle
  [ "$(grep -c DATA_UPDATE "$M/events/2026-11-24.jsonl")" = 10 ]
  [ "$(sha256sum <"$M/events/2026-11-23.jsonl")" = "$old" ]
  cat "$M"/events/2026-*.jsonl | jq -se 'map(.seq) as $s | map(.time) as $t | $s == ($s | sort) and $t == ($t | sort)' >/dev/null
}
@test "what happened while the daemon was away is found" {
  start_sim --integrations 2 --total 2000 --rate-limit 0
  start_live
  ready
  umount_daemon
  control POST update '{"model":"residents","count":40}' >/dev/null
  control POST create '{"model":"leases","count":10}' >/dev/null
  control POST sync '{"updates":100,"creates":20,"events":false}' >/dev/null
  start_live
  until_true 60 check_tree --last-seen
}
@test "killed between the word of a first sync and what it brought: it is read after the start" {
  start_sim --integrations 2 --first-sync-pending 1 --total 3000 --rate-limit 0
  start_live --refresh 1
  last=$(control GET integrations | jq -r '.[1].id')
  # one schedule of several is through: all lists are read, most of them in part
  control POST first-sync '{"integration":1,"models":["units"]}' >/dev/null
  until_true 30 sh -c "jq -e '.phase == \"current\"' '$M/integrations/$last/status.json' >/dev/null"
  settle
  control POST fault '{"fault":"status","status":503,"kind":"list","times":0}' >/dev/null
  control POST first-sync '{"integration":1}' >/dev/null
  until_true 20 sh -c "[ \$(grep -c FIRST_SYNC_COMPLETE '$M/events/latest.jsonl') = 2 ]"
  kill_daemon
  control POST fault/clear >/dev/null
  start_live --refresh 1
  until_true 60 check_tree --last-seen >"$T/out" || fail "$(tail -n 20 "$T/out")"
}

@test "an event that names no integration, of a record whose integration is not known yet: never into another one's directory" {
  start_sim --integrations 1 --records residents=20 --records units=20 --rate-limit 0
  start_live --refresh 300
  ready
  settle
  id=$(control POST integration '{"op":"add","name":"Brand new","records":5}' | jq -r .id)
  record=$(control GET "truth?model=residents&ids=1&integration=$id" | head -n 1 | jq -r .id)
  [ "$(deliver "$(jq -nc --arg id "$record" '{data: {event: "DATA_UPDATE", object: "residents", record_id: $id, diff: {new: {notes: "b"}, previous: {notes: "a"}}}}')")" = 200 ]
  until_true 60 check_tree >"$T/out" || fail "$(tail -n 5 "$T/out")"
  [ "$(find "$M/integrations" -path '*/residents/*.json' | wc -l)" = 25 ]
}
