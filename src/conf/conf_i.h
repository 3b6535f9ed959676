/* SPDX-License-Identifier: MIT */
/*
 * conf_i.h - the option table and what the readers of the three sources share.
 *
 * A row names an option once; command line, -o, environment and file all come here. Each value is
 * checked whichever source it comes from, also when a stronger source has already spoken; it is
 * kept only when its source is at least as strong and the command at hand uses the option.
 */
#ifndef PX_CONF_I_H
#define PX_CONF_I_H

#include "propexofs/conf.h"

/* Sources by rising strength. */
enum px_rank { PX_RANK_NONE, PX_RANK_DEFAULT, PX_RANK_FILE, PX_RANK_ENV, PX_RANK_CLI };

/* Where a row may be given. */
enum {
	PX_BY_CLI = 1 << 0,
	PX_BY_FILE = 1 << 1,
	PX_BY_O = 1 << 2, /* under -o */
	PX_BY_ALL = PX_BY_CLI | PX_BY_FILE | PX_BY_O,
};

enum { PX_OPTIONS_MAX = 64 };

struct px_load {
	struct px_conf *c;
	unsigned command;
	enum px_rank rank;		    /* of the source being read */
	const struct px_conf *old;	    /* what is read again, or NULL */
	const char *base;		    /* directory of the file being read, NULL elsewhere */
	enum px_rank ranks[PX_OPTIONS_MAX]; /* strongest source so far, by row */
	char *config;			    /* --config as given, NULL: not */
	int64_t mask[3];		    /* umask, fmask, dmask */
	bool noexec;			    /* as mount(8)'s options leave it */
	enum px_rank noexec_rank;
	bool sloppy;			     /* unknown -o options are passed over */
	struct px_buf fuse[PX_RANK_CLI + 1]; /* options for libfuse and the kernel, by source */
};

struct px_option {
	const char *name; /* long name; NULL: letter only */
	char letter;	  /* '\0': none */
	const char *arg;  /* what help calls the value; NULL: a switch */
	const char *env;
	const char *def; /* NULL: none */
	/* Checks value (NULL: a switch without one) and, when keep, stores it. */
	px_rc (*set)(struct px_load *l, const struct px_option *o, const char *value, bool keep,
		struct px_err *err);
	size_t offset; /* in struct px_conf, for the setters that need one */
	int64_t min, max;
	unsigned commands; /* which it means something to */
	unsigned by;
	bool live;	  /* may change while mounted */
	const char *help; /* NULL: not shown */
};

extern const struct px_option px_options[];
extern const size_t px_option_count;

/* A row by its long name ('_' counts as '-') of len bytes, given in this way; NULL: none. */
const struct px_option *px_option_by_name(const char *name, size_t len, unsigned by);
/* A row by its letter, for this command. */
const struct px_option *px_option_by_letter(char letter, unsigned command);

/* One option from the source l->rank. The message of a failure has no origin yet. */
px_rc px_option_set(
	struct px_load *l, const struct px_option *o, const char *value, struct px_err *err);

/* NULL equals NULL alone. */
bool px_same_text(const char *a, const char *b);

/* ---- setters, for the table ---- */
typedef px_rc px_setter(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err);
px_setter px_set_switch, px_set_int, px_set_path, px_set_text, px_set_model, px_set_level,
	px_set_url, px_set_listen, px_set_receiver, px_set_mask, px_set_user, px_set_group,
	px_set_account, px_set_incomplete, px_set_config, px_set_options, px_set_ignored,
	px_set_command;

/* ---- files and directories ---- */

/* The file that --config's value (NULL: the default name) stands for. *ret_path is NULL when the
 * unnamed default does not exist. Both are the caller's. */
px_rc px_conf_find(
	const char *config, const char *cwd, char **ret_name, char **ret_path, struct px_err *err);
/* Whether --config's value is a file, not a name. */
bool px_conf_is_file(const char *config);
/* The user's directory of configurations; PX_EUSAGE without a home. */
px_rc px_conf_home(char **ret, struct px_err *err);
px_rc px_conf_read_file(struct px_load *l, const char *path, struct px_err *err);
/* Where the store of this name lies unless told otherwise. */
px_rc px_conf_default_store(const char *name, char **ret, struct px_err *err);
/* Makes the state directory that the default store's own directory lies in. */
px_rc px_conf_make_state_home(const char *store, struct px_err *err);
/* path, absolute: relative ones below base; with `tilde` "~/" is the home directory. */
px_rc px_path_absolute(
	const char *base, bool tilde, const char *path, char **ret, struct px_err *err);

/* ---- secrets ---- */

/* Takes the variable out of the environment, its memory included. Its value (NULL: not set or
 * empty) goes to *ret. */
px_rc px_secret_from_env(const char *name, struct px_secret *ret, struct px_err *err);
/* Replaces what s holds by a copy of len bytes of text. */
px_rc px_secret_set(struct px_secret *s, const char *text, size_t len, struct px_err *err);
/* *ret, empty before, becomes a copy; of nothing, nothing. */
px_rc px_secret_copy(struct px_secret *ret, const struct px_secret *s, struct px_err *err);
/* Cuts a line end off and refuses what cannot be a key. what: for the message. */
px_rc px_secret_check(struct px_secret *s, const char *what, struct px_err *err);
/* Splits text into c->webhook_secrets, one a line. */
px_rc px_conf_webhook_secrets(
	struct px_conf *c, const struct px_secret *text, const char *what, struct px_err *err);

#endif
