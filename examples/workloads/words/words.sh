#!/bin/sh
# words.sh - the words of files and how often each stands there, by command lines alone.
#
#	words.sh plm FILE...           a task for each file, by plmctl map; then one merge
#	words.sh parallel FILE...      the same by GNU parallel
#	words.sh sort FILE...          one pipeline, without a map
#
# The lines are "WORD COUNT" in alphabetical order, the same by each way. $JOBS runs at once, one
# for each core by default. $PLM_BIN holds plmctl.
set -eu
export LC_ALL=C
way=$1
shift
jobs=${JOBS:-$(nproc)}
map="tr -sc a-z '\n' < {} | grep . | sort | uniq -c"
merge() {
	awk '{ count[$2] += $1 } END { for (word in count) print word, count[word] }' | sort
}
case $way in
plm) printf '%s\n' "$@" | "${PLM_BIN:-.}/plmctl" map --jobs "$jobs" sh -c "$map" | merge ;;
parallel) printf '%s\n' "$@" | parallel --will-cite -j "$jobs" "$map" | merge ;;
sort) cat "$@" | tr -sc a-z '\n' | grep . | sort | uniq -c | awk '{ print $2, $1 }' ;;
*) echo "words.sh: there are plm, parallel and sort, not \"$way\"" >&2 && exit 2 ;;
esac
