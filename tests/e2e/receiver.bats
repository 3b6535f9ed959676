#!/usr/bin/env bats
# receiver.bats - where deliveries are received: a socket file, a socket that systemd hands over.

load lib

setup() {
  begin
  start_sim --integrations 1 --records residents=20 --rate-limit 0
  printf 'whsec-one-two-three\n' >"$T/secret"
  chmod 600 "$T/secret"
  S=$T/hook.sock
  HOOK=http://localhost/webhook
  export HOOK
}

teardown() { finish; }

NEWS='{"event":"SOMETHING_NEW"}'

over_unix() { [ "$(deliver "$NEWS" --unix-socket "${1:-$S}")" = 200 ]; }

start_unix() { start_daemon --webhook-listen "unix:$S" --webhook-secret-file "$T/secret" "$@"; }

# second_refused TEXT OPTIONS...: another daemon, with its own store and mountpoint, ends with one line that holds TEXT.
second_refused() {
  mkdir -p "$T/mnt2"
  run timeout 20 "$BIN/propexofs" mount --api-url "$URL" --api-key-file "$T/key" --store "$T/two.db" --webhook-secret-file "$T/secret" "${@:2}" "$T/mnt2"
  [ "$status" != 0 ] && [ "${#lines[@]}" = 1 ] && [[ $output == *"$1"* ]] || fail "$status: $output"
}

@test "unix:PATH: deliveries come through, anybody who gets there may connect, the file goes at the end" {
  start_unix
  [ "$(jq -r .webhooks.listening "$M/status.json")" = "unix:$S" ]
  [ "$(stat -c %F:%a "$S")" = socket:666 ]
  over_unix
  until_true 10 grep -q SOMETHING_NEW "$M/events/latest.jsonl"
  [ "$(deliver '{' --unix-socket "$S")" = 400 ]
  [ "$(curl -s -m 10 -o /dev/null -w '%{http_code}' -d "$NEWS" --unix-socket "$S" "$HOOK")" = 401 ]
  [ "$(curl -s -m 10 -o /dev/null -w '%{http_code}' --unix-socket "$S" http://localhost/healthz)" = 200 ]
  umount_daemon
  [ ! -e "$S" ]
}

@test "a socket file that a killed daemon left is replaced; one that is in use, or another file, is not" {
  start_unix
  kill_daemon
  [ -S "$S" ]
  start_unix
  over_unix
  second_refused "$S" --webhook-listen "unix:$S"
  over_unix
  printf 'precious\n' >"$T/file"
  second_refused "$T/file" --webhook-listen "unix:$T/file"
  [ "$(cat "$T/file")" = precious ]
  second_refused "$T/none/s" --webhook-listen "unix:$T/none/s"
}

@test "a relative PATH is meant from where the command is given; one below the mountpoint is refused" {
  cd "$T"
  start_daemon --webhook-listen unix:here.sock --webhook-secret-file "$T/secret"
  over_unix "$T/here.sock"
  mkdir -p "$T/mnt2"
  second_refused "below the mountpoint" --webhook-listen "unix:$T/mnt2/s"
}

# handed NAME=ADDRESS... -- OPTIONS...: a daemon whose sockets somebody else has made; where they are is in $T/where.
handed() {
  local sockets=()
  while [ "$1" != -- ]; do
    sockets+=("$1")
    shift
  done
  shift
  "$BIN/tests/handover" "${sockets[@]}" -- "$BIN/propexofs" mount -f --api-url "$URL" --api-key-file "$T/key" --store "$T/store.db" \
    --webhook-secret-file "$T/secret" "$@" "$M" >"$T/where" 2>"$T/log" 3>&- &
  echo $! >"$T/daemon.pid"
  until_true 20 serves || { cat "$T/log"; return 1; }
}

@test "a socket that systemd hands over is the receiver's, without --webhook-listen" {
  handed webhook=127.0.0.1:0 --
  HOOK=http://$(head -n 1 "$T/where")/webhook
  [ "http://$(jq -r .webhooks.listening "$M/status.json")/webhook" = "$HOOK" ]
  [ "$(deliver "$NEWS")" = 200 ]
  until_true 10 grep -q SOMETHING_NEW "$M/events/latest.jsonl"
}

@test "it may have any name and be a file, which stays; it goes before --webhook-listen; metrics has its own" {
  handed propexofs-acme.socket="unix:$S" metrics=127.0.0.1:0 -- --webhook-listen 127.0.0.1:0
  over_unix
  [ "$(jq -r .webhooks.listening "$M/status.json")" = "unix:$S" ]
  curl -fsS -m 10 "http://$(tail -n 1 "$T/where")/metrics" | grep -q '^propexofs_webhook_received_total 1$'
  umount_daemon
  [ -S "$S" ]
}

@test "the socket reaches a daemon in the background too; what it starts does not inherit it" {
  "$BIN/tests/handover" webhook=127.0.0.1:0 -- "$BIN/propexofs" mount --api-url "$URL" --store "$T/store.db" \
    --api-key-command "ls /proc/self/fd | wc -l >$T/fds; cat $T/key" --webhook-secret-file "$T/secret" "$M" >"$T/where" 3>&-
  HOOK=http://$(head -n 1 "$T/where")/webhook
  [ "$(deliver "$NEWS")" = 200 ]
  # 0, 1, 2 and ls's own
  [ "$(cat "$T/fds")" = 4 ] || fail "$(cat "$T/fds")"
  "$BIN/propexofs" umount "$M"
  run curl -s -m 10 "$HOOK"
  [ "$status" = 7 ]
}

@test "what cannot be used is refused, in one line" {
  refused() {
    run timeout 20 "$@"
    [ "$status" = 2 ] && [ "${#lines[@]}" = 1 ] && [[ $output == *"service manager hands over"* ]] || fail "$status: $output"
  }
  mount=("$BIN/propexofs" mount -f --api-url "$URL" --api-key-file "$T/key" --store "$T/store.db" --webhook-secret-file "$T/secret" "$M")
  # shellcheck disable=SC2016
  refused bash -c 'exec 3</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"' bash "${mount[@]}"
  "$BIN/tests/handover" a="unix:$T/a" b="unix:$T/b" -- "${mount[@]}" >/dev/null 2>"$T/err" 3>&- || rc=$?
  [ "$rc" = 2 ]
  grep -q 'two sockets for webhooks' "$T/err"
  # a variable that is meant for another process is no socket
  LISTEN_PID=1 LISTEN_FDS=1 start_daemon
  [ "$(jq -r .webhooks.listening "$M/status.json")" = null ]
}

@test "a socket without a secret is refused" {
  rm "$T/secret"
  run timeout 20 "$BIN/tests/handover" webhook=127.0.0.1:0 -- "$BIN/propexofs" mount -f --api-url "$URL" --api-key-file "$T/key" \
    --store "$T/store.db" --log-level error "$M"
  [ "$status" = 2 ] && [[ $output == *"needs a secret"* ]] || fail "$output"
}

@test "sockets that were handed over outlive a daemon: what arrives while there is none waits for the next" {
  cat >"$T/twice" <<'END'
for _ in 1 2; do (LISTEN_PID=$BASHPID exec "$@"); done
END
  "$BIN/tests/handover" webhook="unix:$S" metrics="unix:$T/metrics" -- bash "$T/twice" "$BIN/propexofs" mount -f --api-url "$URL" \
    --api-key-file "$T/key" --store "$T/store.db" --webhook-secret-file "$T/secret" "$M" >"$T/where" 2>"$T/log" 3>&- &
  echo $! >"$T/daemon.pid"
  until_true 20 serves
  over_unix
  curl -fsS -m 10 --unix-socket "$T/metrics" http://localhost/metrics >/dev/null
  # the daemon cannot be mounted again before it is gone: what is sent in between is in the socket's queue
  "$BIN/propexofs" umount "$M"
  over_unix
  curl -fsS -m 10 --unix-socket "$T/metrics" http://localhost/metrics | grep -q '^propexofs_webhook_received_total 1$'
  until_true 20 serves
  "$BIN/propexofs" umount "$M"
  until_true 20 ended "$(cat "$T/daemon.pid")"
  rm "$T/daemon.pid"
}

@test "more connections than files may be open leave the daemon able to open what it needs" {
  local host i fd holder
  mkfifo "$T/hold"
  (ulimit -n 256 && start_daemon --webhook-listen 127.0.0.1:0 --webhook-secret-file "$T/secret")
  ready
  host=$(jq -r .webhooks.listening "$M/status.json")
  (
    for ((i = 0; i < 400; i++)); do exec {fd}<>"/dev/tcp/${host%:*}/${host#*:}"; done
    touch "$T/connected"
    read -r _ <"$T/hold"
  ) 3>&- &
  holder=$!
  until_true 20 test -e "$T/connected"
  # 128 of them are taken: the control socket, a connection to the API, the key's file still open
  "$BIN/propexofs" sync --api-url "$URL" --api-key-file "$T/key" --store "$T/store.db"
  [ "$(ls "/proc/$(cat "$T/daemon.pid")/fd" | wc -l)" -lt 240 ]
  echo >"$T/hold"
  wait "$holder"
}
