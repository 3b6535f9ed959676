/* SPDX-License-Identifier: MIT */
/* cmd_verify.c - the API's word against the store's: each difference on a line; 4 when there was
 * one. */
#include "cli.h"

#include <signal.h>
#include <stdio.h>

#include "propexofs/control.h"
#include "propexofs/log.h"
#include "propexofs/verify.h"

static _Atomic bool stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = true;
}

static void tell(void *arg, const char *line)
{
	(void)arg;
	(void)printf("%s\n", line);
	(void)fflush(stdout);
}

px_rc px_cmd_verify(struct px_conf *c, int *ret_code, struct px_err *err)
{
	const struct sigaction act = {.sa_handler = on_signal};
	struct px_verify_result result;
	px_rc rc = PX_OK;
	int fd;

	px_log_setup(PX_LOG_STDERR, c->log_level == PX_LOG_INFO ? PX_LOG_WARN : c->log_level);
	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	if (!px_control_connect(c->store, &fd, err)) {
		/* one allowance of requests, and its key */
		rc = px_control_verify(fd, c, tell, NULL, &stopped, &result, err);
	} else {
		rc = px_conf_load_secrets(c, true, err);
		if (!rc)
			rc = px_verify(c, NULL, c->sample, tell, NULL, &stopped, &result, err);
	}
	if (rc)
		return rc;
	(void)fprintf(stderr, "propexofs: %lld records compared, %lld differences",
		(long long)result.compared, (long long)result.differences);
	if (result.unreadable)
		(void)fprintf(stderr, ", %lld not to be had", (long long)result.unreadable);
	(void)fprintf(stderr, "\n");
	*ret_code = result.differences	? PX_EXIT_TOO_OLD
		    : result.unreadable ? PX_EXIT_INCOMPLETE
					: PX_EXIT_DONE;
	return PX_OK;
}
