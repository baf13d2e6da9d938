/* top_case.c - tmux, and what the tests of top share. */
#include "tests/support/top_case.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { TEST_TIMEOUT_S = 120, COMMAND_BYTES = 1024, PATH_BYTES = 160 };

struct runtime top_rt;
char top_screen[SCREEN_BYTES];

/* ---- the terminal ---- */

/* Runs `tmux ARGUMENTS` on a server of our own; stdout is then in `top_screen`. */
int tmux(const char *format, ...)
{
	char command[COMMAND_BYTES], arguments[COMMAND_BYTES - PATH_BYTES - 64], path[PATH_BYTES];
	va_list words;
	va_start(words, format);
	vsnprintf(arguments, sizeof arguments, format, words);
	va_end(words);
	scratch_path(&top_rt, "tmux", path, sizeof path);
	snprintf(
	    command, sizeof command, "tmux -S '%s' -f /dev/null %s 2>/dev/null", path, arguments);
	FILE *out = popen(command, "r"); /* NOLINT: the words are ours */
	ck_assert_ptr_nonnull(out);
	size_t n = fread(top_screen, 1, sizeof top_screen - 1, out);
	top_screen[n] = 0;
	return pclose(out);
}

void nap(void)
{
	static const struct timespec pause = { .tv_nsec = 10 * (long)NS_PER_MS };
	nanosleep(&pause, NULL);
}

/* Waits until the terminal shows the text, or no longer shows the text. */
void await_text(const char *text, bool there)
{
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	do {
		tmux("capture-pane -p");
		if ((strstr(top_screen, text) != NULL) == there)
			return;
		nap();
	} while (clock_ns() < deadline);
	ck_abort_msg("\"%s\" is %s on the screen:\n%s", text, there ? "not" : "still", top_screen);
}
/* Ends the server, and returns when the next one can begin. */
void close_tmux(void)
{
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	while (tmux("kill-server") == 0 && clock_ns() < deadline)
		nap();
}

void press(const char *keys)
{
	ck_assert_int_eq(tmux("send-keys %s", keys), 0);
}

/* top in a new terminal, which stays when top ends. */
void open_top(const char *environment, const char *options)
{
	const char *bin = getenv("PLM_BIN");
	ck_assert_int_eq(
	    tmux("new-session -d -x 100 -y 30 \"env XDG_RUNTIME_DIR=%s PLM_NAME=%s LANG=C.UTF-8 "
		 "TERM=screen-256color %s %s/plmctl top --interval 200ms %s; echo ended with "
		 "\\$?; exec cat\"",
		top_rt.directory, top_rt.name, environment, bin ? bin : ".", options),
	    0);
	if (!options[0])
		shows("cpus");
}

void close_top(void)
{
	press("q");
	shows("ended with 0");
	close_tmux();
}

void top_boot(void)
{
	runtime_boot(&top_rt, "--workers", "2", "--tasks", "1024", "--store", "16M", );
}

void top_stop(void)
{
	close_tmux();
	output_free(&(struct output_of[]){ ctl(&top_rt, "resume") }[0]);
	output_free(&(struct output_of[]){ ctl(&top_rt, "resume", "0") }[0]);
	output_free(&(struct output_of[]){
	    ctl(&top_rt, "cancel", "--grace", "0", "--todo", "--in_progress") }[0]);
	runtime_stop(&top_rt);
	runtime_end(&top_rt);
}

void top_end(void)
{
	close_tmux();
	runtime_end(&top_rt);
}

char *sleeper(void)
{
	char *ref = ctl_expect(&top_rt, 0, "submit", "--detach", "--", "sleep", "100000");
	ctl_until(&top_rt, ref, "tasks", "--quiet", "--state", "running");
	return ref;
}

void screen_has(const char *text)
{
	ck_assert_msg(strstr(top_screen, text) != NULL, "no \"%s\" in:\n%s", text, top_screen);
}

/* The second text stands behind the first. */
bool screen_in_order(const char *first, const char *second)
{
	const char *a = strstr(top_screen, first), *b = strstr(top_screen, second);
	return a && b && a < b;
}

static bool top_has_tmux(void)
{
	static int known; /* 1: no; 2: yes */
	if (known == 0) {
		known = system("tmux -V >/dev/null 2>&1") == 0 ? 2 : 1; /* NOLINT: our words */
		if (known == 1)
			puts("tmux is not installed: what top draws is not tested");
	}
	return known == 2;
}

static void top_case(
    Suite *suite, const char *name, void (*stop)(void), const TTest *const *tests, size_t n)
{
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, top_boot, stop);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
}

void top_cases(Suite *suite, const TTest *const *alive, size_t n_alive, const TTest *const *dead,
    size_t n_dead)
{
	if (!top_has_tmux())
		return;
	top_case(suite, "alive", top_stop, alive, n_alive);
	top_case(suite, "dead", top_end, dead, n_dead);
}

void top_cases_of_text(Suite *suite, const TTest *const *tests, size_t n)
{
	top_case(suite, "text", top_stop, tests, n);
}
