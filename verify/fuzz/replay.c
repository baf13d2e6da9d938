/* replay.c - runs a fuzz target without a fuzzer: each file, or each file of a directory, once.
 *
 * Without arguments the target's corpus is used: verify/fuzz/corpus/NAME for fuzz_NAME. An input
 * that takes longer than DEADLINE_S counts as a hang. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verify/fuzz/fuzz.h"

enum { INPUT_BYTES_MAX = 1 << 20, PATH_BYTES = 512, DEADLINE_S = 20 };

static unsigned replayed;

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	/* A separate block, so that a read beyond the end is found. */
	uint8_t *room = malloc(INPUT_BYTES_MAX), *data = NULL;
	if (!file || !room) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	size_t n = fread(room, 1, INPUT_BYTES_MAX, file);
	fclose(file);
	data = malloc(n ? n : 1);
	if (data)
		memcpy(data, room, n);
	free(room);
	printf("%s\n", path); /* a crash from here on belongs to this file */
	alarm(DEADLINE_S);
	int r = data ? LLVMFuzzerTestOneInput(data, n) : -1;
	alarm(0);
	free(data);
	replayed++;
	return r;
}

static int replay_directory(const char *path)
{
	char name[PATH_BYTES];
	struct dirent **entry;
	int r = 0, n = scandir(path, &entry, NULL, alphasort);
	if (n < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	for (int i = 0; i < n; i++) {
		if (entry[i]->d_name[0] != '.' && r == 0) {
			snprintf(name, sizeof name, "%s/%s", path, entry[i]->d_name);
			r = replay_file(name);
		}
		free(entry[i]);
	}
	free(entry);
	return r;
}

static int replay_replay(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? replay_directory(path)
							   : replay_file(path);
}

int main(int argc, char **argv)
{
	char corpus[PATH_BYTES];
	int r = 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(corpus, sizeof corpus, "verify/fuzz/corpus/%s",
	    program_invocation_short_name + strlen("fuzz_"));
	if (argc == 1)
		r = replay_replay(corpus);
	for (int i = 1; i < argc && r == 0; i++)
		r = replay_replay(argv[i]);
	if (r == 0 && replayed == 0)
		fprintf(stderr, "there is nothing to replay in %s\n", corpus);
	printf("%u inputs were met with an answer\n", replayed);
	return r == 0 && replayed > 0 ? 0 : 1;
}
