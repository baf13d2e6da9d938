/* top_keys_help.h - the keys of plmctl top as a table of texts, for `plmctl help top` and for the
 * help inside of top. top_keys.c has the code of each. */
#ifndef PLM_CLI_TOP_KEYS_HELP_H
#define PLM_CLI_TOP_KEYS_HELP_H

/* clang-format off */
#define KEYS_HELP(LINE) \
	LINE("Tab, Right; Shift-Tab, Left  ", "the next pane; the pane before") \
	LINE("Up Down PgUp PgDn Home End   ", "choose a row") \
	LINE("> F6; <                      ", "sort by the next column; by the one before") \
	LINE("i                            ", "turn the order around") \
	LINE("/ F4                         ", "rows with a text alone; Esc: all rows") \
	LINE("c F9                         ", "cancel the task of the row, after a question") \
	LINE("r                            ", "retry the failed task of the row (pane Tasks)") \
	LINE("p                            ", "pause: start no tasks; again: resume") \
	LINE("d                            ", "drain the worker of the row, after a question;") \
	LINE("                             ", "of a drained worker: let the worker come back") \
	LINE("D                            ", "accept no new tasks, after a question; again: do") \
	LINE("? F1 h                       ", "help") \
	LINE("q F10 Esc                    ", "quit")
/* clang-format on */

#define KEYS_AS_LINE(keys, help) keys help,
#define KEYS_AS_TEXT(keys, help) "  " keys help "\n"

#define KEYS_BAR "?Help Tab:Pane >Sort /Filter cCancel rRetry pPause dDrain qQuit"

#endif
