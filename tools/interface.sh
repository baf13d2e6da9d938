#!/bin/bash
# interface.sh - what plm, plmctl and plmdump may be told, as a table, from their own --help.
#
#	interface.sh DIRECTORY-OF-THE-PROGRAMS
#
# A line a fact, its fields parted by tabs:
#
#	option	PROGRAM	COMMAND	--NAME	VALUE	what it does	(COMMAND, VALUE: may be empty)
#	command	PROGRAM	COMMAND		OPERANDS	what it does
#
# Completions and manual pages are made of it (completions.sh, man.sh): so whatever --help speaks
# of is in them, and there is nothing to keep in step by hand. What must hold for that of a help
# text: an option's line begins with two blanks and `--`, its value follows after one blank, further
# lines of its text are indented by more than four; commands stand below `Commands:`, those of a
# command end at `Options of every command:`.
set -eu
bin=$1

options() { # PROGRAM COMMAND: of the help text on stdin
	awk -v program="$1" -v command="$2" '
	function say(name, value, text) {
		if (!seen[name]++)
			printf "option\t%s\t%s\t%s\t%s\t%s\n", program, command, name, value, text
	}
	function flush(   i) {
		for (i = 1; i <= n; i++)
			say(name[i], value[i], text)
		n = 0
		text = ""
	}
	function add(what) {
		text = text (text == "" || what == "" ? "" : " ") what
	}
	/^Options of every command:/ { exit }
	/^usage: / { usage = $0 }
	/^  (-[A-Za-z], )?--[a-z]/ {
		flush()
		rest = $0
		while (match(rest, /^,? *(-[A-Za-z], )?--[a-z][a-z-]*/)) {
			name[++n] = substr(rest, 1, RLENGTH)
			sub(/^.*--/, "--", name[n])
			rest = substr(rest, RLENGTH + 1)
			value[n] = ""
			if (match(rest, /^\[=[^] ]*\]/) ||
			    match(rest, /^[ =]([A-Z<][^ ]*|[^ ]*\|[^ ]*)/)) {
				value[n] = substr(rest, 1, RLENGTH)
				sub(/^[ =]/, "", value[n])
				rest = substr(rest, RLENGTH + 1)
			}
			if (rest !~ /^( |, )--/)
				break
		}
		sub(/^ +/, "", rest)
		add(rest)
		next
	}
	n && /^     +[^ ]/ {
		sub(/^ +/, "")
		add($0)
		next
	}
	{ flush() }
	END {
		flush()
		# Some stand in the usage alone.
		while (command != "" && match(usage, /--[a-z][a-z-]*( [A-Z]+)?/)) {
			split(substr(usage, RSTART, RLENGTH), part, " ")
			say(part[1], part[2], "")
			usage = substr(usage, RSTART + RLENGTH)
			part[2] = ""
		}
	}'
}

commands() { # of the help text on stdin: NAME, a tab, what it does
	awk '/^Commands:/ { inside = 1; next }
		inside && !/^  / { exit }
		inside { name = $1; sub(/^ *[^ ]+ +/, ""); print name "\t" $0 }'
}

subjects() { # of the help text on stdin, as an operand is written: A|B
	awk '/^Subjects:/ { inside = 1; sub(/^Subjects: */, "") }
		inside && $0 == "" { exit }
		inside { all = all " " $0 }
		END { gsub(/\([^)]*\)/, "", all); gsub(/ *, */, "|", all); gsub(/^ +| +$/, "", all)
			print all }'
}

for program in plm plmdump; do
	"$bin/$program" --help | options $program ""
done
printf 'command\tplmdump\t\t\t[%s]\t\n' "$("$bin/plmdump" --help | subjects)"
"$bin/plmctl" --help >/dev/null # or fail here
"$bin/plmctl" --help | options plmctl ""
"$bin/plmctl" --help | commands | while IFS=$'\t' read -r command text; do
	if [ "$command" = help ]; then
		printf 'command\tplmctl\thelp\t\t[COMMAND]\tthis text, or that of a command\n'
		continue
	fi
	help=$("$bin/plmctl" help "$command")
	usage=$(sed -n "1s/^usage: plmctl $command \{0,1\}//p" <<<"$help")
	printf 'command\tplmctl\t%s\t\t%s\t%s\n' "$command" "$usage" "$text"
	options plmctl "$command" <<<"$help"
done
