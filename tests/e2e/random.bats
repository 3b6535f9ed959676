#!/usr/bin/env bats
# random.bats - whatever happens in whatever order, the tree converges to what the API serves, and nothing that it served
# throughout is ever missing. SEED=N chooses the same history again (its timing is never the same); DURATION=SECONDS makes it
# longer (scripts/soak).

load lib

setup() {
  begin
  SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
  RANDOM=$SEED
  export PROPEXOFS_TEST_CLOCK=$T/clock
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T08:00:00Z 20
  # what the reference leaves open is another server each time
  QUIRKS=()
  quirk --quirk=changed-since-400 --quirk=changed-since-ignored -
  quirk --quirk=notfound-400 --quirk=notfound-null --quirk=notfound-empty -
  quirk --meta=no-total --meta=minimal --meta=null-hasmore -
  quirk --quirk=backsync-flag-absent --quirk=touch-moves-updated-at --quirk=diffs-kebab --quirk=diffs-no-joins --quirk=shuffle-ties -
  start_sim --integrations 3 --first-sync-pending 1 --total 1500 --rate-limit 0 --seed "$SEED" "${QUIRKS[@]}"
  control POST deliveries '{"wrapping":"random","spelling":"random","retry_ms":60000,"concurrency":2}' >/dev/null
  start_live --refresh 30
  until_true 30 complete
}

teardown() { finish; }

# One of these options, or none: -.
quirk() {
  shift $((RANDOM % $#))
  [ "$1" = - ] || QUIRKS+=("${1%=*}" "${1#*=}")
}

one_of() {
  shift $((RANDOM % $#))
  echo "$1"
}

# The two integrations that are past their first sync.
complete() { [ "$(jq '[.integrations[] | select(.phase == "current" or .phase == "catching-up")] | length' "$M/status.json")" -ge 2 ]; }

models=(residents leases units vendors unit-types service-request-history unit-details resident-payments events contracts fees
  construction-job-details purchase-order-items lead-relationships timezones)

pick() { one_of "${models[@]}"; }

quietly() { control "$@" >/dev/null 2>&1 || true; }

fault() { quietly POST fault "{\"fault\":$1,\"probability\":0.3,\"times\":$((RANDOM % 10 + 1))}"; }

step() {
  local i=$((RANDOM % 2))
  case $((RANDOM % 44)) in
    0 | 1 | 2 | 3 | 4) quietly POST update "{\"model\":\"$(pick)\",\"integration\":$i,\"count\":$((RANDOM % 20 + 1))}" ;;
    5 | 6) quietly POST create "{\"model\":\"$(pick)\",\"integration\":$i,\"count\":$((RANDOM % 4 + 1))}" ;;
    7) quietly POST delete "{\"model\":\"$(pick)\",\"integration\":$i}" ;;
    8 | 9) quietly POST sync "{\"integration\":$i,\"creates\":2,\"updates\":10,\"touch\":true}" ;;
    10) quietly POST back-sync "{\"integration\":$i,\"creates\":2,\"updates\":10}" ;;
    11) quietly POST first-sync "{\"integration\":2,\"models\":[\"$(pick)\"]}" ;;
    12) quietly POST hydrate "{\"model\":\"residents\",\"integration\":$i,\"steps\":3,\"interval_ms\":500}" ;;
    13) quietly POST join "{\"model\":\"residents_to_leases\",\"integration\":$i,\"op\":\"$(one_of new update)\"}" ;;
    14 | 15) quietly POST deliveries "{\"lose\":0.$((RANDOM % 6)),\"repeat\":0.$((RANDOM % 6)),\"reorder\":0.$((RANDOM % 6)),\"mis_sign\":0.$((RANDOM % 3))}" ;;
    16) quietly POST settings "{\"lag_ms\":$((RANDOM % 3 * 2000)),\"payload\":\"$(one_of full partial)\"}" ;;
    17) fault '"status","status":503' ;;
    18) fault '"reset"' ;;
    19) fault '"cut"' ;;
    20) fault '"malformed"' ;;
    21) fault "\"wrong-types\",\"variant\":\"$(one_of results record)\"" ;;
    22) fault "\"missing-id\",\"variant\":\"$(one_of absent null number)\"" ;;
    23) fault '"status","status":429,"retry_after":1' ;;
    24) fault '"stall","seconds":20' ;;
    25) fault '"html"' ;;
    26) fault '"empty"' ;;
    27) fault '"slow","bytes":2000,"interval_ms":20' ;;
    28) quietly POST key '{"revoke":true}' && sleep 0.3 && quietly POST key '{"revoke":false}' ;;
    29 | 30) quietly POST fault/clear ;;
    31) quietly POST touch "{\"model\":\"$(pick)\",\"integration\":$i,\"count\":10,\"event\":true}" ;;
    32) quietly POST permission "{\"model\":\"$(pick)\",\"allowed\":$(one_of true false)}" ;;
    33) quietly POST integration "{\"integration\":1,\"op\":\"$(one_of rename disable enable enable)\",\"name\":\"Renamed $RANDOM\"}" ;;
    34) [ $((RANDOM % 4)) != 0 ] || { quietly POST account "{\"show\":\"$(one_of none other)\"}" && sleep 1 && quietly POST account '{"show":"all"}'; } ;;
    35) kill_daemon && restart ;;
    36) umount_daemon && restart ;;
    37) quietly POST event '{"model":"crm_events"}' ;;
    *) sleep 0.0$((RANDOM % 10)) ;;
  esac
}

# The same address again, so that the hook stays right.
restart() {
  start_daemon --refresh 30 --webhook-listen "$LISTEN" --webhook-secret-file "$T/secret"
}

have() { find "$M/integrations" -mindepth 3 -name '*.json' 2>/dev/null | sort; }

# Whatever was listed last time and is not now must not be served any more (an id never comes again): $T/before, $T/missed.
nothing_lost() {
  have >"$T/now"
  comm -23 "$T/before" "$T/now" >"$T/gone"
  if [ -s "$T/gone" ]; then
    control GET 'truth?ids=1' >"$T/ids" || return 0
    "$BIN/tests/treecheck" --paths "$M" "$T/ids" | sort >"$T/served"
    comm -12 "$T/gone" "$T/served" >"$T/missed"
    [ ! -s "$T/missed" ] || return 1
  fi
  mv "$T/now" "$T/before"
}

# What is known of the first that is missing.
lost() {
  local dir
  dir=$(dirname "$(head -n 1 "$T/missed")")
  echo "missing though served: $(wc -l <"$T/missed"), the first: $(head -n 1 "$T/missed")"
  jq -c "[.phase, .models.\"$(basename "$dir")\"]" "$(dirname "$dir")/status.json"
  grep -h "\"$(basename "$dir")\"" "$M"/events/2*.jsonl | jq -c '[.time, .event, .record_id, .outcome, .detail]' | tail -n 12
}

# What differs at the end, and what the mirror says of those models.
wrong() {
  local dir
  tail -n 12 "$T/out"
  grep -o "$M/[^ ]*" "$T/out" | xargs -rn1 dirname | sort | uniq -c | head -n 5
  for dir in $(grep -o "$M/[^ ]*" "$T/out" | xargs -rn1 dirname | sort -u | head -n 3); do
    jq -c "[.phase, .error, .models.\"$(basename "$dir")\"]" "$(dirname "$dir")/status.json"
  done
  tail -n 12 "$T/log"
}

# The API as it should be; nothing is lost any more.
calm() {
  quietly POST fault/clear
  quietly POST key '{"revoke":false}'
  quietly POST account '{"show":"all"}'
  quietly POST settings '{"lag_ms":0}'
  quietly POST deliveries '{"lose":0,"repeat":0,"reorder":0,"mis_sign":0}'
  quietly POST integration '{"integration":1,"op":"enable"}'
  local m
  for m in "${models[@]}"; do quietly POST permission "{\"model\":\"$m\",\"allowed\":true}"; done
  quietly POST first-sync '{"integration":2}'
  quietly POST wait '{"timeout_ms":60000}'
}

right() { check_tree --last-seen >"$T/out"; }

@test "a random history ends at the truth, and nothing that is served throughout is ever missing" {
  echo "SEED=$SEED ${QUIRKS[*]}"
  LISTEN=${HOOK#http://} LISTEN=${LISTEN%/webhook}
  have >"$T/before"
  [ -s "$T/before" ]
  n=0 end=$((SECONDS + ${DURATION:-90}))
  while [ "$SECONDS" -lt "$end" ]; do
    step
    n=$((n + 1))
    [ $((n % 40)) != 0 ] || nothing_lost || fail "SEED=$SEED step $n: $(lost)"
  done
  echo "$n steps"
  calm
  # quiet time: a refresh and two sweeps
  sweep_now
  until_true 30 right || true
  nothing_lost || fail "SEED=$SEED: $(lost)"
  sweep_now
  until_true 60 right || fail "SEED=$SEED ${QUIRKS[*]} $(wrong)"
  # deep quiet: nobody has anything left to do
  until_true 30 nothing_pending
}
