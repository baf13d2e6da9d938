/* recording.c - reads recordings (recording.h). Nothing in the file is believed. */
#include "cli/runs/recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/why.h"
#include "cli/runs/recording_format.h"
#include "cli/runs/runs_names.h"

enum { LEB_BITS = 7, WORD_BITS = 64 };

struct recording {
	gzFile file;
	struct recording_head head;
	bool whole; /* the mark of the end was read */
	bool torn;  /* bytes are missing at the end */
	uint64_t damaged;
	/* Of the block that is being read. */
	uint64_t last_ns;
	plm_ref last_ref;
	uint32_t length, at;
	bool wrong; /* an item made no sense */
	uint8_t block[BLOCK_BYTES];
	struct run_names names; /* of functions */
};

/* ---- fields ---- */

static uint64_t recording_number(struct recording *r)
{
	uint64_t number = 0;
	for (unsigned shift = 0; shift < WORD_BITS; shift += LEB_BITS) {
		if (r->at == r->length)
			break;
		uint8_t byte = r->block[r->at++];
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return number;
	}
	r->wrong = true;
	return 0;
}

static uint32_t recording_small(struct recording *r)
{
	uint64_t number = recording_number(r);
	r->wrong |= number > UINT32_MAX;
	return (uint32_t)number;
}

static uint32_t recording_who(struct recording *r)
{
	return recording_small(r) - 1;
}

static uint64_t recording_time(struct recording *r)
{
	r->last_ns += (uint64_t)zagzig(recording_number(r));
	return r->last_ns;
}

static uint8_t recording_byte(struct recording *r)
{
	if (r->at < r->length)
		return r->block[r->at++];
	r->wrong = true;
	return 0;
}

/* Cut to the field. Control bytes in names are the business of the program that shows them. */
static void recording_text(struct recording *r, char *ret, size_t size)
{
	uint64_t n = recording_number(r);
	memset(ret, 0, size);
	if (r->wrong || n > r->length - r->at) {
		r->wrong = true;
		return;
	}
	memcpy(ret, r->block + r->at, n < size ? n : size - 1);
	ret[size - 1] = 0;
	r->at += (uint32_t)n;
}

static plm_ref recording_ref(struct recording *r)
{
	uint64_t low = recording_small(r), high = recording_small(r);
	plm_ref ref = { .id = high << 32 | low };
	ref.runtime = ref.id ? r->head.runtime : 0;
	return ref;
}

/* ---- blocks ---- */

/* 1: all bytes; 0: the file ends here. */
static int recording_bytes(struct recording *r, void *ret, unsigned length)
{
	unsigned got = 0;
	while (got < length) {
		int n = gzread(r->file, (uint8_t *)ret + got, length - got);
		if (n <= 0) {
			int code;
			gzerror(r->file, &code);
			r->torn |= got > 0 || n < 0 || code == Z_BUF_ERROR;
			return 0;
		}
		got += (unsigned)n;
	}
	return 1;
}

static uint32_t recording_word(const uint8_t *byte)
{
	return byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 | (uint32_t)byte[3] << 24;
}

/* The next sound block. 1, or 0 at the end. */
static int recording_block(struct recording *r)
{
	uint8_t head[BLOCK_HEAD_WORDS * 4];
	for (;;) {
		r->length = r->at = 0;
		r->last_ns = 0;
		r->last_ref = PLM_NONE;
		if (!recording_bytes(r, head, sizeof head))
			return 0;
		uint32_t length = recording_word(head + 4);
		if (recording_word(head) != BLOCK_MAGIC || length > BLOCK_BYTES) {
			r->damaged++; /* where the next block begins is unknown */
			r->torn = true;
			return 0;
		}
		if (!recording_bytes(r, r->block, length)) {
			r->torn = true;
			return 0;
		}
		if ((uint32_t)crc32(0, r->block, length) == recording_word(head + 8)) {
			r->length = length;
			return 1;
		}
		r->damaged++;
	}
}

/* ---- items ---- */

static void recording_take_function(struct recording *r)
{
	char text[RUN_NAME_BYTES];
	uint32_t number = recording_small(r);
	recording_text(r, text, sizeof text);
	names_learn(&r->names, number, text);
}

static void recording_take_event(struct recording *r, int kind, plm_event *event)
{
	memset(event, 0, sizeof *event);
	unsigned flags = recording_byte(r);
	event->kind = kind;
	event->time_ns = recording_time(r);
	event->process = flags & EVENT_HAS_PROCESS ? recording_small(r) : PLM_NOBODY;
	event->worker = flags & EVENT_HAS_WORKER ? recording_small(r) : PLM_NOBODY;
	event->function = flags & EVENT_HAS_FUNCTION ? recording_small(r) : PLM_NOBODY;
	if (flags & EVENT_HAS_REF)
		event->ref = recording_ref(r);
	else if (flags & EVENT_SAME_REF)
		event->ref = r->last_ref;
	event->attempt = flags & EVENT_HAS_ATTEMPT ? recording_small(r) : 0;
	if (flags & EVENT_HAS_OTHER)
		event->other = recording_ref(r);
	if (flags & EVENT_HAS_ARGUMENT)
		event->argument = (uint64_t)zagzig(recording_number(r));
	if (event->ref.id)
		r->last_ref = event->ref;
	const char *name = names_of(&r->names, event->function);
	if (name[0])
		memcpy(event->function_name, name, RUN_NAME_BYTES);
}

static void recording_take_sample(struct recording *r, struct runs_sample *sample)
{
	sample->time_ns = recording_time(r);
	sample->counters = (struct run_counters){ .known = recording_small(r) };
	sample->counters.waiting = recording_number(r);
	sample->counters.queued = recording_number(r);
	sample->counters.running = recording_number(r);
	sample->counters.store_bytes = recording_number(r);
	sample->counters.memory_free = recording_number(r);
}

static void recording_take_process(struct recording *r, struct runs_process *process)
{
	process->time_ns = recording_time(r);
	process->process = recording_who(r);
	process->worker = recording_who(r);
	process->pid = recording_small(r);
	process->running = recording_ref(r);
	process->run_ns = recording_number(r);
	recording_text(r, process->function, sizeof process->function);
}

static void recording_take_head(struct recording *r)
{
	struct recording_head *head = &r->head;
	head->runtime = recording_number(r);
	head->wall_offset_ns = zagzig(recording_number(r));
	head->boot_offset_ns = zagzig(recording_number(r));
	head->begin_ns = recording_number(r);
	head->records_max = recording_number(r);
	head->processes_max = recording_number(r);
	head->cores = recording_number(r);
	head->workers = recording_number(r);
	head->store_bytes = recording_number(r);
	head->memory_total = recording_number(r);
	recording_text(r, head->name, sizeof head->name);
	recording_text(r, head->version, sizeof head->version);
}

/* The item at the present place. False: it was none, or it made no sense. */
static bool recording_take(struct recording *r, struct recording_item *ret)
{
	int tag = recording_byte(r);
	if (tag >= 1 && tag <= TAG_EVENTS_MAX) {
		ret->kind = ITEM_EVENT;
		recording_take_event(r, tag, &ret->event);
		return !r->wrong;
	}
	switch (tag) {
	case TAG_FUNCTION: recording_take_function(r); return false;
	case TAG_SAMPLE:
		ret->kind = ITEM_SAMPLE;
		recording_take_sample(r, &ret->sample);
		break;
	case TAG_PROCESS:
		ret->kind = ITEM_PROCESS;
		recording_take_process(r, &ret->process);
		break;
	case TAG_LOST:
	case TAG_END:
		ret->kind = tag == TAG_LOST ? ITEM_LOST : ITEM_END;
		ret->time_ns = recording_time(r);
		ret->events = recording_number(r);
		r->whole |= tag == TAG_END && !r->wrong;
		break;
	default: r->wrong = true; break;
	}
	return !r->wrong;
}

int recording_next(struct recording *r, struct recording_item *ret)
{
	for (;;) {
		while (r->at < r->length) {
			bool taken = recording_take(r, ret);
			if (r->wrong) { /* the rest of the block cannot be told apart */
				r->damaged++;
				r->wrong = false;
				r->at = r->length;
			} else if (taken) {
				return 1;
			}
		}
		if (!recording_block(r))
			return 0;
	}
}

/* ---- opening ---- */

static int recording_begin(struct recording *r, const char *what)
{
	char magic[RECORDING_MAGIC_BYTES];
	r->whole = r->torn = r->wrong = false;
	r->damaged = 0;
	if (!recording_bytes(r, magic, sizeof magic) ||
	    memcmp(magic, RECORDING_MAGIC, RECORDING_MAGIC_BYTES - 2) != 0)
		return why(-EINVAL,
		    "%s is not a recording: `plmctl trace --record FILE.plmrec` makes one", what);
	if (memcmp(magic, RECORDING_MAGIC, RECORDING_MAGIC_BYTES) != 0)
		return why(-EINVAL,
		    "%s was recorded by another version of plmctl (layout %d, here %d)", what,
		    magic[RECORDING_MAGIC_BYTES - 2], RECORDING_MAGIC[RECORDING_MAGIC_BYTES - 2]);
	if (!recording_block(r) || recording_byte(r) != TAG_HEAD)
		return why(-EINVAL, "%s has no head: the recording ended before it began", what);
	recording_take_head(r);
	if (r->wrong)
		return why(-EINVAL, "%s has a damaged head", what);
	r->at = r->length; /* a later version may say more */
	return 0;
}

int recording_open(struct recording **ret, int fd, const char *what)
{
	struct recording *r = calloc(1, sizeof *r);
	gzFile file = r ? gzdopen(fd, "rb") : NULL;
	if (!file) {
		close(fd);
		free(r);
		return why(-ENOMEM, "no memory to read a recording");
	}
	r->file = file;
	gzbuffer(file, BLOCK_BYTES);
	int error = recording_begin(r, what);
	if (error < 0) {
		recording_close(&r);
		return error;
	}
	*ret = r;
	return 0;
}

const struct recording_head *recording_head(const struct recording *r)
{
	return &r->head;
}

int recording_rewind(struct recording *r)
{
	if (gzrewind(r->file) != 0)
		return why(-EIO, "a recording must be a file that can be read twice, not a pipe");
	return recording_begin(r, "the recording");
}

void recording_close(struct recording **recording)
{
	struct recording *r = *recording;
	if (!r)
		return;
	gzclose(r->file);
	names_free(&r->names);
	free(r);
	*recording = NULL;
}

bool recording_is_cut(const struct recording *r)
{
	return r->torn || !r->whole;
}

uint64_t recording_damaged(const struct recording *r)
{
	return r->damaged;
}
