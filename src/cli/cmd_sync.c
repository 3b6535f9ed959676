/* SPDX-License-Identifier: MIT */
/* cmd_sync.c - one pass without a mount. */
#include "cli.h"

#include "propexofs/daemon.h"

px_rc px_cmd_sync(struct px_conf *c, int *ret_code, struct px_err *err)
{
	bool complete = false;
	px_rc rc;

	if (c->offline)
		return px_err_set(err, PX_EUSAGE, "sync needs the network: leave out --offline");
	rc = px_daemon_sync(c, &complete, err);
	if (rc)
		return rc;
	*ret_code = complete ? PX_EXIT_DONE : PX_EXIT_INCOMPLETE;
	if (!complete)
		px_err_set(err, PX_EBUSY,
			"the mirror is not complete yet: propexofs status says what is missing");
	return PX_OK;
}
