/* devices.c - GPUs: how many, their names, and which workers have them.
 *
 * Kinds of workers with gpus=N have so many. Otherwise the detected GPUs, or the number in --gpus,
 * are dealt to the workers as evenly as possible. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/why.h"
#include "manager/options.h"
#include "topology/topology.h"

_Static_assert((int)GPU_ID_BYTES == (int)DEVICE_ID_BYTES, "an id is copied as it is");

/* hwloc takes longer to read every bus than the rest of a boot, so look for a driver first. */
static bool devices_may_have_gpus(void)
{
	return access("/dev/nvidiactl", F_OK) == 0 || access("/dev/kfd", F_OK) == 0;
}

static uint32_t devices_detect(struct gpu gpus[GPUS_MAX])
{
	struct topology *topology;
	if (devices_may_have_gpus() && !topology_sees_devices())
		log_warn("GPUs are not looked for: hwloc has no plugins here (Debian: "
			 "libhwloc-plugins); install them, or give --gpus N");
	if (!devices_may_have_gpus() || topology_open(TOPOLOGY_ALL, &topology) < 0)
		return 0;
	uint32_t n = topology_gpus(topology, gpus);
	topology_close(&topology);
	return n < DEVICES_MAX ? n : DEVICES_MAX;
}

static uint64_t devices_named(const struct options *o)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < o->kinds; i++)
		n += o->kind[i].count * o->kind[i].amount[RESOURCE_GPUS] / AMOUNT_UNIT;
	return n;
}

/* Splits the kind in two: workers with an additional GPU come first. */
static int devices_deal(struct options *o, uint32_t gpus)
{
	struct worker_kind plain = o->kind[0];
	uint32_t more = gpus % plain.count, each = gpus / plain.count;
	if (o->kinds > 1)
		return why(-EINVAL,
		    "--gpus deals GPUs to workers of one kind; with several kinds, say in "
		    "each kind how many its workers have, as in 'gpus=1,cpus=2 x2'");
	if (gpus == 0)
		return 0;
	o->kinds = 0;
	for (uint32_t i = 0; i < 2; i++) {
		struct worker_kind kind = plain;
		kind.count = i == 0 ? more : plain.count - more;
		kind.amount[RESOURCE_GPUS] = (uint64_t)(each + (i == 0)) * AMOUNT_UNIT;
		if (kind.count)
			o->kind[o->kinds++] = kind;
	}
	return 0;
}

int devices_plan(struct options *o)
{
	struct gpu found[GPUS_MAX];
	uint32_t n = devices_detect(found);
	for (uint32_t i = 0; i < DEVICES_MAX; i++)
		if (i < n)
			memcpy(o->device[i], found[i].id, sizeof o->device[i]);
		else
			snprintf(o->device[i], sizeof o->device[i], "%u", i);
	if (o->gpus == GPUS_AS_DETECTED && (devices_named(o) || o->kinds > 1))
		return 0;
	if (devices_named(o))
		return why(-EINVAL, "give --gpus, or gpus= in the kinds of workers, not both");
	return devices_deal(o, o->gpus == GPUS_AS_DETECTED ? n : o->gpus);
}
