/* admission.h - the door: which process may come in, and what a client may ask of the manager.
 *
 * Where: the manager.  Blocks: never.  Errors: a message to the client.
 * Death of the manager: clients go on in shared memory, and come to the next manager's door when
 * they want something (DOOR_AGAIN). */
#ifndef PLM_ADMISSION_H
#define PLM_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

struct manager;

struct door {
	int socket;
	bool rests;       /* not watched: no descriptor was free for a client */
	uint64_t due_ns;  /* when to look for a descriptor in any case */
	uint64_t told_ns; /* when the log last said so */
};

int admission_open(struct manager *m);
void admission_accept(struct manager *m);
void admission_step(struct manager *m); /* watches a resting door again */
void admission_hello(struct manager *m, int socket);
void admission_request(struct manager *m, uint32_t slot);
void admission_client_died(struct manager *m, uint32_t slot);

#endif
