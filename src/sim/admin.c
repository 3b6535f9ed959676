/* SPDX-License-Identifier: MIT */
/*
 * admin.c - integrations and what goes with them, job logs, data diffs.
 *
 * Envelopes are as irregular as the reference says. Integration objects hold things that must not
 * leave the mirror's memory (marked SECRET-), because nothing promises that real ones do not.
 * Called with world.lock held.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"

static const int64_t DIFFS_KEPT_MS = INT64_C(30) * 86400000;

/* ---- integrations ------------------------------------------------------------------------------
 */

static void time_or_null(int64_t ms, struct px_buf *out)
{
	if (ms)
		time_text(ms, out);
	else
		px_buf_adds(out, "null");
}

static void models_text(struct sim *s, const struct integ *in, struct px_buf *out)
{
	bool first = true;

	px_buf_adds(out, ",\"models\":{");
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		if (px_models[m].view_of >= 0)
			continue;
		px_buf_addf(out, "%s\"%s\":{\"enabled\":%s,\"from_interfaces\":[%s]}",
			first ? "" : ",",
			s->quirk[QUIRK_MODELS_KEBAB] ? px_models[m].object : px_models[m].snake,
			in->cols[m].enabled ? "true" : "false",
			in->cols[m].enabled ? "\"RESIDENTS_API\"" : "");
		first = false;
	}
	px_buf_addc(out, '}');
}

static void secret_text(
	const struct sim *s, const struct integ *in, const char *what, struct px_buf *out)
{
	px_buf_addf(out, "SECRET-%s-%d-%016llx", what, in->num,
		(unsigned long long)mix(
			s->opt.seed ^ hash_text(what, strlen(what)), (uint64_t)in->num));
}

static void integ_text(struct sim *s, const struct integ *in, bool by_id, struct px_buf *out)
{
	px_buf_adds(out, "{\"id\":");
	px_buf_add_jsons(out, in->id);
	px_buf_adds(out, ",\"created_at\":");
	time_text(in->created_ms, out);
	px_buf_adds(out, ",\"updated_at\":");
	time_text(in->updated_ms, out);
	px_buf_adds(out, ",\"name\":");
	px_buf_add_jsons(out, in->name);
	px_buf_addf(out,
		",\"vendor\":\"%s\",\"active\":%s,\"system\":\"%s\",\"sync_frequency\":12,"
		"\"sync_cadence\":\"HOUR\",\"max_job_concurrency\":%d,\"max_request_frequency\":60,"
		"\"max_request_cadence\":\"MINUTE\",\"base_url\":\"https:\\/\\/api:",
		in->vendor, in->active ? "true" : "false",
		in->num % 9 == 8 ? "SANDBOX" : "PRODUCTION", 4 + in->num % 3);
	secret_text(s, in, "BASEURL", out);
	px_buf_addf(out,
		"@pms.example.com\\/%d\",\"is_archived\":%s,\"last_completed_sync\":", in->num,
		in->archived ? "true" : "false");
	time_or_null(in->last_sync_ms, out);
	px_buf_adds(out, ",\"last_completed_back_sync\":");
	time_or_null(in->last_back_sync_ms, out);
	px_buf_adds(out, ",\"new_properties_are_enabled\":true,\"integration_interfaces\":[{"
			 "\"interface_name\":"
			 "\"RESIDENTS_API\",\"enabled\":true,\"version\":\"r1\"},{\"interface_"
			 "name\":\"LEADS_API\","
			 "\"enabled\":false,\"version\":null}],\"can_authenticate\":true,\"last_"
			 "data_access_check\":");
	time_or_null(in->last_access_check_ms, out);
	px_buf_adds(
		out, ",\"allow_manual_syncs\":true,\"configuration_meta_data\":[{\"last_seen\":");
	time_text(in->updated_ms, out);
	px_buf_adds(out, ",\"interface_name\":\"RESIDENTS_API\",\"configuration_data\":{"
			 "\"username\":\"propexo\","
			 "\"password\":\"");
	secret_text(s, in, "PASSWORD", out);
	px_buf_adds(out, "\",\"nested\":{\"api_key\":\"");
	secret_text(s, in, "APIKEY", out);
	px_buf_adds(out, "\"}},\"custom_data\":{\"token\":\"");
	secret_text(s, in, "TOKEN", out);
	px_buf_adds(out, "\"}}]");
	models_text(s, in, out);
	if (by_id)
		px_buf_addf(out, ",\"is_running_sync\":%s,\"is_running_data_access_check\":false",
			in->syncing ? "true" : "false");
	px_buf_addc(out, '}');
}

/* A page of things that are few: all are rendered, the page is cut out. */
struct few {
	struct sim *s;
	int64_t offset, limit, n, count;
	struct px_buf items;
};

static bool few_init(struct sim *s, const struct req *r, struct few *f, struct answer *a)
{
	struct px_err err = {0};

	*f = (struct few){.s = s};
	px_buf_init(&f->items, SIM_TEXT_MAX);
	if (paging(s, r->params, r->nparams, &f->offset, &f->limit, &err))
		return true;
	answer_error(a, 400, "VALIDATION_ERROR", err.msg);
	return false;
}

/* Whether the next item is on the page; a comma is put before it. */
static bool few_next(struct few *f)
{
	int64_t at = f->n++;

	if (at < f->offset || f->count >= f->limit)
		return false;
	if (f->count++)
		px_buf_addc(&f->items, ',');
	return true;
}

static void few_end(struct few *f, struct req *r, const char *order, bool bare, struct answer *a)
{
	struct px_buf *b = &a->page.body;

	a->status = 200;
	if (bare) {
		px_buf_addc(b, '[');
	} else {
		px_buf_adds(b, "{\"meta\":");
		meta_text(f->s, f->offset, f->limit, order, f->count, f->n, b);
		px_buf_adds(b, ",\"results\":[");
	}
	px_buf_add(b, f->items.data ? f->items.data : "", f->items.len);
	px_buf_adds(b, bare ? "]" : "]}");
	r->offset = f->offset;
	r->limit = f->limit;
	r->results = f->count;
	px_buf_release(&f->items);
}

/* order-by of the small collections: its first key decides; created_at unless it says id, name or
 * updated_at. */
struct small_order {
	char field[32];
	bool desc;
	char json[128];
};

static void small_order(const struct req *r, struct small_order *o)
{
	const struct param *p = param_find(r->params, r->nparams, "order-by");
	const char *v = p ? p->value : "created_at:desc";
	size_t n = strcspn(v, ":,");

	if (n >= sizeof o->field)
		n = sizeof o->field - 1;
	memcpy(o->field, v, n);
	o->field[n] = '\0';
	o->desc = !strncmp(v + n, ":desc", 5);
	(void)snprintf(o->json, sizeof o->json, "[{\"field\":\"%.24s\",\"direction\":\"%s\"}]",
		o->field[strspn(o->field, "abcdefghijklmnopqrstuvwxyz_")] ? "id" : o->field,
		o->desc ? "desc" : "asc");
}

static int cmp_integ(const struct integ *a, const struct integ *b, const struct small_order *o)
{
	int cmp = 0;

	if (!strcmp(o->field, "name"))
		cmp = strcmp(a->name, b->name);
	else if (!strcmp(o->field, "updated_at"))
		cmp = (a->updated_ms > b->updated_ms) - (a->updated_ms < b->updated_ms);
	else if (!strcmp(o->field, "created_at"))
		cmp = (a->created_ms > b->created_ms) - (a->created_ms < b->created_ms);
	if (!cmp)
		cmp = strcmp(a->id, b->id);
	return o->desc ? -cmp : cmp;
}

static void list_integrations(struct sim *s, struct req *r, struct answer *a)
{
	const struct param *vendor = param_find(r->params, r->nparams, "integration_vendor");
	const struct param *archived = param_find(r->params, r->nparams, "is_archived");
	const struct integ **all = calloc((size_t)s->world.ninteg + 1, sizeof *all);
	struct small_order o;
	struct few f;
	int n = 0;
	bool want = false;

	if (!all || !few_init(s, r, &f, a)) {
		free(all);
		return;
	}
	small_order(r, &o);
	for (int i = 0; i < s->world.ninteg; i++) {
		const struct integ *in = s->world.integs[i];
		int at = n;

		if (!integ_visible(s, in) || (vendor && strcmp(vendor->value, in->vendor)))
			continue;
		if (archived && bool_value(archived, &want) && want != in->archived)
			continue;
		if (!archived && in->archived && s->quirk[QUIRK_HIDE_ARCHIVED])
			continue;
		for (; at && cmp_integ(in, all[at - 1], &o) < 0; at--)
			all[at] = all[at - 1];
		all[at] = in;
		n++;
	}
	for (int i = 0; i < n; i++)
		if (few_next(&f))
			integ_text(s, all[i], false, &f.items);
	free(all);
	few_end(&f, r, o.json, false, a);
}

bool integ_by_seg(struct sim *s, const struct req *r, size_t seg, struct integ **ret)
{
	for (int i = 0; i < s->world.ninteg; i++)
		if (!strcmp(s->world.integs[i]->id, r->segs[seg]) &&
			integ_visible(s, s->world.integs[i])) {
			*ret = s->world.integs[i];
			return true;
		}
	return false;
}

static void one_integration(struct sim *s, struct integ *in, struct answer *a)
{
	struct px_buf *b = &a->page.body;

	a->status = 200;
	px_buf_adds(b, "{\"meta\":");
	meta_text(s, 0, SIM_PAGE_DEFAULT, "[]", 1, 1, b);
	px_buf_adds(b, ",\"results\":");
	integ_text(s, in, true, b);
	px_buf_addc(b, '}');
}

static void data_access(struct integ *in, struct answer *a)
{
	struct px_buf *b = &a->page.body;
	bool first = true;

	a->status = 200;
	px_buf_adds(b, "{\"result\":{\"models\":{");
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		if (px_models[m].view_of >= 0)
			continue;
		px_buf_addf(b, "%s\"%s\":{\"read\":", first ? "" : ",", px_models[m].snake);
		first = false;
		if (!in->cols[m].enabled)
			px_buf_adds(b, "{\"untested\":true}");
		else if (!in->cols[m].allowed)
			px_buf_adds(b, "{\"status\":\"FAILED\",\"error_message\":\"Permission "
				       "denied by the PMS\"}");
		else
			px_buf_adds(b, "{\"status\":\"SUCCESS\",\"error_message\":null}");
		px_buf_adds(b, m % 4 ? ",\"create\":{\"unsupported\":true}}" : "}");
	}
	px_buf_adds(b, "},\"last_data_access_check\":");
	time_or_null(in->last_access_check_ms, b);
	px_buf_adds(b, ",\"data_access_check_in_process\":false}}");
}

/* Configurations of properties (or of property lists): an id of their own beside the record's. */
static void configurations(struct sim *s, struct req *r, struct integ *in, const char *dir,
	const char *member, struct answer *a)
{
	const struct col *c = &in->cols[px_model_by_dir(dir)];
	bool lists = strcmp(dir, "properties") != 0;
	struct few f;
	uint32_t n = col_visible(c);

	if (!few_init(s, r, &f, a))
		return;
	for (uint32_t k = 0; k < n; k++) {
		char id[SIM_ID_MAX];
		uint32_t idx = col_nth(c, k);
		size_t len = rec_id(c, idx, id);

		if (!few_next(&f))
			continue;
		px_buf_addf(&f.items,
			"{\"id\":\"cfg%02d%06u%014llx\",\"created_at\":", in->num % 100, idx,
			(unsigned long long)(mix(c->seed, idx) >> 8));
		time_text(rec_created_ms(c, idx) + 500, &f.items);
		px_buf_addf(&f.items, ",\"integration_id\":\"%s\",\"%s\":", in->id, member);
		px_buf_add_json(&f.items, id, len);
		if (lists)
			px_buf_addf(&f.items, ",\"x_property_list_id\":\"%u\"", idx + 1);
		px_buf_addf(&f.items, ",\"enabled\":%s}", idx % 17 == 16 ? "false" : "true");
	}
	few_end(&f, r, "[]", !lists && s->quirk[QUIRK_PROPERTIES_BARE], a);
}

void schedule_id(const struct integ *in, char ret[40])
{
	(void)snprintf(ret, 40, "cmsched%02d%.16s", in->num % 100, in->id + 9);
}

static void schedule_text(const struct integ *in, struct px_buf *out)
{
	char id[40];

	schedule_id(in, id);
	px_buf_addf(out, "{\"id\":\"%s\",\"integration_id\":\"%s\",\"created_at\":", id, in->id);
	time_text(in->created_ms, out);
	px_buf_adds(out, ",\"updated_at\":");
	time_text(in->updated_ms, out);
	px_buf_addf(out, ",\"job_type\":\"FULL_SYNC\",\"status\":\"%s\",\"last_run\":",
		in->active ? "ACTIVE" : "INACTIVE");
	time_or_null(in->last_sync_ms, out);
	px_buf_adds(out,
		",\"sync_frequency\":12,\"sync_cadence\":\"HOUR\",\"parameters\":{\"models\":"
		"[\"residents\",\"leases\"],\"date_window_days\":30}}");
}

static void schedules(struct sim *s, struct req *r, struct integ *in, struct answer *a)
{
	struct few f;

	if (!few_init(s, r, &f, a))
		return;
	if (few_next(&f))
		schedule_text(in, &f.items);
	few_end(&f, r, "[]", false, a);
}

static void one_schedule(struct sim *s, struct req *r, struct integ *in, struct answer *a)
{
	struct px_buf *b = &a->page.body;
	char id[40];

	schedule_id(in, id);
	if (strcmp(id, r->segs[5])) {
		answer_absent(s, a, "no such schedule");
		return;
	}
	a->status = 200;
	px_buf_adds(b, "{\"meta\":{\"orderBy\":[]},\"results\":");
	schedule_text(in, b);
	px_buf_addc(b, '}');
}

static void rate_limits(struct integ *in, struct answer *a)
{
	struct px_buf *b = &a->page.body;

	a->status = 200;
	px_buf_addf(b, "{\"results\":{\"integration_id\":\"%s\",", in->id);
	if (!strcmp(in->vendor, "ENTRATA")) {
		px_buf_adds(b, "\"api_ratelimits\":[{\"api\":\"getLeases\",\"updated_at\":");
		time_text(in->updated_ms, b);
		px_buf_adds(b, ",\"day_limit\":10000,\"hour_limit\":null,\"minute_limit\":100}]}}");
		return;
	}
	px_buf_adds(b, "\"updated_at\":");
	time_text(in->updated_ms, b);
	px_buf_addf(
		b, ",\"minute_limit\":%s}}", !strcmp(in->vendor, "RENTMANAGER") ? "500" : "null");
}

static bool integ_route(struct sim *s, struct req *r, struct answer *a)
{
	struct integ *in = NULL;
	const char *what = r->nsegs > 4 ? r->segs[4] : "";

	if (r->nsegs == 3) {
		r->cls = CLASS_integrations;
		if (slash_ok(s, r, true, a))
			list_integrations(s, r, a);
		return true;
	}
	r->cls = r->nsegs == 4 ? CLASS_integration : CLASS_metadata;
	if (r->nsegs > 6 || (r->nsegs == 6 && strcmp(what, "job-schedules")))
		return false;
	if (!integ_by_seg(s, r, 3, &in)) {
		answer_absent(s, a, "no such integration");
		return true;
	}
	r->integ = in->num;
	if (r->nsegs == 4) {
		if (slash_ok(s, r, true, a))
			one_integration(s, in, a);
	} else if (!strcmp(what, "data-access")) {
		if (slash_ok(s, r, false, a))
			data_access(in, a);
	} else if (!strcmp(what, "properties")) {
		if (slash_ok(s, r, false, a))
			configurations(s, r, in, "properties", "property_id", a);
	} else if (!strcmp(what, "property-lists")) {
		if (slash_ok(s, r, false, a))
			configurations(s, r, in, "property-lists", "property_list_id", a);
	} else if (!strcmp(what, "job-schedules")) {
		if (slash_ok(s, r, true, a)) {
			if (r->nsegs == 5)
				schedules(s, r, in, a);
			else
				one_schedule(s, r, in, a);
		}
	} else if (!strcmp(what, "rate-limits")) {
		if (slash_ok(s, r, true, a))
			rate_limits(in, a);
	} else {
		return false;
	}
	return true;
}

/* ---- job logs ----------------------------------------------------------------------------------
 */

void change_job(struct sim *s, const struct integ *in, const char *type, const char *status,
	char job_id[32], char root_id[32])
{
	struct world *w = &s->world;
	struct job_log *j;

	random_id(s, job_id);
	random_id(s, root_id);
	if (w->njobs == w->jobs_cap) {
		size_t cap = w->jobs_cap ? w->jobs_cap * 2 : 256;
		struct job_log *jobs = realloc(w->jobs, cap * sizeof *jobs);

		if (!jobs)
			return;
		w->jobs = jobs;
		w->jobs_cap = cap;
	}
	j = &w->jobs[w->njobs++];
	*j = (struct job_log){.status = status, .integ = in->num};
	random_id(s, j->id);
	memcpy(j->job_id, job_id, sizeof j->job_id);
	memcpy(j->root_id, root_id, sizeof j->root_id);
	memcpy(j->parent_id, root_id, sizeof j->parent_id);
	schedule_id(in, j->schedule_id);
	(void)snprintf(j->type, sizeof j->type, "%s", type);
	/* during start-up the clock is not asked: the first logs are as made up as the rest */
	j->created_ms = w->last_now_ms < SIM_END_MS ? w->last_now_ms : world_now(s);
}

static void job_text(struct sim *s, const struct job_log *j, struct px_buf *out)
{
	px_buf_addf(out, "{\"id\":\"%s\",\"job_id\":\"%s\",\"created_at\":", j->id, j->job_id);
	time_text(j->created_ms, out);
	px_buf_addf(out,
		",\"job_type\":\"%s\",\"status\":\"%s\",\"parent_job_id\":\"%s\",\"root_job_id\":"
		"\"%s\","
		"\"job_schedule_id\":\"%s\",\"integration_id\":\"%s\",\"associated_property_id\":"
		"null}",
		j->type, j->status, j->parent_id, j->root_id, j->schedule_id,
		s->world.integs[j->integ]->id);
}

static void list_jobs(struct sim *s, struct req *r, const char *job_id, struct answer *a)
{
	const struct param *status = param_find(r->params, r->nparams, "status");
	const struct param *integ = param_find(r->params, r->nparams, "integration_id");
	const struct param *type = param_find(r->params, r->nparams, "job_type");
	struct world *w = &s->world;
	struct small_order o;
	struct few f;

	if (status && strcmp(status->value, "SUCCESS") && strcmp(status->value, "FAILURE")) {
		answer_error(a, 400, "VALIDATION_ERROR", "status must be SUCCESS or FAILURE");
		return;
	}
	if (!few_init(s, r, &f, a))
		return;
	small_order(r, &o);
	for (size_t i = 0; i < w->njobs; i++) {
		const struct job_log *j = &w->jobs[o.desc ? w->njobs - 1 - i : i];

		if (!integ_visible(s, w->integs[j->integ]) ||
			(status && strcmp(status->value, j->status)) ||
			(integ && strcmp(integ->value, w->integs[j->integ]->id)) ||
			(type && strcmp(type->value, j->type)) ||
			(job_id && strcmp(job_id, j->job_id) && strcmp(job_id, j->root_id)))
			continue;
		if (few_next(&f))
			job_text(s, j, &f.items);
	}
	few_end(&f, r, o.json, false, a);
}

static void one_job_log(struct sim *s, struct req *r, struct answer *a)
{
	for (size_t i = 0; i < s->world.njobs; i++) {
		const struct job_log *j = &s->world.jobs[i];

		if (strcmp(j->id, r->segs[3]) || !integ_visible(s, s->world.integs[j->integ]))
			continue;
		a->status = 200;
		px_buf_adds(&a->page.body, "{\"meta\":{\"orderBy\":[]},\"results\":");
		job_text(s, j, &a->page.body);
		px_buf_addc(&a->page.body, '}');
		return;
	}
	answer_absent(s, a, "no such job log");
}

/* ---- data diffs --------------------------------------------------------------------------------
 */

static bool time_param(const struct req *r, const char *name, int64_t *ret, struct answer *a)
{
	const struct param *p = param_find(r->params, r->nparams, name);
	int64_t ns;

	if (!p)
		return true;
	if (px_time_parse(p->value, p->value_len, &ns)) {
		answer_error(a, 400, "VALIDATION_ERROR", "before and after must be date-times");
		return false;
	}
	*ret = ns / 1000000;
	return true;
}

static void diff_text(struct sim *s, const struct diff *d, struct px_buf *out)
{
	const struct integ *in = s->world.integs[d->integ];
	char model[64];

	(void)snprintf(model, sizeof model, "%s", d->snake);
	for (char *p = model; s->quirk[QUIRK_DIFFS_KEBAB] && *p; p++)
		if (*p == '_')
			*p = '-';
	px_buf_addf(out, "{\"id\":\"%s\",\"model\":\"%s\",\"model_record_id\":", d->id, model);
	px_buf_add_jsons(out, d->record_id);
	px_buf_addf(out, ",\"event_type\":\"%s\",\"data_diff\":", d->is_new ? "NEW" : "UPDATE");
	px_buf_adds(out, d->text);
	px_buf_adds(out, ",\"created_at\":");
	time_text(d->created_ms, out);
	px_buf_addf(out,
		",\"job_id\":%s%s%s,\"integration_id\":\"%s\",\"integration_vendor\":\"%s\"}",
		*d->job_id ? "\"" : "", *d->job_id ? d->job_id : "null", *d->job_id ? "\"" : "",
		in->id, in->vendor);
}

/* created_at ascends in the log, so bounds and pages cost little. */
static void list_diffs(struct sim *s, struct req *r, struct answer *a)
{
	const struct param *integ = param_find(r->params, r->nparams, "integration_id");
	const struct param *vendor = param_find(r->params, r->nparams, "integration_vendor");
	struct world *w = &s->world;
	int64_t before = INT64_MAX, after = INT64_MIN, oldest = world_now(s) - DIFFS_KEPT_MS;
	struct small_order o;
	struct few f;

	if (!time_param(r, "before", &before, a) || !time_param(r, "after", &after, a) ||
		!few_init(s, r, &f, a))
		return;
	small_order(r, &o);
	for (size_t i = 0; i < w->ndiffs; i++) {
		const struct diff *d = &w->diffs[o.desc ? w->ndiffs - 1 - i : i];

		if (d->created_ms < oldest || d->created_ms < after || d->created_ms > before ||
			!integ_visible(s, w->integs[d->integ]) ||
			(integ && strcmp(integ->value, w->integs[d->integ]->id)) ||
			(vendor && strcmp(vendor->value, w->integs[d->integ]->vendor)))
			continue;
		if (few_next(&f))
			diff_text(s, d, &f.items);
	}
	few_end(&f, r, o.json, false, a);
}

bool admin_route(struct sim *s, struct req *r, struct answer *a)
{
	const char *what = r->nsegs > 2 ? r->segs[2] : "";
	bool get = !strcmp(r->method, "GET") || !strcmp(r->method, "HEAD");

	if (!strcmp(what, "integrations")) {
		if (get)
			return integ_route(s, r, a);
		r->cls = CLASS_integration;
	} else if (!strcmp(what, "logs") && (r->nsegs == 4 || r->nsegs == 5) &&
		   !strcmp(r->segs[3], "jobs")) {
		r->cls = CLASS_jobs;
		if (get) {
			if (slash_ok(s, r, r->nsegs == 4, a))
				list_jobs(s, r, r->nsegs == 5 ? r->segs[4] : NULL, a);
			return true;
		}
	} else if (!strcmp(what, "job-logs") && r->nsegs == 4) {
		r->cls = CLASS_jobs;
		if (get) {
			if (slash_ok(s, r, true, a))
				one_job_log(s, r, a);
			return true;
		}
	} else if (!strcmp(what, "data-diffs") && r->nsegs == 3) {
		r->cls = CLASS_diffs;
		if (get) {
			if (slash_ok(s, r, true, a))
				list_diffs(s, r, a);
			return true;
		}
	} else {
		return false;
	}
	answer_error(a, 405, "METHOD_NOT_ALLOWED", "this simulator only answers GET here");
	return true;
}
