#!/usr/bin/env bats
# faults.bats - whatever the API answers, nothing wrong is stored, the rest goes on, and the status says what happened.

load lib

setup() {
  begin
  start_sim --integrations 2 --records residents=1000 --records leases=600 --records units=400 --rate-limit 0
}

teardown() { finish; }

# State of a model of the first integration.
model() { jq -r ".models[\"$1\"] | $2" "$M/integrations/$(first_integration)/status.json"; }
model_is() { [ "$(model "$1" "$2")" = "$3" ]; }
others_complete() {
  for f in "$M"/integrations/*/status.json; do
    [ "$(jq '[.models | to_entries[] | select(.key != "residents" and .value.phase != "disabled") | .value.complete] | length > 30 and all' "$f")" = true ] || return 1
  done
}

# page_fault JSON: a fault in the residents' lists that passes after a few answers; in the end the tree is right.
passes() {
  control POST fault "$1"
  start_daemon
  ready 90
  [ "$(stat_of .faults)" -ge 1 ] || fail "the fault never hit"
  check_tree
}

@test "500 a few times" { passes '{"fault":"status","status":500,"model":"residents","times":5}'; }
@test "503 with HTML" { passes '{"fault":"status","status":503,"body":"html","model":"residents","times":5}'; }
@test "429 with Retry-After" { passes '{"fault":"status","status":429,"retry_after":1,"model":"residents","times":3}'; }
@test "connections that are reset" { passes '{"fault":"reset","model":"residents","times":5}'; }
@test "bodies that are cut" { passes '{"fault":"cut","model":"residents","times":5}'; }
@test "JSON that ends in the middle" { passes '{"fault":"malformed","model":"residents","times":3}'; }
@test "results of a wrong type" { passes '{"fault":"wrong-types","model":"residents","times":3}'; }
@test "a record without an id" { passes '{"fault":"missing-id","model":"residents","times":3}'; }
@test "an id that is a number" { passes '{"fault":"missing-id","variant":"number","model":"residents","times":3}'; }
@test "200 with nothing" { passes '{"fault":"empty","model":"residents","times":3}'; }
@test "200 with a page of HTML" { passes '{"fault":"html","model":"residents","times":3}'; }
@test "text that is not UTF-8" { passes '{"fault":"bad-utf8","model":"residents","times":3}'; }
@test "20 MB in one record" { passes '{"fault":"huge","model":"residents","times":2}'; }
@test "a body that trickles" { passes '{"fault":"slow","bytes":50000,"interval_ms":50,"model":"residents","times":3}'; }
@test "the same record twice in a page" { passes '{"fault":"duplicate-ids","model":"residents","times":3}'; }

@test "403 on one model: the others fill, status names it, the model has no directory, ready succeeds" {
  id=$(first_integration)
  control POST fault "{\"fault\":\"status\",\"status\":403,\"model\":\"residents\",\"integration\":\"$id\",\"times\":0}"
  start_daemon
  until_true 60 others_complete
  until_true 10 sh -c "jq -e '.models.residents.error' '$M/integrations/$id/status.json' >/dev/null"
  [ ! -e "$M/integrations/$id/residents" ]
  ready 20
}

@test "one record that breaks every page it is on is left out and reported; all others are there" {
  id=$(control GET truth | jq -r 'select(.model == "residents") | .id' | sed -n 100p)
  control POST fault "$(jq -nc --arg id "$id" '{fault:"bad-utf8",record:$id,model:"residents",times:0}')"
  start_daemon
  until_true 60 others_complete
  ready 60 || true
  truth
  "$BIN/tests/treecheck" --partial "$M" "$T/truth"
  [ "$("$BIN/tests/treecheck" --partial "$M" "$T/truth" | grep -o '[0-9]* missing')" = "1 missing" ]
  grep -h . "$M"/integrations/*/status.json | grep -q 'could not be read'
}

@test "a redirect to another host does not take the key there" {
  # a second simulator that knows the key: it would answer who brings it
  "$BIN/propexofs-sim" --key sim-key --port-file "$T/port2" >/dev/null 2>&1 3>&- &
  other=$!
  until_true 10 test -s "$T/port2"
  control POST fault "{\"fault\":\"redirect\",\"location\":\"http://127.0.0.1:$(cat "$T/port2")\",\"model\":\"residents\",\"times\":2}"
  start_daemon
  ready 60
  seen=$(curl -fsS -m 10 "http://127.0.0.1:$(cat "$T/port2")/_control/stats" | jq '.by_status["200"] // 0')
  kill $other
  check_tree
  [ "$seen" = 0 ]
}

@test "stalled answers are given up and asked again" {
  control POST fault '{"fault":"stall","model":"units","times":1,"seconds":600}'
  start_daemon
  ready 120
  check_tree
}
