#!/usr/bin/env bats
# verify.bats - propexofs verify: finds what differs, and only that.

load lib

setup() {
  begin
  start_sim --integrations 2 --total 1500 --rate-limit 0
  start_daemon --refresh 0
  ready
}

teardown() { finish; }

verify() { timeout 60 "$BIN/propexofs" verify --api-url "$URL" --api-key-file "$T/key" --store "$T/store.db" "$@"; }

@test "a mirror that is right: nothing printed, 0, also beside the daemon, also for a sample" {
  run verify
  [ "$status" = 0 ] || fail "$output"
  [[ $output == *" 0 differences"* ]]
  [ "${#lines[@]}" = 1 ]
  [ "$(sed 's/propexofs: \([0-9]*\) records.*/\1/' <<<"$output")" -ge 1400 ]
  run verify --sample 40
  [ "$status" = 0 ] || fail "$output"
  # last_seen alone is no difference
  control POST sync '{"integration":0,"touch":true,"events":false}' >/dev/null
  run verify --model residents
  [ "$status" = 0 ] || fail "$output"
}

@test "each kind of difference on a line, 4; nothing is changed" {
  umount_daemon
  a=$(control POST update '{"model":"residents","events":false,"diffs":false}' | jq -r '.records[0].id')
  b=$(control POST create '{"model":"leases","events":false,"diffs":false}' | jq -r '.records[0].id')
  c=$(control POST delete '{"model":"units","integration":0}' | jq -r '.records[0].id')
  before=$(sha256sum "$T/store.db")
  run verify
  [ "$status" = 4 ] || fail "$output"
  [[ $output == *"content "*"/residents/$a"* ]]
  [[ $output == *"missing "*"/leases/$b"* ]]
  [[ $output == *"extra "*"/units/$c"* ]]
  [ "$(grep -cE '^(content|missing|extra) ' <<<"$output")" = 3 ]
  [ "$(sha256sum "$T/store.db")" = "$before" ]
  run verify --model residents
  [ "$status" = 4 ]
}

@test "'not found' has no documented form: each is a record too many, for a sample too" {
  umount_daemon
  id=$(control POST delete '{"model":"units","integration":0}' | jq -r '.records[0].id')
  for form in notfound-400 notfound-null notfound-empty; do
    control POST settings "{\"quirk\":\"$form\",\"on\":true}" >/dev/null
    for sample in "" "--sample 100000"; do
      # shellcheck disable=SC2086
      run verify --model units $sample
      [ "$status" = 4 ] || fail "$form $sample: $output"
      [[ $output == *"extra "*"/units/$id"* ]]
    done
    control POST settings "{\"quirk\":\"$form\",\"on\":false}" >/dev/null
  done
}

@test "what cannot be read is no difference, but no success either" {
  control POST permission '{"model":"leases","allowed":false}' >/dev/null
  run verify
  [ "$status" = 3 ] || fail "$output"
  stop_sim
  run verify
  [ "$status" = 3 ] || [ "$status" = 1 ]
}
