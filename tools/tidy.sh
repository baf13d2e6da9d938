#!/bin/bash
# tidy.sh - what a reader may rely on, checked by a program.
#
#	lines   up to 100 columns (a tab is 8), no blanks at their end
#	sizes   functions up to 60 lines, files up to 600
#	words   no `volatile` (shared memory goes through shm/steps.h); no VLA (the compiler: -Wvla)
#	headers open with a comment that begins with their name; no prototype of what is defined
#	        nowhere
#	names   static functions carry their module
#	layout  C is laid out as .clang-format says; `make format` lays it out
#	prose   the share of pronouns in comments and pages (tools/pronouns.py)
#	pages   each folder has a README.md; each link in a page leads somewhere; each file, and
#	        each function written `file.c:function`, that a page or a comment names is there;
#	        each row of the README's death table names a test
#
# Looks at the files git knows, and at new ones it does not ignore; without git at all of them.
# Every finding is a line; exit code 1 if there is any.
set -u
shopt -s lastpipe # report() counts in this shell
export LC_ALL=C

findings=0
finding() {
	echo "tidy: $*"
	findings=$((findings + 1))
}
# Lines of findings on stdin.
report() {
	while IFS= read -r line; do
		finding "$line"
	done
}

for tool in awk grep sed expand sort find clang-format python3; do
	command -v "$tool" >/dev/null || finding "$tool is not installed: nothing can be checked"
done
files() { # in a tree that git does not know, or without git, all but what make makes
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files -co --exclude-standard
	else
		find . \( -path ./build -o -path ./.git \) -prune -o -type f -printf '%P\n' |
			grep -vxE 'plm|plmctl|plmdump|plmweb'
	fi
}
mapfile -t all < <(files | sort | while read -r file; do
	[ -f "$file" ] && echo "$file"
done)
[ ${#all[@]} -gt 0 ] || finding "there is no file: nothing was checked"
list() { # files whose names match
	printf '%s\n' "${all[@]}" | grep -E "$1"
}
mapfile -t sources < <(list '\.[ch]$')
mapfile -t headers < <(list '\.h$')
mapfile -t code < <(list '\.([ch]|sh|map)$|^Makefile$|^\.ci/run$')
mapfile -t pages < <(list '\.md$')

# ---- lines, sizes, words ----

for file in "${code[@]}"; do
	expand -t 8 "$file" |
		awk -v file="$file" 'length > 100 { print file ":" NR ": " length " columns" }'
done | report
grep -nE '[[:blank:]]+$' "${code[@]}" "${pages[@]}" |
	sed 's/:\([0-9]*\):.*/:\1: blanks at the end/' | report
awk '
	FNR == 1 && NR > 1 && last > 600 { print file ": " last " lines" }
	{ file = FILENAME; last = FNR }
	END { if (last > 600) print file ": " last " lines" }
	FNR == 1 { start = 0 }
	/^{/ { start = FNR; name = before }
	/^}/ && start {
		if (FNR - start + 1 > 60)
			print FILENAME ":" start ": a function of " FNR - start + 1 " lines: " name
		start = 0
	}
	/^[a-zA-Z_].*\(/ { before = $0 }' "${sources[@]}" | report
grep -nwE 'volatile' "${sources[@]}" | grep -v '__asm__ volatile' |
	sed 's/:\([0-9]*\):.*/:\1: volatile orders nothing between processes/' |
	report

# ---- names ----

# A profile or a backtrace shows only the name, so a static function carries its module: a word of
# the file's name, or of the folder.
mapfile -t product < <(list '\.c$' | grep -vE '^(tests|verify|bench|examples)/')
awk '
	FNR == 1 {
		n = split(FILENAME, part, "/")
		stem = part[n]
		sub(/\.c$/, "", stem)
		words = split(stem "_" part[n - 1], word, "_")
	}
	/^static [^=;]*\(/ && !/__attribute__/ {
		name = $0
		sub(/\(.*/, "", name)
		sub(/.*[ *]/, "", name)
		found = 0
		for (i = 1; i <= words; i++)
			found = found || index("_" name, "_" word[i]) ||
				index("_" name, "_" substr(word[i], 1, length(word[i]) - 1) "_")
		if (!found)
			print FILENAME ":" FNR ": " name "() does not carry the name of its module"
	}' "${product[@]}" | report

# ---- layout, prose ----

printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -n 40 clang-format --dry-run 2>&1 |
	grep 'clang-format-violations' | cut -d : -f 1,2 | sort -u |
	sed 's/$/: make format changes this line/' | report
python3 tools/pronouns.py | report

# ---- headers ----

for header in "${headers[@]}"; do
	head -n 1 "$header" | grep -qF "/* ${header##*/} - " ||
		finding "$header:1: does not open with its contract: /* ${header##*/} - ..."
done

# NAME, a line a function that some source defines: at the left margin, not ended by a semicolon
defined=$(grep -hE '^[A-Za-z_][^;=]*\(' "${sources[@]}" | grep -vE ';[[:space:]]*$|^#|^typedef' |
	grep -oE '[A-Za-z_][A-Za-z0-9_]*\(' | sort -u)
for header in "${headers[@]}"; do
	# prototypes: at the left margin; one over several lines is made one line first
	awk '/^[A-Za-z_]/ && /\(/ && !/^(typedef|static|#|extern)/ { joined = $0
			while (joined !~ /[;{]/ && (getline line) > 0)
				joined = joined " " line
			if (joined ~ /;[[:space:]]*(\/\*.*)?$/ && joined !~ /{/)
				print joined
		}' "$header" |
		sed 's/^_Noreturn //; s/(.*//; s/.*[^A-Za-z0-9_]//' | while read -r name; do
		case $name in '' | _Static_assert | __attribute__) continue ;; esac
		grep -qxF "$name(" <<<"$defined" ||
			echo "$header: $name() is declared and defined nowhere"
	done
done | report

# ---- pages ----

for folder in $(printf '%s\n' "${all[@]}" | sed -n 's|^\([^./][^/]*\)/.*|\1|p' | sort -u); do
	[ -f "$folder/README.md" ] || finding "$folder/: has no README.md"
done

anchors() { # of a page, as they are written in links
	sed -n 's/^##* //p' "$1" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9_\n-'
}

for page in "${pages[@]}"; do
	folder=$(dirname "$page")
	grep -oE '\]\([^)]+\)' "$page" | sed 's/^](//; s/)$//' |
	grep -vE '^[a-z]+://' | while read -r link; do
		target=${link%%#*}
		target=$([ "$target" ] && echo "$folder/$target" || echo "$page")
		if [ ! -e "$target" ]; then
			echo "$page: the link $link leads nowhere"
		elif [ "$link" != "${link#*#}" ] &&
			! anchors "$target" | grep -qx -- "${link#*#}"; then
			echo "$page: there is no section #${link#*#} in $target"
		fi
	done
done | report

# Files and functions that are named: in pages, but for their examples, and in comments of the
# sources (an #include is the compiler's to check). A name without a folder may be in any folder.
prose() { # FILE:LINE:TEXT, a line each
	awk 'FNR == 1 { fenced = 0 }
		/^```/ { fenced = !fenced }
		!fenced && !/^[ \t]*# *include/ { print FILENAME ":" FNR ":" $0 }' "$@"
}
where() { # the files of that name
	case $1 in
	*/*) printf '%s\n' "${all[@]}" | grep -xF -- "$1" ;;
	*) printf '%s\n' "${all[@]}" | awk -F / -v name="$1" '$NF == name' ;;
	esac
}
prose "${sources[@]}" "${pages[@]}" | grep -E '\.[ch]([^A-Za-z0-9_]|$)' |
	grep -oE '^[^:]*:[0-9]*:|[A-Za-z0-9_*./-]*[A-Za-z0-9_*]\.[ch](:[a-z_0-9]+)?\b' |
	awk '/:$/ { place = $0; next } { print place " " $0 }' | sort -u |
	while read -r place name; do
		case $name in
		../* | *'*'* | *[A-Z]*) continue ;; # a link, looked at above; a pattern; a stand-in
		include/*) continue ;;            # a header where it is installed
		esac
		mapfile -t found < <(where "${name%%:*}")
		if [ ${#found[@]} -eq 0 ]; then
			echo "$place there is no ${name%%:*}"
		elif [ "$name" != "${name#*:}" ] && ! grep -qE "\b${name#*:}\(" "${found[@]}"; then
			echo "$place there is no ${name#*:}() in ${name%%:*}"
		fi
	done | report

# Each row of the death table names a test; the check above finds out whether the test exists.
deaths=docs/reliability.md
awk -v page="$deaths" '
	/^#/ { inside = /[Dd]eath table/; rows = 0 }
	inside && /^\|/ && ++rows > 2 && !/(tests|verify)\/[a-z_\/]+\.c/ {
		print page ":" NR ": a row without a test"
	}
	inside && /^\|/ { seen = 1 }
	END { if (!seen) print page ": there is no death table" }' "$deaths" | report

[ $findings -eq 0 ]
