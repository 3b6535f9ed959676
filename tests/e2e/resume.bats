#!/usr/bin/env bats
# resume.bats - killed in mid-fill, the fill goes on where it was, and ends equal to the truth.

load lib

setup() { begin; }
teardown() { finish; }

records() { sqlite3 "file:$T/store.db?mode=ro" 'select count(*) from record' 2>/dev/null || echo 0; }
more_than() { [ "$(records)" -gt "$1" ]; }

@test "kill -9 at five points of a fill, then start: equal to the truth, hardly a page read twice" {
  start_sim --integrations 2 --records residents=6000 --records leases=3000 --records units=2000 --rate-limit 0
  control POST fault '{"fault":"slow","bytes":20000,"interval_ms":10,"times":0}'
  for at in 0 500 2000 4000 7000; do
    start_daemon
    until_true 60 more_than "$at"
    kill_daemon
  done
  control POST fault/clear
  start_daemon
  ready
  check_tree
  # 44 pages of 250, up to 8 in flight lost at each kill, and the lists of models that are empty
  [ "$(stat_of .by_class.list)" -le $((44 + 5 * 10 + 59 * 2 + 6)) ] || fail "$(stat_of .by_class.list) lists"
}

@test "a stopped and started daemon does not read again what it has" {
  start_sim --integrations 2 --total 3000 --rate-limit 0
  start_daemon
  ready
  umount_daemon
  control POST stats/reset
  start_daemon
  ready
  sleep 1
  [ "$(stat_of '.by_class.list + .by_class.sub')" = 0 ] || fail "$(control GET stats)"
}
