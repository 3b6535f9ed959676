#!/usr/bin/env bats
# key-command.bats - the key from a program: nowhere to be seen, and asked for anew when the API refuses it.

load lib

setup() {
  begin
  start_sim --integrations 1 --records units=20 --rate-limit 0
  # a safe that counts how often it was opened
  printf '#!/bin/sh\necho x >>"%s"\ncat "%s"\n' "$T/opened" "$T/safe" >"$T/get-key"
  chmod 700 "$T/get-key"
  printf 'sim-key\nlogin: somebody\n' >"$T/safe"
  chmod 600 "$T/safe"
}

teardown() { finish; }

mount_with_command() {
  "$BIN/propexofs" mount -f --api-url "$URL" --api-key-command "$T/get-key" --store "$T/store.db" "$@" "$M" >>"$T/log" 2>&1 3>&- &
  echo $! >"$T/daemon.pid"
  until_true 20 serves || { cat "$T/log"; return 1; }
}

opened() { wc -l <"$T/opened"; }

authorized() { [ "$(jq .api.authorized "$M/status.json")" = "$1" ]; }

@test "the key of a program serves; it is in no argument, environment, log or store" {
  mount_with_command
  ready
  pid=$(cat "$T/daemon.pid")
  [ "$(opened)" = 1 ]
  ! tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q sim-key || fail "the key is an argument"
  ! tr '\0' ' ' <"/proc/$pid/environ" | grep -q sim-key || fail "the key is in the environment"
  ! grep -q sim-key "$T/log" || fail "the key is in the log"
  ! grep -aq sim-key "$T"/store.db* || fail "the key is in the store"
  ! grep -rq sim-key "$M" || fail "the key is in the mount"
}

@test "a key that was replaced: the mirror goes on with the new one by itself" {
  mount_with_command --refresh 1
  ready
  printf 'second-key\n' >"$T/safe"
  control POST key '{"add":"second-key"}'
  control POST key '{"remove":"sim-key"}'
  until_true 20 sh -c "[ \$(wc -l <'$T/opened') -ge 2 ]"
  until_true 20 authorized true
  grep -q 'the key was refused: going on with a new one' "$T/log"
  "$BIN/propexofs" ready --wait 20 --max-age 5 "$M"
  ! grep -q second-key "$T/log" || fail "the key is in the log"
}

@test "the same for a key file: it is read again" {
  start_daemon --refresh 1
  ready
  printf 'second-key\n' >"$T/key"
  control POST key '{"add":"second-key"}'
  control POST key '{"remove":"sim-key"}'
  until_true 20 grep -q 'the key was refused: going on with a new one' "$T/log"
  until_true 20 authorized true
  "$BIN/propexofs" ready --wait 20 --max-age 5 "$M"
}

@test "a key that stays refused is asked for once a minute, not with every request" {
  mount_with_command --refresh 1
  ready
  control POST key '{"revoke":true}'
  until_true 20 authorized false
  sleep 4
  [ "$(opened)" = 2 ]
  [ "$(find "$M/integrations" -path '*/units/*' -name '*.json' | wc -l)" = 20 ]
}

@test "a program that fails: mount and sync say so in a line, and nothing is mounted" {
  printf '#!/bin/sh\necho "the safe is locked" >&2\necho sim-key\nexit 4\n' >"$T/get-key"
  rc=0
  "$BIN/propexofs" mount --api-url "$URL" --api-key-command "$T/get-key" --store "$T/store.db" "$M" 2>"$T/err" 3>&- || rc=$?
  [ "$rc" = 1 ]
  grep -q '^propexofs: key command: exit code 4$' "$T/err"
  grep -q 'the safe is locked' "$T/err"
  ! grep -q sim-key "$T/err" || fail "the key shows"
  ! mountpoint -q "$M" || fail "mounted"
}

@test "umount does not wait for a program that hangs" {
  mount_with_command --refresh 1
  ready
  printf '#!/bin/sh\necho x >>"%s"\nexec sleep 25\n' "$T/opened" >"$T/get-key"
  control POST key '{"revoke":true}'
  until_true 20 sh -c "[ \$(wc -l <'$T/opened') -ge 2 ]"
  start=$SECONDS
  umount_daemon
  [ $((SECONDS - start)) -le 6 ]
}
