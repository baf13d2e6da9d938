/* inspect.c - opening and closing, the rows of the runtime itself, and pages. */
#include "client/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/standard.h"
#include "base/why.h"
#include "client/handle.h"
#include "policy/policy.h"

_Static_assert((int)PLM_STATE_RESERVED == (int)RECORD_RESERVED &&
	(int)PLM_STATE_RUNNING == (int)RECORD_RUNNING &&
	(int)PLM_STATE_CANCELLED == (int)RECORD_CANCELLED && (int)PLM_STATES == (int)RECORD_STATES,
    "the states of plm_inspect.h are those of record.h");
_Static_assert((int)PLM_KIND_MANAGER == (int)KIND_MANAGER &&
	(int)PLM_KIND_CLIENT == (int)KIND_CLIENT && (int)PLM_KIND_JOURNAL == (int)KIND_JOURNAL,
    "the kinds of plm_inspect.h are those of process.h");
_Static_assert((int)PLM_MODE_UP == (int)MODE_UP && (int)PLM_MODE_STOPPED == (int)MODE_STOPPED,
    "the modes of plm_inspect.h are those of tables.h");

/* ---- pages ---- */

void inspect_give(void *ret, size_t size, const void *row, size_t ours)
{
	size_t both = size < ours ? size : ours;
	memcpy(ret, row, both);
	memset((char *)ret + both, 0, size - both);
}

bool inspect_page_full(const struct inspect_page *page)
{
	return page->filled == page->n;
}

void inspect_page_add(struct inspect_page *page, const void *row, size_t ours)
{
	inspect_give(page->at, page->size, row, ours);
	page->at += page->size;
	page->filled++;
}

int inspect_check_page(const char *call, const void *handle, const uint64_t *cursor,
    const void *rows, size_t size, struct inspect_page *ret)
{
	if (!handle)
		return why(-EINVAL, "%s: no handle: plm_inspect_open() first", call);
	if (!cursor || !rows || size == 0)
		return why(-EINVAL, "%s: no cursor, or no room for rows", call);
	memcpy(&ret->at, &rows, sizeof ret->at); /* the rows are the caller's to change */
	ret->size = size;
	ret->filled = 0;
	return 0;
}

void inspect_text(char *ret, size_t size, const char *text)
{
	snprintf(ret, size, "%.*s", (int)size - 1, text);
}

/* ---- opening ---- */

static int inspect_open(plm_inspect **ret, int control_fd, int store_fd, bool moving)
{
	struct plm_inspect *in = calloc(1, sizeof *in);
	if (!in) {
		close(control_fd);
		if (store_fd >= 0)
			close(store_fd);
		return why(-ENOMEM, "no memory for a handle");
	}
	int r = tables_inspect(standard_avoid(control_fd), standard_avoid(store_fd), &in->tables);
	if (r < 0) {
		free(in);
		return r;
	}
	in->moving = moving;
	*ret = in;
	return 0;
}

static int inspect_open_segment(const char *name, const char *what)
{
	char segment[SEGMENT_NAME_BYTES];
	tables_segment_name(name, what, segment);
	return segment_open(segment, false);
}

static int inspect_open_name(plm_inspect **ret, const char *name)
{
	const char *usual = getenv("PLM_NAME");
	if (!name)
		name = usual && usual[0] ? usual : "default";
	int r = tables_check_name(name);
	if (r < 0)
		return r;
	int control = inspect_open_segment(name, "control");
	if (control < 0)
		return control;
	/* Without a store, which a person may have removed, all but texts is known. */
	return inspect_open(ret, control, inspect_open_segment(name, "store"), true);
}

int plm_inspect_open(plm_inspect **ret, const char *name)
{
	unsigned said = why_count();
	if (!ret)
		return why(-EINVAL, "plm_inspect_open: no place for the handle");
	return handle_end(said, inspect_open_name(ret, name));
}

static int inspect_open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? why(-errno, "%s: %s", path, strerror(errno)) : fd;
}

int plm_inspect_open_files(plm_inspect **ret, const char *control, const char *store)
{
	unsigned said = why_count();
	if (!ret || !control)
		return why(-EINVAL, "plm_inspect_open_files: no path, or no place for the handle");
	int control_fd = inspect_open_file(control), store_fd = -1;
	if (control_fd < 0)
		return control_fd;
	if (store && (store_fd = inspect_open_file(store)) < 0) {
		close(control_fd);
		return store_fd;
	}
	return handle_end(said, inspect_open(ret, control_fd, store_fd, false));
}

int plm_inspect_of(plm_inspect **ret, plm *rt)
{
	unsigned said = why_count();
	if (!ret || !rt)
		return why(-EINVAL, "plm_inspect_of: no runtime, or no place for the handle");
	if (!*rt->alive)
		return handle_check(rt);
	int control_fd = fcntl(rt->tables.control_segment.fd, F_DUPFD_CLOEXEC, 3);
	int store_fd = fcntl(rt->tables.store_segment.fd, F_DUPFD_CLOEXEC, 3);
	if (control_fd < 0)
		return why(-errno, "no descriptor for a look: %s", strerror(errno));
	return handle_end(said, inspect_open(ret, control_fd, store_fd, true));
}

void plm_inspect_close(plm_inspect **in)
{
	if (!in || !*in)
		return;
	tables_detach(&(*in)->tables);
	free(*in);
	*in = NULL;
}

/* ---- references ---- */

plm_ref inspect_ref(const plm_inspect *in, uint64_t ref)
{
	return ref ? (plm_ref){ .id = ref, .runtime = in->tables.control->runtime } : PLM_NONE;
}

struct record *inspect_resolve(
    const plm_inspect *in, plm_ref ref, uint64_t *ret_word, int *ret_error)
{
	const struct tables *t = &in->tables;
	if (ref.id == 0) {
		*ret_error = why(-EINVAL, "no future: the reference is empty");
		return NULL;
	}
	if (ref.runtime != t->control->runtime) {
		*ret_error = why(-EXDEV,
		    "the future belongs to another runtime, or to an earlier boot of this one%s",
		    journal_slot(t) ? "; `plmctl history @REF` tells what became of it" : "");
		return NULL;
	}
	struct record *r = record_lookup(t, ref.id, ret_word);
	/* A reserved record that no process holds becomes a task or an object later. */
	if (r && word_state(*ret_word) == RECORD_RESERVED && !hold_any(t, ref_index(ref.id)))
		r = NULL;
	if (!r)
		*ret_error = ref_gone(t, ref.id);
	return r;
}

struct record *inspect_speaker(
    const plm_inspect *in, plm_ref ref, uint64_t *ret_word, int *ret_error)
{
	struct record *r = inspect_resolve(in, ref, ret_word, ret_error);
	if (!r || word_state(*ret_word) != RECORD_PART)
		return r;
	struct record *task = record_lookup(&in->tables, r->part.task, ret_word);
	return task ? task : r; /* only damage parts a further result from its task */
}

/* ---- the runtime ---- */

const char *plm_mode_name(int mode)
{
	static const char *const names[] = { "starting", "up", "stopping", "stopped" };
	return mode >= 0 && mode < (int)COUNT_OF(names) ? names[mode] : "?";
}

const char *plm_state_name(int state)
{
	return state >= 0 ? record_state_name((enum record_state)state) : "?";
}

const char *plm_kind_name(int kind)
{
	return kind >= 0 && kind < KINDS ? process_kind_name((enum process_kind)kind) : "?";
}

int plm_inspect_runtime(plm_inspect *in, plm_runtime_row *ret, size_t size)
{
	if (!in || !ret)
		return why(-EINVAL, "plm_inspect_runtime: no handle, or no place for the row");
	const struct tables *t = &in->tables;
	struct control *c = t->control;
	uint64_t now = clock_ns(), boot_ns = c->boot_ns;
	struct arena_usage store;
	store_usage(t, &store);
	plm_runtime_row row = {
		.runtime = c->runtime,
		.mode = (int)sh_peek(&c->mode),
		.uptime_ms = now > boot_ns ? (now - boot_ns) / NS_PER_MS : 0,
		.cores = c->cores,
		.processes_max = t->limits.processes,
		.workers_wanted = t->limits.workers,
		.store_parts = t->limits.nodes,
		.records_max = t->limits.records,
		.records_fresh = pool_fresh(&t->pool),
		.records_pooled = pool_free_count(&t->pool),
		.store_bytes = t->limits.store_bytes,
		.turn = sh_peek(&c->turn) - TURNS_FIRST,
		.restarts = sh_peek(&c->restarts),
		.room_wanted = sh_peek(&c->room_wanted) != 0,
		.policy = sh_load(&c->policy),
		.queued = heap_length(&t->task_heap),
		.store_reserved = store.reserved_bytes,
		.store_used = store.used_bytes,
		.memory_total = sh_load(&c->memory_total),
		.memory_free = sh_load(&c->memory_free),
		.memory_short = sh_load(&c->memory_state) == MEMORY_SHORT,
		.paused = (sh_peek(&c->admission) & ADMISSION_PAUSED) != 0,
		.closed = (sh_peek(&c->admission) & ADMISSION_CLOSED) != 0,
		.events_on = sh_load(&c->events) & 1,
		.events_always = c->events_always != 0,
		.event_ring = c->event_ring,
	};
	inspect_text(row.on_finish, sizeof row.on_finish, c->on_finish);
	row.marks = row.mode < 0 || row.mode > PLM_MODE_STOPPED ? PLM_MARK_DAMAGED : 0;
	memcpy(row.name, c->name, sizeof row.name - 1);
	if (journal_slot(t))
		memcpy(row.journal, c->journal.directory, sizeof row.journal - 1);
	inspect_give(ret, size, &row, sizeof row);
	return 0;
}

int plm_inspect_status(plm_inspect *in, plm_status *ret, size_t size)
{
	plm_status status;
	if (!in || !ret)
		return why(-EINVAL, "plm_inspect_status: no handle, or no place for the status");
	status_read(&in->tables, &status);
	inspect_give(ret, size, &status, sizeof status);
	return 0;
}

int plm_inspect_policies(
    plm_inspect *in, uint64_t *cursor, plm_policy_row *rows, size_t size, size_t n)
{
	struct inspect_page page = { .n = n };
	int r = inspect_check_page("plm_inspect_policies", in, cursor, rows, size, &page);
	if (r < 0)
		return r;
	const struct policy *policy;
	uint32_t in_force = sh_load(&in->tables.control->policy);
	for (; !inspect_page_full(&page) && (policy = policy_at(*cursor)); ++*cursor) {
		plm_policy_row row = { .number = (uint32_t)*cursor,
			.in_force = *cursor == in_force };
		inspect_text(row.policy, sizeof row.policy, policy->name);
		inspect_text(row.help, sizeof row.help, policy->help);
		inspect_page_add(&page, &row, sizeof row);
	}
	return (int)page.filled;
}
