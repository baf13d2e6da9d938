/* test_explain_needs.c - plmctl explain for tasks of several cpus; damaged tables. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "client/handle.h"
#include "tests/support/explain_case.h"
#include "tests/support/fixture.h"
#include "tests/support/json.h"
#include "tests/support/run_suite.h"

enum { REFS = 16, DAMAGES = 100 };

static void expect_shortage(const char *needs, const char *words)
{
	char *task = detach("--needs", needs, "probe.noop");
	until_code(task, "short");
	until_says(task, words);
	free(ctl_expect(&host, 0, "cancel", task));
}

START_TEST(each_resource_that_is_short_says_who_has_it)
{
	char words[160];
	boot("--workers", "cpus=4,licence=2,gpus=2 x1", "--memory", "1G");
	char *a = detach("--needs", "mem=600M,licence=1.5,gpus=0.5", "probe.sleep", LONG);
	char *b = detach("--needs", "gpus=1", "probe.sleep", LONG);
	until_running(a);
	until_running(b);
	snprintf(words, sizeof words, "mem=500M: tasks may have 1G, of that 600M in use by %s", a);
	expect_shortage("mem=500M", words);
	snprintf(words, sizeof words, "licence=1: worker 0 has 2, of them 1.5 in use by %s", a);
	expect_shortage("licence=1", words);
	expect_shortage("gpus=1", "gpus=1: worker 0 has 2, of them 1.5 in use by ");
	end();
}
END_TEST

START_TEST(what_is_free_of_two_gpus_is_no_larger_part_of_one)
{
	boot("--workers", "cpus=4,gpus=2 x1");
	char *a = detach("--needs", "gpus=0.75", "probe.sleep", LONG);
	char *b = detach("--needs", "gpus=0.75", "probe.sleep", LONG);
	until_running(a);
	until_running(b);
	expect_shortage("gpus=0.5", "gpus=0.5: worker 0 has 2, of them 1.5 in use by ");
	end();
}
END_TEST

START_TEST(each_alternative_has_a_reason_of_its_own)
{
	boot("--workers", "cpus=4,licence=1,gpus=1 x1");
	char *a = detach("--needs", "licence=1,gpus=1", "probe.sleep", LONG);
	until_running(a);
	char *task = detach("--needs", "licence=1 | gpus=0.5", "probe.noop");
	until_says(
	    task, "way 1 of 2: licence=1: worker 0 has 1", "way 2 of 2: gpus=0.5: worker 0", a);
	end();
}
END_TEST

START_TEST(cpus_that_others_have_booked_are_short)
{
	char words[128];
	boot("--workers", "cpus=2,gpus=1 x1", "--memory", "1G");
	char *a = detach("--needs", "cpus=2,gpus=0.5,mem=600M", "probe.sleep", LONG);
	until_running(a);
	snprintf(
	    words, sizeof words, "is ready: cpus=1: worker 0 has 2, of them 2 in use by %s", a);
	expect_shortage("cpus=1", words);
	expect_shortage("cpus=1,gpus=0.5,mem=424M", words); /* of GPUs and memory enough is left */
	end();
}
END_TEST

START_TEST(slots_that_are_kept_for_it_are_counted)
{
	boot("--workers", "cpus=3 x1");
	char *a = detach("probe.sleep", LONG);
	until_running(a);
	char *task = detach("--needs", "cpus=3", "probe.noop");
	until_code(task, "kept");
	until_says(task,
	    "cpus of a worker are being kept for it: 2 of 3 are idle, others still "
	    "run",
	    a);
	end();
}
END_TEST

START_TEST(a_task_behind_a_large_task_names_the_large_task)
{
	boot("--workers", "cpus=4,licence=1 x1");
	char *a = detach("--needs", "cpus=2", "probe.sleep", LONG);
	until_running(a);
	char *large = detach("--needs", "cpus=3", "probe.noop");
	until_code(large, "kept");
	char *small = detach("--needs", "cpus=1,licence=1", "probe.noop");
	until_code(small, "turn");
	until_says(small, "another task, ", large, "gets the next free cpus first");
	end();
}
END_TEST

START_TEST(a_task_behind_a_large_task_without_a_cpu_names_the_large_task)
{
	boot("--workers", "cpus=2,licence=1 x1");
	char *a = detach("--needs", "cpus=1", "probe.sleep", LONG);
	until_running(a);
	char *large = detach("--needs", "cpus=2", "probe.noop");
	until_says(large, "is ready: cpus=2: worker 0 has 2, of them 1 in use by ", a);
	char *small = detach("--needs", "licence=1", "probe.noop");
	until_code(small, "turn");
	until_says(small, "another task, ", large, "gets the next free cpus first");
	end();
}
END_TEST

START_TEST(a_slot_that_is_booked_for_it_is_named)
{
	boot("--workers", "cpus=1,licence=1 x1");
	free(ctl_expect(&host, 0, "call", "probe.noop"));
	kill(member_pid("worker"),
	    SIGSTOP); /* the process is booked for the task, and does not start the task */
	char *task = detach("--needs", "licence=1", "probe.noop");
	until_code(task, "booked");
	until_says(task, "worker 0 (pid ", ") is reserved for it and is about to start it");
	end();
}
END_TEST

/* ---- damage ---- */

/* Writes a random state word with the right generation. */
static void scribble_word(struct record *r, uint64_t *seed)
{
	uint32_t state = 1 + (uint32_t)(random_next(seed) % (RECORD_STATES - 1));
	uint32_t generation = word_generation(sh_load(&r->state));
	uint32_t owner = (uint32_t)random_next(seed), attempt = (uint32_t)random_next(seed);
	sh_store(&r->state,
	    word_make(generation, owner, attempt, (enum record_state)state,
		(uint32_t)random_next(seed) & 0xff));
}

/* Writes random words everywhere but into the first word. */
static void scribble(void *memory, size_t bytes, uint64_t *seed)
{
	uint64_t *word = memory;
	for (size_t i = 1; i < bytes / sizeof *word; i++)
		if (random_next(seed) % 4 == 0)
			word[i] = random_next(seed) >> random_next(seed) % 64;
}

START_TEST(damaged_values_never_crash_it)
{
	plm_ref ref;
	uint64_t seed = RANDOM_SEED;
	char *refs[REFS];
	boot("--workers", "cpus=2,licence=1,gpus=1 x2", "--memory", "1G", MANY_SLOTS);
	for (int i = 0; i < REFS; i++)
		refs[i] = i % 2
		    ? detach("--needs", "cpus=2,licence=1 | gpus=1", "probe.sleep", LONG)
		    : detach("probe.sum", i ? refs[i - 1] : "1", "@@a longer argument");
	until_running(refs[1]);
	host_join();
	struct tables *t = plm_tables(client);
	kill(member_pid("scheduler"), SIGSTOP);
	for (uint32_t p = SLOT_FIRST_SHARED; p < t->limits.processes; p++)
		if (process_kind(sh_load(&t->process[p].state)) == KIND_WORKER)
			kill(t->process[p].pid, SIGSTOP);
	for (int round = 0; round < DAMAGES; round++) {
		ck_assert_int_eq(plm_ref_parse(refs[round % REFS], &ref), 0);
		scribble(&t->record[ref_index(ref.id)], sizeof(struct record), &seed);
		if (round % 3 == 0)
			scribble_word(&t->record[ref_index(ref.id)], &seed);
		scribble(t->terms, sizeof(struct terms) * 2, &seed);
		scribble(&t->process[t->limits.processes - 1 - (uint32_t)round % 4],
		    sizeof(struct process), &seed);
		scribble(t->task_heap.shm->entry, 4 * sizeof(struct heap_entry), &seed);
		for (int i = round % 4; i < REFS; i += 4) {
			struct output_of o = ctl(&host, "explain", "--json", refs[i]);
			/* 65: a further result, whose damaged record names no task */
			ck_assert_msg(o.code == 0 || o.code == 65,
			    "round %d, %s: exit code %d, signal %d: %s", round, refs[i], o.code,
			    o.signal, o.err);
			ck_assert_ptr_null(json_lines_check(o.out, o.out_bytes, &(unsigned){ 0 }));
			output_free(&o);
		}
	}
	sh_store(&t->record[ref_index(ref.id)].state,
	    word_make(ref_generation(ref.id), 0, 0, RECORD_PART, 0));
	t->record[ref_index(ref.id)].part.task = ref.id;
	until_code(refs[(DAMAGES - 1) % REFS], "damaged");
	end();
}
END_TEST

START_TEST(replicas_are_counted_and_one_says_that_it_waits_for_a_worker_of_its_own)
{
	boot("--workers", "2", "--policy", "static-fill", MANY_SLOTS);
	char *hog = detach("--needs", "cpus=1", "probe.sleep", LONG);
	until_running(hog);
	char *taker = detach("--replicas", "2", "probe.sleep", LONG);
	until_says(taker, "none of its 2 replicas is done: 1 run, 1 wait");
	char *ready = keep(ctl_expect(&host, 0, "tasks", "--quiet", "--state", "ready"));
	until_says(ready, "cpus=1", "of 2: each replica runs on workers of its own");
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		each_resource_that_is_short_says_who_has_it,
		what_is_free_of_two_gpus_is_no_larger_part_of_one,
		each_alternative_has_a_reason_of_its_own,
		cpus_that_others_have_booked_are_short,
		slots_that_are_kept_for_it_are_counted,
		a_task_behind_a_large_task_names_the_large_task,
		a_task_behind_a_large_task_without_a_cpu_names_the_large_task,
		a_slot_that_is_booked_for_it_is_named,
		replicas_are_counted_and_one_says_that_it_waits_for_a_worker_of_its_own,
		damaged_values_never_crash_it,
	};
	return run_explain("explain needs", tests, COUNT_OF(tests));
}
