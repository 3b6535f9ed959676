/* SPDX-License-Identifier: MIT */
/* cmd_mount.c - mount, as a command and as mount(8)'s helper. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

#include "propexofs/daemon.h"

px_rc px_cmd_mount(struct px_conf *c, int *ret_code, struct px_err *err)
{
	bool parent = false;
	px_rc rc = px_conf_load_secrets(c, !c->offline, err);

	*ret_code = PX_EXIT_DONE;
	if (rc || c->fake)
		return rc;
	rc = px_daemon_mount(c, &parent, err);
	if (rc && !parent && !c->foreground) {
		/* nobody reads this process's standard error any more */
		px_error("daemon", "%s", err->msg);
		memset(err, 0, sizeof *err);
		*ret_code = PX_EXIT_FAILED;
		return PX_OK;
	}
	if (!rc && parent && c->verbose)
		(void)printf("propexofs: %s mounted on %s\n",
			c->config_file ? c->config_file : c->name, c->mountpoint);
	return rc;
}
