#!/usr/bin/env bats
# disk.bats - the disk fills up, and has room again.

load lib

setup() {
  begin
  mkdir "$T/disk"
  mount -t tmpfs -o size=200m tmpfs "$T/disk" || skip "needs to mount a tmpfs"
}

teardown() {
  finish_disk
  finish
}

finish_disk() {
  umount_daemon 2>/dev/null || true
  kill_daemon
  umount -l "$T/disk" 2>/dev/null || true
}

# As much room as is used, and a little: refused when the store has grown beyond it meanwhile.
shrink() { mount -o "remount,size=$(($(du -sk "$T/disk" | cut -f1) + 200))k" "$T/disk"; }

# While there is room for something small the store is well, and the model that has no room says so.
full_told() { jq -c '.store.error, .models.residents.error' "$M/status.json" "$M"/integrations/*/status.json | grep -qi full; }

refused() { [ "$(deliver "{\"event\":\"DATA_UPDATE\",\"object\":\"residents\",\"record_id\":\"x\",\"integration_id\":\"$id\",\"diff\":{\"new\":{\"a\":\"$pad\"}}}")" = 503 ]; }

@test "disk full: what is stored stays readable, deliveries get 503, the status says so; with room it goes on by itself" {
  # more than the write-ahead log holds in the room that it has by then
  start_sim --integrations 1 --records residents=12000 --rate-limit 0
  control POST fault '{"fault":"status","status":503,"model":"residents","after":8,"times":0}'
  printf 'whsec-one-two-three\n' >"$T/secret"
  chmod 600 "$T/secret"
  ln -s "$T/disk/store.db" "$T/store.db"
  start_daemon --store "$T/disk/store.db" --webhook-listen 127.0.0.1:0 --webhook-secret-file "$T/secret"
  HOOK=http://$(jq -r .webhooks.listening "$M/status.json")/webhook
  until_true 60 sh -c "[ \$(sqlite3 'file:$T/disk/store.db?mode=ro' 'select count(*) from record') -gt 700 ]"
  until_true 20 shrink 2>/dev/null
  control POST fault/clear
  until_true 60 full_told || fail "$(df -k "$T/disk"; jq -c '.store' "$M/status.json"; jq -c '[.phase, .error, .models.residents]' "$M"/integrations/*/status.json; tail -n 12 "$T/log")"
  # every stored byte
  truth
  "$BIN/tests/treecheck" --partial "$M" "$T/truth"
  [ "$(find "$M/integrations" -path '*/residents/*.json' 2>/dev/null | wc -l)" -gt 100 ]
  id=$(first_integration)
  # what is left of the disk may hold a few
  pad=$(head -c 100000 /dev/zero | tr '\0' x)
  until_true 20 refused
  kill -0 "$(cat "$T/daemon.pid")"
  mount -o remount,size=200m "$T/disk"
  ready 90
  check_tree
  jq -e '.store.error == null' "$M/status.json" >/dev/null
  until_true 20 sh -c "[ \"\$(curl -s -m 5 -o /dev/null -w '%{http_code}' '${HOOK%/webhook}/healthz')\" = 200 ]"
  [ "$(deliver "{\"event\":\"DATA_UPDATE\",\"object\":\"residents\",\"record_id\":\"x\",\"integration_id\":\"$id\",\"diff\":{\"new\":{\"a\":1}}}")" = 200 ]
}
