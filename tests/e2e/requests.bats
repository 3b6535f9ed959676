#!/usr/bin/env bats
# requests.bats - what the kernel asks, counted: nothing when warm, next to nothing when fresh, and no open, opendir, release or
# getxattr. Counts have no noise: they are the same on a busy machine, and with sanitizers.

load lib

# Residents; leases are few, so that fts(3) reads them in the order of the listing, not of the inode numbers. With sanitizers
# half as many show the same.
N=20000
[ "${BUILD:-build}" != build/asan ] || N=10000

setup_file() {
  begin
  start_sim --integrations 1 --records residents=$N --records leases=3000 --rate-limit 0
  start_daemon --refresh 0
  ready
  I=$(echo "$M"/integrations/*)
  D=$I/residents
  E=$I/leases
  export I D E
}

teardown_file() { finish; }

# Requests so far of the kinds that reading takes, and what was pushed, from the state that SIGUSR1 puts in the log: asking is none.
asked() {
  local before
  before=$(grep -c 'state fuse' "$T/log")
  kill -USR1 "$(cat "$T/daemon.pid")"
  until_true 20 more_states "$before" || return 1
  grep 'state fuse' "$T/log" | tail -n 1 | tr ' ' '\n' >"$T/state"
  awk -F = '/^(lookup|getattr|readlink|read|readdir|statfs)=/ {n += $2} END {print n}' "$T/state"
}

more_states() { [ "$(grep -c 'state fuse' "$T/log")" -gt "$1" ]; }

pushed() { sed -n 's/^pushed=//p' "$T/state"; }

# cost COMMAND...: its requests, into $T/cost.
cost() {
  local before
  before=$(asked)
  "$@" >/dev/null 2>&1 || true
  echo $(($(asked) - before)) >"$T/cost"
}

# A mount whose inodes and pages the kernel has not seen.
remount() {
  umount_daemon
  start_daemon --refresh 0
  ready
}

# at_most LIMIT WHAT: of $T/cost.
at_most() { [ "$(cat "$T/cost")" -le "$1" ] || fail "$2: $(cat "$T/cost") requests, not at most $1; $(pushed) pushed"; }

@test "a fresh ls -l of N files costs at most N/5000 + 5 requests (kernels that ask for little at a time: N/20)" {
  remount
  cost ls -l "$D"
  [ "$(cat "$T/cost")" -le $((N / 5000 + 5)) ] || at_most $((N / 20)) "ls -l"
}

@test "a fresh grep -r costs at most 0.02 requests per file, and reads the right bytes" {
  remount
  cost grep -r nothing-like-this "$D"
  at_most $((N / 50)) "grep -r"
  remount
  cost grep -r nothing-like-this "$E"
  at_most $((3000 / 50)) "grep -r in the order of the listing"
  [ "$(pushed)" -ge 2900 ] || fail "$(pushed) pushed"
  check_tree
}

@test "so do tar, a first rsync, and whoever goes by name" {
  remount
  cost sh -c 'tar cf - -C "$0" . | cat' "$D"
  at_most $((N / 50)) "tar"
  remount
  # the few odd names of the simulator are not where the listing has them
  cost rsync -a "$D/" "$T/copy/"
  at_most $((N / 40)) "rsync"
  remount
  cost sh -c 'cd "$0" && ls | xargs -d "\n" -n 500 cat --' "$D"
  at_most $((N / 40)) "cat by name"
  diff -r "$D" "$T/copy"
}

@test "so does a reader who was further on in the listing before" {
  remount
  ls -lU "$D" >/dev/null # the pusher stores what the kernel knows
  ls -U "$D" | head -n 600 >"$T/listed"
  cost sh -c 'cd "$0" && { sed -n "200p;240p;400p" "$1" && cat "$1"; } | xargs -d "\n" -n 1 cat --' "$D" "$T/listed"
  at_most 40 "back to the head"
}

@test "two readers at once are both served ahead; so is one among readers in no order" {
  remount
  cost sh -c 'grep -r nothing "$0" & grep -r nothing "$1"; wait' "$D" "$E"
  at_most $(((N + 3000) / 50)) "two times grep -r"
  remount
  find "$E" -type f | shuf -n 300 >"$T/some"
  cost sh -c 'grep -r nothing "$0" & xargs -n 20 cat <"$1"; wait' "$D" "$T/some"
  at_most $((N / 50 + 320)) "grep -r beside cat"
  check_tree
}

@test "also after thousands of records were replaced, in no order" {
  control POST update "{\"model\":\"residents\",\"count\":$((N / 3)),\"set\":{\"notes\":\"again\"}}" >/dev/null
  control POST update '{"model":"leases","count":3000}' >/dev/null
  umount_daemon
  start_daemon --refresh 300
  until_true 60 check_tree >"$T/out" || fail "$(tail -n 12 "$T/out")"
  remount
  cost grep -r nothing-like-this "$D"
  at_most $((N / 40)) "grep -r"
  remount
  cost grep -r nothing-like-this "$E"
  at_most $((3000 / 40)) "grep -r in the order of the listing"
  check_tree
}

@test "warm: no request for ls -l, find, grep -r, tar, rsync, du" {
  ls -lR "$D" >/dev/null
  grep -r nothing-like-this "$D" || true
  rsync -a "$D/" "$T/copy/"
  for c in "ls -lR $D" "find $D -type f -size +1k" "grep -r nothing-like-this $D" "tar cf $T/x.tar -C $D ." "rsync -a $D/ $T/copy/" "du -s $D"; do
    # a kernel that takes back cold pages by itself (DAMON) makes some be read again: the best of six counts
    best=$N
    for _ in 1 2 3 4 5 6; do
      # shellcheck disable=SC2086 # words
      cost $c
      [ "$(cat "$T/cost")" -ge "$best" ] || best=$(cat "$T/cost")
      [ "$best" -gt 1 ] || break
    done
    echo "$best" >"$T/cost"
    # some of these tools ask statfs of the mount, which is never cached
    at_most 1 "$c"
  done
}

@test "open, opendir and getxattr are asked once in the life of a mount, release never" {
  [ "$(fuse_count open)" -le 1 ]
  [ "$(fuse_count opendir)" -le 1 ]
  [ "$(fuse_count getxattr)" -le 1 ]
  [ "$(fuse_count listxattr)" -le 1 ]
  [ "$(fuse_count release)" = 0 ]
}
