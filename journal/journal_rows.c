#include "journal/journal_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/why.h"
#include "journal/journal.h"
#include "tables/args.h"
#include "tables/command_block.h"
#include "tables/edges.h"

enum { LABEL_BYTES = 128, HEAD_BYTES = 512, MESSAGE_BYTES = 512, UNKNOWN = -1 };

static struct entry *rows_change(struct journal *j, uint32_t index)
{
	struct change *last = j->group.changes ? &j->group.change[j->group.changes - 1] : NULL;
	if (!last || last->index != index)
		j->group.change[j->group.changes++] = (struct change){ index, j->entry[index] };
	return &j->entry[index];
}

/* ---- the place in the queue ---- */

static struct standing rows_place_of(const struct record *r, uint64_t word)
{
	uint64_t key = sh_once(r->key), turn = key_turn(key);
	return (struct standing){ .priority = (int16_t)key_priority(key),
		.parked = record_unsettled(word) && word_flags(word) & FLAG_PARKED,
		.turn = turn < TURNS_FIRST ? turn : 0 };
}

static bool rows_is_place(const struct standing *a, const struct standing *b)
{
	return a->priority == b->priority && a->parked == b->parked && a->turn == b->turn;
}

static int rows_add_moved(struct journal *j, const struct standing *place, uint32_t index)
{
	struct entry *entry = rows_change(j, index);
	entry->place = *place;
	return db_run(&j->db, DB_ADD_MOVED,
	    BIND(bind_uint(entry->id), bind_int(journal_now()), bind_int(place->priority),
		bind_uint(place->turn), bind_int(place->parked)));
}

/* ---- accepted ---- */

static int rows_add_accepted(struct journal *j, struct record *r, uint64_t word, uint32_t index)
{
	static struct encoding encoding; /* the memory is used again for each task */
	struct function_entry function = { .name = "?" };
	char text[COMMAND_TEXT_MAX], label[LABEL_BYTES];
	const char *needs, *limits;
	int priority = key_priority(sh_once(r->key));
	uint64_t id = j->next_task, identity[2];
	registry_function(&j->rt.tables.registry, r->function, &function);
	describe_call(j, r, function.name, text, sizeof text, label, sizeof label);
	describe_terms(j, r->terms, &needs, &limits);
	int done = encode_args(j, r, id, &encoding);
	if (done < 0)
		return done;
	if (record_wants_any(&j->rt.tables, r))
		encoding.undurable = "it has replicas, known to its client alone";
	bool named = record_identity(r, word, identity);
	done = db_run(&j->db, DB_ADD_TASK,
	    BIND(bind_uint(id), bind_int(j->boot),
		bind_uint(record_ref(index, word_generation(word))),
		bind_int(j->epoch_ms + r->submit_ms), bind_text(function.name), bind_text(text),
		bind_text(label[0] ? label : NULL), bind_int(priority), bind_int(r->retries),
		bind_int(r->crash_retries), bind_int(r->results),
		bind_text(needs[0] ? needs : NULL), bind_text(limits[0] ? limits : NULL),
		bind_blob(encoding.bytes, encoding.length),
		bind_int(encode_sum(encoding.bytes, encoding.length)),
		bind_text(encoding.undurable),
		bind_blob(named ? identity : NULL, sizeof identity)));
	if (done < 0)
		return done;
	*rows_change(j, index) = (struct entry){ .id = id,
		.place = { .priority = (int16_t)priority },
		.generation = word_generation(word),
		.flags = ENTRY_ACCEPTED };
	j->next_task++;
	j->group.accepted++;
	return 0;
}

/* ---- an attempt ---- */

static int rows_add_attempt(
    struct journal *j, const struct record *r, uint64_t word, uint32_t index)
{
	bool running = word_state(word) == RECORD_RUNNING;
	struct entry *entry = rows_change(j, index);
	entry->attempt = (uint8_t)word_attempt(word);
	entry->flags = (uint8_t)((entry->flags & ~ENTRY_RUNNING) | (running ? ENTRY_RUNNING : 0));
	return db_run(&j->db, DB_ADD_ATTEMPT,
	    BIND(bind_uint(entry->id), bind_int(j->boot), bind_int(word_attempt(word)),
		bind_int(running), bind_int(r->failures), bind_int(record_returns(r)),
		bind_int(running ? j->epoch_ms + r->start_ms : journal_now())));
}

/* ---- the end ---- */

struct command_end {
	bool known;
	struct command_log log;
	struct command_texts texts;
};

static void rows_read_command_end(
    const struct journal *j, const struct record *r, struct command_end *ret)
{
	const struct tables *t = &j->rt.tables;
	uint32_t next = r->first_part;
	uint64_t length;
	ret->known = false;
	for (uint32_t steps = 0; next && next <= t->limits.records && steps < RESULTS_MAX;
	     steps++) {
		const struct record *part = record_at(t, next - 1);
		if (word_state(sh_load(&part->state)) != RECORD_PART)
			return;
		next = part->part.next;
		if (part->part.which != COMMAND_RESULT_LOG)
			continue;
		const void *data = record_value(t, part, &length);
		ret->known = command_log_read(data, length, &ret->log, &ret->texts);
		return;
	}
}

static size_t rows_head_of(uint64_t length)
{
	return length < HEAD_BYTES ? (size_t)length : HEAD_BYTES;
}

/* Dependants in the journal may ask for the values after a boot. */
static int rows_keep_values(struct journal *j, struct record *r, uint64_t id)
{
	int64_t needed;
	if (!j->any_needed)
		return 0; /* true for most journals, and saves the query */
	int done = db_number(&j->db, DB_IS_NEEDED, &needed, BIND(bind_uint(id)));
	uint32_t index = record_index(&j->rt.tables, r);
	for (uint32_t steps = 0; done == 1 && steps < RESULTS_MAX; steps++) {
		struct record *part = record_at(&j->rt.tables, index);
		bool first = part == r;
		uint64_t length, blob, which = first ? 0 : part->part.which;
		const void *data = record_value(&j->rt.tables, part, &length);
		if (data && length <= VALUE_BYTES_MAX) {
			done = encode_value(j, 0, data, length, id, &blob);
			if (done == 0)
				done = db_run(&j->db, DB_ADD_VALUE,
				    BIND(bind_uint(id), bind_uint(which), bind_uint(blob)));
			if (done < 0)
				return done;
			done = 1;
		}
		uint32_t next = first ? r->first_part : part->part.next;
		if (!next || next > j->rt.tables.limits.records)
			break;
		index = next - 1;
	}
	return done < 0 ? done : 0;
}

static void rows_read_message(
    const struct journal *j, const struct record *r, char ret[MESSAGE_BYTES])
{
	uint64_t length = 0;
	const char *text = failure_message(&j->rt.tables, r, &length);
	snprintf(ret, MESSAGE_BYTES, "%.*s",
	    length < MESSAGE_BYTES ? (int)length : MESSAGE_BYTES - 1, text ? text : "");
}

static int rows_exit_code_of(const struct command_end *end)
{
	return end->known && end->log.status >= 0 && WIFEXITED(end->log.status)
	    ? WEXITSTATUS(end->log.status)
	    : UNKNOWN;
}

static int rows_worker_of(const struct journal *j, const struct command_end *end, uint64_t word)
{
	if (end->known)
		return (int)end->log.worker;
	uint32_t worker = record_failed_by(&j->rt.tables, word);
	return worker == NO_WORKER ? UNKNOWN : (int)worker;
}

static int rows_add_ended(struct journal *j, struct record *r, uint64_t word, uint32_t index)
{
	struct entry *entry = rows_change(j, index);
	struct command_end end;
	char message[MESSAGE_BYTES] = "";
	bool failed = word_state(word) == RECORD_FAILED;
	bool done_well = word_state(word) == RECORD_DONE;
	uint64_t out_length = 0, value_bytes = done_well ? r->value_bytes : 0;
	rows_read_command_end(j, r, &end);
	const char *out = end.known ? end.texts.out : NULL;
	if (failed)
		rows_read_message(j, r, message);
	if (end.known && done_well)
		out = record_value(&j->rt.tables, r, &out_length);
	else if (end.known)
		out_length = end.log.out_kept;
	const struct command_log *log = &end.log;
	struct command_log none = { .magic = 0 };
	if (!end.known)
		log = &none;
	int signal = failed ? r->failure.signal : 0;
	if (end.known && log->status >= 0 && WIFSIGNALED(log->status))
		signal = WTERMSIG(log->status);
	bool dead = word_retriable(word) && record_tries(r, word) > 1;
	int done = done_well ? rows_keep_values(j, r, entry->id) : 0;
	if (done < 0)
		return done;
	done = db_run(&j->db, DB_ADD_ENDED,
	    BIND(bind_uint(entry->id), bind_int(j->boot), bind_int(word_state(word)),
		bind_int(dead), bind_int(j->epoch_ms + r->end_ms),
		bind_int(word_attempt(word) ? j->epoch_ms + r->start_ms : INT64_C(0)),
		bind_int(word_attempt(word)), bind_int(rows_worker_of(j, &end, word)),
		bind_int(failed ? r->failure.code : 0), bind_int(signal),
		bind_int(rows_exit_code_of(&end)), bind_text(message[0] ? message : NULL),
		bind_uint(log->user_us), bind_uint(log->system_us), bind_uint(log->resident_kb),
		bind_uint(log->out_bytes), bind_uint(log->err_bytes), bind_uint(value_bytes),
		bind_blob(out, rows_head_of(out ? out_length : 0)),
		bind_blob(end.known ? end.texts.err : NULL, rows_head_of(log->err_kept))));
	entry->flags |= ENTRY_ENDED;
	j->group.ended += done == 0;
	return done;
}

static int rows_add_unqueued(struct journal *j, int64_t task, enum record_state state, bool dead,
    int code, const char *message)
{
	return db_run(&j->db, DB_ADD_ENDED,
	    BIND(bind_int(task), bind_int(j->boot), bind_int(state), bind_int(dead),
		bind_int(journal_now()), bind_int(0), bind_int(0), bind_int(UNKNOWN),
		bind_int(code), bind_int(0), bind_int(UNKNOWN), bind_text(message), bind_int(0),
		bind_int(0), bind_int(0), bind_int(0), bind_int(0), bind_int(0), bind_blob(NULL, 0),
		bind_blob(NULL, 0)));
}

int rows_end_unqueued(struct journal *j, int64_t task, bool dead, int code, const char *message)
{
	return rows_add_unqueued(j, task, RECORD_FAILED, dead, code, message);
}

int rows_cancel_unqueued(struct journal *j, int64_t task, const char *message)
{
	return rows_add_unqueued(j, task, RECORD_CANCELLED, false, ECANCELED, message);
}

/* ---- a look ---- */

static int rows_look_on(struct journal *j, struct record *r, uint64_t word, uint32_t index)
{
	const struct entry *entry = &j->entry[index];
	enum record_state state = word_state(word);
	struct standing place = rows_place_of(r, word);
	int done = 0;
	if (!state_settled(state) && !rows_is_place(&place, &entry->place))
		done = rows_add_moved(j, &place, index);
	bool began = state == RECORD_RUNNING &&
	    (word_attempt(word) > entry->attempt || !(entry->flags & ENTRY_RUNNING));
	bool rests = state == RECORD_READY &&
	    (word_attempt(word) > entry->attempt || entry->flags & ENTRY_RUNNING);
	if (done == 0 && (began || rests))
		done = rows_add_attempt(j, r, word, index);
	if (done == 0 && !hold_test(&j->rt.tables, index, SLOT_MANAGER) && !state_settled(state) &&
	    !(entry->flags & ENTRY_FORGOTTEN)) {
		rows_change(j, index)->flags |= ENTRY_FORGOTTEN;
		done = db_run(
		    &j->db, DB_ADD_FORGOTTEN, BIND(bind_uint(entry->id), bind_int(journal_now())));
	}
	if (done == 0 && state_settled(state))
		done = rows_add_ended(j, r, word, index);
	return done;
}

static bool rows_is_accepted(const struct journal *j, uint32_t index, uint64_t word)
{
	const struct entry *entry = &j->entry[index];
	return entry->generation == word_generation(word) && entry->flags & ENTRY_ACCEPTED;
}

/* A row names arguments by their task numbers, so a durable task among the arguments is accepted
 * before. The table has them in any order, and the first task of a pair may still be reserved. */
static bool rows_waits_for_argument(struct journal *j, struct record *r)
{
	struct tables *t = &j->rt.tables;
	struct args_reader reader;
	struct arg arg;
	bool readable = args_open(t, r, &reader);
	while (readable && args_next(&reader, &arg)) {
		struct record *of = arg.future ? edges_speaker(t, arg.future->ref) : NULL;
		uint32_t index = of ? record_index(t, of) : 0;
		if (!of || !journal_wants(t, of) || rows_is_accepted(j, index, sh_load(&of->state)))
			continue;
		sh_or(&t->news[index / 64], (uint64_t)1 << index % 64);
		return true;
	}
	return false;
}

int rows_look(struct journal *j, uint32_t index)
{
	struct record *r = record_at(&j->rt.tables, index);
	uint64_t word = sh_load(&r->state);
	enum record_state state = word_state(word);
	struct entry *entry = &j->entry[index];
	bool known = rows_is_accepted(j, index, word);
	if (!journal_wants(&j->rt.tables, r) || state == RECORD_FREE || state == RECORD_RESERVED ||
	    state == RECORD_PART || word_flags(word) & FLAG_OBJECT)
		return 0;
	if (known && entry->flags & ENTRY_ENDED)
		return 0;
	if (j->plan.durability == DURABILITY_NONE && !state_settled(state))
		return 0;
	if (!known && j->plan.durability != DURABILITY_NONE && rows_waits_for_argument(j, r))
		return ROWS_LATER;
	int done = known ? 0 : rows_add_accepted(j, r, word, index);
	return done < 0 ? done : rows_look_on(j, r, word, index);
}
