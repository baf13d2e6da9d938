#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "topology/machine.h"

enum {
	PCI_DISPLAY = 0x03, /* the upper half of the class */
	PCI_NVIDIA = 0x10de,
	PCI_AMD = 0x1002,
};

/* ---- which devices ---- */

/* Does a library behind hwloc know the device as a GPU? */
static bool gpus_computes(hwloc_obj_t o)
{
	static const char *const subtypes[] = { "CUDA", "NVML", "RSMI" };
	const char *opencl = hwloc_obj_get_info_by_name(o, "OpenCLDeviceType");
	if (o->type != HWLOC_OBJ_OS_DEVICE || !o->subtype)
		return false;
	for (size_t i = 0; i < COUNT_OF(subtypes); i++)
		if (strcmp(o->subtype, subtypes[i]) == 0)
			return true;
	return opencl && strcmp(opencl, "GPU") == 0;
}

static hwloc_obj_t gpus_computing_part(hwloc_obj_t pci)
{
	hwloc_obj_t part = pci->io_first_child;
	while (part && !gpus_computes(part))
		part = part->next_sibling;
	return part;
}

/* A display controller of another maker draws the console of a server or a virtual machine, and
 * counts only if a library knows the device as a GPU. A device without a PCI address is part of a
 * system on a chip, and counts by CUDA alone, since other libraries would count the device
 * again. */
bool is_gpu(hwloc_obj_t o)
{
	if (o->type == HWLOC_OBJ_OS_DEVICE)
		return gpus_computes(o) && strcmp(o->subtype, "CUDA") == 0 &&
		    o->parent->type != HWLOC_OBJ_PCI_DEVICE;
	if (o->type != HWLOC_OBJ_PCI_DEVICE)
		return false;
	const struct hwloc_pcidev_attr_s *pci = &o->attr->pcidev;
	bool known = pci->vendor_id == PCI_NVIDIA || pci->vendor_id == PCI_AMD;
	return (known && pci->class_id >> 8 == PCI_DISPLAY) || gpus_computing_part(o);
}

static void gpus_print_name(hwloc_obj_t o, char ret[TOPOLOGY_NAME_BYTES])
{
	hwloc_obj_t part = o->type == HWLOC_OBJ_PCI_DEVICE ? gpus_computing_part(o) : o;
	const char *name = part ? hwloc_obj_get_info_by_name(part, "GPUModel") : NULL;
	if (!name)
		name = hwloc_obj_get_info_by_name(o, "PCIDevice");
	snprintf(ret, TOPOLOGY_NAME_BYTES, "%s", name ? name : o->name ? o->name : "");
}

static void gpus_print_bus(hwloc_obj_t o, char ret[GPU_BUS_BYTES])
{
	const struct hwloc_pcidev_attr_s *pci = &o->attr->pcidev;
	ret[0] = 0;
	if (o->type == HWLOC_OBJ_PCI_DEVICE)
		snprintf(ret, GPU_BUS_BYTES, "%04x:%02x:%02x.%01x", pci->domain & 0xffffu, pci->bus,
		    pci->dev, pci->func & 0xfu);
}

void gpu_title(hwloc_obj_t o, char ret[TOPOLOGY_NAME_BYTES])
{
	char bus[GPU_BUS_BYTES], name[TOPOLOGY_NAME_BYTES];
	gpus_print_bus(o, bus);
	gpus_print_name(o, name);
	snprintf(ret, TOPOLOGY_NAME_BYTES, "%s%s%.64s", bus, bus[0] && name[0] ? "  " : "", name);
}

static int32_t gpus_near_node(const struct topology *t, hwloc_obj_t o)
{
	hwloc_obj_t near = hwloc_get_non_io_ancestor_obj(t->hwloc, o);
	/* A device at the same distance from several nodes is near none. */
	bool one = near && hwloc_bitmap_weight(near->nodeset) == 1;
	return one ? hwloc_bitmap_first(near->nodeset) : GPU_NODE_NONE;
}

struct found {
	hwloc_obj_t device;
	bool other;       /* not of NVIDIA: numbered after NVIDIA's GPUs */
	uint64_t address; /* on the bus; 0: none */
};

static int gpus_in_order(const void *left, const void *right)
{
	const struct found *l = left, *r = right;
	if (l->other != r->other)
		return l->other - r->other;
	return (l->address > r->address) - (l->address < r->address);
}

static struct found gpus_found_of(hwloc_obj_t o)
{
	const struct hwloc_pcidev_attr_s *pci = &o->attr->pcidev;
	if (o->type != HWLOC_OBJ_PCI_DEVICE)
		return (struct found){ .device = o };
	return (struct found){ .device = o,
		.other = pci->vendor_id != PCI_NVIDIA,
		.address = (uint64_t)pci->domain << 24 | (uint64_t)pci->bus << 16 |
		    (uint64_t)pci->dev << 8 | pci->func };
}

static uint32_t gpus_find(
    const struct topology *t, hwloc_obj_type_t type, struct found *ret, uint32_t n)
{
	hwloc_obj_t o = NULL;
	while (n < GPUS_MAX && (o = hwloc_get_next_obj_by_type(t->hwloc, type, o)) != NULL)
		if (is_gpu(o))
			ret[n++] = gpus_found_of(o);
	return n;
}

/* ---- GPUs for this process ---- */

static const char *gpus_uuid_of(hwloc_obj_t o)
{
	static const char *const keys[] = { "NVIDIAUUID", "AMDUUID" };
	hwloc_obj_t part = o->type == HWLOC_OBJ_PCI_DEVICE ? o->io_first_child : o;
	for (; part; part = part->next_sibling)
		for (size_t i = 0; i < COUNT_OF(keys); i++) {
			const char *uuid = hwloc_obj_get_info_by_name(part, keys[i]);
			if (uuid)
				return uuid;
		}
	return NULL;
}

static struct gpu gpus_describe(
    const struct topology *t, hwloc_obj_t o, const char *id, size_t length)
{
	struct gpu gpu = { .node = gpus_near_node(t, o) };
	snprintf(gpu.id, sizeof gpu.id, "%.*s", (int)length, id);
	gpus_print_bus(o, gpu.bus);
	gpus_print_name(o, gpu.name);
	return gpu;
}

/* A UUID may be cut short, as CUDA allows. A UUID unknown to hwloc (hwloc without NVML, or a part
 * of a GPU: "MIG-...") is believed if the machine has any GPU. */
static bool gpus_resolve_uuid(const struct topology *t, const struct found *found, uint32_t n,
    const char *word, size_t length, struct gpu *ret)
{
	bool looked_up = false;
	for (uint32_t i = 0; i < n; i++) {
		const char *uuid = gpus_uuid_of(found[i].device);
		looked_up |= uuid != NULL;
		if (uuid && strncmp(uuid, word, length) == 0) {
			*ret = gpus_describe(t, found[i].device, word, length);
			return true;
		}
	}
	bool part = strncmp(word, "MIG-", 4) == 0, whole = strncmp(word, "GPU-", 4) == 0;
	if (n == 0 || (!part && (!whole || looked_up)) || length >= GPU_ID_BYTES)
		return false;
	*ret = (struct gpu){ .node = GPU_NODE_NONE };
	memcpy(ret->id, word, length);
	return true;
}

static bool gpus_resolve(const struct topology *t, const struct found *found, uint32_t n,
    const char *word, size_t length, struct gpu *ret)
{
	char *end;
	unsigned long number = strtoul(word, &end, 10);
	if (word[0] < '0' || word[0] > '9')
		return length > 0 && gpus_resolve_uuid(t, found, n, word, length, ret);
	if (end != word + length || number >= n)
		return false;
	*ret = gpus_describe(t, found[number].device, word, length);
	return true;
}

static bool gpus_is_in(const struct gpu *gpus, uint32_t n, const char *id)
{
	while (n > 0)
		if (strcmp(gpus[--n].id, id) == 0)
			return true;
	return false;
}

static uint32_t gpus_choose(const struct topology *t, const struct found *found, uint32_t n,
    const char *visible, struct gpu ret[GPUS_MAX])
{
	uint32_t count = 0;
	const char *word = visible + strspn(visible, " ");
	while (count < GPUS_MAX) {
		size_t length = strcspn(word, ", ");
		struct gpu *gpu = &ret[count];
		if (!gpus_resolve(t, found, n, word, length, gpu))
			return count;
		count += !gpus_is_in(ret, count, gpu->id);
		word += length;
		word += strspn(word, " ");
		if (*word != ',')
			return count;
		word += 1 + strspn(word + 1, " ");
	}
	return count;
}

/* hwloc does not list its components, but refuses to leave out a missing component. */
bool topology_sees_devices(void)
{
	hwloc_topology_t probe;
	if (hwloc_topology_init(&probe) < 0)
		return false;
	bool there = hwloc_topology_set_components(
			 probe, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "pci") == 0;
	hwloc_topology_destroy(probe);
	return there;
}

uint32_t topology_gpus(const struct topology *t, struct gpu ret[GPUS_MAX])
{
	struct found found[GPUS_MAX];
	const char *visible = getenv("CUDA_VISIBLE_DEVICES");
	uint32_t n = gpus_find(t, HWLOC_OBJ_PCI_DEVICE, found, 0);
	n = gpus_find(t, HWLOC_OBJ_OS_DEVICE, found, n);
	qsort(found, n, sizeof found[0], gpus_in_order);
	if (visible)
		return gpus_choose(t, found, n, visible, ret);
	for (uint32_t i = 0; i < n; i++) {
		char number[16];
		snprintf(number, sizeof number, "%u", i);
		ret[i] = gpus_describe(t, found[i].device, number, strlen(number));
	}
	return n;
}
