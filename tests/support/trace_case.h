/* trace_case.h - for the tests of plmctl trace and plot: a runtime with an event log that has had
 * every kind of task, a killed worker among them, and the checker of traces.
 * Every wait has a deadline. */
#ifndef PLM_TEST_TRACE_CASE_H
#define PLM_TEST_TRACE_CASE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/support/fixture.h"

/* Three workers, with --events on, or without. */
void trace_boot(void);
void trace_boot_unlogged(void);
void trace_stop(void); /* of a living runtime; trace_end(): of any */
void trace_end(void);

/* Tasks that are done, fail, are retried, returned, cancelled while they run and before, take
 * values and further results of each other and an object, wait for each other, command lines, and a
 * task whose worker is killed. */
void trace_mixed_load(void);
enum { TRACE_MIXED_FLOWS = 9 }; /* values that its runs took of its runs */
/* So many no-op tasks, submitted, awaited and dropped. */
void trace_noops(unsigned n);

/* trace_check.py on the recording: both forms are made beside the file. */
void trace_expect_true(const char *recording);
/* The same of a log on since the boot: every living worker has run what it counted itself. */
void trace_expect_all(const char *recording);
/* A program of tests/programs in Python, which must find nothing wrong. */
void trace_judge(const char *program, const char *arguments);
/* What Python prints for a program text with these arguments; the caller frees. */
char *trace_python(const char *program, const char *argument);

/* Starts plmctl, with a limit for the size of files (0: none), and stderr in the scratch file
 * "stderr"; exit_of() ends. */
pid_t trace_start(size_t bytes, const char *const *words);
/* The same for a recording; returns when the log is on. */
pid_t trace_record(const char *path, size_t bytes);
void trace_await_log_off(const char *what);

#endif
