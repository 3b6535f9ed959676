#!/usr/bin/env bats
# Signed deliveries, received by a web server that keeps every request and answers what $T/answer says.

load lib

setup_file() {
  begin
  export SECRET=0123456789 HOOKPORT
  mkdir -p "$T/www/cgi-bin" "$T/got"
  echo 200 >"$T/answer"
  cat >"$T/www/cgi-bin/hook" <<EOF
#!/bin/sh
# busybox serves requests at once: names are unique, and a request is there when its last file is
n=\$(date +%s%N).\$\$
head -c "\${CONTENT_LENGTH:-0}" >"$T/got/.\$n"
printf '%s\n%s\n%s\n%s\n' "\$HTTP_PROPEXO_SIGNATURE" "\$HTTP_PROPIFY_SIGNATURE" "\$CONTENT_TYPE" "\$HTTP_X_GATE" >"$T/got/\$n.head"
mv "$T/got/.\$n" "$T/got/\$n.body"
printf 'Status: %s\r\n\r\n' "\$(cat "$T/answer")"
EOF
  chmod +x "$T/www/cgi-bin/hook"
  for HOOKPORT in $(seq $((20000 + RANDOM % 10000)) 7 40000); do
    busybox httpd -f -p "127.0.0.1:$HOOKPORT" -h "$T/www" 2>/dev/null 3>&- &
    echo $! >"$T/httpd.pid"
    sleep 0.1
    kill -0 "$(cat "$T/httpd.pid")" 2>/dev/null && break
  done
  HOOK=http://127.0.0.1:$HOOKPORT/cgi-bin/hook
  export HOOK
  start main --rate-limit 0 --total 600 --integrations 3 --webhook "$HOOK" --webhook-secret "$SECRET" --first-sync-pending 1
}

teardown_file() { finish; }

setup() {
  echo 200 >"$T/answer"
  control POST deliveries '{"wrapping":"E","spelling":"kebab","payload":"partial","concurrency":4,"lose":0,"repeat":0,"reorder":0,"delay_ms":[0,0],"mis_sign":0,"retry_ms":900000,"paused":false,"seed":1}'
  rm -rf "$T/got" && mkdir "$T/got"
}

settled() { is '{"idle":true}' "$(control POST wait)"; }
# Bodies in the order in which they came, compact, a line each.
bodies() { for b in $(ls "$T/got" | grep '\.body$' | sort); do jq -c . "$T/got/$b"; done; }
count() { ls "$T/got" | grep -c '\.body$' || true; }
only() { [ "$(count)" = 1 ] && cat "$T"/got/*.body; }

@test "the signature is the HMAC of the bytes: the reference's vector, good, bad, missing, any" {
  is 1 "$(control POST deliver '{"body":"{\"a\":1}"}' | jq .deliveries)"
  settled
  is '{"a":1}' "$(only)"
  is ba8e563ab2fa561bfe8b793d8c3b93d159f33d0a4ea236edafa2ff2ac0a6635c "$(sed -n 1p "$T"/got/*.head)"
  is application/json "$(sed -n 3p "$T"/got/*.head)"
  rm -f "$T"/got/*
  control POST deliver '{"body":{"a":1.10},"sign":"bad"}'
  settled
  is '{"a":1.10}' "$(only)"
  bad=$(sed -n 1p "$T"/got/*.head)
  is 64 "${#bad}"
  rm -f "$T"/got/*
  control POST deliver '{"body":{"a":1.10}}'
  settled
  [ "$bad" != "$(sed -n 1p "$T"/got/*.head)" ]
  rm -f "$T"/got/*
  control POST deliver '{"body":"not json","sign":"missing","times":2}'
  settled
  is 2 "$(count)"
  is '' "$(cat "$T"/got/*.head | sed -n 1p)"
  rm -f "$T"/got/*
  control POST deliver '{"body":"x","sign":"abcd"}'
  settled
  is abcd "$(sed -n 1p "$T"/got/*.head)"
  refused deliver
}

@test "an event is signed like any body" {
  control POST update '{"model":"leads"}'
  settled
  body=$(only) sign=$(sed -n 1p "$T"/got/*.head)
  rm -f "$T"/got/*
  control POST deliver "$(jq -n --arg b "$body" '{body: $b}')"
  settled
  is "$body" "$(only)"
  is "$sign" "$(sed -n 1p "$T"/got/*.head)"
}

@test "DATA_UPDATE and DATA_NEW in wrapping E: envelope, data, meta" {
  id=$(control POST update '{"model":"service-request-history","set":{"notes":"done"}}' | jq -r '.records[0].id')
  settled
  only | jq -e --arg i "$id" '.trigger == "DATA_UPDATE" and .data.event == .trigger and .data.object == "service-request-notes" and
    .meta.object == .data.object and .meta.integration_id == .data.integration_id and .data.record_id == $i and
    .data.diff.new.notes == "done" and (.data.diff.previous | has("notes")) and (.data.diff.new | keys) == (.data.diff.previous | keys) and
    (.data.context.property_id | type) == "string" and .data.job_type == "READ_SERVICE_REQUEST_NOTES" and
    (.data.job_id | type) == "string" and (.data.root_job_id | type) == "string" and (.data.vendor | type) == "string"'
  page "/v1/admin/logs/jobs/$(only | jq -r .data.job_id)" | jq -e '.results | length > 0'
  rm -f "$T"/got/*
  id=$(control POST create '{"model":"units"}' | jq -r '.records[0].id')
  settled
  only | jq -e --arg i "$id" '.trigger == "DATA_NEW" and .data.record_id == $i and (.data.payload | has("created_at") and (has("id") | not) and length <= 4)'
  rm -f "$T"/got/*
  control POST deliveries '{"payload":"full"}'
  id=$(control POST create '{"model":"units"}' | jq -r '.records[0].id')
  settled
  only | jq -e --arg i "$id" '.data.payload | .id == $i and length > 20 and (has("address_1") | not) and has("street_address_1")'
}

@test "wrappings D, F and M, both spellings, and random ones" {
  control POST deliveries '{"wrapping":"D","spelling":"snake"}'
  control POST update '{"model":"vendors"}'
  settled
  only | jq -e '(keys == ["data"]) and (.data | keys == ["diff", "event", "object", "record_id"]) and .data.object == "service_request_vendors"'
  rm -f "$T"/got/*
  control POST deliveries '{"wrapping":"F"}'
  control POST update '{"model":"vendors"}'
  settled
  only | jq -e '.event == "DATA_UPDATE" and .meta.object == "service_request_vendors" and (has("data") | not) and (has("trigger") | not)'
  rm -f "$T"/got/*
  control POST deliveries '{"wrapping":"M","spelling":"kebab"}'
  control POST update '{"model":"vendors"}'
  settled
  only | jq -e 'keys == ["diff", "meta", "record_id"] and .meta.object == "service-request-vendors"'
  rm -f "$T"/got/*
  control POST create '{"model":"vendors"}'
  settled
  only | jq -e 'keys == ["meta", "payload", "record_id"]'
  rm -f "$T"/got/*
  control POST deliveries '{"wrapping":"random","spelling":"random"}'
  control POST update '{"model":"vendors","count":60}'
  settled
  is 60 "$(count)"
  bodies | jq -c keys | sort -u >"$T/kinds"
  is 4 "$(wc -l <"$T/kinds")"
  bodies | jq -r '.meta.object // .data.object' | sort -u | xargs >"$T/kinds"
  is 'service-request-vendors service_request_vendors' "$(cat "$T/kinds")"
}

@test "sync events: members of E and F, the flag of a back-sync, first syncs, failures" {
  control POST deliveries '{"paused":true}'
  control POST sync '{"integration":0,"updates":3,"failed":1}'
  control POST deliveries '{"paused":false}'
  settled
  is 4 "$(count)"
  bodies | jq -cs 'map(select(.trigger == "SYNC_COMPLETE")) | length' | grep -qx 1
  bodies | jq -es 'map(select(.trigger == "SYNC_COMPLETE"))[0] | .data | .is_backsync == false and .failed_job_count == 1 and .is_sync_finished and
    (.successful_job_count > 0) and (.models_synced | index("service_requests") != null) and (.job_schedule_id | type) == "string"'
  bodies | jq -es 'map(select(.trigger == "SYNC_COMPLETE"))[0] | has("meta") | not'
  rm -f "$T"/got/*
  control POST back-sync '{"integration":0,"creates":2,"updates":9}'
  settled
  only | jq -e '.trigger == "SYNC_COMPLETE" and .data.is_backsync == true'
  rm -f "$T"/got/*
  control POST deliveries '{"wrapping":"F"}'
  control POST back-sync '{"integration":0,"updates":1}'
  settled
  only | jq -e '.event == "SYNC_COMPLETE" and (has("is_backsync") | not) and (has("models_synced") | not) and has("successful_job_count")'
  rm -f "$T"/got/*
  control POST deliveries '{"wrapping":"M"}'
  control POST settings '{"quirk":"backsync-flag-absent"}'
  control POST back-sync '{"integration":0,"updates":1}'
  settled
  only | jq -e '.event == "SYNC_COMPLETE" and (has("is_backsync") | not)'
  control POST settings '{"quirk":"backsync-flag-absent","on":false}'
  control POST deliveries '{"wrapping":"E"}'
  rm -f "$T"/got/*
  control POST create '{"model":"units","integration":2}' # its first sync is not finished: silent
  settled
  is 0 "$(count)"
  control POST first-sync
  settled
  only | jq -e '.trigger == "FIRST_SYNC_COMPLETE" and .data.is_sync_finished'
  rm -f "$T"/got/*
  control POST fail-job '{"integration":0}'
  settled
  only | jq -e '.trigger == "JOB_FAILURE" and (.data.job_type | type) == "string" and (.data.root_job_id | type) == "string"'
  page '/v1/admin/logs/jobs/?status=FAILURE&limit=1' | jq -e --arg j "$(only | jq -r .data.job_id)" '.results[0].job_id == $j'
  rm -f "$T"/got/*
  control POST write-failure
  settled
  only | jq -e '.trigger == "WRITE_OPERATION_FAILURE" and .data.errors == ["duplicate"] and .data.write_status == "FAILURE"'
}

@test "joins and event-only models are delivered, hydration in order, and no event when not wanted" {
  control POST join '{"model":"residents_to_leases"}'
  settled
  only | jq -e '.data.object == "residents-to-leases" and (.data.payload | has("resident_id") and has("lease_id")) and .data.context == {}'
  rm -f "$T"/got/*
  control POST join '{"model":"residents_to_leases","op":"update"}'
  settled
  only | jq -e '.trigger == "DATA_UPDATE" and (.data.diff.new | length) == 1'
  rm -f "$T"/got/*
  control POST event '{"model":"crm_prospects"}'
  settled
  only | jq -e '.data.object == "crm-prospects"'
  rm -f "$T"/got/*
  control POST hydrate '{"model":"residents","steps":3,"interval_ms":10}'
  settled
  is 'DATA_NEW DATA_UPDATE DATA_UPDATE DATA_UPDATE' "$(bodies | jq -r .trigger | xargs)"
  rm -f "$T"/got/*
  control POST update '{"model":"units","events":false}'
  control POST touch '{"model":"units"}'
  control POST delete '{"model":"units"}'
  settled
  is 0 "$(count)"
  control POST touch '{"model":"units","event":true}'
  settled
  only | jq -e '.data.diff.new | keys == ["last_seen"]'
}

@test "what is not answered 2xx comes again after the interval, up to ten times" {
  control POST stats/reset
  control POST deliveries '{"retry_ms":50}'
  echo 503 >"$T/answer"
  control POST update '{"model":"units"}'
  until_true 5 eval '[ "$(count)" -ge 3 ]'
  echo 200 >"$T/answer"
  until_true 5 eval '[ "$(stat_of .deliveries.accepted)" = 1 ]'
  is 1 "$(bodies | sort -u | wc -l)"
  is 1 "$(sort -u "$T"/got/*.head | grep -c '^[0-9a-f]\{64\}$')"
  control GET stats | jq -e '.deliveries | .made == 1 and .refused >= 3 and .retried == .refused and .sent == .refused + 1 and .dropped == 0 and .waiting == 0'
  rm -f "$T"/got/*
  control POST stats/reset
  control POST deliveries '{"retry_ms":1}'
  echo 500 >"$T/answer"
  control POST update '{"model":"units"}'
  until_true 10 eval '[ "$(stat_of .deliveries.dropped)" = 1 ]'
  is 11 "$(count)"
  control POST deliveries '{"retry_ms":900000}'
  control POST update '{"model":"units"}'
  settled # a retry that waits for later does not count
  is 1 "$(stat_of .deliveries.waiting)"
}

@test "lost, repeated, mis-signed, delayed, paused" {
  control POST stats/reset
  control POST deliveries '{"lose":1}'
  control POST update '{"model":"units","count":3}'
  settled
  is '3 0' "$(stat_of '"\(.deliveries.lost) \(.deliveries.sent)"')"
  control POST deliveries '{"lose":0,"repeat":1}'
  control POST update '{"model":"units","count":3}'
  settled
  is 6 "$(count)"
  is 3 "$(bodies | sort -u | wc -l)"
  rm -f "$T"/got/*
  control POST deliveries '{"repeat":0,"mis_sign":1}'
  control POST update '{"model":"units"}'
  settled
  body=$(only) sign=$(sed -n 1p "$T"/got/*.head)
  rm -f "$T"/got/*
  control POST deliveries '{"mis_sign":0}'
  control POST deliver "$(jq -n --arg b "$body" '{body: $b}')"
  settled
  [ "$sign" != "$(sed -n 1p "$T"/got/*.head)" ]
  rm -f "$T"/got/*
  control POST deliveries '{"delay_ms":[300,400]}'
  control POST update '{"model":"units"}'
  sleep 0.1
  is 0 "$(count)"
  settled
  is 1 "$(count)"
  rm -f "$T"/got/*
  control POST deliveries '{"delay_ms":[0,0],"paused":true}'
  control POST update '{"model":"units","count":2}'
  is '{"idle":false}' "$(control POST wait '{"timeout_ms":100}')"
  is 2 "$(stat_of .deliveries.due)"
  control POST deliveries '{"paused":false}'
  settled
  is 2 "$(count)"
  control GET deliveries | jq -e '.wrapping == "E" and .concurrency == 4 and .paused == false and .delay_ms == [0, 0]'
  refused deliveries '{"wrapping":"X"}'
  refused deliveries '{"concurrency":0}'
}

@test "events of one record leave in order; reordered ones do not" {
  id=$(control POST update '{"model":"units"}' | jq -r '.records[0].id')
  settled
  rm -f "$T"/got/*
  order() {
    control POST deliveries '{"paused":true}' >/dev/null
    for i in 1 2 3 4 5 6 7 8; do
      control POST update "$(jq -n --arg i "$id" --arg n "$i" '{model: "units", id: $i, set: {number: $n}}')" >/dev/null
    done
    control POST deliveries '{"paused":false}' >/dev/null
    settled
    bodies | jq -r .data.diff.new.number | xargs
    rm -f "$T"/got/*
  }
  is '1 2 3 4 5 6 7 8' "$(order)"
  control POST deliveries '{"reorder":1,"concurrency":1}'
  [ "$(order)" != '1 2 3 4 5 6 7 8' ]
}

@test "hooks get what they ask for: model, trigger, active, headers; a hook without a model gets all" {
  start hooks --rate-limit 0 --total 400
  hook() {
    get /v1/webhooks/ -X POST -d "$(jq -cn --arg u "$HOOK" --argjson o "$1" '{url: $u, secret: "0123456789", active: true} + $o')"
    is 200 "$status"
    jq -r .result.id "$T/body"
  }
  a=$(hook '{"triggers":["DATA_UPDATE"],"model":"leases","headers":[{"header":"X-Gate","value":"open sesame"}]}')
  control POST update '{"model":"units"}'
  control POST create '{"model":"leases"}'
  control POST update '{"model":"leases"}'
  settled
  is 1 "$(count)"
  is 'open sesame' "$(sed -n 4p "$T"/got/*.head)"
  rm -f "$T"/got/*
  get "/v1/webhooks/$a" -X PUT -d '{"active":false}'
  control POST update '{"model":"leases"}'
  settled
  is 0 "$(count)"
  hook '{"triggers":["DATA_NEW","DATA_UPDATE"]}' >/dev/null
  control POST update '{"model":"leases"}'
  control POST create '{"model":"units"}'
  settled
  is 2 "$(count)"
  rm -f "$T"/got/*
  control POST settings '{"quirk":"modelless-none"}'
  control POST update '{"model":"leases"}'
  settled
  is 0 "$(count)"
  control POST settings '{"quirk":"modelless-none","on":false}'
  control POST settings '{"quirk":"old-signature-header"}'
  control POST update '{"model":"leases"}'
  settled
  is '' "$(sed -n 1p "$T"/got/*.head)"
  is 64 "$(sed -n 2p "$T"/got/*.head | tr -d '\n' | wc -c)"
  stop hooks
}

@test "ready-made hooks cover every model and trigger" {
  page '/v1/webhooks/?limit=250' | jq -e '(.results | length) == 113 and (.results | all(.active)) and
    ([.results[].triggers[].model] | unique | length) == 113'
}
