/* SPDX-License-Identifier: MIT */
/*
 * watch.c - how things stand, again and again: a screen for a terminal, lines for a log.
 *
 * Invariants: works from texts alone, like print.c; names are data, so control characters never
 * reach the terminal; a screen has the height that was asked for, whatever there is to show, with
 * the integrations first and the newest events at its end.
 */
#include "status_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"

enum { TEXT_MAX = 16 << 20, BAR = 20, EVENTS = 6, LINES_MAX = 4096 };

/* ---- pieces ---- */

static void add_bar(struct px_buf *out, int64_t done, int64_t of)
{
	int full = of > 0 ? (int)((double)done / (double)of * BAR) : 0;

	px_buf_addc(out, '[');
	for (int i = 0; i < BAR; i++)
		px_buf_addc(out, i < full ? '#' : '.');
	px_buf_addc(out, ']');
}

static const char *ago(const struct px_moment *m, int64_t ms, char buf[static 48])
{
	char d[32];
	int64_t s = (m->now_ms - ms) / 1000;

	if (!ms)
		return "never";
	(void)snprintf(buf, 48, "%s ago", px_show_duration(s < 0 ? 0 : s, d));
	return buf;
}

/* Characters, not bytes: so that columns stay columns. */
static void add_padded(struct px_buf *out, const char *text, int width)
{
	int shown = 0;

	for (const char *p = text; *p; p++)
		shown += ((unsigned char)*p & 0xc0) != 0x80;
	px_buf_adds(out, text);
	for (; shown < width; shown++)
		px_buf_addc(out, ' ');
	px_buf_addc(out, ' ');
}

/* How far an integration is, over all models that count. */
struct extent {
	int64_t records, expected; /* expected -1: a model does not know */
	int64_t eta_s;		   /* of the slowest, -1 unknown */
	int64_t pending;
	int models, current;
};

static struct extent extent_of(struct px_span models)
{
	struct extent e = {.eta_s = -1};
	struct px_json_walk w;
	struct px_span key, m;

	px_json_walk_init(&w, models);
	while (px_json_walk_next(&w, &key, &m)) {
		struct px_span phase = px_json_member(m, "phase");
		int64_t records = px_show_number(m, "records");
		int64_t expected = px_show_number(m, "expected");
		int64_t eta = px_show_number(m, "eta_seconds");

		if (px_json_string_is(phase, "disabled"))
			continue;
		e.models++;
		e.current += px_json_string_is(phase, "current");
		e.records += records > 0 ? records : 0;
		e.pending += px_show_number(m, "pending") > 0 ? px_show_number(m, "pending") : 0;
		if (px_show_truth(m, "complete"))
			expected = records;
		if (expected < 0 || e.expected < 0)
			e.expected = -1;
		else
			e.expected += expected > records ? expected : records;
		if (!px_show_truth(m, "complete") && eta > e.eta_s)
			e.eta_s = eta;
	}
	return e;
}

static int percent(const struct extent *e)
{
	return e->expected > 0 ? (int)((double)e->records / (double)e->expected * 100) : -1;
}

/* ---- a screen ---- */

static void head(const struct px_moment *m, struct px_span root, struct px_buf *out)
{
	struct px_span api = px_json_member(root, "api"), hooks = px_json_member(root, "webhooks");
	struct px_span rate = px_json_member(api, "requests_per_minute");
	struct px_span store = px_json_member(root, "store");
	char a[PX_WORD_MAX], n[4][32], t[PX_TIME_MAX], when[48];
	int64_t allowed = px_show_number(rate, "allowed"), used = px_show_number(rate, "used");
	int64_t pid = px_show_number(root, "pid"), since = px_show_time_ms(root, "started_at");

	px_buf_addf(out, "propexofs  %s  %s", px_show_text(root, "version", "?", a), m->place);
	if (pid > 0)
		px_buf_addf(out, "  pid %lld  up %s", (long long)pid,
			px_show_duration(since ? (m->now_ms - since) / 1000 : 0, n[0]));
	else
		px_buf_adds(out, "  not mounted: this is the store's state");
	px_buf_addf(out, "  %s\n", px_time_format_s(m->now_ms, t));

	px_buf_addf(out, "api        %s", px_show_text(api, "url", "unknown", a));
	if (px_show_truth(api, "offline"))
		px_buf_adds(out, ", offline");
	else if (pid > 0)
		px_buf_addf(out, ", %s%s",
			px_show_truth(api, "reachable") ? "reachable" : "OUT OF REACH",
			px_show_truth(api, "authorized") ? "" : ", KEY REFUSED");
	px_buf_adds(out, "\nallowance  ");
	if (allowed > 0) {
		add_bar(out, used, allowed);
		px_buf_addf(out, " %lld of %lld requests this minute", (long long)used,
			(long long)allowed);
	} else {
		px_buf_adds(out, "not known");
	}
	px_buf_addf(out, "\nlag        refreshed %s",
		ago(m, px_show_time_ms(root, "refreshed_at"), when));
	if (px_show_text(hooks, "listening", NULL, a)) {
		px_buf_addf(out, ", last delivery %s",
			ago(m, px_show_time_ms(hooks, "last_received_at"), when));
		px_buf_addf(out, "\nwebhooks   %s, %s received, %s rejected, %s pending", a,
			px_show_grouped(px_show_number(hooks, "received"), n[0]),
			px_show_grouped(px_show_number(hooks, "rejected"), n[1]),
			px_show_grouped(px_show_number(hooks, "pending"), n[2]));
	}
	px_buf_addf(out, "\nstore      %s, %s records, %s versions\n",
		px_show_bytes(px_show_number(store, "bytes"), n[0]),
		px_show_grouped(px_show_number(store, "records"), n[1]),
		px_show_grouped(px_show_number(store, "versions"), n[2]));
	if (px_show_text(store, "error", NULL, a))
		px_buf_addf(out, "           CANNOT BE WRITTEN: %s\n", a);
	if (px_show_text(api, "last_error", NULL, a) && !px_show_truth(api, "reachable"))
		px_buf_addf(out, "           last error: %s\n", a);
}

/* One line of the table: an integration, or a model in it. */
static void row(struct px_buf *out, const char *name, const char *phase, const struct extent *e,
	bool complete, const char *lag, const char *error)
{
	char n[2][32];

	add_padded(out, name, 32);
	add_padded(out, phase, 12);
	if (!complete && e->expected >= 0) {
		add_bar(out, e->records, e->expected);
		px_buf_addf(out, " %3d %% ", percent(e) < 0 ? 0 : percent(e));
	} else if (!complete && e->models) {
		(void)snprintf(n[0], sizeof n[0], "%d of %d models", e->current, e->models);
		px_buf_addf(out, "%-*s", BAR + 2 + 7, n[0]);
	} else {
		px_buf_addf(out, "%*s", BAR + 2 + 7, "");
	}
	px_buf_addf(out, "%12s  ", px_show_grouped(e->records, n[0]));
	add_padded(out, !complete && e->eta_s >= 0 ? px_show_duration(e->eta_s, n[0]) : "", 12);
	if (error) {
		add_padded(out, lag, 12);
		px_buf_adds(out, error);
	} else {
		px_buf_adds(out, lag);
	}
	while (out->len && out->data[out->len - 1] == ' ')
		px_buf_truncate(out, out->len - 1);
	px_buf_addc(out, '\n');
}

static void model_rows(struct px_span models, struct px_buf *out)
{
	struct px_json_walk w;
	struct px_span key, m;
	int to_go = 0;

	px_json_walk_init(&w, models);
	while (px_json_walk_next(&w, &key, &m)) {
		PX_BUF_AUTO struct px_buf name = PX_BUF_INIT(256);
		char phase[PX_WORD_MAX], why[PX_WORD_MAX], lag[64] = "", n[32];
		int64_t pending = px_show_number(m, "pending");
		struct extent e = {.records = px_show_number(m, "records"),
			.expected = px_show_number(m, "expected"),
			.eta_s = px_show_number(m, "eta_seconds")};

		(void)px_show_text(m, "phase", "?", phase);
		if (!strcmp(phase, "disabled") || !strcmp(phase, "current") ||
			!strcmp(phase, "waiting"))
			continue;
		if (!px_show_text(m, "error", NULL, why) && e.expected < 0 && e.records <= 0 &&
			!strcmp(phase, "filling")) {
			to_go++;
			continue;
		}
		px_buf_adds(&name, "  ");
		if (px_json_string(key, &name))
			continue;
		if (pending > 0)
			(void)snprintf(lag, sizeof lag, "%s due", px_show_grouped(pending, n));
		row(out, name.data, phase, &e, px_show_truth(m, "complete"), lag,
			px_show_text(m, "error", NULL, why));
	}
	if (to_go)
		px_buf_addf(out, "  %d %s not begun\n", to_go, to_go == 1 ? "model" : "models");
}

/* The status of an integration, read and checked. */
static px_rc read_one(
	const struct px_moment *m, struct px_span summary, struct px_buf *one, struct px_err *err)
{
	char *id = px_json_strdup(px_json_member(summary, "id"), 4096);
	px_rc rc;

	if (!id)
		return px_err_set(err, PX_ESYNTAX, "status.json: an integration without an id");
	rc = m->read(m->arg, id, one, err);
	if (!rc)
		rc = px_json_check(one->data ? one->data : "", one->len, err);
	if (rc)
		rc = px_err_ctx(err, "integration %s", id);
	free(id);
	return rc;
}

static px_rc table(
	const struct px_moment *m, struct px_span root, struct px_buf *out, struct px_err *err)
{
	struct px_json_walk w;
	struct px_span none, summary;
	px_rc rc = PX_OK;

	px_buf_addf(out, "\n%-33s%-13s%-29s%12s  %-13s%s\n", "INTEGRATION", "PHASE", "PROGRESS",
		"RECORDS", "ETA", "LAG");
	if (!px_show_truth(root, "integrations_known"))
		px_buf_adds(out, "the list of integrations has not been read yet\n");
	px_json_walk_init(&w, px_json_member(root, "integrations"));
	while (!rc && px_json_walk_next(&w, &none, &summary)) {
		PX_BUF_AUTO struct px_buf one = PX_BUF_INIT(TEXT_MAX);
		char name[PX_WORD_MAX], phase[PX_WORD_MAX], why[PX_WORD_MAX], lag[32] = "";
		struct px_span models;
		struct extent e;
		int64_t oldest = px_show_time_ms(summary, "oldest_pending_event_at");

		rc = read_one(m, summary, &one, err);
		if (rc)
			break;
		models = px_json_member((struct px_span){one.data, one.len}, "models");
		e = extent_of(models);
		if (oldest)
			(void)px_show_duration(
				m->now_ms > oldest ? (m->now_ms - oldest) / 1000 : 0, lag);
		row(out, px_show_text(summary, "name", "(no name)", name),
			px_show_text(summary, "phase", "?", phase), &e,
			px_show_truth(summary, "complete"), lag,
			px_show_text(summary, "error", NULL, why));
		model_rows(models, out);
	}
	return rc;
}

/* The newest events, oldest of them first. */
static void log_lines(const struct px_moment *m, int most, struct px_buf *out)
{
	const char *end = m->events + m->events_len, *from = end;

	for (int n = 0; from > m->events; from--)
		if (from[-1] == '\n' && from != end && ++n == most)
			break;
	for (const char *p = from; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *next = nl ? nl + 1 : end;
		struct px_span line = {p, (size_t)(next - p) - (nl ? 1 : 0)};
		char a[PX_WORD_MAX];

		p = next;
		if (!nl || px_json_check(line.p, line.len, NULL))
			continue; /* cut at either end */
		px_buf_addf(out, "%-25s", px_show_text(line, "time", "?", a));
		px_buf_addf(out, "%-10s", px_show_text(line, "source", "?", a));
		px_buf_addf(out, "%-20s ", px_show_text(line, "event", "?", a));
		px_buf_addf(out, "%-20s ", px_show_text(line, "model", "", a));
		px_buf_addf(out, "%-26s ", px_show_text(line, "record_id", "", a));
		px_buf_addf(out, "%s\n", px_show_text(line, "outcome", "", a));
	}
}

static int count_lines(const struct px_buf *b)
{
	int n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->data[i] == '\n';
	return n;
}

/* The first n lines of text. */
static void add_lines(struct px_buf *out, const struct px_buf *text, int n)
{
	size_t len = 0;

	for (int seen = 0; len < text->len && seen < n; len++)
		seen += text->data[len] == '\n';
	px_buf_add(out, text->data ? text->data : "", len);
}

px_rc px_status_screen(const struct px_moment *m, int rows, struct px_buf *out, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf top = PX_BUF_INIT(TEXT_MAX);
	PX_BUF_AUTO struct px_buf end = PX_BUF_INIT(TEXT_MAX);
	const struct px_span root = {m->status, m->len};
	px_rc rc = px_json_check(m->status, m->len, err);
	int above, below;

	if (rc)
		return px_err_ctx(err, "status.json");
	rows = rows < 1 ? 1 : rows > LINES_MAX ? LINES_MAX : rows;
	head(m, root, &top);
	rc = table(m, root, &top, err);
	if (rc)
		return rc;
	px_buf_adds(&end, "\nLAST EVENTS\n");
	log_lines(m, EVENTS, &end);
	rc = px_buf_ok(&top, err);
	if (!rc)
		rc = px_buf_ok(&end, err);
	if (rc)
		return rc;
	below = count_lines(&end);
	if (below > rows / 3)
		below = 0;
	above = rows - below;
	if (count_lines(&top) <= above) {
		add_lines(out, &top, above);
	} else {
		add_lines(out, &top, above - 1);
		px_buf_addf(out, "... %d more lines\n", count_lines(&top) - above + 1);
	}
	for (int i = count_lines(&top); i < above; i++)
		px_buf_addc(out, '\n');
	add_lines(out, &end, below);
	return px_buf_ok(out, err);
}

/* ---- lines ---- */

/* A thing, what of it counts as a change, and the words for it: one line of a state each. */
static void note(struct px_buf *state, struct px_buf *words, const char *subject, const char *key)
{
	px_buf_addf(state, "%s\t%s\n", subject, key);
	px_buf_addc(words, '\n');
}

static void note_process(struct px_span root, struct px_buf *state, struct px_buf *words)
{
	struct px_span api = px_json_member(root, "api"), store = px_json_member(root, "store");
	char a[PX_WORD_MAX], key[64];
	bool running = px_show_number(root, "pid") > 0;

	(void)snprintf(key, sizeof key, "%d %d %d %d", running, px_show_truth(api, "offline"),
		px_show_truth(api, "reachable"), px_show_truth(api, "authorized"));
	px_buf_addf(words, "api %s: %s", px_show_text(api, "url", "unknown", a),
		!running			    ? "not mounted"
		: px_show_truth(api, "offline")	    ? "offline"
		: !px_show_truth(api, "reachable")  ? "OUT OF REACH"
		: !px_show_truth(api, "authorized") ? "KEY REFUSED"
						    : "reachable");
	note(state, words, "api", key);
	if (!px_show_text(store, "error", NULL, a))
		return;
	px_buf_addf(words, "store CANNOT BE WRITTEN: %s", a);
	note(state, words, "store", a);
}

static px_rc note_integration(const struct px_moment *m, struct px_span summary,
	struct px_buf *state, struct px_buf *words, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf one = PX_BUF_INIT(TEXT_MAX);
	char id[PX_WORD_MAX], name[PX_WORD_MAX], phase[PX_WORD_MAX], why[PX_WORD_MAX];
	char key[PX_WORD_MAX * 2 + 96], n[32];
	bool complete = px_show_truth(summary, "complete");
	struct extent e;
	px_rc rc = read_one(m, summary, &one, err);

	if (rc)
		return rc;
	e = extent_of(px_json_member((struct px_span){one.data, one.len}, "models"));
	(void)px_show_text(summary, "phase", "?", phase);
	if (!px_show_text(summary, "error", NULL, why))
		why[0] = '\0';
	/* while it fills, records come all the time: a percent is a change, each record is not */
	(void)snprintf(key, sizeof key, "%s %d %d %lld %lld %s", phase, complete, e.current,
		(long long)(complete ? e.records : percent(&e)),
		(long long)(complete ? e.pending : 0), why);
	px_buf_addf(words, "%s (%s): %s, %lld records",
		px_show_text(summary, "name", "(no name)", name),
		px_show_text(summary, "id", "?", id), phase, (long long)e.records);
	if (!complete && percent(&e) >= 0)
		px_buf_addf(words, ", %d %%", percent(&e));
	if (!complete)
		px_buf_addf(words, ", %d of %d models", e.current, e.models);
	if (!complete && e.eta_s >= 0)
		px_buf_addf(words, ", %s left", px_show_duration(e.eta_s, n));
	if (e.pending)
		px_buf_addf(words, ", %lld to be read again", (long long)e.pending);
	if (*why)
		px_buf_addf(words, ": %s", why);
	note(state, words, id, key);
	return PX_OK;
}

static bool has_line(const struct px_buf *text, const char *line, size_t len)
{
	const char *p = text->data, *end = p ? p + text->len : NULL;

	while (p && p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		if ((size_t)(nl - p) == len && !memcmp(p, line, len))
			return true;
		p = nl + 1;
	}
	return false;
}

/* Both have a line for each thing, in the same order. */
static void add_changed(const struct px_moment *m, const struct px_buf *before,
	const struct px_buf *state, const struct px_buf *words, struct px_buf *out)
{
	const char *s = state->data, *w = words->data;
	char t[PX_TIME_MAX];

	while (s < state->data + state->len) {
		size_t slen = strcspn(s, "\n"), wlen = strcspn(w, "\n");

		if (!has_line(before, s, slen))
			px_buf_addf(out, "%s %.*s\n", px_time_format_s(m->now_ms, t), (int)wlen, w);
		s += slen + 1;
		w += wlen + 1;
	}
}

px_rc px_status_changes(
	const struct px_moment *m, struct px_buf *state, struct px_buf *out, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf now = PX_BUF_INIT(TEXT_MAX);
	PX_BUF_AUTO struct px_buf words = PX_BUF_INIT(TEXT_MAX);
	const struct px_span root = {m->status, m->len};
	struct px_json_walk w;
	struct px_span none, summary;
	px_rc rc = px_json_check(m->status, m->len, err);

	if (rc)
		return px_err_ctx(err, "status.json");
	note_process(root, &now, &words);
	px_json_walk_init(&w, px_json_member(root, "integrations"));
	while (!rc && px_json_walk_next(&w, &none, &summary))
		rc = note_integration(m, summary, &now, &words, err);
	if (!rc)
		rc = px_buf_ok(&now, err);
	if (!rc)
		rc = px_buf_ok(&words, err);
	if (rc)
		return rc;
	add_changed(m, state, &now, &words, out);
	px_buf_reset(state);
	px_buf_add(state, now.data, now.len);
	rc = px_buf_ok(state, err);
	return rc ? rc : px_buf_ok(out, err);
}
