#!/usr/bin/env bats
# webhooks.bats - the hooks that Propexo keeps for us: made, found right, repaired, removed; others' never touched.

load lib

WANTED=113 # 112 models that deliveries name, and one for the triggers without a model

setup() {
  begin
  printf 'whsec-one-two-three\nwhsec-the-older-one\n' >"$T/secret"
  chmod 600 "$T/secret"
  start_sim --integrations 1 --total 100 --rate-limit 0
  OURS=http://127.0.0.1:9/hook
}

teardown() { finish; }

# webhooks TASK [OPTIONS...]: output in $T/out, what it says of itself in $T/err
webhooks() {
  timeout 60 "$BIN/propexofs" webhooks "$1" --api-url "$URL" --api-key-file "$T/key" --webhook-url "$OURS" \
    --webhook-secret-file "$T/secret" "${@:2}" >"$T/out" 2>"$T/err" || { local rc=$?; cat "$T/out" "$T/err"; return $rc; }
  ! grep -q whsec "$T/out" "$T/err"
}

refused() { if "$@" >/dev/null; then fail "not refused: $*"; fi; }

api() { curl -fsS -m 30 -H 'Authorization: Bearer sim-key' "$URL/v1/webhooks/$1" "${@:2}"; }

# All of them, the inactive ones too, as one array.
all() { { api '?limit=250' && api '?limit=250&active=false'; } | jq -cs '[.[].results[]] | sort_by(.id)'; }

# Those with our URL that are as they should be.
right() {
  all | jq --arg u "$OURS" '[.[] | select(.url == $u and .active and .secret == "whsec-one-two-three") |
    {m: .triggers[0].model, t: ([.triggers[].trigger] | sort | join(" "))} |
    select(if .m then .t == "DATA_NEW DATA_UPDATE" else .t == "FIRST_SYNC_COMPLETE JOB_FAILURE SYNC_COMPLETE WRITE_OPERATION_FAILURE" end) |
    .m] | unique | length'
}

id_of() { all | jq -r --arg u "$OURS" --arg m "$1" '[.[] | select(.url == $u and .triggers[0].model == $m)][0].id'; }

sent() { stat_of ".by_method.$1 // 0"; }

@test "register makes one for each model and one for the rest; again it changes nothing and says so" {
  webhooks register
  [ "$(right)" = $WANTED ]
  [ "$(all | jq length)" = $WANTED ]
  [ "$(grep -c '^created ' "$T/out")" = $WANTED ]
  # vendors go by their internal name
  grep -q '^created *service_request_vendors ' "$T/out"
  grep -q "$WANTED of $WANTED as they should be" "$T/err"
  before=$(all) posts=$(sent POST)
  webhooks register
  [ ! -s "$T/out" ]
  grep -q 'nothing to do' "$T/err"
  [ "$(all)" = "$before" ]
  [ "$(sent POST) $(sent PUT) $(sent DELETE)" = "$posts 0 0" ]
  webhooks list
  [ "$(grep -c '^ok ' "$T/out")" = $WANTED ]
}

@test "--dry-run sends only GETs and says what would be done" {
  webhooks register --dry-run
  [ "$(grep -c '^create ' "$T/out")" = $WANTED ]
  webhooks register
  api "$(id_of leases)" -X PUT -d '{"active":false}' >/dev/null
  control POST stats/reset
  webhooks register -n
  [ "$(grep -c . "$T/out")" = 1 ]
  grep -q "^repair *leases *$(id_of leases)" "$T/out"
  webhooks remove --dry-run
  [ "$(grep -c '^remove ' "$T/out")" = $WANTED ]
  [ "$(stat_of '.by_method | del(.GET) | length')" = 0 ]
  webhooks list
  grep -q '^disabled *leases ' "$T/out"
  [ "$(grep -c '^ok ' "$T/out")" = $((WANTED - 1)) ]
}

@test "what somebody has changed, switched off, signed otherwise, doubled or removed is put right; headers stay" {
  webhooks register
  api "$(id_of leases)" -X PUT -d '{"active":false}' >/dev/null
  api "$(id_of units)" -X PUT -d '{"secret":"whsec-somebody-elses"}' >/dev/null
  api "$(id_of residents)" -X PUT -d '{"triggers":["DATA_NEW"],"headers":[{"header":"x-gate","value":"7"}]}' >/dev/null
  api "$(id_of owners)" -X DELETE >/dev/null
  api '' -d "{\"url\":\"$OURS\",\"triggers\":[\"DATA_NEW\",\"DATA_UPDATE\"],\"model\":\"events\",\"active\":true,\"secret\":\"whsec-one-two-three\"}" >/dev/null
  webhooks list
  for word in disabled:leases secret:units changed:residents missing:owners double:events; do
    grep -q "^${word%:*} *${word#*:}\( \|$\)" "$T/out" || fail "$word: $(grep -v '^ok' "$T/out")"
  done
  [ "$(grep -vc '^ok ' "$T/out")" = 5 ]
  webhooks register
  [ "$(right)" = $WANTED ]
  [ "$(all | jq length)" = $WANTED ]
  api "$(id_of residents)" | jq -e '.results.headers == [{"header":"x-gate","value":"7"}]'
  webhooks register
  [ ! -s "$T/out" ]
}

@test "the same where PUT merges triggers, and where the model-less one was given all triggers" {
  control POST settings '{"quirk":"webhooks-merge"}'
  webhooks register
  general=$(all | jq -r '[.[] | select(.triggers[0].model == null)][0].id')
  api "$general" -X PUT -d '{"triggers":["DATA_NEW","JOB_SUCCESS"]}' >/dev/null
  webhooks register
  [ "$(right) $(all | jq length)" = "$WANTED $WANTED" ]
  webhooks register
  [ ! -s "$T/out" ]
}

@test "others' hooks are never touched, by whatever command, however alike their URL" {
  for url in http://127.0.0.1:9/hook2 http://127.0.0.1:9/hoo http://127.0.0.1:9/hook/ http://127.0.0.1:9 https://elsewhere.example/hook; do
    api '' -d "{\"url\":\"$url\",\"triggers\":[\"DATA_NEW\"],\"model\":\"leases\",\"active\":true}" >/dev/null
    api '' -d "{\"url\":\"$url\",\"triggers\":[\"SYNC_COMPLETE\"],\"active\":false}" >/dev/null
  done
  before=$(all)
  webhooks register
  grep -q '10 with other addresses left alone' "$T/err"
  webhooks list
  webhooks remove
  [ "$(grep -c '^removed ' "$T/out")" = $WANTED ]
  [ "$(all)" = "$before" ]
  webhooks remove
  grep -q 'nothing to do' "$T/err"
  [ "$(all)" = "$before" ]
}

@test "many pages of others' hooks, active or not, hide none of ours" {
  for n in $(seq 260); do
    printf 'url = %s/v1/webhooks/\nheader = "Authorization: Bearer sim-key"\noutput = /dev/null\ndata = "%s"\nnext\n' "$URL" \
      "{\\\"url\\\":\\\"https://elsewhere.example/$n\\\",\\\"triggers\\\":[\\\"DATA_NEW\\\"],\\\"model\\\":\\\"leases\\\",\\\"active\\\":$([ $((n % 2)) = 0 ] && echo true || echo false)}"
  done | sed '$d' >"$T/many"
  webhooks register
  curl -fsS -m 60 -K "$T/many"
  webhooks register
  [ ! -s "$T/out" ]
  grep -q '260 with other addresses' "$T/err"
  webhooks remove
  [ "$(api '?limit=250' | jq '.results | length')" = 130 ]
}

@test "a POST without an answer is not sent again before the list has been read: none is doubled" {
  # made by the API, but the answer is lost
  for fault in '"reset","after":5' '"empty","after":30' '"malformed","after":60' '"cut","after":80'; do
    control POST fault "{\"fault\":$fault,\"kind\":\"webhooks\",\"times\":1}" >/dev/null
  done
  webhooks register
  [ "$(stat_of .faults)" = 4 ]
  [ "$(sent POST)" = $WANTED ] || fail "$(sent POST) were sent"
  [ "$(right)" = $WANTED ]
  [ "$(all | jq length)" = $WANTED ]
}

@test "a refusal is told, does not keep the others, and never shows the secret" {
  control POST fault '{"fault":"status","status":400,"kind":"webhooks","after":10,"times":2}'
  refused webhooks register
  grep -q 'HTTP 400' "$T/err"
  grep -q '2 of 113 webhook changes failed' "$T/err"
  [ "$(grep -c '^created ' "$T/out")" = $((WANTED - 2)) ]
  # the simulator has made them all the same: found, not doubled
  webhooks register
  [ ! -s "$T/out" ]
  [ "$(all | jq length)" = $WANTED ]
  control POST key '{"revoke":true}'
  refused webhooks register
  grep -q 'HTTP 401' "$T/err"
}

@test "the first secret of the file signs; a new first one is set everywhere; a short one is refused" {
  webhooks register
  printf 'whsec-a-new-one-now\nwhsec-one-two-three\n' >"$T/secret"
  webhooks register
  [ "$(grep -c '^repaired ' "$T/out")" = $WANTED ]
  [ "$(all | jq '[.[] | select(.secret == "whsec-a-new-one-now")] | length')" = $WANTED ]
  printf 'short\n' >"$T/secret"
  refused webhooks register
  grep -q 'shorter than 10 characters' "$T/err"
  rm "$T/secret"
  timeout 20 "$BIN/propexofs" webhooks list --api-url "$URL" --api-key-file "$T/key" --webhook-url "$OURS" >"$T/out"
  [ "$(grep -c '^ok ' "$T/out")" = $WANTED ]
}

@test "--model: only what shows in that model's records" {
  webhooks register --model leases
  grep -q '^created *leases ' "$T/out"
  grep -q '^created *residents_to_leases ' "$T/out"
  grep -q '^created *- ' "$T/out"
  [ "$(grep -c '^created *units ' "$T/out")" = 0 ]
  webhooks register --model leases
  [ ! -s "$T/out" ]
}

@test "usage" {
  run "$BIN/propexofs" webhooks register --api-url "$URL" --api-key-file "$T/key" --webhook-secret-file "$T/secret"
  [ "$status" = 2 ]
  [[ $output == *"set --webhook-url"* ]]
  run "$BIN/propexofs" webhooks register --api-url "$URL" --api-key-file "$T/key" --webhook-url "$OURS"
  [ "$status" = 2 ]
  [[ $output == *"signing secret"* ]]
  for args in '' nonsense 'list list'; do
    # shellcheck disable=SC2086
    run "$BIN/propexofs" webhooks $args
    [ "$status" = 2 ]
    [[ $output == *"usage: propexofs webhooks"* ]]
  done
}

# ---- the daemon ----

registered() { [ "$(jq .webhooks.registered "$M/status.json")" = "$1" ]; }

port_of() { jq -r .webhooks.listening "$M/status.json" | sed 's/.*://'; }

# A daemon whose public address is its own: on a port that was free a moment ago.
start_registered() {
  start_daemon --webhook-listen 127.0.0.1:0 --webhook-secret-file "$T/secret" --refresh 0
  PORT=$(port_of)
  umount_daemon
  OURS=http://127.0.0.1:$PORT/in/here
  start_daemon --webhook-listen "127.0.0.1:$PORT" --webhook-url "$OURS" --webhook-secret-file "$T/secret" --refresh 0 "$@"
}

@test "a daemon with --webhook-url registers, says how many, and receives what is delivered there" {
  start_registered
  until_true 30 registered $WANTED
  [ "$(right)" = $WANTED ]
  ready
  control POST update '{"model":"residents","count":1,"set":{"first_name":"Delivered"}}' >/dev/null
  settle
  grep -rq '"first_name": "Delivered"' "$M/integrations/"
  received() { [ "$(jq .webhooks.received "$M/status.json")" = 1 ]; }
  until_true 10 received
  [ "$(jq .webhooks.rejected "$M/status.json")" = 0 ]
  grep -q "hooks.*created model=service_request_vendors id=" "$T/log"
  [ "$(grep -c whsec "$T/log")" = 0 ]
  [ "$(tr '\0' ' ' <"/proc/$(cat "$T/daemon.pid")/cmdline" | grep -c whsec)" = 0 ]
  # a restart finds them right
  posts=$(sent POST)
  umount_daemon
  start_daemon --webhook-listen "127.0.0.1:$PORT" --webhook-url "$OURS" --webhook-secret-file "$T/secret"
  until_true 30 registered $WANTED
  [ "$(sent POST) $(sent PUT) $(sent DELETE)" = "$posts 0 0" ]
}

@test "a URL without a path is the receiver's root" {
  start_daemon --webhook-listen 127.0.0.1:0 --webhook-url http://127.0.0.1:9/ --webhook-secret-file "$T/secret"
  HOOK=http://127.0.0.1:$(port_of)/
  [ "$(deliver '{"event":"SOMETHING_NEW"}')" = 200 ]
  HOOK=${HOOK}webhook
  [ "$(deliver '{"event":"SOMETHING_NEW"}')" = 404 ]
}

@test "within an hour what somebody has switched off or removed is put right" {
  export PROPEXOFS_TEST_CLOCK=$T/clock
  stop_sim
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T12:00:00Z 1
  start_sim --integrations 1 --total 100 --rate-limit 0
  start_registered
  until_true 30 registered $WANTED
  api "$(id_of leases)" -X PUT -d '{"active":false}' >/dev/null
  api "$(id_of units)" -X DELETE >/dev/null
  [ "$(right)" = $((WANTED - 2)) ]
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T12:50:00Z 1
  sleep 1
  [ "$(right)" = $((WANTED - 2)) ]
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T13:05:00Z 1
  put_right() { [ "$(right)" = $WANTED ]; }
  until_true 20 put_right
  until_true 20 registered $WANTED
  unset PROPEXOFS_TEST_CLOCK
}

@test "an API that refuses webhooks stops nothing: the mirror fills, the failure is logged and tried again" {
  export PROPEXOFS_TEST_CLOCK=$T/clock
  stop_sim
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T12:00:00Z 1
  start_sim --integrations 1 --total 100 --rate-limit 0
  control POST fault '{"fault":"status","status":403,"kind":"webhooks","times":0}' >/dev/null
  start_registered
  ready
  check_tree
  grep -q 'hooks.*not as they should be.*HTTP 403' "$T/log" || fail "$(cat "$T/log")"
  [ "$(jq .webhooks.registered "$M/status.json")" = null ]
  control POST fault/clear >/dev/null
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T12:02:00Z 1
  until_true 20 registered $WANTED
  unset PROPEXOFS_TEST_CLOCK
}

@test "SIGHUP with a new first secret: it is registered, and both are accepted" {
  start_registered
  until_true 30 registered $WANTED
  printf 'whsec-a-new-one-now\nwhsec-one-two-three\n' >"$T/secret"
  kill -HUP "$(cat "$T/daemon.pid")"
  signed_anew() { [ "$(all | jq '[.[] | select(.secret == "whsec-a-new-one-now")] | length')" = $WANTED ]; }
  until_true 20 signed_anew
  HOOK=$OURS
  [ "$(deliver '{"event":"SOMETHING_NEW"}')" = 200 ]
  [ "$(grep -c whsec "$T/log")" = 0 ]
}

@test "without --webhook-url nothing but GET is sent, and status.json says null" {
  start_daemon --webhook-listen 127.0.0.1:0 --webhook-secret-file "$T/secret"
  ready
  sleep 1
  [ "$(stat_of '.by_method | del(.GET) | length')" = 0 ]
  [ "$(stat_of '.by_class.webhooks')" = 0 ]
  [ "$(jq .webhooks.registered "$M/status.json")" = null ]
}
