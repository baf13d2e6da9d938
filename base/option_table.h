/* option_table.h - the options of a program as one table.
 *
 * The same rows feed the parser, the reading of environment variables, `--help`, and a listing
 * from which completions and manual pages are made. A program therefore never repeats an option in
 * a second text. Rows end with a row without a name.
 *
 * A row names the field of a target structure that receives the value, or a function that takes
 * the value. Tables are shared: commands that submit tasks use the same rows for their limits, each
 * with a target of its own.
 * Who: one thread, because getopt_long() reads the command line.  Blocks, allocates: never.
 * Errors: -EINVAL, with a why that names the option. */
#ifndef PLM_OPTION_TABLE_H
#define PLM_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_type {
	OPTION_FLAG,      /* no value: writes true */
	OPTION_NUMBER,    /* a whole number from `least` to `most` */
	OPTION_SIZE,      /* bytes from `least` to `most`: 4096, 512M, 4G */
	OPTION_TIME,      /* milliseconds up to `most`: 500ms, 1.5s, 5m, 1h */
	OPTION_AGE,       /* as OPTION_TIME, and whole days: 7d */
	OPTION_TEXT,      /* the word itself; so are the four below */
	OPTION_FILE,      /* a path; types differ in what a shell offers as completion */
	OPTION_DIRECTORY, /* a path */
	OPTION_REFERENCE, /* "@..." names a future */
	OPTION_RUNTIME,   /* the name of a runtime */
	OPTION_CHOICE,    /* one of `choices`: writes the position of the word */
};

struct option_given {
	const char *what; /* "--workers", or the variable "PLM_WORKERS": for messages */
	const char *text; /* NULL: the value was left out */
	bool environment;
	/* The word after an option whose value was left out, NULL at the end of the line. A
	 * function that takes this word as the value increments optind. */
	const char *next;
};

/* 0; -EINVAL with a why; OPTIONS_END: everything is said, the program ends. */
typedef int option_take_f(void *target, const struct option_given *given);

enum { OPTIONS_END = 1 };

struct option_row {
	const char *name;     /* without dashes; NULL ends the rows */
	const char *letters;  /* each is a short option; NULL: none */
	const char *variable; /* of the environment; NULL: none */
	enum option_type type;
	bool optional;        /* the value may be left out: --name[=WORD] */
	const char *word;     /* stands for the value in the help; NULL: `choices` */
	const char *choices;  /* "none|core|numa" */
	const char *standard; /* the default, as the help shows it; NULL: the text says enough */
	const char *help;     /* one text without line breaks; NULL: an alias, not shown */
	size_t offset, bytes; /* of the field (OPTION_FIELD) */
	int64_t least;
	uint64_t most;
	option_take_f *take; /* instead of a field */
};

#define OPTION_FIELD(type, field) \
	.offset = offsetof(type, field), .bytes = sizeof(((type *)NULL)->field)

struct option_use {
	const struct option_row *rows;
	void *target;
};

/* Takes the options of argv; optind is then the first operand. With stop_at_operand the first
 * operand ends the options, else operands may stand between options. 0, -EINVAL, OPTIONS_END. */
int option_table_parse(
    const struct option_use *uses, size_t count, int argc, char **argv, bool stop_at_operand);

/* Takes every variable that is set and not empty, in the order of the rows. */
int option_table_environment(const struct option_use *uses, size_t count);

/* A word as the value of a type; `what` begins the message. 0 or -EINVAL. */
int option_number(const char *what, const char *word, int64_t least, uint64_t most, uint64_t *ret);
int option_size(const char *what, const char *word, uint64_t least, uint64_t most, uint64_t *ret);
int option_age(const char *what, const char *word, uint64_t most_ms, uint64_t *ret_ms);
/* The position of a word among choices; -EINVAL. */
int option_choice(const char *what, const char *word, const char *choices);

/* The rows as a help text: two columns, 80 characters wide. */
void option_table_help(FILE *file, const struct option_row *rows);

/* The rows for programs, a line each, fields separated by tabs:
 *	option PROGRAM COMMAND --NAME WORD TEXT KIND LETTERS VARIABLE
 * KIND tells a completion what the value may be: none, files, directories, refs, runtimes, or
 * "words" and the words. */
void option_table_list(
    FILE *file, const char *program, const char *command, const struct option_row *rows);

#endif
