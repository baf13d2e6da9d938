/* top_case.h - for the tests of plmctl top: a runtime of two workers, and top in a real terminal,
 * of tmux. Every wait polls the terminal and has a deadline. */
#ifndef PLM_TEST_TOP_CASE_H
#define PLM_TEST_TOP_CASE_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>

#include "tests/support/program_runtime.h"

enum { SCREEN_BYTES = 1 << 16 };

extern struct runtime top_rt;
extern char top_screen[SCREEN_BYTES]; /* stdout of the last tmux() */

/* Runs `tmux ARGUMENTS` on a server of the test; returns as pclose(). */
int tmux(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Waits until the terminal shows the text, or no longer shows the text. */
void await_text(const char *text, bool there);
#define shows(text) await_text((text), true)
#define hides(text) await_text((text), false)
void press(const char *keys);
void nap(void);
/* top in a new terminal, which stays when top ends. Without options returns after a frame. */
void open_top(const char *environment, const char *options);
void close_top(void);
void close_tmux(void);

void top_boot(void);
void top_stop(void); /* of a living runtime; top_end(): of any */
void top_end(void);
/* A task that runs for ever. */
char *sleeper(void);

void screen_has(const char *text);
/* The second text stands behind the first. */
bool screen_in_order(const char *first, const char *second);

/* The cases of a suite: `alive` has top_stop() at the end, `dead` top_end(). Without tmux the tests
 * that draw are left out, with a line on stdout. */
void top_cases(Suite *suite, const TTest *const *alive, size_t n_alive, const TTest *const *dead,
    size_t n_dead);
/* The same for tests without a terminal. */
void top_cases_of_text(Suite *suite, const TTest *const *tests, size_t n);

#endif
