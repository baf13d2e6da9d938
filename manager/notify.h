/* notify.h - tells a service manager how far we are: systemd's protocol, a datagram of lines to the
 * socket that $NOTIFY_SOCKET names. No library is needed for that.
 *
 * Where: the manager alone.  Death: whoever started us sees it as it sees every child's.
 * Blocks: never; what cannot be sent is dropped, for nobody here can act on it. */
#ifndef PLM_NOTIFY_H
#define PLM_NOTIFY_H

/* A socket to whoever wants to know, -1: nobody does. What we start must not speak for us: the
 * variable is gone afterwards. */
int notify_open(void);
void notify_say(int socket, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
