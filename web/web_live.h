/* web_live.h - live data: one stream of server-sent events for each open page.
 *
 * While a page is open, a timer ticks twenty times a second. Each tick looks at the workers; every
 * tenth tick makes a frame, the same for all pages. A page that reads slowly gets the latest frame
 * when it has read its last, and misses the frames between: nothing is queued for a page. Without a
 * page the timer stands still.
 *
 * The work for all pages is bounded: counting tasks gets 2 % of the time.
 * Who: the thread of the loop.  Blocks: never. */
#ifndef PLM_WEB_LIVE_H
#define PLM_WEB_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct web;

enum {
	LIVE_LOOK_MS = 50,
	LIVE_LOOKS_A_FRAME = 10,
	LIVE_PAGES_MAX = 64,
};

struct live_frame {
	unsigned uses;
	size_t length;
	char data[];
};

struct live_page;

struct live {
	struct live_page *pages;
	unsigned count, streams;      /* open pages; those that show the task stream */
	uint64_t sequence;            /* of the latest frame */
	struct live_frame *latest[2]; /* without and with the task stream; or NULL */
	unsigned looks;               /* since the latest frame */
	unsigned frames;              /* since the first page */
	uint64_t frame_ns;            /* when the latest frame was made */
	int64_t account_ns;           /* time that counting may take */
};

/* A page is open, so live_tick() wants to be called each LIVE_LOOK_MS. */
bool live_wants_ticks(const struct web *web);
void live_tick(struct web *web);
/* Another boot has the name. */
void live_see_boot(struct web *web);
/* Ends every page. */
void live_end(struct web *web);

#endif
