#!/bin/bash
# interface.sh - the options and commands of plm, plmctl, plmdump and plmweb, as a table.
#
#	interface.sh DIRECTORY-OF-THE-PROGRAMS
#
# Each program prints its own rows (--help=table), which its parser reads, too. A line has fields
# separated by tabs:
#
#	option	PROGRAM	COMMAND	--NAME	VALUE	text	KIND	LETTERS	VARIABLE
#	command	PROGRAM	COMMAND		OPERANDS	text
#	about	PROGRAM	COMMAND	a line of the help before the options
#	notes	PROGRAM	COMMAND	a line of the help behind the options
#
# COMMAND and the fields from VALUE on may be empty. KIND is the kind of completion for the value
# (base/option_table.h). completions.sh and man.sh read the table.
set -eu
for program in plm plmctl plmdump plmweb; do
	"$1/$program" --help=table
done
