#!/usr/bin/env bats
# allowance.bats - how much of its share of the allowance a fill uses, under the real limit: 150 a minute, slow from 80 %, 429.

load lib

setup() {
  begin
  export PROPEXOFS_TEST_CLOCK=$T/clock
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T08:00:00Z 4
}

teardown() { finish; }

# The percentage of a share of $1 that a fill uses, into $T/used: of whole minutes, each from its first request to that of the
# next, the median. The clock runs four times as fast, so latency counts four times, too. WINDOW=window-sliding or window-aligned:
# with another kind of minute than the one that begins with its first request.
fill_under_limit() {
  case $BIN in */asan) skip "a test of time, and what is built with sanitizers is slow" ;; esac
  start_sim --integrations 1 --records residents=150000 --rate-limit 150 --prerender ${WINDOW:+--quirk "$WINDOW"}
  start_daemon --rate-share "$1"
  until_true 90 over_ms 245000 # four minutes, and a little
  control GET requests | jq -rs --argjson share "$((150 * $1 / 100))" '
    map(.ms) | [range(1; length) as $i | select(.[$i] - .[$i - 1] > 5000) | {at: .[$i], n: $i}]
    | . as $b | [range(1; length) as $i | ($b[$i].n - $b[$i - 1].n) * 60000 * 100 / ($b[$i].at - $b[$i - 1].at) / $share]
    | sort | .[length / 2 | floor] | floor' >"$T/used"
  [ "$(stat_of '.by_status["429"] // 0')" = 0 ]
}

over_ms() { [ "$(control GET requests | jq -s '.[-1].ms - .[0].ms')" -ge "$1" ]; }

@test "a fill under the real limit uses at least 97 % of its share, and meets no 429" {
  fill_under_limit 80
  [ "$(cat "$T/used")" -ge 97 ] || fail "$(cat "$T/used") %"
}

@test "the same with the whole allowance" {
  fill_under_limit 100
  [ "$(cat "$T/used")" -ge 97 ] || fail "$(cat "$T/used") %"
}
