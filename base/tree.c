#include "base/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/family.h"
#include "base/text_file.h"

enum { TEXT_BYTES = 2048, BYTES_PER_KB = 1024 };

static bool tree_read_text(pid_t pid, const char *name, char ret[TEXT_BYTES])
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	return text_file_read(path, ret, TEXT_BYTES);
}

/* statm is "SIZE RESIDENT SHARED ...", in pages. */
uint64_t tree_private_bytes(pid_t pid)
{
	char text[TEXT_BYTES], *at;
	if (!tree_read_text(pid, "statm", text))
		return 0;
	strtoull(text, &at, 10);
	uint64_t resident = strtoull(at, &at, 10), shared = strtoull(at, &at, 10);
	return (resident > shared ? resident - shared : 0) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t tree_kilobytes_of(const char *text, const char *name)
{
	const char *line = strstr(text, name);
	return line ? strtoull(line + strlen(name), NULL, 10) : 0;
}

/* Kernels before 5.4 do not tell anonymous memory apart here. */
static uint64_t tree_share_bytes(pid_t pid)
{
	char text[TEXT_BYTES];
	if (!tree_read_text(pid, "smaps_rollup", text) || !strstr(text, "\nPss_Anon:"))
		return tree_private_bytes(pid);
	return (tree_kilobytes_of(text, "\nPss_Anon:") + tree_kilobytes_of(text, "\nSwapPss:")) *
	    BYTES_PER_KB;
}

void tree_add(pid_t root, bool exact, struct tree_use *sum)
{
	pid_t *left = malloc(TREE_MAX * sizeof *left);
	struct family children;
	size_t n = 0, met = 1;
	if (!left)
		return;
	left[n++] = root;
	while (n > 0) {
		pid_t pid = left[--n];
		sum->bytes += exact ? tree_share_bytes(pid) : tree_private_bytes(pid);
		sum->processes++;
		family_of(pid, &children);
		for (size_t i = 0; i < children.n && met < TREE_MAX; i++, met++)
			left[n++] = children.child[i];
	}
	free(left);
}
