/* test_journal_moves.c - the queue as a person ordered it, after the loss of all processes and both
 * segments. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/fixture.h"
#include "tests/support/journal_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, PATH_BYTES = 128, LINE_BYTES = 512 };

static char *keep_order(const char *name)
{
	char path[PATH_BYTES], line[LINE_BYTES];
	scratch_path(&host, "order", path, sizeof path);
	snprintf(line, sizeof line, "echo %s >> %s", name, path);
	return keep("--shell", line);
}

static void expect_order(const char *expected)
{
	char path[PATH_BYTES], order[LINE_BYTES];
	scratch_path(&host, "order", path, sizeof path);
	FILE *f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	size_t n = fread(order, 1, sizeof order - 1, f);
	order[n] = 0;
	fclose(f);
	ck_assert_str_eq(order, expected);
}

static void move_line(const char *ref, const char *option, const char *value)
{
	free(ctl_expect(&host, 0, "move", option, value, ref));
}

/* The journal has written all moves up to now: the acceptance of a later task is in no earlier
 * group, and `history` waits for it. */
static void write_all(void)
{
	free(keep("--priority", "-9", "true"));
	free(ctl_expect(&host, 0, "history"));
}

/* The only worker is kept by a gate, also after a boot: the gate has the highest priority. The
 * journal writes each move after the task, and must not start a parked task when it queues the task
 * again. */
START_TEST(what_a_person_moved_stands_there_after_each_boot)
{
	char line[LINE_BYTES];
	char *task[6];
	journal_boot("--workers", "1", );
	wait_line(line, sizeof line, "true gate");
	free(keep("--priority", "9", "--crash-retries", "9", "--shell", line));
	char *later = keep("--after-any", "last", "true later");
	for (int i = 0; i < 6; i++)
		task[i] = keep_order((const char *[]){ "a", "b", "c", "d", "e", "f" }[i]);
	status_reaches("journal_accepted", 8);
	move_line(task[2], "--to", "front");
	move_line(task[4], "--to", "front");
	move_line(task[3], "--priority", "7");
	move_line(task[0], "--priority", "-7");
	move_line(task[1], "--to", "parked");
	move_line(task[5], "--to", "parked");
	move_line(task[5], "--to", "todo");
	move_line(later, "--to", "parked");
	write_all();
	for (unsigned boot = 1; boot <= 2; boot++) {
		kill_journal(); /* the next one reads the places again, and writes none twice */
		write_all();
		journal_crash();
		journal_reboot("--workers", "1", );
		status_reaches("journal_resumed", 8 + 1 + boot);
		until_history("true gate", "state", "running");
	}
	open_gate();
	until_history("echo a", "state", "done");
	expect_order("d\ne\nc\nf\na\n");
	expect_history("true later", "state", "queued");
	free(ctl_expect(&host, 0, "move", "--to", "todo", "--state", "parked"));
	history_settles();
	expect_order("d\ne\nc\nf\na\nb\n");
	expect_history("true later", "state", "done");
	journal_end();
	for (int i = 0; i < 6; i++)
		free(task[i]);
	free(later);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("moves in a journal");
	TCase *tcase = tcase_create("boots");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_test(tcase, what_a_person_moved_stands_there_after_each_boot);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
