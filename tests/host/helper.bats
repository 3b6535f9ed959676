#!/usr/bin/env bats
# helper.bats - mount(8), umount(8), fstab and setuid=, in a mount namespace of its own: /etc, /sbin and /var/lib are
# private copies there, so that a user, a configuration, an fstab and the helper's names can be as on a host that has
# propexofs installed. Needs root.

load ../e2e/lib

setup() {
  [ "$(id -u)" = 0 ] || skip "needs root"
  begin
  chmod 755 "$T"
  unshare -m --propagation private true 2>/dev/null || skip "no mount namespaces here"
  unshare -m --propagation private sleep 600 3>&- &
  echo $! >"$T/ns.pid"
  until_true 20 eval '[ "$(readlink /proc/$(cat "$T/ns.pid")/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ]'
  # mounts of tests beside this one would live on here after their end
  inside sh -c 'grep -o "[^ ]* fuse.propexofs" /proc/self/mounts | cut -d " " -f 1 | xargs -r umount -l'
  private /etc || skip "no overlay filesystem here"
  private /usr/sbin
  private /var/lib
  inside mount -t tmpfs none /mnt
  # everybody's, as udev makes it
  mknod -m 666 "$T/fuse" c 10 229 || skip "no device files here"
  inside mount --bind "$T/fuse" /dev/fuse
  inside mkdir -p /mnt/propexo /etc/propexofs
  inside ln -s "$BIN/propexofs" /usr/sbin/mount.propexofs
  inside ln -s "$BIN/propexofs" /usr/sbin/mount.fuse.propexofs
  inside sh -c 'grep -q ^propexofs: /etc/passwd || {
    echo propexofs:x:7341:7341::/nonexistent:/usr/sbin/nologin >>/etc/passwd; echo propexofs:x:7341: >>/etc/group; }'
  inside cp "$T/key" /etc/propexofs/acme.key
  inside chown propexofs /etc/propexofs/acme.key
  start_sim --integrations 1 --records units=20 --rate-limit 0
  printf '%s\n' "api-url = $URL" 'api-key-file = acme.key' | inside tee /etc/propexofs/acme.conf >/dev/null
}

teardown() {
  [ -n "${T:-}" ] || return 0
  [ ! -s "$T/ns.pid" ] || { inside umount /mnt/propexo; kill "$(cat "$T/ns.pid")"; } 2>/dev/null
  finish
}

inside() { nsenter -t "$(cat "$T/ns.pid")" -m -- "$@" 3>&-; }

# private DIR: what is changed there is seen nowhere else.
private() {
  local name=${1//\//_}
  mkdir -p "$T/upper$name" "$T/work$name"
  inside mount -t overlay -o "lowerdir=$1,upperdir=$T/upper$name,workdir=$T/work$name" overlay "$1"
}

fstab() { echo "$1" | inside tee /etc/fstab >/dev/null; }

pid() { inside jq .pid /mnt/propexo/status.json; }

is_mounted() { inside findmnt /mnt/propexo >/dev/null; }

@test "the fstab line: mounted as root, served as the user, findmnt, umount" {
  fstab '/etc/propexofs/acme.conf  /mnt/propexo  propexofs  _netdev,nofail,allow_other,setuid=propexofs,gid=backup,umask=0227  0  0'
  inside mount /mnt/propexo
  [ "$(inside findmnt -n -o SOURCE,FSTYPE /mnt/propexo | tr -s ' ')" = "/etc/propexofs/acme.conf fuse.propexofs" ]
  inside findmnt -n -o OPTIONS /mnt/propexo | grep -q '^ro,nosuid,nodev'
  pid=$(pid)
  # no way back, and nothing lent
  [ "$(grep ^Uid: "/proc/$pid/status" | tr '\t' ' ')" = "Uid: 7341 7341 7341 7341" ]
  [ "$(grep ^Gid: "/proc/$pid/status" | tr '\t' ' ')" = "Gid: 7341 7341 7341 7341" ]
  ! grep -E '^Cap(Prm|Eff|Inh|Amb)' "/proc/$pid/status" | grep -v 0000000000000000 || fail "capabilities are left"
  # what is shown, and who may read it
  [ "$(inside stat -c '%U %G %a' /mnt/propexo/status.json /mnt/propexo/schema | xargs)" = "propexofs backup 440 propexofs backup 550" ]
  inside setpriv --reuid=nobody --regid=backup --clear-groups cat /mnt/propexo/README.md >/dev/null
  ! inside setpriv --reuid=nobody --regid=nogroup --clear-groups cat /mnt/propexo/README.md 2>/dev/null || fail "others can read"
  # the store is the user's, its directory too
  [ "$(inside stat -c '%U %G %a' /var/lib/propexofs /var/lib/propexofs/acme.db | xargs)" = "propexofs propexofs 700 propexofs propexofs 600" ]
  inside "$BIN/propexofs" ready --wait 60 /mnt/propexo
  inside mount -a # mounted already
  [ "$(pid)" = "$pid" ]
  inside umount /mnt/propexo
  until_true 10 ended "$pid"
  # and again, on what there is
  inside mount /mnt/propexo
  inside "$BIN/propexofs" ready /mnt/propexo
}

@test "mount -t propexofs and -t fuse.propexofs, with a name and with a file" {
  for type in propexofs fuse.propexofs; do
    for source in acme /etc/propexofs/acme.conf; do
      inside mount -t "$type" "$source" /mnt/propexo
      [ "$(inside findmnt -n -o FSTYPE /mnt/propexo)" = fuse.propexofs ]
      pid=$(pid)
      inside umount /mnt/propexo
      until_true 10 ended "$pid"
    done
  done
}

@test "mount(8)'s options pass silently" {
  out=$(inside mount -t propexofs -o "_netdev,nofail,noauto,ro,nosuid,nodev,noexec,noatime,x-systemd.automount,x-systemd.requires=a.service,X-mount.mkdir,comment=x,defaults,relatime" acme /mnt/propexo 2>&1)
  [ -z "$out" ] || fail "$out"
  inside findmnt -n -o OPTIONS /mnt/propexo | grep -q noexec
}

@test "setuid=: an unknown user, and somebody who is not root" {
  rc=0
  inside mount -t propexofs -o setuid=nobody-such acme /mnt/propexo 2>"$T/err" || rc=$?
  [ "$rc" = 1 ]
  grep -q "setuid: there is no user 'nobody-such'" "$T/err"
  inside chmod 644 /etc/propexofs/acme.conf
  inside chown nobody /etc/propexofs/acme.key
  rc=0
  inside setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/tmp "XDG_STATE_HOME=$T" /usr/sbin/mount.propexofs acme /mnt/propexo \
    -o "setuid=propexofs" 2>"$T/err" || rc=$?
  [ "$rc" = 1 ]
  grep -q "only root can mount for another user" "$T/err"
  ! is_mounted || fail "mounted"
}

@test "fusermount3 -u by the user, SIGTERM: the daemon that root mounted for him ends cleanly" {
  inside mount -t propexofs -o setuid=propexofs acme /mnt/propexo
  pid=$(inside setpriv --reuid=propexofs --regid=propexofs --clear-groups jq .pid /mnt/propexo/status.json)
  inside setpriv --reuid=propexofs --regid=propexofs --clear-groups fusermount3 -u /mnt/propexo
  until_true 10 ended "$pid"
  inside mount -t propexofs -o setuid=propexofs acme /mnt/propexo
  pid=$(inside setpriv --reuid=propexofs --regid=propexofs --clear-groups jq .pid /mnt/propexo/status.json)
  kill -TERM "$pid"
  until_true 6 ended "$pid"
  ! is_mounted || fail "still mounted"
}

@test "a dead mount of ours is cleared on mount, also one that only its user may enter" {
  for options in setuid=propexofs setuid=propexofs,allow_other; do
    inside mount -t propexofs -o "$options" acme /mnt/propexo
    pid=$(inside setpriv --reuid=propexofs --regid=propexofs --clear-groups jq .pid /mnt/propexo/status.json)
    kill -9 "$pid"
    until_true 10 ended "$pid"
    is_mounted
    inside mount -t propexofs -o "$options" acme /mnt/propexo
    [ "$(inside findmnt -n /mnt/propexo | wc -l)" = 1 ]
    inside umount /mnt/propexo
  done
}

@test "umount --dead: clears a dead mount, leaves a live one, and says nothing" {
  inside mount -t propexofs acme /mnt/propexo
  [ -z "$(inside "$BIN/propexofs" umount --dead /mnt/propexo 2>&1)" ]
  is_mounted
  kill -9 "$(pid)"
  until_true 5 eval '! inside ls /mnt/propexo >/dev/null 2>&1'
  [ -z "$(inside "$BIN/propexofs" umount --dead /mnt/propexo 2>&1)" ]
  ! is_mounted || fail "still mounted"
  [ -z "$(inside "$BIN/propexofs" umount --dead /mnt/propexo 2>&1)" ]
}

@test "propexofs umount of a mount that only its user may enter waits for the daemon, too" {
  echo 'mountpoint = /mnt/propexo' | inside tee -a /etc/propexofs/acme.conf >/dev/null
  inside "$BIN/propexofs" mount --config acme -o setuid=propexofs
  pid=$(inside setpriv --reuid=propexofs --regid=propexofs --clear-groups jq .pid /mnt/propexo/status.json)
  # a thread that the daemon waits for before it ends
  "$BIN/tests/holdthread" "$(ls "/proc/$pid/task" | sort -n | sed -n 2p)" 2 >"$T/held" 2>&1 3>&- &
  until_true 5 test -s "$T/held"
  grep -q held "$T/held" || skip "threads cannot be stopped here: $(cat "$T/held")"
  inside "$BIN/propexofs" umount --config acme
  ended "$pid" || inside flock -n /var/lib/propexofs/acme.db.lock true || fail "the daemon still holds the store"
}

@test "remount is refused, and the mount stays" {
  inside mount -t propexofs acme /mnt/propexo
  rc=0
  inside /usr/sbin/mount.propexofs acme /mnt/propexo -o remount,rw 2>"$T/err" || rc=$?
  [ "$rc" = 1 ]
  grep -q "unmount and mount again" "$T/err"
  [ -n "$(pid)" ]
}

@test "user in fstab: somebody mounts and unmounts by himself" {
  inside chown nobody /etc/propexofs/acme.key
  inside chown nobody /mnt/propexo
  mkdir "$T/nobody"
  chown nobody "$T/nobody"
  fstab "/etc/propexofs/acme.conf /mnt/propexo propexofs noauto,user,store=$T/nobody/acme.db 0 0"
  inside setpriv --reuid=nobody --regid=nogroup --clear-groups mount /mnt/propexo
  inside setpriv --reuid=nobody --regid=nogroup --clear-groups cat /mnt/propexo/README.md >/dev/null
  pid=$(inside setpriv --reuid=nobody --regid=nogroup --clear-groups jq .pid /mnt/propexo/status.json)
  [ "$(awk '/^Uid:/ {print $2}' "/proc/$pid/status")" = "$(id -u nobody)" ]
  inside setpriv --reuid=nobody --regid=nogroup --clear-groups fusermount3 -u /mnt/propexo
  until_true 10 ended "$pid"
}
