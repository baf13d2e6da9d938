#!/bin/bash
# man.sh - a manual page, from its text in packaging/ and the table that interface.sh prints.
#
#	man.sh packaging/PAGE.in TABLE
#
# The text is mdoc(7). Three of its lines are filled in:
#
#	@OPTIONS PROGRAM@	the program's options, a list
#	@COMMANDS PROGRAM@	its commands, each with its operands and options
#	@PAGE FILE.md@		a page of docs/: its headings, paragraphs, lists, tables, examples
#	@DATE@			of $SOURCE_DATE_EPOCH, else today
set -eu
export LC_ALL=C
page=$1 table=$2

# What troff would take for its own.
escape='
	function plain(text) {
		gsub(/\\/, "\\e", text)
		sub(/^[.\047]/, "\\\\\\&&", text)
		# A sentence begins a line, so that troff knows where one ended.
		while (match(text, /[a-zA-Z)`]\. +[A-Z`]/))
			text = substr(text, 1, RSTART + 1) "\n" substr(text, RSTART + RLENGTH - 1)
		return text
	}'

options() { # PROGRAM COMMAND
	awk -F '\t' -v program="$1" -v command="$2" "$escape"'
	$1 != "option" || $2 != program || $3 != command { next }
	!n++ { print ".Bl -tag -width Ds" }
	{
		value = $5
		gsub(/-/, "\\-", value)
		# Of several on one line of the help all have the text.
		letters = ""
		for (i = 1; i <= length($8); i++)
			letters = letters "Fl " substr($8, i, 1) " , "
		joint = value ~ /^\[/ ? " Ns Ar " : " Ar " # --shell[=PROGRAM]
		print ".It " letters "Fl Fl " substr($4, 3) (value == "" ? "" : joint value)
		if ($6 != "")
			print plain($6)
	}
	END { if (n) print ".El" }' "$table"
}

# The lines stand as in the help, where blanks make columns.
lines() { # KIND PROGRAM COMMAND
	awk -F '\t' -v kind="$1" -v program="$2" -v command="$3" "$escape"'
	$1 != kind || $2 != program || $3 != command { next }
	!n++ { print ".Bd -literal" }
	{
		gsub(/\\/, "\\e", $4)
		if ($4 ~ /^[.\047]/)
			$4 = "\\&" $4
		print $4
	}
	END { if (n) print ".Ed" }' "$table"
}

commands() { # PROGRAM
	local kind program name operands text
	while IFS=$'\t' read -r kind program name operands text; do
		[ "$kind" = command ] && [ "$program" = "$1" ] || continue
		printf '.Ss "%s %s"\n' "$name" "${operands//\\/\\e}"
		printf '%s.\n' "$text"
		lines about "$1" "$name"
		options "$1" "$name"
		lines notes "$1" "$name"
	done < <(awk -F '\t' -v OFS='\t' '$1 == "command" {
			print $1, $2, $3, ($5 == "" ? " " : $5), $6 }' "$table")
}

# The part of Markdown that our pages use.
markdown() { # FILE
	awk "$escape"'
	function inline(text,   before, inside) {
		text = plain(text)
		while (match(text, /\[[^]]*\]\([^)]*\)/)) {
			inside = substr(text, RSTART + 1, RLENGTH)
			before = substr(text, 1, RSTART - 1)
			text = substr(text, RSTART + RLENGTH)
			sub(/\].*/, "", inside)
			text = before inside text
		}
		while (match(text, /`[^`]*`/))
			text = substr(text, 1, RSTART - 1) "\\fB" \
			    substr(text, RSTART + 1, RLENGTH - 2) "\\fR" \
			    substr(text, RSTART + RLENGTH)
		gsub(/\*\*/, "", text)
		return text
	}
	function end_list() {
		if (list)
			print ".El"
		list = 0
	}
	function paragraph() {
		if (open_paragraph && !list)
			print ".Pp"
		open_paragraph = 0
	}
	/^```/ {
		if (!fenced)
			end_list()
		print fenced ? ".Ed" : ".Bd -literal -offset indent"
		fenced = !fenced
		open_paragraph = !fenced
		next
	}
	fenced { print plain($0); next }
	/^# / { next }
	/^##+ / {
		end_list()
		open_paragraph = 0
		level = index($0, " ") - 1
		sub(/^#+ /, "")
		gsub(/`/, "")
		print level == 2 ? ".Sh " toupper($0) : ".Ss " plain($0)
		next
	}
	/^\| *-/ { next }
	/^\|/ {
		gsub(/\\\|/, "\001")
		n = split($0, cell, / *\| */)
		for (i = 2; i < n; i++)
			gsub(/\001/, "|", cell[i])
		if (!list) {
			print ".Bl -tag -width Ds"
			list = 2
			next # the names of the columns
		}
		print ".It " inline(cell[2])
		for (i = 3; i < n; i++)
			print inline(cell[i]) (i < n - 1 ? ";" : "")
		next
	}
	/^- / {
		if (!list)
			print ".Bl -bullet"
		list = 1
		print ".It"
		print inline(substr($0, 3))
		next
	}
	/^ *$/ { if (list == 2) end_list(); blank = 1; next }
	{
		if (blank && list == 1 && $0 !~ /^ /)
			end_list()
		if (blank)
			paragraph()
		blank = 0
		sub(/^ +/, "")
		print inline($0)
		open_paragraph = 1
	}
	END { end_list() }' "$1"
}

date=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" '+%B %-d, %Y')
while IFS= read -r line; do
	case $line in
	'@OPTIONS '*@) line=${line#@OPTIONS } && options "${line%@}" "" ;;
	'@COMMANDS '*@) line=${line#@COMMANDS } && commands "${line%@}" ;;
	'@PAGE '*@) line=${line#@PAGE } && markdown "${line%@}" ;;
	*) printf '%s\n' "${line/@DATE@/$date}" ;;
	esac
done <"$page"
