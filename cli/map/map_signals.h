/* map_signals.h - signals to `plmctl map`. After a first SIGINT, or a SIGHUP, map starts no more
 * jobs; a second SIGINT, or a SIGTERM, cancels the running jobs. Signals come through a
 * descriptor, so that no signal is lost between a look and a sleep.
 * Who: one thread of the process, before it starts other threads. */
#ifndef PLM_CLI_MAP_SIGNALS_H
#define PLM_CLI_MAP_SIGNALS_H

enum wish {
	WISH_GO_ON,
	WISH_START_NO_MORE,
	WISH_CANCEL,
};

/* 0, or -errno with a why. From now on SIGPIPE is an error of write() instead. */
int signals_open(void);
int signals_fd(void);
/* The request of the signals so far. */
enum wish signals_wish(void);
/* The last signal, or 0. */
int signals_last(void);

#endif
