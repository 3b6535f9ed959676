#!/usr/bin/env bats
# backup.bats - rsync: nothing is sent twice, and an incomplete mirror never deletes from a backup (promise 7).

load lib

setup() {
  begin
  start_sim --integrations 3 --total 3000 --rate-limit 0
}

teardown() { finish; }

# Record files that the second run of rsync transfers.
transferred() {
  rsync -ai "$M/integrations/" "$T/backup/" >"$T/rsync"
  grep -cE '^>f.*/[a-z-]+/[^/]+\.json$' "$T/rsync" || true
}

@test "a second rsync transfers no record file; neither after a restart, nor from a store that was filled anew" {
  start_daemon
  ready
  mkdir "$T/backup"
  [ "$(transferred)" -ge 2900 ]
  [ "$(transferred)" = 0 ]
  umount_daemon
  start_daemon
  ready
  [ "$(transferred)" = 0 ]
  umount_daemon
  rm "$T"/store.db*
  start_daemon
  ready
  [ "$(transferred)" = 0 ]
  diff -r --no-dereference -x status.json -x '*.jsonl' "$M/integrations" "$T/backup"
}

@test "while a model fills: ls fails, rsync --delete deletes nothing, ready says 3; then all is well" {
  mkdir "$T/backup"
  start_daemon
  ready
  rsync -a "$M/integrations/" "$T/backup/"
  umount_daemon
  rm "$T"/store.db*
  before=$(find "$T/backup" -type f | sort | sha256sum)
  # residents of one integration never come
  id=$(first_integration)
  control POST fault "{\"fault\":\"status\",\"status\":500,\"model\":\"residents\",\"integration\":\"$id\",\"times\":0}"
  start_daemon
  until_true 30 test -d "$M/integrations/$id/vendors"
  until_true 30 sh -c "ls '$M/integrations/$id/vendors' >/dev/null 2>&1"
  run ls "$M/integrations/$id/residents"
  [ "$status" != 0 ]
  [[ $output == *busy* ]]
  run rsync -a --delete "$M/integrations/" "$T/backup/"
  [ "$status" != 0 ]
  # status.json and logs are of the mount; records are not touched
  [ "$(find "$T/backup" -type f | sort | sha256sum)" = "$before" ]
  run "$BIN/propexofs" ready "$M"
  [ "$status" = 3 ]
  # by name it opens: nothing is there yet
  [ ! -e "$M/integrations/$id/residents/x.json" ]
  control POST fault/clear
  ready
  ls "$M/integrations/$id/residents" >/dev/null
  run rsync -a --delete "$M/integrations/" "$T/backup/"
  [ "$status" = 0 ]
}

@test "before the first list of integrations: the same at integrations/ and by-name/" {
  control POST fault '{"fault":"status","status":503,"kind":"integrations","times":0}'
  start_daemon
  for d in integrations by-name; do
    run ls "$M/$d"
    [ "$status" != 0 ]
    [[ $output == *busy* ]]
  done
  mkdir -p "$T/backup/kept"
  run rsync -a --delete "$M/integrations/" "$T/backup/"
  [ "$status" != 0 ]
  [ -d "$T/backup/kept" ]
  run "$BIN/propexofs" ready "$M"
  [ "$status" = 3 ]
}

@test "incomplete=partial: listings end normally" {
  control POST fault '{"fault":"status","status":503,"kind":"integrations","times":0}'
  start_daemon -o incomplete=partial
  ls "$M/integrations" "$M/by-name"
  run "$BIN/propexofs" ready "$M"
  [ "$status" = 3 ]
}
