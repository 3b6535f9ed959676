# lib.bash - a simulator and a mount for a bats file. Everything lives below $T, a fresh directory; $M is the mountpoint.
# Functions fail (return non-zero) with a line that says what was awaited, so that a failing test tells why.

BIN=$(realpath -s "${BUILD:-build}")
export BIN
# what scripts/unpack-tools has unpacked
PATH=$PATH:/usr/sbin:$PWD/build/tools/usr/sbin:$PWD/build/tools/usr/bin

# New $T, $M and key; nothing runs yet.
begin() {
  T=$(mktemp -d "${TMPDIR:-/tmp}/pxe2e.XXXXXX")
  M=$T/mnt
  mkdir "$M"
  printf 'sim-key\n' >"$T/key"
  chmod 600 "$T/key"
  export T M HOME=$T XDG_CONFIG_HOME=$T/config XDG_STATE_HOME=$T/state
  unset PROPEXOFS_CONFIG PROPEXO_API_URL PROPEXO_API_KEY PROPEXOFS_STORE PROPEXOFS_WEBHOOK_LISTEN PROPEXO_WEBHOOK_SECRET \
    PROPEXOFS_WEBHOOK_URL CREDENTIALS_DIRECTORY
}

# Ends all of it, whatever state it is in.
finish() {
  [ -n "${T:-}" ] || return 0
  umount_daemon 2>/dev/null || true
  kill_daemon
  stop_sim
  umount -l "$M" 2>/dev/null || true
  rm -rf "$T"
}

# until_true SECONDS COMMAND...: polls.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "timed out: $*"
      return 1
    fi
    sleep 0.05
  done
}

# ---- the simulator ----

start_sim() {
  rm -f "$T/port"
  "$BIN/propexofs-sim" --port-file "$T/port" "$@" >"$T/sim.log" 2>&1 3>&- &
  echo $! >"$T/sim.pid"
  until_true 120 test -s "$T/port" || { cat "$T/sim.log"; return 1; }
  URL=http://127.0.0.1:$(cat "$T/port")
  export URL
}

stop_sim() {
  [ -s "$T/sim.pid" ] || return 0
  kill "$(cat "$T/sim.pid")" 2>/dev/null
  until_true 10 ended "$(cat "$T/sim.pid")"
  rm -f "$T/sim.pid"
}

# Also when nobody has waited for it: a zombie has ended, once it is the last of its threads. Until then they hold what it had open.
ended() { ! grep -Eqs '^(State:[[:space:]][^Z]|Threads:[[:space:]]([2-9]|[1-9][0-9]))' "/proc/$1/status"; }

# control GET|POST PATH [JSON]
control() {
  if [ "$1" = GET ]; then
    curl -fsS -m 30 "$URL/_control/$2"
  else
    curl -fsS -m 30 -X POST -d "${3:-{\}}" "$URL/_control/$2"
  fi
}

stat_of() { control GET stats | jq -r "$1"; }

# A million records are 1.5 GB.
truth() { curl -fsS -m 600 "$URL/_control/truth" >"$T/truth"; }

# ---- the daemon ----

# start_daemon [OPTIONS...]: in the foreground, its log in $T/log; returns when it serves.
start_daemon() {
  "$BIN/propexofs" mount -f --api-url "$URL" --api-key-file "$T/key" --store "$T/store.db" "$@" "$M" >>"$T/log" 2>&1 3>&- &
  echo $! >"$T/daemon.pid"
  until_true 60 serves || { cat "$T/log"; return 1; }
}

serves() { [ -e "$M/status.json" ] || ended "$(cat "$T/daemon.pid")"; }

umount_daemon() {
  [ -s "$T/daemon.pid" ] || return 0
  "$BIN/propexofs" umount "$M" || return 1
  until_true 20 ended "$(cat "$T/daemon.pid")"
  rm -f "$T/daemon.pid"
}

# kill -9, and what the kernel keeps of the mount.
kill_daemon() {
  [ -s "$T/daemon.pid" ] || return 0
  kill -9 "$(cat "$T/daemon.pid")" 2>/dev/null
  until_true 60 ended "$(cat "$T/daemon.pid")"
  rm -f "$T/daemon.pid"
}

# ready [SECONDS]: real ones, however fast the shared clock runs.
ready() {
  local end=$((SECONDS + ${1:-60})) rc
  until "$BIN/propexofs" ready --wait 1 "$M" >"$T/ready" 2>&1; do
    rc=$?
    if [ "$rc" != 3 ] || [ "$SECONDS" -ge "$end" ]; then
      cat "$T/ready"
      return "$rc"
    fi
    sleep 0.05
  done
}

# sweep_now: the clock that daemon and simulator share goes on by 8 days, more than --sweep: every list is read again.
sweep_now() {
  SWEEPS=$((${SWEEPS:-0} + 1))
  "$BIN/tests/testclock" "$T/clock" "$(date -u -d "2026-11-23T12:00:00Z + $((8 * SWEEPS)) days" +%Y-%m-%dT%H:%M:%SZ)" 20
}

# FUSE requests so far of these kinds, summed. A rendering serves two seconds: wait for a fresh one.
fuse_count() {
  local kind sum=0
  sleep 2.1
  cp "$M/metrics.prom" "$T/metrics"
  for kind; do
    sum=$((sum + $(sed -n "s/^propexofs_fuse_requests_total{operation=\"$kind\"} //p" "$T/metrics")))
  done
  echo "$sum"
}

check_tree() {
  truth || return 1
  "$BIN/tests/treecheck" "$@" "$M" "$T/truth"
}

first_integration() { control GET truth | head -n 1 | jq -r .integration_id; }

fail() {
  echo "$@"
  return 1
}

# ---- live ----

# start_live [OPTIONS...]: a daemon that receives deliveries, and a hook for all of them.
start_live() {
  printf 'whsec-one-two-three\n' >"$T/secret"
  chmod 600 "$T/secret"
  start_daemon --webhook-listen 127.0.0.1:0 --webhook-secret-file "$T/secret" "$@" || return 1
  HOOK=http://$(jq -r .webhooks.listening "$M/status.json")/webhook
  export HOOK
  hook
}

# One hook without a model gets everything.
hook() {
  curl -fsS -m 30 -H 'Authorization: Bearer sim-key' -d "{\"url\":\"$HOOK\",\"active\":true,\"secret\":\"whsec-one-two-three\",
    \"triggers\":[\"DATA_NEW\",\"DATA_UPDATE\",\"SYNC_COMPLETE\",\"FIRST_SYNC_COMPLETE\",\"JOB_FAILURE\",\"WRITE_OPERATION_FAILURE\"]}" \
    "$URL/v1/webhooks/" >/dev/null
}

# Until the simulator has nothing to deliver and the mirror nothing to read again.
settle() {
  control POST wait '{"timeout_ms":20000}' >/dev/null || return 1
  until_true "${1:-30}" nothing_pending
}

nothing_pending() {
  [ "$(sqlite3 "file:$T/store.db?mode=ro" 'select (select count(*) from pending) + (select count(*) from inbox)')" = 0 ]
}

# deliver BODY [CURL OPTIONS...]: a delivery of our own, signed; prints the status.
deliver() {
  local body=$1 sig
  shift
  sig=$(printf %s "$body" | openssl dgst -sha256 -hmac whsec-one-two-three | sed 's/.*= //')
  curl -s -m 30 -o "$T/answer" -w '%{http_code}' -H "propexo-signature: $sig" "$@" --data-binary "$body" "$HOOK"
}

last_events() { tail -n "${1:-1}" "$M/events/latest.jsonl"; }
