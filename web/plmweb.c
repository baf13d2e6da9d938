/* plmweb.c - a page, an API and metrics of a runtime: options, and the loop of the server. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/option_table.h"
#include "base/standard.h"
#include "base/why.h"
#include "web/web.h"
#include "web/web_fleet.h"
#include "web/web_listen.h"
#include "web/web_server.h"

enum { EXIT_FINE = 0, EXIT_USAGE = 64, EXIT_OURS = 125, EVENTS = 8 };

struct plmweb {
	struct web web;
	const char *listen, *fleet;
	bool named, fleet_of_environment; /* named: by --name */
	struct listener listener;
	int epoll, timer, signals;
	bool ticking;
};

/* ---- options ---- */

static int plmweb_take_help(void *target, const struct option_given *given);

static int plmweb_take_version(void *target, const struct option_given *given)
{
	(void)target;
	(void)given;
	puts("plmweb " PLM_VERSION);
	return OPTIONS_END;
}

static int plmweb_take_host(void *target, const struct option_given *given)
{
	struct web *web = &((struct plmweb *)target)->web;
	if (web->host_count == GUARD_HOSTS_MAX)
		return why(-EINVAL, "%s: at most %d names", given->what, GUARD_HOSTS_MAX);
	web->hosts[web->host_count++] = given->text;
	return 0;
}

static int plmweb_take_name(void *target, const struct option_given *given)
{
	struct plmweb *plmweb = target;
	plmweb->web.name = given->text;
	plmweb->named = !given->environment;
	return 0;
}

static int plmweb_take_fleet(void *target, const struct option_given *given)
{
	struct plmweb *plmweb = target;
	plmweb->fleet = given->text;
	plmweb->fleet_of_environment = given->environment;
	return 0;
}

static const struct option_row rows[] = {
	{ "name", NULL, "PLM_NAME", OPTION_RUNTIME, .word = "NAME", .standard = "\"default\"",
	    .help = "the runtime, which need not be up", .take = plmweb_take_name },
	{ "fleet", NULL, "PLM_FLEET", OPTION_TEXT, .word = "URL",
	    .help = "show a fleet and its hosts in place of a runtime; '': a runtime",
	    .take = plmweb_take_fleet },
	{ "listen", NULL, "PLM_WEB_LISTEN", OPTION_TEXT, .word = "ADDRESS:PORT|unix:PATH",
	    .standard = "127.0.0.1:4756", .help = "where to serve; port 0: any free port",
	    OPTION_FIELD(struct plmweb, listen) },
	{ "host", NULL, NULL, OPTION_TEXT, .word = "NAME",
	    .help = "also answer requests to this host name, such as the name of a proxy; may be "
		    "given several times",
	    .take = plmweb_take_host },
	{ "read-only", NULL, NULL, OPTION_FLAG,
	    .help = "no actions: nobody can cancel, retry, pause or drain",
	    OPTION_FIELD(struct plmweb, web.read_only) },
	{ "any-user", NULL, NULL, OPTION_FLAG,
	    .help = "also answer other users of this machine; without the option they get only "
		    "/metrics and /healthz",
	    OPTION_FIELD(struct plmweb, web.any_user) },
	{ "help", NULL, NULL, OPTION_TEXT, .optional = true, .help = "show this text",
	    .take = plmweb_take_help },
	{ "version", NULL, NULL, OPTION_FLAG, .help = "show the version",
	    .take = plmweb_take_version },
	{ 0 },
};

static int plmweb_take_help(void *target, const struct option_given *given)
{
	(void)target;
	if (given->text && strcmp(given->text, "table") == 0) {
		option_table_list(stdout, "plmweb", "", rows);
		puts("command\tplmweb\t\t\t\t");
		return OPTIONS_END;
	}
	puts("usage: plmweb [OPTION]...\n"
	     "serve a page, an API (/api) and metrics (/metrics) of a runtime or a fleet, until a\n"
	     "signal\n\n"
	     "Options:");
	option_table_help(stdout, rows);
	puts(
	    "\nThe first line of stdout is the address of the page. Actions need the token in the\n"
	    "address. plmweb only looks at the runtime, and may be killed at any moment.\n\n"
	    "Exit codes: 0 ended by SIGINT or SIGTERM, 64 usage, 125 the address is not free, or\n"
	    "another failure of our own");
	return OPTIONS_END;
}

static void plmweb_take_options(struct plmweb *plmweb, int argc, char **argv)
{
	const struct option_use use = { rows, plmweb };
	int r = option_table_environment(&use, 1);
	if (r == 0)
		r = option_table_parse(&use, 1, argc, argv, false);
	if (r == OPTIONS_END)
		exit(EXIT_FINE);
	plmweb->web.look.name = plmweb->web.name;
	bool fleet = plmweb->fleet && plmweb->fleet[0];
	if (r == 0 && fleet && plmweb->named && !plmweb->fleet_of_environment)
		r = why(-EINVAL,
		    "--name is a runtime of this machine, and --fleet a queue of "
		    "many: give one of them");
	else if (r == 0 && fleet && !plmweb->named)
		r = web_fleet_begin(
		    &plmweb->web.fleet, plmweb->fleet, plmweb->fleet_of_environment);
	if (r == 0 && optind < argc)
		r = why(-EINVAL, "plmweb takes no operands: \"%s\"", argv[optind]);
	if (r == 0 && look_again(&plmweb->web.look) == -EINVAL)
		r = -EINVAL; /* not a name; any other trouble is shown on the page */
	if (r == 0)
		return;
	fprintf(stderr, "plmweb: %s\nplmweb --help tells more\n", why_text());
	exit(EXIT_USAGE);
}

/* ---- the loop ---- */

static void plmweb_tick(struct plmweb *plmweb, bool wanted)
{
	struct itimerspec spec = { .it_value = clock_timespec(0) };
	if (wanted == plmweb->ticking)
		return;
	if (wanted)
		spec.it_value = spec.it_interval = clock_timespec(LIVE_LOOK_MS * NS_PER_MS);
	timerfd_settime(plmweb->timer, 0, &spec, NULL);
	plmweb->ticking = wanted;
}

static void plmweb_take_jobs(struct web *web)
{
	struct hand_job *job;
	while ((job = hand_take(&web->hand)))
		if (job->owner)
			server_job_done(web, job);
		else
			stream_job_done(&web->stream);
}

/* false: a signal ends the program. */
static bool plmweb_take_event(struct plmweb *plmweb, int fd)
{
	uint64_t ticks;
	if (fd == plmweb->signals)
		return false;
	if (fd == plmweb->timer && read(fd, &ticks, sizeof ticks) == (ssize_t)sizeof ticks)
		live_tick(&plmweb->web);
	if (fd == plmweb->web.hand.done[0])
		plmweb_take_jobs(&plmweb->web);
	return true;
}

static int plmweb_watch(struct plmweb *plmweb, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
	return epoll_ctl(plmweb->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void plmweb_loop(struct plmweb *plmweb)
{
	struct epoll_event events[EVENTS];
	for (;;) {
		plmweb_tick(plmweb, live_wants_ticks(&plmweb->web));
		int ms = server_timeout_ms(&plmweb->web);
		int n = epoll_wait(plmweb->epoll, events, EVENTS, ms);
		for (int i = 0; i < n; i++)
			if (!plmweb_take_event(plmweb, events[i].data.fd))
				return;
		server_run(&plmweb->web);
	}
}

/* ---- the program ---- */

static int plmweb_open(struct plmweb *plmweb)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	plmweb->epoll = epoll_create1(EPOLL_CLOEXEC);
	plmweb->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	plmweb->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (plmweb->epoll < 0 || plmweb->timer < 0 || plmweb->signals < 0)
		return why(-errno, "no descriptors: %s", strerror(errno));
	int r = guard_make_token(plmweb->web.token);
	if (r == 0)
		r = hand_begin(&plmweb->web.hand, plmweb->web.name);
	if (r < 0)
		return why(r, "plmweb cannot begin: %s", strerror(-r));
	r = server_begin(&plmweb->web, plmweb->listener.fd);
	if (r < 0)
		return r;
	int fds[] = { plmweb->timer, plmweb->signals, plmweb->web.hand.done[0],
		server_descriptor(&plmweb->web) };
	for (size_t i = 0; i < COUNT_OF(fds) && r == 0; i++)
		r = plmweb_watch(plmweb, fds[i]);
	return r < 0 ? why(r, "cannot wait for requests: %s", strerror(-r)) : 0;
}

/* A thousand connections need descriptors. */
static void plmweb_raise_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void plmweb_say(const struct plmweb *plmweb)
{
	const struct web *web = &plmweb->web;
	const struct listener *listener = &plmweb->listener;
	if (web->read_only || web->fleet)
		printf("plmweb: %s (read only)\n", listener->url);
	else if (listener->path)
		printf("plmweb: %s token=%s\n", listener->url, web->token);
	else
		printf("plmweb: %s#token=%s\n", listener->url, web->token);
	fflush(stdout);
	if (listener->everybody)
		fprintf(stderr,
		    "plmweb: everybody who reaches this address can see the tasks and what they "
		    "print\n");
}

static void plmweb_close(struct plmweb *plmweb)
{
	struct web *web = &plmweb->web;
	web_fleet_end(&web->fleet);
	hand_end(&web->hand);
	plmweb_take_jobs(web);
	server_end(web);
	stream_forget(&web->stream);
	looks_end(&web->sample.looks);
	look_close(&web->look);
	listen_close(&plmweb->listener);
}

int main(int argc, char **argv)
{
	static struct plmweb plmweb = { .listen = "127.0.0.1:4756" };
	standard_open();
	plmweb_take_options(&plmweb, argc, argv);
	plmweb_raise_limit();
	int r = listen_open(&plmweb.listener, plmweb.listen);
	if (r == 0)
		r = plmweb_open(&plmweb);
	if (r < 0) {
		fprintf(stderr, "plmweb: %s\n", why_text());
		listen_close(&plmweb.listener);
		return r == -EINVAL ? EXIT_USAGE : EXIT_OURS;
	}
	plmweb_say(&plmweb);
	plmweb_loop(&plmweb);
	plmweb_close(&plmweb);
	return EXIT_FINE;
}
