#!/usr/bin/env bats
# install.bats - what `make install` puts where, that the units are sound, that the example is a configuration.

setup() {
  T=$(mktemp -d)
  BIN=$(realpath "${BUILD:-build}")
}

teardown() { rm -rf "$T"; }

# The programs of the build under test, whatever sanitizer they have.
make_() { env -u MAKEFLAGS make -s BUILD="$BIN" "$@"; }

found() { (cd "$T/root" && find . ! -type d | sort); }

@test "install and uninstall: all of it, and nothing that is somebody's" {
  make_ install DESTDIR="$T/root"
  for f in usr/local/bin/propexofs usr/local/bin/propexofs-sim usr/sbin/mount.propexofs usr/sbin/mount.fuse.propexofs \
    usr/local/lib/systemd/system/propexofs@.service usr/local/lib/systemd/user/propexofs@.service \
    usr/local/lib/sysusers.d/propexofs.conf usr/local/share/doc/propexofs/README.md etc/propexofs/example.conf; do
    [ -e "$T/root/$f" ] || [ -L "$T/root/$f" ] || { echo "missing: $f"; return 1; }
  done
  [ "$(readlink "$T/root/usr/sbin/mount.propexofs")" = /usr/local/bin/propexofs ]
  ! grep -q /usr/bin/propexofs "$T"/root/usr/local/lib/systemd/*/propexofs@.service || { echo "the path of the package"; return 1; }
  # every manual and completion that there is
  for f in man/*.[1-8] completions/*; do
    [ ! -e "$f" ] || found | grep -q "/$(basename "${f%.bash}")$" || { echo "missing: $f"; return 1; }
  done
  echo '# mine' >>"$T/root/etc/propexofs/example.conf"
  make_ install DESTDIR="$T/root"
  grep -q '# mine' "$T/root/etc/propexofs/example.conf"
  make_ uninstall DESTDIR="$T/root"
  [ "$(found)" = ./etc/propexofs/example.conf ]
  make_ install DESTDIR="$T/root" PREFIX=/usr
  [ "$(readlink "$T/root/usr/sbin/mount.fuse.propexofs")" = /usr/bin/propexofs ]
  rm "$T/root/etc/propexofs/example.conf"
  make_ install DESTDIR="$T/root" PREFIX=/usr
  make_ uninstall DESTDIR="$T/root" PREFIX=/usr
  [ -z "$(found)" ]
}

@test "what is installed runs, under the helper's name too" {
  make_ install DESTDIR="$T/root"
  [ "$("$T/root/usr/local/bin/propexofs" --version)" = "propexofs $(sed -n 's/^VERSION := //p' Makefile)" ]
}

@test "into one's home, as docs/operations.md has it: nothing goes elsewhere" {
  sed -n "s/^    make \(install PREFIX=.*\)/\1/p" docs/operations.md >"$T/words"
  [ -s "$T/words" ]
  HOME=$T/home
  read -ra words < <(sed "s|\$HOME|$HOME|g" "$T/words")
  for word in "${words[@]:1}"; do [[ $word == *=$HOME/* ]]; done
  make_ "${words[@]}"
  [ "$("$HOME/.local/bin/propexofs" --version)" = "propexofs $(sed -n 's/^VERSION := //p' Makefile)" ]
  grep -q "^ExecStart=$HOME/.local/bin/propexofs " "$HOME/.local/share/systemd/user/propexofs@.service"
  # what was made while it was, and where
  [ -z "$(find /usr/local /usr/sbin /usr/lib/systemd /etc -xdev -newer "$T/words" -name '*propexofs*' 2>/dev/null)" ]
  make_ uninstall "${words[@]:1}"
  [ -z "$(cd "$HOME" && find . ! -type d)" ]
}

@test "units: systemd-analyze has nothing to say, and exposure is what a mount needs" {
  command -v systemd-analyze >/dev/null || skip "needs systemd-analyze (package systemd)"
  mkdir -p "$T/units" "$T/run"
  sed "s|/usr/bin/propexofs|$BIN/propexofs|" systemd/propexofs@.service >"$T/units/propexofs@.service"
  out=$(systemd-analyze verify --man=no "$T/units/propexofs@.service" 2>&1)
  [ -z "$out" ] || { echo "$out"; return 1; }
  sed "s|/usr/bin/propexofs|$BIN/propexofs|" systemd/user/propexofs@.service >"$T/units/propexofs@.service"
  out=$(XDG_RUNTIME_DIR=$T/run systemd-analyze verify --user --man=no "$T/units/propexofs@.service" 2>&1)
  [ -z "$out" ] || { echo "$out"; return 1; }
  systemd-analyze security --offline=true --threshold=40 --no-pager systemd/propexofs@.service >"$T/said" || { cat "$T/said"; return 1; }
}

@test "the example: every line of it is accepted" {
  sed -n 's/^#\([a-z]\)/\1/p' docs/example.conf | grep -v '^setuid' >"$T/all.conf"
  [ "$(grep -c = "$T/all.conf")" -gt 15 ]
  # far enough to miss the key file
  run "$BIN/propexofs" mount -f --config "$T/all.conf" "$T"
  [ "$status" = 2 ]
  [[ $output == *"key file /etc/propexofs/NAME.key"* ]]
  # as it is, it changes nothing
  run "$BIN/propexofs" mount -f --config docs/example.conf "$T"
  [[ $output == *"no API key"* ]]
}

@test "packaging: changelog and Makefile name the same version" {
  [ "$(sed -n 's/^VERSION := //p' Makefile)" = "$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)" ]
}
