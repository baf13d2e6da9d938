/* recorder.c - writes recordings (recording.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/why.h"
#include "cli/runs/recording.h"
#include "cli/runs/recording_format.h"

#define LEVEL "4" /* of zlib: most of the gain for a third of the time */

struct recorder {
	gzFile file;
	int error; /* of the first failure */
	uint64_t bytes;
	/* Of the block that is being filled. */
	uint64_t last_ns;
	plm_ref last_ref;
	uint64_t told[BLOCK_FUNCTIONS / 64]; /* functions whose names stand in the block */
	uint32_t length;
	uint8_t block[BLOCK_BYTES];
};

static void recorder_number(struct recorder *r, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		r->block[r->length++] = (uint8_t)(number | 0x80);
	r->block[r->length++] = (uint8_t)number;
}

static void recorder_text(struct recorder *r, const char *text, size_t size)
{
	size_t n = strnlen(text, size);
	recorder_number(r, n);
	memcpy(r->block + r->length, text, n);
	r->length += (uint32_t)n;
}

static void recorder_time(struct recorder *r, uint64_t ns)
{
	recorder_number(r, zigzag((int64_t)(ns - r->last_ns)));
	r->last_ns = ns;
}

/* Numbers of processes and workers: NOBODY becomes 0. */
static void recorder_who(struct recorder *r, uint32_t who)
{
	recorder_number(r, (uint64_t)(uint32_t)(who + 1));
}

static int recorder_failed(struct recorder *r)
{
	int code = Z_OK;
	const char *text = gzerror(r->file, &code);
	int error = code == Z_ERRNO && errno ? errno : EIO;
	r->error = why(-error, "the recording cannot be written on: %s",
	    code == Z_ERRNO ? strerror(error) : text);
	return r->error;
}

static int recorder_write(struct recorder *r, const void *data, unsigned length)
{
	errno = 0;
	if (gzwrite(r->file, data, length) != (int)length)
		return recorder_failed(r);
	r->bytes += length;
	return 0;
}

static void recorder_begin_block(struct recorder *r)
{
	r->length = 0;
	r->last_ns = 0;
	r->last_ref = PLM_NONE;
	memset(r->told, 0, sizeof r->told);
}

static int recorder_end_block(struct recorder *r)
{
	if (r->length == 0 || r->error)
		return r->error;
	uint32_t crc = (uint32_t)crc32(0, r->block, r->length);
	uint8_t head[BLOCK_HEAD_WORDS * 4];
	const uint32_t word[BLOCK_HEAD_WORDS] = { BLOCK_MAGIC, r->length, crc };
	for (int i = 0; i < BLOCK_HEAD_WORDS; i++)
		for (int j = 0; j < 4; j++)
			head[4 * i + j] = (uint8_t)(word[i] >> 8 * j);
	int error = recorder_write(r, head, sizeof head);
	if (error == 0)
		error = recorder_write(r, r->block, r->length);
	recorder_begin_block(r);
	return error;
}

static void recorder_put_head(struct recorder *r, const struct recording_head *head)
{
	r->block[r->length++] = TAG_HEAD;
	recorder_number(r, head->runtime);
	recorder_number(r, zigzag(head->wall_offset_ns));
	recorder_number(r, zigzag(head->boot_offset_ns));
	recorder_number(r, head->begin_ns);
	recorder_number(r, head->records_max);
	recorder_number(r, head->processes_max);
	recorder_number(r, head->cores);
	recorder_number(r, head->workers);
	recorder_number(r, head->store_bytes);
	recorder_number(r, head->memory_total);
	recorder_text(r, head->name, sizeof head->name);
	recorder_text(r, head->version, sizeof head->version);
}

int recorder_open(struct recorder **ret, int fd, bool packed, const struct recording_head *head)
{
	struct recorder *r = calloc(1, sizeof *r);
	gzFile file = r ? gzdopen(fd, packed ? "wb" LEVEL : "wbT") : NULL;
	if (!file) {
		close(fd);
		free(r);
		return why(-ENOMEM, "no memory for a recording");
	}
	gzbuffer(file, BLOCK_BYTES);
	r->file = file;
	recorder_begin_block(r);
	int error = recorder_write(r, RECORDING_MAGIC, RECORDING_MAGIC_BYTES);
	recorder_put_head(r, head);
	if (error == 0)
		error = recorder_end_block(r);
	if (error < 0) {
		recorder_close(&r, false, 0);
		return error;
	}
	*ret = r;
	return 0;
}

/* Writes the name of the function, if the block does not have it yet. Numbers beyond the table
 * are named each time. */
static void recorder_name(struct recorder *r, const plm_event *event)
{
	uint32_t number = event->function;
	bool small = number < BLOCK_FUNCTIONS;
	if (!event->function_name[0] || (small && r->told[number / 64] >> number % 64 & 1))
		return;
	if (small)
		r->told[number / 64] |= (uint64_t)1 << number % 64;
	r->block[r->length++] = TAG_FUNCTION;
	recorder_number(r, number);
	recorder_text(r, event->function_name, sizeof event->function_name);
}

static unsigned recorder_flags(const struct recorder *r, const plm_event *event)
{
	unsigned flags = 0;
	flags |= event->worker != PLM_NOBODY ? EVENT_HAS_WORKER : 0;
	flags |= event->function != PLM_NOBODY ? EVENT_HAS_FUNCTION : 0;
	flags |= event->process != PLM_NOBODY ? EVENT_HAS_PROCESS : 0;
	flags |= event->other.id ? EVENT_HAS_OTHER : 0;
	flags |= event->argument ? EVENT_HAS_ARGUMENT : 0;
	flags |= event->attempt ? EVENT_HAS_ATTEMPT : 0;
	if (event->ref.id)
		flags |= event->ref.id == r->last_ref.id ? EVENT_SAME_REF : EVENT_HAS_REF;
	return flags;
}

static void recorder_ref(struct recorder *r, plm_ref ref)
{
	recorder_number(r, (uint32_t)ref.id);
	recorder_number(r, ref.id >> 32);
}

static void recorder_put_event(struct recorder *r, const plm_event *event)
{
	if (event->kind <= 0 || event->kind > TAG_EVENTS_MAX)
		return;
	recorder_name(r, event);
	unsigned flags = recorder_flags(r, event);
	r->block[r->length++] = (uint8_t)event->kind;
	r->block[r->length++] = (uint8_t)flags;
	recorder_time(r, event->time_ns);
	if (flags & EVENT_HAS_PROCESS)
		recorder_number(r, event->process);
	if (flags & EVENT_HAS_WORKER)
		recorder_number(r, event->worker);
	if (flags & EVENT_HAS_FUNCTION)
		recorder_number(r, event->function);
	if (flags & EVENT_HAS_REF)
		recorder_ref(r, event->ref);
	if (flags & EVENT_HAS_ATTEMPT)
		recorder_number(r, event->attempt);
	if (flags & EVENT_HAS_OTHER)
		recorder_ref(r, event->other);
	if (flags & EVENT_HAS_ARGUMENT)
		recorder_number(r, zigzag((int64_t)event->argument));
	if (event->ref.id)
		r->last_ref = event->ref;
}

static void recorder_put_sample(struct recorder *r, const struct runs_sample *sample)
{
	const struct run_counters *c = &sample->counters;
	r->block[r->length++] = TAG_SAMPLE;
	recorder_time(r, sample->time_ns);
	recorder_number(r, c->known);
	recorder_number(r, c->waiting);
	recorder_number(r, c->queued);
	recorder_number(r, c->running);
	recorder_number(r, c->store_bytes);
	recorder_number(r, c->memory_free);
}

static void recorder_put_process(struct recorder *r, const struct runs_process *process)
{
	r->block[r->length++] = TAG_PROCESS;
	recorder_time(r, process->time_ns);
	recorder_who(r, process->process);
	recorder_who(r, process->worker);
	recorder_number(r, process->pid);
	recorder_ref(r, process->running);
	recorder_number(r, process->run_ns);
	recorder_text(r, process->function, sizeof process->function);
}

int recorder_add(struct recorder *r, const struct recording_item *item)
{
	if (r->error)
		return r->error;
	if (r->length + ITEM_BYTES > BLOCK_BYTES && recorder_end_block(r) < 0)
		return r->error;
	switch (item->kind) {
	case ITEM_EVENT: recorder_put_event(r, &item->event); break;
	case ITEM_SAMPLE: recorder_put_sample(r, &item->sample); break;
	case ITEM_PROCESS: recorder_put_process(r, &item->process); break;
	case ITEM_LOST:
	case ITEM_END:
		r->block[r->length++] = item->kind == ITEM_LOST ? TAG_LOST : TAG_END;
		recorder_time(r, item->time_ns);
		recorder_number(r, item->events);
		break;
	}
	return 0;
}

int recorder_flush(struct recorder *r)
{
	if (recorder_end_block(r) == 0 && gzflush(r->file, Z_SYNC_FLUSH) != Z_OK)
		recorder_failed(r);
	return r->error;
}

uint64_t recorder_bytes(const struct recorder *r)
{
	return r->bytes + r->length;
}

int recorder_close(struct recorder **recorder, bool whole, uint64_t time_ns)
{
	struct recorder *r = *recorder;
	*recorder = NULL;
	if (!r)
		return 0;
	const struct recording_item end = { .kind = ITEM_END, .time_ns = time_ns };
	if (whole)
		recorder_add(r, &end);
	recorder_end_block(r);
	errno = 0;
	int code = gzclose(r->file), error = r->error;
	if (code != Z_OK && error == 0)
		error = why(errno ? -errno : -EIO, "the recording cannot be written on: %s",
		    errno ? strerror(errno) : "zlib failed");
	free(r);
	return error;
}
