/* web_listen.h - the socket of the server: ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH.
 *
 * A killed server leaves the file of a unix socket behind, and the next server replaces a file to
 * which nobody listens.
 * Blocks: never. */
#ifndef PLM_WEB_LISTEN_H
#define PLM_WEB_LISTEN_H

#include <stdbool.h>

enum { LISTEN_URL_BYTES = 160 };

struct listener {
	int fd;
	char url[LISTEN_URL_BYTES]; /* for people: http://127.0.0.1:4756/ */
	const char *path;           /* of a unix socket, or NULL */
	bool everybody;             /* other machines can reach the address */
};

/* 0, or -errno with a why. */
int listen_open(struct listener *listener, const char *where);
void listen_close(struct listener *listener);

#endif
