#include "verify/fuzz/journal_file.h"

#include <dirent.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "verify/fuzz/fuzz.h"
#include "journal/db_parts.h"
#include "journal/journal.h"

enum {
	PATCH_BYTES = 6,
	PATCHES_MAX = 64,
	ROWS_MAX = 200,
	BLOCK_BYTES_MAX = 64,
	TASKS = 6,
	PAGE_BYTES = 512,
	WIDE_BYTES = 2 << 20
};

struct file {
	uint8_t *data;
	size_t bytes;
};

static char directory[128], path[144], wal_path[152];
static struct file empty, sound, sound_wal;
static uint64_t this_runtime;

/* ---- bytes ---- */

const uint8_t *bytes_block(struct bytes *b, size_t n, size_t *ret_n)
{
	const uint8_t *at = b->at;
	*ret_n = n < b->left ? n : b->left;
	b->at += *ret_n;
	b->left -= *ret_n;
	return at;
}

uint64_t bytes_take(struct bytes *b, size_t n)
{
	uint64_t number = 0;
	const uint8_t *at = bytes_block(b, n, &n);
	for (size_t i = 0; i < n; i++)
		number |= (uint64_t)at[i] << 8 * i;
	return number;
}

/* ---- files ---- */

static struct file read_file(const char *name)
{
	FILE *f = fopen(name, "rb");
	FUZZ_REQUIRE(f && fseek(f, 0, SEEK_END) == 0);
	struct file file = { .bytes = (size_t)ftell(f) };
	rewind(f);
	file.data = malloc(file.bytes + 1);
	FUZZ_REQUIRE(file.data && fread(file.data, 1, file.bytes, f) == file.bytes);
	fclose(f);
	return file;
}

static void write_file(const char *name, const uint8_t *data, size_t bytes)
{
	FILE *f = fopen(name, "wb");
	FUZZ_REQUIRE(f && (bytes == 0 || fwrite(data, 1, bytes, f) == bytes));
	fclose(f);
}

void journal_file_remove(void)
{
	char name[sizeof directory + NAME_MAX + 2];
	DIR *all = opendir(directory);
	FUZZ_REQUIRE(all);
	for (const struct dirent *entry; (entry = readdir(all)) != NULL;) {
		snprintf(name, sizeof name, "%s/%s", directory, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(name);
	}
	closedir(all);
}

static void remove_directory(void)
{
	journal_file_remove();
	rmdir(directory);
}

/* ---- rows ---- */

static int64_t rare_number(uint8_t which)
{
	const int64_t rare[] = { -1, INT64_MAX, INT64_MIN, INT64_MAX - 1, UINT32_MAX,
		(int64_t)UINT32_MAX + 1, INT32_MIN, INT32_MAX, (int64_t)this_runtime,
		(int64_t)1 << 62, 4096, 65536 };
	return rare[which % (sizeof rare / sizeof rare[0])];
}

static const char *known_text(uint8_t which)
{
	static const char *const known[] = { "", "probe.echo", "probe.noop", "probe.sum", "cpus=1",
		"0 0 0 10 20 0", "version", "unfinished", "dubious", "clean", "plm.run",
		"cpus=99" };
	return known[which % (sizeof known / sizeof known[0])];
}

/* Gives the column a value; returns the bytes, if the value has any, for checksums of later
 * columns. */
static struct bytes bind_value(sqlite3_stmt *s, int column, struct bytes *b)
{
	uint8_t how = (uint8_t)bytes_take(b, 1);
	struct bytes block = { .at = (const uint8_t *)"" };
	if (how < 128) {
		sqlite3_bind_int64(s, column, how);
	} else if (how < 144) {
		sqlite3_bind_int64(s, column, (int64_t)bytes_take(b, 8));
	} else if (how < 168) {
		sqlite3_bind_int64(s, column, rare_number(how));
	} else if (how < 192) {
		sqlite3_bind_text(s, column, known_text(how), -1, SQLITE_STATIC);
	} else if (how < 216) {
		block.at = bytes_block(b, bytes_take(b, 1) % BLOCK_BYTES_MAX, &block.left);
		sqlite3_bind_text(
		    s, column, (const char *)block.at, (int)block.left, SQLITE_TRANSIENT);
	} else if (how < 248) {
		block.at = bytes_block(b, bytes_take(b, 1), &block.left);
		sqlite3_bind_blob64(s, column, block.at, block.left, SQLITE_TRANSIENT);
	} else if (how == 248) { /* larger than the store */
		static const uint8_t zeros[WIDE_BYTES];
		block = (struct bytes){ zeros, sizeof zeros };
		sqlite3_bind_blob64(s, column, zeros, sizeof zeros, SQLITE_STATIC);
	} else {
		sqlite3_bind_null(s, column);
	}
	return block;
}

/* Rows with a wrong checksum are not read further, so the checksum is mostly right. */
static void bind_row(sqlite3_stmt *s, const char *table, int columns, struct bytes *b)
{
	int data = strcmp(table, "task") == 0 ? 14 : strcmp(table, "blob") == 0 ? 4 : 0;
	int sum = strcmp(table, "task") == 0 ? 15 : 3;
	bool right = bytes_take(b, 1) & 7;
	int64_t told = 0;
	for (int i = 1; i <= columns; i++) {
		struct bytes block = bind_value(s, i, b);
		if (i == data)
			told = encode_sum(block.at, block.left);
	}
	if (data && right)
		sqlite3_bind_int64(s, sum, told);
}

static void add_row(sqlite3 *db, struct bytes *b)
{
	char sql[256];
	sqlite3_stmt *s;
	const char *table = db_tables[bytes_take(b, 1) % 10];
	snprintf(sql, sizeof sql, "SELECT * FROM %s", table);
	FUZZ_REQUIRE(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK);
	int columns = sqlite3_column_count(s);
	sqlite3_finalize(s);
	int n = snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO %s VALUES(?", table);
	for (int i = 1; i < columns; i++)
		n += snprintf(sql + n, sizeof sql - (size_t)n, ",?");
	snprintf(sql + n, sizeof sql - (size_t)n, ")");
	FUZZ_REQUIRE(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK);
	bind_row(s, table, columns, b);
	sqlite3_step(s); /* of wrong types, not all are taken */
	sqlite3_finalize(s);
}

static void make_rows(struct bytes *b)
{
	sqlite3 *db;
	write_file(path, empty.data, empty.bytes);
	FUZZ_REQUIRE(sqlite3_open(path, &db) == SQLITE_OK);
	FUZZ_REQUIRE(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK);
	for (int i = 0; i < ROWS_MAX && b->left; i++)
		add_row(db, b);
	FUZZ_REQUIRE(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
	FUZZ_REQUIRE(sqlite3_close(db) == SQLITE_OK);
}

/* ---- a sound journal ---- */

/* SQLite's, too: nothing here is to outlive a power failure. */
__attribute__((visibility("default"))) int fsync(int fd)
{
	(void)fd;
	return 0;
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

static void add_tasks(struct db *db)
{
	for (int64_t id = 1; id <= TASKS; id++) {
		int64_t none = encode_sum("", 0);
		FUZZ_REQUIRE(db_run(db, DB_ADD_TASK,
				 BIND(bind_int(id), bind_int(7), bind_int(id), bind_int(id),
				     bind_text("probe.echo"), bind_text("call probe.echo"),
				     bind_text(id & 1 ? "label" : NULL), bind_int(0), bind_int(1),
				     bind_int(1), bind_int(1), bind_text("cpus=1"),
				     bind_text("0 0 0 0 0 0"), bind_blob("", 0), bind_int(none),
				     bind_text(NULL), bind_blob("", 0))) == 0);
		FUZZ_REQUIRE(db_run(db, DB_ADD_ATTEMPT,
				 BIND(bind_int(id), bind_int(7), bind_int(1), bind_int(1),
				     bind_int(0), bind_int(0), bind_int(id))) == 0);
		FUZZ_REQUIRE(id & 2 ||
		    db_run(db, DB_ADD_RESUMED,
			BIND(bind_int(id), bind_int(8), bind_int(id), bind_int(id), bind_int(1),
			    bind_int(1))) == 0);
	}
}

static void make_sound(void)
{
	struct db db;
	sqlite3 *small;
	FUZZ_REQUIRE(sqlite3_open(path, &small) == SQLITE_OK);
	FUZZ_REQUIRE(sqlite3_exec(small, "PRAGMA page_size=512; VACUUM", NULL, NULL, NULL) == 0);
	sqlite3_close(small);
	FUZZ_REQUIRE(db_open(&db, directory, false, false) == 0);
	db_close(&db); /* which empties the WAL */
	empty = read_file(path);
	FUZZ_REQUIRE(db_open(&db, directory, false, false) == 0);
	add_tasks(&db);
	sound = read_file(path);
	sound_wal = read_file(wal_path);
	db_close(&db);
}

static void make_directory(void)
{
	const char *place = getenv("TMPDIR");
	int n = snprintf(
	    directory, sizeof directory, "%s/plm-fuzz-journal-XXXXXX", place ? place : "/tmp");
	FUZZ_REQUIRE(n < (int)sizeof directory);
	FUZZ_REQUIRE(mkdtemp(directory));
	atexit(remove_directory);
	snprintf(path, sizeof path, "%s/%s", directory, JOURNAL_FILE);
	snprintf(wal_path, sizeof wal_path, "%s-wal", path);
	make_sound();
}

/* ---- an input ---- */

static void journal_file_patch(struct file *file, size_t at, uint8_t how, uint16_t number)
{
	uint8_t *byte = &file->data[at % (file->bytes - 1)];
	switch (how % 4) {
	case 0: byte[0] = (uint8_t)number; break;
	case 1: byte[0] ^= (uint8_t)(1u << number % 8); break;
	case 2: memcpy(byte, &number, sizeof number); break;
	default: /* a part of the file is repeated at this place: pages, cells, frames */
		at = at % file->bytes / 8 * 8;
		memmove(file->data + at, file->data + (size_t)number * 8 % (file->bytes - 8), 8);
	}
}

static void make_patches(struct bytes *b)
{
	struct file db = { malloc(sound.bytes), sound.bytes };
	struct file wal = { malloc(sound_wal.bytes), sound_wal.bytes };
	FUZZ_REQUIRE(db.data && wal.data);
	memcpy(db.data, sound.data, sound.bytes);
	memcpy(wal.data, sound_wal.data, sound_wal.bytes);
	for (int i = 0; i < PATCHES_MAX && b->left >= PATCH_BYTES; i++) {
		size_t at = bytes_take(b, 3);
		uint8_t how = (uint8_t)bytes_take(b, 1);
		journal_file_patch(how & 4 ? &wal : &db, at, how, (uint16_t)bytes_take(b, 2));
	}
	write_file(path, db.data, db.bytes);
	write_file(wal_path, wal.data, wal.bytes);
	free(db.data);
	free(wal.data);
}

const char *journal_file_make(const uint8_t *data, size_t length, uint64_t runtime)
{
	struct bytes b = { data, length };
	if (!directory[0])
		make_directory();
	this_runtime = runtime;
	journal_file_remove();
	enum journal_file_kind kind = (enum journal_file_kind)(bytes_take(&b, 1) % FILE_KINDS);
	if (kind == ROWS)
		make_rows(&b);
	else if (kind == PATCHES)
		make_patches(&b);
	else {
		size_t n = bytes_take(&b, 3);
		const uint8_t *db = bytes_block(&b, n, &n);
		write_file(path, db, n);
		if (b.left)
			write_file(wal_path, b.at, b.left);
	}
	return directory;
}
