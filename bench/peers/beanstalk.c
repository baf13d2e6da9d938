/* beanstalk - beanstalkd on a unix socket, no journal, spoken to directly: two workers take from
 * the tube `jobs` and answer in the tube `results`. In many: commands sent a hundred at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/peers/peer.h"

enum { BATCH = 1000, PIPELINE = 100, LINE = 256 };

struct line {
	FILE *in, *out;
};

static char socket_path[96];
static struct line client;
static pid_t server, worker[PEER_WORKERS];

/* Sends the buffered request and reads one answer, which must begin with `answer`. */
static int beanstalk_expect(struct line *line, const char *answer)
{
	char text[LINE];
	fflush(line->out);
	if (!fgets(text, sizeof text, line->in) || strncmp(text, answer, strlen(answer)) != 0)
		return -1;
	return 0;
}

static int line_open(struct line *line, const char *use, const char *watch)
{
	int fd = peer_connect(socket_path);
	if (fd < 0)
		return -1;
	line->in = fdopen(fd, "r");
	line->out = fdopen(dup(fd), "w");
	fprintf(line->out, "use %s\r\nwatch %s\r\nignore default\r\n", use, watch);
	return beanstalk_expect(line, "USING") | beanstalk_expect(line, "WATCHING") |
	    beanstalk_expect(line, "WATCHING");
}

/* The number of the reserved job; the job's four bytes are thrown away. */
static long beanstalk_reserved(struct line *line)
{
	char text[LINE];
	unsigned long job;
	fflush(line->out);
	if (!fgets(text, sizeof text, line->in) || sscanf(text, "RESERVED %lu", &job) != 1)
		return -1;
	return fgets(text, sizeof text, line->in) ? (long)job : -1;
}

static void beanstalk_put(struct line *line)
{
	fputs("put 0 0 60 4\r\nnoop\r\n", line->out);
}

static void beanstalk_work(void)
{
	struct line self;
	long job;
	if (line_open(&self, "results", "jobs") < 0)
		return;
	for (;;) {
		fputs("reserve\r\n", self.out);
		if ((job = beanstalk_reserved(&self)) < 0)
			return;
		beanstalk_put(&self);
		fprintf(self.out, "delete %ld\r\n", job);
		if (beanstalk_expect(&self, "INSERTED") < 0 ||
		    beanstalk_expect(&self, "DELETED") < 0)
			return;
	}
}

static int beanstalk_start(void)
{
	char listen[128];
	snprintf(socket_path, sizeof socket_path, "%s/beanstalk", peer_folder());
	snprintf(listen, sizeof listen, "unix:%s", socket_path);
	const char *const argument[] = { "beanstalkd", "-l", listen, NULL };
	server = peer_server(argument);
	for (int i = 0; i < PEER_WORKERS; i++)
		worker[i] = peer_fork(beanstalk_work);
	return line_open(&client, "jobs", "results");
}

static void beanstalk_stop(void)
{
	for (int i = 0; i < PEER_WORKERS; i++)
		peer_end(worker[i]);
	peer_end(server);
}

static int send_jobs(size_t n)
{
	for (size_t i = 0; i < n; i++)
		beanstalk_put(&client);
	for (size_t i = 0; i < n; i++)
		if (beanstalk_expect(&client, "INSERTED") < 0)
			return -1;
	return 0;
}

static int take_results(size_t n)
{
	long job[PIPELINE];
	for (size_t i = 0; i < n; i++)
		fputs("reserve\r\n", client.out);
	for (size_t i = 0; i < n; i++)
		if ((job[i] = beanstalk_reserved(&client)) < 0)
			return -1;
	for (size_t i = 0; i < n; i++)
		fprintf(client.out, "delete %ld\r\n", job[i]);
	for (size_t i = 0; i < n; i++)
		if (beanstalk_expect(&client, "DELETED") < 0)
			return -1;
	return 0;
}

static int in_chunks(size_t n, size_t chunk)
{
	for (size_t i = 0; i < n; i += chunk)
		if (send_jobs(chunk) < 0)
			return -1;
	for (size_t i = 0; i < n; i += chunk)
		if (take_results(chunk) < 0)
			return -1;
	return 0;
}

static int beanstalk_one(void)
{
	return in_chunks(1, 1);
}

static int beanstalk_many(size_t n)
{
	return in_chunks(n, PIPELINE);
}

static int beanstalk_each(size_t n)
{
	return in_chunks(n, 1);
}

int main(void)
{
	static const struct peer peer = { beanstalk_start, beanstalk_stop, beanstalk_one,
		beanstalk_many, beanstalk_each, NULL, BATCH, NULL };
	return peer_main(&peer);
}
