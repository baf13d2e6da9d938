/* map_case.h - what the tests of `plmctl map` share: lines for a shell, run in a directory of their
 * own, where no runtime is up and plmctl and plm are found by their names.
 * Whatever a line starts must be gone at the end of the test. */
#ifndef PLM_TEST_MAP_CASE_H
#define PLM_TEST_MAP_CASE_H

#include "tests/support/fixture.h"

void map_setup(void);
/* Nothing is left: no process that knows the directory, no file of a runtime, no segment. */
void map_teardown(void);

/* The host, which the lines find by PLM_NAME; it keeps all results. */
void map_boot(const char *workers, const char *store);
void map_stop(void);
void map_stop_and_teardown(void);

/* Runs it to its end; fails at the deadline. */
struct output_of shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* NULL: whatever it is. stderr need only hold err. */
void check_shell(int code, const char *out, const char *err, const char *line);
/* The same in the background: `exec` in front of the line gives the pid of its program. */
pid_t shell_start(const char *line);
/* Its exit code, 128 and more of a signal. */
int shell_end(pid_t pid);

/* Waits until the file is there, and holds the text. */
void wait_for_file(const char *path, const char *text);
/* A file of the directory, whole; the caller frees. */
char *file_text(const char *path);
void file_write(const char *path, const char *text);
/* The pid of the manager that a map has booted for itself, as soon as it is ready. */
pid_t private_manager(void);
/* The numbers in the lines of a file or an output: how often each from 1 to n. */
void count_numbers(const char *text, unsigned n, unsigned *ret_count);

#endif
