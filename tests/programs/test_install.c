/* test_install.c - `make install` and `make uninstall`: installed programs run, pages are rendered
 * without a warning, shells complete all commands and options of --help, an uninstall leaves no
 * file; messages to a service manager. Each test installs into a separate directory. */
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"
#include "tests/support/program_runtime.h"

enum { TEST_TIMEOUT_S = 120, SCRIPT_BYTES = 8192, OUTPUT_BYTES = 1 << 17, PATH_BYTES = 512 };

/* ---- a shell ---- */

/* The output of a shell for this script, stderr included; the shell must exit with 0. The caller
 * frees. */
static char *said_by(const char *shell, const char *script)
{
	char path[PATH_BYTES], line[2 * PATH_BYTES], *out = calloc(1, OUTPUT_BYTES);
	scratch_write(&host, "script", script, strlen(script), path, sizeof path);
	snprintf(line, sizeof line, "exec %s %s 2>&1", shell, path);
	FILE *stream = popen(line, "r");
	ck_assert_ptr_nonnull(stream);
	ck_assert_uint_lt(fread(out, 1, OUTPUT_BYTES - 1, stream), OUTPUT_BYTES - 1);
	int status = pclose(stream);
	ck_assert_msg(
	    status == 0, "wait status %#x of\n%s\nit says: %s", (unsigned)status, script, out);
	return out;
}

__attribute__((format(printf, 1, 2))) static char *bash(const char *format, ...)
{
	char script[SCRIPT_BYTES];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(script, sizeof script, format, args);
	va_end(args);
	ck_assert(n > 0 && n < SCRIPT_BYTES);
	return said_by("bash -eu -o pipefail", script);
}

static void expect_said(char *said, const char *expected)
{
	ck_assert_msg(strcmp(said, expected) == 0, "it says \"%s\", not \"%s\"", said, expected);
	free(said);
}

static void expect_in(char *said, const char *expected)
{
	ck_assert_msg(strstr(said, expected), "\"%s\" is not in \"%s\"", expected, said);
	free(said);
}

static bool have(const char *program)
{
	char *said = bash("command -v %s || true", program);
	bool there = said[0] != 0;
	free(said);
	if (!there)
		printf("left out, there is no %s: what it would say\n", program);
	return there;
}

/* ---- installing ---- */

/* The tests install the build that they test. */
static const char *variant(void)
{
	const char *where = getenv("PLM_BIN"), *last = where ? strrchr(where, '/') : NULL;
	return last && strncmp(where, "build/", strlen("build/")) == 0 ? last + 1 : "release";
}

static void make(const char *target)
{
	free(bash("make -s --no-print-directory %s VARIANT=%s DESTDIR=%s/root PREFIX=/usr", target,
	    variant(), host.directory));
}

static void set_up(void)
{
	char path[2 * PATH_BYTES];
	unsetenv("MAKEFLAGS");
	unsetenv("MFLAGS");
	runtime_boot(&host, "--workers", "1", "--tasks", "1024", "--store", "16M", );
	make("install");
	snprintf(path, sizeof path, "%s/root/usr/bin:%s", host.directory, getenv("PATH"));
	setenv("PATH", path, 1);
	setenv("PLM_NAME", host.name, 1);
	snprintf(path, sizeof path, "%s/root/usr", host.directory);
	setenv("ROOT", path, 1);
}

static void tear_down(void)
{
	runtime_stop(&host);
	runtime_end(&host);
}

START_TEST(each_file_is_installed_with_its_mode)
{
	static const char *const expected[] = {
		"755 bin/plm",
		"755 bin/plmctl",
		"755 bin/plmdump",
		"755 bin/plmweb",
		"644 include/plm.h",
		"644 include/plm_inspect.h",
		"644 include/plm_fleet.h",
		"644 lib/libplm.a",
		"755 lib/libplm-fleet.so.0.1.0",
		"644 lib/pkgconfig/plm-fleet.pc",
		"755 lib/libplm.so.0.1.0",
		"644 lib/pkgconfig/plm.pc",
		"644 lib/systemd/user/plm-host.service",
		"644 lib/systemd/user/plm-redis.service",
		"644 lib/systemd/user/plm.service",
		"644 share/man/man1/plm.1",
		"644 share/man/man1/plmctl.1",
		"644 share/man/man1/plmdump.1",
		"644 share/man/man1/plmweb.1",
		"644 share/bash-completion/completions/plmctl",
		"644 share/zsh/site-functions/_plmctl",
		"644 share/fish/vendor_completions.d/plmctl.fish",
		"644 share/doc/plm/README.md",
		"644 share/doc/plm/docs/shell.md",
		"644 share/doc/plm/examples/python/",
		"644 share/doc/plm/examples/workloads/",
		"644 share/doc/plm/examples/fleet.slurm",
	};
	char *files = bash("cd $ROOT && find . -type f -printf '%%m %%P\\n'");
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		ck_assert_msg(
		    strstr(files, expected[i]), "\"%s\" is not among\n%s", expected[i], files);
	free(files);
	expect_said(bash("cd $ROOT && find . -xtype l"), "");
	expect_said(bash("plm --version; plmctl --version; plmctl call probe.echo hello"),
	    "plm 0.1.0\nplmctl 0.1.0\nhello");
	expect_in(bash("cat $ROOT/lib/systemd/user/plm.service"), "ExecStart=/usr/bin/plm\n");
}
END_TEST

START_TEST(uninstall_leaves_no_file)
{
	char *page = bash("echo not ours > $ROOT/share/man/man1/other.1");
	free(page);
	make("uninstall");
	expect_said(bash("cd $ROOT && find . -type f -o -type l"), "./share/man/man1/other.1\n");
}
END_TEST

/* ---- pages ---- */

START_TEST(pages_are_rendered_without_a_warning)
{
	if (have("man"))
		expect_said(bash("for page in $ROOT/share/man/man?/*; do\n"
				 "	LC_ALL=C.UTF-8 man --warnings -l $page 2>&1 >/dev/null\n"
				 "done"),
		    "");
	if (have("mandoc"))
		expect_said(bash("mandoc -Tlint -W warning $ROOT/share/man/man?/*"), "");
}
END_TEST

/* What stands around the options in --help stands in the page too, line by line. */
START_TEST(pages_tell_the_rules_of_each_command)
{
	if (!have("man"))
		return;
	expect_said(
	    bash("export LC_ALL=C.UTF-8 MANWIDTH=200; man -l $ROOT/share/man/man1/plmctl.1 "
		 "2>&1 | sed 's/^ *//' > page; plmctl --help=table | awk -F '\\t' "
		 "'($1 == \"about\" || $1 == \"notes\") && $4 { print $4 }' | sed 's/^ *//' | "
		 "while IFS= read -r line; do grep -qxF -- \"$line\" page || "
		 "echo \"$line\"; done; rm page"),
	    "");
	expect_in(bash("LC_ALL=C.UTF-8 man -l $ROOT/share/man/man1/plmctl.1 2>&1"),
	    "-j, -P, --jobs N|+N|-N|N%");
	expect_in(
	    bash("LC_ALL=C.UTF-8 man -l $ROOT/share/man/man1/plmctl.1 2>&1"), "--shell[=PROGRAM]");
}
END_TEST

/* Each option and each command of --help is in the manual page and in all completions. */
START_TEST(what_help_speaks_of_is_everywhere)
{
	expect_said(
	    bash("cd $ROOT/share\n"
		 "missing() { grep -qe \"$1\" \"$2\" || echo \"$1 is not in $2\"; }\n"
		 "everywhere() { # PROGRAM WORD, as the pages write it, as fish does\n"
		 "	missing \" $3\\>\" man/man1/$1.1\n"
		 "	missing \"[ ']$2\\>\" bash-completion/completions/plmctl\n"
		 "	missing \"[ ']$2\\>\" zsh/site-functions/_plmctl\n"
		 "	missing \" $4\\>\" fish/vendor_completions.d/plmctl.fish\n"
		 "}\n"
		 "each() { # PROGRAM, with its help on stdin\n"
		 "	grep -oE '^  --[a-z-]+' | sort -u | while read -r option; do\n"
		 "		name=${option#--}\n"
		 "		everywhere $1 $option \"Fl Fl $name\" \"-l $name\"\n"
		 "	done\n"
		 "}\n"
		 "plm --help | each plm; plmdump --help | each plmdump\n"
		 "plmweb --help | each plmweb\n"
		 "commands=$(plmctl --help | sed -n '/^Commands/,/^$/s/^  \\([a-z]*\\) .*/\\1/p')\n"
		 "test $(wc -w <<<$commands) -gt 20\n"
		 "for command in $commands; do\n"
		 "	sed -i \"s/^.Ss \\\"$command /& Ss-$command /\" man/man1/plmctl.1\n"
		 "	sed -i \"s/^\\t    '$command:/& '$command /\" zsh/site-functions/_plmctl\n"
		 "	everywhere plmctl $command Ss-$command \"-a $command\"\n"
		 "	test $command = help || plmctl help $command | each plmctl\n"
		 "done"),
	    "");
}
END_TEST

/* ---- completion ---- */

/* The words that bash offers behind this line, a word a line, sorted. */
static char *offered(const char *line)
{
	return bash("source $ROOT/share/bash-completion/completions/plmctl\n"
		    "COMP_LINE='%s'; COMP_POINT=${#COMP_LINE}; COMP_WORDS=(x) COMP_CWORD=0\n"
		    "_plm; printf '%%s\\n' \"${COMPREPLY[@]}\" | sort -u",
	    line);
}

START_TEST(bash_completes_commands_options_and_values)
{
	expect_said(offered("plmctl su"), "submit\n");
	expect_said(offered("plmctl --json su"), "submit\n");
	expect_said(offered("plmctl --timeout 3 cal"), "call\n");
	expect_said(offered("plmctl call --prio"), "--priority\n");
	expect_said(offered("plmctl call --js"), "--json\n");
	expect_said(offered("plmctl tasks --state d"), "dead\ndone\n");
	expect_said(offered("plmctl tasks --state=can"), "cancelled\n");
	expect_said(offered("plmctl policy lo"), "load-aware\nlocality\n");
	expect_said(offered("plm --policy r"), "random\nround-robin\n");
	expect_said(offered("plm --pin "), "core\nnone\nnuma\n");
	expect_said(offered("plmctl module lo"), "load\n");
	expect_said(offered("plmdump ch"), "check\n");
	expect_said(offered("plmweb --rea"), "--read-only\n");
	expect_said(offered("plmctl help pol"), "policy\n");
	expect_said(offered("plmctl call --retries "), "\n");
	expect_said(
	    offered("plmctl put tests/programs/test_instal"), "tests/programs/test_install.c\n");
}
END_TEST

START_TEST(bash_completes_what_a_running_runtime_has)
{
	char *ref = ctl_expect(&host, 0, "call", "--detach", "probe.echo", "x"), line[PATH_BYTES];
	expect_in(offered("plmctl call probe.ec"), "probe.echo\n");
	snprintf(line, sizeof line, "%s\n", ref);
	expect_said(offered("plmctl get "), line);
	/* readline breaks words at @, so bash offers the text behind @ alone */
	snprintf(line, sizeof line, "%s\n", ref + 1);
	expect_said(offered("plmctl get @"), line);
	expect_said(offered("plmctl drain "), "0\n");
	snprintf(line, sizeof line, "%s\n", host.name);
	expect_said(offered("plmctl --name test-"), line);
	setenv("PLM_NAME", "nobody", 1);
	expect_said(offered("plmctl get "), "\n");
	char named[PATH_BYTES];
	snprintf(named, sizeof named, "plmctl --name %s get ", host.name);
	snprintf(line, sizeof line, "%s\n", ref);
	expect_said(offered(named), line);
	setenv("PLM_NAME", host.name, 1);
	free(ctl_expect(&host, 0, "drop", ref));
	free(ref);
}
END_TEST

START_TEST(zsh_and_fish_take_their_files_where_they_are_installed)
{
	if (have("zsh"))
		expect_said(bash("zsh -n $ROOT/share/zsh/site-functions/_plmctl"), "");
	if (have("fish"))
		expect_in(said_by("fish",
			      "set fish_complete_path "
			      "$ROOT/share/fish/vendor_completions.d\n"
			      "complete -C 'plmctl sub'; complete -C 'plm --policy loc'\n"
			      "complete -C 'plmctl call probe.ech'"),
		    "submit\t");
}
END_TEST

/* ---- a service manager ---- */

static int listen_for_news(char path[PATH_BYTES])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	scratch_path(&host, "notify", address.sun_path, sizeof address.sun_path);
	snprintf(path, PATH_BYTES, "%s", address.sun_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* Waits for this message, and skips other messages. */
static void expect_news(int fd, const char *expected)
{
	struct pollfd news = { .fd = fd, .events = POLLIN };
	char text[PATH_BYTES] = "nothing";
	while (poll(&news, 1, DEADLINE_MS) == 1) {
		ssize_t n = recv(fd, text, sizeof text - 1, 0);
		ck_assert_int_gt(n, 0);
		text[n] = 0;
		if (strstr(text, expected))
			return;
	}
	ck_abort_msg("\"%s\" never came; at last: %s", expected, text);
}

START_TEST(a_service_manager_hears_that_it_is_ready_and_that_it_stops)
{
	char path[PATH_BYTES];
	free(ctl_expect(&host, 0, "stop"));
	ck_assert(wait_for_death(host.pid));
	waitpid(host.pid, NULL, 0);
	int fd = listen_for_news(path);
	setenv("NOTIFY_SOCKET", path, 1);
	runtime_reboot_with(&host, (const char *const[]){ "--workers", "1", NULL });
	unsetenv("NOTIFY_SOCKET");
	expect_news(fd, "READY=1\n");
	/* a command must not write to the service manager in the name of plm */
	expect_said(bash("plmctl submit --no-env --shell 'echo ${NOTIFY_SOCKET-none}'"), "none\n");
	kill(host.pid, SIGTERM);
	expect_news(fd, "STOPPING=1\n");
	ck_assert(wait_for_death(host.pid));
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("install");
	TCase *tcase = tcase_create("installed"), *news = tcase_create("news");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, each_file_is_installed_with_its_mode);
	tcase_add_test(tcase, uninstall_leaves_no_file);
	tcase_add_test(tcase, pages_are_rendered_without_a_warning);
	tcase_add_test(tcase, pages_tell_the_rules_of_each_command);
	tcase_add_test(tcase, what_help_speaks_of_is_everywhere);
	tcase_add_test(tcase, bash_completes_commands_options_and_values);
	tcase_add_test(tcase, bash_completes_what_a_running_runtime_has);
	tcase_add_test(tcase, zsh_and_fish_take_their_files_where_they_are_installed);
	suite_add_tcase(suite, tcase);
	tcase_set_timeout(news, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(news, set_up, NULL);
	tcase_add_test(news, a_service_manager_hears_that_it_is_ready_and_that_it_stops);
	suite_add_tcase(suite, news);
	return run_suite(suite);
}
