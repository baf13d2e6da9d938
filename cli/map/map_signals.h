/* map_signals.h - what a person or the terminal asks of `plmctl map`: a first SIGINT, or a SIGHUP,
 * starts no more; a second one, or a SIGTERM, cancels. They come through a descriptor, so that none
 * of them falls between a look and a sleep.
 * Who: one thread of the process, before it starts others. */
#ifndef PLM_CLI_MAP_SIGNALS_H
#define PLM_CLI_MAP_SIGNALS_H

enum wish {
	WISH_GO_ON,
	WISH_START_NO_MORE,
	WISH_CANCEL,
};

/* 0, or -errno with a why. SIGPIPE is an error of writing from now on. */
int signals_open(void);
int signals_fd(void);
/* What was asked for so far. */
enum wish signals_wish(void);
/* The last signal; 0: none. */
int signals_last(void);

#endif
