/* fleet_trace.c - parts of a trace of the fleet: asked for by a user, given by hosts. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/amount_text.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"
#include "cli/fleet/fleet_cli.h"
#include "fleet/trace_order.h"

enum { ANSWER_MS = 10000, LOOK_MS = 200, PART_LIFE_MS = 30000, GIVE_S = 60 };

struct part_head { /* `pairs` pairs and the recording follow; of the same build on both sides */
	char version[16];
	char host[TRACE_HOST_BYTES], member[ENGINE_MEMBER_BYTES];
	int64_t offset_ns;
	uint64_t uncertain_ns, asked_ms, last_ms, pairs, recording_bytes;
	char trouble[FLEET_TROUBLE_BYTES];
};

/* ---- a host gives its part ---- */

static int trace_part_read(int fd, void *ret, size_t bytes)
{
	ssize_t n = read(fd, ret, bytes);
	return n == (ssize_t)bytes
	    ? 0
	    : why(-EINVAL, "stdin holds no request of a bridge: --for-fleet is what bridges run");
}

static int trace_part_read_order(int fd, struct trace_order *order, struct trace_pair **ret_pairs)
{
	int r = trace_part_read(fd, order, sizeof *order);
	if (r == 0 &&
	    (strncmp(order->version, PLM_VERSION, sizeof order->version) != 0 ||
		order->bytes != sizeof *order || order->pairs > TRACE_PAIRS_MOST))
		r = why(-EINVAL, "the request on stdin is of another version");
	if (r < 0)
		return r;
	*ret_pairs = calloc(order->pairs + 1, sizeof **ret_pairs);
	CHECK(*ret_pairs);
	return trace_part_read(fd, *ret_pairs, order->pairs * sizeof **ret_pairs);
}

static int trace_part_send(struct context *context, const struct trace_order *order,
    const struct part_head *head, const struct trace_pair *pairs, const void *recording)
{
	size_t pair_bytes = head->pairs * sizeof *pairs;
	char *part = malloc(sizeof *head + pair_bytes + head->recording_bytes);
	CHECK(part);
	memcpy(part, head, sizeof *head);
	memcpy(part + sizeof *head, pairs, pair_bytes);
	memcpy(part + sizeof *head + pair_bytes, recording ? recording : "", head->recording_bytes);
	int r = engine_trace_give(context->engine, order->token, part,
	    sizeof *head + pair_bytes + head->recording_bytes, PART_LIFE_MS);
	free(part);
	return r;
}

static int trace_part_make(struct context *context, const struct trace_order *order,
    const struct trace_pair *pairs, fleet_record_f *record)
{
	struct part_head head = {
		.version = PLM_VERSION, .asked_ms = order->last_ms, .last_ms = order->last_ms
	};
	struct engine_clock clock;
	void *recording = NULL;
	size_t bytes = 0;
	memcpy(head.host, order->host, sizeof head.host);
	memcpy(head.member, order->member, sizeof head.member);
	int r = engine_clock(context->engine, &clock);
	if (r < 0)
		return r;
	head.offset_ns = clock.offset_ns;
	head.uncertain_ns = clock.uncertain_ns;
	if (record(context, &head.last_ms, ENGINE_VALUE_MOST, &recording, &bytes) < 0)
		snprintf(head.trouble, sizeof head.trouble, "%.255s", why_text());
	else
		head.pairs = order->pairs;
	head.recording_bytes = bytes;
	r = trace_part_send(context, order, &head, pairs, recording);
	free(recording);
	return r;
}

int fleet_part_give(struct context *context, int fd, fleet_record_f *record)
{
	static struct trace_order order;
	struct trace_pair *pairs = NULL;
	alarm(GIVE_S); /* whatever happens, the bridge gets rid of this process */
	int r = trace_part_read_order(fd, &order, &pairs);
	if (r == 0)
		r = engine_open(&context->engine, &order.url, ANSWER_MS);
	if (r == 0)
		r = trace_part_make(context, &order, pairs, record);
	free(pairs);
	return r < 0 ? failed(r, "a part of a trace of the fleet") : EXIT_FINE;
}

/* ---- a user takes them ---- */

struct part_host {
	char name[TRACE_HOST_BYTES], member[ENGINE_MEMBER_BYTES];
	uint64_t seen_ms;
	bool lost, answered;
};

struct part_hosts {
	struct part_host *host;
	size_t n, room, silent;
	uint64_t last_ms;
};

/* A host that was lost within the time of the trace has had tasks, too. */
static void trace_parts_add_host(void *argument, const struct engine_host *host)
{
	struct part_hosts *all = argument;
	bool up = strcmp(host->state, "up") == 0, lost = strcmp(host->state, "lost") == 0;
	if (!up && !(lost && (all->last_ms == 0 || host->seen_ms <= all->last_ms)))
		return;
	if (all->n == all->room) {
		all->room = all->room ? 2 * all->room : 16;
		all->host = realloc(all->host, all->room * sizeof *all->host);
		CHECK(all->host);
	}
	struct part_host *to = &all->host[all->n++];
	*to = (struct part_host){ .seen_ms = host->seen_ms, .lost = lost };
	snprintf(to->name, sizeof to->name, "%s", host->name);
	snprintf(to->member, sizeof to->member, "%s", host->member);
	all->silent += up;
}

/* A host that joined after the question is welcome, too. */
static void trace_parts_note_answer(struct part_hosts *all, const char *member)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->host[i].member, member) == 0 && !all->host[i].answered) {
			all->host[i].answered = true;
			all->silent -= !all->host[i].lost;
		}
}

static bool trace_parts_fits(const struct part_head *head, size_t bytes)
{
	return bytes >= sizeof *head &&
	    strncmp(head->version, PLM_VERSION, sizeof head->version) == 0 &&
	    head->pairs <= TRACE_PAIRS_MOST && head->recording_bytes <= ENGINE_VALUE_MOST &&
	    bytes == sizeof *head + head->pairs * sizeof(struct trace_pair) + head->recording_bytes;
}

/* Bytes that are no part are left alone: their host has not answered. */
static int trace_parts_read(
    struct part_hosts *all, const char *data, size_t bytes, fleet_part_f *take, void *argument)
{
	struct part_head head = { .pairs = UINT64_MAX };
	memcpy(&head, data, bytes < sizeof head ? bytes : sizeof head);
	if (!trace_parts_fits(&head, bytes))
		return 0;
	struct fleet_part part = { .offset_ns = head.offset_ns,
		.uncertain_ns = head.uncertain_ns,
		.asked_ms = head.asked_ms,
		.last_ms = head.last_ms,
		.pairs = head.pairs,
		.recording = data + sizeof head + head.pairs * sizeof(struct trace_pair),
		.bytes = head.recording_bytes };
	snprintf(part.host, sizeof part.host, "%.99s", head.host);
	snprintf(part.member, sizeof part.member, "%.23s", head.member);
	snprintf(part.trouble, sizeof part.trouble, "%.255s", head.trouble);
	part.pair = calloc(part.pairs + 1, sizeof *part.pair);
	CHECK(part.pair);
	for (size_t i = 0; i < part.pairs; i++) {
		struct trace_pair pair;
		memcpy(&pair, data + sizeof head + i * sizeof pair, sizeof pair);
		part.pair[i] = (struct fleet_pair){ pair.id, pair.ref };
	}
	trace_parts_note_answer(all, part.member);
	return take(argument, &part);
}

static int trace_parts_collect(struct context *context, struct part_hosts *all, const char *token,
    fleet_part_f *take, void *argument)
{
	uint64_t patience_ms =
	    context->timeout_ms >= 0 ? (uint64_t)context->timeout_ms : (uint64_t)ANSWER_MS;
	uint64_t end_ns = clock_ns() + patience_ms * NS_PER_MS;
	int r = 0;
	while (all->silent && r >= 0 && clock_ns() < end_ns) {
		const void *data;
		size_t bytes;
		r = engine_trace_take(context->engine, token, LOOK_MS, &data, &bytes);
		if (r > 0)
			r = trace_parts_read(all, data, bytes, take, argument);
	}
	return r < 0 ? r : 0;
}

static unsigned trace_parts_say_missing(const struct part_hosts *all)
{
	unsigned missing = 0;
	char seen[32];
	for (size_t i = 0; i < all->n; i++) {
		const struct part_host *host = &all->host[i];
		if (host->answered)
			continue;
		missing++;
		ms_print(host->seen_ms, seen, sizeof seen);
		if (host->lost)
			fprintf(stderr,
			    "plmctl: trace: host %s is lost, last seen %s ago: what it ran is "
			    "missing\n",
			    host->name, seen);
		else
			fprintf(stderr,
			    "plmctl: trace: host %s did not answer in time: what it ran is "
			    "missing (its log says why; --timeout SECONDS waits longer)\n",
			    host->name);
	}
	return missing;
}

int fleet_parts(struct context *context, uint64_t last_ms, fleet_part_f *take, void *argument,
    unsigned *ret_missing)
{
	struct part_hosts all = { .last_ms = last_ms };
	uint64_t number;
	char token[ENGINE_MEMBER_BYTES], request[64];
	int code = fleet_open(context);
	if (code != EXIT_FINE)
		return code;
	if (getrandom(&number, sizeof number, 0) != sizeof number)
		return failed(-errno, "a random number");
	snprintf(token, sizeof token, "%016llx", (unsigned long long)number);
	snprintf(request, sizeof request, "%s %llu", token, (unsigned long long)last_ms);
	int r = engine_hosts(context->engine, trace_parts_add_host, &all);
	if (r >= 0)
		r = engine_trace_ask(context->engine, request);
	if (r >= 0)
		r = trace_parts_collect(context, &all, token, take, argument);
	if (r >= 0)
		*ret_missing = trace_parts_say_missing(&all);
	free(all.host);
	return r < 0 ? failed(r, "trace") : EXIT_FINE;
}

plm_ref fleet_ref(const struct context *context, uint64_t id)
{
	return engine_ref(context->engine, id);
}

static void trace_edges_of_row(
    const struct context *context, const struct engine_row *row, fleet_edge_f *edge, void *argument)
{
	char *end;
	for (const char *at = row->after; *at; at = end) {
		uint64_t id = strtoull(at, &end, 10);
		if (end == at)
			end++;
		else
			edge(argument, fleet_ref(context, id), fleet_ref(context, row->id));
	}
}

static int trace_edges_by_number(const void *one, const void *two)
{
	const uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)two;
	return (a > b) - (a < b);
}

/* A page of the list holds tasks with neighbouring numbers; pages without a task of ours are not
 * asked for. */
int fleet_edges(
    struct context *context, const plm_ref *refs, size_t n, fleet_edge_f *edge, void *argument)
{
	static struct engine_row row[FLEET_PAGE];
	uint64_t *id = calloc(n + 1, sizeof *id), next = 0;
	int rows = 0;
	CHECK(id);
	for (size_t i = 0; i < n; i++)
		engine_id(context->engine, refs[i], &id[i]);
	qsort(id, n, sizeof *id, trace_edges_by_number);
	for (size_t i = 0; i < n && rows >= 0; i++) {
		uint64_t from = id[i];
		if (from < next)
			continue;
		next = from + FLEET_PAGE;
		rows = engine_list(context->engine, &from, row, FLEET_PAGE);
		for (int j = 0; j < rows; j++)
			trace_edges_of_row(context, &row[j], edge, argument);
	}
	free(id);
	return rows < 0 ? rows : 0;
}
