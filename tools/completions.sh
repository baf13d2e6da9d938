#!/bin/bash
# completions.sh - completion for a shell, from the table that interface.sh prints.
#
#	completions.sh bash|zsh|fish TABLE
#
# The functions are packaging/completion.SHELL; this script adds the words to complete. The KIND of
# an option says what its value may be; operands are known by their words in the usage: FILE, DIR,
# NAME, REF, FUNCTION, or words separated by |.
set -eu
shell=$1 table=$2

kinds='
	# What operands may be, by the words of a usage: kinds, and =WORD for a word as it stands.
	function operands(command, usage,   part, n, i, word, all, seen) {
		gsub(/[][|]|\.\.\./, " ", usage)
		n = split(usage, part, /[ ]+/)
		for (i = 1; i <= n; i++) {
			word = ""
			if (part[i] ~ /REF/) word = "refs"
			else if (part[i] == "FUNCTION") word = "functions"
			else if (part[i] ~ /FILE|PATH/) word = "files"
			else if (part[i] == "DIR") word = "directories"
			else if (part[i] == "WORKER") word = "workers"
			else if (part[i] == "COMMAND")
				word = command == "help" ? "commands" : "programs"
			else if (part[i] == "NAME" && command == "policy") word = policies
			else if (part[i] ~ /^[a-z]+$/) word = "=" part[i]
			if (word != "" && !seen[word]++)
				all = all (all == "" ? "" : " ") word
		}
		return all
	}
	BEGIN { FS = OFS = "\t" }
	$1 == "option" && $5 ~ /^\[/ { $5 = "" } # a value that is no word of its own
	# The names of policies, which plm --help lists, are an operand of plmctl, too.
	$1 == "option" && $4 == "--policy" && policies == "" {
		policies = $7
		sub(/^words /, "=", policies)
		gsub(/ /, " =", policies)
	}'

in_bash() {
	cat packaging/completion.bash
	awk "$kinds"'
	$1 == "option" { all[$2 "/" $3] = all[$2 "/" $3] " " $4; programs[$2] }
	$1 == "option" && $5 != "" { value[$2 "/" $3 "/" $4] = $7 }
	$1 == "command" { value[$2 "/" $3 "/operands"] = operands($3, $5) }
	$1 == "command" && $2 == "plmctl" { names = names " " $3 }
	END {
		value["plmctl/commands"] = substr(names, 2)
		for (key in all) {
			split(key, part, "/")
			value[key "/options"] = substr(all[key], 2) \
			    (part[2] == "" ? "" : all[part[1] "/"])
		}
		value["plmctl/help/options"] = substr(all["plmctl/"], 2)
		print "_plm_table() {\n\tcase $1 in"
		for (key in value)
			if (value[key] != "")
				printf "\t%s) echo \047%s\047 ;;\n", key, value[key] | "sort"
		close("sort")
		print "\tesac\n}"
	}' "$table"
}

in_zsh() {
	cat packaging/completion.zsh
	awk "$kinds"'
	function quoted(text) {
		gsub(/\\/, "\\\\", text)
		gsub(/\[/, "\\[", text)
		gsub(/\]/, "\\]", text)
		gsub(/:/, "\\:", text)
		gsub(/\047/, "\047\\\047\047", text)
		return text
	}
	function action(what) {
		if (what ~ /^words /)
			return "(" substr(what, 7) ")"
		if (what == "files" || what == "directories")
			return what == "files" ? "_files" : "_files -/"
		if (what == "programs")
			return "_command_names -e"
		if (what == "commands")
			return "(" names ")"
		return what == "none" ? "" : "_plm_" what
	}
	function spec(option, value, text, kind) {
		value = value == "" ? "" : ":" quoted(value) ":" action(kind)
		sub(/[.;(].*/, "", text)
		return sprintf(" \\\n\t    \047%s[%s]%s\047", option (value == "" ? "" : "="),
		    quoted(text), value)
	}
	function operand(name, what) {
		return sprintf(" \\\n\t    \047*:%s:%s\047", name, what)
	}
	function rest(list,   part, n, i, fixed, all) {
		n = split(list, part, " ")
		for (i = 1; i <= n; i++)
			if (part[i] ~ /^=/)
				fixed = fixed " " substr(part[i], 2)
			else
				all = all operand(part[i], action(part[i]))
		return fixed == "" ? all : all operand("word", "(" substr(fixed, 2) ")")
	}
	$1 == "option" { specs[$2 "/" $3] = specs[$2 "/" $3] spec($4, $5, $6, $7) }
	$1 == "command" && $2 == "plmdump" { subjects = rest(operands("", $5)) }
	$1 == "command" && $2 == "plmctl" {
		order[++n] = $3
		names = names " " $3
		tail[$3] = rest(operands($3, $5))
		list = list sprintf(" \\\n\t\t    \047%s:%s\047", $3, quoted($6))
	}
	END {
		print "case $service in"
		print "plm)\n\t_arguments" specs["plm/"] "\n\t;;"
		print "plmdump)\n\t_arguments" specs["plmdump/"] subjects "\n\t;;"
		print "plmweb)\n\t_arguments" specs["plmweb/"] "\n\t;;"
		print "plmctl)\n\tlocal context state state_descr line\n\ttypeset -A opt_args"
		print "\t_arguments -C" specs["plmctl/"] " \\\n\t    \0471:command:->command\047" \
		    " \\\n\t    \047*::argument:->argument\047"
		print "\tcase $state in\n\tcommand)\n\t\tlocal -a commands\n\t\tcommands=(" list ")"
		print "\t\t_describe command commands\n\t\t;;\n\targument)\n\t\tcase $words[1] in"
		for (i = 1; i <= n; i++)
			print "\t\t" order[i] ") _arguments" specs["plmctl/" order[i]] \
			    specs["plmctl/"] tail[order[i]] " ;;"
		print "\t\tesac\n\t\t;;\n\tesac\n\t;;\nesac"
	}' "$table"
}

in_fish() {
	cat packaging/completion.fish
	awk "$kinds"'
	function quoted(text) {
		gsub(/\\/, "\\\\&", text)
		gsub(/\047/, "\\\047", text)
		return "\047" text "\047"
	}
	function values(what) {
		if (what ~ /^words /) return " -x -a " quoted(substr(what, 7))
		if (what == "files") return " -r -F"
		if (what == "directories") return " -x -a \047(__fish_complete_directories)\047"
		return what == "none" ? " -x" : " -x -a \047(__plm_" what ")\047"
	}
	function when(command) {
		return command == "" ? "" : " -n \047__fish_seen_subcommand_from " command "\047"
	}
	function offer(program, command, list,   part, n, i) {
		n = split(list, part, " ")
		for (i = 1; i <= n; i++)
			if (part[i] == "files" || part[i] == "programs")
				print "complete -c " program when(command) " -F"
			else if (part[i] ~ /^=/)
				print "complete -c " program when(command) " -a " substr(part[i], 2)
			else if (part[i] != "commands")
				print "complete -c " program when(command) " -a \047(__plm_" \
				    part[i] ")\047"
	}
	BEGIN {
		n = split("plm plmctl plmdump plmweb", programs, " ")
		for (i = 1; i <= n; i++)
			print "complete -c " programs[i] " -f"
	}
	$1 == "option" {
		text = $6
		sub(/[.;(].*/, "", text)
		print "complete -c " $2 when($3) " -l " substr($4, 3) \
		    ($5 == "" ? "" : values($7)) " -d " quoted(text)
	}
	$1 == "command" && $2 == "plmdump" { offer("plmdump", "", operands("", $5)) }
	$1 == "command" && $2 == "plmctl" {
		print "complete -c plmctl -n __fish_use_subcommand -a " $3 " -d " quoted($6)
		offer("plmctl", $3, operands($3, $5))
	}' "$table"
}

"in_$shell"
