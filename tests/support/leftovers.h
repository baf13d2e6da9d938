/* leftovers.h - a test program leaves nothing behind, however its tests end.
 *
 * The suite runs in a child, and the program itself only watches. The kernel makes the watcher the
 * parent of every orphan (PR_SET_CHILD_SUBREAPER), so the watcher finds each process that a killed
 * or failed test left, in whatever session that process is. When the suite has ended, or SIGTERM,
 * SIGINT or SIGHUP asks for the end, the watcher kills these processes, then removes the segments,
 * lock files and cgroups that bear its pid or have a bell in the directory of the program, and that
 * directory. Each thing it removes gets a
 * line "left behind: ..." on stdout. tools/run.sh removes what a killed watcher left.
 *
 * A process may still be on its way out when its test returns: the watcher gives it GRACE_MS. */
#ifndef PLM_TEST_LEFTOVERS_H
#define PLM_TEST_LEFTOVERS_H

#include <stddef.h>

/* Runs suite(context) in a child with TMPDIR and XDG_RUNTIME_DIR set to a directory of its own.
 * Returns the exit status for main(): that of the suite; not 0 if something was left behind. */
int leftovers_watch(int (*suite)(void *context), void *context);

/* A runtime name no other test has. The watcher knows by the name what belongs to the program. */
void test_runtime_name(char *ret, size_t size);

/* A path in the program's directory: "DIRECTORY/NAME". Without a watcher, in TMPDIR or /tmp. */
void test_path(const char *name, char *ret, size_t size);

#endif
