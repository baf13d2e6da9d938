#include "cli/top/top_round.h"

#include "base/clock.h"

enum { COUNT_FIRST_SHARE = 25, COUNT_SHARE = 50, REASON_SHARE = 100, FIRST_MS = 20 };

/* So much time may be saved up. */
#define SAVED_MOST_NS ((int64_t)(20 * NS_PER_MS))

static void round_forget(struct top *top)
{
	flow_end(&top->facts.flow);
	top->facts.functions.n = 0;
	counting_end(&top->facts.counting);
	model_end(&top->facts.model);
	top->facts.reasons = (struct reasons){ .at = 0 };
	top->facts.in = NULL;
}

/* Goes on for about the time in the account. */
static void round_count(struct top *top)
{
	uint64_t began = clock_ns();
	if (top->count_ns <= 0 || !top->facts.counting.going)
		return;
	if (counting_step(&top->facts.counting, top->facts.in, (uint64_t)top->count_ns))
		reasons_take(&top->facts.reasons, top->facts.counting.last);
	top->count_ns -= (int64_t)(clock_ns() - began);
}

static void round_ask(struct top *top)
{
	while (top->reason_ns > 0 && reasons_going(&top->facts.reasons)) {
		reasons_step(&top->facts.reasons, top->facts.in);
		top->reason_ns -= (int64_t)top->facts.reasons.cost_ns;
	}
}

static int round_begin(struct top *top)
{
	round_forget(top);
	top->facts.in = top->watched.in;
	int r = model_begin(&top->facts.model, top->facts.in);
	if (r == 0)
		r = counting_begin(&top->facts.counting);
	if (r < 0) {
		round_forget(top);
		watched_close(&top->watched);
		return r;
	}
	looks_take(&top->facts.model.looks, top->facts.in);
	counting_start(&top->facts.counting);
	top->count_ns = top->reason_ns = FIRST_MS * (int64_t)NS_PER_MS;
	round_count(top);
	round_ask(top);
	round_measure(top, false);
	return 0;
}

int round_find(struct top *top)
{
	bool again = top->watched.boot != 0;
	int r = watched_look(&top->watched);
	if (r < 0) {
		round_forget(top);
		return r;
	}
	if (r == WATCH_NEW) {
		r = round_begin(top);
		if (r == 0 && again)
			view_say(&top->view, "another boot of the runtime: top goes on with it");
	}
	if (r == 0)
		watched_judge(&top->watched);
	return r < 0 ? r : 0;
}

static void round_save(int64_t *account, uint64_t ns, unsigned share)
{
	*account += (int64_t)(ns / share);
	if (*account > SAVED_MOST_NS)
		*account = SAVED_MOST_NS;
}

void round_look(struct top *top, uint64_t ns)
{
	if (!top->facts.in)
		return;
	looks_take(&top->facts.model.looks, top->facts.in);
	bool first = top->facts.counting.last->ended_ns == 0;
	round_save(&top->count_ns, ns, first ? COUNT_FIRST_SHARE : COUNT_SHARE);
	round_save(&top->reason_ns, ns, REASON_SHARE);
	round_count(top);
	round_ask(top);
	round_follow(top);
}

void round_follow(struct top *top)
{
	struct flow *flow = &top->facts.flow;
	if (top->facts.in && (top->once || top->view.pane == PANE_FUNCTIONS))
		flow_follow(flow, top->watched.name, top->facts.in);
	else
		flow_end(flow);
}

void round_measure(struct top *top, bool measure)
{
	if (!top->facts.in)
		return;
	model_frame(&top->facts.model, top->facts.in, measure);
	if (measure)
		flow_fade(&top->facts.flow, top->facts.model.looks.rate);
	counting_start(&top->facts.counting);
}

void round_finish(struct top *top, uint64_t ns)
{
	struct facts *facts = &top->facts;
	if (!facts->in)
		return;
	if (counting_step(&facts->counting, facts->in, UINT64_MAX))
		reasons_take(&facts->reasons, facts->counting.last);
	for (uint64_t end = clock_ns() + ns; reasons_going(&facts->reasons) && clock_ns() < end;)
		reasons_step(&facts->reasons, facts->in);
}

static void round_join(struct facts *facts)
{
	functions_join(&facts->functions, counting_shown(&facts->counting), &facts->flow);
}

void round_arrange(struct top *top)
{
	round_join(&top->facts);
	view_arrange(&top->view, &top->facts, top->view.pane);
}

void round_draw(struct top *top)
{
	round_join(&top->facts);
	const struct frame frame = { &top->facts, &top->view,
		top->context->name ? top->context->name : "", top->watched.trouble };
	layout_draw(&top->canvas, &frame);
}

void round_close(struct top *top)
{
	round_forget(top);
	watched_close(&top->watched);
	view_end(&top->view);
	canvas_free(&top->canvas);
}
