#include "web/web_hand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/plm_inspect.h"

enum { ANSWER_MS = 2000 };

struct hand_verb {
	int (*act)(plm *rt, struct hand_job *job);
	const char *done; /* %s: the task; a worker's number */
};

static int hand_cancel(plm *rt, struct hand_job *job)
{
	return plm_cancel(rt, job->ref, PLM_GRACE_OF_TASK);
}

static int hand_requeue(plm *rt, struct hand_job *job)
{
	return plm_requeue(rt, job->ref, PLM_GRACE_OF_TASK);
}

static int hand_told(void *context, plm_ref failed, plm_ref again, int error)
{
	struct hand_job *job = context;
	char text[PLM_REF_TEXT_BYTES];
	(void)failed;
	job->result = error;
	plm_ref_print(again, text);
	if (error < 0)
		snprintf(job->text, sizeof job->text, "%s", plm_why());
	else
		snprintf(job->text, sizeof job->text, "retried: the new task is %s", text);
	return 0;
}

static int hand_retry(plm *rt, struct hand_job *job)
{
	int r = plm_retry_many(rt, &job->ref, 1, hand_told, job);
	return r < 0 ? r : job->result;
}

static int hand_pause(plm *rt, struct hand_job *job)
{
	(void)job;
	return plm_pause(rt);
}

static int hand_drain(plm *rt, struct hand_job *job)
{
	(void)job;
	return plm_drain(rt);
}

static int hand_resume(plm *rt, struct hand_job *job)
{
	(void)job;
	return plm_resume(rt);
}

static int hand_drain_worker(plm *rt, struct hand_job *job)
{
	return plm_drain_worker(rt, job->worker);
}

static int hand_resume_worker(plm *rt, struct hand_job *job)
{
	return plm_resume_worker(rt, job->worker);
}

static const struct hand_verb verbs[] = {
	[HAND_CANCEL] = { hand_cancel, "cancelled: %s" },
	[HAND_RETRY] = { hand_retry, NULL },
	[HAND_REQUEUE] = { hand_requeue, "returned to the queue: %s" },
	[HAND_PAUSE] = { hand_pause, "paused: no task starts" },
	[HAND_DRAIN] = { hand_drain, "closed: no task is accepted" },
	[HAND_RESUME] = { hand_resume, "resumed: tasks are accepted and start" },
	[HAND_DRAIN_WORKER] = { hand_drain_worker, "worker %s ends its task and leaves" },
	[HAND_RESUME_WORKER] = { hand_resume_worker, "worker %s comes back" },
};

/* "cancelled: @8.1.9a0b" */
static void hand_say(struct hand_job *job, const char *format)
{
	char subject[PLM_REF_TEXT_BYTES];
	const char *place = strstr(format, "%s");
	if (job->ref.id)
		plm_ref_print(job->ref, subject);
	else
		snprintf(subject, sizeof subject, "%u", job->worker);
	int head = place ? (int)(place - format) : (int)strlen(format);
	snprintf(job->text, sizeof job->text, "%.*s%s%s", head, format, place ? subject : "",
	    place ? place + 2 : "");
}

static void hand_act(struct hand *hand, struct hand_job *job)
{
	const struct hand_verb *verb = &verbs[job->kind];
	plm *rt = NULL;
	job->text[0] = 0;
	job->result = plm_connect_with(&rt, hand->name, PLM_VISIT, ANSWER_MS);
	if (job->result == 0)
		job->result = verb->act(rt, job);
	if (job->result < 0 && !job->text[0])
		snprintf(job->text, sizeof job->text, "%s", plm_why());
	else if (job->result >= 0 && verb->done)
		hand_say(job, verb->done);
	if (rt)
		plm_disconnect(&rt);
}

/* ---- watching ---- */

static void hand_unwatch(struct hand *hand)
{
	if (hand->watch)
		plm_disconnect(&hand->watch); /* ends the watch, too */
}

static void hand_watch(struct hand *hand, struct hand_job *job)
{
	if (hand->watch && plm_alive(hand->watch) < 0)
		hand_unwatch(hand);
	job->result = 0;
	if (hand->watch)
		return;
	job->result = plm_connect_with(&hand->watch, hand->name, PLM_VISIT, ANSWER_MS);
	if (job->result < 0)
		hand->watch = NULL;
	else
		job->result = plm_events_watch(hand->watch);
	if (job->result < 0) {
		snprintf(job->text, sizeof job->text, "%s", plm_why());
		hand_unwatch(hand);
	}
}

/* ---- the thread ---- */

static void hand_do(struct hand *hand, struct hand_job *job)
{
	if (job->kind == HAND_WATCH)
		hand_watch(hand, job);
	else if (job->kind == HAND_UNWATCH)
		hand_unwatch(hand);
	else
		hand_act(hand, job);
}

static void *hand_run(void *context)
{
	struct hand *hand = context;
	struct hand_job *job;
	while (read(hand->jobs[0], &job, sizeof job) == (ssize_t)sizeof job) {
		hand_do(hand, job);
		if (write(hand->done[1], &job, sizeof job) != (ssize_t)sizeof job)
			break;
	}
	hand_unwatch(hand);
	return NULL;
}

int hand_begin(struct hand *hand, const char *name)
{
	*hand = (struct hand){ .name = name, .jobs = { -1, -1 }, .done = { -1, -1 } };
	if (pipe2(hand->jobs, O_CLOEXEC) < 0 || pipe2(hand->done, O_CLOEXEC) < 0)
		return -errno;
	/* The giver never waits. The thread does, for a giver with thousands of answers unread. */
	if (fcntl(hand->jobs[1], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(hand->done[0], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	int r = pthread_create(&hand->thread, NULL, hand_run, hand);
	hand->runs = r == 0;
	return -r;
}

int hand_give(struct hand *hand, struct hand_job *job)
{
	return write(hand->jobs[1], &job, sizeof job) == (ssize_t)sizeof job ? 0 : -EAGAIN;
}

struct hand_job *hand_take(struct hand *hand)
{
	struct hand_job *job;
	return read(hand->done[0], &job, sizeof job) == (ssize_t)sizeof job ? job : NULL;
}

void hand_end(struct hand *hand)
{
	if (!hand->runs)
		return;
	close(hand->jobs[1]); /* the thread reads what was given, then the end */
	pthread_join(hand->thread, NULL);
	hand->runs = false;
}
