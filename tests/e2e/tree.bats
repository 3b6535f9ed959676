#!/usr/bin/env bats
# tree.bats - what a mount shows of a filled mirror: contents, names, attributes, refusals (contract sections 1 to 4).

load lib

setup_file() {
  begin
  start_sim --integrations 3 --total 3000 --rate-limit 0
  start_daemon
  ready
  cp -r "$M/status.json" "$T/status.json"
}

teardown_file() { finish; }

@test "every byte is the one that the API sent, st_size is exact, nothing is missing, nothing is there besides" {
  check_tree
  [ "$(wc -l <"$T/truth")" -ge 2900 ]
}

@test "nothing but GET was sent to the API" {
  [ "$(stat_of '.by_method | keys | join(",")')" = GET ]
}

@test "every model has records somewhere" {
  [ "$(jq -r .model "$T/truth" | sort -u | wc -l)" = 59 ]
}

@test "the root has what the contract names, with link counts, owners and modes" {
  run ls -A "$M"
  [ "$output" = "$(printf '%s\n' README.md by-name events integrations metrics.prom schema status.json)" ]
  [ "$(stat -c '%a %u %g %h' "$M/README.md")" = "400 $(id -u) $(id -g) 1" ]
  [ "$(stat -c '%a' "$M/integrations")" = 500 ]
  [ "$(stat -c '%a' "$T"/store.db* | sort -u)" = 600 ]
  for d in "$M" "$M/integrations" "$M"/integrations/*/; do
    [ "$(stat -c %h "$d")" = $(($(find "$d" -mindepth 1 -maxdepth 1 -type d | wc -l) + 2)) ]
  done
}

@test "by-name leads to the integrations, readable, without a slash" {
  [ "$(ls "$M/by-name" | wc -l)" = 3 ]
  for l in "$M"/by-name/*; do
    [ "$(stat -c %i "$(readlink -f "$l")")" = "$(stat -c %i "$M/integrations/$(basename "$(readlink "$l")")")" ]
  done
  name=$(jq -r '[.integrations[].name | select(contains("/"))][0] | explode | map(if . < 32 or . == 127 or . == 47 then 95 else . end) | implode' \
    "$M/status.json")
  [ -d "$M/by-name/$name" ]
}

@test "d_ino of a listing is st_ino of the file, cookies can be gone back to" {
  dir=$(dirname "$(find "$M/integrations" -path '*/residents/*' | head -n 1)")
  diff <(ls -i1 "$dir" | awk '{print $1}' | sort) <(stat -c %i "$dir"/* | sort)
  "$BIN/tests/dirwalk" "$dir"
}

@test "modification time is updated_at, change time is later" {
  f=$(find "$M/integrations" -path '*/residents/*' | head -n 1)
  [ "$(stat -c %Y "$f")" = "$(date -d "$(jq -r .updated_at "$f")" +%s)" ]
  [ "$(stat -c %Z "$f")" -ge "$(stat -c %Y "$f")" ]
}

@test "integration.json has harmless members only" {
  for f in "$M"/integrations/*/integration.json; do
    jq -e '.id and .name and .vendor' "$f" >/dev/null
    ! grep -qi 'SECRET-\|password\|token' "$f" || fail "$(cat "$f")"
  done
  ! grep -r 'SECRET-' "$M" --include='*.json' -l | grep -v "/integrations/.*/.*/" | grep . || fail "secrets are shown"
}

@test "small files of each integration are JSON" {
  for d in "$M"/integrations/*/; do
    for f in data-access schedules properties status; do
      until_true 20 test -s "$d/$f.json"
      jq -e . "$d/$f.json" >/dev/null
    done
    until_true 20 test -e "$d/jobs.jsonl"
    jq -e . "$d/jobs.jsonl" >/dev/null
  done
}

@test "status.json of an integration has the fields of the contract" {
  for f in "$M"/integrations/*/status.json; do
    jq -e '(.id and .name and .vendor and .system) and (.active == true) and (.archived == false) and .phase == "current"
      and (.propexo | has("last_completed_sync") and has("last_completed_back_sync") and has("syncing") and has("can_authenticate"))
      and (.mirror | has("first_filled_at") and has("reconciled_at") and has("last_event_at") and has("oldest_pending_event_at"))
      and (.models.residents | .phase == "current" and .complete == true and .records == .expected and .progress == 1 and .eta_seconds == 0
        and has("updated_through") and .pending == 0 and .error == null) and .error == null' "$f"
  done
}

@test "status.json at the root has the fields of the contract, and counts right" {
  jq -e '(.version and .pid and .started_at) and (.api | .url and .reachable and .authorized and .last_error == null and
    (.requests_per_minute | has("allowed") and has("used") and has("fill") and has("catch_up") and has("hydrate")))
    and (.webhooks | has("listening") and has("registered") and has("received") and has("rejected") and has("duplicate") and has("pending") and has("last_received_at"))
    and (.store | .path and .bytes and .records and .versions)' "$M/status.json"
  truth
  [ "$(jq .store.records "$M/status.json")" = "$(wc -l <"$T/truth")" ]
  [ "$(jq '[.integrations[].records] | add' "$M/status.json")" = "$(wc -l <"$T/truth")" ]
}

@test "schema describes 59 models, and every record's members are in it" {
  [ "$(ls "$M/schema" | wc -l)" = 59 ]
  for m in residents units leases resident-payments unit-details; do
    f=$(find "$M/integrations" -path "*/$m/*.json" | head -n 1)
    [ -z "$(comm -23 <(jq -r 'keys[]' "$f" | sort) <(jq -r '.properties | keys[]' "$M/schema/$m.json" | sort))" ]
  done
}

@test "every changing call is refused with EROFS" {
  f=$(find "$M/integrations" -path '*/residents/*' | head -n 1)
  for c in "touch $f" "touch $M/x" "mkdir $M/x" "rm -f $f" "ln -s a $M/x" "ln $f $M/x" "mv $f $M/x" "chmod 600 $f" "truncate -s 0 $f" \
    "setfattr -n user.a -v b $f" "mknod $M/x p" "rmdir $M/schema"; do
    run $c
    [ "$status" != 0 ] && [[ $output == *"Read-only file system"* ]] || fail "$c: $output"
  done
}

@test "also after root's remount,rw" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  mount -i -o remount,rw "$M" || skip "the kernel does not remount here"
  f=$(find "$M/integrations" -path '*/residents/*' | head -n 1)
  for c in "touch $f" "mkdir $M/x" "rm -f $f" "ln -s a $M/x" "ln $f $M/x" "mv $f $M/x" "chmod 600 $f" "truncate -s 0 $f" \
    "setfattr -n user.a -v b $f" "mknod $M/x p"; do
    run $c
    [ "$status" != 0 ] && [[ $output == *"Read-only file system"* ]] || fail "$c: $output"
  done
  run dd if=/dev/zero of="$f" bs=1 count=1 conv=notrunc
  [[ $output == *"Read-only file system"* ]] || fail "write: $output"
  run dd if=/dev/null of="$f" # O_TRUNC alone
  [[ $output == *"Read-only file system"* ]] || fail "truncating open: $output"
  mount -i -o remount,ro "$M"
}

@test "statfs: used is the store's size, files are records, nothing is free" {
  truth
  [ "$(stat -f -c '%c %d %f %a' "$M")" = "$(wc -l <"$T/truth") 0 0 0" ]
  used=$(($(stat -f -c %b "$M") * 4096))
  size=$(($(stat -c %s "$T/store.db") + $(stat -c %s "$T/store.db-wal" 2>/dev/null || echo 0)))
  [ "$used" -ge $((size / 2)) ]
  [ "$used" -le $((size * 2)) ]
  findmnt -n -o FSTYPE,OPTIONS "$M" | grep -q '^fuse.propexofs *ro,nosuid,nodev'
}

@test "grep, jq, find, tar, cp -a, busybox and mmap see the same bytes" {
  f=$(find "$M/integrations" -path '*/residents/*' -size -8k | head -n 1)
  id=$(jq -r .id "$f")
  grep -q "\"id\": \"$id\"" "$f"
  cmp <(tar cf - -C "$(dirname "$f")" "$(basename "$f")" | tar xOf -) "$f"
  cp -a "$f" "$T/copy"
  cmp "$T/copy" "$f"
  [ "$(stat -c %y "$T/copy")" = "$(stat -c %y "$f")" ]
  cmp <(busybox cat "$f") "$f"
  [ "$(busybox find "$M/integrations" -path '*/residents/*' | wc -l)" = "$(find "$M/integrations" -path '*/residents/*' | wc -l)" ]
  "$BIN/tests/mmapcat" "$f" | cmp - "$f"
}

@test "README.md and metrics.prom are there, and cp of a rendered file succeeds" {
  grep -q integrations "$M/README.md"
  grep -q '^# TYPE propexofs_' "$M/metrics.prom"
  cp "$M/status.json" "$M/metrics.prom" "$T/"
  tar cf "$T/x.tar" -C "$M" status.json metrics.prom README.md schema
}

@test "absent names, names that are too long, and names of other directories are ENOENT or ENAMETOOLONG" {
  d=$(dirname "$(find "$M/integrations" -path '*/residents/*' | head -n 1)")
  for n in nosuch.json .hidden "$d.json" x; do
    [ ! -e "$d/$n" ]
  done
  run stat "$d/$(printf 'a%.0s' $(seq 256))"
  [[ $output == *"File name too long"* ]]
}
