/* fleet_wait.c - the ends of tasks: wait, get, logs, and how a failure is told. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"
#include "cli/fleet/fleet_cli.h"
#include "cli/result.h"
#include "cli/spool.h"
#include "fleet/far.h"

enum { LOOK_AGAIN_MS = 2000, TOLD_MOST = 4096, PAUSE_MS = 200 };

/* ---- awaiting ---- */

struct fleet_awaited {
	struct context *context;
	const uint64_t *ids;
	uint32_t *order; /* by id, so that what is told is found */
	bool *over;
	size_t n, left;
	fleet_ended_f *ended;
	void *argument;
	bool enough;
};

static const uint64_t *fleet_wait_sorted; /* for the comparison below */

static int fleet_wait_compare(const void *a, const void *b)
{
	uint64_t x = fleet_wait_sorted[*(const uint32_t *)a],
		 y = fleet_wait_sorted[*(const uint32_t *)b];
	return (x > y) - (x < y);
}

static void fleet_wait_end(struct fleet_awaited *a, size_t i, enum engine_state state)
{
	if (a->over[i])
		return;
	a->over[i] = true;
	a->left--;
	a->enough |= a->ended(a->argument, i, state);
}

/* Asks for the states of all tasks that are not known to have ended. */
static int fleet_wait_look(struct fleet_awaited *a)
{
	uint64_t ids[FLEET_PAGE];
	size_t at[FLEET_PAGE], n = 0;
	enum engine_state state[FLEET_PAGE];
	int r = 0;
	for (size_t i = 0; i < a->n && r == 0; i++) {
		if (!a->over[i]) {
			at[n] = i;
			ids[n++] = a->ids[i];
		}
		if (n < FLEET_PAGE && (i + 1 < a->n || n == 0))
			continue;
		r = engine_watch(a->context->engine, ids, n, state);
		for (size_t j = 0; j < n && r == 0; j++)
			if (engine_settled(state[j]))
				fleet_wait_end(a, at[j], state[j]);
		n = 0;
	}
	return r;
}

/* Ends the waits for the task; ids of others are ignored. */
static void fleet_wait_found(struct fleet_awaited *a, uint64_t id, enum engine_state state)
{
	size_t low = 0, high = a->n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (a->ids[a->order[middle]] < id)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < a->n && a->ids[a->order[low]] == id; low++)
		if (engine_settled(state))
			fleet_wait_end(a, a->order[low], state);
}

/* Tasks were told to have ended. A value says that the task is done; else the state is asked for.
 */
static int fleet_wait_hear(struct fleet_awaited *a, const struct engine_news *told, size_t n)
{
	uint64_t ids[FLEET_PAGE];
	enum engine_state state[FLEET_PAGE];
	size_t m = 0;
	for (size_t i = 0; i < n; i++) {
		if (told[i].value)
			fleet_wait_found(a, told[i].id, ENGINE_DONE);
		else
			ids[m++] = told[i].id;
		if (m < FLEET_PAGE && (i + 1 < n || m == 0))
			continue;
		int r = engine_watch(a->context->engine, ids, m, state);
		if (r < 0)
			return r;
		for (size_t k = 0; k < m; k++)
			fleet_wait_found(a, ids[k], state[k]);
		m = 0;
	}
	return 0;
}

/* The engine may be away for a while: the wait goes on when it is back. */
static int fleet_wait_come_back(struct fleet_awaited *a, uint64_t deadline_ns, bool *told)
{
	if (!*told)
		fprintf(stderr, "plmctl: %s; waiting for it to come back\n", plm_why());
	*told = true;
	for (;;) {
		int r = engine_reopen(a->context->engine);
		if (r == 0)
			r = fleet_wait_look(a);
		if (r != -ENOTCONN)
			return r;
		if (clock_ns() >= deadline_ns)
			return -ETIMEDOUT;
		const struct timespec pause = { .tv_nsec = PAUSE_MS * (long)NS_PER_MS };
		if (nanosleep(&pause, NULL) < 0)
			return -EINTR;
	}
}

static int fleet_wait_loop(struct fleet_awaited *a, uint64_t deadline_ns)
{
	static struct engine_news told[TOLD_MOST];
	bool away = false;
	int r = fleet_wait_look(a);
	for (;;) {
		if (r == -ENOTCONN)
			r = fleet_wait_come_back(a, deadline_ns, &away);
		if (r < 0 || a->left == 0 || a->enough)
			return r;
		int left_ms = milliseconds_left(deadline_ns);
		if (left_ms == 0)
			return -ETIMEDOUT;
		int n = engine_told(a->context->engine,
		    left_ms < 0 || left_ms > LOOK_AGAIN_MS ? LOOK_AGAIN_MS : left_ms, told,
		    TOLD_MOST);
		r = n < 0 ? n
		    : n   ? fleet_wait_hear(a, told, (size_t)n)
			  : fleet_wait_look(a); /* a message may have been lost */
	}
}

int fleet_await(
    struct context *context, const uint64_t *ids, size_t n, fleet_ended_f *ended, void *argument)
{
	struct fleet_awaited a = { .context = context,
		.ids = ids,
		.order = calloc(n + 1, sizeof *a.order),
		.over = calloc(n + 1, sizeof *a.over),
		.n = n,
		.left = n,
		.ended = ended,
		.argument = argument };
	int r = a.order && a.over ? 0 : why(-ENOMEM, "out of memory");
	for (size_t i = 0; i < n && r == 0; i++)
		a.order[i] = (uint32_t)i;
	fleet_wait_sorted = ids;
	if (r == 0 && n > 1)
		qsort(a.order, n, sizeof *a.order, fleet_wait_compare);
	if (r == 0 && !engine_token(context->engine)[0])
		r = engine_watch_open(context->engine);
	if (r == 0 && n)
		r = fleet_wait_loop(&a, deadline_of(context));
	free(a.order);
	free(a.over);
	return r == -ETIMEDOUT ? why(r, "time ran out with %zu tasks left", a.left) : r;
}

/* ---- wait ---- */

struct fleet_waited {
	struct context *context;
	const struct selection *s;
	bool any;
	size_t bad;
};

struct fleet_end { /* a row */
	plm_ref ref;
	const char *state;
};

static void fleet_wait_state(struct output *out, const void *row)
{
	const char *state = ((const struct fleet_end *)row)->state;
	cell_tinted(out, state, strcmp(state, "done") == 0 ? TINT_GOOD : TINT_BAD);
}

static const struct column wait_columns[] = {
	{ "REF", "ref", -24, PLAIN(struct fleet_end, ref) },
	{ "STATE", "state", -9, .cell = fleet_wait_state },
};

static bool fleet_wait_print(void *argument, size_t i, enum engine_state state)
{
	struct fleet_waited *w = argument;
	w->bad += state != ENGINE_DONE;
	const struct fleet_end row = { w->s->ref[i],
		state == ENGINE_NONE ? "gone" : engine_state_name(state) };
	table_row(&w->context->out, &row);
	return w->any;
}

static bool fleet_wait_count(void *argument, size_t i, enum engine_state state)
{
	(void)i;
	((struct fleet_waited *)argument)->bad += state != ENGINE_DONE;
	return false;
}

static int fleet_wait_for(struct context *context, const struct selection *s, fleet_ended_f *ended,
    struct fleet_waited *w)
{
	uint64_t *ids = calloc(s->n + 1, sizeof *ids);
	int code = ids ? EXIT_FINE : failed(-ENOMEM, "wait");
	for (size_t i = 0; i < s->n && code == EXIT_FINE; i++)
		code = fleet_id(context, s->ref[i], &ids[i]);
	int r = code == EXIT_FINE ? fleet_await(context, ids, s->n, ended, w) : 0;
	free(ids);
	return r < 0 ? failed(r, "waiting") : code;
}

int fleet_await_all(struct context *context, const struct selection *s)
{
	struct fleet_waited w = { context, s, false, 0 };
	int code = fleet_wait_for(context, s, fleet_wait_count, &w);
	if (code != EXIT_FINE)
		return code;
	if (!context->quiet)
		fprintf(stderr, "plmctl: %zu tasks ended, %zu did not succeed\n", s->n, w.bad);
	return w.bad > EXIT_COUNT_MAX ? EXIT_COUNT_MAX + 1 : (int)w.bad;
}

int fleet_wait(struct context *context, const struct selection *s, bool any, bool no_fail)
{
	struct fleet_waited w = { context, s, any, 0 };
	table_begin(&context->out, wait_columns, COUNT_OF(wait_columns));
	int code = fleet_wait_for(context, s, fleet_wait_print, &w);
	if (code != EXIT_FINE || no_fail)
		return code;
	return w.bad > EXIT_COUNT_MAX ? EXIT_COUNT_MAX + 1 : (int)w.bad;
}

/* ---- the end of one task ---- */

struct fleet_failure { /* a row */
	plm_ref ref;
	const char *state, *message;
	int32_t code, signal;
};

static const struct column failure_columns[] = {
	{ "REF", "ref", -1, PLAIN(struct fleet_failure, ref) },
	{ "STATE", "state", -1, PLAIN(struct fleet_failure, state) },
	{ "CODE", "code", 0, PLAIN(struct fleet_failure, code) },
	{ "SIGNAL", "signal", 0, PLAIN(struct fleet_failure, signal) },
	{ "MESSAGE", "message", -1, PLAIN(struct fleet_failure, message) },
};

bool fleet_ended_itself(const struct engine_result *result)
{
	static const char by_exit[] = PLM_COMMAND_SAYS_EXIT, by_signal[] = PLM_COMMAND_SAYS_SIGNAL;
	return strncmp(result->message, by_exit, sizeof by_exit - 1) == 0 ||
	    strncmp(result->message, by_signal, sizeof by_signal - 1) == 0;
}

int fleet_say_failure(struct context *context, plm_ref ref, const struct engine_result *result)
{
	char text[PLM_REF_TEXT_BYTES];
	bool cancelled = result->state == ENGINE_CANCELLED;
	const struct fleet_failure row = { ref, engine_state_name(result->state), result->message,
		result->code, result->signal };
	plm_ref_print(ref, text);
	if (context->json) {
		table_begin(&context->out, failure_columns, COUNT_OF(failure_columns));
		table_row(&context->out, &row);
	}
	if (cancelled) {
		fprintf(stderr, "plmctl: task %s was cancelled\n", text);
		return EXIT_CANCELLED;
	}
	fprintf(stderr, "plmctl: task %s failed: %s", text, result->message);
	if (fleet_ended_itself(result))
		putc('\n', stderr); /* the message has the code */
	else
		fprintf(stderr, " (code %d)\n", result->code);
	if (result->code == ETIMEDOUT)
		return EXIT_TIMED_OUT;
	return result->signal > 0 && result->signal < EXIT_SIGNAL ? EXIT_SIGNAL + result->signal
								  : EXIT_TASK_FAILED;
}

static bool fleet_wait_note(void *argument, size_t i, enum engine_state state)
{
	(void)i;
	*(enum engine_state *)argument = state;
	return true;
}

/* A file without a name is the memory of a large value. */
static void *fleet_wait_memory(uint64_t bytes)
{
	int fd = spool_open(spool_directory());
	void *memory = MAP_FAILED;
	if (fd >= 0 && posix_fallocate(fd, 0, (off_t)bytes) == 0)
		memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

static int fleet_wait_place(void *engine, const struct engine_far *far, struct carry_order *ret)
{
	return engine_place(engine, far, ret);
}

static int fleet_wait_remake(void *engine, uint64_t id, const struct engine_far *far)
{
	return engine_remake(engine, id, far);
}

static int fleet_wait_fetch(struct context *context, uint64_t id, struct engine_result *result)
{
	const struct engine_far far = result->far;
	void *memory = fleet_wait_memory(far.bytes);
	if (!memory)
		return why(-ENOSPC,
		    "no room for a value of %llu bytes in %s: $TMPDIR names another place",
		    (unsigned long long)far.bytes, spool_directory());
	const struct far_ways ways = { fleet_wait_place, fleet_wait_remake, context->engine };
	int r = far_fetch(&ways, id, &far, memory);
	if (r == 0) /* the questions about the place took the place of the texts */
		r = engine_result(context->engine, id, result);
	result->far = far;
	result->value = memory;
	result->value_bytes = far.bytes;
	if (r < 0)
		fleet_result_free(result);
	return r;
}

void fleet_result_free(struct engine_result *result)
{
	if (result->far.ref.id && result->value)
		munmap((void *)(uintptr_t)result->value, result->far.bytes);
	result->value = NULL;
}

int fleet_result(struct context *context, uint64_t id, bool await, struct engine_result *ret)
{
	uint64_t task = engine_task_id(id);
	enum engine_state state;
	int r;
	do {
		r = await ? fleet_await(context, &task, 1, fleet_wait_note, &state) : 0;
		if (r == 0)
			r = engine_result(context->engine, id, ret);
		if (r == 0 && ret->far.ref.id)
			r = fleet_wait_fetch(context, id, ret);
	} while (r == -EAGAIN && await);
	return r;
}

/* Waits for one task and reads its result. */
static int fleet_wait_result(
    struct context *context, plm_ref ref, bool await, struct engine_result *ret)
{
	uint64_t id;
	int code = fleet_open(context);
	if (code == EXIT_FINE)
		code = fleet_value_id(context, ref, &id);
	if (code != EXIT_FINE)
		return code;
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(ref, text);
	int r = fleet_result(context, id, await, ret);
	return r < 0 ? failed(r, text) : EXIT_FINE;
}

/* The file is opened after the task: a failed task must not destroy an older file. */
static int fleet_wait_into_file(const plm_view *view, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0) {
		fprintf(stderr, "plmctl: %s: %s\n", path, strerror(errno));
		return EXIT_OURS;
	}
	int code = write_value(view, fd, path);
	if (close(fd) < 0 && code == EXIT_FINE) {
		fprintf(stderr, "plmctl: writing %s: %s\n", path, strerror(errno));
		return EXIT_OURS;
	}
	return code;
}

int fleet_get(struct context *context, plm_ref ref, const char *path)
{
	struct engine_result result;
	int code = fleet_wait_result(context, ref, true, &result);
	if (code != EXIT_FINE)
		return code;
	if (result.state != ENGINE_DONE)
		return fleet_say_failure(context, ref, &result);
	const plm_view view = { .data = result.value, .len = result.value_bytes };
	return path ? fleet_wait_into_file(&view, path) : print_value(context, ref, &view);
}

int fleet_logs(struct context *context, plm_ref ref, int stream, bool follow)
{
	struct engine_result result;
	struct fleet_followed followed = { .attempt = 0 };
	int code = follow ? fleet_follow(context, ref, stream, &followed) : EXIT_FINE;
	if (code == EXIT_FINE)
		code = fleet_wait_result(context, ref, false, &result);
	if (code != EXIT_FINE)
		return code;
	if (!engine_settled(result.state))
		fprintf(stderr,
		    "plmctl: the task is %s; --follow shows its output before its end\n",
		    engine_state_name(result.state));
	bool out = stream == STDOUT_FILENO;
	plm_view view = { .data = out ? result.value : result.error_output,
		.len = out ? result.value_bytes : result.error_bytes };
	fleet_follow_rest(&followed, &result, out, &view);
	return view.len ? print_log(context, ref, stream, result.attempt, &view) : EXIT_FINE;
}
