#include "tests/support/objects_case.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void objects_boot(void)
{
	runtime_boot(&host, "--workers", "2", "--tasks", "4096", "--store", "224M", );
}

struct results take_results(char *text)
{
	struct results ret = { .all = text };
	for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n")) {
		ck_assert_uint_lt(ret.n, RESULTS_MOST);
		ret.ref[ret.n++] = at;
	}
	return ret;
}

char *put_bytes(size_t bytes, char path[PATH_BYTES])
{
	unsigned *data = malloc(bytes + sizeof *data);
	ck_assert_ptr_nonnull(data);
	for (size_t i = 0; i * sizeof *data < bytes; i++)
		data[i] = (unsigned)i * 2654435761u;
	scratch_write(&host, "data", data, bytes, path, PATH_BYTES);
	free(data);
	return ctl_expect(&host, 0, "put", path);
}

const char *in_variable(const char *name, const char *ref)
{
	static char text[LINE_BYTES];
	snprintf(text, sizeof text, "%s=%s", name, ref);
	return text;
}

void files_path(char ret[PATH_BYTES])
{
	runtime_segment(&host, "files", ret, PATH_BYTES);
}

unsigned entries(const char *path)
{
	DIR *all = opendir(path);
	const struct dirent *entry;
	unsigned n = 0;
	while (all && (entry = readdir(all)) != NULL)
		n += entry->d_name[0] != '.';
	if (all)
		closedir(all);
	return n;
}

void expect_no_files(void)
{
	char path[PATH_BYTES];
	files_path(path);
	ck_assert_msg(entries(path) == 0, "%u directories are left in %s", entries(path), path);
}
