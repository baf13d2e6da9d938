#include "tables/args.h"

#include <string.h>

bool args_open(const struct tables *t, struct record *r, struct args_reader *ret)
{
	uint32_t granule = sh_load(&r->args);
	uint64_t bytes = r->args_bytes;
	uint32_t nargs = r->nargs;
	unsigned char *block = r->args_inline;
	if (granule) {
		if (!store_readable(t, granule, bytes))
			return false;
		block = store_writable(t, granule);
	} else if (bytes > RECORD_INLINE_ARGS) {
		return false;
	}
	if (args_header_bytes(nargs) > bytes)
		return false;
	*ret = (struct args_reader){
		.block = block, .bytes = bytes, .nargs = nargs, .at = args_header_bytes(nargs)
	};
	return true;
}

bool args_next(struct args_reader *reader, struct arg *ret)
{
	if (reader->next >= reader->nargs)
		return false;
	uint32_t descriptor;
	memcpy(&descriptor, reader->block + (size_t)reader->next * sizeof descriptor,
	    sizeof descriptor);
	bool future = (descriptor & ARG_FUTURE) != 0;
	uint32_t condition = descriptor & ~ARG_FUTURE;
	uint64_t length = future ? sizeof(struct arg_future) : descriptor;
	if (length > reader->bytes - reader->at || (future && condition >= ARG_CONDITIONS))
		return false;
	unsigned char *payload = reader->block + reader->at;
	*ret = (struct arg){ .data = payload,
		.length = length,
		.offset = (uint32_t)reader->at,
		.future = future ? (struct arg_future *)(void *)payload : NULL,
		.condition = future ? (enum arg_condition)condition : ARG_VALUE };
	reader->at += args_round(length);
	if (reader->at > reader->bytes)
		reader->at = reader->bytes;
	reader->next++;
	return true;
}

bool arg_met(enum arg_condition condition, enum record_state state)
{
	switch (condition) {
	case ARG_AFTER_ANY: return state_settled(state);
	case ARG_AFTER_FAILED: return state_settled(state) && state != RECORD_DONE;
	default: return state == RECORD_DONE;
	}
}

struct arg_future *args_future_at(const struct tables *t, struct record *r, uint32_t offset)
{
	struct args_reader reader;
	if (offset % 8 || !args_open(t, r, &reader) || offset < reader.at ||
	    (uint64_t)offset + sizeof(struct arg_future) > reader.bytes)
		return NULL;
	return (struct arg_future *)(void *)(reader.block + offset);
}

void args_begin(struct args_writer *writer, void *block, uint32_t nargs)
{
	*writer = (struct args_writer){ .block = block, .at = args_header_bytes(nargs) };
}

static void args_add(
    struct args_writer *writer, uint32_t descriptor, const void *data, uint64_t length)
{
	memcpy(writer->block + (size_t)writer->next * sizeof descriptor, &descriptor,
	    sizeof descriptor);
	if (length)
		memcpy(writer->block + writer->at, data, length);
	writer->at += args_round(length);
	writer->next++;
}

void args_add_bytes(struct args_writer *writer, const void *data, uint64_t length)
{
	args_add(writer, (uint32_t)length, data, length);
}

void args_add_future(struct args_writer *writer, uint64_t ref, enum arg_condition condition)
{
	const uint64_t future[2] = { ref, 0 };
	_Static_assert(sizeof future == sizeof(struct arg_future), "a reference and a link");
	args_add(writer, ARG_FUTURE | condition, future, sizeof future);
}
