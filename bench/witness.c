#include "bench/witness.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int witness_open(struct witness *ret)
{
	struct witness w = { .path = "/tmp/plm-bench-XXXXXX" };
	w.fd = mkstemp(w.path);
	if (w.fd < 0)
		return -errno;
	w.seen = ftruncate(w.fd, sizeof *w.seen) < 0
	    ? MAP_FAILED
	    : mmap(NULL, sizeof *w.seen, PROT_READ | PROT_WRITE, MAP_SHARED, w.fd, 0);
	if (w.seen != MAP_FAILED) {
		*ret = w;
		return 0;
	}
	int r = -errno;
	close(w.fd);
	unlink(w.path);
	return r;
}

void witness_close(struct witness *witness)
{
	munmap(witness->seen, sizeof *witness->seen);
	close(witness->fd);
	unlink(witness->path);
}
