#!/usr/bin/env bats
# live.bats - deliveries: what they change, when it shows, and what is refused (contract sections 6 and 7).

load lib

setup() {
  begin
  start_sim --integrations 2 --total 2000 --rate-limit 0
  start_live
  ready
}

teardown() { finish; }

# A record of a model: sets ID, IID, F (its file).
some_record() {
  control GET "record?model=$1&index=${2:-3}" >"$T/one"
  ID=$(jq -r .id "$T/one")
  IID=$(jq -r .integration_id "$T/one")
  F=$(grep -lrF "\"id\": $(jq -c .id "$T/one")" "$M/integrations/$IID/$1" | head -n 1)
  [ -n "$F" ]
}

body() { # body MODEL ID NEW PREVIOUS: a delivery in the envelope of the reference
  jq -nc --arg m "$1" --arg id "$2" --arg i "$IID" --argjson n "$3" --argjson p "$4" \
    '{trigger:"DATA_UPDATE",data:{event:"DATA_UPDATE",object:$m,record_id:$id,integration_id:$i,vendor:"YARDI",job_id:"j",root_job_id:"r",
      job_type:"READ",diff:{new:$n,previous:$p},context:{}},meta:{object:$m,integration_id:$i}}'
}

member() { jq -r ".$1" "$F"; }

@test "an update shows at once, is logged with its payload, and is read again" {
  some_record residents
  ino=$(stat -c %i "$F")
  control POST update "{\"model\":\"residents\",\"id\":\"$ID\",\"set\":{\"first_name\":\"Zaphod\"}}"
  until_true 2 sh -c "grep -q '\"first_name\": \"Zaphod\"' '$F'"
  [ "$(stat -c %i "$F")" != "$ino" ]
  last_events 50 | jq -se --arg id "$ID" 'map(select(.record_id == $id))[0] | .source == "webhook" and .event == "DATA_UPDATE" and .model == "residents"
    and .outcome == "applied" and .payload.data.diff.new.first_name == "Zaphod"'
  settle
  check_tree
}

@test "each wrapping and spelling changes the right file, for models whose names differ too" {
  for wrapping in E D F M; do
    for spelling in kebab snake; do
      control POST deliveries "{\"wrapping\":\"$wrapping\",\"spelling\":\"$spelling\"}" >/dev/null
      for m in vendors service-request-history unit-types unit-details residents; do
        some_record "$m" 1
        ino=$(stat -c %i "$F")
        control POST update "{\"model\":\"$m\",\"id\":\"$ID\"}" >/dev/null
        until_true 5 sh -c "[ \$(stat -c %i '$F') != $ino ]" || fail "$wrapping $spelling $m"
      done
    done
  done
  settle
  check_tree
}

@test "rsync after one update transfers exactly that file, also when its size stays and within the same second" {
  settle
  rsync -a "$M/integrations/" "$T/backup/"
  some_record residents
  old=$(member first_name)
  new=$(printf %s "$old" | tr 'a-y' 'b-z')
  [ "$old" != "$new" ]
  size=$(stat -c %s "$F")
  [ "$(deliver "$(body residents "$ID" "{\"first_name\":\"$new\"}" "$(jq -c '{first_name}' "$T/one")")")" = 200 ]
  until_true 2 sh -c "grep -qF '\"first_name\": \"$new\"' '$F'"
  [ "$(stat -c %s "$F")" = "$size" ]
  rsync -ai "$M/integrations/" "$T/backup/" | grep '^>f.*/residents/' >"$T/sent"
  [ "$(wc -l <"$T/sent")" = 1 ]
  grep -qF "$(basename "$F")" "$T/sent"
}

@test "a file held open and one mapped read their old bytes to the end; a new open reads the new ones" {
  some_record residents
  cp "$F" "$T/old"
  exec 8<"$F"
  mkfifo "$T/go"
  "$BIN/tests/mmapcat" "$F" wait <"$T/go" >"$T/mapped" 2>"$T/err" 3>&- 8<&- &
  pid=$!
  exec 9>"$T/go"
  until_true 5 grep -q mapped "$T/err"
  control POST update "{\"model\":\"residents\",\"id\":\"$ID\",\"set\":{\"first_name\":\"Trillian McMillan the very long name\"}}"
  until_true 2 sh -c "grep -q Trillian '$F'"
  cat <&8 >"$T/held"
  echo go >&9
  exec 8<&- 9>&-
  wait $pid
  cmp "$T/held" "$T/old"
  cmp "$T/mapped" "$T/old"
}

@test "what is refused, and what is stored without effect" {
  some_record residents
  good=$(body residents "$ID" '{"first_name":"X"}' '{"first_name":"no such name"}')
  before=$(sha256sum "$F")
  [ "$(curl -s -o /dev/null -w '%{http_code}' --data-binary "$good" "$HOOK")" = 401 ]
  [ "$(curl -s -o /dev/null -w '%{http_code}' -H 'propexo-signature: 00ff' --data-binary "$good" "$HOOK")" = 401 ]
  [ "$(deliver '{"broken"')" = 400 ]
  [ "$(deliver '[1,2]')" = 400 ]
  [ "$(curl -s -o /dev/null -w '%{http_code}' "$HOOK")" = 405 ]
  [ "$(curl -s -o /dev/null -w '%{http_code}' -X PUT -d x "$HOOK")" = 405 ]
  [ "$(curl -s -o /dev/null -w '%{http_code}' -d x "${HOOK%/webhook}/other")" = 404 ]
  [ "$(curl -s -o /dev/null -w '%{http_code}' "${HOOK%/webhook}/healthz")" = 200 ]
  head -c 9000000 /dev/zero | tr '\0' ' ' >"$T/huge"
  [ "$(curl -s -o /dev/null -w '%{http_code}' --data-binary "@$T/huge" "$HOOK")" = 413 ]
  [ "$(sha256sum "$F")" = "$before" ]
  [ "$(deliver "$(body no-such-model "$ID" '{"a":1}' '{"a":2}')")" = 200 ]
  [ "$(deliver '{"event":"NO_SUCH_EVENT","integration_id":"'"$IID"'"}')" = 200 ]
  [ "$(deliver "$(body residents no-such-record '{"first_name":"X"}' '{"first_name":"Y"}')")" = 200 ]
  until_true 5 sh -c "tail -n 60 '$M/events/latest.jsonl' | grep -q '\"record_id\":\"no-such-record\"'"
  last_events 60 | jq -se 'any(.outcome == "unknown-model") and any(.event == "NO_SUCH_EVENT" and .outcome == "ignored")
    and any(.record_id == "no-such-record" and .outcome == "queued")'
  until_true 5 sh -c "jq -e '.webhooks.rejected >= 2 and .webhooks.received >= 3' '$M/status.json' >/dev/null"
  [ "$(sha256sum "$F")" = "$before" ]
}

@test "the signature vector of the reference" {
  # HMAC-SHA256 with openssl, over the raw bytes, white space and all
  some_record residents
  spaced=$(body residents "$ID" '{"first_name":"Spaced"}' "$(jq -c '{first_name}' "$T/one")" | jq .)
  [ "$(deliver "$spaced")" = 200 ]
  until_true 2 sh -c "grep -q Spaced '$F'"
}

@test "A to B, B to A, A to B ends at B; ten times the same is harmless; a late one does not undo" {
  some_record residents
  control POST deliveries '{"paused":true}' >/dev/null
  a=$(jq -c '{first_name}' "$T/one")
  b='{"first_name":"Beeblebrox"}'
  deliver "$(body residents "$ID" "$b" "$a")"
  deliver "$(body residents "$ID" "$a" "$b")"
  [ "$(deliver "$(body residents "$ID" "$b" "$a")")" = 200 ]
  until_true 2 sh -c "grep -q Beeblebrox '$F'"
  for _ in 1 2 3 4 5 6 7 8 9 10; do deliver "$(body residents "$ID" "$b" "$a")" >/dev/null; done
  sleep 0.2
  [ "$(member first_name)" = Beeblebrox ]
  # news from long before
  old="{\"first_name\":\"Old\",\"last_seen\":\"2020-01-01T00:00:00.000Z\"}"
  deliver "$(body residents "$ID" "$old" "$b")"
  sleep 0.3
  [ "$(member first_name)" != Old ]
  last_events 5 | jq -se 'any(.outcome == "stale")'
}

@test "a diff with members that the record lacks leads to a re-read; ids are never spliced" {
  some_record residents
  [ "$(deliver "$(body residents "$ID" '{"no_such_member":1}' '{"no_such_member":2}')")" = 200 ]
  [ "$(deliver "$(body residents "$ID" '{"id":"evil"}' "{\"id\":\"$ID\"}")")" = 200 ]
  until_true 5 sh -c "tail -n 30 '$M/events/latest.jsonl' | jq -se '[.[] | select(.record_id == \"$ID\" and .outcome == \"queued\")] | length >= 2' >/dev/null"
  settle
  check_tree
}

@test "leases_meta_data survives an update of its resident" {
  n=0
  until some_record residents $n && [ "$(jq '.leases_meta_data | length' "$T/one")" -gt 0 ]; do n=$((n + 1)); done
  before=$(jq -c .leases_meta_data "$F")
  control POST update "{\"model\":\"residents\",\"id\":\"$ID\",\"set\":{\"first_name\":\"Marvin\"}}"
  until_true 2 sh -c "grep -q Marvin '$F'"
  [ "$(jq -c .leases_meta_data "$F")" = "$before" ]
}

@test "new records appear; a stub that is filled in steps ends whole; sync events are noted" {
  settle
  control POST create '{"model":"residents","count":3}'
  control POST hydrate '{"model":"leases","steps":3,"interval_ms":50}'
  control POST sync '{"creates":3,"updates":20,"touch":true}'
  control POST fail-job '{}'
  control POST write-failure '{}'
  settle
  check_tree --last-seen
  jq -se 'any(.event == "SYNC_COMPLETE" and .outcome == "noted") and any(.event == "JOB_FAILURE") and any(.event == "WRITE_OPERATION_FAILURE")' \
    "$M/events/latest.jsonl"
}

@test "kill -9 right after the 200: the event is in the log once, and applied" {
  for n in 1 2 3; do
    some_record residents $n
    body=$(body residents "$ID" "{\"first_name\":\"Killed$n\"}" "$(jq -c '{first_name}' "$T/one")")
    control POST update "{\"model\":\"residents\",\"id\":\"$ID\",\"set\":{\"first_name\":\"Killed$n\"},\"events\":false}" >/dev/null
    [ "$(deliver "$body")" = 200 ]
    kill_daemon
    start_live
    until_true 10 sh -c "grep '\"source\":\"webhook\"' '$M/events/latest.jsonl' | grep -q 'Killed$n'"
    # the account's log of changes may tell of it, too
    [ "$(grep '"source":"webhook"' "$M/events/latest.jsonl" | grep -c "Killed$n")" = 1 ]
    settle
  done
  check_tree
}

@test "the log of an integration has its events, byte for byte those of the root's" {
  some_record residents
  control POST update "{\"model\":\"residents\",\"id\":\"$ID\"}"
  settle
  grep -F "\"integration_id\":\"$IID\"" "$M/events/latest.jsonl" | cmp - "$M/integrations/$IID/events/latest.jsonl"
  jq -se 'map(.seq) | . == sort and . == unique' "$M/events/latest.jsonl" >/dev/null
  [ "$(stat -L -c %s "$M/events/latest.jsonl")" = "$(wc -c <"$M/events/latest.jsonl")" ]
}

@test "readers of the growing log never see a NUL, a size that goes back, or bytes that change" {
  "$BIN/tests/logwatch" "$M/events/$(readlink "$M/events/latest.jsonl")" 4 >"$T/watch" 3>&- &
  pid=$!
  for _ in 1 2 3 4 5 6; do
    control POST update '{"model":"residents","count":200}' >/dev/null
    sleep 0.4
  done
  wait $pid || fail "$(cat "$T/watch")"
  grep -q 'grew by [1-9]' "$T/watch"
}

@test "a listing in progress neither repeats nor loses a record; names that are absent appear when they come" {
  D=$M/integrations/$(first_integration)/residents
  ls "$D" >"$T/names"
  "$BIN/tests/dirstress" "$D" 4 "$T/names" >"$T/stress" 3>&- &
  pid=$!
  for n in 1 2 3 4 5 6 7 8 9 10; do
    [ ! -e "$D/fresh-$n.json" ]
    control POST create "{\"model\":\"residents\",\"integration\":0,\"id\":\"fresh-$n\"}" >/dev/null
    control POST update '{"model":"residents","integration":0,"count":20}' >/dev/null
    until_true 10 test -e "$D/fresh-$n.json"
  done
  wait $pid || fail "$(cat "$T/stress")"
  [ "$(ls "$D" | wc -l)" = $(($(wc -l <"$T/names") + 10)) ]
  diff <(ls -i "$D" | sed 's/^ *//; s/ .*//' | sort) <(stat -c %i "$D"/* | sort) || sleep 6
  diff <(ls -i "$D" | sed 's/^ *//; s/ .*//' | sort) <(stat -c %i "$D"/* | sort)
  settle
  check_tree
}
