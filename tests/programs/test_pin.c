/* test_pin.c - the cpus of workers in a real runtime, and the output of `plmctl topology`. */
#include <check.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tests/support/fixture.h"
#include "tests/support/json.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"
#include "tests/support/program_runtime.h"
#include "topology/topology.h"

enum { TEST_TIMEOUT_S = 60, WORKERS = 3, LOOK_AGAIN_NS = 2000000 };

static const struct runtime nobody = { .name = "no-such-runtime" };

struct worker_line { /* a worker, from plmctl topology --json */
	int pid, node;
	cpu_set_t cpus; /* from the kernel */
	char text[64];  /* from plmctl */
};

static int number_of(const char *line, const char *key)
{
	char *text = json_field(line, key);
	int number = text ? atoi(text) : -1;
	free(text);
	return number;
}

/* Lists workers by process slot, without a dying worker. */
static int list_workers(struct worker_line ret[WORKERS])
{
	int n = 0;
	char *save, *out = ctl_expect(&host, 0, "topology", "--json");
	for (char *line = strtok_r(out, "\n", &save); line && n < WORKERS;
	     line = strtok_r(NULL, "\n", &save)) {
		if (!strstr(line, "{\"table\": \"workers\""))
			continue;
		struct worker_line *w = &ret[n];
		char *cpus = json_field(line, "cpus");
		w->pid = number_of(line, "pid");
		w->node = number_of(line, "node");
		snprintf(w->text, sizeof w->text, "%s", cpus);
		free(cpus);
		n += sched_getaffinity(w->pid, sizeof w->cpus, &w->cpus) == 0;
	}
	free(out);
	return n;
}

static void plan(enum pin mode, struct place ret[WORKERS])
{
	struct topology *t;
	ck_assert_int_eq(topology_open(TOPOLOGY_CPUS, &t), 0);
	ck_assert_int_eq(topology_plan(t, mode, WORKERS, ret), 0);
	topology_close(&t);
}

static bool fits(const struct worker_line *worker, const struct place *place)
{
	char text[sizeof worker->text];
	cpus_print(&place->cpus, text, sizeof text);
	return CPU_EQUAL(&worker->cpus, &place->cpus) && strcmp(worker->text, text) == 0 &&
	    (place->node == PLACE_ANY_NODE || worker->node == place->node);
}

/* Each place of the plan has exactly one worker. */
static bool match(const struct worker_line *workers, int n, const struct place *place)
{
	bool used[WORKERS] = { false };
	for (int i = 0; i < n; i++) {
		int at = 0;
		while (at < WORKERS && (used[at] || !fits(&workers[i], &place[at])))
			at++;
		if (at == WORKERS)
			return false;
		used[at] = true;
	}
	return n == WORKERS;
}

/* Looks again until all fit: a worker that leaves a core to another worker narrows its mask for a
 * moment. */
static void wait_for_match(struct worker_line workers[WORKERS], const struct place *place)
{
	static const struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	while (!match(workers, list_workers(workers), place)) {
		ck_assert_msg(clock_ns() < deadline, "there is no worker for each place");
		nanosleep(&pause, NULL);
	}
}

static void workers_match_the_plan_of(enum pin mode)
{
	struct place place[WORKERS];
	struct worker_line workers[WORKERS];
	plan(mode, place);
	runtime_boot(&host, "--workers", "3", "--store", "16M", "--pin", pin_name(mode), );
	wait_for_match(workers, place);
	host_stop();
}

START_TEST(pinned_workers_run_where_the_plan_puts_them)
{
	workers_match_the_plan_of(PIN_CORE);
	workers_match_the_plan_of(PIN_NUMA);
}
END_TEST

START_TEST(workers_are_not_pinned_unless_it_is_asked_for)
{
	struct place place[WORKERS];
	struct worker_line workers[WORKERS];
	plan(PIN_NONE, place);
	unsetenv("PLM_PIN");
	runtime_boot(&host, "--workers", "3", "--store", "16M", );
	wait_for_match(workers, place);
	host_stop();
}
END_TEST

START_TEST(the_environment_pins_as_the_option_does)
{
	struct place place[WORKERS];
	struct worker_line workers[WORKERS];
	plan(PIN_CORE, place);
	setenv("PLM_PIN", "core", 1);
	runtime_boot(&host, "--workers", "3", "--store", "16M", );
	wait_for_match(workers, place);
	host_stop();
}
END_TEST

/* The successor of a busy worker starts at once, in another process slot, since the old one is not
 * cleaned up yet. */
START_TEST(a_new_worker_runs_where_the_one_it_replaces_ran)
{
	static const int order[WORKERS] = { 1, 0, 2 };
	struct place place[WORKERS];
	struct worker_line first[WORKERS], workers[WORKERS];
	plan(PIN_CORE, place);
	runtime_boot(&host, "--workers", "3", "--store", "16M", "--pin", "core", );
	for (int i = 0; i < WORKERS; i++) {
		char *task = ctl_expect(&host, 0, "call", "--detach", "probe.sleep", "600000");
		ctl_until(&host, task, "tasks", "--quiet", "--state", "running");
		free(task);
	}
	wait_for_match(first, place);
	for (int i = 0; i < WORKERS; i++) {
		kill(first[order[i]].pid, SIGKILL);
		ck_assert(wait_for_death(first[order[i]].pid));
		wait_for_match(workers, place);
	}
	host_stop();
}
END_TEST

/* The machine may have one node; workers allocate where the plan for two nodes says. */
START_TEST(workers_of_two_nodes_allocate_on_theirs)
{
	struct worker_line workers[WORKERS];
	unsetenv("HWLOC_COMPONENTS"); /* a list of hwloc components would win over the synthetic
					 machine */
	setenv("HWLOC_SYNTHETIC", "numa:2 core:1 pu:1", 1);
	runtime_boot(&host, "--workers", "3", "--store", "16M", "--pin", "core", );
	ck_assert_int_eq(list_workers(workers), WORKERS);
	ck_assert_int_eq(workers[0].node + workers[1].node + workers[2].node, 1);
	host_stop();
}
END_TEST

START_TEST(a_wrong_way_of_pinning_is_a_usage_error)
{
	struct output_of o = program_run(
	    &nobody, "plm", (const char *const[]){ "--pin", "sideways", NULL }, NULL, 0);
	ck_assert_int_eq(o.code, 64);
	ck_assert_ptr_nonnull(strstr(o.err, "sideways"));
	output_free(&o);
}
END_TEST

static void worker_sees(const char *variable, const char *expected)
{
	char *text = ctl_expect(&host, 0, "call", "test.environment", variable);
	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(a_worker_starts_with_one_thread_unless_the_user_said)
{
	unsetenv("OMP_NUM_THREADS");
	unsetenv("OPENBLAS_NUM_THREADS");
	setenv("MKL_NUM_THREADS", "5", 1);
	runtime_boot(&host, "--workers", "1", "--store", "16M", "--module", roles_case_module(), );
	worker_sees("PLM_CPUS", "1");
	worker_sees("OMP_NUM_THREADS", "1");
	worker_sees("OPENBLAS_NUM_THREADS", "1");
	worker_sees("MKL_NUM_THREADS", "5");
	host_stop();
}
END_TEST

/* ---- plmctl topology ---- */

/* Plays a machine without the package of hwloc's plugins. */
START_TEST(that_hwloc_looks_for_no_gpu_is_said)
{
	setenv("HWLOC_PLUGINS_PATH", "/nowhere", 1);
	if (topology_sees_devices()) {
		printf("left out, this hwloc needs no plugin: %s\n", __func__);
		return;
	}
	struct output_of o = ctl(&nobody, "topology");
	ck_assert_int_eq(o.code, 0);
	ck_assert_msg(strstr(o.out, "libhwloc-plugins"), "%s", o.out);
	output_free(&o);
	o = ctl(&nobody, "topology", "--json");
	ck_assert_msg(strstr(o.out, "{\"table\": \"missing\", \"what\": \"gpus\""), "%s", o.out);
	output_free(&o);
	unsetenv("HWLOC_PLUGINS_PATH");
	o = ctl(&nobody, "topology");
	ck_assert_msg(!strstr(o.out, "missing"), "%s", o.out);
	output_free(&o);
}
END_TEST

static void draws(const char *expected, const char *const *arguments)
{
	struct output_of o = program_run(&nobody, "plmctl", arguments, NULL, 0);
	ck_assert_msg(o.code == 0, "exit code %d: %s", o.code, o.err);
	ck_assert_str_eq(o.out, expected);
	output_free(&o);
}

START_TEST(another_machine_is_drawn_as_a_tree_with_the_plan_in_it)
{
	draws("machine 2.0 GiB  numa:2 core:1 pu:2\n"
	      "  node 0 1.0 GiB\n    core 0\n      cpu 0\n      cpu 1\n"
	      "  node 1 1.0 GiB\n    core 1\n      cpu 2\n      cpu 3\n",
	    (const char *const[]){ "topology", "--synthetic", "numa:2 core:1 pu:2", NULL });
	draws("machine 1.0 GiB  numa:1 l2:2 l1d:1 core:1 pu:1\n"
	      "  node 0 1.0 GiB\n"
	      "    L2 4.0 MiB + L1d 32.0 KiB + core 0 + cpu 0  <- worker 0\n"
	      "    L2 4.0 MiB + L1d 32.0 KiB + core 1 + cpu 1\n"
	      "\nplan:\nWORKER  NODE  CPUS\n     0     0  0\n",
	    (const char *const[]){ "topology", "--synthetic", "numa:1 l2:2 l1d:1 core:1 pu:1",
		"--pin", "core", "--workers", "1", NULL });
}
END_TEST

START_TEST(the_machine_is_drawn_without_a_runtime)
{
	cpu_set_t ours;
	unsigned values = 0, cpus = 0;
	ck_assert_int_eq(sched_getaffinity(0, sizeof ours, &ours), 0);
	struct output_of o = ctl(&nobody, "topology", "--json");
	ck_assert_int_eq(o.code, 0);
	ck_assert_ptr_null(json_lines_check(o.out, o.out_bytes, &values));
	for (const char *at = o.out; (at = strstr(at, "\"kind\": \"cpu\"")) != NULL; at++)
		cpus++;
	ck_assert_uint_eq(cpus, (unsigned)CPU_COUNT(&ours));
	ck_assert_ptr_null(strstr(o.out, "\"table\": \"workers\""));
	output_free(&o);
}
END_TEST

START_TEST(workers_stand_beside_the_core_they_are_pinned_to)
{
	struct place place[WORKERS];
	struct worker_line workers[WORKERS];
	char beside[64];
	plan(PIN_CORE, place);
	runtime_boot(&host, "--workers", "3", "--store", "16M", "--pin", "core", );
	ck_assert_int_eq(list_workers(workers), WORKERS);
	char *text = ctl_expect(&host, 0, "topology");
	for (int i = 0; i < WORKERS; i++) {
		snprintf(beside, sizeof beside, "(pid %d)", workers[i].pid);
		/* On a machine with one core no pid is shown beside the core. */
		bool shown = !CPU_EQUAL(&place[0].cpus, &place[1].cpus);
		ck_assert_int_eq(strstr(text, beside) != NULL, shown);
	}
	free(text);
	host_stop();
}
END_TEST

START_TEST(a_request_that_makes_no_sense_is_64)
{
	static const char *const wrong[][3] = { { "--synthetic", "this is no machine" },
		{ "--pin", "core" }, { "--workers", "2" }, { "--pin", "sideways" },
		{ "--workers=0", "--pin=core" }, { "extra" } };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct output_of o = program_run(&nobody, "plmctl",
		    (const char *const[]){ "topology", wrong[i][0], wrong[i][1], NULL }, NULL, 0);
		ck_assert_msg(o.code == 64, "%s: exit code %d", wrong[i][0], o.code);
		ck_assert_uint_eq(o.out_bytes, 0);
		output_free(&o);
	}
}
END_TEST

int main(void)
{
	/* Do not look at the PCI bus: its library keeps memory, and sanitizers would report a leak.
	 */
	setenv("HWLOC_COMPONENTS", "-pci", 0);
	Suite *suite = suite_create("pin");
	TCase *pin = tcase_create("pin");
	tcase_set_timeout(pin, TEST_TIMEOUT_S);
	tcase_add_test(pin, pinned_workers_run_where_the_plan_puts_them);
	tcase_add_test(pin, workers_are_not_pinned_unless_it_is_asked_for);
	tcase_add_test(pin, the_environment_pins_as_the_option_does);
	tcase_add_test(pin, a_new_worker_runs_where_the_one_it_replaces_ran);
	tcase_add_test(pin, workers_of_two_nodes_allocate_on_theirs);
	tcase_add_test(pin, a_wrong_way_of_pinning_is_a_usage_error);
	tcase_add_test(pin, a_worker_starts_with_one_thread_unless_the_user_said);
	suite_add_tcase(suite, pin);
	TCase *topology = tcase_create("topology");
	tcase_set_timeout(topology, TEST_TIMEOUT_S);
	tcase_add_test(topology, another_machine_is_drawn_as_a_tree_with_the_plan_in_it);
	tcase_add_test(topology, the_machine_is_drawn_without_a_runtime);
	tcase_add_test(topology, that_hwloc_looks_for_no_gpu_is_said);
	tcase_add_test(topology, workers_stand_beside_the_core_they_are_pinned_to);
	tcase_add_test(topology, a_request_that_makes_no_sense_is_64);
	suite_add_tcase(suite, topology);
	return run_suite(suite);
}
