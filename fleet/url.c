#include "fleet/url.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/option_table.h"
#include "base/scan.h"
#include "base/why.h"

enum { PORT_OF_REDIS = 6379, PORT_MOST = 65535, DB_MOST = 65535, QUEUE_LONGEST = 32 };

#define LEASE_LEAST_MS 1000
#define LEASE_MOST_MS 3600000
#define LEASE_MS 10000
#define KEEP_MS (UINT64_C(7) * 86400000)
#define KEEP_MOST_MS (UINT64_C(365) * 86400000)

struct url_text { /* while it is read */
	const char *what, *text;
	bool environment;
	struct fleet_url *url;
};

/* Copies a part of the text. */
static int url_copy(const struct url_text *t, const char *from, size_t n, char *to, size_t room)
{
	if (n == 0 || n >= room)
		return why(-EINVAL, "%s: \"%.*s\" has %zu bytes; 1 to %zu are possible there",
		    t->what, (int)(n < 60 ? n : 60), from, n, room - 1);
	memcpy(to, from, n);
	to[n] = 0;
	return 0;
}

static int url_number(const struct url_text *t, const char *word, uint64_t most, int *ret)
{
	uint64_t number;
	int r = option_number(t->what, word, 0, most, &number);
	*ret = r == 0 ? (int)number : 0;
	return r;
}

/* A password that others may read is no secret. */
static int url_read_password(struct url_text *t, const char *path)
{
	struct fleet_url *u = t->url;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return why(-EACCES, "%s: password-file %s: %s", t->what, path, strerror(errno));
	ssize_t n = fstat(fd, &st) == 0 ? read(fd, u->password, sizeof u->password - 1) : -1;
	close(fd);
	if (n < 0 || st.st_mode & 077)
		return why(-EACCES, "%s: password-file %s: %s", t->what, path,
		    n < 0 ? strerror(errno) : "others may read the file; chmod 600 it");
	u->password[n] = 0;
	u->password[strcspn(u->password, "\r\n")] = 0;
	return u->password[0]
	    ? 0
	    : why(-EACCES, "%s: password-file %s: the first line is empty", t->what, path);
}

static int url_take_queue(struct url_text *t, const char *word)
{
	if (strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") !=
		strlen(word) ||
	    strlen(word) > QUEUE_LONGEST)
		return why(-EINVAL,
		    "%s: queue=%s: a name has 1 to %d letters, digits, dots, dashes "
		    "and underscores",
		    t->what, word, QUEUE_LONGEST);
	return url_copy(t, word, strlen(word), t->url->queue, sizeof t->url->queue);
}

static int url_take_lease(struct url_text *t, const char *word)
{
	int r = text_time(t->what, word, LEASE_MOST_MS, &t->url->lease_ms);
	if (r == 0 && t->url->lease_ms < LEASE_LEAST_MS)
		return why(-EINVAL, "%s: lease=%s: a lease is a second at least", t->what, word);
	return r;
}

static int url_take_tls(struct url_text *t, const char *name, const char *word)
{
	struct fleet_url *u = t->url;
	const struct {
		const char *name;
		char *to;
	} files[] = { { "cacert", u->cacert }, { "cert", u->cert }, { "key", u->key } };
	bool verify = strcmp(name, "verify") == 0;
	size_t i = 0;
	while (i < COUNT_OF(files) && strcmp(name, files[i].name) != 0)
		i++;
	if (i == COUNT_OF(files) && !verify)
		return why(-EINVAL,
		    "%s: unknown option \"%s\"; there are queue, lease, keep, user, "
		    "password-file, db, and with rediss:// cacert, cert, key and verify",
		    t->what, name);
	if (!u->tls)
		return why(-EINVAL, "%s: %s=%s is for rediss:// alone", t->what, name, word);
	if (!verify)
		return url_copy(t, word, strlen(word), files[i].to, sizeof u->cacert);
	if (strcmp(word, "no") != 0)
		return why(-EINVAL, "%s: verify=%s: certificates are checked, unless verify=no",
		    t->what, word);
	u->tls_unchecked = true;
	return 0;
}

/* Each word of the list behind the question mark. */
static int url_take_option(struct url_text *t, const char *name, const char *word)
{
	struct fleet_url *u = t->url;
	if (strcmp(name, "queue") == 0)
		return url_take_queue(t, word);
	if (strcmp(name, "lease") == 0)
		return url_take_lease(t, word);
	if (strcmp(name, "keep") == 0)
		return option_age(t->what, word, KEEP_MOST_MS, &u->keep_ms);
	if (strcmp(name, "db") == 0)
		return url_number(t, word, DB_MOST, &u->db);
	if (strcmp(name, "user") == 0)
		return url_copy(t, word, strlen(word), u->user, sizeof u->user);
	if (strcmp(name, "password-file") == 0)
		return url_read_password(t, word);
	return url_take_tls(t, name, word);
}

static int url_take_options(struct url_text *t, const char *from)
{
	char word[512], *value;
	int r = 0;
	while (*from && r == 0) {
		size_t n = strcspn(from, "&");
		if (n >= sizeof word)
			return why(-EINVAL, "%s: an option is too long", t->what);
		memcpy(word, from, n);
		word[n] = 0;
		value = strchr(word, '=');
		if (!value || !value[1])
			return why(-EINVAL, "%s: \"%s\" is not NAME=VALUE", t->what, word);
		*value = 0;
		r = url_take_option(t, word, value + 1);
		from += n + (from[n] != 0);
	}
	return r;
}

static int url_take_secret(struct url_text *t, const char *from, size_t n)
{
	struct fleet_url *u = t->url;
	const char *colon = memchr(from, ':', n);
	size_t user = colon ? (size_t)(colon - from) : n;
	int r = user ? url_copy(t, from, user, u->user, sizeof u->user) : 0;
	if (r < 0 || !colon)
		return r;
	if (!t->environment)
		return why(-EINVAL,
		    "%s: a password on the command line stands in every process list: put it into "
		    "a file of mode 600 and say ?password-file=FILE, or set PLM_FLEET instead",
		    t->what);
	return url_copy(t, colon + 1, n - user - 1, u->password, sizeof u->password);
}

/* HOST[:PORT][/DB], n bytes. */
static int url_take_place(struct url_text *t, const char *from, size_t n)
{
	struct fleet_url *u = t->url;
	char place[300];
	int r = url_copy(t, from, n, place, sizeof place);
	char *slash = r == 0 ? strchr(place, '/') : NULL;
	if (slash)
		*slash++ = 0;
	char *colon = r == 0 && place[0] != '[' ? strchr(place, ':') : NULL;
	if (colon)
		*colon++ = 0;
	if (r == 0)
		r = url_copy(t, place, strlen(place), u->host, sizeof u->host);
	if (r == 0 && slash && *slash)
		r = url_number(t, slash, DB_MOST, &u->db);
	if (r == 0 && colon)
		r = url_number(t, colon, PORT_MOST, &u->port);
	return r;
}

static int url_take_redis(struct url_text *t, const char *from)
{
	size_t n = strcspn(from, "?");
	const char *at = memrchr(from, '@', n);
	int r = at ? url_take_secret(t, from, (size_t)(at - from)) : 0;
	const char *place = at ? at + 1 : from;
	return r < 0 ? r : url_take_place(t, place, n - (size_t)(place - from));
}

static void url_show(struct fleet_url *u)
{
	if (u->host[0])
		snprintf(u->shown, sizeof u->shown, "%s://%s:%d/%d?queue=%s",
		    u->tls ? "rediss" : "redis", u->host, u->port, u->db, u->queue);
	else
		snprintf(u->shown, sizeof u->shown, "unix://%s?queue=%s", u->path, u->queue);
}

int fleet_url_parse(const char *what, const char *text, bool environment, struct fleet_url *ret)
{
	struct url_text t = { what, text, environment, ret };
	const char *options = strchr(text, '?');
	*ret = (struct fleet_url){
		.port = PORT_OF_REDIS, .queue = "default", .lease_ms = LEASE_MS, .keep_ms = KEEP_MS
	};
	int r;
	ret->tls = strncmp(text, "rediss://", 9) == 0;
	if (ret->tls)
		r = url_take_redis(&t, text + 9);
	else if (strncmp(text, "redis://", 8) == 0)
		r = url_take_redis(&t, text + 8);
	else if (strncmp(text, "unix://", 7) == 0)
		r = url_copy(&t, text + 7, strcspn(text + 7, "?"), ret->path, sizeof ret->path);
	else
		r = why(-EINVAL,
		    "%s wants redis://HOST[:PORT][/DB][?queue=NAME], rediss:// for TLS, or "
		    "unix://PATH[?queue=NAME]",
		    what);
	if (r == 0 && options)
		r = url_take_options(&t, options + 1);
	url_show(ret);
	return r;
}
