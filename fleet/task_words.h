/* task_words.h - a task as bytes that travel: all that a host needs to submit the task to its own
 * runtime.
 *
 * The bytes hold the function, the limits of one attempt, and the arguments; the engine does not
 * read the bytes. An argument that is a task of the fleet is a number, and before the submission
 * the host fetches the value, or, of an order without a value (PLM_AFTER), says how the task ended.
 * Bytes from another machine are checked before use.
 * Who: any thread.  Blocks: never. */
#ifndef PLM_FLEET_TASK_WORDS_H
#define PLM_FLEET_TASK_WORDS_H

#include "fleet/engine.h"
#include "fleet/task_class.h"

struct task_words { /* zeroes at the beginning; reused for the next task */
	char *data;
	size_t bytes, room;
	struct engine_after after[64]; /* tasks of the fleet among the arguments */
	size_t afters;
	bool paired; /* the task waits for the one before (PLM_PAIRED), and for no other */
	char class[TASK_CLASS_BYTES]; /* of task_words_prepare() */
};

/* 0, -EXDEV (a future of another runtime), -E2BIG (ENGINE_VALUE_MOST), -EINVAL (not for a
 * fleet: replicas), each with a why. */
int task_words_write(struct task_words *w, const struct engine *e, const plm_task *task);
/* The same, and fills *ret for engine_add(), without label and title; keep_ms is -EINVAL. *ret is
 * valid as long as *w and the task are. */
int task_words_prepare(
    struct task_words *w, const struct engine *e, const plm_task *task, struct engine_task *ret);
void task_words_free(struct task_words *w);

enum { TASK_WORDS_ARGS = 4096, TASK_WORDS_RESULTS = 1024 };

struct task_read {
	plm_task task;
	plm_terms terms;
	char function[64], needs[ENGINE_NEEDS_MOST];
	plm_arg arg[TASK_WORDS_ARGS];
	struct {
		size_t arg;
		uint64_t id;
		enum engine_condition condition; /* AFTER_DONE: the value is to be fetched */
	} after[64];
	size_t afters;
};

/* Texts and arguments point into data. 0 or -EBADMSG with a why. */
int task_words_read(const void *data, size_t bytes, struct task_read *ret);

#endif
