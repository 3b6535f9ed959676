/* SPDX-License-Identifier: MIT */
/*
 * test_conf_secret.c - where secrets may come from, what is refused, and that no message tells one.
 *
 * Every secret of this file contains "s3cr3t": one check for all messages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "propexofs/conf.h"
#include "../../src/conf/conf_i.h"

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[4][256];
	static int n;

	n = (n + 1) % 4;
	(void)snprintf(path[n], sizeof path[n], "%s/%s", dir, name);
	return path[n];
}

static void write_bytes(const char *name, mode_t mode, const char *text, size_t len)
{
	const char *path = in_dir(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static void write_file(const char *name, mode_t mode, const char *text)
{
	write_bytes(name, mode, text, strlen(text));
}

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/px-secret-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)unsetenv("PROPEXO_API_KEY");
	(void)unsetenv("PROPEXO_WEBHOOK_SECRET");
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	(void)unsetenv("PROPEXOFS_CONFIG");
	(void)setenv("XDG_CONFIG_HOME", dir, 1);
	(void)setenv("XDG_STATE_HOME", dir, 1);
	(void)setenv("HOME", dir, 1);
	return mkdir(in_dir("propexofs"), 0700);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

struct loaded {
	struct px_conf c;
	struct px_err err;
	px_rc rc;
};

/* Configuration and secrets of a mount with these two options (NULL: not given). */
static struct loaded load(const char *key_file, const char *secret_file, bool need_key)
{
	struct loaded l;
	char *argv[8] = {(char *)"mount"}, **operands = NULL;
	int argc = 1, n;

	memset(&l, 0, sizeof l);
	if (key_file) {
		argv[argc++] = (char *)"--api-key-file";
		argv[argc++] = (char *)key_file;
	}
	if (secret_file) {
		argv[argc++] = (char *)"--webhook-secret-file";
		argv[argc++] = (char *)secret_file;
	}
	l.rc = px_conf_load(argc, argv, PX_CMD_MOUNT, &l.c, &operands, &n, &l.err);
	free(operands);
	if (!l.rc)
		l.rc = px_conf_load_secrets(&l.c, need_key, &l.err);
	assert_null(strstr(l.err.msg, "s3cr3t"));
	return l;
}

static void assert_refused(struct loaded l, const char *says)
{
	assert_int_equal(l.rc, PX_EUSAGE);
	if (!strstr(l.err.msg, says))
		fail_msg("\"%s\" does not say \"%s\"", l.err.msg, says);
	px_conf_release(&l.c);
}

static void assert_key(struct loaded l, const char *key)
{
	if (l.rc)
		fail_msg("%s", l.err.msg);
	assert_non_null(l.c.key.text);
	assert_string_equal(l.c.key.text, key);
	assert_int_equal(l.c.key.len, strlen(key));
	px_conf_release(&l.c);
}

static void key_from_a_file(void **state)
{
	(void)state;
	write_file("key", 0600, "s3cr3t\n");
	assert_key(load(in_dir("key"), NULL, true), "s3cr3t");
	write_file("key", 0400, "s3cr3t\r\n");
	assert_key(load(in_dir("key"), NULL, true), "s3cr3t");
	write_file("key", 0600, "s3cr3t with space");
	assert_key(load(in_dir("key"), NULL, true), "s3cr3t with space");
	assert_int_equal(symlink("key", in_dir("link")), 0);
	assert_key(load(in_dir("link"), NULL, true), "s3cr3t with space");
}

static void files_that_are_no_key(void **state)
{
	char *big = malloc(5000);

	(void)state;
	assert_non_null(big);
	assert_refused(load(NULL, NULL, true), "no API key");
	assert_refused(load(in_dir("nowhere"), NULL, true), "nowhere");
	write_file("key", 0600, "");
	assert_refused(load(in_dir("key"), NULL, true), "is empty");
	write_file("key", 0600, "\n");
	assert_refused(load(in_dir("key"), NULL, true), "is empty");
	write_file("key", 0600, "s3cr3t\n\n");
	assert_refused(load(in_dir("key"), NULL, true), "control characters");
	write_file("key", 0600, "s3cr3t\ts3cr3t");
	assert_refused(load(in_dir("key"), NULL, true), "control characters");
	write_bytes("key", 0600, "s3cr3t\0x", 8);
	assert_refused(load(in_dir("key"), NULL, true), "control characters");
	memset(big, 'k', 5000);
	write_bytes("key", 0600, big, 4097);
	assert_refused(load(in_dir("key"), NULL, true), "larger than 4096");
	free(big);
	assert_refused(load(dir, NULL, true), "not a regular file");
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_refused(load(in_dir("fifo"), NULL, true), "not a regular file");
	assert_refused(load("/dev/null", NULL, true), "not a regular file");
}

static void files_that_others_may_read(void **state)
{
	static const mode_t modes[] = {0640, 0604, 0620, 0601, 0444, 0660, 0777};

	(void)state;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		write_file("key", modes[i], "s3cr3t\n");
		assert_refused(load(in_dir("key"), NULL, true), "chmod 600");
		(void)unlink(in_dir("key"));
	}
	/* a link does not hide what it leads to */
	write_file("open", 0644, "s3cr3t\n");
	assert_int_equal(symlink("open", in_dir("link")), 0);
	assert_refused(load(in_dir("link"), NULL, true), "chmod 600");
}

static void credentials_handed_out(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_dir("cred"), 0700), 0);
	write_file("cred/key", 0444, "s3cr3t\n");
	write_file("open", 0444, "s3cr3t\n");
	assert_refused(load(in_dir("cred/key"), NULL, true), "chmod 600");
	(void)setenv("CREDENTIALS_DIRECTORY", in_dir("cred"), 1);
	assert_key(load(in_dir("cred/key"), NULL, true), "s3cr3t");
	/* below it, not beside it, and not by a link out of it */
	assert_refused(load(in_dir("open"), NULL, true), "chmod 600");
	assert_int_equal(symlink("../open", in_dir("cred/out")), 0);
	assert_refused(load(in_dir("cred/out"), NULL, true), "chmod 600");
	assert_int_equal(mkdir(in_dir("credulous"), 0700), 0);
	write_file("credulous/key", 0444, "s3cr3t\n");
	assert_refused(load(in_dir("credulous/key"), NULL, true), "chmod 600");
	(void)setenv("CREDENTIALS_DIRECTORY", "/", 1);
	assert_refused(load(in_dir("open"), NULL, true), "chmod 600");
}

/* By their names, without an option; stronger than the configuration file, weaker than the rest. */
static void credentials_by_name(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_dir("cred"), 0700), 0);
	(void)setenv("CREDENTIALS_DIRECTORY", in_dir("cred"), 1);
	assert_refused(load(NULL, NULL, true), "no API key");
	write_file("cred/api-key", 0400, "\n");
	assert_refused(load(NULL, NULL, true), "no API key");
	write_file("cred/api-key", 0600, "handed-s3cr3t\n");
	assert_key(load(NULL, NULL, true), "handed-s3cr3t");
	write_file("propexofs/default.conf", 0600, "api-key-file = /no/such/key\n");
	assert_key(load(NULL, NULL, true), "handed-s3cr3t");
	write_file("key", 0600, "named-s3cr3t\n");
	assert_key(load(in_dir("key"), NULL, true), "named-s3cr3t");
	(void)setenv("PROPEXO_API_KEY", "env-s3cr3t", 1);
	assert_key(load(NULL, NULL, true), "env-s3cr3t");
}

/* /proc/self/environ shows the memory that the process was started with. */
static bool environ_holds(const char *text)
{
	FILE *f = fopen("/proc/self/environ", "re");
	char *all = malloc(1 << 20);
	size_t len;
	bool found;

	assert_non_null(f);
	assert_non_null(all);
	len = fread(all, 1, 1 << 20, f);
	found = memmem(all, len, text, strlen(text)) != NULL;
	(void)fclose(f);
	free(all);
	return found;
}

static void key_from_the_environment(void **state)
{
	(void)state;
	(void)setenv("PROPEXO_API_KEY", "env-s3cr3t\n", 1);
	assert_key(load(NULL, NULL, true), "env-s3cr3t");
	assert_null(getenv("PROPEXO_API_KEY"));
	(void)setenv("PROPEXO_API_KEY", "", 1);
	assert_refused(load(NULL, NULL, true), "no API key");
	(void)setenv("PROPEXO_API_KEY", "s3cr3t\x01", 1);
	assert_refused(load(NULL, NULL, true), "PROPEXO_API_KEY holds control characters");
	assert_null(getenv("PROPEXO_API_KEY"));
}

static void the_key_leaves_the_process_environment(void **state)
{
	(void)state;
	if (!environ_holds("PROPEXO_TEST_SEED="))
		skip(); /* main could not start itself again */
	assert_false(environ_holds("s3cr3t"));
}

static void command_line_environment_file(void **state)
{
	(void)state;
	write_file("cli-key", 0600, "cli-s3cr3t");
	write_file("file-key", 0600, "file-s3cr3t");
	write_file("propexofs/default.conf", 0644, "api-key-file = ../file-key\n");
	assert_key(load(NULL, NULL, true), "file-s3cr3t");
	(void)setenv("PROPEXO_API_KEY", "env-s3cr3t", 1);
	assert_key(load(NULL, NULL, true), "env-s3cr3t");
	(void)setenv("PROPEXO_API_KEY", "env-s3cr3t", 1);
	assert_key(load(in_dir("cli-key"), NULL, true), "cli-s3cr3t");
	assert_null(getenv("PROPEXO_API_KEY"));
}

static void no_key_is_needed_offline(void **state)
{
	struct loaded l = load(in_dir("nowhere"), NULL, false);

	(void)state;
	assert_int_equal(l.rc, 0);
	assert_null(l.c.key.text);
	px_conf_release(&l.c);
}

/* A key that was replaced is read again. */
static void the_file_can_change(void **state)
{
	struct loaded l;

	(void)state;
	write_file("key", 0600, "old-s3cr3t\n");
	l = load(in_dir("key"), NULL, true);
	write_file("key", 0600, "new-s3cr3t\n");
	assert_int_equal(px_conf_load_secrets(&l.c, true, NULL), 0);
	assert_key(l, "new-s3cr3t");
}

static void webhook_secrets(void **state)
{
	struct loaded l;

	(void)state;
	write_file("hook", 0600, "one-s3cr3t\n\ntwo-s3cr3t\r\nthree-s3cr3t");
	l = load(NULL, in_dir("hook"), false);
	assert_int_equal(l.rc, 0);
	assert_int_equal(l.c.webhook_secret_count, 3);
	assert_string_equal(l.c.webhook_secrets[0].text, "one-s3cr3t");
	assert_string_equal(l.c.webhook_secrets[1].text, "two-s3cr3t");
	assert_string_equal(l.c.webhook_secrets[2].text, "three-s3cr3t");
	assert_int_equal(l.c.webhook_secrets[1].len, 10);
	px_conf_release(&l.c);

	write_file("hook", 0644, "one-s3cr3t\n");
	assert_refused(load(NULL, in_dir("hook"), false), "chmod 600");
	write_file("hook", 0600, "\n\n");
	assert_refused(load(NULL, in_dir("hook"), false), "holds no secret");
	write_file("hook", 0600, "one-s3cr3t\none\x02two\n");
	assert_refused(load(NULL, in_dir("hook"), false), "control characters");

	(void)setenv("PROPEXO_WEBHOOK_SECRET", "env-s3cr3t\nsecond-s3cr3t", 1);
	l = load(NULL, NULL, false);
	assert_int_equal(l.rc, 0);
	assert_int_equal(l.c.webhook_secret_count, 2);
	assert_string_equal(l.c.webhook_secrets[0].text, "env-s3cr3t");
	assert_null(getenv("PROPEXO_WEBHOOK_SECRET"));
	px_conf_release(&l.c);

	write_file("propexofs/default.conf", 0644, "webhook-listen = 127.0.0.1:0\n");
	assert_refused(load(NULL, NULL, false), "signing secret");
}

/* The mistakes that put a secret where it does not belong. */
static void misplaced_secrets_are_not_repeated(void **state)
{
	static const char *const lines[] = {"api-key = s3cr3t\n", "key = s3cr3t\n", "s3cr3t\n",
		"webhook-secret = s3cr3t\n", "api-url = https://me:s3cr3t@api.propexo.com\n",
		"options = api-key=s3cr3t\n", "[s3cr3t]\nx = 1\n", "s3cr3t==\n",
		"pk_s3cr3tABC= x\n"};
	static const char *const words[][3] = {{"--api-key", "s3cr3t"}, {"--api-key=s3cr3t"},
		{"-o", "api-key=s3cr3t"}, {"-o", "allow_other=s3cr3t"},
		{"--api-url", "https://me:s3cr3t@api.propexo.com"},
		{"--webhook-url", "https://x.example.com/?token=s3cr3t"}};

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct loaded l;

		write_file("propexofs/default.conf", 0600, lines[i]);
		l = load(NULL, NULL, true);
		assert_int_equal(l.rc, PX_EUSAGE);
	}
	(void)unlink(in_dir("propexofs/default.conf"));
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		char *argv[4] = {(char *)"mount", (char *)words[i][0], (char *)words[i][1], NULL};
		char **operands = NULL;
		struct px_conf c;
		struct px_err err = {0};
		int n;

		assert_int_equal(px_conf_load(words[i][1] ? 3 : 2, argv, PX_CMD_MOUNT, &c,
					 &operands, &n, &err),
			PX_EUSAGE);
		assert_null(strstr(err.msg, "s3cr3t"));
	}
}

/* Reads the key that this process was started with, before any test clears it. */
static bool seed_was_read(void)
{
	struct px_secret s = {0};
	bool ok = !px_secret_from_env("PROPEXO_API_KEY", &s, NULL) && s.text &&
		  !strcmp(s.text, "seed-s3cr3t");

	px_secret_wipe(&s);
	return ok;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(the_key_leaves_the_process_environment),
		T(key_from_a_file),
		T(files_that_are_no_key),
		T(files_that_others_may_read),
		T(credentials_handed_out),
		T(credentials_by_name),
		T(key_from_the_environment),
		T(command_line_environment_file),
		T(no_key_is_needed_offline),
		T(the_file_can_change),
		T(webhook_secrets),
		T(misplaced_secrets_are_not_repeated),
	};

	/* only what a process is started with is in /proc/self/environ */
	if (!getenv("PROPEXO_TEST_SEED")) {
		(void)setenv("PROPEXO_TEST_SEED", "1", 1);
		(void)setenv("PROPEXO_API_KEY", "seed-s3cr3t", 1);
		(void)execv("/proc/self/exe", argv);
	} else if (!seed_was_read()) {
		(void)fprintf(stderr, "the key did not arrive\n");
		return 1;
	}
	(void)argc;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
