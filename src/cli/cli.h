/* SPDX-License-Identifier: MIT */
/*
 * cli.h - subcommands: a table, one function each (contract §2).
 *
 * A subcommand gets a loaded configuration and returns 0 with its exit code (and in err why it is
 * not 0), or an error. Either is printed once, in cli.c. Nothing here runs beside another thread.
 */
#ifndef PX_CLI_H
#define PX_CLI_H

#include "propexofs/conf.h"

/* Exit codes of contract §2. */
enum {
	PX_EXIT_DONE = 0,
	PX_EXIT_FAILED = 1,
	PX_EXIT_USAGE = 2,
	PX_EXIT_INCOMPLETE = 3,
	PX_EXIT_TOO_OLD = 4,
	/* as mount(8)'s helper */
	PX_EXIT_HELPER_USAGE = 1,
	PX_EXIT_HELPER_MOUNT = 32,
};

struct px_command {
	const char *name;
	unsigned bit;	       /* PX_CMD_* */
	int operands;	       /* at most */
	bool needs_mountpoint; /* as an operand, or configured */
	const char *synopsis;  /* after "propexofs " */
	const char *summary;   /* one line, for the list of commands */
	const char *details;   /* for its own --help; may be NULL */
	px_rc (*run)(struct px_conf *c, int *ret_code, struct px_err *err);
	/* instead of run, for those who load their configuration themselves; argv[0] is the
	 * command's name */
	px_rc (*run_args)(int argc, char **argv, int *ret_code, struct px_err *err);
};

/* The whole program: returns the exit code. */
int px_cli_main(int argc, char **argv);

px_rc px_cmd_mount(struct px_conf *c, int *ret_code, struct px_err *err);
px_rc px_cmd_umount(struct px_conf *c, int *ret_code, struct px_err *err);
px_rc px_cmd_sync(struct px_conf *c, int *ret_code, struct px_err *err);
px_rc px_cmd_status(struct px_conf *c, int *ret_code, struct px_err *err);
px_rc px_cmd_ready(struct px_conf *c, int *ret_code, struct px_err *err);
px_rc px_cmd_verify(struct px_conf *c, int *ret_code, struct px_err *err);
px_rc px_cmd_forget(struct px_conf *c, int *ret_code, struct px_err *err);
px_rc px_cmd_init(int argc, char **argv, int *ret_code, struct px_err *err);
px_rc px_cmd_check(int argc, char **argv, int *ret_code, struct px_err *err);
px_rc px_cmd_webhooks(int argc, char **argv, int *ret_code, struct px_err *err);
px_rc px_cmd_events(struct px_conf *c, int *ret_code, struct px_err *err);

/* ---- what subcommands share ---- */

/* Absolute form of a mountpoint, links resolved, without asking the filesystem that may be mounted
 * there. */
px_rc px_cli_mountpoint(const char *given, char **ret, struct px_err *err);
/* Reads a file of the mount whole. */
px_rc px_cli_read(const char *mountpoint, const char *name, struct px_buf *out, struct px_err *err);
/* Writes to standard output. */
px_rc px_cli_print(const struct px_buf *text, struct px_err *err);

/* Asks at the terminal (or takes a line of standard input when it is none); the answer is not shown
 * and is the caller's to wipe. A signal that ends the program leaves the terminal as it was. */
px_rc px_cli_ask_secret(const char *prompt, struct px_secret *ret, struct px_err *err);
/* Only y or Y is a yes. */
px_rc px_cli_ask_yes(const char *prompt, bool *ret, struct px_err *err);

/* Takes a moment about once a second and shows it: on a terminal as a screen, which is the
 * alternate one and is given back at the end; else as a line for each change. Ends well with
 * SIGINT, SIGTERM, SIGHUP or SIGQUIT. What take fills in stays the caller's until the next take. */
struct px_moment;
px_rc px_cli_watch(px_rc (*take)(void *arg, struct px_moment *ret, struct px_err *err), void *arg,
	struct px_err *err);

/* Judges root status.json for `ready`: an exit code, and why in one line. max_age_s < 0: any age.
 */
int px_ready_judge(
	const char *status, size_t len, int64_t now_ms, int max_age_s, struct px_buf *why);

#endif
