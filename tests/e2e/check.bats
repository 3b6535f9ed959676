#!/usr/bin/env bats
# check.bats - the doctor: what is well is ok, each thing that can be wrong is found, named, and stops what depends on it
# and nothing else.

load lib

setup() {
  begin
  start_sim --integrations 1 --records units=20 --rate-limit 100
  printf 'whsec-one\n' >"$T/secret"
  chmod 600 "$T/secret"
  mkdir -p "$T/config/propexofs"
  conf=$T/config/propexofs/default.conf
  printf 'api-url = %s\napi-key-file = %s\nstore = %s\nmountpoint = %s\n' "$URL" "$T/key" "$T/store.db" "$M" >"$conf"
}

teardown() {
  [ -z "${tls:-}" ] || kill "$tls" 2>/dev/null || true
  finish
}

# check CODE [OPTIONS...]: its lines are in $T/out, nothing is on standard error, no secret anywhere.
check() {
  local code=$1 rc=0
  shift
  timeout 60 "$BIN/propexofs" check "$@" >"$T/out" 2>"$T/err" 3>&- || rc=$?
  [ "$rc" = "$code" ] && [ ! -s "$T/err" ] && ! grep -qE 'sim-key|whsec' "$T/out" ||
    fail "expected $code, got $rc: $(cat "$T/out" "$T/err")"
}

# says LINE...: each is the start of a line.
says() {
  local line
  for line; do
    sed 's/^\([a-z]*\)  */\1 /' "$T/out" | grep -qF -- "$line" || { cat "$T/out"; fail "not said: $line"; }
  done
}

# Exactly these subjects failed.
failed() { [ "$(sed -n 's/^fail *\([^:]*\):.*/\1/p' "$T/out" | paste -sd,)" = "$1" ] || fail "$(cat "$T/out")"; }

@test "all is well: 16 lines of ok, 0, one GET, and nothing is made" {
  requests=$(stat_of .by_method.GET)
  check 0 --webhook-listen 127.0.0.1:0 --webhook-secret-file "$T/secret"
  [ "$(wc -l <"$T/out")" = 16 ]
  [ "$(grep -c '^ok ' "$T/out")" = 16 ]
  says "ok mountpoint: $M is an empty directory" "ok key: from $T/key" "ok API address: $URL can be reached" \
    "ok authorisation: the key is good" "ok allowance: 99 of 100" "ok webhook secret: 1 secret from $T/secret"
  [ "$(($(stat_of .by_method.GET) - requests))" = 1 ]
  for f in store.db store.db.lock state; do [ ! -e "$T/$f" ]; done
}

@test "before anything is configured: each thing that is missing is named, the rest is looked at" {
  rm "$conf"
  check 1 --api-url "$URL"
  failed key
  says "ok /dev/fuse" "warn configuration: there is no file" "fail key: no API key" "ok API address" \
    "skip authorisation: because key failed" "skip allowance: because key failed"
  grep -q '^      propexofs init$' "$T/out"
}

@test "a configuration that cannot be read is a finding; a wrong command line is 2" {
  echo 'nonsense = 1' >"$conf"
  check 1
  failed configuration
  says "fail configuration: $conf:1: unknown key 'nonsense'" "skip mountpoint: because configuration failed" \
    "skip store directory: because configuration failed" "skip store format: because configuration failed" \
    "skip key: because configuration failed" "skip TLS: because configuration failed" \
    "skip webhook secret: because configuration failed"
  check 1 --config nowhere
  failed configuration
  PROPEXO_API_KEY=$'a\tb' check 1
  failed configuration
  for args in "--nonsense" "--api-url nonsense" "operand" "--config"; do
    rc=0
    # shellcheck disable=SC2086
    "$BIN/propexofs" check $args >"$T/out" 2>"$T/err" || rc=$?
    [ "$rc $(wc -c <"$T/out") $(wc -l <"$T/err")" = "2 0 1" ]
  done
}

@test "a configuration that others may change" {
  chmod 664 "$conf"
  check 1
  failed configuration
  says "fail configuration: $conf can be changed by others (mode 0664)" "skip key: because configuration failed"
}

@test "keys: readable by others, missing, of a program that fails, refused" {
  chmod 640 "$T/key"
  check 1
  failed key
  says "skip authorisation: because key failed" "ok API address"
  rm "$T/key"
  check 1
  failed key
  sed -i "s/^api-key-file.*/api-key-command = exit 3/" "$conf"
  check 1
  failed key
  says "fail key: key command: exit code 3"
  sed -i "s/^api-key-command.*/api-key-command = echo sim-key/" "$conf"
  check 0
  says "ok key: from api-key-command"
  PROPEXO_API_KEY=sim-key check 0
  says "ok key: from the environment"
  control POST key '{"revoke":true}'
  check 1
  failed authorisation
  says "fail authorisation: the key is refused: HTTP 401" "skip allowance: because authorisation failed"
}

@test "the API: away, broken, and an allowance that is used up" {
  control POST fault '{"fault":"status","status":503,"kind":"integrations","times":1}'
  check 1
  failed authorisation
  says "fail authorisation: GET /v1/admin/integrations/: HTTP 503"
  control POST fault '{"fault":"status","status":403,"kind":"integrations","times":1}'
  check 1
  grep -q 'lacks a permission' "$T/out"
  for _ in $(seq 90); do curl -s -m 5 -o "$T/x" -H 'Authorization: Bearer sim-key' "$URL/v1/admin/integrations/?limit=1"; done
  check 0
  says "warn allowance: "
  stop_sim
  check 1
  failed "API address"
  says "skip TLS: because API address failed" "skip authorisation: because API address failed"
  sed -i 's/^api-url.*/api-url = https:\/\/nowhere.invalid/' "$conf"
  check 1
  failed "API address"
}

@test "TLS with a certificate that nobody vouches for" {
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/tls.key" -out "$T/tls.crt" -days 1 -subj /CN=localhost 2>/dev/null
  openssl s_server -accept 127.0.0.1:0 -cert "$T/tls.crt" -key "$T/tls.key" -www >"$T/tls.log" 2>&1 3>&- &
  tls=$!
  until_true 10 grep -q '^ACCEPT' "$T/tls.log"
  check 1 --api-url "https://$(sed -n 's/^ACCEPT //p' "$T/tls.log")"
  failed TLS
  says "ok API address" "fail TLS: SSL certificate problem" "skip authorisation: because TLS failed"
}

@test "mountpoints: missing, a file, not empty, another filesystem, dead" {
  rmdir "$M"
  check 1
  failed mountpoint
  says "fail mountpoint: $M does not exist"
  grep -qF "mkdir -p $M" "$T/out"
  : >"$M"
  check 1
  says "fail mountpoint: $M is not a directory"
  rm "$M"
  mkdir -p "$M/full"
  check 0
  says "warn mountpoint: $M is not empty"
  rmdir "$M/full"
  start_daemon
  kill_daemon
  check 1
  failed mountpoint
  says "fail mountpoint: $M: the mount does not answer"
  umount -l "$M"
  mount -t tmpfs none "$M" || skip "cannot mount a tmpfs here"
  check 0
  says "ok mountpoint: $M is an empty directory"
  touch "$M/file"
  check 1
  says "fail mountpoint: $M: another filesystem is mounted there, with files in it"
}

@test "the store: in use, of another API, of a newer format, readable by others, no place for it" {
  start_daemon
  ready
  check 0
  says "ok mountpoint: $M is mounted and answers" "ok store owner: in use by process $(cat "$T/daemon.pid")" \
    "ok store format: $T/store.db can be read"
  umount_daemon
  check 1 --api-url http://127.0.0.1:1
  says "fail store format: $T/store.db holds data of $URL, not of http://127.0.0.1:1"
  chmod 644 "$T/store.db"
  check 0
  says "warn store owner: $T/store.db can be read by others"
  chmod 600 "$T/store.db"
  sqlite3 "$T/store.db" 'pragma user_version = 999'
  check 1
  failed "store format"
  check 1 --store "$T/key/s.db"
  failed "store directory"
  says "skip free space: because store directory failed" "skip store format: because store directory failed"
}

@test "deliveries: a port in use, no secret, one that others may read, an open address, a socket's directory" {
  start_daemon --webhook-listen 127.0.0.1:0 --webhook-secret-file "$T/secret"
  address=$(jq -r .webhooks.listening "$M/status.json")
  check 0 --webhook-listen "$address" --webhook-secret-file "$T/secret"
  says "ok webhook address: $address is in use, as it should be"
  check 1 --webhook-listen "$address" --webhook-secret-file "$T/secret" --store "$T/other.db"
  failed "webhook address"
  umount_daemon
  check 1 --webhook-listen 127.0.0.1:0
  failed "webhook secret"
  chmod 644 "$T/secret"
  check 1 --webhook-listen 127.0.0.1:0 --webhook-secret-file "$T/secret"
  failed "webhook secret"
  chmod 600 "$T/secret"
  check 0 --webhook-listen 0.0.0.0:0 --webhook-secret-file "$T/secret"
  says "warn webhook address: 0.0.0.0:0: deliveries would cross the network in the clear"
  check 0 --webhook-url https://hooks.example.com/in --webhook-secret-file "$T/secret"
  says "warn webhook address: webhook-url is set, but nothing listens"
}

@test "as a user: fusermount3, allow_other, a mountpoint and a store that are not theirs" {
  [ "$(id -u)" = 0 ] || skip "needs root to become another user"
  chmod 755 "$T"
  as_nobody() { (cd / && HOME=/nonexistent XDG_CONFIG_HOME=/nonexistent timeout 60 setpriv --reuid=65534 --regid=65534 --clear-groups "$@"); }
  as_nobody "$BIN/propexofs" --version >/dev/null || skip "the build directory is not for others"
  printf 'sim-key\n' >"$T/nobodys"
  chown 65534 "$T/nobodys"
  chmod 600 "$T/nobodys"
  printf 'api-url = %s\napi-key-file = %s\nstore = %s\nmountpoint = %s\n' "$URL" "$T/nobodys" "$T/store.db" "$M" >"$T/n.conf"
  as_nobody "$BIN/propexofs" check --config "$T/n.conf" -o allow_other >"$T/out" || [ $? = 1 ]
  says "fail mountpoint: $M is not yours to write" "fail store directory: $T cannot be written" "ok key"
  if grep -qs '^user_allow_other' /etc/fuse.conf; then
    says "ok allow_other: allow_other: user_allow_other is set"
  else
    says "fail allow_other: allow_other: /etc/fuse.conf does not let users ask for it"
  fi
  says "ok fusermount3: /usr/bin/fusermount3"
}
