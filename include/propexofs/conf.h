/* SPDX-License-Identifier: MIT */
/*
 * conf.h - every option, from one table: command line > environment > configuration file > default.
 *
 * The same names in all three and under -o (contract §2). A struct px_conf is filled once and const
 * after. The key and the secrets are loaded by px_conf_load_secrets only, never printed, and wiped
 * on release.
 */
#ifndef PROPEXOFS_CONF_H
#define PROPEXOFS_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "propexofs/buf.h"
#include "propexofs/err.h"
#include "propexofs/log.h"

/* A secret in memory: never copied into messages. */
struct px_secret {
	char *text; /* NUL-terminated, NULL when not set */
	size_t len;
};
void px_secret_wipe(struct px_secret *s);

struct px_strings {
	char **list;
	size_t count;
};

/* What a configuration was made of, so that it can be read again: belongs to conf. */
struct px_origin {
	int argc;
	char **argv; /* the caller's, for as long as the process lives */
	unsigned command;
	char *cwd;
	char *mountpoint;	    /* of the file, as it was read; or NULL */
	char *default_store;	    /* or NULL: the store was named */
	struct px_secret key, hook; /* taken out of the environment */
};

struct px_conf {
	struct px_origin origin;
	char *name;	   /* configuration's name: "default", "acme" */
	char *config_file; /* the file that was read, or NULL */
	char *mountpoint;
	char *api_url; /* checked, without trailing slash */
	char *api_key_file;
	char *api_key_command;
	char *store; /* absolute */
	char *webhook_listen;
	char *webhook_secret_file;
	char *webhook_url;
	char *metrics_listen;
	struct px_strings integrations; /* empty: all */
	struct px_strings models;	/* directory names; empty: all */
	int refresh_s;
	int sweep_days;
	int rate_share;
	int connections;
	int history_days;
	bool offline;
	enum px_log_level log_level;

	/* -o and the command's own flags */
	bool foreground;
	char *setuid; /* user that serves what root mounts, or NULL; an account that exists */
	uid_t uid;
	gid_t gid;
	mode_t file_mask, dir_mask;
	bool incomplete_partial;
	bool xattr;
	bool hidden_visible;
	char *fuse_options; /* what goes on to libfuse and the kernel, comma separated; NULL:
			       nothing */
	bool sloppy, fake, verbose, no_mtab; /* mount(8)'s -s -f -v -n, as helper */
	bool json, lazy, watch, dead;
	int sample;		       /* verify --sample, 0: all */
	bool follow;		       /* events -f */
	bool dry_run;		       /* webhooks --dry-run */
	struct px_strings since, exec; /* events --since, --exec: the last one counts */
	int wait_s;		       /* ready --wait, -1: none */
	int max_age_s;		       /* ready --max-age, -1: none */

	struct px_secret key;
	struct px_secret *webhook_secrets;
	size_t webhook_secret_count;
};

/* Commands that take options, as bits: which rows of the table each accepts. */
enum {
	PX_CMD_MOUNT = 1 << 0,
	PX_CMD_UMOUNT = 1 << 1,
	PX_CMD_SYNC = 1 << 2,
	PX_CMD_STATUS = 1 << 3,
	PX_CMD_READY = 1 << 4,
	PX_CMD_VERIFY = 1 << 5,
	PX_CMD_CHECK = 1 << 6,
	PX_CMD_EVENTS = 1 << 7,
	PX_CMD_WEBHOOKS = 1 << 8,
	PX_CMD_FORGET = 1 << 9,
	PX_CMD_HELPER = 1 << 10, /* as mount.propexofs */
	PX_CMD_INIT = 1 << 11,	 /* reads no configuration: it makes one */
};

/*
 * Reads command line, environment and configuration file for `command`; credentials named `api-key`
 * and `webhook-secret` that the service manager hands out count as environment. argv[0] is skipped.
 * Operands (not options) are left in ret_operands (pointers into argv; the array is the caller's to
 * free). Unknown options, missing or impossible values and a named configuration that does not
 * exist are PX_EUSAGE with a message that names the option and where it came from.
 */
px_rc px_conf_load(int argc, char **argv, unsigned command, struct px_conf *ret,
	char ***ret_operands, int *ret_operand_count, struct px_err *err);

/* The same for the doctor, who takes no operands and says himself what is wrong with a
 * configuration: *ret_usage is true when the failure is one of the command line. */
px_rc px_conf_probe(int argc, char **argv, unsigned command, struct px_conf *ret, bool *ret_usage,
	struct px_err *err);
/*
 * The same sources as they are now; what a change of user, of working directory, or the wiping of
 * the environment has hidden is taken from `old`. Secrets are left to px_conf_load_secrets. Not
 * beside another load.
 */
px_rc px_conf_reload(const struct px_conf *old, struct px_conf *ret, struct px_err *err);

/* Appends to names, separated by ", ", the options (secrets apart) that differ: those that can
 * change while mounted (live), or those that cannot. */
void px_conf_differences(
	const struct px_conf *a, const struct px_conf *b, bool live, struct px_buf *names);

/* Loads key and webhook secrets: PX_EUSAGE when the key is missing (need_key) or a file is readable
 * by others. */
px_rc px_conf_load_secrets(struct px_conf *c, bool need_key, struct px_err *err);

/* The two halves of it. */
px_rc px_conf_load_key(struct px_conf *c, struct px_err *err);
px_rc px_conf_load_webhook_secrets(struct px_conf *c, struct px_err *err);

/*
 * Runs --api-key-command by /bin/sh and takes the first line of its standard output as the key.
 * Waits for it, 30 s of real time at most, or until *stop (may be NULL) is true: PX_ECANCELED. It
 * gets no standard input, our standard error, and a process group of its own, all of which is ended
 * with the call. PX_EIO: it failed, or printed too much; PX_EUSAGE: what it printed is no key. *ret
 * is replaced on success only. Any thread.
 */
px_rc px_conf_key_command(
	const char *command, const _Atomic bool *stop, struct px_secret *ret, struct px_err *err);

/* Gives api the key as it is now: the command is run, or the file read, again. For keys that were
 * replaced; waits as px_conf_key_command does. The owner's thread of api; c stays as it is. */
struct px_api;
px_rc px_conf_renew_key(
	const struct px_conf *c, const _Atomic bool *stop, struct px_api *api, struct px_err *err);

void px_conf_release(struct px_conf *c);

/* Appends the option part of `propexofs COMMAND --help`, from the table. */
void px_conf_help(unsigned command, struct px_buf *out);

/* ---- making one ---- */

/* Where a new configuration lies (a name: in $XDG_CONFIG_HOME/propexofs, which is made; or a file
 * that ends in .conf), and the file of its key beside it. Both are the caller's. PX_EUSAGE: no
 * name.
 */
px_rc px_conf_new_paths(const char *config, char **ret_path, char **ret_key, struct px_err *err);
/* Cuts blanks and line end off; PX_EUSAGE for what no key can be. */
px_rc px_conf_check_key(struct px_secret *s, struct px_err *err);
/* Writes a file of mode 0600: whole, or not at all. PX_EEXIST when there is one and not replace. */
px_rc px_conf_write(
	const char *path, const char *text, size_t len, bool replace, struct px_err *err);

/* Whether an integration or model passes the --integration / --model filters. */
bool px_conf_wants_integration(const struct px_conf *c, const char *id);
bool px_conf_wants_model(const struct px_conf *c, const char *dir);

#endif
