#include "bench/fleet_spaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPACES_NET "10.92.0."

enum { FIRST = 2 /* the desk is 1 */, PATH_BYTES = 48, COMMAND_BYTES = 160 };

static int spaces_fd(pid_t pid)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* ---- ip(8) ---- */

static bool spaces_run(const char *line)
{
	char quiet[COMMAND_BYTES + 16];
	snprintf(quiet, sizeof quiet, "%s >/dev/null 2>&1", line);
	return system(quiet) == 0;
}

static int spaces_plug(const struct spaces *s, unsigned number)
{
	char line[COMMAND_BYTES], address[16];
	spaces_address(s, (int)number, address);
	snprintf(line, sizeof line, "ip link add v%u type veth peer name eth0 netns %d", number,
	    (int)s->holder[number]);
	bool good = spaces_run(line);
	snprintf(line, sizeof line, "ip link set v%u master br0 up", number);
	good = good && spaces_run(line) && spaces_enter(s, (int)number) == 0;
	snprintf(line, sizeof line, "ip address add %s/24 dev eth0", address);
	good = good && spaces_run("ip link set lo up") && spaces_run(line) &&
	    spaces_run("ip link set eth0 up");
	int r = spaces_leave(s);
	return good ? r : -EIO;
}

/* ---- the desk ---- */

void spaces_open(struct spaces *s)
{
	*s = (struct spaces){ .home = spaces_fd(getpid()), .desk = -1 };
	if (geteuid() != 0) {
		snprintf(s->why, sizeof s->why, "only root may make network namespaces");
		return;
	}
	if (s->home < 0 || unshare(CLONE_NEWNET) < 0) {
		snprintf(s->why, sizeof s->why, "a network namespace: %s", strerror(errno));
		return;
	}
	s->desk = spaces_fd(getpid());
	if (spaces_run("ip link set lo up") && spaces_run("ip link add br0 type bridge") &&
	    spaces_run("ip address add " SPACES_NET "1/24 dev br0") &&
	    spaces_run("ip link set br0 up")) {
		s->real = true;
		return;
	}
	snprintf(s->why, sizeof s->why, "ip(8) makes no switch here");
	setns(s->home, CLONE_NEWNET);
}

void spaces_close(struct spaces *s)
{
	for (unsigned i = 0; i < s->n && s->real; i++) {
		close(s->machine[i]);
		kill(s->holder[i], SIGKILL);
		waitpid(s->holder[i], NULL, 0);
	}
	if (s->real)
		setns(s->home, CLONE_NEWNET);
	if (s->home >= 0)
		close(s->home);
	if (s->desk >= 0)
		close(s->desk);
	*s = (struct spaces){ .home = -1, .desk = -1 };
}

/* ---- machines ---- */

/* Returns when the child is in a namespace of its own. */
static pid_t spaces_hold(void)
{
	int up[2];
	char byte;
	if (pipe2(up, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0 || write(up[1], "u", 1) != 1)
			_exit(1);
		close(up[1]);
		for (;;)
			pause();
	}
	close(up[1]);
	bool there = pid > 0 && read(up[0], &byte, 1) == 1;
	close(up[0]);
	return there ? pid : -EPERM;
}

int spaces_add(struct spaces *s)
{
	if (s->n == SPACES_MOST)
		return -ENOSPC;
	unsigned number = s->n;
	if (s->real) {
		pid_t holder = spaces_hold();
		if (holder < 0)
			return holder;
		s->holder[number] = holder;
		s->machine[number] = spaces_fd(holder);
	}
	s->n++;
	int r = s->real ? spaces_plug(s, number) : 0;
	return r < 0 ? r : (int)number;
}

void spaces_address(const struct spaces *s, int machine, char text[16])
{
	if (s->real)
		snprintf(text, 16, SPACES_NET "%u", (uint8_t)(FIRST + machine));
	else
		snprintf(text, 16, "127.0.0.1");
}

int spaces_enter(const struct spaces *s, int machine)
{
	return s->real && setns(s->machine[machine], CLONE_NEWNET) < 0 ? -errno : 0;
}

int spaces_leave(const struct spaces *s)
{
	return s->real && setns(s->desk, CLONE_NEWNET) < 0 ? -errno : 0;
}
