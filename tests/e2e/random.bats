#!/usr/bin/env bats
# random.bats - whatever happens in whatever order, the tree converges to what the API serves, and nothing that it served
# throughout is ever missing. SEED=N chooses the same history again (its timing is never the same); DURATION=SECONDS makes it
# longer, KEEP=DIRECTORY keeps store and logs of a failure (scripts/soak).
#
# All of it is drawn in this shell: a subshell would draw from a sequence of its own.

load lib

# Each step, as often as it is named: a deck that is shuffled, dealt to its end, and shuffled again.
deck=(update update update update update update create create delete touch sync sync long-sync back-sync first-sync hydrate join join
  crm-event unknown-event job-failure deliveries deliveries deliveries pause lag payload key permission permission back-permission model
  back-model rename switch switch archive vanish appear account rate kill kill restart clock clear clear
  fault-503 fault-reset fault-cut fault-malformed fault-wrong-types fault-missing-id fault-429 fault-stall fault-html fault-empty
  fault-slow fault-duplicate-ids fault-bad-utf8 fault-403 rest rest rest rest)

models=(residents leases units vendors unit-types service-request-history unit-details resident-payments events appointments contracts
  fees construction-jobs construction-job-details purchase-orders purchase-order-items lead-relationships timezones properties)

joins=(residents_to_leases leads_to_events units_to_amenity service_requests_to_employees)

quirks=(models-kebab diffs-kebab diffs-plain-new diffs-silent-syncs diffs-no-joins hide-archived properties-bare shuffle-ties nulls-first
  touch-moves-updated-at join-moves-updated-at diff-updated-at backsync-flag-absent unknown-param-400 slash-strict slash-redirect
  default-unsorted old-signature-header pretty)

# The clock that daemon and simulator share begins shortly before midnight.
BEGIN=2026-11-23T23:40:00Z RATE=20

setup() {
  begin
  SEED=${SEED:-$((RANDOM * 32768 + RANDOM))} DURATION=${DURATION:-90}
  RANDOM=$SEED
  declare -gA did=() refused=()
  export PROPEXOFS_TEST_CLOCK=$T/clock
  "$BIN/tests/testclock" "$T/clock" "$BEGIN" "$RATE"
  # what the reference leaves open is another server each time
  QUIRKS=()
  choose - - changed-since-400 changed-since-ignored && quirk "$CHOICE"
  choose - notfound-400 notfound-null notfound-empty && quirk "$CHOICE"
  choose full no-total minimal null-hasmore && QUIRKS+=(--meta "$CHOICE")
  choose 0 0 150 600 && LIMIT=$CHOICE QUIRKS+=(--rate-limit "$CHOICE")
  for CHOICE in "${quirks[@]}"; do [ $((RANDOM % 5)) != 0 ] || quirk "$CHOICE"; done
  echo "SEED=$SEED ${QUIRKS[*]}"
  start_sim --integrations 3 --first-sync-pending 1 --total 1500 --seed "$SEED" "${QUIRKS[@]}"
  control POST deliveries '{"wrapping":"random","spelling":"random","retry_ms":60000,"concurrency":2}' >/dev/null
  printf 'whsec-one-two-three\n' >"$T/secret"
  chmod 600 "$T/secret"
  # below the ports that the kernel gives away: nobody takes it while the daemon is down
  LISTEN=127.0.0.1:$((20000 + $$ % 12000))
  export HOOK=http://$LISTEN/webhook
  restart
  hook
  until_true 60 complete || fail "$(jq -c .integrations "$M/status.json") $(tail -n 12 "$T/log")"
  "$BIN/tests/witness" "$M" "$T/gone" >"$T/witness" 2>&1 3>&- &
  echo $! >"$T/witness.pid"
}

teardown() {
  # whatever failed: what was done last, and what the daemon said to it
  [ -n "${BATS_TEST_COMPLETED:-}" ] || tail -n 8 "$T/history" "$T/log" || true
  [ ! -s "$T/witness.pid" ] || kill "$(cat "$T/witness.pid")" 2>/dev/null || true
  if [ -n "${KEEP:-}" ] && [ -z "${BATS_TEST_COMPLETED:-}" ]; then
    mkdir -p "$KEEP"
    kill_daemon
    cp "$T"/store.db* "$T"/*log "$T"/history "$T"/witness "$T"/gone "$T"/truth "$KEEP" 2>/dev/null || true
  fi
  finish
}

quirk() { [ "$1" = - ] || QUIRKS+=(--quirk "$1"); }

choose() {
  local at=$((RANDOM % $# + 1))
  CHOICE=${!at}
}

shuffle() {
  local i k
  hand=("${deck[@]}")
  for ((i = ${#hand[@]} - 1; i > 0; i--)); do
    k=$((RANDOM % (i + 1)))
    CHOICE=${hand[i]} hand[i]=${hand[k]} hand[k]=$CHOICE
  done
}

# The two integrations that are past their first sync.
complete() { [ "$(jq '[.integrations[] | select(.phase == "current" or .phase == "catching-up")] | length' "$M/status.json")" -ge 2 ]; }

# ---- what happens ----

# post PATH JSON: a step's call. What the simulator refuses now (a sync while another one runs) is counted.
post() {
  echo "  $1 $2" >>"$T/history"
  if control POST "$1" "$2" >"$T/answer" 2>/dev/null; then
    did[$KIND]=$((${did[$KIND]:-0} + 1)) POSTED=1
  else
    refused[$KIND]=$((${refused[$KIND]:-0} + 1)) POSTED=0
  fi
}

# post_some PATH MEMBERS: to a model of an integration; not each has records.
post_some() {
  local model
  for _ in 1 2 3 4 5; do
    choose "${models[@]}" && model=$CHOICE
    choose 0 "${INDEX[@]}"
    post "$1" "{\"model\":\"$model\",\"integration\":$CHOICE,$2}"
    [ "$POSTED" = 0 ] || return 0
  done
}

# Something that is done here and must work.
done_here() { did[$KIND]=$((${did[$KIND]:-0} + 1)); }

fault() {
  post fault "{\"fault\":$1,\"probability\":0.3,\"times\":$((RANDOM % 10 + 1)),\"seed\":$RANDOM}"
}

# post_sync PATH MEMBERS: of an integration that is past its first sync, and has none under way.
post_sync() {
  for _ in 1 2 3 4 5; do
    choose 0 "${INDEX[@]}"
    post "$1" "{\"integration\":$CHOICE,$2}"
    [ "$POSTED" = 0 ] || return 0
  done
}

step() {
  local i n=$((RANDOM % 20 + 1))
  choose "${INDEX[@]}" && i=$CHOICE
  choose "${models[@]}"
  case $KIND in
    update) post_some update "\"count\":$n" ;;
    create) post_some create "\"count\":$((n % 4 + 1))" ;;
    delete) post_some delete "\"count\":$((n % 3 + 1))" ;;
    touch) post_some touch "\"count\":$n,\"event\":true" ;;
    sync) post_sync sync "\"creates\":2,\"updates\":$n" ;;
    long-sync) post_sync sync "\"creates\":5,\"updates\":$n,\"duration_ms\":20000" ;;
    back-sync) post_sync back-sync "\"creates\":2,\"updates\":$n" ;;
    first-sync) post first-sync "{\"models\":[\"$CHOICE\",\"residents\"]}" ;;
    hydrate) post_sync hydrate '"model":"residents","steps":3,"interval_ms":500' ;;
    join)
      choose "${joins[@]}"
      i=$CHOICE
      choose new update
      post_sync join "\"model\":\"$i\",\"op\":\"$CHOICE\""
      ;;
    crm-event) post event '{"model":"crm_events"}' ;;
    unknown-event) post deliver "{\"body\":{\"event\":\"DATA_$n\",\"object\":\"moons\",\"record_id\":\"$n\"}}" ;;
    job-failure) post fail-job "{\"integration\":$i}" ;;
    deliveries)
      post deliveries "{\"lose\":0.$((RANDOM % 6)),\"repeat\":0.$((RANDOM % 6)),\"reorder\":0.$((RANDOM % 6)),\"mis_sign\":0.$((RANDOM % 3)),
        \"delay_ms\":[0,$((n % 4 == 3 ? 10000 : 0))]}"
      ;;
    pause)
      post deliveries '{"paused":true}'
      sleep 0.$((n % 10))
      post deliveries '{"paused":false}'
      ;;
    lag) post settings "{\"lag_ms\":$((n % 3 * 2000))}" ;;
    payload) choose full partial && post settings "{\"payload\":\"$CHOICE\"}" ;;
    key)
      post key '{"revoke":true}'
      # until it has bitten
      until_true 20 status_grew 401
      post key '{"revoke":false}'
      ;;
    permission) post permission "{\"model\":\"$CHOICE\",\"allowed\":false}" ;;
    back-permission) post permission "{\"model\":\"$CHOICE\",\"allowed\":true}" && allow_some ;;
    model) post_some model '"enabled":false' ;;
    back-model) enable_some ;;
    rename) post integration "{\"integration\":$i,\"op\":\"rename\",\"name\":\"Renamed $n\"}" ;;
    switch) choose disable enable && post integration "{\"integration\":1,\"op\":\"$CHOICE\"}" ;;
    archive) choose archive unarchive && post integration "{\"integration\":$((n % 2 + 1)),\"op\":\"$CHOICE\"}" ;;
    vanish) choose remove restore && post integration "{\"integration\":$((n % 2 + 1)),\"op\":\"$CHOICE\"}" ;;
    appear)
      if [ "${#INDEX[@]}" -lt 6 ]; then
        choose true false
        post integration "{\"op\":\"add\",\"name\":\"Renamed $n\",\"pending\":$CHOICE,\"records\":$((n % 8))}"
        [ "$POSTED" = 0 ] || INDEX+=("$(jq .index "$T/answer")")
      fi
      ;;
    account)
      choose none other
      post account "{\"show\":\"$CHOICE\"}"
      sleep 0.$((n % 10))
      post account '{"show":"all"}'
      ;;
    rate) [ "$LIMIT" = 0 ] || post rate "{\"used\":$((LIMIT * (n % 4) / 2))}" ;;
    kill) kill_daemon && restart && done_here ;;
    restart) stop_daemon && restart && done_here ;;
    clock) # the wall clock goes on by an hour, and never beyond what is passed in the end
      [ "$JUMPS" -ge 20 ] || JUMPS=$((JUMPS + 1))
      set_clock $((JUMPS * 3600 + (SECONDS - STARTED) * RATE))
      done_here
      ;;
    clear) post fault/clear '{}' ;;
    fault-503) fault '"status","status":503' ;;
    fault-429) fault '"status","status":429,"retry_after":1' ;;
    fault-403) fault "\"status\",\"status\":403,\"kind\":\"list\"" ;;
    fault-wrong-types) choose results record && fault "\"wrong-types\",\"variant\":\"$CHOICE\"" ;;
    fault-missing-id) choose absent null number && fault "\"missing-id\",\"variant\":\"$CHOICE\"" ;;
    fault-stall) choose 20 600 && fault "\"stall\",\"seconds\":$CHOICE" ;;
    fault-slow) fault '"slow","bytes":2000,"interval_ms":20' ;;
    fault-*) fault "\"${KIND#fault-}\"" ;;
    rest) sleep 0.$((n % 10)) && done_here ;;
  esac
}

set_clock() {
  "$BIN/tests/testclock" "$T/clock" "$(date -u -d "$BEGIN + $1 seconds" +%Y-%m-%dT%H:%M:%SZ)" "$RATE"
}

# Since the last call, the API has answered so.
status_grew() {
  local n
  n=$(stat_of ".by_status.\"$1\" // 0")
  [ "$n" != "${ANSWERED[$1]:-0}" ] || return 1
  ANSWERED[$1]=$n
}

allow_some() {
  local m
  for m in "${models[@]}"; do
    [ $((RANDOM % 2)) = 0 ] || post permission "{\"model\":\"$m\",\"allowed\":true}"
  done
}

enable_some() {
  local i
  for i in "${INDEX[@]}"; do
    choose "${models[@]}"
    post model "{\"model\":\"$CHOICE\",\"integration\":$i,\"enabled\":true}"
  done
}

# The same address again, so that the hook stays right.
restart() {
  start_daemon --refresh 30 --webhook-listen "$LISTEN" --webhook-secret-file "$T/secret"
  [ -e "$M/status.json" ] || fail "the daemon does not start: $(tail -n 5 "$T/log")"
}

# As a service manager ends it: the witness may have files open.
stop_daemon() {
  local pid
  pid=$(cat "$T/daemon.pid")
  kill "$pid"
  until_true 20 ended "$pid" && wait "$pid" && rm "$T/daemon.pid"
}

# The API as it should be; nothing is lost any more. Deliveries that wait for their retry come.
calm() {
  local i m
  KIND=calm
  post fault/clear '{}'
  post key '{"revoke":false}'
  post account '{"show":"all"}'
  post settings '{"lag_ms":0}'
  # what is wrongly signed is tried ten times
  post deliveries '{"lose":0,"repeat":0,"reorder":0,"mis_sign":0,"delay_ms":[0,0],"paused":false,"retry_ms":1000}'
  for m in "${models[@]}"; do
    post permission "{\"model\":\"$m\",\"allowed\":true}"
    post model "{\"model\":\"$m\",\"enabled\":true}"
  done
  for i in "${INDEX[@]}"; do
    for m in enable unarchive restore; do post integration "{\"integration\":$i,\"op\":\"$m\"}"; done
    control POST first-sync "{\"integration\":$i}" >/dev/null 2>&1 || true
  done
  until_true 60 delivered
  # one more sync of each, which the small files follow
  for i in "${INDEX[@]}"; do post sync "{\"integration\":$i,\"creates\":1,\"updates\":5}"; done
  until_true 60 delivered
  [ -z "${refused[calm]:-}" ]
}

delivered() {
  [ "$(control POST wait '{"timeout_ms":20000}')" = '{"idle":true}' ] && [ "$(stat_of .deliveries.waiting)" = 0 ]
}

# ---- what must hold ----

# What the witness has missed must not be served any more: an id never comes again.
none_lost() {
  sort -u "$T/gone" >"$T/gone.sorted"
  [ -s "$T/gone.sorted" ] || return 0
  control GET 'truth?ids=1&all=1' >"$T/ids"
  "$BIN/tests/treecheck" --paths "$M" "$T/ids" | sort >"$T/served"
  comm -12 "$T/gone.sorted" "$T/served" >"$T/missed"
  [ ! -s "$T/missed" ]
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

right() { check_tree --last-seen >"$T/out"; }

# Lists that have not been read whole since the last sweep began.
unswept() {
  sqlite3 "file:$T/store.db?mode=ro" "select iid, model, error from dir where enabled and
    reconciled_ms < $(date -u -d "2026-11-23T12:00:00Z + $((8 * SWEEPS)) days" +%s)000"
}

swept() { [ -z "$(unswept)" ]; }

unseen() { [ ! -s "$T/witness" ]; }

# Each delivery that was answered 200 is in the log. One for `events` has a line for the appointment, too.
logged() {
  cat "$M"/events/2*.jsonl | jq -r 'select(.source == "webhook" and .model != "appointments") | .seq' >"$T/logged"
  ACCEPTED=$(stat_of .deliveries.accepted) LOGGED=$(wc -l <"$T/logged")
  [ "$LOGGED" -ge "$ACCEPTED" ]
}

api() { curl -fsSL -m 30 -H 'Authorization: Bearer sim-key' "$URL/v1/$1"; }

same_json() {
  jq -S . <"$1" >"$T/a" && jq -S . <"$2" >"$T/b" && diff "$T/a" "$T/b" >"$T/out"
}

# The small files say what the API says.
files_right() {
  local id at members='{id, name, vendor, active, is_archived, last_completed_sync, last_completed_back_sync}'
  for at in "$M"/integrations/*; do
    id=${at##*/}
    api "admin/integrations/$id/" | jq ".results | $members" >"$T/api"
    jq "$members" "$at/integration.json" >"$T/file" && same_json "$T/api" "$T/file" || return 1
    api "admin/integrations/$id/data-access" | jq .result >"$T/api" && same_json "$T/api" "$at/data-access.json" || return 1
    api "admin/integrations/$id/job-schedules/" | jq .results >"$T/api" && same_json "$T/api" "$at/schedules.json" || return 1
    api "admin/integrations/$id/properties?limit=250" | jq 'if type == "array" then . else .results end' >"$T/api" &&
      same_json "$T/api" "$at/properties.json" || return 1
    api "admin/logs/jobs/?integration_id=$id&limit=250&order-by=created_at:desc" | jq '.results[] | select(.created_at > "2026-11-20") | .id' |
      sort >"$T/api"
    jq .id "$at/jobs.jsonl" | sort | comm -23 "$T/api" - >"$T/out"
    [ ! -s "$T/out" ] || return 1
  done
}

# Each integration by its name; of equal ones all but the oldest with the end of their id.
names_right() {
  local name id
  control GET integrations | jq -r 'map(select(.account == 0)) | group_by(.name)[] | sort_by(.index) | .[0].id + " " + .[0].name,
    (.[1:][] | .id + " " + .name + "~" + .id[-6:])' >"$T/names"
  while read -r id name; do
    name=$(printf %s "$name" | tr '/\000-\037\177' _)
    [ "$(readlink "$M/by-name/$name")" = "../integrations/$id" ] || { echo "by-name/$name is not $id"; return 1; }
  done <"$T/names"
  [ "$(find "$M/by-name" -type l | wc -l)" = "${#INDEX[@]}" ] && [ "$(find "$M/integrations" -mindepth 1 -maxdepth 1 | wc -l)" = "${#INDEX[@]}" ]
}

all_current() { jq -e '.integrations | length > 2 and all(.phase == "current" and .error == null)' "$M/status.json" >"$T/out"; }

# Steps that the simulator refuses, or that nobody noticed, prove nothing.
all_happened() {
  local kind fault
  for kind in $(printf '%s\n' "${deck[@]}" | sort -u); do
    [ "$kind" = rate ] || [ -n "${did[$kind]:-}" ] || { echo "never happened: $kind, refused ${refused[$kind]:-0} times"; return 1; }
  done
  control GET stats >"$T/stats"
  jq -e '.deliveries | .lost and .repeated and .reordered and .mis_signed and .refused and .unreachable
    and all(.lost, .repeated, .reordered, .mis_signed, .refused, .unreachable; . > 0)' "$T/stats" >/dev/null || return 1
  jq -e '.by_status | has("401") and has("403") and has("429") and has("503")' "$T/stats" >/dev/null
}

# Each kind of fault bites at least once: those that have not yet hit the next request.
all_faults_bite() {
  local fault
  KIND=bite
  for fault in status reset cut malformed wrong-types missing-id stall html empty slow duplicate-ids bad-utf8; do
    [ "$(stat_of ".by_fault.\"$fault\" // 0")" = 0 ] || continue
    post fault/clear '{}'
    post fault "{\"fault\":\"$fault\",\"seconds\":20}"
    until_true 60 bitten "$fault" || return 1
  done
}

bitten() { [ "$(stat_of ".by_fault.\"$1\" // 0")" != 0 ]; }

@test "a random history ends at the truth, and nothing that is served throughout is ever missing" {
  declare -A ANSWERED=()
  INDEX=(0 1 2) JUMPS=0 STARTED=$SECONDS
  n=0 hand=()
  while [ $((SECONDS - STARTED)) -lt "$DURATION" ]; do
    [ "${#hand[@]}" != 0 ] || shuffle
    KIND=${hand[-1]}
    unset 'hand[-1]'
    n=$((n + 1))
    echo "$n $((SECONDS - STARTED))s $KIND" >>"$T/history"
    step || fail "SEED=$SEED step $n: $KIND"
    [ $((n % 40)) != 0 ] || none_lost || fail "SEED=$SEED step $n: $(lost)"
    unseen || fail "SEED=$SEED step $n: $(cat "$T/witness")"
  done
  [ "$n" -lt $((2 * ${#deck[@]})) ] || all_happened || fail "SEED=$SEED: $(stat_of .)"
  all_faults_bite || fail "SEED=$SEED: $(stat_of .by_fault)"
  calm || fail "SEED=$SEED: it does not become calm: $(tail -n 20 "$T/history") $(stat_of .deliveries)"
  until_true 60 nothing_waiting
  logged || fail "SEED=$SEED: $ACCEPTED deliveries were accepted, $LOGGED are in the log"
  # more than an hour later the small files are asked for again
  set_clock $((DURATION * 2 * RATE + 25 * 3600))
  until_true 120 files_right || fail "SEED=$SEED: $(cat "$T/out") $(tail -n 12 "$T/log")"
  right || echo "before the sweeps: $(tail -n 1 "$T/out")"
  # quiet time: a refresh and two sweeps, both more than a week after whatever was read last
  SWEEPS=1
  sweep_now
  until_true 120 swept || fail "SEED=$SEED: $(unswept | head -n 5) $(tail -n 12 "$T/log")"
  none_lost || fail "SEED=$SEED: $(lost)"
  sweep_now
  until_true 120 right || fail "SEED=$SEED ${QUIRKS[*]} $(wrong)"
  # deep quiet: nobody has anything left to do
  until_true 60 nothing_pending
  # changes that no delivery announced are forgiven when deliveries come again
  for CHOICE in "${INDEX[@]}"; do post sync "{\"integration\":$CHOICE,\"updates\":3}"; done
  until_true 60 all_current || fail "SEED=$SEED: $(jq -c .integrations "$M/status.json")"
  none_lost || fail "SEED=$SEED: $(lost)"
  names_right || fail "SEED=$SEED: $(ls -l "$M/by-name")"
  kill "$(cat "$T/witness.pid")"
  until_true 30 ended "$(cat "$T/witness.pid")"
  cat "$T/witness"
  grep -q ' 0 complaints$' "$T/witness" || fail "SEED=$SEED"
  stop_daemon
  ! grep -E 'Sanitizer|runtime error' "$T/log" "$T/sim.log" || fail "SEED=$SEED"
  echo "$n steps: $(for KIND in "${!did[@]}"; do printf '%s %s, ' "$KIND" "${did[$KIND]}"; done)"
  echo "refused: $(for KIND in "${!refused[@]}"; do printf '%s %s, ' "$KIND" "${refused[$KIND]}"; done)"
}

nothing_waiting() { [ "$(sqlite3 "file:$T/store.db?mode=ro" 'select count(*) from inbox')" = 0 ]; }
