#!/usr/bin/env bats
# cli.bats - what the command line refuses and how it says so: exit codes of contract section 2, one line on
# standard error, nothing mounted. Needs no daemon and no network.

setup() {
  bin=$(realpath "${BUILD:-build}/propexofs")
  tmp=$(mktemp -d)
  ln -s "$bin" "$tmp/mount.propexofs"
  ln -s "$bin" "$tmp/mount.fuse.propexofs"
  mkdir "$tmp/mnt" "$tmp/config" "$tmp/config/propexofs"
  export HOME=$tmp XDG_CONFIG_HOME=$tmp/config XDG_STATE_HOME=$tmp/state
  unset PROPEXOFS_CONFIG PROPEXO_API_URL PROPEXO_API_KEY PROPEXOFS_STORE
  unset PROPEXOFS_WEBHOOK_LISTEN PROPEXO_WEBHOOK_SECRET PROPEXOFS_WEBHOOK_URL CREDENTIALS_DIRECTORY
  printf 's3cr3t-key\n' >"$tmp/key"
  chmod 600 "$tmp/key"
  # nothing listens there: what gets past all checks fails at once
  printf 'api-url = http://127.0.0.1:1\nstore = %s/store.db\n' "$tmp" >"$tmp/config/propexofs/default.conf"
}

teardown() { rm -rf "$tmp"; }

# refused CODE TEXT COMMAND...: exits with CODE, one line "propexofs: ..." that holds TEXT, no secret.
refused() {
  local code=$1 text=$2 rc=0
  shift 2
  "$@" >"$tmp/out" 2>"$tmp/err" || rc=$?
  if [ "$rc" != "$code" ] || [ "$(wc -l <"$tmp/err")" != 1 ] || [ -s "$tmp/out" ] ||
    ! grep -q '^propexofs: ' "$tmp/err" || ! grep -qF -- "$text" "$tmp/err" || grep -q s3cr3t "$tmp/err"; then
    echo "expected $code and \"$text\", got $rc: $*"
    cat "$tmp/err" "$tmp/out"
    return 1
  fi
}

@test "--version" {
  run "$bin" --version
  [ "$status" = 0 ]
  [ "$output" = "propexofs 0.1.0" ]
}

@test "--help of the program and of every command" {
  run "$bin" --help
  [ "$status" = 0 ]
  for c in mount umount sync status ready; do
    [[ $output == *"propexofs $c"* ]]
    help=$("$bin" "$c" --help)
    [[ $help == *"propexofs $c"* ]]
    [[ $help == *"--help"* ]]
    "$bin" "$c" -h >/dev/null
  done
  [[ $("$bin" mount --help) == *"--api-key-file FILE"* ]]
  [[ $("$bin" mount --help) == *"--rate-share PERCENT"* ]]
  [[ $("$bin" ready --help) == *"--max-age S"* ]]
  [[ $("$tmp/mount.propexofs" --help) == *"SOURCE MOUNTPOINT"* ]]
  [[ $("$tmp/mount.fuse.propexofs" -h) == *"umask"* ]]
}

@test "standard output that cannot be written is a failure" {
  for args in "--help" "--version" "mount --help"; do
    rc=0
    # shellcheck disable=SC2086
    "$bin" $args >/dev/full 2>"$tmp/err" || rc=$?
    [ "$rc" = 1 ]
    grep -q '^propexofs: standard output' "$tmp/err"
    rc=0
    # shellcheck disable=SC2086
    "$bin" $args >&- 2>"$tmp/err" || rc=$?
    [ "$rc" = 1 ]
  done
}

@test "usage errors exit with 2" {
  refused 2 "no command" "$bin"
  refused 2 "unknown command nonsense" "$bin" nonsense
  refused 2 "unknown option --nonsense" "$bin" --nonsense
  refused 2 "unknown command initialise" "$bin" initialise
  refused 2 "unknown option --nonsense" "$bin" mount --nonsense "$tmp/mnt"
  refused 2 "unknown option -x" "$bin" mount -x "$tmp/mnt"
  refused 2 "unknown option --redact" "$bin" mount --redact a.b "$tmp/mnt"
  refused 2 "no mountpoint" "$bin" mount
  refused 2 "no mountpoint" "$bin" ready
  refused 2 "no mountpoint" "$bin" umount
  refused 2 "too many operands" "$bin" mount a b
  refused 2 "too many operands" "$bin" sync a
  refused 2 "--refresh" "$bin" mount --refresh soon "$tmp/mnt"
  refused 2 "--refresh" "$bin" mount "$tmp/mnt" --refresh
  refused 2 "-o nonsense" "$bin" mount -o ro,nonsense "$tmp/mnt"
  refused 2 "-o remount" "$bin" mount -o remount "$tmp/mnt"
  refused 2 "no model" "$bin" sync --model nonsense
  refused 2 "--wait" "$bin" ready --wait forever "$tmp/mnt"
  refused 2 "--json" "$bin" ready --json "$tmp/mnt"
  refused 2 "offline" "$bin" sync --offline
}

@test "URLs" {
  refused 2 "--api-url: must start with https://" "$bin" mount --api-url http://api.propexo.com "$tmp/mnt"
  refused 2 "--api-url: must start with https://" "$bin" mount --api-url api.propexo.com "$tmp/mnt"
  refused 2 "--api-url: " "$bin" mount --api-url https://me:s3cr3t@api.propexo.com "$tmp/mnt"
  PROPEXO_API_URL=http://example.com refused 2 "PROPEXO_API_URL: " "$bin" sync
  # loopback is accepted: the key is missed next
  refused 2 "no API key" "$bin" mount --api-url 'http://[::1]:9' "$tmp/mnt"
}

@test "keys and key files" {
  refused 2 "no API key" "$bin" mount "$tmp/mnt"
  refused 2 "no API key" "$bin" sync
  refused 2 "$tmp/nowhere" "$bin" mount --api-key-file "$tmp/nowhere" "$tmp/mnt"
  for mode in 640 604 644 660; do
    chmod "$mode" "$tmp/key"
    refused 2 "chmod 600" "$bin" mount --api-key-file "$tmp/key" "$tmp/mnt"
    refused 2 "chmod 600" "$bin" sync --api-key-file "$tmp/key"
  done
  chmod 600 "$tmp/key"
  : >"$tmp/empty"
  chmod 600 "$tmp/empty"
  refused 2 "is empty" "$bin" mount --api-key-file "$tmp/empty" "$tmp/mnt"
  refused 2 "not a regular file" "$bin" mount --api-key-file "$tmp" "$tmp/mnt"
  PROPEXO_API_KEY=$'s3cr3t\tkey' refused 2 "control characters" "$bin" mount "$tmp/mnt"
  refused 2 "signing secret" "$bin" mount --api-key-file "$tmp/key" --webhook-listen 127.0.0.1:0 "$tmp/mnt"
}

@test "the configuration file" {
  conf=$tmp/config/propexofs/default.conf
  refused 2 "no configuration named nowhere" "$bin" mount --config nowhere "$tmp/mnt"
  PROPEXOFS_CONFIG=$tmp/no.conf refused 2 "$tmp/no.conf" "$bin" sync
  printf '# fine\nrefresh = 60\nnonsense = 1\n' >"$conf"
  refused 2 "default.conf:3: unknown key 'nonsense'" "$bin" sync
  printf 'api-key = s3cr3t\n' >"$conf"
  refused 2 "default.conf:1: secrets" "$bin" sync
  printf 's3cr3t==\n' >"$conf"
  refused 2 "default.conf:1: unknown key" "$bin" sync
  printf 'refresh = s0on\n' >"$conf"
  refused 2 "default.conf:1: refresh" "$bin" status
  rm "$conf"
  refused 2 "no API key" "$bin" sync # a default that is not there is fine
}

@test "as mount(8)'s helper: 1 usage, 32 failure" {
  for name in mount.propexofs mount.fuse.propexofs; do
    refused 1 "usage: mount.propexofs" "$tmp/$name"
    refused 1 "usage: mount.propexofs" "$tmp/$name" default
    refused 1 "unknown option --refresh" "$tmp/$name" default "$tmp/mnt" --refresh 1
    refused 1 "-o nonsense" "$tmp/$name" default "$tmp/mnt" -o rw,nonsense
    refused 1 "$tmp/no.conf" "$tmp/$name" "$tmp/no.conf" "$tmp/mnt"
    refused 1 "no API key" "$tmp/$name" default "$tmp/mnt" -sfnv -o nonsense
    refused 32 "missing" "$tmp/$name" default "$tmp/missing" -o "api-key-file=$tmp/key"
  done
  # -f: everything but the mount; the order is mount(8)'s
  "$tmp/mount.propexofs" default "$tmp/mnt" -f -v -o \
    "rw,_netdev,nofail,x-systemd.automount,comment=a,api-key-file=$tmp/key,gid=0,umask=0227,rate_share=50"
}

@test "no mount: ready says 1, umount 1, status what there is" {
  refused 1 "not mounted" "$bin" ready "$tmp/mnt"
  refused 1 "not mounted" "$bin" ready --wait 1 "$tmp/mnt"
  refused 1 "nothing is mounted there" "$bin" umount "$tmp/mnt"
  refused 1 "nothing is mounted there" "$bin" umount --lazy "$tmp/mnt/"
  refused 1 "no store at $tmp/store.db" "$bin" status
  refused 1 "no store at $tmp/store.db" "$bin" status --json "$tmp/mnt"
  refused 1 "not propexofs" "$bin" umount /proc
  refused 1 "not mounted" "$bin" ready /proc
  printf 'mountpoint = %s/mnt\n' "$tmp" >>"$tmp/config/propexofs/default.conf"
  refused 1 "$tmp/mnt: not mounted" "$bin" ready
}

@test "a mountpoint that is missing or a file: 1, before anything runs" {
  refused 1 "$tmp/missing" "$bin" mount --api-key-file "$tmp/key" "$tmp/missing"
  refused 1 "$tmp/key" "$bin" mount --api-key-file "$tmp/key" "$tmp/key"
  refused 2 "below the mountpoint" "$bin" mount --api-key-file "$tmp/key" --store "$tmp/mnt/s.db" "$tmp/mnt"
}
