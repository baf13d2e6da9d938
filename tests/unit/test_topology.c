/* test_topology.c - plans of workers for machines we do not have; GPUs; threads. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/why.h"
#include "tests/support/run_suite.h"
#include "tests/support/suite_watcher.h"
#include "topology/threads.h"
#include "topology/topology.h"

enum { CORES_MAX = 64, NODES_MAX = 8, WORKERS_MOST = 150, TEXT_BYTES = 256 };

/* The description, and the derived numbers: cpus count through all nodes in order. */
struct machine {
	const char *text;
	int nodes, cores, threads; /* cores in a node, threads in a core */
};

static const struct machine machines[] = {
	{ "numa:1 core:1 pu:1", 1, 1, 1 }, { "numa:1 core:4 pu:1", 1, 4, 1 },
	{ "numa:2 core:4 pu:2", 2, 4, 2 }, { "numa:8 core:8 pu:2", 8, 8, 2 },
	{ "package:4 numa:2 l3:1 l2:4 core:1 pu:2", 8, 4, 2 },
	{ "numa:2 pu:4", 2, 4, 1 }, /* does not say which cpus share a core */
};

static struct topology *open_machine(const char *text)
{
	struct topology *t;
	ck_assert_msg(topology_open_synthetic(text, &t) == 0, "%s", why_text());
	return t;
}

static void print(const cpu_set_t *cpus, char text[TEXT_BYTES])
{
	cpus_print(cpus, text, TEXT_BYTES);
}

#define expect_cpus(set, expected)                   \
	do {                                         \
		char text_[TEXT_BYTES];              \
		print((set), text_);                 \
		ck_assert_str_eq(text_, (expected)); \
	} while (0)

static int first_cpu(const cpu_set_t *cpus)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, cpus))
			return cpu;
	ck_abort_msg("a worker has no cpu");
}

/* Counts the workers of the plan on each core and node. Each worker must have all allowed
 * threads of one core, and the node of the core. NULL: all threads are allowed. */
struct census {
	int core[CORES_MAX], node[NODES_MAX];
};

static struct census count(const struct machine *m, const cpu_set_t *allowed, int workers)
{
	static struct place plan[WORKERS_MOST];
	struct census census = { { 0 }, { 0 } };
	struct topology *t = open_machine(m->text);
	if (allowed)
		ck_assert_int_eq(topology_restrict(t, allowed), 0);
	ck_assert_int_eq(topology_plan(t, PIN_CORE, (uint32_t)workers, plan), 0);
	for (int i = 0; i < workers; i++) {
		int core = first_cpu(&plan[i].cpus) / m->threads, node = core / m->cores;
		cpu_set_t expected;
		CPU_ZERO(&expected);
		for (int cpu = core * m->threads; cpu < (core + 1) * m->threads; cpu++)
			if (!allowed || CPU_ISSET(cpu, allowed))
				CPU_SET(cpu, &expected);
		ck_assert(CPU_EQUAL(&expected, &plan[i].cpus));
		ck_assert_int_eq(plan[i].node, node);
		census.core[core]++;
		census.node[node]++;
	}
	topology_close(&t);
	return census;
}

static void expect_even(const int *counts, int n, const char *what, const char *machine)
{
	int least = counts[0], most = counts[0];
	for (int i = 1; i < n; i++) {
		least = counts[i] < least ? counts[i] : least;
		most = counts[i] > most ? counts[i] : most;
	}
	ck_assert_msg(
	    most - least <= 1, "%s: one %s has %d workers, another %d", machine, what, least, most);
}

START_TEST(cores_and_nodes_are_filled_evenly)
{
	const struct machine *m = &machines[_i];
	for (int workers = 1; workers < WORKERS_MOST; workers++) {
		struct census census = count(m, NULL, workers);
		expect_even(census.core, m->nodes * m->cores, "core", m->text);
		expect_even(census.node, m->nodes, "node", m->text);
	}
}
END_TEST

START_TEST(a_worker_is_never_put_where_the_mask_forbids)
{
	static const struct machine m = { "numa:2 core:4 pu:2", 2, 4, 2 };
	/* One thread of core 0, both threads of core 1, none of core 2; one core of the second
	 * node. */
	static const int cpus[] = { 1, 2, 3, 6, 7, 12, 13 };
	cpu_set_t allowed;
	CPU_ZERO(&allowed);
	for (size_t i = 0; i < sizeof cpus / sizeof cpus[0]; i++)
		CPU_SET(cpus[i], &allowed);
	struct census census = count(&m, &allowed, 4);
	static const int expected[] = { 1, 1, 0, 1, 0, 0, 1, 0 };
	ck_assert_mem_eq(census.core, expected, sizeof expected);
	census = count(&m, &allowed, 9);
	ck_assert_int_eq(census.core[0] + census.core[1] + census.core[3] + census.core[6], 9);
	ck_assert_int_eq(census.core[6], 2);
}
END_TEST

START_TEST(a_mask_without_any_cpu_of_the_machine_is_refused)
{
	cpu_set_t allowed;
	struct topology *t = open_machine("numa:2 core:4 pu:2");
	CPU_ZERO(&allowed);
	CPU_SET(16, &allowed);
	ck_assert_int_eq(topology_restrict(t, &allowed), -EINVAL);
	topology_close(&t);
}
END_TEST

START_TEST(by_node_each_worker_has_all_cpus_of_one_in_turn)
{
	static const char *const expected[] = { "0-7", "8-15", "0-7" };
	struct place plan[3];
	struct topology *t = open_machine("numa:2 core:4 pu:2");
	ck_assert_int_eq(topology_plan(t, PIN_NUMA, 3, plan), 0);
	for (int i = 0; i < 3; i++) {
		expect_cpus(&plan[i].cpus, expected[i]);
		ck_assert_int_eq(plan[i].node, i % 2);
	}
	topology_close(&t);
}
END_TEST

START_TEST(unpinned_workers_may_run_anywhere_and_have_a_node_if_there_is_one)
{
	struct place plan[2];
	struct topology *t = open_machine("numa:2 core:4 pu:2");
	ck_assert_int_eq(topology_plan(t, PIN_NONE, 2, plan), 0);
	expect_cpus(&plan[1].cpus, "0-15");
	ck_assert_int_eq(plan[1].node, PLACE_ANY_NODE);
	cpu_set_t second;
	CPU_ZERO(&second);
	CPU_SET(9, &second);
	CPU_SET(12, &second);
	ck_assert_int_eq(topology_restrict(t, &second), 0);
	ck_assert_int_eq(topology_plan(t, PIN_NONE, 2, plan), 0);
	expect_cpus(&plan[1].cpus, "9,12");
	ck_assert_int_eq(plan[1].node, 1);
	topology_close(&t);
}
END_TEST

START_TEST(a_place_does_not_depend_on_how_many_workers_there_are)
{
	static struct place few[3], many[WORKERS_MOST];
	struct topology *t = open_machine("numa:8 core:8 pu:2");
	for (enum pin mode = PIN_NONE; mode < PIN_MODES; mode++) {
		ck_assert_int_eq(topology_plan(t, mode, 3, few), 0);
		ck_assert_int_eq(topology_plan(t, mode, WORKERS_MOST, many), 0);
		for (int i = 0; i < 3; i++) {
			ck_assert(CPU_EQUAL(&few[i].cpus, &many[i].cpus));
			ck_assert_int_eq(few[i].node, many[i].node);
		}
	}
	topology_close(&t);
}
END_TEST

START_TEST(this_machine_is_what_the_affinity_mask_leaves_of_it)
{
	cpu_set_t all, last;
	struct place plan;
	struct topology *t;
	unsetenv("HWLOC_SYNTHETIC");
	ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
	int cpu = CPU_SETSIZE - 1;
	while (!CPU_ISSET(cpu, &all))
		cpu--;
	CPU_ZERO(&last);
	CPU_SET(cpu, &last);
	ck_assert_int_eq(sched_setaffinity(0, sizeof last, &last), 0);
	ck_assert_int_eq(topology_open(TOPOLOGY_CPUS, &t), 0);
	ck_assert_int_eq(topology_plan(t, PIN_NUMA, 1, &plan), 0);
	ck_assert(CPU_EQUAL(&plan.cpus, &last));
	topology_close(&t);
	ck_assert_int_eq(sched_setaffinity(0, sizeof all, &all), 0);
	ck_assert_int_eq(place_take(&plan), 0);
	ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
	ck_assert(CPU_EQUAL(&all, &last));
}
END_TEST

START_TEST(a_place_that_this_machine_has_not_is_an_error_that_names_the_cpus)
{
	struct place place = { .node = 0 };
	CPU_SET(CPU_SETSIZE - 2, &place.cpus);
	CPU_SET(CPU_SETSIZE - 1, &place.cpus);
	ck_assert_int_eq(place_take(&place), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why_text(), "1022-1023"));
}
END_TEST

START_TEST(nonsense_is_no_machine)
{
	struct topology *t = NULL;
	ck_assert_int_eq(topology_open_synthetic("this is no machine", &t), -EINVAL);
	ck_assert_ptr_null(t);
	ck_assert_ptr_nonnull(strstr(why_text(), "this is no machine"));
}
END_TEST

/* ---- walking ---- */

struct tally {
	int nodes, cores, cpus, caches, packages;
	uint32_t last_depth;
};

static void tally_part(void *context, const struct topology_part *part)
{
	struct tally *tally = context;
	ck_assert_uint_le(part->depth, tally->last_depth + 1);
	tally->last_depth = part->depth;
	tally->nodes += strcmp(part->kind, "node") == 0 && part->bytes > 0;
	tally->cores += strcmp(part->kind, "core") == 0;
	tally->cpus += strcmp(part->kind, "cpu") == 0 && CPU_COUNT(&part->cpus) == 1;
	tally->caches += part->kind[0] == 'L' && part->bytes > 0;
	tally->packages += strcmp(part->kind, "package") == 0;
}

START_TEST(every_part_is_met_once_inside_what_holds_it)
{
	struct topology *t = open_machine("package:4 numa:2 l3:1 l2:4 core:1 pu:2");
	struct tally tally = { 0 };
	topology_walk(t, tally_part, &tally);
	ck_assert_int_eq(tally.packages, 4);
	ck_assert_int_eq(tally.nodes, 8);
	ck_assert_int_eq(tally.caches, 8 + 32);
	ck_assert_int_eq(tally.cores, 32);
	ck_assert_int_eq(tally.cpus, 64);
	topology_close(&t);
}
END_TEST

START_TEST(cpus_are_written_as_ranges_and_cut_to_the_room)
{
	char small[6];
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	expect_cpus(&cpus, "");
	for (int cpu = 0; cpu < 4; cpu++)
		CPU_SET(cpu, &cpus);
	CPU_SET(8, &cpus);
	CPU_SET(CPU_SETSIZE - 1, &cpus);
	expect_cpus(&cpus, "0-3,8,1023");
	cpus_print(&cpus, small, sizeof small);
	ck_assert_str_eq(small, "0-3,8");
}
END_TEST

/* ---- GPUs: three cards and the console of a server, on two nodes ---- */

#define SETS(n) "cpuset='" n "' complete_cpuset='" n "' nodeset='" n "' complete_nodeset='" n "' "
#define NODE(n, bit, cards)                                                                     \
	"<object type='Package' os_index='" n                                                   \
	"' " SETS(bit) "gp_index='1" n "'>"                                                     \
		       "<object type='NUMANode' os_index='" n                                   \
		       "' " SETS(bit) "gp_index='2" n "' local_memory='1073741824'/>"           \
				      "<object type='PU' os_index='" n                          \
				      "' " SETS(bit) "gp_index='3" n "'/>"                      \
						     "<object type='Bridge' gp_index='4" n      \
						     "' bridge_type='0-1' depth='0' "           \
						     "bridge_pci='0000:[" n "0-" n "f]'>" cards \
						     "</object></object>"
#define CARD(index, bus, type, inside)                                                             \
	"<object type='PCIDev' gp_index='" index "' pci_busid='0000:" bus ":00.0' pci_type='" type \
	" [0000:0000] a1' pci_link_speed='0'>" inside "</object>"
#define NVML                                                                             \
	"<object type='OSDev' gp_index='60' name='nvml1' subtype='NVML' osdev_type='1'>" \
	"<info name='GPUModel' value='A card'/>"                                         \
	"<info name='NVIDIAUUID' value='GPU-0a1b-2c3d'/></object>"

static const char gpu_machine[] =
    "<?xml version='1.0'?><!DOCTYPE topology SYSTEM 'hwloc2.dtd'><topology version='2.0'>"
    "<object type='Machine' os_index='0' " SETS(
	"0x3") "allowed_cpuset='0x3' "
	       "allowed_nodeset='0x3' gp_index='1'>" NODE("0", "0x1",
		   CARD("50", "01", "0300 [1a03:2000]", "")
		       CARD("51", "02", "0380 [1002:740f]", "")) NODE("1", "0x2",
		   CARD("52", "11", "0302 [10de:20b0]", NVML)
		       CARD("53", "12", "0302 [10de:20b0]", "")) "</object></topology>";

/* Ids and nodes: "0@1 1@1 2@0" */
static void gpus_are(const char *visible, const char *expected)
{
	static struct gpu gpus[GPUS_MAX];
	char path[128], text[TEXT_BYTES] = "";
	test_path("gpus-XXXXXX", path, sizeof path);
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, gpu_machine, sizeof gpu_machine - 1), sizeof gpu_machine - 1);
	close(fd);
	setenv("HWLOC_XMLFILE", path, 1);
	if (visible)
		setenv("CUDA_VISIBLE_DEVICES", visible, 1);
	else
		unsetenv("CUDA_VISIBLE_DEVICES");
	struct topology *t;
	int r = topology_open(TOPOLOGY_ALL, &t);
	unlink(path);
	ck_assert_msg(r == 0, "%s", why_text());
	uint32_t n = topology_gpus(t, gpus);
	size_t at = 0;
	for (uint32_t i = 0; i < n && at < sizeof text; i++)
		at += (size_t)snprintf(
		    text + at, sizeof text - at, "%s%s@%d", i ? " " : "", gpus[i].id, gpus[i].node);
	topology_close(&t);
	ck_assert_msg(strcmp(text, expected) == 0, "CUDA_VISIBLE_DEVICES=%s: \"%s\", not \"%s\"",
	    visible ? visible : "(not set)", text, expected);
}

START_TEST(gpus_are_numbered_nvidias_first_and_consoles_are_none)
{
	gpus_are(NULL, "0@1 1@1 2@0");
}
END_TEST

START_TEST(an_outer_list_of_gpus_is_obeyed_in_its_order)
{
	gpus_are("1", "1@1");
	gpus_are("2,0", "2@0 0@1");
	gpus_are(" 1 , 0", "1@1 0@1");
	gpus_are("", "");
	gpus_are("-1", "");
	gpus_are("NoDevFiles", "");
}
END_TEST

START_TEST(an_outer_list_ends_at_the_first_that_is_no_gpu)
{
	gpus_are("0,-1,1", "0@1");
	gpus_are("0,3,1", "0@1");
	gpus_are("0,1x", "0@1");
	gpus_are("0,,1", "0@1");
	gpus_are("0,0,1", "0@1 1@1");
	gpus_are("0 1", "0@1");
}
END_TEST

START_TEST(a_uuid_is_a_gpu_as_well)
{
	gpus_are("GPU-0a1b-2c3d,1", "GPU-0a1b-2c3d@1 1@1");
	gpus_are("GPU-0a1b", "GPU-0a1b@1");
	gpus_are("GPU-ffff,0", "");
	gpus_are("MIG-77,0", "MIG-77@-1 0@1");
}
END_TEST

START_TEST(a_machine_without_gpus_has_none_whatever_the_list_says)
{
	static struct gpu gpus[GPUS_MAX];
	struct topology *t = open_machine("numa:2 core:4 pu:2");
	setenv("CUDA_VISIBLE_DEVICES", "0,GPU-0a1b,MIG-77", 1);
	ck_assert_uint_eq(topology_gpus(t, gpus), 0);
	unsetenv("CUDA_VISIBLE_DEVICES");
	ck_assert_uint_eq(topology_gpus(t, gpus), 0);
	topology_close(&t);
}
END_TEST

/* ---- threads ---- */

START_TEST(threads_follow_the_cpus_of_a_task_unless_the_user_said)
{
	unsetenv("OMP_NUM_THREADS");
	unsetenv("OPENBLAS_NUM_THREADS");
	setenv("MKL_NUM_THREADS", "7", 1);
	for (unsigned cpus = 1; cpus < 4; cpus++) {
		char text[16];
		snprintf(text, sizeof text, "%u", cpus);
		topology_set_threads(cpus);
		ck_assert_str_eq(getenv("PLM_CPUS"), text);
		ck_assert_str_eq(getenv("OMP_NUM_THREADS"), text);
		ck_assert_str_eq(getenv("OPENBLAS_NUM_THREADS"), text);
		ck_assert_str_eq(getenv("MKL_NUM_THREADS"), "7");
	}
}
END_TEST

/* libgomp comes with gcc. */
START_TEST(a_library_that_is_loaded_already_is_asked)
{
	unsetenv("OMP_NUM_THREADS");
	topology_set_threads(1);
	void *gomp = dlopen("libgomp.so.1", RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(gomp != NULL, "%s", dlerror());
	int (*threads)(void) = (int (*)(void))dlsym(gomp, "omp_get_max_threads");
	ck_assert_int_eq(threads(), 1);
	topology_set_threads(3);
	ck_assert_int_eq(threads(), 3);
	topology_set_threads(1);
	ck_assert_int_eq(threads(), 1);
}
END_TEST

static void add_plans(Suite *suite)
{
	TCase *plan = tcase_create("plan");
	tcase_add_loop_test(plan, cores_and_nodes_are_filled_evenly, 0,
	    (int)(sizeof machines / sizeof machines[0]));
	tcase_add_test(plan, a_worker_is_never_put_where_the_mask_forbids);
	tcase_add_test(plan, a_mask_without_any_cpu_of_the_machine_is_refused);
	tcase_add_test(plan, by_node_each_worker_has_all_cpus_of_one_in_turn);
	tcase_add_test(plan, unpinned_workers_may_run_anywhere_and_have_a_node_if_there_is_one);
	tcase_add_test(plan, a_place_does_not_depend_on_how_many_workers_there_are);
	tcase_add_test(plan, this_machine_is_what_the_affinity_mask_leaves_of_it);
	tcase_add_test(plan, a_place_that_this_machine_has_not_is_an_error_that_names_the_cpus);
	tcase_add_test(plan, nonsense_is_no_machine);
	tcase_add_test(plan, every_part_is_met_once_inside_what_holds_it);
	tcase_add_test(plan, cpus_are_written_as_ranges_and_cut_to_the_room);
	suite_add_tcase(suite, plan);
}

int main(void)
{
	Suite *suite = suite_create("topology");
	add_plans(suite);
	TCase *gpus = tcase_create("gpus");
	tcase_add_test(gpus, gpus_are_numbered_nvidias_first_and_consoles_are_none);
	tcase_add_test(gpus, an_outer_list_of_gpus_is_obeyed_in_its_order);
	tcase_add_test(gpus, an_outer_list_ends_at_the_first_that_is_no_gpu);
	tcase_add_test(gpus, a_uuid_is_a_gpu_as_well);
	tcase_add_test(gpus, a_machine_without_gpus_has_none_whatever_the_list_says);
	suite_add_tcase(suite, gpus);
	TCase *threads = tcase_create("threads");
	tcase_add_test(threads, threads_follow_the_cpus_of_a_task_unless_the_user_said);
	tcase_add_test(threads, a_library_that_is_loaded_already_is_asked);
	suite_add_tcase(suite, threads);
	return run_suite(suite);
}
