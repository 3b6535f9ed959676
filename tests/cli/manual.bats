#!/usr/bin/env bats
# manual.bats - manual pages and completions say what the program says: --help is the measure, both ways round.

setup() {
  bin=$(realpath "${BUILD:-build}/propexofs")
  sim=$(realpath "${BUILD:-build}/propexofs-sim")
  tmp=$(mktemp -d)
  ln -s "$bin" "$tmp/mount.propexofs"
  mkdir "$tmp/bin"
  ln -s "$bin" "$tmp/bin/propexofs"
  export HOME=$tmp XDG_CONFIG_HOME=$tmp/config XDG_STATE_HOME=$tmp/state PATH=$tmp/bin:$PATH
  unset PROPEXOFS_CONFIG PROPEXO_API_URL PROPEXOFS_STORE PROPEXOFS_WEBHOOK_LISTEN PROPEXOFS_WEBHOOK_URL
}

teardown() { rm -rf "$tmp"; }

commands() { "$bin" --help | sed -n 's/^  propexofs \([a-z][a-z]*\) .*/\1/p' | sort -u; }

# Of --help on standard input: options as they are typed; those below -o as "name=".
options() { sed -n 's/^ *\(-[a-zA-Z]\), \(--[a-z-]*\).*/\1\n\2/p; s/^ *\(--[a-z-]*\).*/\1/p; s/^  \(-[a-zA-Z]\)\( .*\)\{0,1\}$/\1/p' | grep -v '^$' | sort -u; }
suboptions() { sed -n 's/^ *-o \([a-z]*=\).*/\1/p' | sort -u; }

all_help() { for c in $(commands); do "$bin" "$c" --help; done; }

# Of a page: what its lists explain.
page_options() { grep '^\.It' "man/$1" | grep -o 'Fl [-a-zA-Z]*' | sed 's/Fl /-/' | sort -u; }
page_suboptions() { grep '^\.It' "man/$1" | grep -o 'Cm [a-z]* Ns =' | sed 's/Cm \([a-z]*\) Ns =/\1=/' | sort -u; }
page_words() { sed -n 's/^\.It Cm \([a-z-]*\)$/\1/p' "man/$1" | sort -u; }

same() { diff -u --label "$1" --label "$2" <(printf '%s\n' "$3") <(printf '%s\n' "$4"); }

@test "the measure itself: --help is understood" {
  [ "$(commands | wc -l)" -ge 10 ]
  all_help | options | grep -qx -- --api-key-file
  all_help | options | grep -qx -- -o
  "$tmp/mount.propexofs" --help | options | grep -qx -- -s
  all_help | suboptions | grep -qx umask=
}

@test "propexofs(1): every command, option, mount option and variable, and none that is not there" {
  same --help propexofs.1 "$(commands)" "$(page_words propexofs.1)"
  same --help propexofs.1 "$(all_help | options)" "$(page_options propexofs.1)"
  same --help propexofs.1 "$(all_help | suboptions)" "$(page_suboptions propexofs.1)"
  for v in $(all_help | tr -s ' \n' ' ' | grep -o 'environment: [A-Z_]*\|environment as [A-Z_]*' | sed 's/.* //' | sort -u); do
    grep -q "^\.It Ev.*$v" man/propexofs.1 || { echo "$v is missing"; false; }
  done
}

@test "mount.propexofs(8): its letters and mount options" {
  same --help mount.propexofs.8 "$("$tmp/mount.propexofs" --help | options)" "$(page_options mount.propexofs.8)"
  same --help mount.propexofs.8 "$("$tmp/mount.propexofs" --help | suboptions)" "$(page_suboptions mount.propexofs.8)"
}

@test "propexofs.conf(5): every key that a file may hold, and no other" {
  keys=$({ all_help | options | sed -n 's/^--//p'; all_help | suboptions | tr -d =; page_words propexofs.conf.5; } | sort -u)
  accepted=
  for key in $keys nonsense; do
    printf '%s =\n' "$key" >"$tmp/one.conf"
    if ! "$bin" status --config "$tmp/one.conf" 2>&1 | grep -q 'unknown key'; then accepted+=$key$'\n'; fi
  done
  same "what is accepted" propexofs.conf.5 "$(printf %s "$accepted" | sort -u)" "$(page_words propexofs.conf.5)"
}

@test "propexofs-sim(1)" {
  same --help propexofs-sim.1 "$("$sim" --help | grep -o -- '--[a-z-]*' | sort -u)" "$(page_options propexofs-sim.1)"
}

@test "the pages are clean: mandoc -Tlint" {
  command -v mandoc >/dev/null || skip "mandoc is not installed"
  for page in man/*; do
    # whether other packages' pages are indexed is not ours
    said=$(mandoc -Tlint -Wstyle "$page" 2>&1 | grep -v 'mandoc.db\|referenced manual not found' || true)
    [ -z "$said" ] || { echo "$said"; false; }
  done
}

@test "the pages are clean: man --warnings" {
  command -v man >/dev/null && command -v groff >/dev/null || skip "man-db is not installed"
  for page in man/*; do
    said=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
    [ -z "$said" ] || { echo "$page: $said"; false; }
  done
}

@test "bash: commands, every option of each, values" {
  # complete WORD...: what is offered for the last of them
  complete_bash() {
    bash -c 'source completions/propexofs.bash; compopt() { :; }; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _propexofs
      printf "%s\n" "${COMPREPLY[@]}"' bash "$@" | sort -u
  }
  same --help bash "$({ commands; echo --help; echo --version; } | sort)" "$(complete_bash propexofs '')"
  for c in $(commands); do
    same "$c --help" bash "$("$bin" "$c" --help | options | grep '^--')" "$(complete_bash propexofs "$c" --)"
  done
  same --help bash "$({ all_help | suboptions; echo allow_other; } | sort)" "$(complete_bash propexofs mount -o '')"
  [ "$(complete_bash propexofs mount -o ro,uma)" = ro,umask= ]
  [ "$(complete_bash propexofs mount --log-level '' | paste -sd,)" = debug,error,info,warn ]
  : >"$tmp/keyfile"
  [ "$(complete_bash propexofs sync --api-key-file "$tmp/keyf")" = "$tmp/keyfile" ]
  mkdir -p "$tmp/config/propexofs" && : >"$tmp/config/propexofs/acme.conf"
  complete_bash propexofs sync --config ac | grep -qx acme
  [ "$(complete_bash propexofs umount "$tmp/b")" = "$tmp/bin" ]
}

@test "zsh: commands, every option of each, values" {
  command -v zsh >/dev/null || skip "zsh is not installed"
  # what would be handed to the completion system
  complete_zsh() {
    zsh -fc 'autoload -U compinit; _describe() { print -l -- ${(P)2} }; _arguments() { shift; print -l -- "$@" }
      words=("$@"); CURRENT=$#; source completions/_propexofs' zsh "$@"
  }
  same --help zsh "$(commands)" "$(complete_zsh propexofs '' | sed 's/:.*//' | sort)"
  for c in $(commands); do
    same "$c --help" zsh "$("$bin" "$c" --help | options | grep '^--')" \
      "$(complete_zsh propexofs "$c" -- | sed -n 's/^\*\(--[a-z-]*\)\[.*/\1/p' | sort -u)"
  done
  complete_zsh propexofs mount -- | grep -qF ':value:(error warn info debug)'
  complete_zsh propexofs mount -- | grep -qF -- '*--api-key-file[file that holds the key'
  complete_zsh propexofs mount -- | grep -q '^\*--api-key-file.*:file:_files$'
}

@test "fish: commands, every option of each, values" {
  command -v fish >/dev/null || skip "fish is not installed"
  complete_fish() { fish -c "source completions/propexofs.fish; complete -C '$*'" | sed 's/\t.*//' | sort -u; }
  same --help fish "$(commands)" "$(complete_fish 'propexofs ')"
  for c in $(commands); do
    same "$c --help" fish "$("$bin" "$c" --help | options | grep '^--')" "$(complete_fish "propexofs $c --")"
  done
  [ "$(complete_fish 'propexofs mount --log-level ' | paste -sd,)" = debug,error,info,warn ]
  : >"$tmp/keyfile"
  [ "$(complete_fish "propexofs sync --api-key-file $tmp/keyf")" = "$tmp/keyfile" ]
}
