/* fleet_follow.c - logs --follow: the output of a command that runs on some host, as it comes.
 *
 * plmctl asks the host for each piece, through the engine, and the rest comes with the result. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/why.h"
#include "cli/fleet/fleet_cli.h"
#include "cli/result.h"

enum { LOOK_AGAIN_MS = 200, ANSWER_MS = 1000, NEWS_MOST = 16 };

struct follow {
	struct context *context;
	plm_ref ref;
	uint64_t id, deadline_ns;
	int stream;
	bool more, away; /* more: the last piece was full */
	struct fleet_followed *to;
};

/* An attempt begins with empty output. */
static void follow_see_attempt(struct follow *f, unsigned attempt)
{
	if (f->to->attempt == attempt)
		return;
	if (f->to->attempt)
		fprintf(stderr, "plmctl: attempt %u\n", attempt);
	*f->to = (struct fleet_followed){ .attempt = attempt };
}

/* False: a late answer to an earlier question, about another place or attempt. */
static bool follow_emit(struct follow *f, const char *piece, size_t bytes, int *ret_code)
{
	char head[64];
	unsigned attempt;
	uint64_t from;
	const char *end = memchr(piece, '\n', bytes);
	if (!end || (size_t)(end - piece) >= sizeof head)
		return false;
	snprintf(head, sizeof head, "%.*s", (int)(end - piece), piece);
	if (sscanf(head, "%u %" SCNu64, &attempt, &from) != 2 || attempt != f->to->attempt ||
	    from != f->to->shown)
		return false;
	const plm_view view = { .data = end + 1, .len = bytes - (size_t)(end + 1 - piece) };
	f->to->shown += view.len;
	f->more = view.len == ENGINE_PIECE_MOST;
	if (view.len)
		*ret_code = print_log(f->context, f->ref, f->stream, attempt, &view);
	return true;
}

/* Asks for a piece and shows it. 1: the command has ended; 0; or -errno with a why. */
static int follow_ask(struct follow *f, int *ret_code)
{
	struct engine *e = f->context->engine;
	struct engine_followed now;
	const void *piece;
	size_t bytes;
	f->more = false;
	int r = engine_follow(e, f->id, engine_token(e), f->stream, f->to->shown, &now);
	if (r < 0)
		return r;
	if (now.state != ENGINE_RUNNING)
		return engine_settled(now.state);
	f->more = now.attempt != f->to->attempt && f->to->shown; /* the wrong place was asked for */
	follow_see_attempt(f, now.attempt);
	if (f->more)
		return 0;
	do
		r = engine_trace_take(e, engine_token(e), ANSWER_MS, &piece, &bytes);
	while (r == 1 && !follow_emit(f, piece, bytes, ret_code));
	return r < 0 ? r : 0;
}

/* Waits a moment; the end of the command ends the wait. */
static int follow_pause(struct follow *f)
{
	struct engine_news news[NEWS_MOST];
	int left_ms = milliseconds_left(f->deadline_ns);
	if (left_ms == 0)
		return why(-ETIMEDOUT, "--timeout ran out");
	int r = engine_told(f->context->engine,
	    left_ms < 0 || left_ms > LOOK_AGAIN_MS ? LOOK_AGAIN_MS : left_ms, news, NEWS_MOST);
	return r < 0 ? r : 0;
}

/* The engine may be away for a while. The end of the command is to be told on a new connection. */
static int follow_come_back(struct follow *f)
{
	const struct timespec pause = { .tv_nsec = LOOK_AGAIN_MS * (long)NS_PER_MS };
	enum engine_state state;
	if (!f->away)
		fprintf(stderr, "plmctl: %s; waiting for it to come back\n", plm_why());
	f->away = true;
	for (;;) {
		int r = engine_reopen(f->context->engine);
		if (r == 0)
			r = engine_watch(f->context->engine, &f->id, 1, &state);
		if (r != -ENOTCONN)
			return r;
		if (milliseconds_left(f->deadline_ns) == 0)
			return why(-ETIMEDOUT, "--timeout ran out");
		nanosleep(&pause, NULL);
	}
}

static int follow_loop(struct follow *f)
{
	enum engine_state state;
	int code = EXIT_FINE;
	int r = engine_watch(f->context->engine, &f->id, 1, &state);
	for (;;) {
		if (r == -ENOTCONN)
			r = follow_come_back(f);
		if (r == 0)
			r = follow_ask(f, &code);
		if (r > 0 || code != EXIT_FINE)
			return code;
		if (r == 0 && !f->more)
			r = follow_pause(f);
		if (r < 0 && r != -ENOTCONN)
			return failed(r, "logs");
	}
}

int fleet_follow(struct context *context, plm_ref ref, int stream, struct fleet_followed *ret)
{
	struct follow f = { .context = context,
		.ref = ref,
		.stream = stream,
		.deadline_ns = deadline_of(context),
		.to = ret };
	int code = fleet_open(context);
	if (code == EXIT_FINE)
		code = fleet_id(context, ref, &f.id);
	if (code != EXIT_FINE)
		return code;
	int r = engine_watch_open(context->engine);
	return r < 0 ? failed(r, "logs") : follow_loop(&f);
}

/* Of stderr, and of a command that failed, the end of long output is kept: how long the whole was
 * is not known then. */
void fleet_follow_rest(const struct fleet_followed *followed, const struct engine_result *result,
    bool out, plm_view *view)
{
	bool cut = out ? result->state != ENGINE_DONE && view->len == ENGINE_VALUE_MOST
		       : view->len == ENGINE_ERRORS_MOST;
	if (!followed->attempt)
		return;
	if (result->attempt != followed->attempt) {
		fprintf(stderr, "plmctl: attempt %u\n", result->attempt);
		return;
	}
	if (cut)
		fprintf(stderr,
		    "plmctl: the last %zu bytes of the output follow once more, "
		    "because the fleet keeps these alone\n",
		    view->len);
	size_t skip = cut ? 0 : followed->shown < view->len ? followed->shown : view->len;
	view->data = (const char *)view->data + skip;
	view->len -= skip;
}
