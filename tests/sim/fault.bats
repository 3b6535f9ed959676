#!/usr/bin/env bats
# Faults: which requests they hit, when, and what the client gets.

load lib

setup_file() {
  begin
  start main --rate-limit 0 --records units=60 --records leases=60 --records residents=60 --integrations 2
}

teardown_file() { finish; }

setup() { control POST fault/clear; }

fault() { control POST fault "$1" >/dev/null; }
units='/v1/units/?limit=5&order-by=created_at:asc,id:asc'

# The exit code of curl for a request.
curl_code() {
  local rc=0
  curl -gsS -m "${MAX:-5}" -o "$T/body" -H "$H" "$URL$1" 2>/dev/null || rc=$?
  echo "$rc"
}

@test "status, with each kind of body and Retry-After" {
  fault '{"fault":"status","status":503}'
  get "$units"
  error_is 503 INTERNAL
  page "$units" >/dev/null # once is the default
  fault '{"fault":"status","status":429,"retry_after":7}'
  get "$units"
  error_is 429 RATE_LIMITED
  is 7 "$(header retry-after)"
  fault '{"fault":"status","status":502,"body":"html"}'
  get "$units"
  is 502 "$status"
  is text/html "$(header content-type)"
  fault '{"fault":"status","status":500,"body":"none"}'
  get "$units"
  is 500 "$status"
  is 0 "$(wc -c <"$T/body")"
}

@test "the body is reset, cut short, malformed, empty, or a page of HTML" {
  for f in reset cut; do
    fault "{\"fault\":\"$f\"}"
    code=$(curl_code "$units")
    [ "$code" = 18 ] || [ "$code" = 56 ] || fail "$f: $code"
    page "$units" >/dev/null
  done
  fault '{"fault":"malformed"}'
  get "$units"
  is 200 "$status"
  ! jq . "$T/body" >/dev/null 2>&1 || fail "it is JSON"
  fault '{"fault":"empty"}'
  get "$units"
  is "200 0" "$status $(wc -c <"$T/body")"
  fault '{"fault":"html"}'
  get "$units"
  is 200 "$status"
  grep -q '<html>' "$T/body"
}

@test "wrong types, missing and odd ids, duplicates" {
  page "$units" >"$T/good"
  fault '{"fault":"wrong-types"}'
  page "$units" | jq -e '.results | type == "string"'
  fault '{"fault":"wrong-types","variant":"record"}'
  page "$units" | jq -e '.results | map(type) == ["number", "object", "object", "object", "object"]'
  fault '{"fault":"missing-id"}'
  page "$units" | jq -e '.results[0] | has("id") | not'
  fault '{"fault":"missing-id","variant":"null"}'
  page "$units" | jq -e '.results[0].id == null and (.results[0] | has("id"))'
  fault '{"fault":"missing-id","variant":"number"}'
  page "$units" | jq -e '.results[0].id == 12345'
  fault '{"fault":"duplicate-ids"}'
  page "$units" | jq -e '(.results | length) == 6 and .results[0] == .results[1]'
  fault '{"fault":"bad-utf8"}'
  get "$units"
  ! iconv -f UTF-8 -t UTF-8 "$T/body" >/dev/null 2>&1 || fail "it is UTF-8"
  page "$units" | cmp - "$T/good"
}

@test "a record too large, of any size" {
  fault '{"fault":"huge"}'
  get "$units"
  [ "$(wc -c <"$T/body")" -gt 20000000 ]
  fault '{"fault":"huge","bytes":1000}'
  page "$units" | jq -e '.results[0].padding | length >= 1000 and length < 1100'
}

@test "one record breaks every page that it is on, and no other" {
  id=$(control GET 'record?model=units&integration=0&index=7' | jq -r .id)
  fault "$(jq -n --arg i "$id" '{fault: "wrong-types", variant: "record", record: $i, times: 0}')"
  for _ in 1 2; do
    walk /v1/units/ order-by=id:asc | jq -se '([.[] | select(type == "number")] | length) == 1 and length == 60'
  done
  get "/v1/units/$(jq -rn --arg i "$id" '$i | @uri')"
  jq -e '.results == 17' "$T/body"
  page "/v1/units/$(control GET 'record?model=units&integration=0&index=8' | jq -r '.id | @uri')" | jq -e '.results | type == "object"'
  page /v1/leases/ | jq -e '.results | all(type == "object")'
}

@test "answers stall, trickle, or lead elsewhere" {
  fault '{"fault":"stall","seconds":0.5}'
  is 28 "$(MAX=0.2 curl_code "$units")"
  fault '{"fault":"stall","seconds":0.3}'
  is 0 "$(MAX=2 curl_code "$units")"
  fault '{"fault":"slow","bytes":200,"interval_ms":20}'
  get "$units" -w '%{http_code} %{time_total}'
  bytes=$(wc -c <"$T/body")
  awk -v t="${status#* }" -v b="$bytes" 'BEGIN { exit !(t > b / 200 * 0.02 * 0.5) }'
  jq -e '.results | length == 5' "$T/body"
  fault '{"fault":"redirect","location":"http://127.0.0.1:9"}'
  get "$units"
  is 302 "$status"
  is "http://127.0.0.1:9$units" "$(header location)"
}

@test "rules hit what they name: path, model, integration, kind, offset; after, times, probability" {
  hit() { get "$1"; is "$2" "$status"; }
  fault '{"fault":"status","path":"/v1/leases"}'
  hit /v1/units/ 200
  hit /v1/leases/ 500
  fault '{"fault":"status","model":"residents","kind":"get"}'
  hit /v1/residents/ 200
  hit "/v1/residents/$(control GET 'record?model=residents&integration=0&index=0' | jq -r '.id | @uri')" 500
  fault '{"fault":"status","integration":1}'
  hit "/v1/units/?integration_id=$(control GET integrations | jq -r '.[0].id')" 200
  hit "/v1/units/?integration_id=$(control GET integrations | jq -r '.[1].id')" 500
  fault '{"fault":"status","offset":20,"kind":"list"}'
  hit '/v1/units/?offset=10' 200
  hit '/v1/units/?offset=20' 500
  fault '{"fault":"status","kind":"integrations"}'
  hit /v1/units/ 200
  hit /v1/admin/integrations/ 500
  fault '{"fault":"status","after":2,"times":2}'
  for want in 200 200 500 500 200; do hit /v1/units/ $want; done
  control POST fault/clear
  n=$(control POST fault '{"fault":"status","times":0,"probability":0.5,"seed":3}' | jq .fault)
  for _ in $(seq 40); do get /v1/units/; done
  control GET faults | jq -e --argjson n "$n" 'length == 1 and .[0].fault == $n and .[0].matched == 40 and .[0].hits > 8 and .[0].hits < 32'
  [ "$(stat_of .faults)" -gt 8 ]
  control POST fault/clear "{\"fault\":$n}"
  control GET faults | jq -e '. == []'
}

@test "a rule that makes no sense is refused" {
  for bad in '{}' '{"fault":"nonsense"}' '{"fault":"status","status":9}' '{"fault":"status","model":"x"}' \
    '{"fault":"status","integration":77}' '{"fault":"huge","bytes":-1}' 'x'; do
    refused fault "$bad"
  done
  control GET faults | jq -e '. == []'
}
