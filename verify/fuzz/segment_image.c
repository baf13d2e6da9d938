#include "verify/fuzz/segment_image.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "verify/fuzz/fuzz.h"
#include "tables/segment_plan.h"
#include "tests/support/world.h"

enum { LARGE_BYTES = 9000, RESULTS = 3 };

static struct image image;

static struct copy { /* of a segment */
	char *sound, *damaged;
	size_t bytes;
} control, store;

static struct plan plan;

/* ---- the sound image ---- */

static void image_remember(plm_ref ref)
{
	FUZZ_REQUIRE(image.refs < IMAGE_REFS_MAX);
	image.ref[image.refs++] = ref;
}

static plm_ref image_submit(const char *function, const plm_arg *args, size_t n, unsigned results)
{
	plm_ref ref = world_submit(&world.a, function, args, n, results, 0, 1);
	image_remember(ref);
	return ref;
}

/* Tasks that are done, failed, failed through a dependency, cancelled; objects of both sizes. */
static void settle_some(void)
{
	static char large[LARGE_BYTES];
	memset(large, 'x', sizeof large);
	image_remember(world_put(&world.a, "small", 5));
	plm_ref object = world_put(&world.a, large, sizeof large);
	image_remember(object);
	image_submit("probe.echo", &PLM_BYTES("here", 4), 1, 1);
	image_submit("probe.echo", &PLM_FUTURE(object), 1, 1);
	plm_ref failing = image_submit("probe.fail", NULL, 0, 1);
	image_submit("probe.echo", &PLM_FUTURE(failing), 1, 1);
	world_work();
	FUZZ_REQUIRE(plm_keep(&world.a, object) == 0);
	plm_ref cancelled = image_submit("probe.noop", NULL, 0, 1);
	FUZZ_REQUIRE(plm_cancel(&world.a, cancelled, PLM_GRACE_OF_TASK) == 0);
	world_settle();
}

/* Tasks that run, wait, are queued, were just submitted; an object that is being filled. */
static void leave_some_open(void)
{
	static const plm_terms terms = { .needs = "cpus=1", .run_ms = 1000, .backoff_ms = 10 };
	static char large[LARGE_BYTES];
	plm_ref object, needy, parts[RESULTS];
	void *data;
	plm_ref running = image_submit("probe.noop", NULL, 0, 1);
	world_settle();
	world_claim_only(running);
	plm_ref waiting = image_submit(
	    "probe.echo", (plm_arg[]){ PLM_FUTURE(running), PLM_BYTES(large, LARGE_BYTES) }, 2, 1);
	image_submit("probe.echo", &PLM_FUTURE(waiting), 1, 1);
	plm_task task = { .function = "probe.noop", .terms = &terms, .priority = 3 };
	FUZZ_REQUIRE(plm_submit(&world.a, &task, &needy) == 0);
	image_remember(needy);
	plm_task many = { .function = "probe.noop", .results = RESULTS };
	FUZZ_REQUIRE(plm_submit(&world.a, &many, parts) == 0);
	image_remember(parts[0]);
	image_remember(parts[1]);
	FUZZ_REQUIRE(plm_create(&world.a, LARGE_BYTES, &data, &object) == 0);
	image_remember(object);
	world_settle();
	image_submit("probe.noop", NULL, 0, 1); /* the task's hint is still in the ring */
}

static int copy_make(struct copy *copy, const char *name, const void *sound, size_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	FUZZ_REQUIRE(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
	copy->bytes = bytes;
	copy->sound = malloc(bytes);
	copy->damaged = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	FUZZ_REQUIRE(copy->sound && copy->damaged != MAP_FAILED);
	memcpy(copy->sound, sound, bytes);
	return fd;
}

static void image_make(void)
{
	world_boot();
	settle_some();
	leave_some_open();
	struct tables *t = &world.tables;
	FUZZ_REQUIRE(process_claim(&t->process[IMAGE_JOINING], KIND_CLIENT, 0, "joining"));
	plan_make(&t->limits, &plan);
	image.control_fd =
	    copy_make(&control, "control", t->control_segment.header, t->control_segment.bytes);
	image.store_fd =
	    copy_make(&store, "store", t->store_segment.header, t->store_segment.bytes);
}

const struct image *image_get(void)
{
	if (image.refs == 0)
		image_make();
	return &image;
}

void image_path(char ret[IMAGE_PATH_BYTES])
{
	snprintf(ret, IMAGE_PATH_BYTES, "/proc/self/fd/%d", image.control_fd);
}

void image_store_path(char ret[IMAGE_PATH_BYTES])
{
	snprintf(ret, IMAGE_PATH_BYTES, "/proc/self/fd/%d", image.store_fd);
}

/* ---- damage ---- */

struct part {
	char *at;
	size_t bytes;
};

/* The part that the first byte of a patch names. Small and important parts have as many numbers
 * as large parts. */
static struct part part_of(uint8_t which)
{
	char *base = control.damaged;
	const struct {
		size_t from, to;
	} parts[] = {
		{ 0, sizeof(struct segment_header) },
		{ plan.control, plan.control + sizeof(struct control) },
		{ plan.process, plan.process + WORLD_SLOTS * sizeof(struct process) },
		{ plan.registry, plan.registry + sizeof(struct registry_shm) },
		{ plan.terms, plan.terms + sizeof(struct terms_shm) },
		{ plan.rings, plan.rings + WORLD_SLOTS * plan_ring_bytes() },
		{ plan.worker_heap, plan.record },
		{ plan.record, plan.record + IMAGE_REFS_MAX * sizeof(struct record) },
		{ plan.record, plan.record + IMAGE_REFS_MAX * sizeof(struct record) },
		{ plan.pool, plan.task_heap },
		{ plan.task_heap, plan.arena[0] },
		{ plan.arena[0], plan.total },
		{ 0, control.bytes },
	};
	size_t n = which % (COUNT_OF(parts) + 1);
	if (n == COUNT_OF(parts)) /* arguments and values */
		return (struct part){ store.damaged + SEGMENT_HEADER_BYTES, 2 * LARGE_BYTES };
	return (struct part){ base + parts[n].from, parts[n].to - parts[n].from };
}

static void image_set(char *at, const void *value, size_t bytes)
{
	memcpy(at, value, bytes);
}

static void image_patch(const uint8_t p[PATCH_BYTES])
{
	struct part part = part_of(p[0]);
	uint16_t where;
	uint32_t number, now;
	memcpy(&where, p + 2, sizeof where);
	memcpy(&number, p + 4, sizeof number);
	size_t at = (size_t)where * sizeof number % (part.bytes - sizeof(uint64_t));
	uint64_t wide = number, ones = UINT64_MAX;
	memcpy(&now, part.at + at, sizeof now);
	switch (p[1] % 6) {
	case 0: image_set(part.at + at, &number, sizeof number); break;
	case 1: image_set(part.at + at, &wide, sizeof wide); break;
	case 2: image_set(part.at + at, &ones, sizeof ones); break;
	case 3:
		now ^= number;
		image_set(part.at + at, &now, sizeof now);
		break;
	case 4:
		now += number;
		image_set(part.at + at, &now, sizeof now);
		break;
	default: image_set(part.at + at, &number, 1); break;
	}
}

/* ---- locks ---- */

static void mend_lock(const struct lock *lock)
{
	size_t at =
	    (size_t)((const char *)lock->shm - (const char *)world.tables.control_segment.header);
	memcpy(control.damaged + at, control.sound + at, sizeof *lock->shm);
}

static void mend_locks(void)
{
	const struct tables *t = &world.tables;
	const struct lock *const locks[] = { &t->graph_lock, &t->pool.lock, &t->task_heap.lock,
		&t->worker_heap.lock, &t->arena[0].lock, &t->arena[0].grow_lock,
		&t->registry.lock };
	for (size_t i = 0; i < COUNT_OF(locks); i++)
		mend_lock(locks[i]);
}

void image_damage(const uint8_t *data, size_t length, bool locks)
{
	image_get();
	memcpy(control.damaged, control.sound, control.bytes);
	memcpy(store.damaged, store.sound, SEGMENT_HEADER_BYTES + 4 * LARGE_BYTES);
	for (size_t i = 0; i < PATCHES_MAX && (i + 1) * PATCH_BYTES <= length; i++)
		image_patch(data + i * PATCH_BYTES);
	if (!locks)
		mend_locks();
}
