/* SPDX-License-Identifier: MIT */
/*
 * files.c - the small files beside the models: what the API says of permissions, plan, scope and
 * jobs.
 *
 * Invariants: a file is replaced only by a whole new one; what cannot be had leaves the old one.
 * Asked for when an integration appears and after its syncs, and again when one could not be had,
 * at most hourly, and behind everything that brings records.
 */
#include "sync_i.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_PAGES_MAX = 40, FILE_MAX = 16 << 20 };

struct small_file {
	const char *name;
	const char *path; /* with the integration's id in "{}"; NULL: the job log */
	bool list;	  /* an array, paged; else one object */
};

static const struct small_file small_files[] = {
	{"data-access.json", "/v1/admin/integrations/{}/data-access", false},
	{"schedules.json", "/v1/admin/integrations/{}/job-schedules/", true},
	{"properties.json", "/v1/admin/integrations/{}/properties", true},
	{"jobs.jsonl", NULL, true},
};

struct fetch {
	struct px_sync *s;
	int64_t iid;
	char *id;
	const struct small_file *file;
	int64_t offset;
	int pages;
	struct px_buf rows; /* array elements, separated by commas; of the job log: compact lines,
			       newest first */
	size_t *ends;	    /* of the job log: where each line ends */
	size_t lines, lines_cap;
	int64_t oldest_ms;
};

/* What could not be had is asked for again with the next ones. */
static void fetch_end(struct fetch *f, bool had)
{
	struct sinteg *in = sync_integ_by_iid(f->s, f->iid);

	if (in) {
		in->files_out--;
		in->files_wanted |= !had;
	}
	px_buf_release(&f->rows);
	free(f->ends);
	free(f->id);
	free(f);
}

static void file_after(struct px_job *job)
{
	struct px_note_job *n = (struct px_note_job *)job;

	if (job->rc)
		px_log_limited(
			PX_LOG_WARN, "sync", "%s was not stored: %s", n->file_name, job->err.msg);
	px_note_job_release(n);
	free(n);
}

static px_rc compose(struct fetch *f, struct px_buf *out, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(FILE_MAX);

	if (!f->file->path) {
		/* oldest first, as a log */
		for (size_t i = f->lines; i-- > 0;) {
			size_t from = i ? f->ends[i - 1] : 0;

			px_buf_add(out, f->rows.data + from, f->ends[i] - from);
			px_buf_addc(out, '\n');
		}
		return px_buf_ok(out, err);
	}
	if (f->file->list)
		px_buf_addc(&text, '[');
	px_buf_add(&text, f->rows.data, f->rows.len);
	if (f->file->list)
		px_buf_addc(&text, ']');
	return px_buf_ok(&text, err) ? text.failed : px_doc_format(text.data, text.len, out, err);
}

static void fetch_store(struct fetch *f)
{
	PX_BUF_AUTO struct px_buf body = PX_BUF_INIT(FILE_MAX);
	struct px_err err = {0};
	struct px_note_job *n = malloc(sizeof *n);

	if (!n || compose(f, &body, &err)) {
		px_warn("sync", "%s of %s: %s", f->file->name, f->id,
			n ? err.msg : "out of memory");
		free(n);
		fetch_end(f, false);
		return;
	}
	px_note_job_init(n);
	n->job.after = file_after;
	n->file_iid = f->iid;
	n->file_name = strdup(f->file->name);
	n->file_body = px_buf_steal(&body, &n->file_len);
	sync_submit(f->s, &n->job);
	fetch_end(f, true);
}

static px_rc add_line(struct fetch *f, struct px_span row, bool *ret_old, struct px_err *err)
{
	struct px_span created = px_json_member(row, "created_at");
	char *at = px_json_strdup(created, 64);
	int64_t ns = INT64_MAX;
	px_rc rc;

	if (at && px_time_parse(at, strlen(at), &ns))
		ns = INT64_MAX;
	free(at);
	*ret_old = ns / 1000000 < f->oldest_ms;
	if (*ret_old)
		return PX_OK;
	if (f->lines == f->lines_cap) {
		size_t cap = f->lines_cap ? f->lines_cap * 2 : 64;
		size_t *ends = realloc(f->ends, cap * sizeof *ends);

		if (!ends)
			return px_err_nomem(err);
		f->ends = ends;
		f->lines_cap = cap;
	}
	rc = px_doc_compact(row.p, row.len, &f->rows, err);
	f->ends[f->lines++] = f->rows.len;
	return rc;
}

static void fetch_request(struct fetch *f);

static px_rc take(
	struct fetch *f, const struct px_answer *answer, bool *ret_more, struct px_err *err)
{
	struct px_page page = {0};
	px_rc rc = px_page_parse(answer->body, answer->len, &page, err);
	bool old = false;

	*ret_more = false;
	for (size_t i = 0; i < page.count && !rc && !old; i++) {
		if (!f->file->path) {
			rc = add_line(f, page.results[i], &old, err);
			continue;
		}
		if (f->rows.len)
			px_buf_addc(&f->rows, ',');
		px_buf_add(&f->rows, page.results[i].p, page.results[i].len);
		rc = px_buf_ok(&f->rows, err);
	}
	if (!rc && f->file->list && !old && page.count)
		*ret_more = page.has_more == 1 ||
			    (page.has_more < 0 && page.meta.p && page.count >= PAGE_LIMIT);
	f->offset += (int64_t)page.count;
	if (!rc && !f->file->list && !page.count)
		rc = px_err_set(err, PX_ESYNTAX, "an empty answer");
	px_page_release(&page);
	return rc;
}

static void fetch_answer(void *arg, const struct px_answer *answer)
{
	struct fetch *f = arg;
	struct px_err err = answer->err;
	bool more = false;
	px_rc rc = answer->rc ? answer->rc : take(f, answer, &more, &err);

	if (rc) {
		if (rc != PX_ECANCELED)
			px_info("sync", "%s of %s: %s", f->file->name, f->id, err.msg);
		fetch_end(f, false);
	} else if (more && ++f->pages < FILE_PAGES_MAX) {
		fetch_request(f);
	} else {
		fetch_store(f);
	}
}

static void fetch_request(struct fetch *f)
{
	PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(64 << 10);
	struct px_err err = {0};
	px_rc rc;

	if (f->file->path) {
		px_url_path(&path, f->file->path, f->id, strlen(f->id));
	} else {
		px_buf_adds(&path, "/v1/admin/logs/jobs/");
		px_url_query(&path, "integration_id", f->id);
		px_url_query(&path, "order-by", "created_at:desc,id:desc");
	}
	if (f->file->list) {
		px_url_query_int(&path, "limit", PAGE_LIMIT);
		px_url_query_int(&path, "offset", f->offset);
	}
	rc = px_buf_ok(&path, &err);
	if (!rc)
		rc = px_api_get(f->s->api, PX_FOR_SWEEP, path.data, 0, NULL, fetch_answer, f, &err);
	if (rc) {
		px_info("sync", "%s of %s: %s", f->file->name, f->id, err.msg);
		fetch_end(f, false);
	}
}

static void fetch_start(struct px_sync *s, struct sinteg *in, const struct small_file *file)
{
	struct fetch *f = calloc(1, sizeof *f);

	if (!f)
		return;
	f->s = s;
	f->iid = in->row.iid;
	f->file = file;
	f->id = strdup(in->row.id);
	px_buf_init(&f->rows, FILE_MAX);
	f->oldest_ms = px_clock_wall_ms() - (int64_t)s->conf->history_days * 86400000;
	in->files_out++;
	if (f->id)
		fetch_request(f);
	else
		fetch_end(f, false);
}

void files_schedule(struct px_sync *s)
{
	int64_t now = px_clock_mono_ms();

	for (size_t i = 0; i < s->count; i++) {
		struct sinteg *in = s->integs[i];

		if (!in->wanted || !in->row.present || in->files_out || now < in->files_due_ms)
			continue;
		/* due again when a sync has ended, but not within the hour */
		if (in->files_due_ms && !in->files_wanted)
			continue;
		in->files_wanted = false;
		in->files_due_ms = now + FILES_MIN_MS;
		for (size_t k = 0; k < sizeof small_files / sizeof *small_files; k++)
			fetch_start(s, in, &small_files[k]);
	}
}
