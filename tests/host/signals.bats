#!/usr/bin/env bats
# signals.bats - SIGTERM, SIGHUP, SIGUSR1 on a daemon with a mount.

load ../e2e/lib

setup() {
  begin
  start_sim --integrations 1 --records units=40 --rate-limit 0 --key other-key --key sim-key
}

teardown() { finish; }

# configured [LINES...]: a daemon that has all it knows from a file.
configured() {
  conf "$@"
  "$BIN/propexofs" mount -f --config "$T/acme.conf" "$M" >>"$T/log" 2>&1 3>&- &
  echo $! >"$T/daemon.pid"
  until_true 20 serves || { cat "$T/log"; return 1; }
}

conf() {
  printf '%s\n' "api-url = $URL" "api-key-file = $T/key" "store = $T/store.db" "$@" >"$T/acme.conf"
}

pid() { cat "$T/daemon.pid"; }

# logged N TEXT: N lines of the log hold it.
logged() { [ "$(grep -cF -- "$2" "$T/log")" = "$1" ]; }

reload() {
  n=$(grep -cE 'configuration (read again|is refused)|the configuration is refused' "$T/log" || true)
  kill -HUP "$(pid)"
  until_true 10 eval '[ "$(grep -cE "configuration (read again|is refused)" "$T/log")" -gt "$n" ]'
}

# The status of each request for the list of integrations.
lists() { control GET requests | jq 'select(.class == "integrations").status'; }

# time_to_end: how long the daemon takes from now, in ms.
time_to_end() {
  local began=$(date +%s%3N)
  until_true 12 ended "$(pid)" || return 1
  echo $(($(date +%s%3N) - began))
}

@test "SIGTERM while somebody sits in the mount: gone at once, ended with 0 within 5 seconds" {
  "$BIN/propexofs" mount -f --api-url "$URL" --api-key-file "$T/key" --store "$T/store.db" "$M" >"$T/log" 2>&1 3>&- &
  daemon=$!
  echo $daemon >"$T/daemon.pid"
  until_true 20 serves
  ready
  (cd "$M/schema" && exec sleep 60) 3>&- &
  sleeper=$!
  until_true 5 sh -c "readlink /proc/$sleeper/cwd | grep -q '/schema$'"
  began=$(date +%s%3N)
  kill -TERM $daemon
  until_true 2 eval '! mountpoint -q "$M"'
  # its users are served meanwhile
  [ -n "$(cat "/proc/$sleeper/cwd/units.json")" ]
  rc=0
  wait $daemon || rc=$?
  took=$(($(date +%s%3N) - began))
  kill $sleeper
  [ "$rc" = 0 ]
  [ "$took" -le 5000 ] || fail "took $took ms"
}

@test "SIGTERM twice: at once" {
  start_daemon
  ready
  (cd "$M/schema" && exec sleep 60) 3>&- &
  sleeper=$!
  until_true 5 sh -c "readlink /proc/$sleeper/cwd | grep -q '/schema$'"
  kill -TERM "$(pid)"
  until_true 2 eval '! mountpoint -q "$M"'
  kill -TERM "$(pid)"
  took=$(time_to_end)
  kill $sleeper
  [ "$took" -le 1800 ] || fail "took $took ms"
}

@test "SIGTERM when not busy: at once, with 0" {
  "$BIN/propexofs" mount -f --api-url "$URL" --api-key-file "$T/key" --store "$T/store.db" "$M" >"$T/log" 2>&1 3>&- &
  daemon=$!
  echo $daemon >"$T/daemon.pid"
  until_true 20 serves
  ready
  began=$(date +%s%3N)
  kill -TERM $daemon
  wait $daemon
  [ $(($(date +%s%3N) - began)) -le 2500 ]
  ! mountpoint -q "$M" || fail "still mounted"
}

@test "SIGTERM while a name server does not answer: in time" {
  unshare -mn true 2>/dev/null || skip "no namespaces here"
  echo 'nameserver 127.0.0.1' >"$T/resolv.conf"
  cat >"$T/alone" <<'END'
busybox ip link set lo up
mount --bind "$T/resolv.conf" /etc/resolv.conf
"$BIN/tests/mute" 53 >"$T/asked" &
mute=$!
"$BIN/propexofs" mount -f --api-url https://api.example.com --api-key-file "$T/key" --store "$T/store.db" "$M" >"$T/log" 2>&1 &
daemon=$!
echo $daemon >"$T/daemon.pid"
wait $daemon
echo $? >"$T/rc"
kill $mute
END
  unshare -mn --propagation private sh "$T/alone" 3>&- &
  until_true 20 test -s "$T/asked"
  [ -e "/proc/$(pid)/root$M/status.json" ]
  kill -TERM "$(pid)"
  took=$(time_to_end)
  [ "$took" -le 3000 ] || fail "took $took ms"
  until_true 5 test -s "$T/rc"
  [ "$(cat "$T/rc")" = 0 ]
}

@test "SIGHUP: what can change while running changes" {
  configured 'log-level = info' 'refresh = 0'
  ready
  ! logged 1 ' debug ' || fail "debug before it was asked for"
  conf 'log-level = debug' 'refresh = 1' 'sweep = 3' 'rate-share = 50'
  reload
  logged 1 "changed: refresh, sweep, rate-share, log-level"
  # the list is asked for every second now
  n=$(lists | wc -l)
  until_true 10 eval '[ "$(lists | wc -l)" -gt $((n + 1)) ]'
  reload
  logged 1 "changed: nothing"
}

@test "SIGHUP: a new key is used at once" {
  configured 'refresh = 0'
  ready
  control POST key '{"remove":"sim-key"}' >/dev/null
  printf 'other-key\n' >"$T/key"
  reload
  logged 1 "changed: the key"
  until_true 10 eval '[ "$(lists | wc -l)" = 2 ]'
  [ "$(lists | tail -n 1)" = 200 ]
  ! grep -q -e other-key -e sim-key "$T/log" || fail "a key is in the log"
}

@test "SIGHUP: a new webhook secret is accepted, the old one no more" {
  start_live
  [ "$(deliver '{"event":"SYNC_COMPLETE","integration_id":"none"}')" != 401 ]
  printf 'whsec-new\n' >"$T/secret"
  reload
  logged 1 "changed: the webhook secrets"
  [ "$(deliver '{"event":"SYNC_COMPLETE","integration_id":"none"}')" = 401 ]
}

@test "SIGHUP: what needs a restart is named, and stays" {
  configured 'connections = 4'
  ready
  conf 'connections = 5' 'offline = yes' 'refresh = 200' "mountpoint = $T/elsewhere"
  reload
  logged 1 "changed: refresh"
  logged 1 "needs a restart: connections, offline, mountpoint"
  conf 'connections = 4' 'refresh = 200'
  reload
  logged 1 "changed: nothing"
  logged 1 "needs a restart"
}

@test "SIGHUP: a broken configuration is refused, the old one stays" {
  configured 'refresh = 300'
  ready
  conf 'refresh = often'
  reload
  logged 1 "the configuration is refused, the old one stays: $T/acme.conf:4: refresh"
  conf 'refresh = 100'
  chmod 644 "$T/key"
  reload
  logged 1 "chmod 600"
  rm "$T/acme.conf"
  reload
  logged 1 "configuration $T/acme.conf: No such file"
  logged 0 "read again"
  [ -e "$M/status.json" ]
}

@test "SIGHUP beside a key from the environment, started by a relative name elsewhere" {
  mkdir "$T/conf.d"
  printf '%s\n' "api-url = $URL" "store = ../store.db" 'refresh = 0' >"$T/conf.d/acme.conf"
  (cd "$T/conf.d" && PROPEXO_API_KEY=sim-key exec "$BIN/propexofs" mount -f --config ./acme.conf --model units "$M" >>"$T/log" 2>&1 3>&-) &
  until_true 20 test -e "$M/status.json"
  jq .pid "$M/status.json" >"$T/daemon.pid"
  ready
  reload
  logged 1 "changed: nothing"
  logged 0 "restart"
  printf 'refresh = 1\n' >>"$T/conf.d/acme.conf"
  reload
  logged 1 "changed: refresh"
  until_true 10 eval '[ "$(lists | wc -l)" -gt 2 ]'
  ! lists | grep -v 200 || fail "refused"
}

@test "SIGUSR1: state in the log, ids and counts, nothing of what records say" {
  start_daemon
  ready
  kill -USR1 "$(pid)"
  until_true 5 grep -q 'state integration=.* model=units phase=current records=40' "$T/log"
  id=$(first_integration)
  grep -q "state integration=$id phase=current records=" "$T/log"
  grep -q 'state store bytes=[1-9][0-9]* records=' "$T/log"
  grep -q 'state api reachable=1 authorized=1' "$T/log"
  grep -q 'state fuse lookup=[1-9]' "$T/log"
  name=$(jq -r '.integrations[0].name' "$M/status.json")
  ! grep -qF "$name" "$T/log" || fail "$(cat "$T/log")"
}
