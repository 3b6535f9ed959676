#!/usr/bin/env bats
# The simulated API as a client sees it, against the reference.

load lib

setup_file() {
  begin
  start main --rate-limit 0 --total 2000
}

teardown_file() { finish; }

@test "a good key is needed, and several may be" {
  run curl -gsS -o /dev/null -w '%{http_code}' "$URL/v1/residents/"
  is 401 "$output"
  for auth in 'Bearer' 'Bearer ' 'Bearer sim-keyy' 'Bearer sim-ke' 'Basic sim-key' 'sim-key'; do
    H="Authorization: $auth" get /v1/residents/
    error_is 401 UNAUTHORIZED
  done
  get /v1/residents/
  is 200 "$status"
  start keys --key one --key two
  get /v1/residents/
  is 401 "$status"
  H='Authorization: Bearer two' get /v1/residents/
  is 200 "$status"
  H='Authorization: Bearer one' get /v1/residents/
  is 200 "$status"
  stop keys
}

@test "every collection serves the truth, for all 59 models" {
  start walked --rate-limit 0 --total 700
  pages_all >"$T/walked"
  truth_lines >"$T/lines"
  is 59 "$(cut -d'"' -f2 "$T/lines" | sort -u | wc -l)"
  cmp "$T/walked" "$T/lines"
  stop walked
}

@test "page by page it is the same, without a gap or a double" {
  control GET truth >"$T/truth"
  for m in residents appointments unit-details fees; do
    LIMIT=17 walk "$(list_paths $m)" order-by=created_at:asc,id:asc | sort >"$T/walked"
    jq -c --arg m $m 'select(.model == $m) | .record' "$T/truth" | sort | cmp - "$T/walked"
  done
}

@test "rows below a parent come with it, and only there" {
  control GET truth >"$T/truth"
  for m in construction-job-details contracts contract-details purchase-order-items; do
    jq -es --arg m "$m" 'map(select(.model == $m)) | length > 0 and all(.parent != null)' "$T/truth" >/dev/null
    get "/v1/$m/"
    error_is 404 NOT_FOUND
  done
  jq -es 'map(select(.model == "residents")) | all(.parent == null)' "$T/truth" >/dev/null
  get /v1/construction-jobs/none/details
  error_is 404 NOT_FOUND
  id=$(jq -r 'select(.model == "purchase-order-items") | .parent | @uri' "$T/truth" | head -n 1)
  page "/v1/purchase-orders/$id/items" | jq -e --arg p "$id" '.results | length > 0 and all(.purchase_order_id | @uri == $p)'
}

@test "views below a parent show the records of a collection" {
  control GET truth >"$T/truth"
  for m in applicant lead resident; do
    id=$(jq -r --arg k "${m}_id" 'select(.model == "rentable-items") | .record[$k] // empty' "$T/truth" | head -n 1)
    page "/v1/${m}s/$(jq -rn --arg i "$id" '$i | @uri')/rentable-items?limit=250" |
      jq -S --arg k "${m}_id" '.results | map(.id) | sort' >"$T/got"
    jq -Ss --arg k "${m}_id" --arg i "$id" \
      'map(select(.model == "rentable-items" and .record[$k] == $i) | .id) | sort' "$T/truth" >"$T/want"
    cmp "$T/got" "$T/want"
    [ "$(jq length "$T/want")" -gt 0 ]
  done
  id=$(jq -r 'select(.model == "vendors") | .record.property_id' "$T/truth" | head -n 1)
  page "/v1/vendors/properties/$(jq -rn --arg i "$id" '$i | @uri')" |
    jq -e --arg i "$id" '.results | length > 0 and all(.property_id == $i)'
}

@test "a record by id is the record of its collection, whatever the id holds" {
  walk /v1/residents/ order-by=id:asc >"$T/all"
  [ "$(wc -l <"$T/all")" -gt 50 ]
  jq -r --arg u "$URL" '"url = \"\($u)/v1/residents/\(.id | @uri)\""' "$T/all" >"$T/urls"
  curl -gfsS -H "$H" -K "$T/urls" >"$T/pages"
  jq -c .results "$T/pages" | cmp - "$T/all"
  jq -es 'all(.meta | has("orderBy"))' "$T/pages"
  control GET 'truth?ids=1' >"$T/truth"
  for m in units/details:unit-details units:units vendors:vendors service-request-history:service-request-history; do
    id=$(jq -r --arg m "${m#*:}" 'select(.model == $m) | .id | @uri' "$T/truth" | tail -n 1)
    page "/v1/${m%:*}/$id" >/dev/null
  done
}

@test "ids are odd in places, and none is taken by a word of a path" {
  control GET 'truth?ids=1' | jq -r .id >"$T/ids"
  for pattern in / ' ' % '^\.' '^-' : '~' '[?]' '+' '"' 'LLLLL' '日本' '^ca.*'; do
    grep -qe "$pattern" "$T/ids" || fail "no id like $pattern"
  done
  [ "$(awk '{ if (length($0) > n) n = length($0) } END { print n }' "$T/ids")" -ge 300 ]
  for length in 24 31 35; do grep -qx "c.\{$length\}" "$T/ids"; done
  ! grep -qxE 'details|pricing' "$T/ids" || fail "an id like a word"
  is "$(control GET 'truth?ids=1&model=residents' | wc -l)" "$(control GET 'truth?ids=1&model=residents' | jq -r .id | sort -u | wc -l)"
}

@test "an id that is not there: 404 with the error body" {
  get /v1/residents/nobody
  error_is 404 NOT_FOUND
  get /v1/timezones/nobody
  error_is 404 NOT_FOUND
  get /v2/residents/
  error_is 404 NOT_FOUND
}

@test "limit and offset have bounds" {
  for q in limit=251 limit=0 limit=-1 limit=x limit= offset=-1 offset=x limit=1.5; do
    get "/v1/residents/?$q"
    error_is 400 VALIDATION_ERROR
  done
  page '/v1/residents/?limit=250' | jq -e '.meta.limit == 250 and .meta.offset == 0'
  page '/v1/units/?limit=1&offset=2' | jq -e '.meta.limit == 1 and .meta.offset == 2 and .meta.hasMore == true and (.results | length) == 1'
  page /v1/units/ | jq -e '.meta.limit == 100 and .meta.offset == 0'
  total=$(page '/v1/units/?limit=1' | jq .meta.total)
  is "$total" "$(control GET 'truth?ids=1&model=units' | wc -l)"
  page "/v1/units/?offset=$total" | jq -e '.results == [] and .meta.hasMore == false'
  page "/v1/units/?limit=1&offset=$((total - 1))" | jq -e '(.results | length) == 1 and .meta.hasMore == false'
}

@test "meta comes in four kinds" {
  start meta --rate-limit 0 --records units=5
  page '/v1/units/?limit=2' | jq -e '.meta | keys == ["hasMore", "limit", "offset", "orderBy", "total"]'
  control POST settings '{"meta":"no-total"}'
  page '/v1/units/?limit=2' | jq -e '.meta | keys == ["hasMore", "limit", "offset", "orderBy"]'
  control POST settings '{"meta":"minimal"}'
  page '/v1/units/?limit=2' | jq -e '.meta | keys == ["orderBy"]'
  control POST settings '{"meta":"null-hasmore"}'
  page '/v1/units/?limit=2' | jq -e '.meta | has("hasMore") and .hasMore == null'
  refused settings '{"meta":"what"}'
  stop meta
  start meta --meta minimal --records units=5
  page '/v1/units/?limit=2' | jq -e '.meta | keys == ["orderBy"]'
  stop meta
}

@test "order-by: the default, several fields, ties, nulls, directions" {
  page '/v1/units/?limit=1' | jq -e '.meta.orderBy == [{field: "created_at", direction: "desc"}]'
  page '/v1/units/?limit=1&order-by=updated_at' | jq -e '.meta.orderBy == [{field: "updated_at", direction: "asc"}]'
  page '/v1/units/?limit=1&order-by=id:desc,created_at' |
    jq -e '.meta.orderBy == [{field: "id", direction: "desc"}, {field: "created_at", direction: "asc"}]'
  for o in created_at:asc,id:asc updated_at:desc,id:asc city:asc,zip:desc,id:asc last_seen:asc,id:desc is_available:desc,id:asc; do
    LIMIT=29 walk /v1/units/ "order-by=$o" >"$T/got"
    is "$(control GET 'truth?ids=1&model=units' | wc -l)" "$(jq -r .id "$T/got" | sort -u | wc -l)"
  done
  LIMIT=29 walk /v1/units/ order-by=created_at:asc,id:asc | jq -c '[.created_at, .id]' | sed 's/\(:[0-9][0-9]\)Z/\1.000Z/' >"$T/got"
  LC_ALL=C sort -c "$T/got"
  LIMIT=29 walk /v1/units/ order-by=city:asc,id:asc | jq -r '.city' >"$T/got"
  jq -Rse 'split("\n")[:-1] | . as $a | (map(. == "null") | index(true)) as $n | $n > 0 and ($a[$n:] | all(. == "null"))' "$T/got"
  jq -Rse 'split("\n")[:-1] | map(select(. != "null")) | . == sort' "$T/got"
  walk /v1/units/ order-by=id:asc | jq -r .id >"$T/up"
  walk /v1/units/ order-by=id:desc | jq -r .id | tac | cmp - "$T/up"
  for o in nonsense created_at:up id:asc,, created_at:asc:desc; do
    [ "$o" = id:asc,, ] && continue
    get "/v1/units/?order-by=$o"
    error_is 400 VALIDATION_ERROR
  done
}

@test "created_at and updated_at have ties, larger than a page too" {
  start ties --rate-limit 0 --integrations 1 --records residents=1600
  control GET truth | jq -r .record.created_at | sed 's/\(:[0-9][0-9]\)Z/\1.000Z/' | sort | uniq -c | sort -rn >"$T/ties"
  is 400 "$(awk 'NR == 1 { print $1 }' "$T/ties")"
  control GET truth | jq -r .record.updated_at | sed 's/\(:[0-9][0-9]\)Z/\1.000Z/' | sort | uniq -c | sort -rn | awk 'NR == 1 { exit $1 < 20 }'
  for o in created_at:asc,id:asc updated_at:asc,id:asc; do
    is 1600 "$(walk /v1/residents/ "order-by=$o" | jq -r .id | sort -u | wc -l)"
  done
  control POST settings '{"quirk":"shuffle-ties"}'
  [ "$(walk /v1/residents/ order-by=created_at:asc | jq -r .id | sort -u | wc -l)" -lt 1600 ]
  is 1600 "$(walk /v1/residents/ order-by=created_at:asc,id:asc | jq -r .id | sort -u | wc -l)"
  stop ties
}

@test "filters compare for equality, are joined with AND, and odd values are found" {
  control GET 'truth?model=residents' | jq -c .record >"$T/all"
  for member in integration_id property_id integration_vendor last_name email_1 x_id zip; do
    v=$(jq -r --arg m "$member" '.[$m] // empty' "$T/all" | sed -n 7p)
    q="$member=$(jq -rn --arg v "$v" '$v | @uri')"
    [ "$member" = x_id ] && q="$q&integration_id=$(jq -r 'select(.x_id == "'"$v"'") | .integration_id' "$T/all" | head -n 1)"
    got=$(walk /v1/residents/ "$q" | jq -r .id | sort)
    [ "$member" = x_id ] ||
      is "$(jq -r --arg m "$member" --arg v "$v" 'select(.[$m] == $v) | .id' "$T/all" | sort)" "$got"
    [ -n "$got" ]
  done
  p=$(jq -r .property_id "$T/all" | sed -n 3p)
  l=$(jq -r --arg p "$p" 'select(.property_id == $p) | .last_name // empty' "$T/all" | head -n 1)
  is "$(jq -r --arg p "$p" --arg l "$l" 'select(.property_id == $p and .last_name == $l) | .id' "$T/all" | sort)" \
    "$(walk /v1/residents/ "property_id=$(jq -rn --arg v "$p" '$v | @uri')&last_name=$(jq -rn --arg v "$l" '$v | @uri')" | jq -r .id | sort)"
  page '/v1/residents/?integration_id=nope' | jq -e '.results == []'
  page '/v1/residents/?surely_unknown=1' | jq -e '.results | length > 0'
  walk /v1/properties/ is_active=true | jq -se 'length > 0 and all(.is_active == true)'
}

@test "filters of the reference that are more than equality" {
  walk /v1/leases/ 'after_move_in_date=2023-06-01&before_move_in_date=2024-06-01' |
    jq -se 'length > 0 and all(.realized_move_in_date[:10] >= "2023-06-01" and .realized_move_in_date[:10] <= "2024-06-01")'
  walk /v1/leases/ only_null_move_outs=true | jq -se 'length > 0 and all(.realized_move_out_date == null)'
  walk /v1/resident-charges/ 'transaction_date_start=2024-01-01&transaction_date_end=2024-12-31' |
    jq -se 'length > 0 and all(.transaction_date[:4] == "2024")'
  control GET truth >"$T/truth"
  unit=$(jq -c 'select(.model == "leases" and .record.unit_id != null) | .record.unit_id as $u | .record.property_id as $p | {u: $u, p: $p}' "$T/truth" |
    while IFS= read -r l; do
      n=$(jq -r --argjson l "$l" 'select(.model == "units" and .id == $l.u) | .record.number // empty' "$T/truth")
      [ -z "$n" ] || { jq -nr --argjson l "$l" --arg n "$n" '"property_id=\($l.p | @uri)&unit_number=\($n | @uri)"'; break; }
    done)
  walk /v1/leases/ "$unit" | jq -se 'length > 0'
  walk /v1/leases/ 'resident_id=nobody&after_move_in_date=2023-06-01' | jq -se 'length > 0'
  get '/v1/residents/?phone_1=123'
  error_is 400 VALIDATION_ERROR
  get '/v1/units/?unit_number=1'
  error_is 400 VALIDATION_ERROR
  get '/v1/residents/?x_id=1'
  error_is 400 VALIDATION_ERROR
}

@test "changed-since filters: honoured, refused, or ignored" {
  control GET 'truth?model=units' | jq -c '.record | .updated_at |= sub("(?<s>:[0-9]{2})Z"; .s + ".000Z")' >"$T/all"
  mid=$(jq -r .updated_at "$T/all" | sort | sed -n "$(($(wc -l <"$T/all") / 2))p")
  jq -r --arg t "$mid" 'select(.updated_at >= $t) | .id' "$T/all" | sort >"$T/want"
  walk /v1/units/ "updated_at_gte=$mid&order-by=updated_at:asc,id:asc" | jq -r .id | sort | cmp - "$T/want"
  walk /v1/units/ "updated_at_gte=$mid&order-by=id:asc" | jq -r .id | sort | cmp - "$T/want"
  jq -r --arg t "$mid" 'select(.updated_at <= $t) | .id' "$T/all" | sort >"$T/want"
  walk /v1/units/ "updated_at_lte=$mid&order-by=updated_at:desc" | jq -r .id | sort | cmp - "$T/want"
  walk /v1/units/ last_seen_gte=2026-01-31T00:00:00Z | jq -se 'length > 0 and all(.last_seen >= "2026-01-31")'
  get '/v1/units/?updated_at_gte=yesterday'
  error_is 400 VALIDATION_ERROR
  start since --no-changed-since --rate-limit 0
  get '/v1/units/?updated_at_gte=2026-01-01T00:00:00Z'
  error_is 400 VALIDATION_ERROR
  control POST settings '{"quirk":"changed-since-400","on":false}'
  control POST settings '{"quirk":"changed-since-ignored"}'
  is "$(page '/v1/units/?limit=1' | jq .meta.total)" "$(page '/v1/units/?limit=1&updated_at_gte=2026-01-31T00:00:00Z' | jq .meta.total)"
  stop since
}

@test "other methods than GET are answered 405 and counted" {
  control POST stats/reset
  for m in POST PUT DELETE PATCH; do
    get /v1/residents/ -X "$m" -d '{}'
    error_is 405 METHOD_NOT_ALLOWED
  done
  id=$(control GET integrations | jq -r '.[0].id')
  for path in "$id/back-sync" "$id/manual-sync" "$id/data-access" ''; do
    get "/v1/admin/integrations/$path" -X POST -d '{}'
    error_is 405 METHOD_NOT_ALLOWED
  done
  is '{"DELETE":1,"PATCH":1,"POST":5,"PUT":1}' "$(control GET stats | jq -cS .by_method)"
}

@test "integrations: list, by id, filters, and what must never be shown" {
  start integs --integrations 6 --first-sync-pending 1 --disabled 1 --archived 1
  page '/v1/admin/integrations/?order-by=created_at:asc' | jq -e '.results | length == 6'
  jq -e '[.results[] | select(.is_archived)] | length == 1' "$T/body"
  jq -e '[.results[] | select(.active | not)] | length == 1' "$T/body"
  jq -e '[.results[] | select(.last_completed_sync == null)] | length == 1' "$T/body"
  jq -e '.results | all((.models | length) > 50 and (.models | all(has("enabled"))))' "$T/body"
  jq -e '.results | all(has("is_running_sync") | not)' "$T/body"
  jq -e '[.results[] | tostring | test("SECRET-")] | all' "$T/body"
  # two models are off in every integration but the first
  first=$(control GET integrations | jq -r '.[0].id')
  jq -e --arg f "$first" '.results | all(([.models[] | select(.enabled | not)] | length) == (if .id == $f then 0 else 2 end))' "$T/body"
  page '/v1/admin/integrations/?is_archived=true' | jq -e '(.results | length) == 1 and .results[0].is_archived'
  page '/v1/admin/integrations/?limit=2&offset=4' | jq -e '(.results | length) == 2 and .meta.hasMore == false and .meta.total == 6'
  v=$(page /v1/admin/integrations/ | jq -r '.results[0].vendor')
  page "/v1/admin/integrations/?integration_vendor=$v" | jq -e --arg v "$v" '.results | length > 0 and all(.vendor == $v)'
  id=$(control GET integrations | jq -r '.[0].id')
  page "/v1/admin/integrations/$id/" | jq -e --arg i "$id" '.results.id == $i and .results.is_running_sync == false'
  get /v1/admin/integrations/nope/
  error_is 404 NOT_FOUND
  stop integs
}

@test "an integration's metadata, in the envelopes of the reference" {
  id=$(control GET integrations | jq -r '.[0].id')
  base=/v1/admin/integrations/$id
  page "$base/data-access" | jq -e '.result.models.residents.read.status == "SUCCESS" and (.result | has("last_data_access_check"))'
  page "$base/properties?limit=250" | jq -e --arg i "$id" '(.meta | has("orderBy")) and (.results | length > 0 and all(.integration_id == $i and .id != .property_id and (.enabled | type) == "boolean"))'
  page "$base/property-lists" | jq -e '.results | length > 0 and all(has("property_list_id") and has("x_property_list_id"))'
  page "$base/job-schedules/" | jq -e '.results[0].status == "ACTIVE" and .results[0].sync_cadence == "HOUR"'
  s=$(jq -r '.results[0].id' "$T/body")
  page "$base/job-schedules/$s/" | jq -e --arg s "$s" '.results.id == $s'
  page "$base/rate-limits/" | jq -e '.results.integration_id != null and (has("meta") | not)'
  get "$base/nonsense"
  is 404 "$status"
}

@test "job logs: list, filters, by id" {
  page '/v1/admin/logs/jobs/?limit=250' | jq -e '.results | length > 0 and all(has("job_type") and has("root_job_id"))'
  page '/v1/admin/logs/jobs/?status=FAILURE' | jq -e '.results | length > 0 and all(.status == "FAILURE")'
  get '/v1/admin/logs/jobs/?status=WHAT'
  error_is 400 VALIDATION_ERROR
  page '/v1/admin/logs/jobs/?job_type=READ_UNITS' | jq -e '.results | length > 0 and all(.job_type == "READ_UNITS")'
  id=$(jq -r '.results[0].id' "$T/body") job=$(jq -r '.results[0].job_id' "$T/body")
  page "/v1/admin/job-logs/$id/" | jq -e --arg i "$id" '.results.id == $i'
  page "/v1/admin/logs/jobs/$job" | jq -e --arg j "$job" '.results | length > 0 and all(.job_id == $j)'
}

@test "webhooks are managed as awkwardly as the reference says" {
  page /v1/webhooks/ | jq -e '.results == []'
  get /v1/webhooks/ -X POST -d '{"url":"http://127.0.0.1:1/x","triggers":["DATA_NEW"],"model":"leases"}'
  is 200 "$status"
  jq -e '.result.active == false and (.result.secret | length >= 10) and .result.triggers[0].trigger == "DATA_NEW" and .result.triggers[0].model == "leases" and (.result | has("headers") | not)' "$T/body"
  id=$(jq -r .result.id "$T/body")
  page /v1/webhooks/ | jq -e '.results == []'
  page '/v1/webhooks/?active=false' | jq -e '.results | length == 1'
  page "/v1/webhooks/$id" | jq -e --arg i "$id" '.results.id == $i'
  get "/v1/webhooks/$id" -X PUT -d '{"active":true,"triggers":["DATA_UPDATE","JOB_SUCCESS"]}'
  jq -e '.result.active and (.result.triggers | map(.trigger) == ["DATA_UPDATE", "JOB_SUCCESS"])' "$T/body"
  page /v1/webhooks/ | jq -e '.results | length == 1'
  for bad in '{}' '{"url":"http://x"}' '{"url":"http://x","triggers":["NOPE"]}' '{"url":"http://x","triggers":[]}' \
    '{"url":"http://x","triggers":["DATA_NEW"],"secret":"short"}' '{"url":"x","triggers":["DATA_NEW"]}' \
    '{"url":"http://x","triggers":["DATA_NEW"],"model":"lease"}' '{"url":"http://x","triggers":["JOB_SUCCESS"]}' 'no json'; do
    get /v1/webhooks/ -X POST -d "$bad"
    error_is 400 VALIDATION_ERROR
  done
  control POST settings '{"quirk":"webhooks-merge"}'
  get "/v1/webhooks/$id" -X PUT -d '{"triggers":["SYNC_COMPLETE"]}'
  jq -e '.result.triggers | map(.trigger) == ["DATA_UPDATE", "SYNC_COMPLETE", "JOB_SUCCESS"]' "$T/body"
  control POST settings '{"quirk":"webhooks-merge","on":false}'
  get "/v1/webhooks/$id" -X PUT -d '{"secret":"short"}'
  error_is 400 VALIDATION_ERROR
  get "/v1/webhooks/$id" -X DELETE
  is "$id" "$(jq -r .result.id "$T/body")"
  get "/v1/webhooks/$id"
  error_is 404 NOT_FOUND
}

@test "both spellings of a trailing slash answer; a quirk redirects or refuses one" {
  for path in /v1/units /v1/units/ /v1/units/details /v1/units/details/ /v1/admin/integrations /v1/webhooks; do
    page "$path" >/dev/null
  done
  start slash --quirk slash-redirect --rate-limit 0
  get '/v1/units?limit=1'
  is 301 "$status"
  is '/v1/units/?limit=1' "$(header location)"
  control POST settings '{"quirk":"slash-redirect","on":false}'
  control POST settings '{"quirk":"slash-strict"}'
  get /v1/units
  error_is 404 NOT_FOUND
  page /v1/units/ >/dev/null
  stop slash
}

@test "quirks: what an absent id answers, unsorted, nulls first, limit 0, pretty, unknown parameters" {
  start quirks --quirk notfound-400 --rate-limit 0 --total 400
  get /v1/units/nope
  error_is 400 VALIDATION_ERROR
  q() { control POST settings "{\"quirk\":\"$1\",\"on\":$2}" >/dev/null; }
  q notfound-400 false
  q notfound-null true
  page /v1/units/nope | jq -e '.results == null and has("results")'
  q notfound-null false
  q notfound-empty true
  page /v1/units/nope | jq -e '.results == {}'
  q default-unsorted true
  page /v1/units/ | jq -e '.meta.orderBy == []'
  q nulls-first true
  page '/v1/units/?limit=250&order-by=city:asc' | jq -e '.results[0].city == null and .results[-1].city != null'
  q limit-zero-empty true
  page '/v1/units/?limit=0' | jq -e '.results == []'
  q limit-zero-empty false
  q limit-zero-default true
  page '/v1/units/?limit=0' | jq -e '.meta.limit == 100'
  q unknown-param-400 true
  get '/v1/units/?surely_unknown=1'
  error_is 400 VALIDATION_ERROR
  page '/v1/units/?limit=1' >"$T/plain"
  q pretty true
  page '/v1/units/?limit=1' >"$T/pretty"
  [ "$(wc -l <"$T/pretty")" -gt "$(wc -l <"$T/plain")" ]
  is "$(jq -cS .results "$T/plain")" "$(jq -cS .results "$T/pretty")"
  q hide-archived true
  q models-kebab true
  q properties-bare true
  id=$(control GET integrations | jq -r '.[0].id')
  page "/v1/admin/integrations/$id/" | jq -e '.results.models | has("service-requests") and (has("service_requests") | not)'
  page "/v1/admin/integrations/$id/properties" | jq -e 'type == "array"'
  refused settings '{"quirk":"nonsense"}'
  stop quirks
}

@test "the allowance: headers, two seconds late from 80 percent on, then 429, and back after the minute" {
  # eight times as fast
  perl -e 'open U, "/proc/uptime"; ($u) = split " ", <U>; print pack("q4", 0, $u * 1e9, 1790000000e9, 8000)' >"$T/clock"
  PROPEXOFS_TEST_CLOCK=$T/clock start limit --rate-limit 20 --records units=5
  for i in $(seq 1 20); do
    get /v1/units/ -w '%{http_code} %{time_total}'
    is 20 "$(header x-ratelimit-limit)"
    is $((20 - i)) "$(header x-ratelimit-remaining)"
    is 200 "${status:0:3}"
    echo "${status#* }" >>"$T/times"
  done
  is 4 "$(stat_of .slowed)"
  head -n 16 "$T/times" | awk '$1 > 0.2 { exit 1 }'
  tail -n 4 "$T/times" | awk '$1 < 0.22 { exit 1 }'
  get /v1/units/
  error_is 429 RATE_LIMITED
  is 0 "$(header x-ratelimit-remaining)"
  is 1 "$(stat_of .refused)"
  until_true 20 sh -c "[ \"\$(curl -s -o /dev/null -w '%{http_code}' -H '$H' $URL/v1/units/)\" = 200 ]"
  [ "$(stat_of .rate.used)" -lt 5 ]
  control POST rate '{"used":100}'
  get /v1/units/
  is 429 "$status"
  control POST rate '{"limit":1000}'
  get /v1/units/
  is 1000 "$(header x-ratelimit-limit)"
  stop limit
}

@test "the minute may be aligned to the clock, or slide" {
  perl -e 'open U, "/proc/uptime"; ($u) = split " ", <U>; print pack("q4", 0, $u * 1e9, 1790000000e9, 60000)' >"$T/clock"
  for q in window-aligned window-sliding; do
    PROPEXOFS_TEST_CLOCK=$T/clock start window --rate-limit 3 --records units=5 --quirk $q
    control POST rate '{"used":3}'
    get /v1/units/
    [ "$status" = 429 ] || [ $q = window-aligned ] # whose minute may just have ended
    until_true 5 eval 'get /v1/units/ && [ "$status" = 200 ]'
    stop window
  done
}

@test "a slow answer at real speed is two seconds late" {
  start real --rate-limit 10 --records units=5
  control POST rate '{"used":8}'
  get /v1/units/ -w '%{http_code} %{time_total}'
  awk -v t="${status#* }" 'BEGIN { exit !(t >= 1.9 && t < 3.5) }'
  stop real
}

@test "without a limit the headers say a million" {
  get /v1/units/
  is 1000000 "$(header x-ratelimit-limit)"
}

@test "same seed, same bytes; another seed, others" {
  sum() { control GET truth | sha256sum; }
  start a --seed 7 --total 900
  first=$(sum)
  page /v1/admin/integrations/ | sha256sum >"$T/integ"
  stop a
  start a --seed 7 --total 900
  is "$first" "$(sum)"
  is "$(cat "$T/integ")" "$(page /v1/admin/integrations/ | sha256sum)"
  stop a
  start a --seed 8 --total 900
  [ "$first" != "$(sum)" ]
  stop a
}

@test "pages rendered at the start are the pages made on request" {
  start made --records residents=700 --rate-limit 0
  id=$(control GET integrations | jq -r '.[1].id')
  q="/v1/residents/?limit=99&offset=50&integration_id=$id&order-by=created_at:asc,id:asc"
  page "$q" | sha256sum >"$T/made"
  stop made
  start pre --records residents=700 --rate-limit 0 --prerender
  is "$(cat "$T/made")" "$(page "$q" | sha256sum)"
  control POST update "{\"model\":\"residents\",\"integration\":1,\"count\":20}"
  is 99 "$(page "$q" | jq '.results | length')"
  stop pre
}

@test "the data is believable, linked, and odd" {
  control GET truth >"$T/truth"
  jq -r 'select(.model == "units") | .record.property_id' "$T/truth" | sort -u >"$T/used"
  jq -r 'select(.model == "properties") | .id' "$T/truth" | sort -u >"$T/there"
  is "" "$(comm -23 "$T/used" "$T/there")"
  # both sides of who lives where say the same
  jq -c 'select(.model == "leases") | .id as $l | (.record.residents_meta_data // [])[] | [$l, .resident_id]' "$T/truth" | sort >"$T/a"
  jq -c 'select(.model == "residents" and (.record | has("leases_meta_data"))) | .id as $r | .record.leases_meta_data[] | [.lease_id, $r]' "$T/truth" | sort >"$T/b"
  [ -s "$T/b" ]
  [ "$(comm -12 "$T/a" "$T/b" | wc -l)" -gt 10 ]
  for literal in 1e400 9007199254740993 1.10 -0 '\u' '\/' '🏠'; do
    grep -qF -- "$literal" "$T/truth" || fail "no $literal"
  done
  [ "$(awk '{ if (length($0) > n) n = length($0) } END { print n }' "$T/truth")" -gt 100000 ]
}

@test "a long text is in every collection of more than 50 records" {
  start long --rate-limit 0 --integrations 1 --records all=51
  for m in residents units fees owners timezones; do
    control GET "truth?model=$m" | awk '{ if (length($0) > n) n = length($0) } END { exit n < 100000 }'
  done
  stop long
}

@test "numbers of records are as asked for" {
  start counts --records residents=1000 --records leases=300 --records appointments=10 --integrations 3
  control GET integrations | jq -e '
    ([.[].models.residents.records] | add) == 1000 and ([.[].models.leases.records] | add) == 300 and
    ([.[].models.events.records] | add) == 30 and ([.[].models.units.records] | add) == 0'
  n=$(control GET 'truth?model=appointments&ids=1' | wc -l)
  [ "$n" -ge 10 ] # every third of each integration's ten
  [ "$n" -le 12 ]
  stop counts
  start counts --total 5000
  is 1 "$(control GET 'truth?ids=1' | awk 'END { print (NR > 4900 && NR < 5100) }')"
  stop counts
}

@test "the command line: usage, wrong values, addresses that are not loopback" {
  "$SIM" --help | grep -q -- --listen
  "$SIM" --version | grep -q propexofs-sim
  for args in '--nonsense' '--listen 0.0.0.0:0' '--listen 192.168.1.1:0' '--listen 127.0.0.1' '--records what=1' '--records units=x' \
    '--seed' '--quirk what' '--meta what' '--webhook http://127.0.0.1:1/' '--threads 0' '--rate-limit -1'; do
    # shellcheck disable=SC2086
    run "$SIM" $args
    is 2 "$status"
  done
  start six --listen '[::1]:0' --records units=3 || skip 'no IPv6'
  URL=http://[::1]:$(cat "$T/six.port") page /v1/units/ | jq -e '.results | length == 3'
  stop six
}

@test "a signal ends it with 0, also with an answer still waiting" {
  start ends --rate-limit 10 --records units=3
  grep -qx "propexofs-sim: listening on $URL" "$T/ends.log"
  control POST fault '{"fault":"stall"}'
  curl -gsS -H "$H" "$URL/v1/units/" >/dev/null 2>&1 3>&- &
  until_true 5 eval '[ "$(stat_of .faults)" = 1 ]'
  stop ends
}

@test "a million residents: starts within two seconds, little memory, and the last page is as quick as the first" {
  begin_ms=$(date +%s%3N)
  start million --rate-limit 0 --integrations 1 --records residents=1000000
  took=$(($(date +%s%3N) - begin_ms))
  [ "$took" -lt "${MILLION_START_MS:-2000}" ] || fail "started in $took ms"
  id=$(control GET integrations | jq -r '.[0].id')
  get "/v1/residents/?integration_id=$id&limit=250&offset=999750&order-by=created_at:asc,id:asc" -w '%{http_code} %{time_total}'
  is 200 "${status% *}"
  awk -v t="${status#* }" 'BEGIN { exit !(t < 1) }'
  jq -e '(.results | length) == 250 and .meta.total == 1000000 and .meta.hasMore == false' "$T/body"
  last=$(jq -r '.results[-1].id | @uri' "$T/body")
  get "/v1/residents/$last" -w '%{http_code} %{time_total}'
  is 200 "${status% *}"
  rss=$(awk '/VmRSS/ { print $2 }' "/proc/$(cat "$T/million.pid")/status")
  [ "$rss" -lt "${MILLION_RSS_KB:-100000}" ] || fail "$rss kB"
  stop million
}
