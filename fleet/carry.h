/* carry.h - large values on their way between machines: what the host that has a value and the
 *program that wants it say to each other over TCP.
 *
 *	host     hello: a number drawn for this connection
 *	program  wish: which value, and a proof made of both and the secret of the queue
 *	host     answer: an error, or the length; then the bytes
 *
 * The secret is drawn when the queue is made, lies in the engine, and never travels here. The hash
 *of a value lies in the engine, too, so a wrong byte, or a wrong host, is noticed. The bytes are
 *not encrypted. All messages have a fixed length, so that a stranger at the door has nothing to
 *parse. Who: any thread.  Blocks: carry_fetch() until the value is there, or nothing comes for
 * CARRY_SILENT_MS. */
#ifndef PLM_FLEET_CARRY_H
#define PLM_FLEET_CARRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/plm.h"

enum {
	CARRY_SECRET_BYTES = 32,
	CARRY_NUMBER_BYTES = 16,
	CARRY_PROOF_BYTES = 32,
	CARRY_HASH_TEXT = 65, /* BLAKE2b, 256 bits, as text */
	CARRY_ADDRESS_BYTES = 80,
	CARRY_SILENT_MS = 10000,
};

struct carry_hello {
	char magic[8];
	uint8_t number[CARRY_NUMBER_BYTES];
};

struct carry_wish {
	char magic[8];
	uint64_t id, runtime; /* of a plm_ref */
	uint8_t proof[CARRY_PROOF_BYTES];
};

struct carry_answer {
	char magic[8];
	int64_t error; /* 0 or -errno */
	uint64_t bytes;
};

_Static_assert(sizeof(struct carry_hello) == 24 && sizeof(struct carry_wish) == 56 &&
	sizeof(struct carry_answer) == 24,
    "messages travel as they lie in memory");

/* A secret from its text in the engine, 64 digits. False: it is none. */
bool carry_secret(const char *text, uint8_t ret[CARRY_SECRET_BYTES]);
/* 64 digits drawn at random. */
void carry_draw_secret(char ret[CARRY_HASH_TEXT]);

void carry_hash(const void *data, size_t bytes, char ret[CARRY_HASH_TEXT]);

/* Of the host. */
void carry_greet(struct carry_hello *ret);
bool carry_trusts(const struct carry_hello *hello, const struct carry_wish *wish,
    const uint8_t secret[CARRY_SECRET_BYTES]);
void carry_answer(struct carry_answer *ret, int error, uint64_t bytes);
/* All bytes, with pauses of CARRY_SILENT_MS at most. 0 or -errno. */
int carry_send(int fd, const void *data, size_t bytes);
int carry_receive(int fd, void *data, size_t bytes);

struct carry_order {
	char address[CARRY_ADDRESS_BYTES]; /* "HOST PORT" */
	uint8_t secret[CARRY_SECRET_BYTES];
	plm_ref ref;
	uint64_t bytes;
	char hash[CARRY_HASH_TEXT];
};

/* Fetches a value into memory of its length, and compares the hash. 0; -ENODATA: the host has no
 * such value any more; -EACCES: the host does not accept the secret; -EBADMSG: another value came;
 * another -errno: the host cannot be reached, or fell silent. Each with a why. */
int carry_fetch(const struct carry_order *order, void *to);

#endif
