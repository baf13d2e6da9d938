#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "events/eventlog.h"
#include "journal/journal_rows.h"
#include "journal/journal_trouble.h"

/* ---- a group ---- */

static void journal_tell_back(struct journal *j, uint32_t index)
{
	sh_or(&j->rt.tables.news[index / 64], (uint64_t)1 << index % 64);
}

/* Records with news, in table order, from where the last group stopped. Returns their number. */
static uint32_t journal_list_news(struct journal *j, uint32_t *ret_list)
{
	struct tables *t = &j->rt.tables;
	uint32_t words = (pool_fresh(&t->pool) + 63) / 64, w = j->group.look_from, n = 0;
	for (uint32_t i = 0; i < words && n + 64 <= GROUP_RECORDS; i++) {
		w = w + 1 < words ? w + 1 : 0;
		uint64_t bits = sh_peek(&t->news[w]) ? sh_swap(&t->news[w], 0) : 0;
		for (; bits; bits &= bits - 1)
			ret_list[n++] = w * 64 + (uint32_t)__builtin_ctzll(bits);
	}
	j->group.look_from = w;
	return n;
}

/* Looks at n records, and moves those that have to be looked at later to the front of the list, in
 * reverse order: a chain of tasks that stands backwards in the table is written in two rounds.
 * Returns their number, or -errno. */
static int journal_look_at(struct journal *j, uint32_t *list, uint32_t n)
{
	uint32_t later = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = list[i];
		int r = index < j->rt.tables.limits.records ? rows_look(j, index) : 0;
		if (r < 0)
			return r;
		if (r == ROWS_LATER)
			list[later++] = index;
	}
	for (uint32_t i = 0; i < later / 2; i++) {
		uint32_t index = list[i];
		list[i] = list[later - 1 - i];
		list[later - 1 - i] = index;
	}
	return (int)later;
}

/* Looks at the records of the list as long as a round brings some further. *ret_later: how many
 * stay; they have news again. */
static int journal_look_around(
    struct journal *j, const uint32_t *list, uint32_t n, uint32_t *ret_later)
{
	static uint32_t left[GROUP_RECORDS];
	int later = (int)n, before = later + 1;
	memcpy(left, list, n * sizeof *list);
	while (later > 0 && later < before) {
		before = later;
		later = journal_look_at(j, left, (uint32_t)before);
	}
	*ret_later = later > 0 ? (uint32_t)later : 0;
	for (uint32_t i = 0; i < *ret_later; i++)
		journal_tell_back(j, left[i]);
	return later < 0 ? later : 0;
}

/* After a failed commit the records of the group have news again. */
static void journal_take_back(struct journal *j, const uint32_t *list, uint32_t n)
{
	if (db_in_group(&j->db))
		db_run(&j->db, DB_ROLLBACK, BIND_NOTHING);
	while (j->group.changes > 0) {
		j->group.changes--;
		j->entry[j->group.change[j->group.changes].index] =
		    j->group.change[j->group.changes].before;
	}
	j->next_task = j->group.first_task;
	j->next_blob = j->group.first_blob;
	memset(j->object, 0, sizeof j->object); /* some may be of the failed group */
	for (uint32_t i = 0; i < n; i++)
		journal_tell_back(j, list[i]);
}

/* After the commit only, because a record without the hold may be freed. */
static void journal_publish(struct journal *j)
{
	struct tables *t = &j->rt.tables;
	uint64_t hint[HINTS_BATCH];
	uint32_t n = 0;
	for (uint32_t i = 0; i < j->group.changes; i++) {
		uint32_t index = j->group.change[i].index;
		const struct entry *entry = &j->entry[index];
		uint64_t ref = record_ref(index, entry->generation);
		journal_record(t, index);
		if (!(entry->flags & ENTRY_ENDED))
			continue;
		/* A task queued again by this journal: all references count for this hold. */
		atomic_store_explicit(&j->rt.refs[index], 0, memory_order_relaxed);
		hint[n++] = hint_make(HINT_DROPPED, ref);
		if (n == HINTS_BATCH) {
			handle_tell_quietly(&j->rt, hint, n);
			n = 0;
		}
	}
	if (n)
		handle_tell_quietly(&j->rt, hint, n);
}

static void journal_log_group(struct journal *j)
{
	eventlog_put(&j->rt.tables,
	    (struct logged_event){ .kind = EVENT_JOURNAL,
		.worker = EVENT_NOBODY,
		.function = EVENT_NOBODY,
		.time_ns = clock_ns(),
		.argument = j->group.ended + j->group.accepted });
}

/* True: the news of some record are written, or no news any more. */
static bool journal_write_group(struct journal *j)
{
	static uint32_t list[GROUP_RECORDS];
	uint32_t n = 0, later = 0;
	j->group.changes = 0;
	j->group.ended = j->group.accepted = 0;
	j->group.first_task = j->next_task;
	j->group.first_blob = j->next_blob;
	int r = db_run(&j->db, DB_BEGIN, BIND_NOTHING);
	if (r == 0) {
		n = journal_list_news(j, list);
		r = journal_look_around(j, list, n, &later);
	}
	if (r == 0)
		r = db_run(&j->db, j->group.changes ? DB_COMMIT : DB_ROLLBACK, BIND_NOTHING);
	if (r < 0) {
		journal_take_back(j, list, n);
		journal_say_trouble(j, r);
		if (r == -EUCLEAN)
			journal_give_up(j);
		return false;
	}
	if (j->group.changes) {
		if (eventlog_on(&j->rt.tables))
			journal_log_group(j);
		journal_publish(j);
		journal_say_written(j);
	}
	return n > later;
}

/* ---- opening ---- */

/* A file without a boot has no row to be damaged. */
static bool journal_is_new(struct journal *j)
{
	int64_t last;
	return db_number(&j->db, DB_LAST_BOOT, &last, BIND_NOTHING) == 0;
}

static int journal_find_boot(struct journal *j, bool *ret_again)
{
	const struct control *c = j->rt.tables.control;
	const struct passwd *user = getpwuid(geteuid());
	int64_t clean = 0;
	int r = db_number(&j->db, DB_FIND_BOOT, &j->boot, BIND(bind_uint(c->runtime)));
	*ret_again = r == 1;
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_number(&j->db, DB_GET_MARK, &clean, BIND(bind_text("clean")));
	if (r < 0)
		return r;
	if (!clean && !j->db.checked && !journal_is_new(j))
		return -EAGAIN; /* the file was not closed: look through all of it first */
	r = db_run(&j->db, DB_SET_MARK, BIND(bind_text("clean"), bind_int(0)));
	if (r == 0)
		r = db_run(&j->db, DB_ADD_BOOT,
		    BIND(bind_uint(c->runtime), bind_text(c->name),
			bind_text(user ? user->pw_name : "?"), bind_int(journal_now())));
	if (r == 0)
		r = db_number(&j->db, DB_FIND_BOOT, &j->boot, BIND(bind_uint(c->runtime)));
	return r < 0 ? r : 0;
}

/* Reads the rows of the present boot, because the records still exist. */
static int journal_load_entries(struct journal *j, enum db_statement which)
{
	int r = db_rows(&j->db, which, BIND(bind_int(j->boot)));
	for (; r == 1; r = db_next(&j->db, which)) {
		uint64_t ref = (uint64_t)db_int(&j->db, which, 1);
		if (ref_index(ref) >= j->rt.tables.limits.records)
			continue;
		j->entry[ref_index(ref)] = (struct entry){ .generation = ref_generation(ref),
			.id = (uint64_t)db_int(&j->db, which, 0),
			.place = { .priority = (int16_t)db_int(&j->db, which, 3),
			    .turn = (uint64_t)db_int(&j->db, which, 4),
			    .parked = db_int(&j->db, which, 5) != 0 },
			.flags = (uint8_t)(ENTRY_ACCEPTED |
			    (db_int(&j->db, which, 2) ? ENTRY_ENDED : 0)) };
	}
	db_end(&j->db, which);
	return r;
}

static int journal_load(struct journal *j)
{
	bool again;
	int64_t last = 0;
	int r = journal_find_boot(j, &again);
	if (r == 0)
		r = db_number(&j->db, DB_LAST_TASK, &last, BIND_NOTHING);
	j->next_task = (uint64_t)last + 1;
	if (r >= 0)
		r = db_number(&j->db, DB_LAST_BLOB, &last, BIND_NOTHING);
	j->next_blob = (uint64_t)last + 1;
	if (r >= 0)
		r = db_number(&j->db, DB_GET_MARK, &last, BIND(bind_text("unfinished")));
	j->prune.unfinished = r == 1 ? (uint64_t)last : 0;
	if (r >= 0)
		r = db_number(&j->db, DB_GET_MARK, &last, BIND(bind_text("dubious")));
	j->resume.dubious = r == 1 ? last : 0;
	if (r >= 0)
		r = db_number(&j->db, DB_FIRST_NEEDED, &last, BIND_NOTHING);
	j->any_needed = r == 1;
	if (r >= 0)
		r = journal_load_entries(j, DB_TASKS_OF_BOOT);
	if (r >= 0)
		r = journal_load_entries(j, DB_RESUMED_OF_BOOT);
	return r < 0 ? r : resume_open(j);
}

static int journal_open_and_load(struct journal *j, bool check)
{
	db_close(&j->db);
	int r = db_open(&j->db, j->plan.directory, check, j->plan.durability != DURABILITY_NONE);
	return r < 0 ? r : journal_load(j);
}

/* A look through the file does not find every damage. Damage met by the former journal, or met now,
 * is reason enough to salvage. */
static int journal_open_file(struct journal *j)
{
	int r;
	if (sh_peek(&j->shm->trouble) == EUCLEAN) {
		r = why(-EUCLEAN, "the former journal could not read on");
	} else {
		r = journal_open_and_load(j, false);
		if (r == -EUCLEAN || r == -EAGAIN)
			r = journal_open_and_load(j, true);
	}
	if (r != -EUCLEAN)
		return r;
	db_close(&j->db);
	r = db_salvage(&j->db, j->plan.directory, j->plan.durability != DURABILITY_NONE);
	return r < 0 ? r : journal_load(j);
}

static int journal_make_room(struct journal *j)
{
	size_t bytes = (size_t)j->rt.tables.limits.records * sizeof *j->entry;
	void *entries = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	j->group.change = calloc(GROUP_RECORDS, sizeof *j->group.change);
	if (entries == MAP_FAILED || !j->group.change)
		return why(-ENOMEM, "no memory for the journal's view of %u records",
		    j->rt.tables.limits.records);
	j->entry = entries;
	return 0;
}

/* A former journal wrote the row, and may have died before marking the record. */
static bool journal_is_written(const struct journal *j, uint32_t index, uint8_t flag)
{
	const struct entry *entry = &j->entry[index];
	uint64_t word = sh_load(&record_at(&j->rt.tables, index)->state);
	return entry->flags & flag && entry->generation == word_generation(word);
}

static void journal_let_go(struct journal *j, uint32_t index)
{
	uint64_t hint = hint_make(HINT_DROPPED, record_ref(index, j->entry[index].generation));
	handle_tell_quietly(&j->rt, &hint, 1);
}

/* Each record with the journal's hold may have news, or news for waiting clients. */
static void journal_look_at_all(struct journal *j)
{
	struct tables *t = &j->rt.tables;
	uint32_t fresh = pool_fresh(&t->pool);
	for (uint32_t i = 0; i < fresh; i++) {
		if (!journal_wants(t, record_at(t, i)))
			continue;
		if (journal_is_written(j, i, ENTRY_ACCEPTED) && !journal_recorded(t, i))
			journal_record(t, i);
		if (journal_is_written(j, i, ENTRY_ENDED))
			journal_let_go(j, i);
		else
			journal_tell_back(j, i);
	}
	event_post(&j->shm->written);
}

/* A directory has a single writer: the journal of a dead manager may still live. */
static int journal_take_lock(struct journal *j)
{
	char path[STATE_PATH_BYTES + 8];
	struct flock mine = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = JOURNAL_LOCK_WRITER, .l_len = 1
	};
	snprintf(path, sizeof path, "%s/%s", j->plan.directory, JOURNAL_LOCK);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return why(-errno, "%s: %s", path, strerror(errno));
	if (fcntl(fd, F_SETLK, &mine) == 0) {
		j->lock = fd;
		return 0;
	}
	int error = errno;
	fcntl(fd, F_GETLK, &mine);
	close(fd);
	return why(
	    -error, "another journal writes in %s (pid %d)", j->plan.directory, (int)mine.l_pid);
}

int journal_open(struct journal *j, const struct journal_plan *plan)
{
	struct control *c = j->rt.tables.control;
	j->plan = *plan;
	j->shm = &c->journal;
	j->rt.socket = -1;
	j->lock = -1;
	j->epoch_ms = journal_now() - (int64_t)((clock_ns() - c->boot_ns) / NS_PER_MS);
	int r = journal_make_room(j);
	if (r == 0)
		r = journal_take_lock(j);
	if (r == 0)
		r = journal_open_file(j);
	if (r == 0)
		r = handle_open(&j->rt, plan->slot);
	if (r < 0)
		return r;
	sh_store(&j->shm->trouble, 0);
	if (j->db.salvaged[0]) {
		snprintf(j->shm->damage_text, sizeof j->shm->damage_text, "%s", j->db.salvaged);
		sh_store(&j->shm->damaged, 1);
	}
	journal_look_at_all(j);
	return 0;
}

void journal_close(struct journal *j)
{
	if (sh_peek(&j->shm->trouble) == 0)
		db_run(&j->db, DB_SET_MARK, BIND(bind_text("clean"), bind_int(1)));
	db_close(&j->db);
	close(j->lock);
	handle_close(&j->rt);
}

/* ---- the loop ---- */

static bool journal_has_news(const struct journal *j)
{
	const struct tables *t = &j->rt.tables;
	uint32_t words = (pool_fresh(&t->pool) + 63) / 64;
	for (uint32_t w = 0; w < words; w++)
		if (sh_peek(&t->news[w]))
			return true;
	return false;
}

/* News during the pause share a commit; a waiting client ends the pause. */
static void journal_pause_for_more(struct journal *j, uint32_t ms)
{
	uint64_t deadline = deadline_after_ms(ms);
	process_set_awake(&j->rt.tables, j->rt.self, false);
	for (;;) {
		uint32_t seen = event_prepare(&j->shm->urgent);
		if (sh_load(&j->shm->hurry) || atomic_load(&j->stop) || clock_ns() >= deadline)
			break;
		event_sleep(&j->shm->urgent, seen, deadline);
	}
	sh_store(&j->shm->hurry, 0);
}

static void journal_rest(struct journal *j)
{
	process_set_awake(&j->rt.tables, j->rt.self, false);
	uint32_t seen = event_prepare(&j->rt.me->event);
	if (!journal_has_news(j) && !atomic_load(&j->stop))
		event_sleep(&j->rt.me->event, seen,
		    j->resume.next == UINT64_MAX ? DEADLINE_NEVER : j->resume.due_ns);
	sh_poke(&j->rt.me->beat_ns, clock_coarse_ns());
}

void journal_run(struct journal *j)
{
	while (!atomic_load(&j->stop)) {
		bool more = resume_some(j);
		if (!more && !journal_has_news(j))
			journal_rest(j);
		bool trouble = sh_peek(&j->shm->trouble) != 0;
		if (!more && journal_has_news(j))
			journal_pause_for_more(j, trouble ? TROUBLE_MS : GROUP_MS);
		if (journal_has_news(j))
			journal_write_group(j);
		prune_some(j);
	}
	/* All members but the journal have ended: write the tasks settled last. */
	while (journal_write_group(j))
		;
	if (sh_peek(&j->shm->trouble))
		log_warn(
		    "the ends of the last tasks could not be written: %s", j->shm->trouble_text);
}
