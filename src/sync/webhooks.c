/* SPDX-License-Identifier: MIT */
/*
 * webhooks.c - with a public address, the hooks that deliver to it are looked at now and then.
 *
 * Invariants: one run at a time; what fails is told and tried again, and nothing else waits for it;
 * without an address nothing is ever sent.
 */
#include "sync_i.h"

#include <string.h>

#include "propexofs/hooks.h"

enum { EVERY_MS = 3600000, AGAIN_MIN_MS = 30000 };

static void on_told(void *arg, const char *what, const char *model, const char *id)
{
	(void)arg;
	px_info("hooks", "%s model=%s id=%s", what, model, id);
}

static void on_done(void *arg, const struct px_hooks_result *result)
{
	struct px_sync *s = arg;
	int64_t wait = EVERY_MS;

	s->hooks_out = false;
	if (result->rc == PX_ECANCELED)
		return;
	if (result->rc) {
		wait = sync_backoff_ms(++s->hooks_failures, AGAIN_MIN_MS, EVERY_MS);
		px_warn("hooks", "webhooks are not as they should be, retry_in_s=%lld: %s",
			(long long)(wait / 1000), result->err.msg);
	} else {
		s->hooks_failures = 0;
	}
	/* a new secret that was set meanwhile is due at once */
	if (s->hooks_due_ms)
		s->hooks_due_ms = px_clock_mono_ms() + wait;
	/* until the lists have been read nobody knows how many there are */
	if (result->wanted)
		px_board_set_registered(s->board, (int)result->right);
	if (result->changed)
		px_info("hooks", "registered=%zu of=%zu changed=%zu", result->right, result->wanted,
			result->changed);
}

void webhooks_schedule(struct px_sync *s)
{
	struct px_err err;

	if (!s->conf->webhook_url || s->hooks_out || px_clock_mono_ms() < s->hooks_due_ms)
		return;
	s->hooks_out = true;
	s->hooks_due_ms = px_clock_mono_ms() + EVERY_MS;
	if (px_hooks_start(
		    &(struct px_hooks_options){
			    .api = s->api,
			    .conf = s->conf,
			    .secret = s->hook_secret,
			    .task = PX_HOOKS_REGISTER,
			    .told = on_told,
			    .done = on_done,
			    .arg = s,
		    },
		    &err)) {
		s->hooks_out = false;
		px_warn("hooks", "webhooks are not registered: %s", err.msg);
	}
}
