#!/usr/bin/env bats
# random.bats - whatever happens in whatever order, the tree converges to what the API serves, and nothing that it served
# throughout is ever missing. SEED=N repeats a run; STEPS=N makes it longer (scripts/soak).

load lib

setup() {
  begin
  SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
  RANDOM=$SEED
  export PROPEXOFS_TEST_CLOCK=$T/clock
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T08:00:00Z 20
  start_sim --integrations 3 --first-sync-pending 1 --total 1500 --rate-limit 0 --seed "$SEED"
  control POST deliveries '{"wrapping":"random","spelling":"random","retry_ms":60000,"concurrency":2}' >/dev/null
  start_live --refresh 30
  # these are served throughout: from when they were first seen they must never be missing
  until_true 30 sh -c "ls '$M/integrations/$(first_integration)/properties' >/dev/null 2>&1"
}

teardown() { finish; }

models=(residents leases units vendors unit-types service-request-history unit-details resident-payments events contracts fees)

pick() { echo "${models[$((RANDOM % ${#models[@]}))]}"; }

quietly() { control "$@" >/dev/null 2>&1 || true; }

step() {
  local i=$((RANDOM % 2))
  case $((RANDOM % 26)) in
    0 | 1 | 2 | 3 | 4) quietly POST update "{\"model\":\"$(pick)\",\"integration\":$i,\"count\":$((RANDOM % 20 + 1))}" ;;
    5 | 6) quietly POST create "{\"model\":\"$(pick)\",\"integration\":$i,\"count\":$((RANDOM % 4 + 1))}" ;;
    7) quietly POST delete "{\"model\":\"$(pick)\",\"integration\":$i}" ;;
    8) quietly POST sync "{\"integration\":$i,\"creates\":2,\"updates\":10,\"touch\":true}" ;;
    9) quietly POST back-sync "{\"integration\":$i,\"creates\":2,\"updates\":10}" ;;
    10) quietly POST first-sync '{"integration":2}' ;;
    11) quietly POST hydrate "{\"model\":\"residents\",\"integration\":$i,\"steps\":3,\"interval_ms\":500}" ;;
    12) quietly POST join "{\"model\":\"residents_to_leases\",\"integration\":$i}" ;;
    13) quietly POST deliveries "{\"lose\":0.$((RANDOM % 6)),\"repeat\":0.$((RANDOM % 6)),\"reorder\":0.$((RANDOM % 6)),\"mis_sign\":0.$((RANDOM % 3))}" ;;
    14) quietly POST settings "{\"lag_ms\":$((RANDOM % 3 * 2000))}" ;;
    15) quietly POST fault "{\"fault\":\"status\",\"status\":503,\"probability\":0.3,\"times\":$((RANDOM % 20 + 1))}" ;;
    16) quietly POST fault "{\"fault\":\"reset\",\"probability\":0.3,\"times\":$((RANDOM % 10 + 1))}" ;;
    17) quietly POST fault "{\"fault\":\"cut\",\"probability\":0.3,\"times\":$((RANDOM % 10 + 1))}" ;;
    18) quietly POST fault "{\"fault\":\"malformed\",\"probability\":0.3,\"times\":$((RANDOM % 10 + 1))}" ;;
    19) quietly POST fault "{\"fault\":\"status\",\"status\":429,\"retry_after\":1,\"probability\":0.3,\"times\":$((RANDOM % 5 + 1))}" ;;
    20) quietly POST key '{"revoke":true}' && sleep 0.3 && quietly POST key '{"revoke":false}' ;;
    21) quietly POST fault/clear ;;
    22) quietly POST touch "{\"model\":\"$(pick)\",\"integration\":$i,\"count\":10}" ;;
    23) kill_daemon && restart ;;
    24) umount_daemon && restart ;;
    25) sleep 0.5 ;;
  esac
}

# The same address again, so that the hook stays right.
restart() {
  start_daemon --refresh 30 --webhook-listen "${HOOK#http://}" --webhook-secret-file "$T/secret" 2>/dev/null ||
    start_daemon --refresh 30 --webhook-listen "$(sed 's#/webhook##' <<<"${HOOK#http://}")" --webhook-secret-file "$T/secret"
}

@test "a random history ends at the truth" {
  echo "SEED=$SEED"
  HOOK=${HOOK%/webhook}
  for n in $(seq "${STEPS:-120}"); do
    step
    # complete directories stay listable, and never lose what nobody deleted
    [ $((n % 20)) != 0 ] || [ "$(find "$M/integrations/$(first_integration)/properties" -name '*.json' | wc -l)" -ge 1 ] ||
      fail "SEED=$SEED step $n: properties are missing"
  done
  quietly POST fault/clear
  quietly POST settings '{"lag_ms":0}'
  quietly POST deliveries '{"lose":0,"repeat":0,"reorder":0,"mis_sign":0}'
  quietly POST first-sync '{"integration":2}'
  control POST wait '{"timeout_ms":60000}' >/dev/null
  # quiet time: two whole lists of everything
  for _ in 1 2; do
    for i in 0 1 2; do quietly POST sync "{\"integration\":$i,\"touch\":true}"; done
    sleep 4
  done
  until_true 60 check_tree --last-seen >"$T/out" || fail "SEED=$SEED $(grep -v '^timed' "$T/out" | tail -n 12)"
}
