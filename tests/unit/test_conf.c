/* SPDX-License-Identifier: MIT */
/*
 * test_conf.c - every option through every source, precedence, bounds, -o, places named in errors.
 *
 * Each test works in a directory of its own with HOME and the XDG variables inside it, so nothing
 * of the machine's own configuration plays in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "propexofs/conf.h"
#include "../../src/conf/conf_i.h"

static char dir[64];

/* ---- what tests share ---- */

static const char *in_dir(const char *name)
{
	static char path[4][256];
	static int n;

	n = (n + 1) % 4;
	(void)snprintf(path[n], sizeof path[n], "%s/%s", dir, name);
	return path[n];
}

static void write_file(const char *name, mode_t mode, const char *text)
{
	const char *path = in_dir(name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static const char *const variables[] = {"PROPEXOFS_CONFIG", "PROPEXO_API_URL", "PROPEXO_API_KEY",
	"PROPEXOFS_STORE", "PROPEXOFS_WEBHOOK_LISTEN", "PROPEXO_WEBHOOK_SECRET",
	"PROPEXOFS_WEBHOOK_URL", "CREDENTIALS_DIRECTORY"};

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/px-conf-XXXXXX");
	if (!mkdtemp(dir) || mkdir(in_dir("config"), 0700) ||
		mkdir(in_dir("config/propexofs"), 0700))
		return -1;
	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
		(void)unsetenv(variables[i]);
	(void)setenv("HOME", dir, 1);
	(void)setenv("XDG_CONFIG_HOME", in_dir("config"), 1);
	(void)setenv("XDG_STATE_HOME", in_dir("state"), 1);
	return 0;
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
	char **operands;
	int n;
	struct px_err err;
	px_rc rc;
};

/* Loads a command line given as words, NULL at the end. */
static struct loaded load(unsigned command, ...)
{
	struct loaded l;
	char *argv[32] = {(char *)"propexofs"};
	int argc = 1;
	va_list ap;

	memset(&l, 0, sizeof l);
	va_start(ap, command);
	while ((argv[argc] = va_arg(ap, char *)))
		argc++;
	va_end(ap);
	l.rc = px_conf_load(argc, argv, command, &l.c, &l.operands, &l.n, &l.err);
	return l;
}

static void release(struct loaded *l)
{
	free(l->operands);
	px_conf_release(&l->c);
	l->operands = NULL;
}

static void assert_mentions(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not mention \"%s\"", text, part);
}

static void assert_refused(struct loaded l, const char *part)
{
	if (l.rc != PX_EUSAGE)
		fail_msg("code %d for what should say \"%s\"", l.rc, part);
	assert_int_equal(l.err.code, PX_EUSAGE);
	assert_mentions(l.err.msg, part);
	assert_null(strchr(l.err.msg, '\n'));
}

/* ---- every option, every source ---- */

/* What a row is given, and whether it has arrived. */
struct sample {
	const char *name, *value;
	bool (*is)(const struct px_conf *c);
	unsigned command; /* 0: mount */
};

#define IS(name, expression)                                                                       \
	static bool is_##name(const struct px_conf *c)                                             \
	{                                                                                          \
		return expression;                                                                 \
	}
#define IS_TEXT(name, text) IS(name, c->name && !strcmp(c->name, text))
IS_TEXT(api_url, "https://eu.example.com/v")
IS_TEXT(api_key_file, "/keys/one")
IS_TEXT(store, "/stores/one.db")
IS(integrations, c->integrations.count == 1 && !strcmp(c->integrations.list[0], "cly1"))
IS(models, c->models.count == 1 && !strcmp(c->models.list[0], "service-requests"))
IS(refresh, c->refresh_s == 61)
IS(sweep, c->sweep_days == 3)
IS(rate_share, c->rate_share == 50)
IS(connections, c->connections == 64)
IS(history, c->history_days == 30)
IS(offline, c->offline)
IS_TEXT(api_key_command, "pass propexo")
IS_TEXT(webhook_listen, "[::1]:0")
IS_TEXT(webhook_secret_file, "/keys/hook")
IS_TEXT(webhook_url, "https://hook.example.com/in")
IS_TEXT(metrics_listen, "127.0.0.1:0")
IS(log_level, c->log_level == PX_LOG_DEBUG)
IS_TEXT(mountpoint, "/mnt/p")
IS(foreground, c->foreground)
IS(options, c->fuse_options && !strcmp(c->fuse_options, "allow_other"))
IS(uid, c->uid == 1234)
IS(gid, c->gid == 4321)
IS(umask, c->file_mask == 0227 && c->dir_mask == 0227)
IS(fmask, c->file_mask == 0337 && c->dir_mask == 0277)
IS(dmask, c->file_mask == 0277 && c->dir_mask == 0)
IS(incomplete, c->incomplete_partial)
IS_TEXT(setuid, "daemon")
IS(lazy, c->lazy)
IS(dead, c->dead)
IS(json, c->json)
IS(watch, c->watch)
IS(wait, c->wait_s == 5)
IS(sample, c->sample == 7)
IS(follow, c->follow)
IS(dry_run, c->dry_run)
IS(since, c->since.count == 1 && !strcmp(c->since.list[0], "12"))
IS(exec, c->exec.count == 1 && !strcmp(c->exec.list[0], "cat"))
IS(max_age, c->max_age_s == 0)
IS_TEXT(name, "other")

static const struct sample samples[] = {
	{"config", "other", is_name, 0},
	{"api-url", "HTTPS://EU.example.com/v/", is_api_url, 0},
	{"api-key-file", "/keys/one", is_api_key_file, 0},
	{"api-key-command", "pass propexo", is_api_key_command, 0},
	{"store", "/stores/one.db", is_store, 0},
	{"integration", "cly1", is_integrations, 0},
	{"model", "service-requests", is_models, 0},
	{"refresh", "61", is_refresh, 0},
	{"sweep", "3", is_sweep, 0},
	{"rate-share", "50", is_rate_share, 0},
	{"connections", "64", is_connections, 0},
	{"history", "30", is_history, 0},
	{"offline", NULL, is_offline, 0},
	{"webhook-listen", "[::1]:0", is_webhook_listen, 0},
	{"webhook-secret-file", "/keys/hook", is_webhook_secret_file, 0},
	{"webhook-url", "https://hook.example.com/in", is_webhook_url, 0},
	{"metrics-listen", "127.0.0.1:0", is_metrics_listen, 0},
	{"log-level", "debug", is_log_level, 0},
	{"mountpoint", "/mnt/p", is_mountpoint, 0},
	{"foreground", NULL, is_foreground, 0},
	{"options", "allow_other", is_options, 0},
	{"uid", "1234", is_uid, 0},
	{"gid", "4321", is_gid, 0},
	{"umask", "0227", is_umask, 0},
	{"fmask", "337", is_fmask, 0},
	{"dmask", "0", is_dmask, 0},
	{"incomplete", "partial", is_incomplete, 0},
	{"setuid", "daemon", is_setuid, 0},
	{"lazy", NULL, is_lazy, PX_CMD_UMOUNT},
	{"dead", NULL, is_dead, PX_CMD_UMOUNT},
	{"json", NULL, is_json, PX_CMD_STATUS},
	{"watch", NULL, is_watch, PX_CMD_STATUS},
	{"wait", "5", is_wait, PX_CMD_READY},
	{"sample", "7", is_sample, PX_CMD_VERIFY},
	{"follow", NULL, is_follow, PX_CMD_EVENTS},
	{"dry-run", NULL, is_dry_run, PX_CMD_WEBHOOKS},
	{"since", "12", is_since, PX_CMD_EVENTS},
	{"exec", "cat", is_exec, PX_CMD_EVENTS},
	{"max-age", "0", is_max_age, PX_CMD_READY},
};

static void check_sample(const struct sample *s, struct loaded l, const char *source)
{
	if (l.rc)
		fail_msg("%s from the %s: %s", s->name, source, l.err.msg);
	if (!s->is(&l.c))
		fail_msg("%s from the %s has not arrived", s->name, source);
	release(&l);
}

static unsigned command_of(const struct sample *s)
{
	return s->command ? s->command : PX_CMD_MOUNT;
}

static void every_option_has_a_sample(void **state)
{
	(void)state;
	for (size_t i = 0; i < px_option_count; i++) {
		bool found = !px_options[i].name;

		for (size_t k = 0; k < sizeof samples / sizeof *samples && !found; k++)
			found = !strcmp(samples[k].name, px_options[i].name);
		if (!found)
			fail_msg("no sample for %s", px_options[i].name);
	}
}

static void defaults_are_the_contracts(void **state)
{
	struct loaded l = load(PX_CMD_MOUNT, NULL);

	(void)state;
	assert_int_equal(l.rc, 0);
	assert_string_equal(l.c.name, "default");
	assert_null(l.c.config_file);
	assert_string_equal(l.c.api_url, "https://api.propexo.com");
	assert_int_equal(l.c.refresh_s, 300);
	assert_int_equal(l.c.sweep_days, 7);
	assert_int_equal(l.c.rate_share, 80);
	assert_int_equal(l.c.connections, 8);
	assert_int_equal(l.c.history_days, 7);
	assert_int_equal(l.c.log_level, PX_LOG_INFO);
	assert_int_equal(l.c.file_mask, 0277);
	assert_int_equal(l.c.dir_mask, 0277);
	assert_int_equal(l.c.uid, getuid());
	assert_int_equal(l.c.gid, getgid());
	assert_int_equal(l.c.wait_s, -1);
	assert_int_equal(l.c.max_age_s, -1);
	assert_false(l.c.offline || l.c.foreground || l.c.incomplete_partial);
	assert_null(l.c.fuse_options);
	assert_null(l.c.webhook_listen);
	assert_null(l.c.key.text);
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
		assert_false(samples[i].is(&l.c));
	release(&l);
}

static void command_line(void **state)
{
	(void)state;
	write_file("config/propexofs/other.conf", 0644, "");
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		const struct sample *s = &samples[i];
		const struct px_option *o = px_option_by_name(s->name, strlen(s->name), PX_BY_CLI);
		char word[64], both[256];

		if (!o) {
			(void)snprintf(word, sizeof word, "--%s", s->name);
			assert_refused(load(command_of(s), word, s->value, NULL), word);
			continue;
		}
		(void)snprintf(word, sizeof word, "--%s", s->name);
		(void)snprintf(both, sizeof both, "--%s=%s", s->name, s->value ? s->value : "yes");
		check_sample(s, load(command_of(s), word, s->value, NULL), "command line");
		check_sample(s, load(command_of(s), both, NULL), "command line with =");
		if (o->letter) {
			(void)snprintf(
				both, sizeof both, "-%c%s", o->letter, s->value ? s->value : "");
			(void)snprintf(word, sizeof word, "-%c", o->letter);
			check_sample(s, load(command_of(s), word, s->value, NULL), "letter");
			check_sample(s, load(command_of(s), both, NULL), "letter and value");
		}
	}
}

static void under_o(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		const struct sample *s = &samples[i];
		char text[256];

		if (!px_option_by_name(s->name, strlen(s->name), PX_BY_O))
			continue;
		(void)snprintf(text, sizeof text, "%s%s%s", s->name, s->value ? "=" : "",
			s->value ? s->value : "");
		check_sample(s, load(PX_CMD_MOUNT, "-o", text, NULL), "-o list");
		for (char *p = text; *p && *p != '='; p++)
			if (*p == '-')
				*p = '_';
		check_sample(s, load(PX_CMD_MOUNT, "-o", text, NULL), "-o list with underscores");
	}
}

static void configuration_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		const struct sample *s = &samples[i];
		char text[256];
		struct loaded l;

		(void)snprintf(text, sizeof text, "\n# a comment\n  %s = %s  # more\n", s->name,
			s->value ? s->value : "yes");
		write_file("config/propexofs/default.conf", 0644, text);
		l = load(command_of(s), NULL);
		if (px_option_by_name(s->name, strlen(s->name), PX_BY_FILE))
			check_sample(s, l, "file");
		else
			assert_refused(l, "default.conf:3");
	}
}

static void environment(void **state)
{
	(void)state;
	write_file("config/propexofs/other.conf", 0644, "");
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		const struct sample *s = &samples[i];
		const struct px_option *o = px_option_by_name(s->name, strlen(s->name), PX_BY_CLI);

		struct loaded l;

		if (!o || !o->env)
			continue;
		assert_int_equal(setenv(o->env, s->value, 1), 0);
		check_sample(s, load(command_of(s), NULL), "environment");
		assert_int_equal(setenv(o->env, "", 1), 0);
		l = load(command_of(s), NULL);
		assert_int_equal(l.rc, 0);
		assert_false(s->is(&l.c));
		release(&l);
		assert_int_equal(unsetenv(o->env), 0);
	}
}

/* ---- precedence ---- */

static void stronger_sources_win(void **state)
{
	struct loaded l;

	(void)state;
	write_file("config/propexofs/default.conf", 0644,
		"store = /file.db\nrefresh = 1\nintegration = a\nintegration = b\noffline = yes\n");
	l = load(PX_CMD_MOUNT, NULL);
	assert_string_equal(l.c.store, "/file.db");
	assert_int_equal(l.c.integrations.count, 2);
	assert_true(px_conf_wants_integration(&l.c, "b"));
	assert_false(px_conf_wants_integration(&l.c, "c"));
	assert_true(px_conf_wants_model(&l.c, "residents"));
	release(&l);

	(void)setenv("PROPEXOFS_STORE", "/env.db", 1);
	l = load(PX_CMD_MOUNT, NULL);
	assert_string_equal(l.c.store, "/env.db");
	release(&l);

	l = load(PX_CMD_MOUNT, "--store", "/cli.db", "-o", "refresh=9", "--integration", "c",
		"--offline=no", NULL);
	assert_string_equal(l.c.store, "/cli.db");
	assert_int_equal(l.c.refresh_s, 9);
	assert_int_equal(l.c.integrations.count, 1);
	assert_string_equal(l.c.integrations.list[0], "c");
	assert_false(l.c.offline);
	release(&l);

	l = load(PX_CMD_MOUNT, "--refresh=1", "--refresh", "2", "-o", "refresh=3", NULL);
	assert_int_equal(l.c.refresh_s, 3);
	release(&l);
}

static void masks(void **state)
{
	struct loaded l = load(PX_CMD_MOUNT, "-o", "umask=0227,dmask=0222", NULL);

	(void)state;
	assert_int_equal(l.c.file_mask, 0227);
	assert_int_equal(l.c.dir_mask, 0222);
	release(&l);
	write_file("config/propexofs/default.conf", 0644, "fmask = 0333\n");
	l = load(PX_CMD_MOUNT, NULL);
	assert_int_equal(l.c.file_mask, 0333);
	assert_int_equal(l.c.dir_mask, 0277);
	release(&l);
	l = load(PX_CMD_MOUNT, "-o", "umask=0", NULL);
	assert_int_equal(l.c.file_mask, 0);
	release(&l);
}

/* ---- values that are refused, and where they came from ---- */

static void values_have_bounds(void **state)
{
	static const struct {
		const char *option, *value;
	} bad[] = {
		{"--refresh", "-1"},
		{"--refresh", "1x"},
		{"--refresh", ""},
		{"--refresh", "99999999999999999999"},
		{"--refresh", " 5"},
		{"--refresh", "1.5"},
		{"--refresh", "31536001"},
		{"--sweep", "3651"},
		{"--rate-share", "0"},
		{"--rate-share", "101"},
		{"--connections", "0"},
		{"--connections", "65"},
		{"--history", "-1"},
		{"--log-level", "loud"},
		{"--log-level", "INFO"},
		{"--model", "no-such-model"},
		{"--model", "Residents"},
		{"--integration", ""},
		{"--integration", "a\nb"},
		{"--api-url", "http://api.propexo.com"},
		{"--api-url", "ftp://127.0.0.1"},
		{"--api-url", "api.propexo.com"},
		{"--api-url", "https://user:pa55word@api.propexo.com"},
		{"--webhook-listen", "8080"},
		{"--webhook-listen", ":8080"},
		{"--webhook-listen", "localhost:65536"},
		{"--webhook-listen", "::1:80"},
		{"--webhook-listen", "unix:"},
		{"--webhook-listen",
			"unix:/run/a-path-of-a-socket-that-is-longer-than-the-107-bytes-that-the-"
			"system-has-room-for-in-an-address-of-one-of-them"},
		{"--metrics-listen", "unix:/run/x"},
		{"--metrics-listen", "9100"},
		{"--webhook-url", "http://public.example.com/x"},
		{"--offline=maybe", NULL},
		{"-ouid=no-such-user-here", NULL},
		{"-ogid=no-such-group-here", NULL},
		{"-ouid=4294967295", NULL},
		{"-oumask=0888", NULL},
		{"-oumask=01777", NULL},
		{"-oincomplete=maybe", NULL},
		{"-oallow_other=1", NULL},
		{"-omax_read", NULL},
	};
	static const char *const good[] = {"--refresh=0", "--sweep=0", "--rate-share=1",
		"--rate-share=100", "--connections=1", "--history=0",
		"--api-url=http://127.0.0.1:9", "--api-url=http://[::1]:9",
		"--api-url=http://localhost", "--offline=No", "--webhook-listen=0.0.0.0:65535",
		"--webhook-listen=unix:/run/x", "--metrics-listen=[::1]:9100",
		"--webhook-url=http://localhost:1/x", "--integration=a/ü", "-ouid=root,gid=root",
		"-odmask=777"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const char *name = bad[i].option + strspn(bad[i].option, "-");

		if (bad[i].option[1] == 'o')
			name++;
		assert_refused(load(PX_CMD_MOUNT, bad[i].option, bad[i].value, NULL),
			(char[]){name[0], name[1], name[2], '\0'});
		assert_null(strstr(
			load(PX_CMD_MOUNT, bad[i].option, bad[i].value, NULL).err.msg, "pa55word"));
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct loaded l = load(PX_CMD_MOUNT, good[i], NULL);

		if (l.rc)
			fail_msg("%s: %s", good[i], l.err.msg);
		release(&l);
	}
}

static void usage_errors_name_the_option(void **state)
{
	(void)state;
	assert_refused(load(PX_CMD_MOUNT, "--nonsense", NULL), "--nonsense");
	assert_refused(load(PX_CMD_MOUNT, "--refres", "1", NULL), "--refres");
	assert_refused(load(PX_CMD_MOUNT, "--rate_share", "1", NULL), "--rate_share");
	assert_refused(load(PX_CMD_MOUNT, "-z", NULL), "-z");
	assert_refused(load(PX_CMD_MOUNT, "-fz", NULL), "-z");
	assert_refused(load(PX_CMD_MOUNT, "--refresh", NULL), "--refresh: needs a value");
	assert_refused(load(PX_CMD_MOUNT, "-o", NULL), "-o");
	assert_refused(load(PX_CMD_MOUNT, "--json", NULL), "--json");
	assert_refused(load(PX_CMD_READY, "--refresh", "1", NULL), "--refresh");
	assert_refused(load(PX_CMD_MOUNT, "--redact", "a.b", NULL), "--redact");
	assert_refused(load(PX_CMD_SYNC, "--metrics-listen", "a:1", NULL), "--metrics-listen");
	assert_refused(load(PX_CMD_MOUNT, "--api-key-command", "", NULL), "--api-key-command");
	assert_refused(load(PX_CMD_STATUS, "--api-key-command", "x", NULL), "--api-key-command");
	assert_refused(load(PX_CMD_MOUNT, "-o", "setuid=x", NULL), "setuid");
	assert_refused(load(PX_CMD_MOUNT, "-o", "ro,xyzzy=9", NULL), "xyzzy");
	assert_refused(load(PX_CMD_MOUNT, "-o", "remount", NULL), "remount");
	assert_refused(load(PX_CMD_MOUNT, "-o", "config=x", NULL), "config");
}

static void mistakes_in_the_file_have_a_place(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"refresh = 5\n\nnonsense = 1\n", "default.conf:3: unknown key 'nonsense'"},
		{"refresh = soon\n", "default.conf:1: refresh: 'soon'"},
		{"refresh =\n", "default.conf:1: refresh"},
		{"#\nrefresh\n", "default.conf:2: "},
		{"[section]\nrefresh = 1\n", "default.conf:2: sections"},
		{"foreground = yes\n", "default.conf:1: unknown key 'foreground'"},
		{"options = allow_other,bogus\n", "default.conf:1: options: -o bogus"},
		{"api-url = http://api.propexo.com\n", "default.conf:1: api-url"},
	};
	char *line = malloc(20000);

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		write_file("config/propexofs/default.conf", 0644, bad[i].text);
		assert_refused(load(PX_CMD_MOUNT, NULL), bad[i].says);
		/* also when the command line says otherwise */
		assert_refused(load(PX_CMD_MOUNT, "--refresh=1", "--api-url=http://[::1]", NULL),
			bad[i].says);
	}
	assert_non_null(line);
	memset(line, 'x', 20000);
	memcpy(line, "store = /", 9);
	line[19999] = '\0';
	write_file("config/propexofs/default.conf", 0644, line);
	assert_refused(load(PX_CMD_MOUNT, NULL), "default.conf:1: is too long");
	free(line);
}

static void a_nul_in_the_file_is_refused(void **state)
{
	FILE *f;

	(void)state;
	f = fopen(in_dir("config/propexofs/default.conf"), "we");
	assert_non_null(f);
	assert_int_equal(fwrite("refresh = 1\0 2\n", 1, 15, f), 15);
	assert_int_equal(fclose(f), 0);
	assert_refused(load(PX_CMD_MOUNT, NULL), "default.conf:1");
}

static void mistakes_in_the_environment_have_a_place(void **state)
{
	(void)state;
	(void)setenv("PROPEXO_API_URL", "http://api.propexo.com", 1);
	assert_refused(load(PX_CMD_MOUNT, NULL), "PROPEXO_API_URL: ");
}

/* ---- finding the file ---- */

static void configurations_by_name_and_by_file(void **state)
{
	struct loaded l;

	(void)state;
	write_file("config/propexofs/acme.conf", 0644,
		"refresh = 11\nstore = rel.db\n"
		"api-key-file = ~/k\n");
	write_file("here.conf", 0644, "refresh = 12\n");

	l = load(PX_CMD_MOUNT, "--config", "acme", NULL);
	assert_int_equal(l.rc, 0);
	assert_string_equal(l.c.name, "acme");
	assert_string_equal(l.c.config_file, in_dir("config/propexofs/acme.conf"));
	assert_int_equal(l.c.refresh_s, 11);
	assert_string_equal(l.c.store, in_dir("config/propexofs/rel.db"));
	assert_string_equal(l.c.api_key_file, in_dir("k"));
	release(&l);

	l = load(PX_CMD_MOUNT, "--config", in_dir("here.conf"), NULL);
	assert_int_equal(l.c.refresh_s, 12);
	assert_string_equal(l.c.name, "here");
	release(&l);

	assert_int_equal(chdir(dir), 0);
	l = load(PX_CMD_MOUNT, "--config=here.conf", "--store", "x.db", NULL);
	assert_int_equal(l.c.refresh_s, 12);
	assert_string_equal(l.c.store, in_dir("x.db"));
	release(&l);
	assert_int_equal(chdir("/"), 0);

	(void)setenv("PROPEXOFS_CONFIG", "acme", 1);
	l = load(PX_CMD_MOUNT, NULL);
	assert_int_equal(l.c.refresh_s, 11);
	release(&l);

	assert_refused(load(PX_CMD_MOUNT, "--config", "nowhere", NULL), "nowhere");
	assert_refused(load(PX_CMD_MOUNT, "--config", "default", NULL), "default");
	assert_refused(load(PX_CMD_MOUNT, "--config", "/no/such.conf", NULL), "/no/such.conf");
	assert_refused(load(PX_CMD_MOUNT, "--config", in_dir("config"), NULL), "directory");
}

static void the_store_has_a_place_of_its_own(void **state)
{
	struct loaded l;
	struct stat st;

	(void)state;
	write_file("config/propexofs/acme.conf", 0644, "");
	l = load(PX_CMD_MOUNT, "--config", "acme", NULL);
	assert_int_equal(l.rc, 0);
	if (geteuid() == 0) {
		assert_string_equal(l.c.store, "/var/lib/propexofs/acme.db");
	} else {
		assert_string_equal(l.c.store, in_dir("state/propexofs/acme.db"));
		assert_int_equal(stat(in_dir("state"), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0700);
	}
	release(&l);
}

/* ---- -o ---- */

static void o_lists(void **state)
{
	static const char everyday[] = "_netdev,nofail,noauto,user,ro,rw,x-systemd.automount,"
				       "x-systemd.idle-timeout=60,X-x,comment=a b,nosuid,nodev,"
				       "relatime,defaults,,exec";
	struct loaded l = load(PX_CMD_MOUNT, "-o", everyday, NULL);

	(void)state;
	assert_int_equal(l.rc, 0);
	assert_null(l.c.fuse_options);
	release(&l);

	write_file("config/propexofs/default.conf", 0644, "options = allow_other,fsname=file\n");
	l = load(PX_CMD_MOUNT, "-o", "fsname=a\\,b\\\\c,max_read=4096,noexec", "-o",
		"store=/a\\,b.db,gid=0", NULL);
	assert_int_equal(l.rc, 0);
	assert_string_equal(
		l.c.fuse_options, "allow_other,fsname=file,fsname=a\\,b\\\\c,max_read=4096,noexec");
	assert_string_equal(l.c.store, "/a,b.db");
	release(&l);
}

static void as_mount_helper(void **state)
{
	struct loaded l;

	(void)state;
	write_file("acme.conf", 0644, "refresh = 13\n");
	l = load(PX_CMD_HELPER, in_dir("acme.conf"), "/mnt", "-sfnv", "-o",
		"rw,nofail,gid=0,umask=0227,strange", "-t", "propexofs", NULL);
	if (l.rc)
		fail_msg("%s", l.err.msg);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.operands[1], "/mnt");
	assert_int_equal(l.c.refresh_s, 13);
	assert_string_equal(l.c.name, "acme");
	assert_true(l.c.sloppy && l.c.fake && l.c.no_mtab && l.c.verbose);
	assert_false(l.c.foreground);
	release(&l);

	/* -s counts wherever it stands */
	l = load(PX_CMD_HELPER, in_dir("acme.conf"), "/mnt", "-o", "strange", "-s", NULL);
	assert_int_equal(l.rc, 0);
	release(&l);
	assert_refused(
		load(PX_CMD_HELPER, in_dir("acme.conf"), "/mnt", "-o", "strange", NULL), "strange");
	assert_refused(load(PX_CMD_HELPER, in_dir("acme.conf"), "/mnt", "-o", "strange,s", NULL),
		"strange");
	assert_refused(load(PX_CMD_HELPER, "/no/such.conf", "/mnt", NULL), "/no/such.conf");
	assert_refused(load(PX_CMD_HELPER, "x", "/mnt", "--refresh", "1", NULL), "--refresh");
}

static void operands(void **state)
{
	struct loaded l = load(PX_CMD_MOUNT, "a", "--offline", "b", "-", "--", "--c", NULL);

	(void)state;
	assert_int_equal(l.rc, 0);
	assert_int_equal(l.n, 4);
	assert_string_equal(l.operands[1], "b");
	assert_string_equal(l.operands[2], "-");
	assert_string_equal(l.operands[3], "--c");
	release(&l);
}

/* What a command does not use stays out of its way. */
static void options_of_other_commands(void **state)
{
	struct loaded l;

	(void)state;
	write_file("config/propexofs/default.conf", 0644,
		"webhook-listen = 127.0.0.1:0\nmountpoint = /mnt/x\nrefresh = 7\n");
	l = load(PX_CMD_SYNC, NULL);
	assert_int_equal(l.rc, 0);
	assert_null(l.c.webhook_listen);
	assert_null(l.c.mountpoint);
	assert_int_equal(l.c.refresh_s, 7);
	release(&l);
	l = load(PX_CMD_READY, NULL);
	assert_string_equal(l.c.mountpoint, "/mnt/x");
	release(&l);
}

static void help_has_every_option(void **state)
{
	static const unsigned commands[] = {PX_CMD_MOUNT, PX_CMD_UMOUNT, PX_CMD_SYNC, PX_CMD_STATUS,
		PX_CMD_READY, PX_CMD_HELPER};

	(void)state;
	for (size_t k = 0; k < sizeof commands / sizeof *commands; k++) {
		PX_BUF_AUTO struct px_buf help = PX_BUF_INIT(1 << 16);

		px_conf_help(commands[k], &help);
		assert_int_equal(px_buf_ok(&help, NULL), 0);
		for (size_t i = 0; i < px_option_count; i++) {
			const struct px_option *o = &px_options[i];
			char word[64];

			if (!(o->commands & commands[k]) || o->by == PX_BY_FILE ||
				(commands[k] == PX_CMD_HELPER && o->name && (o->by & PX_BY_CLI)))
				continue;
			assert_non_null(o->help);
			if (!o->name)
				(void)snprintf(word, sizeof word, "-%c", o->letter);
			else
				(void)snprintf(word, sizeof word, "%s%s",
					o->by & PX_BY_CLI ? "--" : "-o ", o->name);
			assert_mentions(help.data, word);
			if (o->def)
				assert_mentions(help.data, o->def);
			if (o->env)
				assert_mentions(help.data, o->env);
		}
		for (const char *line = help.data; *line; line += strcspn(line, "\n") + 1)
			assert_true(strcspn(line, "\n") <= 80);
	}
}

/* ---- setuid ---- */

static void setuid_owns_what_is_shown(void **state)
{
	const struct passwd *pw = getpwnam("daemon");
	char number[32];
	struct loaded l;

	(void)state;
	assert_non_null(pw);
	l = load(PX_CMD_MOUNT, "-o", "setuid=daemon", NULL);
	assert_int_equal(l.c.uid, pw->pw_uid);
	assert_int_equal(l.c.gid, pw->pw_gid);
	release(&l);
	l = load(PX_CMD_MOUNT, "-o", "gid=7,setuid=daemon,uid=8", NULL);
	assert_int_equal(l.c.uid, 8);
	assert_int_equal(l.c.gid, 7);
	release(&l);
	(void)snprintf(number, sizeof number, "setuid=%u", (unsigned)pw->pw_uid);
	l = load(PX_CMD_MOUNT, "-o", number, NULL);
	assert_string_equal(l.c.setuid, "daemon");
	release(&l);
	assert_refused(load(PX_CMD_MOUNT, "-o", "setuid=no-such-user", NULL), "no-such-user");
	assert_refused(load(PX_CMD_MOUNT, "-o", "setuid=4000000000", NULL), "4000000000");
}

/* ---- read again ---- */

static void differences_name_every_option(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		const struct sample *s = &samples[i];
		const struct px_option *o = px_option_by_name(s->name, strlen(s->name), PX_BY_ALL);
		struct loaded plain = load(PX_CMD_MOUNT, NULL), with;
		char text[300];

		if (s->command || !(o->by & PX_BY_FILE)) {
			release(&plain);
			continue;
		}
		(void)snprintf(
			text, sizeof text, "%s = %s\n", s->name, s->value ? s->value : "yes");
		write_file("other.conf", 0600, text);
		with = load(PX_CMD_MOUNT, "--config", in_dir("other.conf"), NULL);
		assert_int_equal(with.rc, 0);
		for (int live = 0; live < 2; live++) {
			PX_BUF_AUTO struct px_buf names = PX_BUF_INIT(4096);
			/* umask shows as the two that it stands for */
			const char *name = !strcmp(s->name, "umask") ? "fmask, dmask" : s->name;

			px_conf_differences(&plain.c, &with.c, live, &names);
			if ((names.data && strstr(names.data, name)) != (o->live == live))
				fail_msg("%s: \"%s\" when live=%d", s->name,
					names.data ? names.data : "", live);
			px_buf_reset(&names);
			px_conf_differences(&with.c, &with.c, live, &names);
			assert_int_equal(names.len, 0);
		}
		release(&plain);
		release(&with);
	}
}

static void reading_again_keeps_what_is_gone(void **state)
{
	PX_BUF_AUTO struct px_buf names = PX_BUF_INIT(4096);
	struct px_conf again;
	struct px_err err;
	struct loaded l;
	char *argv[] = {(char *)"propexofs", (char *)"--config=here.conf", (char *)"--store",
		(char *)"x.db", (char *)"/operand"};

	(void)state;
	write_file("here.conf", 0600, "refresh = 9\nmountpoint = m\n");
	(void)setenv("PROPEXO_API_KEY", "the-key", 1);
	(void)setenv("PROPEXO_WEBHOOK_SECRET", "the-secret", 1);
	assert_int_equal(chdir(dir), 0);
	memset(&l, 0, sizeof l);
	l.rc = px_conf_load(5, argv, PX_CMD_MOUNT, &l.c, &l.operands, &l.n, &l.err);
	assert_int_equal(l.rc, 0);
	assert_int_equal(chdir("/"), 0);
	assert_null(getenv("PROPEXO_API_KEY"));
	/* as the command line makes it of the operand */
	free(l.c.mountpoint);
	l.c.mountpoint = strdup("/operand");

	assert_int_equal(px_conf_reload(&l.c, &again, &err), 0);
	px_conf_differences(&l.c, &again, true, &names);
	px_conf_differences(&l.c, &again, false, &names);
	assert_int_equal(names.len, 0);
	assert_string_equal(again.key.text, "the-key");
	assert_int_equal(again.webhook_secret_count, 1);
	assert_string_equal(again.webhook_secrets[0].text, "the-secret");
	assert_string_equal(again.mountpoint, "/operand");
	assert_string_equal(again.store, in_dir("x.db"));
	px_conf_release(&again);

	write_file("here.conf", 0600, "refresh = 10\nmountpoint = n\nconnections = 3\n");
	assert_int_equal(px_conf_reload(&l.c, &again, &err), 0);
	px_conf_differences(&l.c, &again, true, &names);
	assert_string_equal(names.data, "refresh");
	px_buf_reset(&names);
	px_conf_differences(&l.c, &again, false, &names);
	assert_string_equal(names.data, "connections, mountpoint");
	px_conf_release(&again);

	write_file("here.conf", 0600, "refresh = never\n");
	assert_int_equal(px_conf_reload(&l.c, &again, &err), PX_EUSAGE);
	assert_mentions(err.msg, "here.conf:1: refresh");
	release(&l);
}

static void reading_again_keeps_the_stores_place(void **state)
{
	struct px_conf again;
	struct px_err err;
	struct loaded l = load(PX_CMD_MOUNT, NULL);

	(void)state;
	/* as another user it would lie elsewhere */
	free(l.c.origin.default_store);
	l.c.origin.default_store = strdup("/root's/place.db");
	assert_int_equal(px_conf_reload(&l.c, &again, &err), 0);
	assert_string_equal(again.store, "/root's/place.db");
	px_conf_release(&again);
	release(&l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_option_has_a_sample),
		T(defaults_are_the_contracts),
		T(command_line),
		T(under_o),
		T(configuration_file),
		T(environment),
		T(stronger_sources_win),
		T(masks),
		T(values_have_bounds),
		T(usage_errors_name_the_option),
		T(mistakes_in_the_file_have_a_place),
		T(a_nul_in_the_file_is_refused),
		T(mistakes_in_the_environment_have_a_place),
		T(configurations_by_name_and_by_file),
		T(the_store_has_a_place_of_its_own),
		T(o_lists),
		T(as_mount_helper),
		T(operands),
		T(options_of_other_commands),
		T(help_has_every_option),
		T(setuid_owns_what_is_shown),
		T(differences_name_every_option),
		T(reading_again_keeps_what_is_gone),
		T(reading_again_keeps_the_stores_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
