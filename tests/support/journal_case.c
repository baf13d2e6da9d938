#include "tests/support/journal_case.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/json.h"
#include "tests/support/suite_watcher.h"

enum { STATE_NAME_BYTES = 32, ARGUMENTS = 32, CHILDREN = 128, PATH_BYTES = 256, LINE_BYTES = 512 };

char state_directory[STATE_BYTES];

static const struct timespec moment = { .tv_nsec = 2000000 };

/* ---- life ---- */

static void journal_case_fill(const char **all, const char *const *more)
{
	const char *const common[] = { "--workers", "2", "--tasks", "8192", "--store", "64M",
		"--state", state_directory };
	size_t n = sizeof common / sizeof common[0];
	memcpy(all, common, sizeof common);
	for (size_t i = 0; more[i] && n + 1 < ARGUMENTS; i++)
		all[n++] = more[i];
	all[n] = NULL;
}

void journal_state(void)
{
	char name[STATE_NAME_BYTES];
	snprintf(name, sizeof name, "state-%d", (int)getpid());
	test_path(name, state_directory, sizeof state_directory);
}

static void journal_case_prepare(const char **all, const char *const *more)
{
	journal_state();
	journal_case_fill(all, more);
}

void journal_boot_with(const char *const *more)
{
	const char *all[ARGUMENTS];
	journal_case_prepare(all, more);
	runtime_boot_with(&host, all);
}

void journal_boot_loose(void)
{
	const char *all[ARGUMENTS], *const none[] = { NULL };
	journal_case_prepare(all, none);
	runtime_boot_loose_with(&host, all);
}

void journal_reboot_with(const char *const *more)
{
	const char *all[ARGUMENTS];
	journal_case_fill(all, more);
	runtime_reboot_with(&host, all);
}

static unsigned journal_case_children(pid_t *ret)
{
	char path[PATH_BYTES];
	unsigned n = 0;
	int pid;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)host.pid, (int)host.pid);
	FILE *f = fopen(path, "r");
	while (f && n < CHILDREN && fscanf(f, "%d", &pid) == 1)
		ret[n++] = pid;
	if (f)
		fclose(f);
	return n;
}

void journal_crash(void)
{
	static const char *const segments[] = { "control", "store" };
	char path[PATH_BYTES];
	pid_t child[CHILDREN];
	unsigned n = journal_case_children(child);
	runtime_kill(&host);
	for (unsigned i = 0; i < n; i++)
		ck_assert(wait_for_death(child[i]));
	for (size_t i = 0; i < sizeof segments / sizeof segments[0]; i++) {
		runtime_segment(&host, segments[i], path, sizeof path);
		unlink(path);
	}
}

void journal_end(void)
{
	char command[STATE_BYTES + 16];
	if (host.pid > 0)
		runtime_stop(&host);
	runtime_end(&host);
	snprintf(command, sizeof command, "rm -rf '%s'", state_directory);
	ck_assert_int_eq(system(command), 0);
}

pid_t journal_pid(void)
{
	char path[PATH_BYTES], name[64];
	pid_t child[CHILDREN];
	unsigned n = journal_case_children(child);
	for (unsigned i = 0; i < n; i++) {
		snprintf(path, sizeof path, "/proc/%d/comm", (int)child[i]);
		FILE *f = fopen(path, "r");
		bool found = f && fgets(name, sizeof name, f) && strstr(name, "plm-journal");
		if (f)
			fclose(f);
		if (found)
			return child[i];
	}
	return 0;
}

void kill_journal(void)
{
	pid_t pid = journal_pid();
	if (pid > 0) {
		kill(pid, SIGKILL);
		ck_assert(wait_for_death(pid));
	}
}

/* ---- a command that waits ---- */

static void journal_case_gate(char *ret, size_t size)
{
	scratch_path(&host, "gate", ret, size);
}

void open_gate(void)
{
	char path[PATH_BYTES];
	scratch_write(&host, "gate", "", 0, path, sizeof path);
}

void wait_line(char *line, size_t size, const char *then)
{
	char gate[PATH_BYTES], runs[PATH_BYTES];
	journal_case_gate(gate, sizeof gate);
	scratch_path(&host, "begun", runs, sizeof runs);
	snprintf(line, size, "echo begun >> %s; until [ -e %s ]; do sleep 0.01; done; %s", runs,
	    gate, then);
}

/* ---- the history ---- */

char *history_line(const char *text)
{
	char *all = ctl_expect(&host, 0, "history", "--json", "--limit", "0", "--state-dir",
	    state_directory, "--include", text);
	if (all[0] == 0) {
		free(all);
		return NULL;
	}
	char *end = strchr(all, '\n');
	if (end)
		*end = 0;
	return all;
}

void expect_history(const char *text, const char *key, const char *expected)
{
	char *line = history_line(text);
	ck_assert_msg(line != NULL, "the history has no \"%s\"", text);
	char *value = json_field(line, key);
	ck_assert_msg(value && strcmp(value, expected) == 0, "%s of \"%s\" is %s, not %s: %s", key,
	    text, value ? value : "missing", expected, line);
	free(value);
	free(line);
}

unsigned history_count(const char *state)
{
	char *all = ctl_expect(&host, 0, "history", "--json", "--limit", "0", "--state-dir",
	    state_directory, "--state", state);
	unsigned n = all[0] != 0;
	for (const char *at = all; (at = strchr(at, '\n')) != NULL; at++)
		n++;
	free(all);
	return n;
}

void history_reaches(const char *state, unsigned number)
{
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	while (history_count(state) != number) {
		ck_assert_msg(clock_ns() < deadline, "%u tasks are %s, not %u",
		    history_count(state), state, number);
		nanosleep(&moment, NULL);
	}
}

void history_settles(void)
{
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	while (history_count("queued") + history_count("running") > 0) {
		ck_assert_msg(clock_ns() < deadline, "%u tasks stay queued, %u running",
		    history_count("queued"), history_count("running"));
		nanosleep(&moment, NULL);
	}
}

void status_reaches(const char *key, unsigned number)
{
	char expected[64];
	snprintf(expected, sizeof expected, "\"%s\": %u,", key, number);
	ctl_until(&host, expected, "status", "--json");
}

void until_history(const char *text, const char *key, const char *expected)
{
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	for (bool found = false; !found; nanosleep(&moment, NULL)) {
		char *line = history_line(text), *value = line ? json_field(line, key) : NULL;
		found = value && strcmp(value, expected) == 0;
		ck_assert_msg(found || clock_ns() < deadline, "%s of \"%s\" is never %s: %s", key,
		    text, expected, line ? line : "");
		free(value);
		free(line);
	}
}

/* ---- what tasks left behind ---- */

static unsigned journal_case_count(const char *scratch, const char *text)
{
	char path[PATH_BYTES], line[LINE_BYTES];
	unsigned n = 0;
	scratch_path(&host, scratch, path, sizeof path);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = 0;
		n += !text || strcmp(line, text) == 0;
	}
	if (f)
		fclose(f);
	return n;
}

unsigned count_lines(const char *scratch, const char *text)
{
	return journal_case_count(scratch, text);
}

void await_lines(const char *scratch, unsigned lines)
{
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	while (journal_case_count(scratch, NULL) < lines) {
		ck_assert_msg(clock_ns() < deadline, "%s has %u lines, not %u", scratch,
		    journal_case_count(scratch, NULL), lines);
		nanosleep(&moment, NULL);
	}
}
