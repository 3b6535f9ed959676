/* SPDX-License-Identifier: MIT */
/*
 * print.c - status for people, from the texts of status.json alone.
 *
 * Invariants: works from JSON, so that it says the same for a mount, a store and a file that
 * somebody sent; names are data and may hold anything: control characters never reach the
 * terminal; a model that is as it should be takes no line.
 */
#include "status_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/codec.h"

enum { STATUS_MAX = 16 << 20, WORD_MAX = PX_WORD_MAX };

/* ---- the whole ---- */

static void print_process(struct px_span root, struct px_buf *out)
{
	char a[WORD_MAX], b[WORD_MAX];
	int64_t pid = px_show_number(root, "pid");

	px_buf_addf(out, "propexofs  %s", px_show_text(root, "version", "?", a));
	if (pid > 0)
		px_buf_addf(out, ", pid %lld, since %s\n", (long long)pid,
			px_show_text(root, "started_at", "?", b));
	else
		px_buf_adds(out, ", not mounted: this is the store's state\n");
}

static void print_api(struct px_span root, struct px_buf *out)
{
	struct px_span api = px_json_member(root, "api");
	struct px_span rate = px_json_member(api, "requests_per_minute");
	struct px_span reachable = px_json_member(api, "reachable");
	char a[WORD_MAX];

	px_buf_addf(out, "api        %s", px_show_text(api, "url", "unknown", a));
	if (px_show_truth(api, "offline"))
		px_buf_adds(out, ", offline");
	else if (reachable.p && px_json_kind(reachable) != PX_JSON_NULL)
		px_buf_addf(out, ", %s%s",
			px_show_truth(api, "reachable") ? "reachable" : "OUT OF REACH",
			px_show_truth(api, "authorized") ? "" : ", KEY REFUSED");
	if (px_show_number(rate, "allowed") > 0)
		px_buf_addf(out, ", %lld of %lld requests this minute",
			(long long)px_show_number(rate, "used"),
			(long long)px_show_number(rate, "allowed"));
	px_buf_addc(out, '\n');
	if (px_show_text(api, "last_error", NULL, a))
		px_buf_addf(out, "           last error: %s\n", a);
}

static void print_webhooks(struct px_span root, struct px_buf *out)
{
	struct px_span w = px_json_member(root, "webhooks");
	char a[WORD_MAX], n[4][32];

	if (!px_show_text(w, "listening", NULL, a))
		return;
	px_buf_addf(out, "webhooks   %s, %s received, %s rejected, %s duplicate, %s pending\n", a,
		px_show_grouped(px_show_number(w, "received"), n[0]),
		px_show_grouped(px_show_number(w, "rejected"), n[1]),
		px_show_grouped(px_show_number(w, "duplicate"), n[2]),
		px_show_grouped(px_show_number(w, "pending"), n[3]));
}

static void print_store(struct px_span root, struct px_buf *out)
{
	struct px_span s = px_json_member(root, "store");
	char a[WORD_MAX], n[3][32];

	px_buf_addf(out, "store      %s, %s, %s records, %s versions\n",
		px_show_text(s, "path", "?", a), px_show_bytes(px_show_number(s, "bytes"), n[0]),
		px_show_grouped(px_show_number(s, "records"), n[1]),
		px_show_grouped(px_show_number(s, "versions"), n[2]));
	if (px_show_text(s, "error", NULL, a))
		px_buf_addf(out, "           CANNOT BE WRITTEN: %s\n", a);
	if (px_show_text(root, "refreshed_at", NULL, a))
		px_buf_addf(out, "refreshed  %s\n", a);
}

/* ---- an integration ---- */

static void print_model(struct px_span key, struct px_span m, struct px_buf *out)
{
	PX_BUF_AUTO struct px_buf name = PX_BUF_INIT(256);
	char phase[WORD_MAX], why[WORD_MAX], n[2][32];
	int64_t records = px_show_number(m, "records"), expected = px_show_number(m, "expected");
	int64_t eta = px_show_number(m, "eta_seconds"), pending = px_show_number(m, "pending");

	if (px_json_string(key, &name) || !name.len)
		return;
	px_buf_addf(out, "    %-28s%-12s%s", name.data, px_show_text(m, "phase", "?", phase),
		px_show_grouped(records, n[0]));
	if (!px_show_truth(m, "complete") && expected >= 0)
		px_buf_addf(out, " of %s", px_show_grouped(expected, n[0]));
	if (!px_show_truth(m, "complete") && eta >= 0)
		px_buf_addf(out, ", %s left", px_show_duration(eta, n[1]));
	if (pending > 0)
		px_buf_addf(out, ", %s to be read again", px_show_grouped(pending, n[1]));
	if (px_show_text(m, "error", NULL, why))
		px_buf_addf(out, ": %s", why);
	px_buf_addc(out, '\n');
}

static void print_models(struct px_span models, struct px_buf *out)
{
	struct px_json_walk w;
	struct px_span key, m;
	int total = 0, disabled = 0, current = 0;

	px_json_walk_init(&w, models);
	while (px_json_walk_next(&w, &key, &m)) {
		struct px_span phase = px_json_member(m, "phase");

		total++;
		if (px_json_string_is(phase, "disabled"))
			disabled++;
		else if (px_json_string_is(phase, "current"))
			current++;
		else if (!px_json_string_is(phase, "waiting"))
			print_model(key, m, out);
	}
	px_buf_addf(out, "    %d of %d models current", current, total - disabled);
	if (disabled)
		px_buf_addf(out, ", %d not enabled", disabled);
	px_buf_addc(out, '\n');
}

static px_rc print_integration(struct px_span summary,
	px_rc (*read)(
		void *arg, const char *integration_id, struct px_buf *out, struct px_err *err),
	void *arg, struct px_buf *out, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf one = PX_BUF_INIT(STATUS_MAX);
	char name[WORD_MAX], phase[WORD_MAX], shown[WORD_MAX], a[WORD_MAX], n[32];
	char *id = px_json_strdup(px_json_member(summary, "id"), 4096);
	struct px_span whole;
	px_rc rc;

	if (!id)
		return px_err_set(err, PX_ESYNTAX, "status.json: an integration without an id");
	px_buf_addf(out, "\n%s  (%s)  %s, %s records\n",
		px_show_text(summary, "name", "(no name)", name),
		px_show_text(summary, "id", "?", shown), px_show_text(summary, "phase", "?", phase),
		px_show_grouped(px_show_number(summary, "records"), n));
	if (px_show_text(summary, "error", NULL, a))
		px_buf_addf(out, "    %s\n", a);
	rc = read(arg, id, &one, err);
	if (!rc)
		rc = px_json_check(one.data ? one.data : "", one.len, err);
	if (rc)
		rc = px_err_ctx(err, "integration %s", shown);
	free(id);
	if (rc)
		return rc;
	whole = (struct px_span){one.data, one.len};
	if (px_show_text(px_json_member(whole, "propexo"), "last_completed_sync", NULL, a))
		px_buf_addf(out, "    Propexo's last sync: %s\n", a);
	else
		px_buf_adds(out, "    Propexo has not finished its first sync\n");
	if (px_show_text(px_json_member(whole, "mirror"), "oldest_pending_event_at", NULL, a))
		px_buf_addf(out, "    oldest change not yet applied: %s\n", a);
	print_models(px_json_member(whole, "models"), out);
	return PX_OK;
}

px_rc px_status_print(const char *status, size_t len,
	px_rc (*read)(
		void *arg, const char *integration_id, struct px_buf *out, struct px_err *err),
	void *arg, struct px_buf *out, struct px_err *err)
{
	const struct px_span root = {status, len};
	struct px_span summary, none;
	struct px_json_walk w;
	char a[PX_WORD_MAX];
	px_rc rc = px_json_check(status, len, err);

	if (rc)
		return px_err_ctx(err, "status.json");
	print_process(root, out);
	print_api(root, out);
	print_webhooks(root, out);
	print_store(root, out);
	if (!px_show_truth(root, "integrations_known"))
		px_buf_adds(out, "\nThe list of integrations has not been read yet.\n");
	if (px_show_text(root, "unknown_integration", NULL, a))
		px_buf_addf(out,
			"\nThe account has no integration %s, which --integration names.\n", a);
	px_json_walk_init(&w, px_json_member(root, "integrations"));
	while (px_json_walk_next(&w, &none, &summary)) {
		rc = print_integration(summary, read, arg, out, err);
		if (rc)
			return rc;
	}
	return px_buf_ok(out, err);
}
