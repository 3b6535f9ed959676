#!/usr/bin/env bats
# refusals.bats - what mount refuses: one clear line, the exit code of the contract, nothing left behind.

load lib

setup() {
  begin
  start_sim --integrations 1 --records units=10 --rate-limit 0
}

teardown() { finish; }

# refused CODE TEXT COMMAND...
refused() {
  local code=$1 text=$2 rc=0
  shift 2
  timeout 30 "$@" >"$T/out" 2>"$T/err" 3>&- || rc=$?
  [ "$rc" = "$code" ] && [ "$(wc -l <"$T/err")" = 1 ] && grep -qF -- "$text" "$T/err" && ! grep -q sim-key "$T/err" ||
    fail "expected $code and \"$text\", got $rc: $(cat "$T/err" "$T/out")"
}

mount_args() { echo mount --api-url "$URL" --api-key-file "$T/key" --store "$T/other.db"; }

@test "a mountpoint in use: by another filesystem, by another propexofs" {
  mount -t tmpfs none "$M" || skip "cannot mount a tmpfs here"
  touch "$M/file"
  refused 1 "another filesystem is mounted there, with files in it" "$BIN/propexofs" $(mount_args) "$M"
  # an empty one is mounted on: so is a directory that was bound into a container
  rm "$M/file"
  start_daemon
  [ "$(findmnt -n -o FSTYPE "$M" | paste -sd,)" = tmpfs,fuse.propexofs ]
  umount_daemon
  [ "$(findmnt -n -o FSTYPE "$M")" = tmpfs ]
  ! grep -q 'cannot unmount' "$T/log" || fail "$(cat "$T/log")"
  umount "$M"
  start_daemon
  refused 1 "a propexofs is mounted there already" "$BIN/propexofs" $(mount_args) "$M"
  [ -e "$M/status.json" ]
}

@test "a second daemon on the same store names the first" {
  start_daemon
  mkdir "$T/second"
  refused 1 "$(cat "$T/daemon.pid")" "$BIN/propexofs" mount --api-url "$URL" --api-key-file "$T/key" --store "$T/store.db" "$T/second"
  ready
}

@test "a store of another API URL" {
  start_daemon
  ready
  umount_daemon
  refused 1 "$URL" "$BIN/propexofs" mount --api-url http://127.0.0.1:1 --api-key-file "$T/key" --store "$T/store.db" "$M"
}

@test "a store that is no store, and one of a newer format, are not overwritten" {
  echo precious >"$T/file.db"
  chmod 600 "$T/file.db"
  run timeout 30 "$BIN/propexofs" mount --api-url "$URL" --api-key-file "$T/key" --store "$T/file.db" "$M"
  grep -rq precious "$T"/file.db*
  umount "$M" 2>/dev/null || true
  start_daemon
  ready
  umount_daemon
  sqlite3 "$T/store.db" 'pragma user_version = 999'
  refused 1 "newer" "$BIN/propexofs" mount --api-url "$URL" --api-key-file "$T/key" --store "$T/store.db" "$M"
}

@test "umount of one of two mounts of the same daemon does not wait for its end" {
  start_daemon
  mkdir "$T/bound"
  mount --bind "$M" "$T/bound" || skip "cannot bind here"
  timeout 20 "$BIN/propexofs" umount "$T/bound"
  ready
  mount --bind "$M" "$T/bound"
  timeout 20 "$BIN/propexofs" umount "$M"
  [ -e "$T/bound/status.json" ]
  timeout 20 "$BIN/propexofs" umount "$T/bound"
  until_true 20 ended "$(cat "$T/daemon.pid")"
}

@test "an integration that nobody has is not taken for an empty mirror" {
  start_daemon --integration cly-typo
  until_true 20 sh -c "jq -e .integrations_known '$M/status.json'"
  run "$BIN/propexofs" ready "$M"
  [ "$status" -eq 3 ]
  [[ "$output" == *cly-typo* ]]
}

@test "a damaged store is moved aside, and everything is read again" {
  local page
  start_daemon
  ready
  umount_daemon
  # the file opens well: the damage shows only where every start reads
  page=$(sqlite3 "$T/store.db" "select rootpage from sqlite_master where name = 'dir'")
  head -c 16384 /dev/zero | tr '\0' 'x' | dd of="$T/store.db" bs=16384 seek=$((page - 1)) conv=notrunc status=none
  start_daemon
  grep -q "was damaged" "$T/log"
  ready
  check_tree
  ls "$T"/store.db.damaged-*
}

@test "a database of another program is left as it is" {
  sqlite3 "$T/theirs.db" 'create table precious(a)'
  cp "$T/theirs.db" "$T/copy.db"
  refused 1 "not a store of propexofs" "$BIN/propexofs" mount --api-url "$URL" --api-key-file "$T/key" --store "$T/theirs.db" "$M"
  cmp "$T/theirs.db" "$T/copy.db"
}

@test "store or key below the mountpoint" {
  mkdir "$M/below"
  refused 2 "below the mountpoint" "$BIN/propexofs" mount --api-url "$URL" --api-key-file "$T/key" --store "$M/below/s.db" "$M"
}

@test "no /dev/fuse" {
  unshare -m true 2>/dev/null || skip "needs a mount namespace"
  refused 1 "/dev/fuse" unshare -m sh -c "mount -t tmpfs none /dev && mknod /dev/null c 1 3 && exec $BIN/propexofs $(mount_args) $M"
}

@test "in the background: mount returns when the tree can be served, umount when the daemon has ended" {
  "$BIN/propexofs" $(mount_args) "$M" 3>&-
  pid=$(jq .pid "$M/status.json")
  ready
  "$BIN/propexofs" status "$M" | grep -q "1 integration\|current"
  "$BIN/propexofs" status --json "$M" | jq -e .version
  "$BIN/propexofs" umount "$M"
  ended "$pid"
  "$BIN/propexofs" status --store "$T/other.db" | grep -q records
}

@test "SIGTERM unmounts and exits 0, also while a shell sits in the mount" {
  start_daemon
  pid=$(cat "$T/daemon.pid")
  (cd "$M/schema" && exec sleep 30) 3>&- &
  sleeper=$!
  until_true 5 sh -c "readlink /proc/$sleeper/cwd | grep -q '/schema$'"
  kill -TERM "$pid"
  until_true 8 ended "$pid"
  ! mountpoint -q "$M" || fail "still mounted"
  kill $sleeper
}

@test "sync fills without a mount, shows progress, and says 0 when complete" {
  "$BIN/propexofs" sync --api-url "$URL" --api-key-file "$T/key" --store "$T/other.db" 2>"$T/err"
  stop_sim
  "$BIN/propexofs" mount --offline --store "$T/other.db" --api-url "$URL" "$M" 3>&-
  [ "$(find "$M/integrations" -name '*.json' -path '*/units/*' | wc -l)" = 10 ]
}

@test "secrets are nowhere: mount, store, log, command line, environment of nothing else" {
  start_daemon
  ready
  ! grep -rq sim-key "$M" || fail "the key is in the mount"
  ! grep -q sim-key "$T/log" || fail "the key is in the log"
  ! grep -aq sim-key "$T"/store.db* || fail "the key is in the store"
  ! tr '\0' ' ' <"/proc/$(cat "$T/daemon.pid")/cmdline" | grep -q sim-key || fail "the key is an argument"
}

@test "a daemon that was killed: the next start clears its mount" {
  start_daemon
  ready
  kill_daemon
  run ls "$M"
  [ "$status" != 0 ]
  start_daemon
  ready
}

@test "uid, gid and umask" {
  start_daemon -o uid=1234,gid=4321,umask=0227
  f=$(ready && find "$M/integrations" -path '*/units/*' | head -n 1)
  [ "$(stat -c '%u %g %a' "$f")" = "1234 4321 440" ]
  [ "$(stat -c '%u %g %a' "$M/schema")" = "1234 4321 550" ]
}
