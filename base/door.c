#include "base/door.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ours.h"
#include "base/why.h"

#define REMEDY "set XDG_RUNTIME_DIR to a directory of yours"

/* No other user can rename the directory or make a name in it, so the result still holds when the
 * path is used later. */
int door_directory_check(const char *path, bool make)
{
	int fd = ours_directory(path, make, REMEDY);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* The environment belongs to the caller, the runtime would belong to the effective user. */
static int door_refuse_set_id(void)
{
	return !getauxval(AT_SECURE)
	    ? 0
	    : why(-EPERM,
		  "a program that runs set-user-id or "
		  "set-group-id is refused: another user may have set its environment");
}

int door_directory(char *ret, unsigned long size, int make)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	int r = door_refuse_set_id();
	if (r < 0)
		return r;
	int n = base && base[0] ? snprintf(ret, size, "%s/plm", base)
				: snprintf(ret, size, "/tmp/plm-%u", (unsigned)geteuid());
	if (n < 0 || (unsigned long)n >= size)
		return why(-ENAMETOOLONG, "XDG_RUNTIME_DIR is too long: %s", base);
	return door_directory_check(ret, make);
}

int door_address_in(const char *directory, const char *name, struct sockaddr_un *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s.sock", directory, name);
	if (n < 0 || (size_t)n >= sizeof address.sun_path)
		return why(-ENAMETOOLONG,
		    "the socket's path is too long: %s/%s.sock; set a "
		    "shorter XDG_RUNTIME_DIR",
		    directory, name);
	*ret = address;
	return 0;
}

int door_address(const char *name, struct sockaddr_un *ret)
{
	char directory[sizeof ret->sun_path];
	int r = door_directory(directory, sizeof directory, 0);
	return r < 0 ? r : door_address_in(directory, name, ret);
}

/* ---- the lock file ---- */

void door_lock_path(const char *name, char ret[DOOR_LOCK_BYTES])
{
	snprintf(ret, DOOR_LOCK_BYTES, "/dev/shm/plm-%u-%s.lock", (unsigned)geteuid(), name);
}

bool door_recorded(int lock, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	ssize_t n = pread(lock, ret->sun_path, sizeof ret->sun_path, 0);
	char *end = n > 0 ? memchr(ret->sun_path, '\n', (size_t)n) : NULL;
	if (!end || ret->sun_path[0] != '/')
		return false;
	memset(end, 0, (size_t)(ret->sun_path + sizeof ret->sun_path - end));
	return true;
}

int door_find(const char *name, struct sockaddr_un *ret)
{
	char path[DOOR_LOCK_BYTES];
	int r = door_refuse_set_id();
	if (r < 0)
		return r;
	door_lock_path(name, path);
	int fd = ours_file(path, O_RDONLY, REMEDY);
	bool found = fd >= 0 && door_recorded(fd, ret) && access(ret->sun_path, F_OK) == 0;
	if (fd >= 0)
		close(fd);
	return found ? 0 : door_address(name, ret);
}

int door_check_peer(int socket, int *ret_pid)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return why(-errno, "cannot read the user id of the peer: %s", strerror(errno));
	if (peer.uid != geteuid())
		return why(-EPERM,
		    "the peer is user %u, not %u: a runtime serves its own user only",
		    (unsigned)peer.uid, (unsigned)geteuid());
	*ret_pid = peer.pid;
	return 0;
}
