/* SPDX-License-Identifier: MIT */
/*
 * cmd_ready.c - may a backup run now?
 *
 * Invariant: 0 is said only for a mount of ours that answers and that px_ready_judge finds ready;
 * --wait asks again until it is, whatever was the matter.
 */
#include "cli.h"

#include <time.h>

#include "propexofs/clock.h"
#include "propexofs/fs.h"

enum { POLL_MS = 200, STATUS_MAX = 16 << 20 };

static int look(const struct px_conf *c, struct px_buf *why)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(STATUS_MAX);
	struct px_err err = {0};
	int mounted = px_mounted(c->mountpoint, NULL, 0);

	px_buf_reset(why);
	px_buf_addf(why, "%s: ", c->mountpoint);
	if (mounted != 1) {
		px_buf_adds(why, mounted == 2 ? "the mount does not answer, its daemon has gone: "
						"propexofs umount it and mount again"
					      : "not mounted");
		return PX_EXIT_FAILED;
	}
	if (px_cli_read(c->mountpoint, "status.json", &text, &err)) {
		px_buf_adds(why, err.msg);
		return PX_EXIT_FAILED;
	}
	return px_ready_judge(
		text.data ? text.data : "", text.len, px_clock_wall_ms(), c->max_age_s, why);
}

px_rc px_cmd_ready(struct px_conf *c, int *ret_code, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf why = PX_BUF_INIT(1 << 16);
	int64_t deadline = px_clock_mono_ms() + (c->wait_s > 0 ? c->wait_s : 0) * INT64_C(1000);

	while ((*ret_code = look(c, &why)) != PX_EXIT_DONE && px_clock_mono_ms() < deadline)
		(void)nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
	if (*ret_code != PX_EXIT_DONE)
		px_err_set(err, PX_EBUSY, "%s", why.data ? why.data : "not ready");
	return PX_OK;
}
