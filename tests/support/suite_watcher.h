/* suite_watcher.h - cleans up behind the tests of a program, however the tests end.
 *
 * The suite runs in a child, and the program itself only watches. The kernel makes the watcher the
 * parent of every orphan (PR_SET_CHILD_SUBREAPER), so the watcher finds each process that a killed
 * or failed test left, in any session. When the suite has ended, or SIGTERM, SIGINT or SIGHUP asks
 * for the end, the watcher kills these processes. Then it removes segments, lock files and cgroups
 * with its pid in their names, those of runtimes with a bell in the directory of the program, and
 * the directory. Each removal prints a line "left behind: ...". If the watcher itself is killed,
 * the next tools/run.sh removes the rest.
 *
 * A process may still be on the way out when its test returns, so the watcher waits GRACE_MS. */
#ifndef PLM_TEST_SUITE_WATCHER_H
#define PLM_TEST_SUITE_WATCHER_H

#include <stddef.h>

/* Runs suite(context) in a child; TMPDIR and XDG_RUNTIME_DIR name a new directory. Returns the exit
 * status for main(): that of the suite, or 1 if something was left behind. */
int watch_suite(int (*suite)(void *context), void *context);

/* A runtime name no other test has, with the pid of the watcher in front. */
void test_runtime_name(char *ret, size_t size);

/* "DIRECTORY/NAME" in the directory of the program; without a watcher in TMPDIR or /tmp. */
void test_path(const char *name, char *ret, size_t size);

#endif
