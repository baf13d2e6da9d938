#!/bin/bash
# interface.sh - the options and commands of plm, plmctl and plmdump, as a table.
#
#	interface.sh DIRECTORY-OF-THE-PROGRAMS
#
# Each program prints the table itself (--help=table), from the rows that its parser uses. A line a
# fact, fields separated by tabs:
#
#	option	PROGRAM	COMMAND	--NAME	VALUE	what it does	KIND	LETTERS	VARIABLE
#	command	PROGRAM	COMMAND		OPERANDS	what it does
#
# COMMAND and the fields from VALUE on may be empty. KIND tells a completion what the value may be
# (base/option_table.h). Completions and manual pages are made from this table (completions.sh,
# man.sh).
set -eu
for program in plm plmctl plmdump; do
	"$1/$program" --help=table
done
