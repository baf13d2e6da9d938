#include "bench/measure.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "client/plm.h"

enum {
	EXIT_USAGE = 64,
	SAMPLES_ROOM_FIRST = 64,
	FIGURE_BYTES = 32,
};

#define LOAD_BUSY                                                                       \
	0.3 /* load of each core by other programs; with more than 0.3 the figures mean \
	     * little */

/* ---- one run ---- */

int bench_failed(const char *what, int error)
{
	const char *reason = plm_why();
	fflush(stdout); /* table and complaint appear in the order of the events */
	fprintf(stderr, "bench: %s: %s%s%s\n", what, plm_strerror(error),
	    reason && *reason ? ": " : "", reason ? reason : "");
	return error;
}

static unsigned cores_usable(void)
{
	cpu_set_t set;
	return sched_getaffinity(0, sizeof set, &set) < 0 ? 1 : (unsigned)CPU_COUNT(&set);
}

/* Creates the folders of a relative path; a failure shows when the file is opened. */
static void make_folders(const char *path)
{
	char part[256];
	for (size_t i = 0; path[i] && i < sizeof part - 1; i++) {
		part[i] = '\0';
		if (path[i] == '/' && i > 0)
			mkdir(part, 0777);
		part[i] = path[i];
	}
}

/* Opens the CSV file and prints the load of the machine. */
static int bench_open(struct bench *bench)
{
	make_folders(bench->csv_path);
	bench->csv = fopen(bench->csv_path, "a");
	if (!bench->csv) {
		int error = -errno;
		fprintf(stderr, "bench: %s: %s\n", bench->csv_path, strerror(-error));
		return error;
	}
	if (ftell(bench->csv) == 0)
		fprintf(bench->csv,
		    "started,program,cores,load,name,value,unit,low,high,"
		    "limit_name,limit,ratio,target,verdict\n");

	time_t now = time(NULL);
	struct tm utc;
	strftime(bench->started, sizeof bench->started, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	if (getloadavg(&bench->load, 1) != 1)
		bench->load = -1;
	bench->cores = cores_usable();
	const char *note = bench->load > LOAD_BUSY * bench->cores ? "  (busy: expect noise)" : "";
	printf("%s  %s  cores %u  load average %.2f%s\n", bench->program, bench->started,
	    bench->cores, bench->load, note);
	return 0;
}

enum { OPT_QUICK = 1, OPT_ONLY, OPT_PLM, OPT_CSV, OPT_WORKERS, OPT_IDLE, OPT_HELP };

static const struct option bench_long[] = {
	{ "quick", no_argument, NULL, OPT_QUICK },
	{ "only", required_argument, NULL, OPT_ONLY },
	{ "plm", required_argument, NULL, OPT_PLM },
	{ "csv", required_argument, NULL, OPT_CSV },
	{ "workers", required_argument, NULL, OPT_WORKERS },
	{ "idle", required_argument, NULL, OPT_IDLE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

/* A count from 1 to 9999; 0 if the text is no such count. */
static unsigned parse_count(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	return end == text || *end || n > 9999 ? 0 : (unsigned)n;
}

static bool option_take(struct bench *bench, int option)
{
	switch (option) {
	case OPT_QUICK: bench->quick = true; return true;
	case OPT_ONLY: bench->only = optarg; return true;
	case OPT_PLM: bench->plm_path = optarg; return true;
	case OPT_CSV: bench->csv_path = optarg; return true;
	case OPT_WORKERS: return (bench->workers = parse_count(optarg)) > 0;
	case OPT_IDLE: return (bench->idle_s = parse_count(optarg)) > 0;
	default: return false;
	}
}

/* True to go on; else *ret_exit is the code to end with. */
static bool bench_options(
    struct bench *bench, const char *usage, int argc, char **argv, int *ret_exit)
{
	*bench = (struct bench){
		.plm_path = "./plm", .workers = 2, .csv_path = "build/bench/results.csv"
	};
	bool good = true;
	for (int option; good && (option = getopt_long(argc, argv, "", bench_long, NULL)) != -1;) {
		if (option == OPT_HELP) {
			fputs(usage, stdout);
			*ret_exit = EXIT_SUCCESS;
			return false;
		}
		good = option_take(bench, option);
	}
	if (good && optind == argc)
		return true;
	fputs(usage, stderr);
	*ret_exit = EXIT_USAGE;
	return false;
}

/* ---- parts ---- */

static bool part_wanted(const struct bench *bench, const struct bench_part *part)
{
	return !bench->only || strcmp(bench->only, part->name) == 0;
}

static int run_parts(struct bench *bench, const struct bench_program *program)
{
	unsigned ran = 0;
	int code = EXIT_SUCCESS;
	for (size_t i = 0; i < program->n; i++) {
		if (!part_wanted(bench, &program->parts[i]))
			continue;
		ran++;
		if (program->parts[i].run(bench) < 0)
			code = EXIT_FAILURE;
	}
	if (ran > 0)
		return code;
	fprintf(stderr, "%s: no case '%s'\n%s", program->name, bench->only, program->usage);
	return EXIT_USAGE;
}

int bench_main(const struct bench_program *program, int argc, char **argv)
{
	struct bench bench;
	int code;
	if (!bench_options(&bench, program->usage, argc, argv, &code))
		return code;
	bench.program = program->name;
	if (bench_open(&bench) < 0)
		return EXIT_FAILURE;
	code = run_parts(&bench, program);
	if (bench.missed > 0)
		printf("\n%u of the targets missed\n", bench.missed);
	fclose(bench.csv);
	return code;
}

/* ---- samples ---- */

void samples_add(struct samples *samples, double value)
{
	if (samples->n == samples->room) {
		size_t room = samples->room ? samples->room * 2 : SAMPLES_ROOM_FIRST;
		double *grown = reallocarray(samples->value, room, sizeof *grown);
		if (!grown) {
			fprintf(stderr, "bench: out of memory for %zu samples\n", room);
			exit(EXIT_FAILURE);
		}
		samples->value = grown;
		samples->room = room;
	}
	samples->value[samples->n++] = value;
	samples->sorted = false;
}

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

double samples_at(struct samples *samples, double fraction)
{
	if (samples->n == 0)
		return 0;
	if (!samples->sorted)
		qsort(samples->value, samples->n, sizeof samples->value[0], compare_doubles);
	samples->sorted = true;
	/* The nearest rank, so that every printed figure is a measured figure. */
	return samples->value[(size_t)(fraction * (double)(samples->n - 1) + 0.5)];
}

void samples_free(struct samples *samples)
{
	free(samples->value);
	*samples = (struct samples){ 0 };
}

/* ---- rounds in turn ---- */

static int series_round(struct series *series, bool keep)
{
	struct samples one = { 0 };
	int r = series->round(series->context, &one);
	if (r < 0)
		bench_failed(series->name, r);
	if (r == 0 && keep) {
		samples_add(&series->rounds, samples_at(&one, 0.5));
		for (size_t i = 0; i < one.n; i++)
			samples_add(&series->all, one.value[i]);
	}
	samples_free(&one);
	return r;
}

int series_in_turn(struct series *series, size_t n, unsigned rounds)
{
	for (unsigned round = 0; round <= rounds; round++)
		for (size_t i = 0; i < n; i++) {
			int r = series_round(&series[i], round > 0);
			if (r < 0)
				return r;
		}
	return 0;
}

void series_free(struct series *series, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		samples_free(&series[i].all);
		samples_free(&series[i].rounds);
	}
}

/* ---- rows ---- */

struct row row_of(struct series *series, double fraction, double scale, const char *unit)
{
	return (struct row){
		.name = series->name,
		.unit = unit,
		.value = samples_at(&series->all, fraction) * scale,
		.low = samples_at(&series->rounds, 0) * scale,
		.high = samples_at(&series->rounds, 1) * scale,
	};
}

/* A measurement on a machine with other load is worth four digits at most. */
static void measure_spell(char text[FIGURE_BYTES], double value)
{
	double size = value < 0 ? -value : value;
	int decimals = size >= 1000 || value == 0 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3;
	snprintf(text, FIGURE_BYTES, "%.*f", decimals, value);
}

static bool target_met(const struct row *row, double ratio)
{
	double judged = row->of_ratio ? ratio : row->value;
	return row->sense == TARGET_AT_LEAST ? judged >= row->bound : judged <= row->bound;
}

static void csv_write(struct bench *bench, const struct row *row, double ratio, const char *target,
    const char *verdict)
{
	fprintf(bench->csv, "%s,%s,%u,%.2f,\"%s\",%.6g,%s,%.6g,%.6g,\"%s\",", bench->started,
	    bench->program, bench->cores, bench->load, row->name, row->value, row->unit, row->low,
	    row->high, row->limit_name ? row->limit_name : "");
	if (row->limit != 0)
		fprintf(bench->csv, "%.6g,%.4g", row->limit, ratio);
	else
		fprintf(bench->csv, ",");
	fprintf(bench->csv, ",%s,%s\n", target, verdict);
	fflush(bench->csv); /* keeps these figures even if a later case fails */
}

void row_print(struct bench *bench, const struct row *row)
{
	double ratio = row->limit != 0 ? row->value / row->limit : 0;
	char value[FIGURE_BYTES], low[FIGURE_BYTES], high[FIGURE_BYTES], bound[FIGURE_BYTES];
	char spread[2 * FIGURE_BYTES + 4] = "", beside[FIGURE_BYTES] = "";
	char target[FIGURE_BYTES + 8] = "";
	const char *verdict = "";

	measure_spell(value, row->value);
	measure_spell(low, row->low);
	measure_spell(high, row->high);
	measure_spell(bound, row->bound);
	if (row->low < row->high)
		snprintf(spread, sizeof spread, "%s .. %s", low, high);
	if (row->limit != 0)
		snprintf(beside, sizeof beside, "%.3g x", ratio);
	if (row->sense != TARGET_NONE) {
		verdict = target_met(row, ratio) ? "met" : "MISSED";
		bench->missed += !target_met(row, ratio);
		snprintf(target, sizeof target, "%s %s%s",
		    row->sense == TARGET_AT_LEAST ? ">=" : "<=", bound, row->of_ratio ? " x" : "");
	}
	printf("%-42s %10s %-7s %-24s %8s  %s%s%s\n", row->name, value, row->unit, spread, beside,
	    verdict, *target ? " " : "", target);
	fflush(stdout);
	csv_write(bench, row, ratio, target, verdict);
}

void rows_title(const char *title)
{
	printf("\n%-42s %10s %-7s %-24s %8s  %s\n", title, "value", "unit", "rounds: min .. max",
	    "x limit", "target");
}
