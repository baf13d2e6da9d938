#include "client/task_identity.h"

#include <string.h>

#include "tables/command_block.h"

typedef unsigned __int128 digest;

static digest task_identity_add(digest d, const void *data, size_t length)
{
	const digest prime = (digest)1 << 88 | 0x13b; /* of FNV-1a for 128 bits */
	const unsigned char *byte = data;
	for (size_t i = 0; i < length; i++)
		d = (d ^ byte[i]) * prime;
	return d;
}

/* Adds the length first, so that texts cannot run together. */
static digest task_identity_add_text(digest d, const void *text, size_t length)
{
	uint64_t n = length;
	return task_identity_add(task_identity_add(d, &n, sizeof n), text, length);
}

static digest task_identity_add_fields(digest d, const char *fields, size_t length)
{
	const char *at = NULL, *text;
	enum command_field field;
	while (fields && command_field(fields, length, &at, &field, &text))
		if (field != COMMAND_CAP && field != COMMAND_MEMORY)
			d = task_identity_add_text(
			    d, text - 1, strlen(text) + 1); /* the letter, too */
	return d;
}

void task_identity_make(plm_task *task, const char *fields, size_t fields_bytes, size_t first)
{
	digest d = (digest)0x6c62272e07bb0142 << 64 | 0x62b821756295c58d;
	d = task_identity_add_fields(
	    task_identity_add_text(d, task->function, strlen(task->function)), fields,
	    fields_bytes);
	for (size_t i = first; i < task->nargs; i++) {
		const plm_arg *arg = &task->args[i];
		if (arg->future.id)
			d = task_identity_add_text(d, &arg->future.id, sizeof arg->future.id);
		else
			d = task_identity_add_text(d, arg->data, arg->len);
	}
	task->identity[0] = (uint64_t)d;
	task->identity[1] = (uint64_t)(d >> 64);
}

void plm_identify(plm_task *task)
{
	if (task && task->function)
		task_identity_make(task, NULL, 0, 0);
}
