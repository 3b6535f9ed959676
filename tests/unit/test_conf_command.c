/* SPDX-License-Identifier: MIT */
/*
 * test_conf_command.c - the key from a program: what counts as one, what becomes of the program,
 * and which source wins. Keys hold "s3cr3t", so that one check finds them in any message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "propexofs/conf.h"

static char dir[64];

static int setup(void **state)
{
	(void)state;
	(void)umask(022);
	(void)snprintf(dir, sizeof dir, "/tmp/px-command-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)unsetenv("PROPEXO_API_KEY");
	(void)unsetenv("PROPEXOFS_CONFIG");
	(void)setenv("XDG_CONFIG_HOME", dir, 1);
	(void)setenv("XDG_STATE_HOME", dir, 1);
	(void)setenv("HOME", dir, 1);
	return chdir(dir);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof command, "rm -rf %s", dir);
	return chdir("/") || system(command);
}

static double seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void gives(const char *command, const char *key)
{
	struct px_secret s = {0};
	struct px_err err = {0};

	if (px_conf_key_command(command, NULL, &s, &err))
		fail_msg("%s: %s", command, err.msg);
	assert_string_equal(s.text, key);
	assert_int_equal(s.len, strlen(key));
	px_secret_wipe(&s);
}

static void refuses(const char *command, px_rc rc, const char *says)
{
	struct px_secret s = {.text = strdup("before"), .len = 6};
	struct px_err err = {0};

	assert_int_equal(px_conf_key_command(command, NULL, &s, &err), rc);
	if (!strstr(err.msg, says) || strstr(err.msg, "s3cr3t"))
		fail_msg("%s: \"%s\" does not say \"%s\", or more", command, err.msg, says);
	assert_string_equal(s.text, "before");
	px_secret_wipe(&s);
}

static void the_first_line_is_the_key(void **state)
{
	(void)state;
	gives("echo s3cr3t", "s3cr3t");
	gives("printf s3cr3t", "s3cr3t");
	gives("printf 's3cr3t\\r\\nlogin: me\\n'", "s3cr3t");
	gives("printf s3c; sleep 0.1; printf 'r3t\\n'; exec >&-; sleep 0.1", "s3cr3t");
}

static void what_is_no_key(void **state)
{
	(void)state;
	refuses("true", PX_EUSAGE, "is empty");
	refuses("printf '\\ns3cr3t\\n'", PX_EUSAGE, "is empty");
	refuses("printf 's3cr\\0t\\n'", PX_EUSAGE, "control characters");
	refuses("printf 's3cr\\tt\\n'", PX_EUSAGE, "control characters");
	refuses("echo s3cr3t; exit 3", PX_EIO, "exit code 3");
	refuses("echo s3cr3t; kill -TERM $$", PX_EIO, "signal 15");
	refuses("/nonexistent/s3c 2>/dev/null", PX_EIO, "exit code 127");
	refuses("yes s3cr3t", PX_EIO, "more than");
}

/* It gets nothing of ours but standard error: no input, no descriptor, no ignored signal. */
static void what_the_command_inherits(void **state)
{
	int fd = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as a library's would be */
	char command[128];

	(void)state;
	assert_true(fd > 2);
	(void)snprintf(
		command, sizeof command, "[ -e /proc/self/fd/%d ] && echo leaked || echo no", fd);
	gives(command, "no");
	(void)close(fd);
	gives("[ -z \"$(cat)\" ] && echo nothing", "nothing");
	gives("echo $(( 0x$(sed -n 's/^SigBlk:.//p' /proc/self/status) ))", "0");
}

/* Everything that it started goes with it; what holds the pipe is not waited for. */
static void nothing_stays_behind(void **state)
{
	double start = seconds();

	(void)state;
	gives("sh -c 'echo $$ >child; exec sleep 30' & while [ ! -s child ]; do sleep 0.01; done; "
	      "echo s3cr3t",
		"s3cr3t");
	assert_true(seconds() - start < 20);
	/* killed; a moment may pass until init has taken it */
	assert_int_equal(system("for i in $(seq 100); do grep -qs '^State:[^Z]*$' "
				"/proc/$(cat child)/status || exit 0; sleep 0.05; done; exit 1"),
		0);
}

static _Atomic bool stop;

static void *stop_soon(void *arg)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	stop = true;
	return arg;
}

static void a_stop_is_not_kept_waiting(void **state)
{
	struct px_secret s = {0};
	struct px_err err = {0};
	double start = seconds();
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, stop_soon, NULL), 0);
	assert_int_equal(px_conf_key_command("sleep 30", &stop, &s, &err), PX_ECANCELED);
	assert_true(seconds() - start < 10);
	assert_null(s.text);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- which source wins ---- */

static px_rc load(const char *const *options, struct px_conf *c, struct px_err *err)
{
	char *argv[8] = {(char *)"sync"}, **operands = NULL;
	int argc = 1, n;
	px_rc rc;

	for (; options && *options; options++)
		argv[argc++] = (char *)*options;
	memset(c, 0, sizeof *c);
	memset(err, 0, sizeof *err);
	rc = px_conf_load(argc, argv, PX_CMD_SYNC, c, &operands, &n, err);
	free(operands);
	if (!rc)
		rc = px_conf_load_key(c, err);
	return rc;
}

static void configure(const char *text)
{
	FILE *f;

	assert_int_equal(system("mkdir -p propexofs"), 0);
	f = fopen("propexofs/default.conf", "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void assert_key(const char *const *options, const char *key)
{
	struct px_conf c;
	struct px_err err;

	if (load(options, &c, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(c.key.text, key);
	px_conf_release(&c);
}

static void the_stronger_source_wins(void **state)
{
	static const char *const none[] = {NULL};
	static const char *const command[] = {"--api-key-command", "echo cli", NULL};
	static const char *const file[] = {"--api-key-file", "key", NULL};
	static const char *const both[] = {
		"--api-key-command", "echo cli", "--api-key-file", "key", NULL};
	struct px_conf c;
	struct px_err err;

	(void)state;
	assert_int_equal(system("umask 077; echo file >key"), 0);
	configure("api-key-command = echo conf\n");
	assert_key(none, "conf");
	assert_key(command, "cli");
	assert_key(file, "file");
	assert_int_equal(load(both, &c, &err), PX_EUSAGE);
	assert_non_null(strstr(err.msg, "name one"));
	assert_int_equal(setenv("PROPEXO_API_KEY", "env", 1), 0);
	assert_key(none, "env");
	assert_int_equal(setenv("PROPEXO_API_KEY", "env", 1), 0);
	assert_key(command, "cli");
	configure("api-key-file = ../key\n");
	assert_key(none, "file");
	assert_key(command, "cli");
	configure("api-key-file = ../key\napi-key-command = echo conf\n");
	assert_int_equal(load(none, &c, &err), PX_EUSAGE);
	assert_key(command, "cli");
	assert_int_equal(setenv("PROPEXO_API_KEY", "env", 1), 0);
	assert_key(none, "env");
	configure("api-key-command =   \n");
	assert_int_equal(load(none, &c, &err), PX_EUSAGE);
}

/* Who can write the file could run anything as us. */
static void files_that_others_may_write_run_nothing(void **state)
{
	static const char *const none[] = {NULL};
	static const char *const command[] = {"--api-key-command", "echo cli", NULL};
	static const char *const modes[] = {"620", "602", "666"};
	struct px_conf c;
	struct px_err err;

	(void)state;
	configure("api-key-command = echo conf >ran; echo conf\n");
	for (int i = 0; i < 3; i++) {
		char chmod[64];

		(void)snprintf(chmod, sizeof chmod, "chmod %s propexofs/default.conf", modes[i]);
		assert_int_equal(system(chmod), 0);
		assert_int_equal(load(none, &c, &err), PX_EUSAGE);
		assert_non_null(strstr(err.msg, "chmod go-w"));
		assert_int_equal(access("ran", F_OK), -1);
		assert_key(command, "cli");
	}
	assert_int_equal(system("chmod 644 propexofs/default.conf"), 0);
	assert_key(none, "conf");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_first_line_is_the_key),
		T(what_is_no_key),
		T(what_the_command_inherits),
		T(nothing_stays_behind),
		T(a_stop_is_not_kept_waiting),
		T(the_stronger_source_wins),
		T(files_that_others_may_write_run_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
