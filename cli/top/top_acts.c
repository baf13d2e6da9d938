#include "cli/top/top_acts.h"

enum { ANSWER_MS = 2000 };

/* NULL, with a message: nobody lets us in. */
static plm *acts_connect(struct top *top)
{
	plm *rt;
	int ms = top->context->timeout_ms > 0 ? top->context->timeout_ms : ANSWER_MS;
	if (plm_connect_with(&rt, top->context->name, PLM_VISIT, ms) == 0)
		return rt;
	view_say(&top->view, "%s", plm_why());
	return NULL;
}

static void acts_end(struct top *top, plm *rt, int error, const char *done)
{
	if (error < 0)
		view_say(&top->view, "%s", plm_why());
	else
		view_say(&top->view, "%s", done);
	plm_disconnect(&rt);
	/* The next frame shows the outcome. */
	counting_restart(&top->facts.counting);
	if (top->facts.in)
		plm_inspect_runtime(
		    top->facts.in, &top->facts.model.runtime, sizeof top->facts.model.runtime);
}

void act_cancel(struct top *top, plm_ref ref)
{
	char text[PLM_REF_TEXT_BYTES], done[SAYING_BYTES];
	plm *rt = acts_connect(top);
	if (!rt)
		return;
	plm_ref_print(ref, text);
	snprintf(done, sizeof done, "cancelled: %s", text);
	acts_end(top, rt, plm_cancel(rt, ref, PLM_GRACE_OF_TASK), done);
}

struct retried {
	char text[SAYING_BYTES];
};

static int acts_retried(void *context, plm_ref failed_one, plm_ref again, int error)
{
	struct retried *retried = context;
	char text[PLM_REF_TEXT_BYTES], old[PLM_REF_TEXT_BYTES];
	plm_ref_print(failed_one, old);
	plm_ref_print(again, text);
	if (error < 0)
		snprintf(retried->text, sizeof retried->text, "not retried: %.200s", plm_why());
	else
		snprintf(retried->text, sizeof retried->text, "retried: %s is now %s", old, text);
	return 0;
}

void act_retry(struct top *top, plm_ref ref)
{
	struct retried retried = { .text = "not retried" };
	plm *rt = acts_connect(top);
	if (!rt)
		return;
	int r = plm_retry_many(rt, &ref, 1, acts_retried, &retried);
	acts_end(top, rt, r, retried.text);
}

void act_pause(struct top *top, bool paused)
{
	plm *rt = acts_connect(top);
	if (rt)
		acts_end(top, rt, paused ? plm_resume(rt) : plm_pause(rt),
		    paused ? "resumed: tasks start again" : "paused: no task starts");
}

void act_drain(struct top *top, bool closed)
{
	plm *rt = acts_connect(top);
	if (rt)
		acts_end(top, rt, closed ? plm_resume(rt) : plm_drain(rt),
		    closed ? "resumed: new tasks are accepted" : "closed to new tasks");
}

void act_drain_worker(struct top *top, uint32_t worker, bool away)
{
	char done[SAYING_BYTES];
	plm *rt = acts_connect(top);
	if (!rt)
		return;
	snprintf(done, sizeof done,
	    away ? "worker %u comes back" : "worker %u ends its task and leaves", worker);
	acts_end(
	    top, rt, away ? plm_resume_worker(rt, worker) : plm_drain_worker(rt, worker), done);
}
