/* notify.h - tells a service manager how far the boot or the stop is: systemd's protocol, a
 * datagram of lines to the socket in $NOTIFY_SOCKET. The protocol needs no library.
 *
 * Where: the manager alone.  Death: seen by the service manager like every child's death.
 * Blocks: never; a datagram is dropped if it cannot be sent, for nobody here can act. */
#ifndef PLM_NOTIFY_H
#define PLM_NOTIFY_H

/* The socket, or -1 without a service manager. Unsets the variable, so that no child speaks in the
 * name of plm. */
int notify_open(void);
void notify_say(int socket, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
