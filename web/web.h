/* web.h - plmweb as a whole: what its modules share.
 *
 * One thread serves: the library of the server, the looks and the frames of live pages all run in
 * the loop of plmweb.c, so nothing here is locked. A second thread (web_hand.h) connects. */
#ifndef PLM_WEB_H
#define PLM_WEB_H

#include "web/web_count.h"
#include "web/web_guard.h"
#include "web/web_hand.h"
#include "web/web_live.h"
#include "web/web_look.h"
#include "web/web_peers.h"
#include "web/web_sample.h"
#include "web/web_stream.h"

struct MHD_Daemon;
struct web_fleet;

struct web {
	const char *name;        /* of the runtime; NULL: the default */
	struct web_fleet *fleet; /* NULL: a runtime is shown */
	const char *hosts[GUARD_HOSTS_MAX];
	unsigned host_count;
	bool read_only, any_user;
	char token[TOKEN_BYTES];
	struct MHD_Daemon *daemon;
	struct peers peers;
	struct look look;
	struct sample sample;
	struct count count;
	struct stream stream;
	struct live live;
	struct hand hand;
	uint64_t requests, refused; /* since the start */
};

#endif
