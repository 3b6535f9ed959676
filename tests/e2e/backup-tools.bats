#!/usr/bin/env bats
# backup-tools.bats - restic and borg, as docs/operations.md runs them: the second run over a quiet mirror reads no record
# file, also after a restart, when the kernel has nothing of it cached; and what was backed up is what is mounted.

load lib

setup() {
  begin
  start_sim --integrations 2 --records units=600 --records residents=600 --rate-limit 0
  export RESTIC_REPOSITORY=$T/restic RESTIC_PASSWORD=x RESTIC_CACHE_DIR=$T/restic-cache
  export BORG_REPO=$T/borg BORG_BASE_DIR=$T/borg-base BORG_PASSPHRASE=x
}

teardown() { finish; }

# READ requests, and bodies pushed ahead of a reader: nothing is read without one of them from a mount that is fresh.
reads() {
  local n
  n=$(fuse_count read)
  echo $((n + $(sed -n 's/^propexofs_fuse_pushed_total //p' "$T/metrics")))
}

records() { find "$M/integrations" -path '*/units/*.json' -o -path '*/residents/*.json' | wc -l; }

# Files that may have changed: status, logs, what is not a record.
others() { find "$M/integrations" -type f | grep -cvE '/(units|residents)/[^/]*\.json$'; }

remount() {
  umount_daemon
  start_daemon
  ready
}

# second_run COMMAND...: on a fresh mount; fails when it read more than the files that are no records.
second_run() {
  local before after
  before=$(reads)
  "$@" || return 1
  after=$(reads)
  # metrics.prom is read as well, to count
  [ $((after - before)) -le $(($(others) + 2)) ] || fail "$((after - before)) reads, and only $(others) files that are no records"
}

@test "the measure: reading every record of a fresh mount costs a request or a push each" {
  start_daemon
  ready
  [ "$(records)" = 1200 ]
  remount
  before=$(reads)
  cat "$M"/integrations/*/*/*.json >/dev/null
  [ $(($(reads) - before)) -ge 1200 ]
}

@test "restic: the second run reads no record file" {
  command -v restic >/dev/null || skip "restic is not installed"
  start_daemon
  ready
  restic init >/dev/null
  "$BIN/propexofs" ready --max-age 900 "$M" && restic backup "$M/integrations" >"$T/first"
  grep -qE '^Files: +[0-9]+ new, +0 changed' "$T/first"
  remount
  second_run sh -c "restic backup '$M/integrations' >'$T/second'"
  new=$(sed -n 's/^Files: *\([0-9]*\) new.*/\1/p' "$T/second")
  unmodified=$(sed -n 's/^Files:.* \([0-9]*\) unmodified/\1/p' "$T/second")
  [ "$new" = 0 ]
  [ "$unmodified" -ge 1200 ] || fail "$(cat "$T/second")"
  restic restore latest --target "$T/back" >/dev/null
  diff -r -x status.json -x events "$M/integrations" "$T/back$M/integrations"
}

@test "borg: the second run reads no record file" {
  command -v borg >/dev/null || skip "borg is not installed"
  start_daemon
  ready
  borg init -e repokey
  "$BIN/propexofs" ready --max-age 900 "$M" && borg create ::first "$M/integrations"
  remount
  second_run borg create --list --filter AME ::second "$M/integrations" 2>"$T/second" || { cat "$T/second"; false; }
  ! grep -E '/(units|residents)/' "$T/second" || fail "read again"
  mkdir "$T/back"
  (cd "$T/back" && borg extract ::second)
  diff -r -x status.json -x events "$M/integrations" "$T/back$M/integrations"
}

@test "a record that changed is read again, and it alone" {
  command -v restic >/dev/null || skip "restic is not installed"
  start_live
  ready
  restic init >/dev/null
  restic backup "$M/integrations" >/dev/null
  control POST update '{"model":"units","count":1}' >/dev/null
  settle
  restic backup -v -v "$M/integrations" >"$T/second"
  [ "$(grep -cE "^modified .*/(units|residents)/.*\.json," "$T/second")" = 1 ] || fail "$(grep -v ^unchanged "$T/second")"
}
