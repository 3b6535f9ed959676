/* SPDX-License-Identifier: MIT */
/*
 * cmd_check.c - the doctor's findings, a line each.
 *
 * Loads the configuration itself: one that cannot be read is a finding, not the end.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "propexofs/check.h"
#include "propexofs/log.h"

struct printing {
	bool failed; /* standard output takes no more */
};

static void print(void *arg, const struct px_finding *f)
{
	struct printing *p = arg;

	if (printf("%-5s %s: %s\n", px_verdict_word(f->verdict), f->subject, f->text) < 0 ||
		(*f->hint && printf("      %s\n", f->hint) < 0) || fflush(stdout))
		p->failed = true;
}

px_rc px_cmd_check(int argc, char **argv, int *ret_code, struct px_err *err)
{
	struct printing p = {.failed = false};
	struct px_conf c;
	char *path = NULL;
	bool usage = false;
	int failed = 0;
	px_rc rc = px_conf_probe(argc, argv, PX_CMD_CHECK, &c, &usage, err);

	if (usage)
		return rc;
	/* what goes wrong is told as a finding */
	px_log_setup(PX_LOG_STDERR, PX_LOG_ERROR);
	if (!rc && c.mountpoint && !px_cli_mountpoint(c.mountpoint, &path, NULL)) {
		free(c.mountpoint);
		c.mountpoint = path;
	}
	px_check(rc ? NULL : &c, err, print, &p, &failed);
	if (!rc)
		px_conf_release(&c);
	*ret_code = failed ? PX_EXIT_FAILED : PX_EXIT_DONE;
	*err = (struct px_err){0}; /* said already */
	return p.failed ? px_err_set(err, PX_EIO, "standard output cannot be written") : PX_OK;
}
