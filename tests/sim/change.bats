#!/usr/bin/env bats
# The control address: data that changes, and what else tests can turn.

load lib

setup_file() {
  begin
  start main --rate-limit 0 --total 700 --first-sync-pending 1 --integrations 4
}

teardown_file() { finish; }

# create|update|...: the id of the first record that the call names.
first_id() { control POST "$1" "$2" | jq -r '.records[0].id'; }
diffs() { page "/v1/admin/data-diffs/?limit=250&order-by=created_at:asc" | jq -c '.results[]'; }
total() { page "/v1/$1/?limit=1" | jq .meta.total; }

@test "create: a record at the end, with the tokens that were given" {
  n=$(total units)
  id=$(first_id create '{"model":"units","set":{"rent_amount_market_in_cents":1.10,"number":"\u0041/1","brand_new":[1e2]}}')
  page "/v1/units/$id" | grep -qF '"rent_amount_market_in_cents":1.10'
  grep -qF '"number":"\u0041/1"' "$T/body"
  grep -qF '"brand_new":[1e2]' "$T/body"
  is $((n + 1)) "$(total units)"
  is "$id" "$(page '/v1/units/?limit=1' | jq -r '.results[0].id')"
  is "$id" "$(walk /v1/units/ order-by=created_at:asc,id:asc | jq -r .id | tail -n 1)"
  id=$(first_id create '{"model":"units","id":"an odd/id","integration":1}')
  page /v1/units/an%20odd%2Fid | jq -e '.results.id == "an odd/id"'
  refused create '{"model":"units","id":"an odd/id"}'
  refused create '{"model":"nonsense"}'
  refused create '{"model":"units","integration":99}'
  refused create '{"model":"units","set":{"id":"x"}}'
  is 5 "$(control POST create '{"model":"leads","count":5}' | jq '.records | length')"
}

@test "create below a parent, and an appointment" {
  parent=$(control GET 'truth?model=construction-jobs&ids=1' | jq -r .id | head -n 1)
  id=$(control POST create "$(jq -n --arg p "$parent" '{model: "construction-job-details", parent: $p}')" | jq -r '.records[0].id')
  page "/v1/construction-jobs/$(jq -rn --arg p "$parent" '$p | @uri')/details?limit=250" | jq -e --arg i "$id" '.results | any(.id == $i)'
  is "$parent" "$(control GET 'truth?model=construction-job-details&ids=1' | jq -r --arg i "$id" 'select(.id == $i) | .parent')"
  refused create '{"model":"contracts","parent":"nobody"}'
  n=$(total appointments) e=$(total events)
  control POST create '{"model":"appointments"}'
  is $((n + 1)) "$(total appointments)"
  is $((e + 1)) "$(total events)"
  control POST create '{"model":"events","set":{"appointment_datetime":null}}'
  is $((n + 1)) "$(total appointments)"
}

@test "update: other values, a later updated_at, a diff that names both" {
  id=$(first_id update '{"model":"residents"}')
  before=$(page "/v1/residents/$(jq -rn --arg i "$id" '$i | @uri')" | jq -c .results)
  control POST update "$(jq -n --arg i "$id" '{model: "residents", id: $i, set: {first_name: "Eda", leases_meta_data: []}}')"
  after=$(page "/v1/residents/$(jq -rn --arg i "$id" '$i | @uri')" | jq -c .results)
  is Eda "$(jq -r .first_name <<<"$after")"
  is '[]' "$(jq -c .leases_meta_data <<<"$after")"
  [ "$(jq -r .updated_at <<<"$after")" '>' "$(jq -r .updated_at <<<"$before")" ]
  is "$(jq -r .created_at <<<"$before")" "$(jq -r .created_at <<<"$after")"
  is "$(jq -cS 'del(.first_name, .leases_meta_data, .updated_at, .last_seen)' <<<"$before")" \
    "$(jq -cS 'del(.first_name, .leases_meta_data, .updated_at, .last_seen)' <<<"$after")"
  diffs | tail -n 1 | jq -e --arg i "$id" --argjson b "$before" '
    .model == "residents" and .model_record_id == $i and .event_type == "UPDATE" and .data_diff.new.first_name == "Eda" and
    .data_diff.previous.first_name == $b.first_name and (.data_diff.new | has("leases_meta_data") | not) and
    (.data_diff.new | has("updated_at") | not) and .job_id != null'
  # a derived twin follows without being named
  id=$(first_id update '{"model":"units","set":{"street_address_1":"1 Main St"}}')
  page "/v1/units/$(jq -rn --arg i "$id" '$i | @uri')" | jq -e '.results.address_1 == "1 Main St"'
  diffs | tail -n 1 | jq -e '.data_diff.new | has("street_address_1") and (has("address_1") | not)'
  is 4 "$(control POST update '{"model":"units","count":4}' | jq '.records | length')"
  refused update '{"model":"units","id":"nobody"}'
  n=$(diffs | wc -l)
  control POST update '{"model":"units","diffs":false}'
  is "$n" "$(diffs | wc -l)"
}

@test "an update without values changes some by itself, differently each time" {
  id=$(first_id update '{"model":"leads"}')
  uri=$(jq -rn --arg i "$id" '$i | @uri')
  for _ in 1 2 3 4 5; do
    page "/v1/leads/$uri" | jq -cS '.results | del(.updated_at, .last_seen)' >>"$T/seen"
    control POST update "$(jq -n --arg i "$id" '{model: "leads", id: $i}')" >/dev/null
  done
  is 5 "$(sort -u "$T/seen" | wc -l)"
}

@test "touch moves last_seen alone, unless a quirk says otherwise" {
  id=$(first_id touch '{"model":"leases"}')
  uri=$(jq -rn --arg i "$id" '$i | @uri')
  a=$(page "/v1/leases/$uri" | jq -c .results)
  n=$(diffs | wc -l)
  control POST touch "$(jq -n --arg i "$id" '{model: "leases", id: $i}')"
  b=$(page "/v1/leases/$uri" | jq -c .results)
  is "$(jq -c 'del(.last_seen)' <<<"$a")" "$(jq -c 'del(.last_seen)' <<<"$b")"
  [ "$(jq -r .last_seen <<<"$b")" '>' "$(jq -r .last_seen <<<"$a")" ]
  is "$n" "$(diffs | wc -l)"
  control POST touch "$(jq -n --arg i "$id" '{model: "leases", id: $i, event: true}')"
  diffs | tail -n 1 | jq -e '.data_diff.new | keys == ["last_seen"]'
  control POST settings '{"quirk":"touch-moves-updated-at"}'
  control POST touch "$(jq -n --arg i "$id" '{model: "leases", id: $i}')"
  [ "$(page "/v1/leases/$uri" | jq -r .results.updated_at)" '>' "$(jq -r .updated_at <<<"$b")" ]
  control POST settings '{"quirk":"touch-moves-updated-at","on":false}'
}

@test "delete: gone from every page and by id, and nothing says so; it may come back" {
  n=$(total leads) d=$(diffs | wc -l)
  id=$(first_id delete '{"model":"leads","integration":0}')
  uri=$(jq -rn --arg i "$id" '$i | @uri')
  is $((n - 1)) "$(total leads)"
  get "/v1/leads/$uri"
  error_is 404 NOT_FOUND
  for o in created_at:asc,id:asc updated_at:desc id:asc; do
    [ -z "$(walk /v1/leads/ "order-by=$o" | jq -r --arg i "$id" 'select(.id == $i)')" ]
  done
  is "$d" "$(diffs | wc -l)"
  refused delete "$(jq -n --arg i "$id" '{model: "leads", id: $i}')"
  control POST create "$(jq -n --arg i "$id" '{model: "leads", id: $i, integration: 0}')"
  page "/v1/leads/$uri" >/dev/null
  control POST delete "$(jq -n --arg i "$id" '{model: "leads", id: $i}')"
  get "/v1/leads/$uri"
  is 404 "$status"
  control POST create "$(jq -n --arg i "$id" '{model: "leads", id: $i, integration: 0}')"
  page "/v1/leads/$uri" >/dev/null
  is $((n)) "$(total leads)"
  # children of a vanished parent cannot be reached
  parent=$(control GET 'truth?model=purchase-order-items&ids=1' | jq -r .parent | head -n 1)
  control POST delete "$(jq -n --arg i "$parent" '{model: "purchase-orders", id: $i}')"
  get "/v1/purchase-orders/$(jq -rn --arg i "$parent" '$i | @uri')/items"
  error_is 404 NOT_FOUND
  control GET 'truth?model=purchase-order-items&ids=1' >"$T/items"
  [ -z "$(jq -r --arg p "$parent" 'select(.parent == $p)' "$T/items")" ]
  # nor are they taken at random
  for _ in 1 2 3 4 5; do control POST update '{"model":"purchase-order-items","count":20}'; done | jq -r '.records[].id' | sort -u >"$T/taken"
  [ "$(wc -l <"$T/taken")" -gt 1 ]
  [ -z "$(jq -r .id "$T/items" | sort | comm -13 - "$T/taken")" ]
}

@test "sync: changes, last_seen of what it saw, its end in the integration and the job log" {
  sync_of() { page "/v1/admin/integrations/$(control GET integrations | jq -r '.[0].id')/" | jq -r "$1"; }
  before=$(sync_of .results.last_completed_sync) n=$(diffs | wc -l)
  control GET 'truth?integration=0' | jq -c '[.model, .id, .record.last_seen]' | sort >"$T/before"
  control POST sync '{"integration":0,"creates":3,"updates":20,"failed":2}'
  [ "$(sync_of .results.last_completed_sync)" '>' "$before" ]
  is false "$(sync_of .results.is_running_sync)"
  [ "$(diffs | wc -l)" -ge $((n + 20)) ]
  control GET 'truth?integration=0' | jq -c '[.model, .id, .record.last_seen]' | sort >"$T/after"
  [ "$(comm -13 "$T/before" "$T/after" | wc -l)" -gt $(($(wc -l <"$T/after") / 2)) ]
  [ "$(comm -12 "$T/before" "$T/after" | wc -l)" -gt 0 ] # outside the window
  page '/v1/admin/logs/jobs/?status=FAILURE&limit=2' | jq -e '.results | map(.created_at) | all(. > "2026-02-01")'
  before=$(sync_of .results.last_completed_sync)
  control POST sync '{"integration":0,"finished":false}'
  is "$before" "$(sync_of .results.last_completed_sync)"
  control POST sync '{"integration":0,"updates":5,"duration_ms":2000,"models":["units","leases"]}'
  is true "$(sync_of .results.is_running_sync)"
  refused sync '{"integration":0}'
  is '{"idle":true}' "$(control POST wait)"
  is false "$(sync_of .results.is_running_sync)"
  diffs | tail -n 5 | jq -se 'map(.model) | all(. == "units" or . == "leases")'
  refused sync '{"integration":0,"models":["nonsense"]}'
  refused sync '{"integration":3}'
}

@test "back-sync: records change, no diffs, its own field moves" {
  id=$(control GET integrations | jq -r '.[1].id')
  control GET 'truth?integration=1' | jq -c '[.model, .id, .record.updated_at]' | sort >"$T/before"
  before=$(page "/v1/admin/integrations/$id/" | jq -c '[.results.last_completed_sync, .results.last_completed_back_sync]') n=$(diffs | wc -l)
  control POST back-sync '{"integration":1,"creates":5,"updates":50}'
  after=$(page "/v1/admin/integrations/$id/" | jq -c '[.results.last_completed_sync, .results.last_completed_back_sync]')
  is "$(jq '.[0]' <<<"$before")" "$(jq '.[0]' <<<"$after")"
  jq -ne --argjson a "$after" --argjson b "$before" '$a[1] > ($b[1] // "")'
  is "$n" "$(diffs | wc -l)"
  control GET 'truth?integration=1' | jq -c '[.model, .id, .record.updated_at]' | sort >"$T/after"
  [ "$(comm -13 "$T/before" "$T/after" | wc -l)" -gt 30 ]
  control POST settings '{"quirk":"diffs-silent-syncs"}'
  control POST back-sync '{"integration":1,"updates":5}'
  is $((n + 5)) "$(diffs | wc -l)"
  control POST settings '{"quirk":"diffs-silent-syncs","on":false}'
}

@test "first sync: part of the records before, all after; schedule by schedule" {
  start first --rate-limit 0 --records units=300 --records leases=300 --integrations 2 --first-sync-pending 1
  count() { control GET "truth?integration=1&model=$1&ids=1" | wc -l; }
  id=$(control GET integrations | jq -r '.[1].id')
  page "/v1/admin/integrations/$id/" | jq -e '.results.last_completed_sync == null'
  is 60 "$(count units)"
  control POST create '{"model":"units","integration":1}'
  control POST delete "$(control GET 'truth?integration=1&model=units&ids=1' | tail -n 1 | jq -c '{model, id}')"
  is 0 "$(diffs | wc -l)"
  control POST first-sync '{"integration":1,"models":["units"]}'
  is 150 "$(count units)"
  is 60 "$(count leases)"
  is pending "$(control GET integrations | jq -r '.[1].phase')"
  control POST first-sync
  is 150 "$(count leases)"
  is active "$(control GET integrations | jq -r '.[1].phase')"
  page "/v1/admin/integrations/$id/" | jq -e '.results.last_completed_sync > "2026"'
  refused first-sync '{"integration":1}'
  is 150 "$(walk /v1/units/ "integration_id=$id&order-by=created_at:asc,id:asc" | jq -r .id | sort -u | wc -l)"
  stop first
}

@test "hydration: a stub first, then its members in steps" {
  n=$(diffs | wc -l)
  id=$(first_id hydrate '{"model":"residents","steps":3,"interval_ms":500}')
  nulls=$(page "/v1/residents/$id" | jq '[.results[] | select(. == null)] | length')
  control POST wait
  [ "$(page "/v1/residents/$id" | jq '[.results[] | select(. == null)] | length')" -lt $((nulls - 5)) ]
  is "NEW UPDATE UPDATE UPDATE" "$(diffs | tail -n +$((n + 1)) | jq -r .event_type | xargs)"
}

join_models() { sed -n 's/^	{"\([a-z_]*\)", "[a-z-]*", "[a-z_]*"},$/\1/p' "$BATS_TEST_DIRNAME/../../src/sim/join.c" | sort -u; }

@test "joins: rows come and change, and their parents with them, silently" {
  start joins --rate-limit 0 --total 300 --integrations 1
  control GET truth >"$T/before"
  for m in $(join_models); do
    control POST join "{\"model\":\"$m\"}" | jq -c --arg m "$m" '. + {m: $m}'
  done >"$T/answers"
  diffs | jq -r '[.model, .event_type, .model_record_id] | @tsv' >"$T/diffs"
  jq -r '[.m, "NEW", .record_id] | @tsv' "$T/answers" | cmp - "$T/diffs"
  # exactly the parents' records are others now, and their updated_at stayed
  control GET truth >"$T/after"
  diff "$T/before" "$T/after" | sed -n 's/^> //p' | jq -r '[.model, .id] | @tsv' | grep -v ^appointments | sort >"$T/changed"
  jq -r '.parents[] | [.model, .id] | @tsv' "$T/answers" | sort -u | cmp - "$T/changed"
  diff "$T/before" "$T/after" | sed -n 's/^[<>] //p' | jq -r '[.model, .id, .record.updated_at] | @tsv' | sort | uniq -c | awk '$1 != 2 { exit 1 }'
  is 28 "$(join_models | wc -l)"
  stop joins
}

@test "a join's two sides say the same, and an update keeps the row's id" {
  both() {
    control GET truth | jq -c --arg l "$l" --arg r "$r" 'select(.id == $l or .id == $r) |
      (.record.residents_meta_data // .record.leases_meta_data)[] | select(.resident_id == $r or .lease_id == $l) | del(.resident_id, .lease_id)' >"$T/both"
    is 2 "$(wc -l <"$T/both")"
    is 1 "$(sort -u "$T/both" | wc -l)"
  }
  answer=$(control POST join '{"model":"residents_to_leases","op":"new"}')
  l=$(jq -r '.parents[] | select(.model == "leases") | .id' <<<"$answer") r=$(jq -r '.parents[] | select(.model == "residents") | .id' <<<"$answer")
  diffs | tail -n 1 | jq -e --arg l "$l" --arg r "$r" '.data_diff.new | .lease_id == $l and .resident_id == $r'
  both
  cp "$T/both" "$T/was"
  integ=$(jq -r '.parents[0].integration_id' <<<"$answer")
  again=$(control POST join "$(jq -n --arg l "$l" --arg r "$r" --arg i "$integ" '{model: "residents_to_leases", op: "update", integration: $i, parents: [$l, $r]}')")
  is "$(jq -r .record_id <<<"$answer")" "$(jq -r .record_id <<<"$again")"
  both
  ! cmp -s "$T/both" "$T/was" || fail "they have not changed"
  diffs | tail -n 1 | jq -e '.event_type == "UPDATE" and (.data_diff.new | has("lease_id") | not)'
  control POST settings '{"quirk":"diffs-no-joins"}'
  n=$(diffs | wc -l)
  control POST join '{"model":"resident_pets"}'
  is "$n" "$(diffs | wc -l)"
  control POST settings '{"quirk":"diffs-no-joins","on":false}'
  control POST settings '{"quirk":"join-moves-updated-at"}'
  p=$(control POST join '{"model":"resident_pets"}' | jq -r '.parents[0].id | @uri')
  page "/v1/residents/$p" | jq -e '.results.updated_at > "2026-02-01"'
  control POST settings '{"quirk":"join-moves-updated-at","on":false}'
  refused join '{"model":"residents"}'
  refused join '{"model":"nonsense"}'
}

@test "events of models that only events show" {
  control GET truth >"$T/before"
  id=$(control POST event '{"model":"crm_events"}' | jq -r .record_id)
  diffs | tail -n 1 | jq -e --arg i "$id" '.model == "crm_events" and .event_type == "NEW" and .model_record_id == $i'
  control GET truth | cmp - "$T/before"
}

@test "data diffs: bounds, filters, spelling, plain NEW" {
  start dd --rate-limit 0 --total 400
  control POST create '{"model":"vendors","integration":0}'
  t=$(diffs | jq -r .created_at)
  sleep 0.01
  control POST update '{"model":"service-requests","integration":1}'
  is 2 "$(diffs | wc -l)"
  page "/v1/admin/data-diffs/?after=$t" | jq -e '.results | length == 2'
  page "/v1/admin/data-diffs/?before=$t" | jq -e '.results | length == 1 and .[0].model == "service_request_vendors" and (.[0].data_diff | has("new"))'
  page "/v1/admin/data-diffs/?after=2030-01-01T00:00:00Z" | jq -e '.results == []'
  page "/v1/admin/data-diffs/?integration_id=$(control GET integrations | jq -r '.[1].id')" | jq -e '.results | length == 1 and .[0].model == "service_requests"'
  page /v1/admin/data-diffs/ | jq -e '.results[0].model == "service_requests"'
  get '/v1/admin/data-diffs/?after=soon'
  error_is 400 VALIDATION_ERROR
  control POST settings '{"quirk":"diffs-kebab"}'
  control POST settings '{"quirk":"diffs-plain-new"}'
  control POST settings '{"quirk":"diff-updated-at"}'
  control POST create '{"model":"service-requests"}'
  diffs | tail -n 1 | jq -e '.model == "service-requests" and (.data_diff | has("id") and (has("new") | not))'
  control POST update '{"model":"service-requests"}'
  diffs | tail -n 1 | jq -e '.data_diff.new | has("updated_at")'
  stop dd
}

storm() {
  start storm --rate-limit 0 --seed 5 --integrations 2 --records residents=60 --records leases=40 --records units=30 --records events=30 \
    --records properties=4 --records purchase-orders=4 --records purchase-order-items=12 --records construction-jobs=4 \
    --records construction-job-details=6 --records contracts=6 --records contract-details=9
  for m in residents units appointments contracts contract-details purchase-order-items; do
    control POST create "{\"model\":\"$m\",\"count\":9}"
  done
  control POST sync '{"integration":0,"creates":30,"updates":60}'
  control POST back-sync '{"integration":1,"creates":30,"updates":60}'
  for m in residents events units contracts purchase-orders; do
    control POST delete "{\"model\":\"$m\"}"
  done
}

@test "after a storm of changes the pages still are the truth, and the same storm gives the same data" {
  storm
  pages_all >"$T/walked"
  truth_lines >"$T/lines"
  cmp "$T/walked" "$T/lines"
  # ids and times hold the clock
  same='.record | del(.id, .updated_at, .created_at, .last_seen)'
  control GET 'truth?model=units' | jq -cS "$same" >"$T/first"
  [ "$(wc -l <"$T/first")" -gt 38 ]
  stop storm
  storm
  control GET 'truth?model=units' | jq -cS "$same" | cmp - "$T/first"
  stop storm
}

@test "a lag holds back what the API shows, not what is announced" {
  control POST settings '{"lag_ms":4000}'
  n=$(diffs | wc -l) u=$(total units)
  id=$(first_id create '{"model":"units"}')
  is $((n + 1)) "$(diffs | wc -l)"
  get "/v1/units/$id"
  is 404 "$status"
  is "$u" "$(total units)"
  is '{"idle":false}' "$(control POST wait '{"timeout_ms":50}')"
  is '{"idle":true}' "$(control POST wait)"
  page "/v1/units/$id" >/dev/null
  is $((u + 1)) "$(total units)"
  control POST settings '{"lag_ms":0}'
}

@test "integrations are renamed, disabled, archived, removed, added; models switched off" {
  id=$(control GET integrations | jq -r '.[2].id')
  one() { page "/v1/admin/integrations/$id/" | jq -r ".results$1"; }
  op() { control POST integration "{\"integration\":2,\"op\":\"$1\",\"name\":\"New / Name\"}"; }
  op rename
  is 'New / Name' "$(one .name)"
  op disable
  is false "$(one .active)"
  op enable
  is true "$(one .active)"
  op archive
  is true "$(one .is_archived)"
  op unarchive
  is false "$(one .is_archived)"
  op syncing
  is true "$(one .is_running_sync)"
  control POST integration '{"integration":2,"op":"syncing","on":false}'
  is false "$(one .is_running_sync)"
  n=$(total units) mine=$(control GET 'truth?integration=2&model=units&ids=1' | wc -l)
  op remove
  get "/v1/admin/integrations/$id/"
  error_is 404 NOT_FOUND
  is $((n - mine)) "$(total units)"
  op restore
  is "$n" "$(total units)"
  refused integration '{"integration":2,"op":"nonsense"}'
  control POST model '{"integration":2,"model":"units","enabled":false}'
  is false "$(one .models.units.enabled)"
  is $((n - mine)) "$(total units)"
  refused create '{"integration":2,"model":"units"}'
  control POST model '{"integration":2,"model":"units","enabled":true}'
  is "$n" "$(total units)"
  new=$(control POST integration '{"op":"add","name":"Nine","records":9,"pending":true}' | jq -r .id)
  is $((n + 3)) "$(total units)" # the first sync shows two fifths
  page "/v1/admin/integrations/$new/" | jq -e '.results.name == "Nine" and .results.last_completed_sync == null'
  control POST first-sync "{\"integration\":\"$new\"}"
  is $((n + 9)) "$(total units)"
}

@test "permissions, keys and accounts" {
  control POST permission '{"model":"leases","allowed":false}'
  get /v1/leases/
  error_is 403 FORBIDDEN
  get "/v1/leases/$(control GET 'record?model=leases&index=0' | jq -r '.id | @uri')"
  error_is 403 FORBIDDEN
  is 0 "$(control GET 'truth?model=leases' | wc -l)"
  # it is the key's, not the integrations'
  control POST integration '{"op":"add","name":"Ten","records":3}'
  get /v1/leases/
  error_is 403 FORBIDDEN
  control POST permission '{"model":"leases","allowed":true}'
  page /v1/leases/ >/dev/null
  control POST permission '{"model":"leases","allowed":false,"integration":0}'
  page /v1/leases/ | jq -e --arg i "$(control GET integrations | jq -r '.[0].id')" '.results | length > 0 and all(.integration_id != $i)'
  get "/v1/leases/?integration_id=$(control GET integrations | jq -r '.[0].id')"
  error_is 403 FORBIDDEN
  control POST permission '{"model":"leases","allowed":true}'
  control POST key '{"revoke":true}'
  get /v1/leases/
  error_is 401 UNAUTHORIZED
  control POST key '{"revoke":false}'
  page /v1/leases/ >/dev/null
  control POST key '{"add":"second"}'
  control POST key '{"remove":"sim-key"}'
  get /v1/leases/
  is 401 "$status"
  H='Authorization: Bearer second' get /v1/leases/
  is 200 "$status"
  control POST key '{"add":"sim-key"}'
  control GET truth >"$T/before"
  control POST account '{"show":"none"}'
  page /v1/admin/integrations/ | jq -e '.results == []'
  is 0 "$(control GET truth | wc -l)"
  control POST account '{"show":"other"}'
  page /v1/admin/integrations/ | jq -e '.results | length == 2'
  [ "$(control GET truth | wc -l)" -gt 0 ]
  [ -z "$(control GET 'truth?ids=1' | jq -r .integration_id | sort -u | grep -Ff <(jq -r .integration_id "$T/before" | sort -u))" ]
  control POST account '{"show":"all"}'
  control GET truth | cmp - "$T/before"
  refused account '{"show":"what"}'
}

@test "statistics and the list of requests" {
  control POST stats/reset
  page '/v1/units/?limit=3' >/dev/null
  get /v1/units/nobody
  get /v1/nonsense
  id=$(control GET 'record?model=construction-jobs&index=0' | jq -r '.id | @uri')
  page "/v1/construction-jobs/$id/details" >/dev/null
  page /v1/admin/integrations/ >/dev/null
  page /v1/webhooks/ >/dev/null
  control GET stats | jq -e '.requests == 6 and .by_class.list == 1 and .by_class.get == 1 and .by_class.unknown == 1 and .by_class.sub == 1 and
    .by_class.integrations == 1 and .by_class.webhooks == 1 and .by_model.units == {list: 1, get: 1} and .by_status == {"200": 4, "404": 2} and
    .by_method == {GET: 6} and .results >= 3 and .bytes > 1000 and .rate.limit == 0'
  control GET requests | tail -n 6 | head -n 1 | jq -e '.uri == "/v1/units/?limit=3" and .status == 200 and .class == "list" and .model == "units" and .limit == 3 and .results == 3'
  seq=$(control GET requests | tail -n 2 | head -n 1 | jq .seq)
  is 1 "$(control GET "requests?since=$seq" | wc -l)"
  control POST stats/reset
  is 0 "$(stat_of .requests)"
}

@test "truth and record look at parts" {
  control GET 'truth?integration=0&model=units' >"$T/t"
  jq -se --arg i "$(control GET integrations | jq -r '.[0].id')" 'length > 0 and all(.integration_id == $i and .model == "units")' "$T/t"
  control GET 'truth?integration=0&model=units&ids=1' | jq -se 'all(has("record") | not)'
  is "$(control GET integrations | jq '.[0].models.units.records')" "$(wc -l <"$T/t")"
  is "$(jq -c .record "$T/t" | sed -n 3p)" "$(control GET 'record?integration=0&model=units&index=2' | jq -c .)"
  id=$(jq -r '.id | @uri' "$T/t" | head -n 1)
  is "$(jq -c .record "$T/t" | head -n 1)" "$(control GET "record?model=units&id=$id" | jq -c .)"
  is 400 "$(curl -gsS -o /dev/null -w '%{http_code}' "$URL/_control/record?model=units&id=nobody")"
  is 400 "$(curl -gsS -o /dev/null -w '%{http_code}' "$URL/_control/truth?model=nonsense")"
  is 400 "$(curl -gsS -o /dev/null -w '%{http_code}' "$URL/_control/nonsense")"
  refused update 'no json'
  refused update '[1]'
  refused update '{"model":"units"'
}

@test "the live mode updates records by itself, and stops when told" {
  start live --live 0.05 --total 400 --rate-limit 0
  until_true 5 eval '[ "$(diffs | wc -l)" -ge 6 ]'
  control POST settings '{"live":0}'
  sleep 0.1
  n=$(diffs | wc -l)
  sleep 0.2
  is "$n" "$(diffs | wc -l)"
  control POST settings '{"live":0.05}'
  until_true 5 eval '[ "$(diffs | wc -l)" -gt "$n" ]'
  stop live
}
