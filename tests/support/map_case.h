/* map_case.h - shell lines for the tests of `plmctl map`. A test has a directory of its own, where
 * no runtime is up; PATH leads to plmctl and plm. All processes of a line must be gone at the end
 * of the test. */
#ifndef PLM_TEST_MAP_CASE_H
#define PLM_TEST_MAP_CASE_H

#include "tests/support/fixture.h"

void map_setup(void);
/* The same for lines that also run GNU parallel: without its notes, in sh, whatever the locale. */
void map_setup_beside(void);
/* Expects that no process that knows the directory, no file of a runtime and no segment is left. */
void map_teardown(void);

/* Boots the host with all results kept; lines find the host by PLM_NAME. */
void map_boot(const char *workers, const char *store);
void map_stop(void);
void map_stop_and_teardown(void);

/* Runs a line to the end; fails the test at the deadline. */
struct output_of shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* NULL: any output. stderr must contain err. */
void check_shell(int code, const char *out, const char *err, const char *line);
/* Starts a line in the background; with `exec` in front the pid is that of the program. */
pid_t shell_start(const char *line);
/* The exit code of a line; 128 + signal if a signal ended the line. */
int shell_end(pid_t pid);

/* Waits until the file exists and contains the text. */
void wait_for_file(const char *path, const char *text);
/* The content of a file of the directory; the caller frees. */
char *file_text(const char *path);
void file_write(const char *path, const char *text);
/* Waits until a map has booted a private runtime; returns the pid of the manager. */
pid_t private_manager(void);
/* Counts in lines of numbers how often each number from 1 to n occurs. */
void count_numbers(const char *text, unsigned n, unsigned *ret_count);

#endif
