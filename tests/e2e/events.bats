#!/usr/bin/env bats
# events.bats - propexofs events: the log in order, filtered, resumed, followed, handed to a command.

load lib

setup() {
  begin
  start_sim --integrations 2 --records residents=60 --records leases=40 --rate-limit 0
  start_live
  ready
  settle
}

teardown() { finish; }

events() { timeout 20 "$BIN/propexofs" events --store "$T/store.db" "$@"; }

@test "all of it is the log, byte for byte; --since resumes after a seq or at a time" {
  control POST update '{"model":"residents","count":9}' >/dev/null
  settle
  events >"$T/all"
  cmp "$T/all" "$M/events/latest.jsonl"
  seq=$(sed -n '5s/^{"seq":\([0-9]*\),.*/\1/p' "$T/all")
  events --since "$seq" | cmp - <(tail -n +6 "$T/all")
  time=$(sed -n 7p "$T/all" | jq -r .time)
  [ "$(events --since "$time" | head -n 1 | jq -r .time)" = "$time" ]
  [ -z "$(events --since 2999-01-01T00:00:00Z)" ]
  run events --since yesterday
  [ "$status" = 2 ]
}

@test "filters by integration and model" {
  control POST update '{"model":"residents","count":9}' >/dev/null
  control POST update '{"model":"leases","count":4}' >/dev/null
  settle
  id=$(first_integration)
  [ "$(events --model leases | jq -rs 'map(select(.event == "DATA_UPDATE")) | length')" = 4 ]
  [ "$(events --integration "$id" | jq -r .integration_id | sort -u)" = "$id" ]
  [ -z "$(events --integration nobody)" ]
  cat "$M/integrations/$id/events/latest.jsonl" | cmp - <(events --integration "$id")
}

@test "-f goes on with what comes, also without a mount" {
  last=$(events | tail -n 1 | jq .seq)
  timeout 20 "$BIN/propexofs" events -f --since "$last" --store "$T/store.db" >"$T/follow" 3>&- &
  pid=$!
  control POST update '{"model":"residents","count":5}' >/dev/null
  until_true 10 sh -c "[ \$(grep -c DATA_UPDATE '$T/follow') = 5 ]"
  kill $pid
}

@test "--exec gets each line on standard input; one that fails ends it where it can be resumed" {
  control POST update '{"model":"residents","count":3}' >/dev/null
  settle
  events --model residents --exec "cat >>'$T/got'"
  cmp "$T/got" <(events --model residents)
  run events --exec 'grep -q FILL_STARTED'
  [ "$status" = 1 ]
  [[ $output == *"--since"* ]]
}

@test "a reader that goes away ends it, without a word" {
  { rc=0; events -f 2>"$T/err" || rc=$?; echo $rc >"$T/rc"; } | head -n 1 >/dev/null
  grep -qxE '0|141' "$T/rc" || fail "$(cat "$T/rc")" # 141: SIGPIPE
  [ ! -s "$T/err" ] || fail "$(cat "$T/err")"
}
