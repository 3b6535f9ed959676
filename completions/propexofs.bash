# SPDX-License-Identifier: MIT
# bash completion of propexofs. Commands, options and the kinds of their values come from --help of the program itself, so
# that they are those of the program that is installed.
# shellcheck shell=bash

_propexofs_commands() { "$1" --help 2>/dev/null | sed -n 's/^  propexofs \([a-z][a-z]*\) .*/\1/p' | sort -u; }

# Every option of a command, a line each; those below -o with their "=".
_propexofs_options() {
  "$1" "$2" --help 2>/dev/null | sed -n 's/^ *\(-[a-zA-Z], \)\{0,1\}\(--[a-z-]*\).*/\2/p'
}

_propexofs_mount_options() { "$1" mount --help 2>/dev/null | sed -n 's/^ *-o \([a-z]*=\).*/\1/p'; }

# What --help calls the value of an option: empty for a switch.
_propexofs_value() {
  "$1" "$2" --help 2>/dev/null | sed -n "s/^ *\(-[a-zA-Z], \)\{0,1\}$3 \([^ ]*\).*/\2/p" | head -n 1
}

# Configurations by name.
_propexofs_names() {
  local f
  for f in "${XDG_CONFIG_HOME:-$HOME/.config}"/propexofs/*.conf /etc/propexofs/*.conf; do
    f=${f##*/}
    [ "$f" = '*.conf' ] || echo "${f%.conf}"
  done | sort -u
}

_propexofs() {
  local program=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} value
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_propexofs_commands "$program") --help --version" -- "$cur")
    return
  fi
  case $previous in
    -o | --options)
      local list=${cur%"${cur##*,}"}
      compopt -o nospace
      mapfile -t COMPREPLY < <(compgen -P "$list" -W "$(_propexofs_mount_options "$program") allow_other" -- "${cur##*,}")
      return
      ;;
    -*) value=$(_propexofs_value "$program" "$command" "$previous") ;;
  esac
  case $value in
    'NAME|FILE')
      mapfile -t COMPREPLY < <(compgen -W "$(_propexofs_names)" -- "$cur"; compgen -f -- "$cur")
      compopt -o filenames
      ;;
    FILE)
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      compopt -o filenames
      ;;
    CMD) mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
    [a-z]*'|'*) mapfile -t COMPREPLY < <(compgen -W "${value//|/ }" -- "$cur") ;;
    ?*) ;; # a number, an id: nothing to offer
    *)
      if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_propexofs_options "$program" "$command")" -- "$cur")
      else
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        compopt -o filenames
      fi
      ;;
  esac
}

complete -F _propexofs propexofs
