# SPDX-License-Identifier: MIT
# fish completion of propexofs. Commands, options and the kinds of their values come from --help of the program itself, so
# that they are those of the program that is installed.

function __propexofs_command
    set -l words (commandline -opc)
    test (count $words) -ge 2; and string match -qr '^[a-z]+$' -- $words[2]; and echo $words[2]
end

function __propexofs_commands
    propexofs --help 2>/dev/null | awk '/^  propexofs [a-z]/ { name = $2; getline; sub(/^ */, ""); print name "\t" $0 }'
end

# Lines of "--option<TAB>value": what the command at hand takes.
function __propexofs_table
    propexofs (__propexofs_command) --help 2>/dev/null | sed -n 's/^ *\(-[a-zA-Z], \)\{0,1\}\(--[a-z-]*\) \{0,1\}\([^ ]*\).*/\2\t\3/p'
end

function __propexofs_options
    __propexofs_table | string replace -r '\t.*' ''
end

# The value that stands for the option before the cursor: empty when it takes none.
function __propexofs_value
    set -l words (commandline -opc)
    set -l option $words[-1]
    string match -q -- '--*' $option; or return
    __propexofs_table | string match -r -- "^$option\t.*" | string replace -r '.*\t' ''
end

function __propexofs_values
    set -l value (__propexofs_value)
    switch "$value"
        case 'NAME|FILE'
            for f in $XDG_CONFIG_HOME/propexofs/*.conf ~/.config/propexofs/*.conf /etc/propexofs/*.conf
                basename $f .conf
            end
            __fish_complete_path (commandline -ct)
        case FILE
            __fish_complete_path (commandline -ct)
        case CMD
            __fish_complete_command
        case ''
            __fish_complete_directories (commandline -ct)
        case '*'
            string match -qr '^[a-z]+\|' -- $value; and string split '|' -- $value
    end
end

complete -c propexofs -f
complete -c propexofs -n 'not __propexofs_command >/dev/null' -a '(__propexofs_commands)'
complete -c propexofs -n 'not __propexofs_command >/dev/null' -l help
complete -c propexofs -n 'not __propexofs_command >/dev/null' -l version
complete -c propexofs -n '__propexofs_command >/dev/null; and string match -q -- "-*" (commandline -ct)' -a '(__propexofs_options)'
complete -c propexofs -n '__propexofs_command >/dev/null; and not string match -q -- "-*" (commandline -ct)' -a '(__propexofs_values)'
