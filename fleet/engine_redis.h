/* engine_redis.h - the connection to a Redis or Valkey: the ground of the verbs.
 * Only engine_*.c and fleet_lua.c include this file. */
#ifndef PLM_FLEET_ENGINE_REDIS_H
#define PLM_FLEET_ENGINE_REDIS_H

#include <hiredis/hiredis.h>

#include "fleet/engine.h"
#include "fleet/soon.h"

#define ENGINE_FUNCTIONS "plm_fleet_2"

struct engine {
	struct fleet_url url;
	int timeout_ms;
	redisContext *verbs, *heard;    /* NULL: not connected */
	struct soon answers, told;      /* waits for the verbs, and for messages */
	redisReply *reply;              /* of the last verb: rows point into it */
	redisReply *news;               /* the last message: values point into it */
	size_t news_at, news_in_record; /* what of it was given out */
	char prefix[FLEET_QUEUE_BYTES + 8];
	char channel[FLEET_QUEUE_BYTES + 64]; /* heard; "": none */
	char token[ENGINE_MEMBER_BYTES];
	char epoch[24];
	uint64_t epoch_number, lease_ms;
	uint8_t secret[CARRY_SECRET_BYTES];
	char own[CARRY_ADDRESS_BYTES]; /* engine_own_address() */
	uint64_t *end;                 /* engine_orders.end */
	char *request;                 /* the words of the next verb, in the protocol of Redis */
	size_t request_bytes, request_room, request_words;
};

/* ---- engine_call.c: one verb ---- */

void engine_begin(struct engine *e, const char *verb); /* also appends prefix and epoch */
void engine_bytes(struct engine *e, const void *data, size_t n);
void engine_text(struct engine *e, const char *text);
/* A word of n bytes, to be filled before the next word begins. */
char *engine_space(struct engine *e, size_t n);
void engine_number(struct engine *e, int64_t number);
/* Sends the verb; the reply is e->reply until the next engine_begin(). 0 or an error of engine.h.
 */
int engine_call(struct engine *e);
/* The words are a command of Redis. */
int engine_command(struct engine *e, const char *const *word, const size_t *length, int n);

bool engine_readable(void *fd); /* a soon_ready_f; fd: an int */

/* Parts of the reply; a missing part is 0 or "". */
size_t engine_parts(const struct engine *e);
const redisReply *engine_part(const struct engine *e, size_t i);
int64_t engine_part_number(const struct engine *e, size_t i);
const char *engine_part_text(const struct engine *e, size_t i);

/* ---- engine_connect.c ---- */

/* A connection of its own, which a password has let in. */
int engine_connect(struct engine *e, redisContext **ret);
int engine_load(struct engine *e); /* the functions of fleet.lua */
int engine_broken(struct engine *e, const char *reason);
uint64_t engine_random(void);

/* ---- engine_hear.c ---- */

int engine_hear(struct engine *e, const char *channel); /* opens e->heard */

/* ---- fleet_lua.c ---- */

const char *fleet_lua(size_t *ret_bytes);

#endif
