/* SPDX-License-Identifier: MIT */
/*
 * reload.c - the configuration is read again (SIGHUP).
 *
 * Invariants: all of it is read and checked before any of it is used; what is wrong leaves
 * everything as it was; what cannot change while mounted is named in the log and nothing else
 * happens to it. Other parts keep `conf` as started, so that it is const for them.
 */
#include "daemon_i.h"

#include <stdlib.h>
#include <string.h>

#include "propexofs/log.h"

enum { NAMES_MAX = 4096 };

static bool same_secret(const struct px_secret *a, const struct px_secret *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->text, b->text, a->len));
}

static bool same_hook_secrets(const struct px_conf *a, const struct px_conf *b)
{
	bool same = a->webhook_secret_count == b->webhook_secret_count;

	for (size_t i = 0; same && i < a->webhook_secret_count; i++)
		same = same_secret(&a->webhook_secrets[i], &b->webhook_secrets[i]);
	return same;
}

static px_rc apply(struct daemon *d, const struct px_conf *before, const struct px_conf *fresh,
	bool new_key, struct px_err *err)
{
	bool new_secrets = !same_hook_secrets(before, fresh) && fresh->webhook_secret_count;
	const struct px_sync_settings settings = {.refresh_s = fresh->refresh_s,
		.sweep_days = fresh->sweep_days,
		.rate_share = fresh->rate_share,
		.key = new_key ? fresh->key.text : NULL,
		.hook_secret = new_secrets ? fresh->webhook_secrets[0].text : NULL};
	px_rc rc = PX_OK;

	if (d->webhook && fresh->webhook_secret_count)
		rc = px_webhook_set_secrets(
			d->webhook, fresh->webhook_secrets, fresh->webhook_secret_count, err);
	if (!rc && d->sync)
		rc = px_sync_set(d->sync, &settings, err);
	if (!rc)
		px_log_set_level(fresh->log_level);
	return rc;
}

static void report(
	struct daemon *d, const struct px_conf *before, const struct px_conf *fresh, bool new_key)
{
	PX_BUF_AUTO struct px_buf live = PX_BUF_INIT(NAMES_MAX), rest = PX_BUF_INIT(NAMES_MAX);

	px_conf_differences(before, fresh, true, &live);
	if (new_key)
		px_buf_addf(&live, "%sthe key", live.len ? ", " : "");
	if (!same_hook_secrets(before, fresh))
		px_buf_addf(&live, "%sthe webhook secrets", live.len ? ", " : "");
	px_conf_differences(d->conf, fresh, false, &rest);
	px_info("daemon", "configuration read again; changed: %s",
		live.len ? live.data : "nothing");
	if (rest.len)
		px_warn("daemon", "changed, but needs a restart: %s", rest.data);
}

void daemon_reload(struct daemon *d)
{
	const struct px_conf *before = d->live ? d->live : d->conf;
	struct px_conf *fresh = calloc(1, sizeof *fresh);
	struct px_err err;
	bool new_key = false;
	px_rc rc = fresh ? px_conf_reload(d->conf, fresh, &err) : px_err_nomem(&err);

	if (!rc)
		rc = px_conf_load_secrets(fresh, !d->conf->offline, &err);
	if (!rc) {
		new_key = !same_secret(&before->key, &fresh->key);
		rc = apply(d, before, fresh, new_key, &err);
	}
	if (rc) {
		px_error("daemon", "the configuration is refused, the old one stays: %s", err.msg);
		if (fresh)
			px_conf_release(fresh);
		free(fresh);
		return;
	}
	report(d, before, fresh, new_key);
	if (d->live)
		px_conf_release(d->live);
	free(d->live);
	d->live = fresh;
}
