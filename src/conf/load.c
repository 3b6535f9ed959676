/* SPDX-License-Identifier: MIT */
/*
 * load.c - command line > environment > configuration file > default.
 *
 * Invariants: all sources are read and checked whole, so that a mistake in a weak one shows even
 * when a strong one hides its value; secrets leave the environment whatever the command is. An
 * option that cannot be abbreviated cannot change its meaning when another is added.
 */
#include "conf_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- command line ---- */

struct args {
	int argc, at;
	char **argv;
	char **operands;
	int operand_count;
};

static px_rc unknown(struct px_err *err, const char *name, size_t len)
{
	return px_err_set(err, PX_EUSAGE, "unknown option %.*s; see --help", (int)len, name);
}

static px_rc take_value(struct px_load *l, struct args *a, const struct px_option *o,
	const char *shown, const char *inline_value, struct px_err *err)
{
	const char *value = inline_value;
	px_rc rc;

	if (!value && o->arg && a->at + 1 < a->argc)
		value = a->argv[++a->at];
	if (!value && o->arg)
		return px_err_set(err, PX_EUSAGE, "%s: needs a value: %s", shown, o->arg);
	rc = px_option_set(l, o, value, err);
	/* what is below -o names itself */
	return rc && o->set != px_set_options ? px_err_ctx(err, "%s", shown) : rc;
}

static px_rc take_long(struct px_load *l, struct args *a, const char *arg, struct px_err *err)
{
	const char *name = arg + 2;
	size_t len = strcspn(name, "=");
	const struct px_option *o = px_option_by_name(name, len, PX_BY_CLI);
	char shown[64];

	/* mount(8)'s form has letters alone; the rest comes under -o */
	if (!o || !(o->commands & l->command) || l->command == PX_CMD_HELPER ||
		memchr(name, '_', len))
		return unknown(err, arg, len + 2);
	(void)snprintf(shown, sizeof shown, "--%s", o->name);
	return take_value(l, a, o, shown, name[len] == '=' ? name + len + 1 : NULL, err);
}

static px_rc take_short(struct px_load *l, struct args *a, const char *arg, struct px_err *err)
{
	for (const char *p = arg + 1; *p; p++) {
		const struct px_option *o = px_option_by_letter(*p, l->command);
		char shown[3] = {'-', *p, '\0'};
		px_rc rc;

		if (!o)
			return unknown(err, shown, 2);
		rc = take_value(l, a, o, shown, o->arg && p[1] ? p + 1 : NULL, err);
		if (rc)
			return rc;
		if (o->arg)
			break;
	}
	return PX_OK;
}

/* mount(8) says -s after -o: it has to be known before the list is read. */
static bool says_sloppy(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];

		if (arg[0] != '-' || arg[1] == '-')
			continue;
		if (arg[strcspn(arg, "so")] == 's')
			return true;
		if (arg[strlen(arg) - 1] == 'o' || arg[strlen(arg) - 1] == 't')
			i++; /* its value */
	}
	return false;
}

static px_rc read_command_line(struct px_load *l, struct args *a, struct px_err *err)
{
	bool only_operands = false;
	px_rc rc = PX_OK;

	l->rank = PX_RANK_CLI;
	l->sloppy = l->command == PX_CMD_HELPER && says_sloppy(a->argc, a->argv);
	for (a->at = 1; a->at < a->argc && !rc; a->at++) {
		char *arg = a->argv[a->at];

		if (only_operands || arg[0] != '-' || !arg[1])
			a->operands[a->operand_count++] = arg;
		else if (!strcmp(arg, "--"))
			only_operands = true;
		else if (arg[1] == '-')
			rc = take_long(l, a, arg, err);
		else
			rc = take_short(l, a, arg, err);
	}
	return rc;
}

/* ---- environment ---- */

static px_rc read_environment(struct px_load *l, struct px_err *err)
{
	l->rank = PX_RANK_ENV;
	for (size_t i = 0; i < px_option_count; i++) {
		const char *value = px_options[i].env ? getenv(px_options[i].env) : NULL;
		px_rc rc;

		if (!value || !*value)
			continue;
		rc = px_option_set(l, &px_options[i], value, err);
		if (rc)
			return px_err_ctx(err, "%s", px_options[i].env);
	}
	return PX_OK;
}

static enum px_rank *rank_of(struct px_load *l, const char *option)
{
	return &l->ranks[px_option_by_name(option, strlen(option), PX_BY_CLI) - px_options];
}

/* A secret in the environment is as strong as the environment: it beats the file (or command) that
 * the configuration names, and yields to one that the command line names. other: NULL, or a second
 * option for the same secret. */
static bool claims(struct px_load *l, const char *option, const char *other)
{
	const struct px_option *o = px_option_by_name(option, strlen(option), PX_BY_CLI);
	enum px_rank *rank = rank_of(l, option), *rank2 = rank_of(l, other ? other : option);

	if (!(o->commands & l->command) || *rank > PX_RANK_ENV || *rank2 > PX_RANK_ENV)
		return false;
	*rank = *rank2 = PX_RANK_ENV;
	return true;
}

/* The key comes from one place: the stronger source's. */
static px_rc settle_key(struct px_load *l, struct px_err *err)
{
	struct px_conf *c = l->c;
	enum px_rank file = *rank_of(l, "api-key-file"), command = *rank_of(l, "api-key-command");
	char **weaker = file < command ? &c->api_key_file : &c->api_key_command;

	if (!c->api_key_file || !c->api_key_command)
		return PX_OK;
	if (file == command)
		return px_err_set(err, PX_EUSAGE,
			"api-key-file and api-key-command are both given: name one");
	free(*weaker);
	*weaker = NULL;
	return PX_OK;
}

static px_rc read_secret_environment(struct px_load *l, struct px_err *err)
{
	struct px_secret key = {0}, hook = {0};
	px_rc rc = px_secret_from_env("PROPEXO_API_KEY", &key, err);

	if (!rc)
		rc = px_secret_from_env("PROPEXO_WEBHOOK_SECRET", &hook, err);
	if (!rc && key.text && claims(l, "api-key-file", "api-key-command")) {
		rc = px_secret_check(&key, "PROPEXO_API_KEY", err);
		if (!rc) {
			l->c->key = key;
			memset(&key, 0, sizeof key);
		}
	}
	if (!rc && hook.text && claims(l, "webhook-secret-file", NULL))
		rc = px_conf_webhook_secrets(l->c, &hook, "PROPEXO_WEBHOOK_SECRET", err);
	px_secret_wipe(&key);
	px_secret_wipe(&hook);
	return rc;
}

/* ---- all of it ---- */

static px_rc set_defaults(struct px_load *l, struct px_err *err)
{
	l->rank = PX_RANK_DEFAULT;
	l->c->uid = getuid();
	l->c->gid = getgid();
	l->c->wait_s = l->c->max_age_s = -1;
	for (size_t i = 0; i < px_option_count; i++) {
		px_rc rc = px_options[i].def
				   ? px_option_set(l, &px_options[i], px_options[i].def, err)
				   : PX_OK;

		if (rc)
			return px_err_ctx(err, "default of %s", px_options[i].name);
	}
	return PX_OK;
}

static const struct px_option *mask_row(int i)
{
	static const char *const names[] = {"umask", "fmask", "dmask"};

	return px_option_by_name(names[i], strlen(names[i]), PX_BY_O);
}

/* umask speaks for both; fmask and dmask speak for one, unless umask comes from a stronger source.
 */
static mode_t mask_of(const struct px_load *l, int i)
{
	enum px_rank own = l->ranks[mask_row(i) - px_options];

	return (mode_t)(own && own >= l->ranks[mask_row(0) - px_options] ? l->mask[i] : l->mask[0]);
}

static px_rc settle_fuse_options(struct px_load *l, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf all = PX_BUF_INIT(8192);
	px_rc rc;

	for (int r = 0; r <= PX_RANK_CLI; r++)
		if (l->fuse[r].len)
			px_buf_addf(&all, "%s%s", all.len ? "," : "", l->fuse[r].data);
	if (l->noexec)
		px_buf_addf(&all, "%snoexec", all.len ? "," : "");
	rc = px_buf_ok(&all, err);
	if (!rc && all.len) {
		l->c->fuse_options = px_buf_steal(&all, NULL);
		if (!l->c->fuse_options)
			rc = px_err_nomem(err);
	}
	return rc;
}

static px_rc settle(struct px_load *l, struct px_err *err)
{
	struct px_conf *c = l->c;
	px_rc rc = settle_fuse_options(l, err);

	if (!rc)
		rc = settle_key(l, err);
	c->file_mask = mask_of(l, 1);
	c->dir_mask = mask_of(l, 2);
	if (!rc && !c->store) {
		rc = px_conf_default_store(c->name, &c->store, err);
		if (!rc && (l->command & (PX_CMD_MOUNT | PX_CMD_HELPER | PX_CMD_SYNC)))
			rc = px_conf_make_state_home(c->store, err);
	}
	return rc;
}

static px_rc read_all(struct px_load *l, struct args *a, struct px_err *err)
{
	px_rc rc = set_defaults(l, err);

	if (!rc)
		rc = read_command_line(l, a, err);
	if (!rc)
		rc = read_environment(l, err);
	if (!rc)
		rc = read_secret_environment(l, err);
	if (!rc && l->command == PX_CMD_HELPER && a->operand_count) {
		free(l->config);
		l->config = strdup(a->operands[0]);
		if (!l->config)
			rc = px_err_nomem(err);
	}
	if (rc || l->command == PX_CMD_INIT)
		return rc;
	l->rank = PX_RANK_FILE;
	rc = px_conf_find(l->config, &l->c->name, &l->c->config_file, err);
	if (!rc && l->c->config_file)
		rc = px_conf_read_file(l, l->c->config_file, err);
	return rc ? rc : settle(l, err);
}

/* *ret_rank: the source that was read last. */
static px_rc load(int argc, char **argv, unsigned command, struct px_conf *ret,
	char ***ret_operands, int *ret_operand_count, enum px_rank *ret_rank, struct px_err *err)
{
	struct px_conf c;
	struct px_load l = {.c = &c, .command = command};
	struct args a = {.argc = argc, .argv = argv};
	struct px_err local = {0};
	px_rc rc;

	memset(&c, 0, sizeof c);
	if (!err)
		err = &local;
	for (int r = 0; r <= PX_RANK_CLI; r++)
		px_buf_init(&l.fuse[r], 4096);
	a.operands = calloc((size_t)argc + 1, sizeof *a.operands);
	rc = a.operands ? read_all(&l, &a, err) : px_err_nomem(err);
	for (int r = 0; r <= PX_RANK_CLI; r++)
		px_buf_release(&l.fuse[r]);
	free(l.config);
	*ret_rank = l.rank;
	if (rc) {
		px_conf_release(&c);
		free(a.operands);
		return rc;
	}
	*ret = c;
	*ret_operands = a.operands;
	*ret_operand_count = a.operand_count;
	return PX_OK;
}

px_rc px_conf_load(int argc, char **argv, unsigned command, struct px_conf *ret,
	char ***ret_operands, int *ret_operand_count, struct px_err *err)
{
	enum px_rank rank;

	return load(argc, argv, command, ret, ret_operands, ret_operand_count, &rank, err);
}

px_rc px_conf_probe(int argc, char **argv, unsigned command, struct px_conf *ret, bool *ret_usage,
	struct px_err *err)
{
	char **operands = NULL;
	enum px_rank rank;
	int n = 0;
	px_rc rc = load(argc, argv, command, ret, &operands, &n, &rank, err);

	if (!rc && n) {
		px_conf_release(ret);
		rank = PX_RANK_CLI;
		rc = px_err_set(err, PX_EUSAGE, "too many operands");
	}
	free(operands);
	*ret_usage = rc == PX_EUSAGE && rank == PX_RANK_CLI;
	return rc;
}
