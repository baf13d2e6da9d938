#include "tests/support/command_case.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/json.h"

enum { PATH_BYTES = 256 };

void check_output(struct output_of o, int code, const char *out, const char *err)
{
	ck_assert_msg(o.code == code, "exit code %d, not %d; stdout: %s stderr: %s", o.code, code,
	    o.out, o.err);
	ck_assert_msg(!out || strcmp(o.out, out) == 0, "stdout is \"%s\", not \"%s\"", o.out, out);
	ck_assert_msg(!err || strstr(o.err, err), "stderr is \"%s\", without \"%s\"", o.err, err);
	output_free(&o);
}

void expect_field(const char *ref, const char *key, const char *expected)
{
	char *line = ctl_expect(&host, 0, "info", "--json", ref), *value = json_field(line, key);
	ck_assert_msg(value && strcmp(value, expected) == 0, "%s is %s, not %s, in %s", key,
	    value ? value : "missing", expected, line);
	free(value);
	free(line);
}

pid_t command_with_far_child(void)
{
	char path[PATH_BYTES], line[2 * PATH_BYTES];
	scratch_path(&host, "pid", path, sizeof path);
	snprintf(line, sizeof line, "setsid sleep 1000 & echo $! > %s; wait", path);
	free(detached("--shell", line));
	return (pid_t)scratch_number(&host, "pid");
}

unsigned descriptors_of_workers(void)
{
	char *lines = ctl_expect(&host, 0, "workers", "--json"), path[PATH_BYTES];
	unsigned n = 0;
	for (const char *at = lines; (at = strstr(at, "\"pid\": ")) != NULL; at++) {
		snprintf(path, sizeof path, "/proc/%d/fd", atoi(at + 7));
		DIR *all = opendir(path);
		ck_assert_ptr_nonnull(all);
		while (readdir(all))
			n++;
		closedir(all);
	}
	free(lines);
	return n;
}
