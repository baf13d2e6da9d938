/* zygote.h - the messages between the manager and a zygote, a process with a Python interpreter
 * that forks workers (manager/nursery.h).
 *
 * Where: a socket of packets, each packet one message. The manager sends a struct worker_order for
 * each worker, with the descriptors of the worker (enum zygote_given). The zygote says a hello
 * first, then an answer for each order; the answer brings the pidfd of the worker. Both ends are of
 * one user; a message of another size is refused. Death: of the zygote: its orders without an
 * answer go to the next zygote. */
#ifndef PLM_ZYGOTE_H
#define PLM_ZYGOTE_H

#include <stdint.h>

enum { ZYGOTE_SOCKET = 3 }; /* the descriptor of a zygote */
enum zygote_given {         /* the order of the descriptors that come with a worker_order */
	ZYGOTE_CONTROL,
	ZYGOTE_STORE,
	ZYGOTE_BELL,
	ZYGOTE_LOCK,
	ZYGOTE_GIVEN,
};

#define ZYGOTE_HELLO UINT32_C(0x504c4d48)
#define ZYGOTE_ANSWER UINT32_C(0x504c4d41)
enum { ZYGOTE_VERSION_BYTES = 24, ZYGOTE_TEXT_BYTES = 400 };

struct zygote_hello {
	uint32_t magic;
	uint32_t abi; /* plan_abi() */
	int32_t code; /* 0: serves; else -errno, with the text: the zygote ends */
	char version[ZYGOTE_VERSION_BYTES];
	char text[ZYGOTE_TEXT_BYTES];
};

struct zygote_answer {
	uint32_t magic;
	uint32_t slot, generation; /* as in the order */
	int32_t pid;               /* of the worker; -errno: no worker was born */
};

#endif
