#include "base/door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ours.h"
#include "base/why.h"

/* Nobody else can rename it or make a name in it: what is checked now is so when it is used. */
static int check_directory(const char *path, bool make)
{
	int fd = ours_directory(path, make, "set XDG_RUNTIME_DIR to a directory of yours");
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

int door_directory(char *ret, unsigned long size, int make)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	/* Whose environment that is, and whose runtime it would be, are not the same. */
	if (getauxval(AT_SECURE))
		return why(-EPERM, "a program that runs set-user-id or set-group-id is "
		    "refused: its environment is that of whoever started it");
	int n = base && base[0] ? snprintf(ret, size, "%s/plm", base)
	                        : snprintf(ret, size, "/tmp/plm-%u", (unsigned)geteuid());
	if (n < 0 || (unsigned long)n >= size)
		return why(-ENAMETOOLONG, "XDG_RUNTIME_DIR is too long: %s", base);
	return check_directory(ret, make);
}

int door_address(const char *name, struct sockaddr_un *ret)
{
	char directory[sizeof ret->sun_path];
	int r = door_directory(directory, sizeof directory, 0);
	if (r < 0)
		return r;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s.sock", directory, name);
	if (n < 0 || (size_t)n >= sizeof address.sun_path)
		return why(-ENAMETOOLONG, "the socket's path is too long: %s/%s.sock; set a "
		    "shorter XDG_RUNTIME_DIR", directory, name);
	*ret = address;
	return 0;
}

int door_check_peer(int socket, int *ret_pid)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return why(-errno, "asking who the peer is: %s", strerror(errno));
	if (peer.uid != geteuid())
		return why(-EPERM,
		    "the peer is user %u, not %u: a runtime serves its own user only",
		    (unsigned)peer.uid, (unsigned)geteuid());
	*ret_pid = peer.pid;
	return 0;
}
