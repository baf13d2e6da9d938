#include "cli/top/top_keys.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/check.h"
#include "cli/top/top_acts.h"
#include "cli/top/top_screen.h"

enum { WORDS_SHOWN = 60 };

/* ---- moving and sorting ---- */

static void keys_next_pane(struct top *top)
{
	top->view.pane = (enum pane_number)((top->view.pane + 1) % PANES);
}

static void keys_previous_pane(struct top *top)
{
	top->view.pane = (enum pane_number)((top->view.pane + PANES - 1) % PANES);
}

static void keys_move(struct top *top, long rows)
{
	view_move(&top->view, &top->facts, rows);
}

static void keys_up(struct top *top)
{
	keys_move(top, -1);
}

static void keys_down(struct top *top)
{
	keys_move(top, 1);
}

static long keys_page(struct top *top)
{
	return (long)layout_visible(&top->canvas);
}

static void keys_page_up(struct top *top)
{
	keys_move(top, -keys_page(top));
}

static void keys_page_down(struct top *top)
{
	keys_move(top, keys_page(top));
}

static void keys_home(struct top *top)
{
	keys_move(top, INT_MIN);
}

static void keys_end(struct top *top)
{
	keys_move(top, INT_MAX);
}

static struct pane_view *keys_pane(struct top *top)
{
	return &top->view.of[top->view.pane];
}

static void keys_sort_next(struct top *top)
{
	struct pane_view *of = keys_pane(top);
	of->sorted_by = (of->sorted_by + 1) % panes[top->view.pane].n;
	of->upward = false;
}

static void keys_sort_before(struct top *top)
{
	struct pane_view *of = keys_pane(top);
	unsigned n = panes[top->view.pane].n;
	of->sorted_by = (of->sorted_by + n - 1) % n;
	of->upward = false;
}

static void keys_turn_around(struct top *top)
{
	keys_pane(top)->upward = !keys_pane(top)->upward;
}

/* ---- the filter ---- */

static void keys_filter_set(struct top *top, const char *text)
{
	snprintf(keys_pane(top)->filter, FILTER_BYTES, "%s", text);
	if (top->view.pane == PANE_TASKS)
		counting_filter(&top->facts.counting, text);
}

static void keys_filter(struct top *top)
{
	top->view.mode = VIEW_FILTER;
	memcpy(top->view.input, keys_pane(top)->filter, FILTER_BYTES);
}

/* Removes the last character, which may have several bytes. */
static void keys_filter_rub(char *input)
{
	size_t length = strlen(input);
	while (length > 0 && ((unsigned char)input[--length] & 0xc0) == 0x80)
		;
	input[length] = 0;
}

static void keys_filter_add(char *input, int key)
{
	char text[MB_LEN_MAX];
	mbstate_t state = { 0 };
	size_t bytes = key >= ' ' && key < SCREEN_FIRST ? wcrtomb(text, (wchar_t)key, &state) : 0;
	size_t length = strlen(input);
	if (bytes == 0 || bytes > MB_LEN_MAX || length + bytes >= FILTER_BYTES)
		return;
	memcpy(input + length, text, bytes);
	input[length + bytes] = 0;
}

static void keys_filter_press(struct top *top, int key)
{
	struct view *view = &top->view;
	if (key == SCREEN_ESCAPE)
		view->input[0] = 0;
	else if (key == SCREEN_BACKSPACE)
		keys_filter_rub(view->input);
	else
		keys_filter_add(view->input, key);
	keys_filter_set(top, view->input);
	if (key == SCREEN_ESCAPE || key == SCREEN_ENTER)
		view->mode = VIEW_ROWS;
}

/* ---- acts ---- */

static bool keys_task(struct top *top, plm_ref *ret, const char **ret_what)
{
	size_t row;
	if (top->facts.in && view_chosen(&top->view, &row) &&
	    pane_task(&top->facts, top->view.pane, row, ret, ret_what))
		return true;
	bool pane = top->view.pane == PANE_WORKERS || top->view.pane == PANE_TASKS;
	view_say(&top->view,
	    pane ? "no task is chosen" : "choose a task in the pane Tasks, or a worker in Workers");
	return false;
}

static void keys_ask(struct top *top, enum deed deed)
{
	top->view.deed = deed;
	top->view.mode = VIEW_QUESTION;
}

static void keys_cancel(struct top *top)
{
	char text[PLM_REF_TEXT_BYTES];
	const char *what;
	if (!keys_task(top, &top->view.deed_task, &what))
		return;
	plm_ref_print(top->view.deed_task, text);
	snprintf(top->view.question, SAYING_BYTES, "cancel %s %.*s?", text, WORDS_SHOWN, what);
	keys_ask(top, DEED_CANCEL);
}

static void keys_retry(struct top *top)
{
	plm_ref ref;
	const char *what;
	if (top->view.pane != PANE_TASKS)
		view_say(&top->view, "choose a failed task in the pane Tasks");
	else if (keys_task(top, &ref, &what))
		act_retry(top, ref);
}

static bool keys_there(struct top *top)
{
	if (!top->facts.in)
		view_say(&top->view, "there is no runtime");
	return top->facts.in != NULL;
}

static void keys_pause(struct top *top)
{
	if (keys_there(top))
		act_pause(top, top->facts.model.runtime.paused != 0);
}

static void keys_drain_worker(struct top *top)
{
	size_t row;
	bool drained;
	uint32_t *worker = &top->view.deed_worker;
	if (!top->facts.in || !view_chosen(&top->view, &row) ||
	    !pane_worker(&top->facts, top->view.pane, row, worker, &drained)) {
		view_say(&top->view, "choose a worker in the pane Workers");
		return;
	}
	if (drained) {
		act_drain_worker(top, *worker, true);
		return;
	}
	snprintf(top->view.question, SAYING_BYTES, "send worker %u away when its task has ended?",
	    *worker);
	keys_ask(top, DEED_DRAIN_WORKER);
}

static void keys_drain(struct top *top)
{
	if (!keys_there(top))
		return;
	if (top->facts.model.runtime.closed) {
		act_drain(top, true);
		return;
	}
	snprintf(
	    top->view.question, SAYING_BYTES, "accept no new tasks, and run the accepted ones?");
	keys_ask(top, DEED_DRAIN);
}

static void keys_answer(struct top *top, int key)
{
	struct view *view = &top->view;
	view->mode = VIEW_ROWS;
	if (key != 'y' && key != 'Y') {
		view_say(view, "not done");
		return;
	}
	if (view->deed == DEED_CANCEL)
		act_cancel(top, view->deed_task);
	else if (view->deed == DEED_DRAIN_WORKER)
		act_drain_worker(top, view->deed_worker, false);
	else if (view->deed == DEED_DRAIN)
		act_drain(top, false);
}

/* ---- the table ---- */

static void keys_help(struct top *top)
{
	top->view.mode = VIEW_HELP;
}

static void keys_quit(struct top *top)
{
	top->view.quits = true;
}

static const struct {
	int key[4];
	void (*press)(struct top *top);
} keys[] = {
	{ { '\t', SCREEN_RIGHT }, keys_next_pane },
	{ { SCREEN_BACK_TAB, SCREEN_LEFT }, keys_previous_pane },
	{ { SCREEN_UP }, keys_up },
	{ { SCREEN_DOWN }, keys_down },
	{ { SCREEN_PAGE_UP }, keys_page_up },
	{ { SCREEN_PAGE_DOWN }, keys_page_down },
	{ { SCREEN_HOME }, keys_home },
	{ { SCREEN_END }, keys_end },
	{ { '>', SCREEN_F6 }, keys_sort_next },
	{ { '<' }, keys_sort_before },
	{ { 'i' }, keys_turn_around },
	{ { '/', SCREEN_F4 }, keys_filter },
	{ { 'c', SCREEN_F9 }, keys_cancel },
	{ { 'r' }, keys_retry },
	{ { 'p' }, keys_pause },
	{ { 'd' }, keys_drain_worker },
	{ { 'D' }, keys_drain },
	{ { '?', SCREEN_F1, 'h' }, keys_help },
	{ { 'q', SCREEN_F10, SCREEN_ESCAPE }, keys_quit },
};

void keys_press(struct top *top, int key)
{
	if (top->view.mode == VIEW_FILTER) {
		keys_filter_press(top, key);
		return;
	}
	if (top->view.mode == VIEW_QUESTION) {
		keys_answer(top, key);
		return;
	}
	if (top->view.mode == VIEW_HELP) {
		top->view.mode = VIEW_ROWS;
		return;
	}
	top->view.message[0] = 0;
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		for (size_t k = 0; k < COUNT_OF(keys[i].key) && keys[i].key[k]; k++)
			if (keys[i].key[k] == key)
				keys[i].press(top);
}
