# bash completion for plm, plmctl, plmdump and plmweb. The table at the end is generated from --help.

# Names from a running runtime or from the machine; without a runtime the list is empty.
_plm_look() { # KIND [WORD]...
	local directory=${XDG_RUNTIME_DIR:-/tmp}/plm
	[ "${XDG_RUNTIME_DIR-}" ] || directory=/tmp/plm-$UID
	case $1 in
	words) shift && echo "$*" ;;
	commands) _plm_table plmctl/commands ;;
	functions) plmctl functions --quiet 2>/dev/null ;;
	workers) plmctl workers --quiet 2>/dev/null ;;
	refs) plmctl tasks --quiet 2>/dev/null && plmctl objects --quiet 2>/dev/null ;;
	runtimes)
		local socket
		for socket in "$directory"/*.sock; do
			if [ -S "$socket" ]; then socket=${socket##*/} && echo "${socket%.sock}"; fi
		done
		;;
	esac
}

# Sets the replies of a kind for the word in $cur.
_plm_reply() { # KIND [WORD]...
	case $1 in
	files) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur") ;;
	directories) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$cur") ;;
	programs) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -c -- "$cur") ;;
	none) ;;
	*) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$(_plm_look "$@")" -- "$cur") ;;
	esac
}

# The kind of the value of an option; empty: the option takes no value.
_plm_value() { # PROGRAM COMMAND --OPTION
	local kind
	kind=$(_plm_table "$1/$2/$3")
	echo "${kind:-$(_plm_table "$1//$3")}"
}

# Finds the command and the runtime among the words before the current one.
_plm_scan() { # PROGRAM WORD...: sets command, operands, PLM_NAME, last (an option without its value)
	local program=$1 word
	shift
	for word in "$@"; do
		if [ "$last" ]; then
			if [ "$last" = --name ]; then PLM_NAME=$word; fi
			last=
		elif [[ $word == --name=* ]]; then
			PLM_NAME=${word#*=}
		elif [[ $word == --*=* || ($word == -* && $word != --*) ]]; then
			:
		elif [[ $word == --?* ]]; then
			if [ "$(_plm_value "$program" "$command" "$word")" ]; then last=$word; fi
		elif [ "$program" = plmctl ] && [ ! "$command" ]; then
			command=$word
		elif [ "$word" != -- ]; then
			operands=$((operands + 1))
		fi
	done
}

_plm_operand() { # PROGRAM COMMAND
	local kind
	if [ "$1" = plmctl ] && [ ! "$2" ]; then
		_plm_reply commands
		return
	fi
	for kind in $(_plm_table "$1/$2/operands"); do
		case $kind in
		functions | programs) [ "$operands" -eq 0 ] || kind=files ;;
		esac
		case $kind in
		=*) _plm_reply words "${kind#=}" ;;
		*) _plm_reply "$kind" ;;
		esac
	done
}

_plm() {
	local line=${COMP_LINE:0:COMP_POINT} cur= command= last= operands=0 prefix program i
	local PLM_NAME=${PLM_NAME-}
	export PLM_NAME
	local -a words
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] || { cur=${words[-1]} && unset 'words[-1]'; }
	program=${words[0]##*/}
	COMPREPLY=()
	_plm_scan "$program" "${words[@]:1}"
	# readline breaks words at = and :, and expects the part behind the last break.
	prefix=${cur%"${cur##*[@=:]}"}
	if [ ! "$last" ] && [[ $cur == --*=* ]]; then
		last=${cur%%=*} cur=${cur#*=}
		prefix=${prefix#"$last="}
	fi
	if [ "$last" ]; then
		# shellcheck disable=SC2046 # a kind and its words
		_plm_reply $(_plm_value "$program" "$command" "$last")
	elif [[ $cur == -* ]]; then
		_plm_reply words "$(_plm_table "$program/$command/options")"
	else
		_plm_operand "$program" "$command"
	fi
	for i in "${!COMPREPLY[@]}"; do
		COMPREPLY[i]=${COMPREPLY[i]#"$prefix"}
	done
}

complete -o filenames -F _plm plm plmctl plmdump plmweb

