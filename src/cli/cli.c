/* SPDX-License-Identifier: MIT */
/*
 * cli.c - finds the subcommand, loads its configuration, prints what went wrong in one line.
 *
 * Invariant: an error is printed here and nowhere else, as "propexofs: what, on what, what to do";
 * standard output that cannot be written is a failure, not a success nobody saw.
 */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct px_command commands[] = {
	{.name = "init",
		.bit = PX_CMD_INIT,
		.synopsis = "init [options] [NAME]",
		.summary = "ask for the key, write a configuration, and check",
		.details = "NAME (default: default) is made in ~/.config/propexofs, the key in a "
			   "file beside it; or NAME is\na file that ends in .conf. Without a "
			   "terminal the key is the first line of standard input,\nand nothing is "
			   "overwritten.",
		.run_args = px_cmd_init},
	{.name = "mount",
		.bit = PX_CMD_MOUNT,
		.operands = 1,
		.needs_mountpoint = true,
		.synopsis = "mount [options] [MOUNTPOINT]",
		.summary = "mount; returns when the tree can be served",
		.details = "MOUNTPOINT may be left out when the configuration names one.",
		.run = px_cmd_mount},
	{.name = "umount",
		.bit = PX_CMD_UMOUNT,
		.operands = 1,
		.needs_mountpoint = true,
		.synopsis = "umount [--lazy|--dead] MOUNTPOINT",
		.summary = "unmount and wait for the daemon to end",
		.run = px_cmd_umount},
	{.name = "sync",
		.bit = PX_CMD_SYNC,
		.synopsis = "sync [options]",
		.summary = "bring the mirror up to date once",
		.details = "A daemon that serves the store does it; without one it is done here. "
			   "Exits with 3 when\nthe mirror is not complete afterwards.",
		.run = px_cmd_sync},
	{.name = "status",
		.bit = PX_CMD_STATUS,
		.operands = 1,
		.synopsis = "status [--json] [--watch] [MOUNTPOINT]",
		.summary = "how things stand; without a mount, the store's state",
		.run = px_cmd_status},
	{.name = "ready",
		.bit = PX_CMD_READY,
		.operands = 1,
		.needs_mountpoint = true,
		.synopsis = "ready [--wait S] [--max-age S] MOUNTPOINT",
		.summary = "for backup scripts: whether the mirror is complete and fresh",
		.details = "Exits with 0 when the mirror is complete and as fresh as asked, 1 when "
			   "it is not mounted\nor failed, 3 when it is not complete, 4 when it is "
			   "older than --max-age.",
		.run = px_cmd_ready},
	{.name = "verify",
		.bit = PX_CMD_VERIFY,
		.synopsis = "verify [--sample N] [options]",
		.summary = "read the API again and compare it with the store",
		.details = "Prints a line for each record that differs, also at a second look, and "
			   "exits with 4 then;\nwith 3 when something could not be read. Changes "
			   "nothing; works beside a running daemon.",
		.run = px_cmd_verify},
	{.name = "check",
		.bit = PX_CMD_CHECK,
		.synopsis = "check [options]",
		.summary = "look at everything that a mount needs: a verdict and a remedy each",
		.details = "Changes nothing. Exits with 1 when something failed; a warning is no "
			   "failure.",
		.run_args = px_cmd_check},
	{.name = "events",
		.bit = PX_CMD_EVENTS,
		.synopsis = "events [-f] [--since SEQ|TIME] [--integration ID] [--model NAME] "
			    "[--exec CMD]",
		.summary = "the event log in order, across days",
		.details =
			"Reads the store, beside a running daemon or without one. To go on where "
			"one was, give the seq\nof the last event as --since. A CMD that fails "
			"ends it with 1.",
		.run = px_cmd_events},
	{.name = "webhooks",
		.bit = PX_CMD_WEBHOOKS,
		.synopsis = "webhooks list|register|remove [--dry-run] [options]",
		.summary = "the deliveries that Propexo sends to --webhook-url",
		.details = "register creates what is missing, one webhook for each model and one "
			   "for syncs and failures,\nand repairs what was changed or switched off; "
			   "remove takes all of them away. What delivers\nto another address is "
			   "never touched.",
		.run_args = px_cmd_webhooks},
	{.name = "forget",
		.bit = PX_CMD_FORGET,
		.synopsis = "forget [--integration ID] [--model NAME]",
		.summary = "delete what is stored; the only way a filled directory goes away",
		.details = "Not beside a running daemon. What the API still serves is read again.",
		.run = px_cmd_forget},
};

static const struct px_command helper = {
	.name = "mount.propexofs",
	.bit = PX_CMD_HELPER,
	.operands = 2,
	.needs_mountpoint = true,
	.synopsis = "SOURCE MOUNTPOINT [-sfnv] [-o OPT,...]",
	.summary = "mount(8)'s helper",
	.details = "SOURCE is a configuration: a name or a file.",
	.run = px_cmd_mount,
};

static const char *const helper_names[] = {"mount.propexofs", "mount.fuse.propexofs"};

/* ---- output ---- */

static void complain(const struct px_err *err)
{
	(void)fprintf(stderr, "propexofs: %s\n", err->msg);
}

px_rc px_cli_print(const struct px_buf *text, struct px_err *err)
{
	px_rc rc = px_buf_ok(text, err);

	if (rc)
		return rc;
	if (fwrite(text->data ? text->data : "", 1, text->len, stdout) != text->len ||
		fflush(stdout))
		return px_err_sys(err, errno, "standard output");
	return PX_OK;
}

static int exit_code(const struct px_command *cmd, px_rc rc)
{
	if (cmd->bit == PX_CMD_HELPER)
		return rc == PX_EUSAGE ? PX_EXIT_HELPER_USAGE : PX_EXIT_HELPER_MOUNT;
	return rc == PX_EUSAGE ? PX_EXIT_USAGE : PX_EXIT_FAILED;
}

/* ---- help ---- */

static void program_help(struct px_buf *out)
{
	px_buf_adds(out, "propexofs - your company's Propexo data as a read-only filesystem\n\n");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		px_buf_addf(out, "  propexofs %s\n      %s\n", commands[i].synopsis,
			commands[i].summary);
	px_buf_adds(out, "  propexofs --version | --help | COMMAND --help\n\n"
			 "Options come from the command line, else the environment, else the "
			 "configuration file,\nelse a default; `propexofs mount --help` lists "
			 "them.\n\n"
			 "Exit codes: 0 done, 1 failed, 2 usage, 3 incomplete, 4 too old.\n");
}

static void command_help(const struct px_command *cmd, struct px_buf *out)
{
	px_buf_addf(out, "Usage: %s%s\n\n%c%s.\n",
		cmd == &helper ? "mount.propexofs " : "propexofs ", cmd->synopsis,
		cmd->summary[0] - ('a' <= cmd->summary[0] && cmd->summary[0] <= 'z' ? 32 : 0),
		cmd->summary + 1);
	if (cmd->details)
		px_buf_addf(out, "%s\n", cmd->details);
	px_buf_addc(out, '\n');
	px_conf_help(cmd->bit, out);
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

/* ---- running ---- */

static px_rc set_mountpoint(
	const struct px_command *cmd, struct px_conf *c, char **operands, int n, struct px_err *err)
{
	const char *given = c->mountpoint;
	char *path = NULL;
	px_rc rc;

	if (n > cmd->operands)
		return px_err_set(
			err, PX_EUSAGE, "too many operands: usage: propexofs %s", cmd->synopsis);
	if (cmd->bit == PX_CMD_HELPER && n != 2)
		return px_err_set(err, PX_EUSAGE, "usage: mount.propexofs %s", cmd->synopsis);
	if (cmd->operands && n)
		given = operands[n - 1];
	if (!given || !*given)
		return cmd->needs_mountpoint
			       ? px_err_set(err, PX_EUSAGE,
					 "%s: no mountpoint: name it, or set mountpoint in the "
					 "configuration",
					 cmd->name)
			       : PX_OK;
	rc = px_cli_mountpoint(given, &path, err);
	if (rc)
		return rc;
	free(c->mountpoint);
	c->mountpoint = path;
	return PX_OK;
}

static int run(const struct px_command *cmd, int argc, char **argv)
{
	PX_BUF_AUTO struct px_buf help = PX_BUF_INIT(1 << 20);
	struct px_conf conf;
	struct px_err err = {0};
	char **operands = NULL;
	int n = 0, code = PX_EXIT_DONE;
	px_rc rc;

	memset(&conf, 0, sizeof conf);
	if (asks_for_help(argc, argv)) {
		command_help(cmd, &help);
		rc = px_cli_print(&help, &err);
	} else if (cmd->run_args) {
		rc = cmd->run_args(argc, argv, &code, &err);
	} else {
		rc = px_conf_load(argc, argv, cmd->bit, &conf, &operands, &n, &err);
		if (!rc)
			rc = set_mountpoint(cmd, &conf, operands, n, &err);
		if (!rc)
			rc = cmd->run(&conf, &code, &err);
	}
	free(operands);
	px_conf_release(&conf);
	if (rc) {
		complain(&err);
		return exit_code(cmd, rc);
	}
	if (code != PX_EXIT_DONE && *err.msg)
		complain(&err);
	return code;
}

static int program(int argc, char **argv)
{
	PX_BUF_AUTO struct px_buf out = PX_BUF_INIT(1 << 20);
	struct px_err err = {0};

	if (argc < 2) {
		px_err_set(&err, PX_EUSAGE, "no command given; see propexofs --help");
		complain(&err);
		return PX_EXIT_USAGE;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (!strcmp(argv[1], commands[i].name))
			return run(&commands[i], argc - 1, argv + 1);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		px_buf_adds(&out, "propexofs " PX_VERSION "\n");
	} else if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		program_help(&out);
	} else {
		px_err_set(&err, PX_EUSAGE, "unknown %s %.*s; see propexofs --help",
			argv[1][0] == '-' ? "option" : "command", (int)strcspn(argv[1], "="),
			argv[1]);
		complain(&err);
		return PX_EXIT_USAGE;
	}
	if (px_cli_print(&out, &err)) {
		complain(&err);
		return PX_EXIT_FAILED;
	}
	return PX_EXIT_DONE;
}

int px_cli_main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *base = slash ? slash + 1 : argc > 0 ? argv[0] : "";

	for (size_t i = 0; i < sizeof helper_names / sizeof *helper_names; i++)
		if (!strcmp(base, helper_names[i]))
			return run(&helper, argc, argv);
	return program(argc, argv);
}
