/* bridge_needs.c - classes of tasks (task_class.h): which the host can run, and how many tasks of
 * each class to claim.
 *
 * A class without needs is a module, which all workers of a runtime have or none: its tasks are
 * claimed like tasks of no class. The rest is about needs.
 *
 * The runtime alone knows when needs are met: amounts of workers, alternatives, memory, tasks of
 * other clients. So the bridge tries: one task of a class, and twice as many after all claimed
 * tasks have begun. Tasks that have not begun soon go back but for one, since another host may be
 * free; the one shows when the needs are met again. Short tasks are claimed ahead like tasks
 * without needs. A task that waits here takes no room from tasks of other classes. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "fleet/bridge_parts.h"

enum { LOOK_MS = 2, BEGIN_MS = 10, WINDOW_MOST = 256 };

/* ---- classes ---- */

static int needs_find(const struct bridge *b, const char *needs, size_t n)
{
	for (size_t i = 0; i < b->classes; i++)
		if (strlen(b->class[i].needs) == n && memcmp(b->class[i].needs, needs, n) == 0)
			return (int)i;
	return -1;
}

int bridge_class(const struct bridge *b, const char *needs)
{
	return needs_find(b, needs, strlen(needs));
}

/* A full table gives up a class without tasks on this host; the engine names the class again. */
static struct bridge_class *needs_place(struct bridge *b)
{
	if (b->classes < BRIDGE_CLASSES_MOST)
		return &b->class[b->classes++];
	for (size_t i = 0; i < BRIDGE_CLASSES_MOST; i++) {
		size_t place = (b->class_given_up + i) % BRIDGE_CLASSES_MOST;
		if (b->class[place].here == 0) {
			b->class_given_up = place + 1;
			return &b->class[place];
		}
	}
	return NULL;
}

/* Needs were judged when the class came, since the boot chooses the kinds of workers; a module may
 * be loaded at any time. */
static void needs_judge(struct bridge *b, struct bridge_class *c)
{
	bool has = !c->parts.module[0] || task_module_is_in(b->has, c->parts.module);
	if (c->fits && !has)
		snprintf(c->why, sizeof c->why, "it has no module %s", c->parts.module);
	b->hungry |= c->fits && has && !c->possible;
	c->possible = c->fits && has;
}

static void needs_note(struct bridge *b, const char *needs, size_t n)
{
	struct bridge_class *c = needs_place(b);
	if (!c)
		return;
	*c = (struct bridge_class){ .window = 1 };
	memcpy(c->needs, needs, n);
	c->parts = task_class_read(c->needs);
	c->fits = !c->parts.needs[0] ||
	    plm_check_terms(b->rt, &(plm_terms){ .needs = c->parts.needs }) == 0;
	if (!c->fits)
		snprintf(c->why, sizeof c->why, "%s", plm_why());
	needs_judge(b, c);
	if (!c->possible)
		log_info("tasks of class %s are left to other hosts: %s", c->needs, c->why);
}

void bridge_needs_judge(struct bridge *b)
{
	for (size_t i = 0; i < b->classes; i++)
		needs_judge(b, &b->class[i]);
}

void bridge_note_needs(struct bridge *b, const char *lines)
{
	while (*lines) {
		size_t n = strcspn(lines, "\n");
		if (n > 0 && n < TASK_CLASS_BYTES && needs_find(b, lines, n) < 0)
			needs_note(b, lines, n);
		lines += n + (lines[n] != 0);
	}
}

/* ---- how many ---- */

void bridge_needs_pace(struct bridge *b, bool follows)
{
	for (size_t i = 0; i < b->classes; i++) {
		b->class[i].pace_before = follows ? b->class[i].pace : 0;
		b->class[i].pace = 0;
	}
}

static unsigned needs_ahead(const struct bridge_class *c)
{
	unsigned pace = c->pace > c->pace_before ? c->pace : c->pace_before;
	return pace < BRIDGE_AHEAD_MOST ? pace : (unsigned)BRIDGE_AHEAD_MOST;
}

static void needs_count(struct bridge *b)
{
	b->waiting = 0;
	for (size_t i = 0; i < b->classes; i++)
		b->class[i].here = b->class[i].waits = 0;
	for (size_t i = 0; i < b->tasks; i++) {
		struct bridge_task *task = &b->task[i];
		plm_task_row row;
		if (task->class < 0)
			continue;
		struct bridge_class *c = &b->class[task->class];
		c->here++;
		if (!task->begun && plm_inspect_task(b->in, task->ref, 0, &row, sizeof row) == 0)
			task->begun =
			    row.state != PLM_STATE_READY && row.state != PLM_STATE_WAITING;
		c->waits += !task->begun && !task->back;
		b->waiting += !task->begun;
	}
}

static void needs_give_back(struct bridge *b, size_t class, unsigned stay)
{
	unsigned kept = 0;
	for (size_t i = 0; i < b->tasks; i++) {
		struct bridge_task *task = &b->task[i];
		if (task->class != (int)class || task->begun || task->back)
			continue;
		if (kept < stay)
			kept++;
		else
			bridge_send_one_back(b, task, true);
	}
	b->class[class].waits = kept;
}

void bridge_needs_look(struct bridge *b)
{
	uint64_t now = clock_ns();
	if (now - b->looked_ns < LOOK_MS * NS_PER_MS)
		return;
	b->looked_ns = now;
	needs_count(b);
	for (size_t i = 0; i < b->classes; i++) {
		struct bridge_class *c = &b->class[i];
		unsigned stay = needs_ahead(c) > 1 ? needs_ahead(c) : 1;
		bool late = now - c->claimed_ns >= BEGIN_MS * NS_PER_MS;
		if (c->waits == 0 && c->claimed) {
			c->window = c->window * 2 < WINDOW_MOST ? c->window * 2 : WINDOW_MOST;
			c->claimed = false;
		}
		if (late && c->waits > stay) {
			needs_give_back(b, i, stay);
			c->window = 1;
		}
	}
}

size_t bridge_needs_ask(struct bridge *b, unsigned room, struct engine_class *ret)
{
	size_t n = 0;
	for (size_t i = 0; i < b->classes; i++) {
		struct bridge_class *c = &b->class[i];
		unsigned ahead = needs_ahead(c), most = ahead > c->window ? ahead : c->window;
		/* The window opens anew when all tasks of the window have begun. */
		if (ahead <= c->window && c->waits > 0)
			most = 0;
		most = most > c->waits ? most - c->waits : 0;
		if (!c->parts.needs[0])
			most = room;
		c->asked = c->possible ? (most < room ? most : room) : 0;
		c->took = 0;
		if (c->asked)
			ret[n++] = (struct engine_class){ c->needs, c->asked };
	}
	return n;
}

/* Of a class without needs the host asks for as much as there is room. */
bool bridge_needs_declined(const struct bridge *b)
{
	for (size_t i = 0; i < b->classes; i++) {
		const struct bridge_class *c = &b->class[i];
		if (c->possible && c->parts.needs[0] && c->took >= c->asked)
			return true;
	}
	return false;
}

void bridge_needs_took(struct bridge *b, int class)
{
	struct bridge_class *c = &b->class[class];
	c->here++;
	c->waits++;
	c->took++;
	c->claimed = true;
	c->claimed_ns = clock_ns();
	b->waiting++;
}
