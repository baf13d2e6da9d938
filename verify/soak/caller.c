/* caller.c - a client that calls plmctl. The client submits commands as tasks, and waits for
 * them or detaches and asks later. The same program is also the submitted command. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/ctl_command.h"
#include "verify/soak/bytes.h"
#include "verify/soak/client.h"
#include "tests/support/run_suite.h"

enum { BUSY_MS = 30, OUTPUT_BITS = 16, NUMBER_BYTES = 24, STURDY = 100, CODE = 7, NUMBERS = 5 };

struct caller {
	const struct attendance *a;
	int history;
	uint32_t count;
	uint64_t random;
};

static void caller_tell(struct caller *c, struct note event)
{
	event.life = c->a->life;
	if (history_write(c->history, event) == 0)
		return;
	perror("soak: a caller's history");
	_exit(1);
}

/* ---- the command ---- */

int command_run(char *const *arguments)
{
	const char *directory = getenv("SOAK_HISTORY");
	uint64_t number[NUMBERS];
	for (int i = 0; i < NUMBERS; i++)
		number[i] = arguments[i] ? strtoull(arguments[i], NULL, 10) : 0;
	int code = (int)number[3], history = directory ? history_open(directory, "command") : -1;
	struct note event = { .deed = DEED_BEGUN, .task = number[0] };
	char *output = malloc(number[2]);
	if (!output || history < 0 || history_write(history, event) < 0)
		return EXIT_OURS;
	struct timespec busy = { .tv_nsec = (long)(number[4] * NS_PER_MS) };
	nanosleep(&busy, NULL); /* the command's work */
	bytes_fill(output, number[2], number[1]);
	for (uint64_t done = 0; done < number[2];) {
		ssize_t n = write(STDOUT_FILENO, output + done, number[2] - done);
		if (n < 0 && errno != EINTR)
			return EXIT_OURS;
		done += n > 0 ? (uint64_t)n : 0;
	}
	event.deed = DEED_ENDED;
	event.code = code;
	return history_write(history, event) < 0 ? EXIT_OURS : code;
}

/* ---- submitting a command ---- */

struct request {
	char number[NUMBERS][NUMBER_BYTES]; /* TASK SEED LENGTH CODE MS */
	struct note asked;
};

static struct request caller_request(struct caller *c)
{
	struct request q = { .asked = { .deed = DEED_ASKED, .work = WORK_COMMAND } };
	uint64_t seed = random_next(&c->random), length = random_size(&c->random, OUTPUT_BITS);
	q.asked.task = task_number(c->a->life, ++c->count);
	char *output = malloc(length);
	if (!output)
		_exit(1);
	bytes_fill(output, length, seed);
	q.asked.value = bytes_digest(output, length);
	free(output);
	snprintf(q.number[0], NUMBER_BYTES, "%" PRIu64, q.asked.task);
	snprintf(q.number[1], NUMBER_BYTES, "%" PRIu64, seed);
	snprintf(q.number[2], NUMBER_BYTES, "%" PRIu64, length);
	snprintf(q.number[4], NUMBER_BYTES, "%" PRIu64, (random_next(&c->random) >> 8) % BUSY_MS);
	return q;
}

/* The exit codes of docs/shell.md: 128 plus a signal, or the command's own; plmctl's start at
 * 64. */
static struct note caller_seen(uint64_t task, const struct output_of *o)
{
	struct note e = { .deed = DEED_SEEN, .task = task };
	if (o->code == EXIT_FINE) {
		e.value = bytes_digest(o->out, o->out_bytes);
	} else if (o->code == EXIT_NO_RUNTIME) {
		e.outcome = OUTCOME_UNSURE;
	} else if (o->code == EXIT_DATA) {
		e.outcome = OUTCOME_GONE;
	} else if (o->code == EXIT_TASK_FAILED || o->code == EXIT_SIGNAL + SIGKILL) {
		e.outcome = OUTCOME_FAILED;
		e.code = EOWNERDEAD;
		e.signal = SIGKILL;
	} else {
		e.outcome = OUTCOME_FAILED;
		e.code = o->code;
		if (o->code != CODE)
			fprintf(stderr, "plmctl ended with %d: %s", o->code, o->err);
	}
	return e;
}

static struct note caller_refusal(uint64_t task, const struct output_of *o)
{
	return (struct note){ .deed = DEED_REFUSED,
		.task = task,
		.code = o->code == EXIT_NO_RUNTIME ? EHOSTDOWN
		    : o->code == EXIT_FULL         ? ENOSPC
						   : o->code };
}

static struct output_of caller_submit(struct caller *c, struct request *q, const char *how)
{
	char retries[NUMBER_BYTES], crash_retries[NUMBER_BYTES];
	snprintf(retries, sizeof retries, "%u", q->asked.retries);
	snprintf(crash_retries, sizeof crash_retries, "%u", q->asked.crash_retries);
	snprintf(q->number[3], NUMBER_BYTES, "%d", q->asked.code);
	const char *const words[] = { "submit", "--retries", retries, "--crash-retries",
		crash_retries, how, c->a->program, "--command", q->number[0], q->number[1],
		q->number[2], q->number[3], q->number[4], NULL };
	caller_tell(c, q->asked);
	return program_run(c->a->rt, "plmctl", words, NULL, 0);
}

static void call_and_wait(struct caller *c)
{
	struct request q = caller_request(c);
	switch (random_next(&c->random) >> 8 & 3) {
	case 0: /* alone on earth */ break;
	case 1:
		q.asked.code = CODE;
		q.asked.retries = (uint16_t)(random_next(&c->random) >> 8 & 1);
		q.asked.crash_retries = STURDY;
		break;
	default: q.asked.retries = q.asked.crash_retries = STURDY; break;
	}
	struct output_of o = caller_submit(c, &q, "--");
	if (o.code == EXIT_NO_RUNTIME || o.code == EXIT_FULL) {
		caller_tell(c, caller_refusal(q.asked.task, &o));
	} else {
		caller_tell(c, (struct note){ .deed = DEED_ACCEPTED, .task = q.asked.task });
		caller_tell(c, caller_seen(q.asked.task, &o));
	}
	output_free(&o);
}

/* Any process that knows the reference may ask later, even after this client has died. */
static void call_and_ask_later(struct caller *c)
{
	struct request q = caller_request(c);
	q.asked.retries = q.asked.crash_retries = STURDY;
	q.asked.flags = ASKED_KEPT;
	struct output_of o = caller_submit(c, &q, "--detach");
	plm_ref ref;
	o.out[strcspn(o.out, "\n")] = 0;
	if (o.code != EXIT_FINE || plm_ref_parse(o.out, &ref) < 0) {
		caller_tell(c, caller_refusal(q.asked.task, &o));
		output_free(&o);
		return;
	}
	caller_tell(c,
	    (struct note){ .deed = DEED_ACCEPTED,
		.task = q.asked.task,
		.ref = ref.id,
		.input = { ref.runtime } });
	struct output_of got;
	while ((got = ctl(c->a->rt, "get", o.out)).code == EXIT_NO_RUNTIME)
		output_free(&got);
	caller_tell(c, caller_seen(q.asked.task, &got));
	output_free(&got);
	caller_tell(c, (struct note){ .deed = DEED_DROPS, .task = q.asked.task });
	while ((got = ctl(c->a->rt, "drop", o.out)).code == EXIT_NO_RUNTIME)
		output_free(&got);
	output_free(&got);
	output_free(&o);
}

_Noreturn void caller_run(const struct attendance *a)
{
	struct caller c = { .a = a, .random = a->random };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	c.history = history_open(a->history, "caller");
	while (c.history >= 0 && !atomic_load(&a->meeting->over))
		if (random_next(&c.random) >> 8 & 3)
			call_and_wait(&c);
		else
			call_and_ask_later(&c);
	caller_tell(&c, (struct note){ .deed = DEED_LEFT });
	_exit(0);
}
