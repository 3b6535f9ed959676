#!/usr/bin/env bats
# fill.bats - a long fill under the real limit, killed, and paused by an API that is away, ends complete; what it says of the time
# that remains is right within a fifth. RECORDS=1000000 makes it the real thing (scripts/soak-fill).

load lib

setup() {
  begin
  export PROPEXOFS_TEST_CLOCK=$T/clock
  RECORDS=${RECORDS:-120000} RATE=${RATE:-10}
  "$BIN/tests/testclock" "$T/clock" 2026-11-23T08:00:00Z "$RATE"
}

teardown() { finish; }

# What the status says: records, progress in thousandths, seconds that remain.
told() { jq -r '.models.residents | "\(.records) \((.progress // 0) * 1000 | floor) \(.eta_seconds // -1)"' "$M"/integrations/*/status.json; }

progress() { told | cut -d ' ' -f 2; }
beyond() { [ "$(progress)" -ge "$1" ]; }

# The shared clock's seconds, by real ones: it goes evenly.
now() { awk -v rate="$RATE" '{ printf "%d\n", $1 * rate }' /proc/uptime; }

@test "a fill that is killed, paused and rate-limited ends complete; what it says of the time that remains is right within a fifth" {
  start_sim --integrations 1 --records residents="$RECORDS" --rate-limit 150 --prerender
  limit=$((RECORDS / 249 / 120 * 60 / RATE + 120))
  start_daemon
  until_true "$limit" beyond 100
  kill_daemon
  start_daemon
  [ "$(progress)" -ge 90 ]
  until_true "$limit" beyond 200
  # the API is away for a minute of the shared clock
  control POST fault '{"fault":"reset","times":0}'
  sleep $((60 / RATE))
  control POST fault/clear
  until_true "$limit" beyond 250
  while ! jq -e '.models.residents.complete' "$M"/integrations/*/status.json >/dev/null; do
    echo "$(now) $(told)" >>"$T/told"
    sleep 1
    [ "$SECONDS" -lt $((limit * 3)) ]
  done
  end=$(now)
  # From a tenth of the way on, and as long as the answer is not "now"; a rendering is up to two real seconds old. A machine that
  # does not keep up with the limit, two pages a second, becomes faster and slower as others use it: then what is said must be no
  # less than what the limit allows for the pages that remain.
  awk -v end="$end" -v rate="$RATE" -v records="$RECORDS" '
    $4 < 0 { next }
    { left = end - $1; least = records * (1000 - $3) / 1000 / 249 / 2; keeps_up = left < least * 5 / 4 + 60
      if (keeps_up) least = left
      n++
      if ($4 < least * 4 / 5 - 3 * rate || (keeps_up && $4 > left * 6 / 5 + 3 * rate)) { bad++; printf "%s of a thousand: said %d s, took %d s\n", $3, $4, left } }
    END { print n " times asked, " bad + 0 " times wrong"; exit n < 5 || bad > n / 20 }' "$T/told" >"$T/judged" || fail "$(tail -n 20 "$T/judged")"
  echo "# $(tail -n 1 "$T/judged")" >&3
  [ "$(stat_of '.by_status["429"] // 0')" = 0 ]
  check_tree
}

@test "without hasMore and total, and by integrations that share a list, a fill comes to its end" {
  for meta in minimal null-hasmore; do
    start_sim --integrations 2 --total 500 --rate-limit 0 --meta $meta
    start_daemon
    ready 60
    check_tree
    umount_daemon
    stop_sim
    rm -f "$T"/store.db*
  done
}
