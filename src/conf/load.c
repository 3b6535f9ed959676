/* SPDX-License-Identifier: MIT */
/*
 * load.c - command line > environment > configuration file > default.
 *
 * Invariants: all sources are read and checked whole, so that a mistake in a weak one shows even
 * when a strong one hides its value; secrets leave the environment whatever the command is. An
 * option that cannot be abbreviated cannot change its meaning when another is added.
 */
#include "conf_i.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* What the environment held, or holds no more since it was read the first time. */
static px_rc take_secret_environment(struct px_load *l, struct px_err *err)
{
	struct px_origin *to = &l->c->origin;
	px_rc rc;

	if (l->old) {
		rc = px_secret_copy(&to->key, &l->old->origin.key, err);
		return rc ? rc : px_secret_copy(&to->hook, &l->old->origin.hook, err);
	}
	rc = px_secret_from_env("PROPEXO_API_KEY", &to->key, err);
	return rc ? rc : px_secret_from_env("PROPEXO_WEBHOOK_SECRET", &to->hook, err);
}

static px_rc read_secret_environment(struct px_load *l, struct px_err *err)
{
	const struct px_origin *from = &l->c->origin;
	px_rc rc = take_secret_environment(l, err);

	if (!rc && from->key.text && claims(l, "api-key-file", "api-key-command")) {
		rc = px_secret_copy(&l->c->key, &from->key, err);
		if (!rc)
			rc = px_secret_check(&l->c->key, "PROPEXO_API_KEY", err);
	}
	if (!rc && from->hook.text && claims(l, "webhook-secret-file", NULL))
		rc = px_conf_webhook_secrets(l->c, &from->hook, "PROPEXO_WEBHOOK_SECRET", err);
	return rc;
}

/* What the service manager hands out under our option's name is as strong as the environment, and
 * yields to it. An empty one (or a line end: it cannot hand out less) counts as none. */
static px_rc take_credential(struct px_load *l, const char *name, const char *option, bool have,
	char **slot, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(4096);
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	struct stat st;
	px_rc rc;

	if (have || !dir || *dir != '/')
		return PX_OK;
	px_buf_addf(&path, "%s/%s", dir, name);
	rc = px_buf_ok(&path, err);
	if (rc || stat(path.data, &st) || st.st_size <= 1 || !claims(l, option, NULL))
		return rc;
	free(*slot);
	*slot = px_buf_steal(&path, NULL);
	return PX_OK;
}

static px_rc read_credentials(struct px_load *l, struct px_err *err)
{
	struct px_conf *c = l->c;
	px_rc rc = take_credential(
		l, "api-key", "api-key-file", c->key.text != NULL, &c->api_key_file, err);

	return rc ? rc
		  : take_credential(l, "webhook-secret", "webhook-secret-file",
			    c->webhook_secret_count > 0, &c->webhook_secret_file, err);
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

static bool was_given(const struct px_load *l, const char *name)
{
	return l->ranks[px_option_by_name(name, strlen(name), PX_BY_ALL) - px_options] !=
	       PX_RANK_NONE;
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

/* Who serves owns what is shown, unless told otherwise. */
static px_rc settle_owner(struct px_load *l, struct px_err *err)
{
	const struct passwd *pw = getpwnam(l->c->setuid);

	if (!pw)
		return px_err_set(err, PX_EUSAGE, "there is no user '%s'", l->c->setuid);
	if (!was_given(l, "uid"))
		l->c->uid = pw->pw_uid;
	if (!was_given(l, "gid"))
		l->c->gid = pw->pw_gid;
	return PX_OK;
}

/* Where the store lies by itself depends on who asks: once said, it stays. */
static px_rc settle_store(struct px_load *l, struct px_err *err)
{
	struct px_conf *c = l->c;
	const char *before = l->old ? l->old->origin.default_store : NULL;
	px_rc rc = PX_OK;

	if (before)
		c->store = strdup(before);
	else
		rc = px_conf_default_store(c->name, &c->store, err);
	if (!rc) {
		c->origin.default_store = c->store ? strdup(c->store) : NULL;
		if (!c->origin.default_store)
			rc = px_err_nomem(err);
	}
	if (!rc && !l->old && (l->command & (PX_CMD_MOUNT | PX_CMD_HELPER | PX_CMD_SYNC)))
		rc = px_conf_make_state_home(c->store, err);
	return rc;
}

/* The file's mountpoint is what an operand and resolved links have made of it, unless it has
 * changed. */
static px_rc settle_mountpoint(struct px_load *l, struct px_err *err)
{
	struct px_conf *c = l->c;
	const char *before = l->old ? l->old->origin.mountpoint : NULL;

	if (c->mountpoint) {
		c->origin.mountpoint = strdup(c->mountpoint);
		if (!c->origin.mountpoint)
			return px_err_nomem(err);
	}
	if (!l->old || !l->old->mountpoint || !px_same_text(before, c->mountpoint))
		return PX_OK;
	free(c->mountpoint);
	c->mountpoint = strdup(l->old->mountpoint);
	return c->mountpoint ? PX_OK : px_err_nomem(err);
}

static px_rc settle(struct px_load *l, struct px_err *err)
{
	struct px_conf *c = l->c;
	px_rc rc = settle_fuse_options(l, err);

	if (!rc)
		rc = settle_key(l, err);
	if (!rc && c->setuid)
		rc = settle_owner(l, err);
	c->file_mask = mask_of(l, 1);
	c->dir_mask = mask_of(l, 2);
	if (!rc && !c->store)
		rc = settle_store(l, err);
	return rc ? rc : settle_mountpoint(l, err);
}

/* The configuration that is named, or the one that was found when it was read first. */
static px_rc find(struct px_load *l, struct px_err *err)
{
	struct px_conf *c = l->c;

	if (!l->old || !l->old->config_file)
		return px_conf_find(l->config, c->origin.cwd, &c->name, &c->config_file, err);
	c->name = strdup(l->old->name);
	c->config_file = strdup(l->old->config_file);
	return c->name && c->config_file ? PX_OK : px_err_nomem(err);
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
	if (!rc)
		rc = read_credentials(l, err);
	if (!rc && l->command == PX_CMD_HELPER && a->operand_count) {
		free(l->config);
		l->config = strdup(a->operands[0]);
		if (!l->config)
			rc = px_err_nomem(err);
	}
	if (rc || l->command == PX_CMD_INIT)
		return rc;
	l->rank = PX_RANK_FILE;
	rc = find(l, err);
	if (!rc && l->c->config_file)
		rc = px_conf_read_file(l, l->c->config_file, err);
	return rc ? rc : settle(l, err);
}

/* *ret_rank: the source that was read last. */
static px_rc load(const struct px_conf *old, struct args *a, unsigned command, struct px_conf *ret,
	enum px_rank *ret_rank, struct px_err *err)
{
	struct px_conf c;
	struct px_load l = {.c = &c, .command = command, .old = old};
	struct px_err local = {0};
	px_rc rc;

	memset(&c, 0, sizeof c);
	if (!err)
		err = &local;
	c.origin.argc = a->argc;
	c.origin.argv = a->argv;
	c.origin.command = command;
	/* without one only relative paths are in trouble, and say so */
	if (!old)
		c.origin.cwd = getcwd(NULL, 0);
	else if (old->origin.cwd)
		c.origin.cwd = strdup(old->origin.cwd);
	for (int r = 0; r <= PX_RANK_CLI; r++)
		px_buf_init(&l.fuse[r], 4096);
	a->operands = calloc((size_t)a->argc + 1, sizeof *a->operands);
	rc = a->operands ? read_all(&l, a, err) : px_err_nomem(err);
	for (int r = 0; r <= PX_RANK_CLI; r++)
		px_buf_release(&l.fuse[r]);
	free(l.config);
	*ret_rank = l.rank;
	if (rc) {
		px_conf_release(&c);
		free(a->operands);
		return rc;
	}
	*ret = c;
	return PX_OK;
}

px_rc px_conf_load(int argc, char **argv, unsigned command, struct px_conf *ret,
	char ***ret_operands, int *ret_operand_count, struct px_err *err)
{
	struct args a = {.argc = argc, .argv = argv};
	enum px_rank rank;
	px_rc rc = load(NULL, &a, command, ret, &rank, err);

	if (rc)
		return rc;
	*ret_operands = a.operands;
	*ret_operand_count = a.operand_count;
	return PX_OK;
}

px_rc px_conf_probe(int argc, char **argv, unsigned command, struct px_conf *ret, bool *ret_usage,
	struct px_err *err)
{
	struct args a = {.argc = argc, .argv = argv};
	enum px_rank rank;
	px_rc rc = load(NULL, &a, command, ret, &rank, err);

	if (!rc)
		free(a.operands);
	/* the command line is wrong whatever the file says */
	if (a.operand_count && !(rc == PX_EUSAGE && rank == PX_RANK_CLI)) {
		if (!rc)
			px_conf_release(ret);
		rank = PX_RANK_CLI;
		rc = px_err_set(err, PX_EUSAGE, "too many operands");
	}
	*ret_usage = rc == PX_EUSAGE && rank == PX_RANK_CLI;
	return rc;
}

px_rc px_conf_reload(const struct px_conf *old, struct px_conf *ret, struct px_err *err)
{
	struct args a = {.argc = old->origin.argc, .argv = old->origin.argv};
	enum px_rank rank;
	px_rc rc = load(old, &a, old->origin.command, ret, &rank, err);

	if (!rc)
		free(a.operands);
	return rc;
}
