/* fleet_world.h - a fleet for a measurement: a Redis with a file and two hosts, each a machine of
 * its own (fleet_spaces.h), and this process at the desk.
 *
 * Where: this process and its children. Death: Redis and the hosts end with this process; their
 * directory in /tmp stays. Blocks: for answers, at most ANSWER_MS. Allocates: handles. */
#ifndef PLM_BENCH_FLEET_WORLD_H
#define PLM_BENCH_FLEET_WORLD_H

#include <hiredis/hiredis.h>

#include "bench/fleet_spaces.h"
#include "bench/measure.h"
#include "bench/measured_runtime.h"
#include "fleet/engine.h"
#include "fleet/task_words.h"

enum { HOSTS = 2, BATCH = 512, ANSWER_MS = 10000, PLACE_BYTES = 160 };

struct fleet {
	struct bench *bench;
	struct spaces spaces;
	char directory[64], socket[PLACE_BYTES];
	char address[PLACE_BYTES]; /* of Redis, without a queue */
	pid_t redis;
	redisContext *bare;
	struct engine *engine;
	struct runtime host[HOSTS];
	struct task_words words, needy;
	unsigned tasks; /* of a round */
	bool with_needs;
};

/* 0 or -errno, said on stderr. */
int world_open(struct fleet *f, struct bench *bench);
void world_stop_hosts(struct fleet *f);
void world_close(struct fleet *f);

/* A queue of its own in the same Redis. */
int world_queue(const struct fleet *f, const char *name, struct engine **ret);
/* A batch of no-op functions. */
int world_add_batch(struct fleet *f, struct engine *engine);

/* A number of INFO: the text behind `name`. */
double redis_number(struct fleet *f, const char *section, const char *name);
/* Processor time of Redis: of all its threads, and of the one that serves. */
double redis_cpu_us(struct fleet *f);
double redis_serving_us(struct fleet *f);

/* ---- rows: bench_fleet.c calls them in this order ---- */

int print_rates(struct fleet *f);
int print_trip(struct fleet *f);
int print_idle(struct fleet *f);
/* The hosts are gone: the bench plays them. */
int print_queue(struct fleet *f);
int print_hosts(struct fleet *f);

#endif
