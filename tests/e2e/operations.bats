#!/usr/bin/env bats
# operations.bats - docs/operations.md, word for word: what is to be typed is taken from it and run, with other directories.

load lib

setup() {
  begin
  start_sim --integrations 1 --records units=40 --rate-limit 0
  export PATH=$BIN:$PATH PROPEXO_API_URL=$URL PROPEXOFS_STORE=$T/store.db
  export RESTIC_REPOSITORY=$T/restic RESTIC_PASSWORD=x RESTIC_CACHE_DIR=$T/restic-cache
  export BORG_REPO=$T/borg BORG_BASE_DIR=$T/borg-base BORG_PASSPHRASE=x
}

teardown() {
  umount -l "$T/propexo" 2>/dev/null || true
  finish
}

# What is typed below a heading, a command a line, in our directories; ~ is $T already.
typed() {
  awk -v heading="$1" '/^#/ { on = $0 == heading } on && /^    / { print substr($0, 5) }' docs/operations.md |
    sed "s|/mnt/propexo|$M|g; s|/backup/propexo|$T/backup|g; s|/etc/updatedb.conf|$T/updatedb.conf|g"
}

@test "First mount" {
  typed '## First mount' >"$T/typed"
  [ "$(wc -l <"$T/typed")" -ge 7 ]
  while IFS= read -r command; do
    rc=0
    echo sim-key | timeout 20 sh -c "${command/status --watch/status}" >"$T/out" 2>&1 3>&- || rc=$?
    [ "$rc" = 0 ] || fail "$rc: $command: $(cat "$T/out")"
    case $command in *'ready'*) [ "$(find "$T/propexo/integrations" -path '*/units/*' | wc -l)" = 40 ] ;; esac
  done <"$T/typed"
  ! mountpoint -q "$T/propexo" || fail "still mounted"
  [ "$(stat -c %a "$T/config/propexofs/default.key")" = 600 ]
}

@test "Who may read: the mount for a group that backs up" {
  typed '## Who may read' | grep '^propexofs mount' >"$T/typed"
  echo sim-key | propexofs init >/dev/null
  getent group backup >/dev/null || skip "there is no group backup"
  [ "$(id -u)" = 0 ] || grep -qs '^user_allow_other' /etc/fuse.conf || skip "allow_other is not for users here"
  sh -c "$(cat "$T/typed")" 3>&-
  ready
  [ "$(stat -c '%G %a' "$(find "$M/integrations" -path '*/units/*' -print -quit)")" = "backup 440" ]
  propexofs umount "$M"
}

@test "Backups: each command, with the mirror ready and without" {
  typed '## Backups' >"$T/typed"
  [ "$(wc -l <"$T/typed")" -ge 7 ]
  echo sim-key | propexofs init >/dev/null
  propexofs mount "$M" 3>&-
  ready
  while IFS= read -r command; do
    case $command in
      *restic*) command -v restic >/dev/null || continue ;;
      *borg*) command -v borg >/dev/null || continue ;;
      *rsync*) mkdir -p "$T/backup" ;;
    esac
    rc=0
    timeout 60 sh -c "$command" >"$T/out" 2>&1 || rc=$?
    [ "$rc" = 0 ] || fail "$rc: $command: $(cat "$T/out")"
    case $command in *find*) [ "$(grep -c /units/ "$T/out")" = 40 ] ;; esac
  done <"$T/typed"
  [ "$(find "$T/backup" -path '*/units/*.json' | wc -l)" = 40 ]
  # not mounted: what follows && does not run
  propexofs umount "$M"
  grep 'rsync' "$T/typed" >"$T/rsync"
  ! sh -c "$(cat "$T/rsync")" 2>/dev/null || fail "it ran without a mount"
  [ "$(find "$T/backup" -path '*/units/*.json' | wc -l)" = 40 ]
}

@test "Keep others out of it: the line of updatedb.conf" {
  printf 'PRUNE_BIND_MOUNTS="yes"\nPRUNEFS="NFS fuse.sshfs"\n' >"$T/updatedb.conf"
  sh -ec "$(typed '## Keep others out of it')"
  grep -qx 'PRUNEFS="fuse.propexofs NFS fuse.sshfs"' "$T/updatedb.conf"
  grep -qx 'PRUNE_BIND_MOUNTS="yes"' "$T/updatedb.conf"
}
