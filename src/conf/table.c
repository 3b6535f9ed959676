/* SPDX-License-Identifier: MIT */
/*
 * table.c - every option, once (contract §2).
 *
 * Invariants: an option that does nothing yet has no row, so that it is refused and not ignored;
 * defaults pass through the same setter as every other value; a name is unique, and a letter is
 * unique among the commands that take it.
 */
#include "conf_i.h"

#include <string.h>

#include "propexofs/api.h"

#define AT(member) .offset = offsetof(struct px_conf, member)

enum {
	RUN = PX_CMD_MOUNT | PX_CMD_HELPER | PX_CMD_SYNC,
	ASK = RUN | PX_CMD_VERIFY | PX_CMD_CHECK | PX_CMD_WEBHOOKS,
	MOUNTS = PX_CMD_MOUNT | PX_CMD_HELPER,
	AT_MOUNT = PX_CMD_MOUNT | PX_CMD_UMOUNT | PX_CMD_STATUS | PX_CMD_READY,
	STORES = ASK | PX_CMD_STATUS | PX_CMD_EVENTS | PX_CMD_FORGET,
	PICK = RUN | PX_CMD_VERIFY | PX_CMD_EVENTS | PX_CMD_FORGET,
	HOOKS = MOUNTS | PX_CMD_CHECK | PX_CMD_WEBHOOKS,
	EVERY = AT_MOUNT | STORES | PICK,
};

const struct px_option px_options[] = {
	{.name = "config",
		.arg = "NAME|FILE",
		.env = "PROPEXOFS_CONFIG",
		.set = px_set_config,
		.commands = EVERY & ~PX_CMD_HELPER,
		.by = PX_BY_CLI,
		.help = "configuration: a name below ~/.config/propexofs or /etc/propexofs, or a "
			"file (default: default)"},
	{.name = "api-url",
		.arg = "URL",
		.env = "PROPEXO_API_URL",
		.def = "https://api.propexo.com",
		.set = px_set_url,
		AT(api_url),
		.commands = ASK,
		.by = PX_BY_ALL,
		.help = "the API; https only, except to loopback"},
	{.name = "api-key-file",
		.arg = "FILE",
		.set = px_set_path,
		AT(api_key_file),
		.commands = ASK,
		.by = PX_BY_ALL,
		.live = true,
		.help = "file that holds the key, readable by its owner alone; or the key itself "
			"in the environment as PROPEXO_API_KEY"},
	{.name = "store",
		.arg = "FILE",
		.env = "PROPEXOFS_STORE",
		.set = px_set_path,
		AT(store),
		.commands = STORES,
		.by = PX_BY_ALL,
		.help = "the mirror's database (default: NAME.db in ~/.local/state/propexofs, as "
			"root in /var/lib/propexofs)"},
	{.name = "integration",
		.arg = "ID",
		.set = px_set_text,
		AT(integrations),
		.max = 256,
		.commands = PICK,
		.by = PX_BY_ALL,
		.help = "only this integration; may be repeated (default: all)"},
	{.name = "model",
		.arg = "NAME",
		.set = px_set_model,
		AT(models),
		.commands = PICK,
		.by = PX_BY_ALL,
		.help = "only this model, in the URL's spelling, e.g. service-requests; may be "
			"repeated (default: all)"},
	{.name = "refresh",
		.arg = "SECONDS",
		.def = "300",
		.set = px_set_int,
		AT(refresh_s),
		.max = 31536000,
		.commands = RUN,
		.by = PX_BY_ALL,
		.live = true,
		.help = "how often the API is asked what changed; 0: only at start and after "
			"webhooks"},
	{.name = "sweep",
		.arg = "DAYS",
		.def = "7",
		.set = px_set_int,
		AT(sweep_days),
		.max = 3650,
		.commands = RUN,
		.by = PX_BY_ALL,
		.live = true,
		.help = "how often everything is read again in the background; 0: never"},
	{.name = "rate-share",
		.arg = "PERCENT",
		.def = "80",
		.set = px_set_int,
		AT(rate_share),
		.min = 1,
		.max = 100,
		.commands = ASK,
		.by = PX_BY_ALL,
		.live = true,
		.help = "how much of the account's request allowance may be used up, others' use "
			"included"},
	{.name = "connections",
		.arg = "N",
		.def = "8",
		.set = px_set_int,
		AT(connections),
		.min = 1,
		.max = 64,
		.commands = ASK,
		.by = PX_BY_ALL,
		.help = "requests in flight"},
	{.name = "history",
		.arg = "DAYS",
		.def = "7",
		.set = px_set_int,
		AT(history_days),
		.max = 3650,
		.commands = RUN,
		.by = PX_BY_ALL,
		.help = "how long superseded versions and events are kept"},
	{.name = "offline",
		.set = px_set_switch,
		AT(offline),
		.commands = RUN,
		.by = PX_BY_ALL,
		.help = "never touch the network"},
	{.name = "webhook-listen",
		.arg = "HOST:PORT",
		.env = "PROPEXOFS_WEBHOOK_LISTEN",
		.set = px_set_listen,
		AT(webhook_listen),
		.commands = HOOKS,
		.by = PX_BY_ALL,
		.help = "receive deliveries here; port 0 takes a free one (default: off)"},
	{.name = "webhook-secret-file",
		.arg = "FILE",
		.set = px_set_path,
		AT(webhook_secret_file),
		.commands = HOOKS,
		.by = PX_BY_ALL,
		.live = true,
		.help = "file of signing secrets, one a line, readable by its owner alone; or the "
			"secret itself in the environment as PROPEXO_WEBHOOK_SECRET"},
	{.name = "webhook-url",
		.arg = "URL",
		.env = "PROPEXOFS_WEBHOOK_URL",
		.set = px_set_url,
		AT(webhook_url),
		.commands = HOOKS,
		.by = PX_BY_ALL,
		.help = "public address of the receiver; its path is the receiver's path"},
	{.name = "log-level",
		.arg = "error|warn|info|debug",
		.def = "info",
		.set = px_set_level,
		AT(log_level),
		.commands = ASK,
		.by = PX_BY_ALL,
		.live = true,
		.help = "to standard error in the foreground, else to syslog"},
	{.name = "mountpoint",
		.arg = "DIR",
		.set = px_set_path,
		AT(mountpoint),
		.commands = AT_MOUNT,
		.by = PX_BY_FILE},
	{.name = "foreground",
		.letter = 'f',
		.set = px_set_switch,
		AT(foreground),
		.commands = PX_CMD_MOUNT,
		.by = PX_BY_CLI,
		.help = "stay in the foreground"},
	{.name = "options",
		.letter = 'o',
		.arg = "OPT,...",
		.set = px_set_options,
		.commands = MOUNTS,
		.by = PX_BY_CLI | PX_BY_FILE,
		.help = "mount options: FUSE's, mount(8)'s, those below, and each of the options "
			"above without its --"},
	{.name = "uid",
		.arg = "USER",
		.set = px_set_user,
		AT(uid),
		.commands = MOUNTS,
		.by = PX_BY_O | PX_BY_FILE,
		.help = "owner of what is shown (default: who mounts)"},
	{.name = "gid",
		.arg = "GROUP",
		.set = px_set_group,
		AT(gid),
		.commands = MOUNTS,
		.by = PX_BY_O | PX_BY_FILE,
		.help = "group of what is shown (default: that of who mounts)"},
	{.name = "setuid",
		.arg = "USER",
		.set = px_set_account,
		AT(setuid),
		.commands = MOUNTS,
		.by = PX_BY_O | PX_BY_FILE,
		.help = "serve as this user, for good: only root, who mounts, can say so"},
	{.name = "umask",
		.arg = "OCTAL",
		.def = "0277",
		.set = px_set_mask,
		.offset = 0,
		.commands = MOUNTS,
		.by = PX_BY_O | PX_BY_FILE,
		.help = "permissions taken away from files and directories"},
	{.name = "fmask",
		.arg = "OCTAL",
		.set = px_set_mask,
		.offset = 1,
		.commands = MOUNTS,
		.by = PX_BY_O | PX_BY_FILE,
		.help = "the same for files alone"},
	{.name = "dmask",
		.arg = "OCTAL",
		.set = px_set_mask,
		.offset = 2,
		.commands = MOUNTS,
		.by = PX_BY_O | PX_BY_FILE,
		.help = "the same for directories alone"},
	{.name = "incomplete",
		.arg = "error|partial",
		.def = "error",
		.set = px_set_incomplete,
		AT(incomplete_partial),
		.commands = MOUNTS,
		.by = PX_BY_O | PX_BY_FILE,
		.help = "how the listing of a directory ends that has not been read whole yet"},
	{.name = "lazy",
		.letter = 'l',
		.set = px_set_switch,
		AT(lazy),
		.commands = PX_CMD_UMOUNT,
		.by = PX_BY_CLI,
		.help = "detach now, also when busy"},
	{.name = "dead",
		.set = px_set_switch,
		AT(dead),
		.commands = PX_CMD_UMOUNT,
		.by = PX_BY_CLI,
		.help = "only clear what a daemon that has gone left behind; leave anything else"},
	{.name = "json",
		.set = px_set_switch,
		AT(json),
		.commands = PX_CMD_STATUS,
		.by = PX_BY_CLI,
		.help = "print status.json itself"},
	{.name = "sample",
		.arg = "N",
		.set = px_set_int,
		AT(sample),
		.max = 2000000000,
		.commands = PX_CMD_VERIFY,
		.by = PX_BY_CLI,
		.help = "about so many records at random, by id (default: all, by lists)"},
	{.name = "follow",
		.letter = 'f',
		.set = px_set_switch,
		AT(follow),
		.commands = PX_CMD_EVENTS,
		.by = PX_BY_CLI,
		.help = "go on with what comes"},
	{.name = "since",
		.arg = "SEQ|TIME",
		.set = px_set_text,
		AT(since),
		.max = 64,
		.commands = PX_CMD_EVENTS,
		.by = PX_BY_CLI,
		.help = "only events after the one with this seq, or from this time on"},
	{.name = "exec",
		.arg = "CMD",
		.set = px_set_text,
		AT(exec),
		.max = 65536,
		.commands = PX_CMD_EVENTS,
		.by = PX_BY_CLI,
		.help = "run CMD by sh for each event, its line on standard input, instead of "
			"printing it"},
	{.name = "wait",
		.arg = "S",
		.set = px_set_int,
		AT(wait_s),
		.max = 31536000,
		.commands = PX_CMD_READY,
		.by = PX_BY_CLI,
		.help = "wait up to so many seconds for it"},
	{.name = "max-age",
		.arg = "S",
		.set = px_set_int,
		AT(max_age_s),
		.max = 2000000000,
		.commands = PX_CMD_READY,
		.by = PX_BY_CLI,
		.help = "at most so many seconds since the mirror was last known to be right"},
	/* mount(8)'s own, as its helper */
	{.letter = 's',
		.set = px_set_switch,
		AT(sloppy),
		.commands = PX_CMD_HELPER,
		.by = PX_BY_CLI,
		.help = "pass over unknown mount options"},
	{.letter = 'f',
		.set = px_set_switch,
		AT(fake),
		.commands = PX_CMD_HELPER,
		.by = PX_BY_CLI,
		.help = "check everything, mount nothing"},
	{.letter = 'n',
		.set = px_set_switch,
		AT(no_mtab),
		.commands = PX_CMD_HELPER,
		.by = PX_BY_CLI,
		.help = "accepted: there is no mtab"},
	{.letter = 'v',
		.set = px_set_switch,
		AT(verbose),
		.commands = PX_CMD_HELPER,
		.by = PX_BY_CLI,
		.help = "say what was mounted"},
	{.letter = 't',
		.arg = "TYPE",
		.set = px_set_ignored,
		.commands = PX_CMD_HELPER,
		.by = PX_BY_CLI,
		.help = "accepted: the type is known"},
};
const size_t px_option_count = sizeof px_options / sizeof *px_options;
_Static_assert(sizeof px_options / sizeof *px_options <= PX_OPTIONS_MAX, "PX_OPTIONS_MAX");

static bool same_name(const char *row, const char *name, size_t len)
{
	size_t i = 0;

	for (; i < len && row[i]; i++)
		if (row[i] != (name[i] == '_' ? '-' : name[i]))
			return false;
	return i == len && !row[i];
}

const struct px_option *px_option_by_name(const char *name, size_t len, unsigned by)
{
	for (size_t i = 0; i < px_option_count; i++)
		if (px_options[i].name && (px_options[i].by & by) &&
			same_name(px_options[i].name, name, len))
			return &px_options[i];
	return NULL;
}

const struct px_option *px_option_by_letter(char letter, unsigned command)
{
	for (size_t i = 0; i < px_option_count; i++)
		if (px_options[i].letter == letter && (px_options[i].commands & command))
			return &px_options[i];
	return NULL;
}

px_rc px_option_set(
	struct px_load *l, const struct px_option *o, const char *value, struct px_err *err)
{
	enum px_rank *rank = &l->ranks[o - px_options];
	bool keep = (o->commands & l->command) && l->rank >= *rank;
	px_rc rc;

	if (!value && o->arg)
		return px_err_set(err, PX_EUSAGE, "needs a value: %s", o->arg);
	if (value && o->arg && !*value)
		return px_err_set(err, PX_EUSAGE, "is empty; it takes %s", o->arg);
	rc = o->set(l, o, value, keep, err);
	if (!rc && keep)
		*rank = l->rank;
	return rc;
}
