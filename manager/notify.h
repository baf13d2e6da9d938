/* notify.h - tells a service manager how far the boot or the stop is: systemd's protocol, a
 * datagram of lines to the socket that $NOTIFY_SOCKET names. The protocol needs no library.
 *
 * Where: the manager alone.  Death: the service manager sees it as it sees every child's death.
 * Blocks: never; a datagram that cannot be sent is dropped, for nobody here can act on that. */
#ifndef PLM_NOTIFY_H
#define PLM_NOTIFY_H

/* The socket, or -1 without a service manager. Unsets the variable, so that no child process speaks
 * in the name of plm. */
int notify_open(void);
void notify_say(int socket, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
