#!/usr/bin/env bats
# requests.bats - what the kernel asks, counted: nothing when warm, and no open, opendir, release or getxattr.

load lib

setup_file() {
  begin
  start_sim --integrations 1 --records residents=20000 --rate-limit 0
  start_daemon
  ready
  D=$(dirname "$(find "$M/integrations" -path '*/residents/*' -print -quit)")
  export D
}

teardown_file() { finish; }

@test "a fresh ls -l of N files costs at most N/5000 + 5 requests (kernels that ask for little at a time: N/20)" {
  umount_daemon
  start_daemon
  ready
  before=$(fuse_count lookup getattr read readdir readdirplus)
  ls -l "$D" >/dev/null
  after=$(fuse_count lookup getattr read readdir readdirplus)
  # looking at metrics.prom itself costs a few
  [ $((after - before)) -le $((20000 / 5000 + 5 + 8)) ] || [ $((after - before)) -le $((20000 / 20)) ] || fail "$((after - before))"
}

@test "a fresh grep -r is served ahead of its reader: fewer requests than files, and the right bytes" {
  umount_daemon
  start_daemon
  ready
  ls -l "$D" >/dev/null
  before=$(fuse_count read)
  grep -r nothing-like-this "$D" || true
  after=$(fuse_count read)
  # how many depends on who is faster, and so on the machine; without pushing it is all 20,000
  pushed=$(sed -n 's/^propexofs_fuse_pushed_total //p' "$T/metrics")
  [ "$pushed" -ge 500 ] || fail "$pushed pushed"
  [ $((after - before)) -le 19700 ] || fail "$((after - before)) reads of 20000 files, $pushed pushed"
  check_tree
}

@test "warm: no request for ls -l, find, grep -r, tar, rsync, du" {
  ls -lR "$D" >/dev/null
  grep -r nothing-like-this "$D" || true
  rsync -a "$D/" "$T/backup/"
  for c in "ls -lR $D" "find $D -type f -size +1k" "grep -r nothing-like-this $D" "tar cf $T/x.tar -C $D ." "rsync -a $D/ $T/backup/" "du -s $D"; do
    # a kernel that takes back cold pages by itself (DAMON) makes some be read again: the best of four counts
    best=20000
    after=$(fuse_count lookup getattr readlink read readdir readdirplus statfs)
    for _ in 1 2 3 4; do
      before=$after
      $c >/dev/null || true
      after=$(fuse_count lookup getattr readlink read readdir readdirplus statfs)
      [ $((after - before)) -ge $best ] || best=$((after - before))
      # metrics.prom is looked up, perhaps asked for its attributes and read: that is all, for 20,000 files
      [ $best -gt 16 ] || break
    done
    [ $best -le 100 ] || fail "$c: $best"
  done
}

@test "open, opendir and getxattr are asked once in the life of a mount, release never" {
  [ "$(fuse_count open)" -le 1 ]
  [ "$(fuse_count opendir)" -le 1 ]
  [ "$(fuse_count getxattr)" -le 1 ]
  [ "$(fuse_count listxattr)" -le 1 ]
  [ "$(fuse_count release)" = 0 ]
}
