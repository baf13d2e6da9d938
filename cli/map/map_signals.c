#include "cli/map/map_signals.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/why.h"

static struct {
	int fd, last;
	enum wish wish;
} signals = { .fd = -1 };

int signals_open(void)
{
	sigset_t wanted;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGHUP);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	signal(SIGPIPE, SIG_IGN);
	signals.fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals.fd >= 0 ? 0 : why(-errno, "signals: %s", strerror(errno));
}

int signals_fd(void)
{
	return signals.fd;
}

enum wish signals_wish(void)
{
	struct signalfd_siginfo info;
	while (read(signals.fd, &info, sizeof info) == sizeof info) {
		signals.last = (int)info.ssi_signo;
		bool cancel = signals.last == SIGTERM || signals.wish != WISH_GO_ON;
		signals.wish = cancel ? WISH_CANCEL : WISH_START_NO_MORE;
	}
	return signals.wish;
}

int signals_last(void)
{
	return signals.last;
}
