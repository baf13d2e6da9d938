/* sample.h - a fleet at a moment, for people who watch: the numbers of the queue, the hosts, and
 * how many tasks ended since the sample before. Allocates: room for the hosts.  Blocks: for two
 * answers of the engine. */
#ifndef PLM_FLEET_SAMPLE_H
#define PLM_FLEET_SAMPLE_H

#include "fleet/engine.h"

struct fleet_host_sample {
	char member[ENGINE_MEMBER_BYTES], name[100], state[12], order[12], runtime[40], version[16];
	uint64_t seen_ms, claimed, cores, busy, memory_total, memory_used, finished;
	int pid;
	double rate; /* tasks ended a second */
};

struct fleet_sample {
	uint64_t at_ns; /* clock_ns(); 0: none was taken yet */
	struct engine_status status;
	struct fleet_host_sample *host; /* by name; present hosts first */
	size_t hosts, room;
	double rate; /* of all hosts */
};

/* Takes a sample in place of the one before. Of hosts of equal names the one with the latest sign
 * of life stays: a host that joined anew. 0, or an error of engine.h, and the sample before stays.
 */
int fleet_sample_take(struct engine *e, struct fleet_sample *s);
void fleet_sample_free(struct fleet_sample *s);

#endif
