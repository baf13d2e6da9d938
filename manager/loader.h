/* loader.h - learns the exports of a module, in a separate process.
 *
 * dlopen() runs code of the module. The manager must not, so a child process does; the child
 * writes the names into the registry (the only code of the folder under a shared lock) and reports
 * through a pipe. A crashing or hanging module costs the child, after --module-limit at the
 * latest.
 *
 * The manager learns of the child's end by a pidfd and reads the report only then, without waiting:
 * a process forked by the module may hold the far end of the pipe open for ever. Processes left by
 * the child are killed like those of commands (orphans.h); the mark and the cgroup let the next
 * manager find them.
 *
 * The modules of the boot are loaded in the event loop like later modules, one after another: the
 * ready line waits for them, a signal does not.
 * Where: the manager.  Blocks: never. */
#ifndef PLM_LOADER_H
#define PLM_LOADER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct manager;

struct loader {    /* loads one module at a time */
	pid_t pid; /* 0: none */
	int pidfd, report;
	uint32_t slot;   /* process slot of the client; SLOT_MANAGER: the boot */
	uint32_t number; /* of the request */
	char *path;
	bool overdue; /* killed at the deadline */
	uint64_t deadline_ns;
	uint32_t boot_due; /* modules of the boot still to load: the ready line waits for them */
};

int loader_begin(struct manager *m);  /* starts the first module of the boot */
void loader_serve(struct manager *m); /* starts the next module a client has asked for */
int loader_done(struct manager *m); /* the loader has ended; -errno, with a why: the boot failed */
void loader_overdue(struct manager *m);
void loader_kill(struct manager *m);

#endif
