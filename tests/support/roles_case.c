#include "tests/support/roles_case.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 512 };

struct roles roles;
plm *rt;

/* Beside the program, whatever the variant. */
const char *test_module(const char *name)
{
	static char path[PATH_BYTES];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	ck_assert_int_gt(n, 0);
	path[n] = 0;
	char *end = strrchr(path, '/');
	snprintf(end, sizeof path - (size_t)(end - path), "/../support/modules/%s.so", name);
	return path;
}

const char *roles_case_module(void)
{
	return test_module("mod_test");
}

void roles_case_start(const struct limits *limits, unsigned workers)
{
	roles_start(&roles, limits, roles_case_module());
	for (unsigned i = 0; i < workers; i++)
		roles_add_worker(&roles);
	rt = roles_join(&roles);
}

void roles_case_stop(void)
{
	roles_leave(&roles, &rt);
	roles_stop(&roles);
}

/* ---- short ways to say things ---- */

plm_ref submit(plm *from, const plm_task *task)
{
	plm_ref ref = PLM_NONE;
	int r = plm_submit(from, task, &ref);
	ck_assert_msg(r == 0, "submitting %s: %d, %s", task->function, r, plm_why());
	return ref;
}

plm_ref submit_args(plm *from, const char *function, const plm_arg *args, size_t n)
{
	return submit(from, &(plm_task){ .function = function, .args = args, .nargs = n });
}

plm_ref submit_text(plm *from, const char *function, const char *text)
{
	return submit_args(from, function, &PLM_BYTES(text, strlen(text)), 1);
}

plm_ref submit_after(plm *from, const char *function, plm_ref future)
{
	return submit_args(from, function, &PLM_FUTURE(future), 1);
}

plm_ref put(plm *from, const void *data, size_t length)
{
	plm_ref ref = PLM_NONE;
	int r = plm_put(from, data, length, &ref);
	ck_assert_msg(r == 0, "put of %zu bytes: %d, %s", length, r, plm_why());
	return ref;
}

void expect_bytes(plm *from, plm_ref ref, const void *data, size_t length)
{
	plm_view view;
	int r = plm_get(from, ref, &view, LONG_MS);
	ck_assert_msg(r == 0, "get: %d, %s", r, plm_why());
	ck_assert_uint_eq(view.len, length);
	ck_assert_int_eq(memcmp(view.data, data, length), 0);
	plm_release(from, &view);
}

void expect_text(plm *from, plm_ref ref, const char *text)
{
	expect_bytes(from, ref, text, strlen(text));
}

void expect_wait(plm *from, plm_ref ref)
{
	int r = plm_wait(from, &ref, 1, 1, LONG_MS, NULL);
	ck_assert_msg(r == 0, "wait: %d, %s", r, plm_why());
}

plm_failure expect_failure(plm *from, plm_ref ref, int code)
{
	plm_failure failure;
	expect_wait(from, ref);
	ck_assert_int_eq(plm_error(from, ref, &failure), 0);
	ck_assert_int_eq(failure.code, code);
	return failure;
}

TCase *roles_case_add(Suite *suite, const char *name, void (*boot)(void))
{
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, ROLES_CASE_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, boot, roles_case_stop);
	suite_add_tcase(suite, tcase);
	return tcase;
}
