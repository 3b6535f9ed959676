/* SPDX-License-Identifier: MIT */
/* help.c - the option part of --help, from the table alone, in 80 columns. */
#include "conf_i.h"

#include <stdio.h>
#include <string.h>

enum { INDENT = 30, WIDTH = 80 };

/* Words of text, wrapped; the cursor stands at column `at`. */
static void wrap(struct px_buf *out, size_t at, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (at > INDENT && at + 1 + len > WIDTH) {
			px_buf_addf(out, "\n%*s", INDENT, "");
			at = INDENT;
		} else if (at > INDENT) {
			px_buf_addc(out, ' ');
			at++;
		}
		px_buf_add(out, text, len);
		at += len;
		text += len;
		text += strspn(text, " ");
	}
	px_buf_addc(out, '\n');
}

static void one(struct px_buf *out, const char *left, const char *help)
{
	size_t at = strlen(left) + 2;

	px_buf_addf(out, "  %s", left);
	if (at + 2 > INDENT) {
		px_buf_addc(out, '\n');
		at = 0;
	}
	px_buf_addf(out, "%*s", (int)(INDENT - at), "");
	wrap(out, INDENT, help);
}

static void describe(struct px_buf *out, const struct px_option *o)
{
	char left[96], help[512];

	const char letter[3] = {'-', o->letter, '\0'};
	const char *arg = o->arg ? o->arg : "", *gap = o->arg ? " " : "";

	if (!(o->by & PX_BY_CLI))
		(void)snprintf(left, sizeof left, "    -o %s=%s", o->name, arg);
	else if (!o->letter)
		(void)snprintf(left, sizeof left, "    --%s%s%s", o->name, gap, arg);
	else if (!o->name)
		(void)snprintf(left, sizeof left, "%s%s%s", letter, gap, arg);
	else
		(void)snprintf(left, sizeof left, "%s, --%s%s%s", letter, o->name, gap, arg);
	(void)snprintf(help, sizeof help, "%s%s%s%s%s%s", o->help, o->env ? "; environment: " : "",
		o->env ? o->env : "", o->def ? " (default: " : "", o->def ? o->def : "",
		o->def ? ")" : "");
	one(out, left, help);
}

/* The helper has letters of its own and takes everything else under -o. */
static bool is_shown(const struct px_option *o, unsigned command)
{
	if (!o->help || !(o->commands & command))
		return false;
	if (command == PX_CMD_HELPER)
		return o->by == PX_BY_CLI || !(o->by & PX_BY_CLI);
	return o->by & (PX_BY_CLI | PX_BY_O);
}

void px_conf_help(unsigned command, struct px_buf *out)
{
	px_buf_adds(out, "Options:\n");
	for (size_t i = 0; i < px_option_count; i++)
		if (is_shown(&px_options[i], command))
			describe(out, &px_options[i]);
	if (command == PX_CMD_HELPER)
		one(out, "-o OPT,...",
			"mount options: FUSE's, mount(8)'s, those above, and the long options of "
			"propexofs mount without their --");
	one(out, "-h, --help", "this text");
}
