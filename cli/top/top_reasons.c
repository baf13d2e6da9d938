#include "cli/top/top_reasons.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { ANSWERS = 1 };

bool reasons_going(const struct reasons *reasons)
{
	return reasons->at < reasons->sampled;
}

/* The first list is shown while it grows, since nothing older could be shown. */
static void reasons_publish(struct reasons *reasons)
{
	struct reason_list *list = &reasons->next;
	if (reasons_going(reasons) && reasons->last.asked > list->asked)
		return;
	for (unsigned i = 0; i < list->groups; i++)
		list->group[i].tasks = list->exact && !reasons_going(reasons)
		    ? list->group[i].asked
		    : list->queued * list->group[i].asked / (list->asked ? list->asked : 1);
	reasons->last = *list;
}

void reasons_take(struct reasons *reasons, const struct count *count)
{
	if (reasons_going(reasons))
		return;
	memcpy(reasons->sample, count->sample, sizeof reasons->sample);
	reasons->sampled = count->sampled;
	reasons->at = 0;
	reasons->next =
	    (struct reason_list){ .queued = count->queued, .exact = count->queued <= SAMPLE_MAX };
	if (reasons->sampled == 0)
		reasons_publish(reasons);
}

static struct reason_group *reasons_group(struct reason_list *list, const char *code)
{
	for (unsigned i = 0; i < list->groups; i++)
		if (strcmp(list->group[i].code, code) == 0)
			return &list->group[i];
	struct reason_group *group =
	    &list->group[list->groups < REASONS_MAX ? list->groups++ : REASONS_MAX - 1];
	snprintf(group->code, sizeof group->code, "%s", code);
	return group;
}

/* Between the pass and the question a task may start or end; such a task waits no more. */
static void reasons_add(
    struct reason_list *list, const plm_explanation *e, const plm_reason *reason)
{
	if (e->state != PLM_STATE_WAITING && e->state != PLM_STATE_READY)
		return;
	struct reason_group *group = reasons_group(list, reason->code);
	char ref[PLM_REF_TEXT_BYTES];
	list->asked++;
	if (group->asked++ > 0)
		return;
	group->example = e->task;
	plm_ref_print(e->task, ref);
	snprintf(group->text, sizeof group->text, "%.*s (%s)",
	    (int)(REASON_BYTES - PLM_REF_TEXT_BYTES - 4), reason->text, ref);
}

void reasons_step(struct reasons *reasons, plm_inspect *in)
{
	static plm_reason reason;
	plm_explanation e;
	uint64_t began = clock_ns();
	if (!reasons_going(reasons))
		return;
	if (plm_inspect_explain(in, reasons->sample[reasons->at++], &e, sizeof e, &reason,
		sizeof reason, ANSWERS) >= 1)
		reasons_add(&reasons->next, &e, &reason);
	reasons->cost_ns = clock_ns() - began;
	reasons_publish(reasons);
}
