/* SPDX-License-Identifier: MIT */
/*
 * metrics.c - the same as Prometheus text.
 *
 * Invariants: names begin with propexofs_, counters end in _total, units are seconds and bytes, and
 * all samples of a name stand together under one HELP and TYPE (the exposition format wants that).
 * A value that is not known has no sample. Label values are escaped; ids and names only, never
 * data.
 */
#include "status_i.h"

#include <string.h>

static void head(struct px_buf *b, const char *name, const char *type, const char *help)
{
	px_buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Thousands of samples are written on the request thread: text goes over in runs, and numbers
 * without printf. */
static void label(struct px_buf *b, const char *key, const char *text)
{
	bool first = b->len && b->data[b->len - 1] != '"';

	px_buf_addc(b, first ? '{' : ',');
	px_buf_adds(b, key);
	px_buf_add(b, "=\"", 2);
	while (text && *text) {
		size_t plain = strcspn(text, "\\\"\n");

		px_buf_add(b, text, plain);
		text += plain;
		if (*text) {
			px_buf_addc(b, '\\');
			px_buf_addc(b, *text == '\n' ? 'n' : *text);
			text++;
		}
	}
	px_buf_addc(b, '"');
}

static void close_labels(struct px_buf *b)
{
	if (b->len && b->data[b->len - 1] == '"')
		px_buf_addc(b, '}');
}

/* Ends a sample whose name and labels are written. */
static void value(struct px_buf *b, int64_t v)
{
	char text[24], *p = text + sizeof text;
	uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	close_labels(b);
	*--p = '\n';
	do
		*--p = (char)('0' + rest % 10);
	while (rest /= 10);
	if (v < 0)
		*--p = '-';
	*--p = ' ';
	px_buf_add(b, p, (size_t)(text + sizeof text - p));
}

static void single(
	struct px_buf *b, const char *name, const char *type, const char *help, int64_t v)
{
	head(b, name, type, help);
	px_buf_adds(b, name);
	value(b, v);
}

/* A moment, in seconds; no sample when it has not been. */
static void moment(struct px_buf *b, int64_t ms)
{
	close_labels(b);
	px_buf_addf(b, " %lld.%03d\n", (long long)(ms / 1000), (int)(ms % 1000));
}

static void single_moment(struct px_buf *b, const char *name, const char *help, int64_t ms)
{
	if (!ms)
		return;
	head(b, name, "gauge", help);
	px_buf_adds(b, name);
	moment(b, ms);
}

static void process(struct px_buf *b, const struct px_survey *s)
{
	head(b, "propexofs_info", "gauge", "Version of the program.");
	px_buf_adds(b, "propexofs_info");
	label(b, "version", PX_VERSION);
	value(b, 1);
	single_moment(b, "propexofs_start_time_seconds", "When the daemon started, Unix time.",
		s->view.started_ms);
	single_moment(b, "propexofs_refresh_timestamp_seconds",
		"When a refresh last came through in full, Unix time.", s->view.refreshed_ms);
}

static void api(struct px_buf *b, const struct px_survey *s)
{
	static const char *const purposes[PX_PURPOSES] = {
		[PX_FOR_CONTROL] = "control",
		[PX_FOR_HYDRATE] = "hydrate",
		[PX_FOR_CATCH_UP] = "catch_up",
		[PX_FOR_FILL] = "fill",
		[PX_FOR_SWEEP] = "sweep",
	};
	const struct px_api_stats *a = &s->view.api;

	single(b, "propexofs_api_reachable", "gauge", "Whether the API answered last time.",
		a->reachable);
	single(b, "propexofs_api_authorized", "gauge", "Whether the API accepted the key.",
		a->authorized);
	head(b, "propexofs_api_requests_total", "counter", "Requests sent, by what they are for.");
	for (int i = 0; i < PX_PURPOSES; i++) {
		px_buf_adds(b, "propexofs_api_requests_total");
		label(b, "purpose", purposes[i]);
		value(b, (int64_t)a->requests[i]);
	}
	single(b, "propexofs_api_rate_limited_total", "counter",
		"Requests answered with 429 Too Many Requests.", (int64_t)a->refused);
	single(b, "propexofs_api_failures_total", "counter",
		"Requests that ended without a 2xx answer.", (int64_t)a->failed);
	single(b, "propexofs_api_received_bytes_total", "counter",
		"Bytes of answers received from the API.", (int64_t)a->bytes);
	single(b, "propexofs_api_allowance_requests", "gauge",
		"Requests the API allows the account per minute, 0 until told.",
		a->limiter.allowed);
	single(b, "propexofs_api_allowance_used_requests", "gauge",
		"Requests of this minute, those of others with the same account included.",
		a->limiter.used);
}

static void webhooks(struct px_buf *b, const struct px_survey *s)
{
	const struct px_webhook_stats *w = &s->view.webhooks;

	single(b, "propexofs_webhook_listening", "gauge", "Whether the receiver listens.",
		w->listening);
	if (w->registered >= 0)
		single(b, "propexofs_webhook_registered", "gauge",
			"Deliveries registered with the API.", w->registered);
	single(b, "propexofs_webhook_received_total", "counter", "Deliveries stored.",
		(int64_t)w->received);
	single(b, "propexofs_webhook_rejected_total", "counter",
		"Deliveries refused: signature, shape or size.", (int64_t)w->rejected);
	single(b, "propexofs_webhook_duplicate_total", "counter",
		"Deliveries whose content was in place already.", (int64_t)w->duplicate);
	single(b, "propexofs_webhook_pending", "gauge", "Deliveries stored and not yet applied.",
		s->totals.inbox);
	single_moment(b, "propexofs_webhook_last_received_timestamp_seconds",
		"When a delivery last arrived, Unix time.", w->last_received_ms);
}

static void store(struct px_buf *b, const struct px_survey *s)
{
	const struct px_store_totals *t = &s->totals;

	single(b, "propexofs_store_size_bytes", "gauge",
		"Size of the database, write-ahead log included.", t->bytes);
	single(b, "propexofs_store_records", "gauge", "Records that have a name.", t->records);
	single(b, "propexofs_store_versions", "gauge", "Versions of records kept.", t->versions);
	single(b, "propexofs_store_events", "gauge", "Lines of the event log kept.", t->events);
	single(b, "propexofs_store_pending", "gauge", "Records that are due to be read again.",
		t->pending);
	single_moment(b, "propexofs_store_oldest_pending_timestamp_seconds",
		"Since when the oldest of these has been due, Unix time.", t->oldest_pending_ms);
	single(b, "propexofs_store_failed", "gauge",
		"Whether the store cannot be written (disk full, I/O error).",
		*s->view.store_error != '\0');
}

/* ---- by integration ---- */

static void integration_infos(struct px_buf *b, const struct px_survey *s)
{
	head(b, "propexofs_integration_info", "gauge", "Integrations by id, with their names.");
	for (size_t i = 0; i < s->count; i++) {
		const struct px_integration *row = &s->list[i].row;

		px_buf_adds(b, "propexofs_integration_info");
		label(b, "integration", row->id);
		label(b, "name", row->name);
		label(b, "vendor", row->vendor);
		label(b, "system", row->system);
		value(b, 1);
	}
}

static void integration_phases(struct px_buf *b, const struct px_survey *s)
{
	head(b, "propexofs_integration_phase", "gauge", "1 for the phase an integration is in.");
	for (size_t i = 0; i < s->count; i++)
		for (int p = PX_PHASE_WAITING; p <= PX_PHASE_ERROR; p++) {
			px_buf_adds(b, "propexofs_integration_phase");
			label(b, "integration", s->list[i].row.id);
			label(b, "phase", px_phase_word((enum px_phase)p));
			value(b, s->list[i].phase == (enum px_phase)p);
		}
}

static void integration_completes(struct px_buf *b, const struct px_survey *s)
{
	head(b, "propexofs_integration_complete", "gauge",
		"Whether every model of the integration has been read to its end.");
	for (size_t i = 0; i < s->count; i++) {
		px_buf_adds(b, "propexofs_integration_complete");
		label(b, "integration", s->list[i].row.id);
		value(b, s->list[i].complete);
	}
}

static int64_t reconciled(const struct px_judged *j)
{
	return j->row.reconciled_ms;
}

static int64_t last_event(const struct px_judged *j)
{
	return j->row.last_event_ms;
}

static int64_t oldest_pending(const struct px_judged *j)
{
	return j->oldest_pending_ms;
}

static void integration_moments(struct px_buf *b, const struct px_survey *s)
{
	static const struct {
		const char *name, *help;
		int64_t (*of)(const struct px_judged *j);
	} rows[] = {
		{"propexofs_integration_reconciled_timestamp_seconds",
			"When the integration was last brought up to date, Unix time.", reconciled},
		{"propexofs_integration_last_event_timestamp_seconds",
			"When an event of the integration was last applied, Unix time.",
			last_event},
		{"propexofs_integration_oldest_pending_timestamp_seconds",
			"Since when a record has been due to be read again, Unix time.",
			oldest_pending},
	};

	for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
		bool headed = false;

		for (size_t i = 0; i < s->count; i++) {
			int64_t ms = rows[k].of(&s->list[i]);

			if (!ms)
				continue;
			if (!headed)
				head(b, rows[k].name, "gauge", rows[k].help);
			headed = true;
			px_buf_adds(b, rows[k].name);
			label(b, "integration", s->list[i].row.id);
			moment(b, ms);
		}
	}
}

/* ---- by model ---- */

static int64_t model_records(const struct px_dir *d)
{
	return d->records;
}

static int64_t model_expected(const struct px_dir *d)
{
	return d->expected;
}

static int64_t model_complete(const struct px_dir *d)
{
	return d->complete;
}

static int64_t model_pending(const struct px_dir *d)
{
	return d->pending;
}

static int64_t model_failed(const struct px_dir *d)
{
	return d->error != NULL;
}

static void models(struct px_buf *b, const struct px_survey *s)
{
	static const struct {
		const char *name, *help;
		int64_t (*of)(const struct px_dir *d); /* negative: no sample */
	} rows[] = {
		{"propexofs_model_records", "Records of a model.", model_records},
		{"propexofs_model_expected_records", "Records the API said there are.",
			model_expected},
		{"propexofs_model_complete", "Whether the model has been read to its end.",
			model_complete},
		{"propexofs_model_pending", "Records of the model that are due to be read again.",
			model_pending},
		{"propexofs_model_failed", "Whether the API does not give the model.",
			model_failed},
	};

	for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
		head(b, rows[k].name, "gauge", rows[k].help);
		for (size_t i = 0; i < s->count; i++)
			for (size_t d = 0; d < s->list[i].ndirs; d++) {
				const struct px_dir *dir = &s->list[i].dirs[d];

				if (rows[k].of(dir) < 0 || (!px_dir_shown(dir) && !dir->error))
					continue;
				px_buf_adds(b, rows[k].name);
				label(b, "integration", s->list[i].row.id);
				label(b, "model", dir->model);
				value(b, rows[k].of(dir));
			}
	}
}

/* ---- the filesystem ---- */

static void filesystem(struct px_buf *b, const struct px_fs_counters *c)
{
	const struct {
		const char *operation;
		uint64_t count;
	} rows[] = {
		{"lookup", c->lookup},
		{"getattr", c->getattr},
		{"readlink", c->readlink},
		{"read", c->read},
		{"readdir", c->readdir},
		{"readdirplus", c->readdirplus},
		{"open", c->open},
		{"opendir", c->opendir},
		{"release", c->release},
		{"forget", c->forget},
		{"statfs", c->statfs},
		{"getxattr", c->getxattr},
		{"listxattr", c->listxattr},
		{"changing", c->changing},
		{"other", c->other},
	};

	head(b, "propexofs_fuse_requests_total", "counter", "Requests from the kernel, by kind.");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		px_buf_adds(b, "propexofs_fuse_requests_total");
		label(b, "operation", rows[i].operation);
		value(b, (int64_t)rows[i].count);
	}
	single(b, "propexofs_fuse_read_bytes_total", "counter", "Bytes handed out by reads.",
		(int64_t)c->bytes_read);
	single(b, "propexofs_fuse_pushed_total", "counter",
		"Files stored into the page cache ahead of a reader.", (int64_t)c->pushed);
	single(b, "propexofs_fuse_notified_total", "counter",
		"Names and inodes dropped from the kernel's caches.", (int64_t)c->notified);
}

px_rc px_status_metrics(struct px_reader *r, struct px_board *board,
	const struct px_fs_counters *fs, struct px_buf *out, struct px_err *err)
{
	struct px_survey s;
	px_rc rc = px_survey_take(r, board, &s, err);

	if (rc)
		return rc;
	process(out, &s);
	if (board) {
		api(out, &s);
		webhooks(out, &s);
	}
	store(out, &s);
	integration_infos(out, &s);
	integration_phases(out, &s);
	integration_completes(out, &s);
	integration_moments(out, &s);
	models(out, &s);
	if (fs)
		filesystem(out, fs);
	px_survey_release(&s);
	return px_buf_ok(out, err);
}
