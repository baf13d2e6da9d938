/* fuzz_load.c - task files: lines in each format, and the dependencies between lines. The first
 * byte chooses the format. Both passes over the file must see the same lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/why.h"
#include "cli/load/load.h"
#include "verify/fuzz/fuzz.h"

/* Replaces plmctl's function, which ends a command: only want of memory comes here. */
int failed(int error, const char *what)
{
	fuzz_found(what, error, "there is memory");
}

enum { FORMATS = LOAD_LINES + 1 };

struct load {
	struct load_file file;
	struct load_item item;
	struct load_graph graph;
	struct command_request common;
	enum load_format format;
	uint64_t bad, good;
};

static void count_bad(void *context, uint64_t line)
{
	struct load *l = context;
	FUZZ_REQUIRE(line > 0);
	l->bad++;
}

static int judge_line(struct load *l, const struct load_line *line)
{
	why_clear();
	int r = load_read(l->format, &l->common, line, &l->item);
	FUZZ_REQUIRE(r >= 0 || why_text()[0]);
	FUZZ_REQUIRE(r != 1 || l->item.words > 0 || l->item.function);
	return r == 1 ? load_graph_add(&l->graph, &l->item, line) : r;
}

static void read_first(struct load *l)
{
	struct load_line line;
	uint64_t number = 0;
	while (load_file_next(&l->file, &line) > 0) {
		FUZZ_REQUIRE(line.number == ++number && line.text[line.length] == 0);
		if (judge_line(l, &line) >= 0)
			l->good++;
		else
			l->bad++;
	}
	load_graph_judge(&l->graph, count_bad, l);
}

/* As if each line were submitted in turn, a line after the lines named as dependencies. */
static void read_again(struct load *l)
{
	struct load_line line;
	struct load_node *node;
	uint64_t number = 0, ready = 0;
	load_file_seek(&l->file, 0, 1);
	while (load_file_next(&l->file, &line) > 0) {
		number++;
		node = load_graph_at(&l->graph, line.number);
		if (node && !node->bad && node->missing == 0)
			load_graph_done(&l->graph, node, (plm_ref){ 1, 1 });
		else if (node)
			node->put_off = true;
	}
	FUZZ_REQUIRE(number >= l->good);
	while ((node = load_graph_ready(&l->graph)) != NULL) {
		FUZZ_REQUIRE(++ready <= l->graph.nodes);
		load_graph_done(&l->graph, node, (plm_ref){ 1, 1 });
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	char path[64];
	struct load l = { 0 };
	if (length == 0)
		return 0;
	int fd = memfd_create("tasks", MFD_CLOEXEC);
	FUZZ_REQUIRE(fd >= 0 && write(fd, data + 1, length - 1) == (ssize_t)length - 1);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	l.format = (enum load_format)(data[0] % FORMATS);
	FUZZ_REQUIRE(load_file_open(path, &l.file) == 0);
	read_first(&l);
	read_again(&l);
	load_item_free(&l.item);
	load_graph_free(&l.graph);
	load_file_close(&l.file);
	close(fd);
	return 0;
}
