#!/usr/bin/env bats
# rootless.bats - without root: as a user by fusermount3, and in a user namespace without it. /dev/fuse is for everybody in
# a mount namespace of the test alone.

load lib

setup() {
  [ "$(id -u)" = 0 ] || skip "needs root to become another user"
  unshare -m true 2>/dev/null || skip "needs a mount namespace"
  begin
  start_sim --integrations 1 --records units=20 --rate-limit 0
  chmod 755 "$T"
  mkdir "$T/home" "$T/home/mnt"
  printf 'sim-key\n' >"$T/home/key"
  chmod 600 "$T/home/key"
  printf 'api-url = %s\napi-key-file = key\nstore = s.db\nmountpoint = mnt\n' "$URL" >"$T/home/me.conf"
  chmod 644 "$T/home/me.conf"
  chown -R 65534:65534 "$T/home"
  export PROPEXOFS_CONFIG=$T/home/me.conf HOME=$T/home M=$T/home/mnt
  cd /
}

teardown() { finish; }

# as_user COMMAND...: as nobody, where /dev/fuse may be opened. The copies that a new namespace has of the mounts of tests
# beside this one are let go at once: they would keep their daemons from ending. MTAB: what makes /etc/mtab, after it was
# removed; 99 when that cannot be.
as_user() {
  timeout 60 unshare -m --propagation private sh -c '
    awk "\$3 == \"fuse.propexofs\" { print \$2 }" /proc/self/mounts | xargs -r umount -l
    [ -e "$T/fuse" ] || mknod -m 666 "$T/fuse" c 10 229
    mount --bind "$T/fuse" /dev/fuse
    [ -z "${MTAB:-}" ] || { mkdir -p "$T/etc" "$T/work"
      mount -t overlay -o "lowerdir=/etc,upperdir=$T/etc,workdir=$T/work" overlay /etc && rm -f /etc/mtab && $MTAB; } || exit 99
    exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"' sh "$@" 3>&-
}

tour='propexofs check && propexofs mount && propexofs ready --wait 20 && find "$M/integrations" -path "*/units/*" | wc -l
  findmnt -n -o FSTYPE "$M"; propexofs umount && [ -z "$(ls "$M")" ] && echo ended'

@test "as a user, by fusermount3" {
  command -v fusermount3 >/dev/null || skip "fusermount3 is not installed"
  as_user "$BIN/propexofs" --version >/dev/null || skip "the build directory is not for others"
  # Debian has it once systemd ran
  [ -e /etc/mtab ] || export MTAB='ln -s /proc/self/mounts /etc/mtab'
  PATH=$BIN:$PATH as_user sh -c "$tour" >"$T/out" || { cat "$T/out"; false; }
  [ "$(tail -n 3 "$T/out" | paste -sd,)" = 20,fuse.propexofs,ended ]
  grep -q '^ok    fusermount3: /' "$T/out"
}

@test "fusermount3 asks /etc/mtab: where there is none, check and umount say so" {
  command -v fusermount3 >/dev/null || skip "fusermount3 is not installed"
  as_user "$BIN/propexofs" --version >/dev/null || skip "the build directory is not for others"
  rc=0
  PATH=$BIN:$PATH MTAB=true as_user sh -c 'propexofs check >"$T/home/check"; propexofs mount && ! propexofs umount' 2>"$T/err" || rc=$?
  [ "$rc" != 99 ] || skip "no overlay filesystem here"
  [ "$rc" = 0 ] || fail "$rc: $(cat "$T/err" "$T/home/check")"
  grep -q '^fail  fusermount3: .*/etc/mtab' "$T/home/check"
  grep -q 'cannot unmount .*: ln -s /proc/self/mounts /etc/mtab' "$T/err"
  # its namespace has ended, and the mount with it
  ! mountpoint -q "$M" || fail "mounted"
}

@test "in a user namespace: nothing outside is needed, nothing is left outside" {
  as_user "$BIN/propexofs" --version >/dev/null || skip "the build directory is not for others"
  as_user unshare --user --map-root-user --mount true 2>/dev/null || skip "user namespaces are not for users here"
  PATH=$BIN:$PATH as_user unshare --user --map-root-user --mount sh -c "$tour" >"$T/out" || { cat "$T/out"; false; }
  [ "$(tail -n 3 "$T/out" | paste -sd,)" = 20,fuse.propexofs,ended ]
  ! mountpoint -q "$M" || fail "mounted"
}
