/* test_machine.c - the machine in plm_inspect.h: parts by pages, plans, cpus, errors. */
#include <check.h>
#include <errno.h>
#include <string.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include "client/plm_inspect.h"
#include "tests/support/run_suite.h"

static plm_machine *machine_of(const char *description)
{
	plm_machine *machine = NULL;
	int r = plm_machine_open(&machine, description);
	ck_assert_msg(r == 0, "%s", plm_why());
	return machine;
}

START_TEST(a_machine_is_shown_by_pages_of_parts)
{
	plm_machine *machine = machine_of("numa:2 core:2 pu:2");
	plm_part_row rows[3];
	uint64_t cursor = 0;
	unsigned cpus = 0, nodes = 0, parts = 0;
	char text[32];
	int n;
	while ((n = plm_machine_parts(machine, &cursor, rows, sizeof rows[0], 3)) > 0)
		for (int i = 0; i < n; i++, parts++) {
			ck_assert_uint_eq(rows[i].depth == 0, parts == 0);
			cpus += strcmp(rows[i].kind, "cpu") == 0;
			nodes += strcmp(rows[i].kind, "node") == 0;
			if (strcmp(rows[i].kind, "node") == 0 && rows[i].number == 1) {
				ck_assert_int_eq(
				    plm_cpus_print(&rows[i].cpus, text, sizeof text), 0);
				ck_assert_str_eq(text, "4-7");
			}
		}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(cpus, 8);
	ck_assert_uint_eq(nodes, 2);
	plm_gpu_row gpu;
	cursor = 0;
	ck_assert_int_eq(plm_machine_gpus(machine, &cursor, &gpu, sizeof gpu, 1), 0);
	plm_machine_close(&machine);
	ck_assert_ptr_null(machine);
	plm_machine_close(&machine);
}
END_TEST

START_TEST(a_plan_puts_workers_where_plm_would)
{
	plm_machine *machine = machine_of("numa:2 core:2 pu:2");
	plm_place_row rows[5];
	char text[32];
	ck_assert_int_eq(plm_machine_plan(machine, PLM_PIN_CORE, rows, sizeof rows[0], 5), 0);
	for (uint32_t i = 0; i < 5; i++) {
		static const char *const expected[] = { "0-1", "4-5", "2-3", "6-7", "0-1" };
		ck_assert_uint_eq(rows[i].worker, i);
		ck_assert_int_eq(rows[i].node, i % 2 && i < 4);
		ck_assert_int_eq(plm_cpus_print(&rows[i].cpus, text, sizeof text), 0);
		ck_assert_str_eq(text, expected[i]);
	}
	ck_assert_int_eq(plm_machine_plan(machine, PLM_PIN_NONE, rows, sizeof rows[0], 1), 0);
	ck_assert_int_eq(rows[0].node, PLM_NO_NUMBER);
	ck_assert_int_eq(plm_machine_plan(machine, 3, rows, sizeof rows[0], 1), -EINVAL);
	plm_machine_close(&machine);
}
END_TEST

/* To find GPUs hwloc loads the libraries of their makers, and unloads them: libOpenCL loses a
 * kilobyte on the way, in a place without a name for a suppression. */
static plm_machine *this_machine(void)
{
#ifdef __SANITIZE_ADDRESS__
	__lsan_disable();
#endif
	plm_machine *machine = machine_of(NULL);
#ifdef __SANITIZE_ADDRESS__
	__lsan_enable();
#endif
	return machine;
}

START_TEST(this_machine_has_the_cpus_of_this_process)
{
	plm_machine *machine = this_machine();
	plm_part_row row;
	plm_cpus mine;
	uint64_t cursor = 0;
	ck_assert_int_eq(plm_cpus_of(&mine, 0), 0);
	ck_assert_int_eq(plm_machine_parts(machine, &cursor, &row, sizeof row, 1), 1);
	ck_assert_str_eq(row.kind, "machine");
	ck_assert_mem_eq(&row.cpus, &mine, sizeof mine);
	plm_machine_close(&machine);
}
END_TEST

START_TEST(no_machine_no_room_and_no_process_are_errors)
{
	plm_machine *machine = machine_of("pu:1"), *none = NULL;
	plm_part_row part;
	plm_gpu_row gpu;
	plm_place_row place;
	plm_cpus cpus;
	uint64_t cursor = 0;
	ck_assert_int_eq(plm_machine_open(&none, "nonsense"), -EINVAL);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(plm_machine_open(NULL, NULL), -EINVAL);
	ck_assert_int_eq(plm_machine_parts(NULL, &cursor, &part, sizeof part, 1), -EINVAL);
	ck_assert_int_eq(plm_machine_parts(machine, NULL, &part, sizeof part, 1), -EINVAL);
	ck_assert_int_eq(plm_machine_parts(machine, &cursor, NULL, sizeof part, 1), -EINVAL);
	ck_assert_int_eq(plm_machine_gpus(NULL, &cursor, &gpu, sizeof gpu, 1), -EINVAL);
	ck_assert_int_eq(plm_machine_plan(NULL, PLM_PIN_CORE, &place, sizeof place, 1), -EINVAL);
	ck_assert_int_eq(plm_machine_plan(machine, PLM_PIN_CORE, NULL, sizeof place, 1), -EINVAL);
	ck_assert_int_eq(plm_cpus_of(NULL, 0), -EINVAL);
	ck_assert_int_eq(plm_cpus_of(&cpus, INT32_MAX), -ESRCH);
	ck_assert_int_eq(plm_cpus_print(&cpus, NULL, 1), -EINVAL);
	ck_assert_str_ne(plm_why(), "");
	plm_machine_close(&machine);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("machine");
	TCase *tcase = tcase_create("plm_machine");
	tcase_add_test(tcase, a_machine_is_shown_by_pages_of_parts);
	tcase_add_test(tcase, a_plan_puts_workers_where_plm_would);
	tcase_add_test(tcase, this_machine_has_the_cpus_of_this_process);
	tcase_add_test(tcase, no_machine_no_room_and_no_process_are_errors);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
