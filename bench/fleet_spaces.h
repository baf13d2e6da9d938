/* fleet_spaces.h - machines for a measurement: network namespaces, joined by a switch.
 *
 * Where: this process, which becomes the desk: the switch is in its namespace. Each machine is a
 * child that sleeps in a namespace of its own. Death: the machines die with this process, and the
 * kernel then removes namespaces and links. Blocks: for some runs of ip(8). Allocates: never.
 *
 * Without leave to make namespaces all stays on this machine, and `why` says so. */
#ifndef PLM_BENCH_FLEET_SPACES_H
#define PLM_BENCH_FLEET_SPACES_H

#include <stdbool.h>
#include <sys/types.h>

enum { SPACES_MOST = 4 };

struct spaces {
	bool real;
	char why[160];  /* not real: the reason */
	int home, desk; /* the namespace of the start, and that of the switch */
	int machine[SPACES_MOST];
	pid_t holder[SPACES_MOST];
	unsigned n;
};

void spaces_open(struct spaces *s);
void spaces_close(struct spaces *s);
/* The number of a new machine, or -errno. Without namespaces every number is this machine. */
int spaces_add(struct spaces *s);
/* The address of the machine, for four bytes and a zero as text. */
void spaces_address(const struct spaces *s, int machine, char text[16]);
/* What this process starts or opens from now on is on the machine, or at the desk again. */
int spaces_enter(const struct spaces *s, int machine);
int spaces_leave(const struct spaces *s);

#endif
