/* SPDX-License-Identifier: MIT */
/*
 * control.c - the address by which tests look into the simulator and change it.
 *
 * Invariants: no call is limited, counted, or needs a key; an answer shows one moment (world.lock
 * is held); what is wrong with a call is said with 400 and has no effect.
 */
#include "sim.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One call: its parameters by query or JSON body, and where the answer goes. */
struct call {
	struct sim *s;
	struct req *r;
	struct answer *a;
	struct px_buf *out;
	cJSON *o; /* the body */
	struct px_err err;
};

enum { PICKS = 200 };

struct route {
	const char *method, *path;
	void (*run)(struct call *c);
	bool unlocked; /* takes the locks it needs by itself */
};

/* ---- parameters --------------------------------------------------------------------------------
 */

static void refuse(struct call *c, const char *why)
{
	c->a->status = 400;
	px_buf_reset(c->out);
	px_buf_adds(c->out, "{\"error\":");
	px_buf_add_jsons(c->out, why);
	px_buf_addc(c->out, '}');
}

static void settle(struct call *c, px_rc rc)
{
	if (rc)
		refuse(c, c->err.msg);
	else if (!c->out->len)
		px_buf_adds(c->out, "{}");
}

static const char *text_of(const struct call *c, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(c->o, name);
	const struct param *p = param_find(c->r->params, c->r->nparams, name);

	return cJSON_IsString(v) ? v->valuestring : p ? p->value : NULL;
}

static int64_t number_of(const struct call *c, const char *name, int64_t fallback)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(c->o, name);
	const struct param *p = param_find(c->r->params, c->r->nparams, name);

	return cJSON_IsNumber(v) ? (int64_t)v->valuedouble
	       : p		 ? strtoll(p->value, NULL, 10)
				 : fallback;
}

static bool flag_of(const struct call *c, const char *name, bool fallback)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(c->o, name);

	return cJSON_IsBool(v) ? cJSON_IsTrue(v) : fallback;
}

static bool usable(const struct call *c, const struct integ *in, int model)
{
	return integ_visible(c->s, in) && in->active && !in->archived && !in->pending &&
	       (model < 0 || in->cols[model].enabled);
}

/* One of those that have the model, by chance, rather one with records of it. */
static struct integ *any_integ(struct call *c, int model)
{
	const struct world *w = &c->s->world;

	for (int want_records = 1; want_records >= 0; want_records--) {
		uint64_t n = 0, at;

		for (int i = 0; i < w->ninteg; i++)
			n += usable(c, w->integs[i], model) &&
			     (!want_records || model < 0 ||
				     col_visible(&w->integs[i]->cols[model_base(model)]));
		if (!n)
			continue;
		at = sim_random(c->s, n);
		for (int i = 0; i < w->ninteg; i++)
			if (usable(c, w->integs[i], model) &&
				(!want_records || model < 0 ||
					col_visible(&w->integs[i]->cols[model_base(model)])) &&
				!at--)
				return w->integs[i];
	}
	return NULL;
}

/* The integration named, or one that has the model (-1: any). NULL with an answer given. */
static struct integ *integ_of(struct call *c, bool needed, int model)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(c->o, "integration");
	const char *id = text_of(c, "integration");
	char number[24];
	struct integ *in = NULL;

	if (cJSON_IsNumber(v)) {
		(void)snprintf(number, sizeof number, "%d", v->valueint);
		id = number;
	}
	if (id) {
		in = world_integ(c->s, id, strlen(id));
	} else if (needed) {
		in = any_integ(c, model);
	}
	if (!in && (id || needed))
		refuse(c, "no such integration");
	return in;
}

static int model_of(struct call *c, bool needed)
{
	const char *name = text_of(c, "model");
	int m = name ? px_model_by_dir(name) : -1;

	if (name && m < 0)
		m = px_model_by_any(name);
	if (m < 0 && (name || needed))
		refuse(c, "no such model");
	return m;
}

static struct change_options options_of(struct call *c)
{
	struct change_options o = {
		.events = flag_of(c, "events", true), .diffs = flag_of(c, "diffs", true)};
	struct span set = {NULL, 0};

	if (c->r->body.len)
		set = json_member(c->r->body.data, c->r->body.len, "set");
	if (set.p && *set.p == '{') {
		o.set = set.p;
		o.set_len = set.len;
	}
	return o;
}

/* ---- looking -----------------------------------------------------------------------------------
 */

static void run_stats(struct call *c)
{
	stats_text(c->s, c->out);
}

static void run_reset(struct call *c)
{
	stats_reset(c->s);
}

static void run_requests(struct call *c)
{
	stats_requests(c->s, (uint64_t)number_of(c, "since", 0), c->out);
}

static void run_truth(struct call *c)
{
	struct integ *only = integ_of(c, false, -1);
	int model = model_of(c, false);

	if (c->a->status != 200)
		return;
	world_settle(c->s);
	c->a->type = "application/x-ndjson";
	c->r->response = truth_response(c->s, only ? only->num : -1, model,
		number_of(c, "ids", 0) != 0, number_of(c, "all", 0) != 0);
}

static void run_integrations(struct call *c)
{
	const struct world *w = &c->s->world;

	px_buf_addc(c->out, '[');
	for (int i = 0; i < w->ninteg; i++) {
		const struct integ *in = w->integs[i];
		const char *phase = in->removed	   ? "removed"
				    : in->archived ? "archived"
				    : !in->active  ? "disabled"
				    : in->pending  ? "pending"
						   : "active";

		px_buf_addf(
			c->out, "%s{\"index\":%d,\"id\":\"%s\",\"name\":", i ? "," : "", i, in->id);
		px_buf_add_jsons(c->out, in->name);
		px_buf_addf(c->out,
			",\"vendor\":\"%s\",\"phase\":\"%s\",\"account\":%d,\"models\":{",
			in->vendor, phase, in->account);
		for (int m = 0; m < PX_MODEL_COUNT; m++)
			px_buf_addf(c->out,
				"%s\"%s\":{\"records\":%u,\"enabled\":%s,\"allowed\":%s}",
				m ? "," : "", px_models[m].dir,
				col_visible(&in->cols[model_base(m)]),
				in->cols[m].enabled ? "true" : "false",
				in->cols[m].allowed ? "true" : "false");
		px_buf_adds(c->out, "}}");
	}
	px_buf_addc(c->out, ']');
}

/* The record named by id or index; with neither, one at random. */
static bool record_of(struct call *c, struct col **ret_col, uint32_t *ret)
{
	const char *id = text_of(c, "id");
	int64_t index = number_of(c, "index", -1);
	int m = model_of(c, true);
	struct integ *in;

	if (m < 0)
		return false;
	if (id) {
		if (find_record(c->s, model_base(m), id, strlen(id), ret_col, ret))
			return true;
		refuse(c, "no such record");
		return false;
	}
	in = integ_of(c, true, m);
	if (!in)
		return false;
	*ret_col = &in->cols[model_base(m)];
	if (index >= 0 && index < col_visible(*ret_col)) {
		*ret = col_nth(*ret_col, (uint32_t)index);
		return true;
	}
	for (int i = 0; index < 0 && i < PICKS && pick_record(c->s, *ret_col, ret); i++)
		if (px_models[m].view_of < 0 || rec_appointment(*ret_col, *ret))
			return true;
	refuse(c, "no such record");
	return false;
}

static void run_record(struct call *c)
{
	struct col *col;
	uint32_t idx;

	if (record_of(c, &col, &idx) && !rec_text(c->s, col, idx, c->out))
		refuse(c, "the record has vanished");
}

/* ---- faults, keys, limits ----------------------------------------------------------------------
 */

static void run_fault(struct call *c)
{
	int64_t n = fault_add(
		c->s, c->r->body.data ? c->r->body.data : "", c->r->body.len, &c->err);

	if (n < 0)
		refuse(c, c->err.msg);
	else
		px_buf_addf(c->out, "{\"fault\":%lld}", (long long)n);
}

static void run_faults(struct call *c)
{
	faults_text(c->s, c->out);
}

static void run_fault_clear(struct call *c)
{
	fault_clear(c->s, number_of(c, "fault", 0));
}

static void run_key(struct call *c)
{
	const char *add = text_of(c, "add"), *gone = text_of(c, "remove");
	char **keys;

	c->s->revoked = flag_of(c, "revoke", c->s->revoked);
	for (size_t i = 0; gone && i < c->s->nkeys; i++)
		if (!strcmp(c->s->keys[i], gone)) {
			free(c->s->keys[i]);
			c->s->keys[i--] = c->s->keys[--c->s->nkeys];
		}
	if (!add)
		return;
	keys = realloc(c->s->keys, (c->s->nkeys + 1) * sizeof *keys);
	if (!keys)
		return;
	c->s->keys = keys;
	keys[c->s->nkeys] = strdup(add);
	c->s->nkeys += keys[c->s->nkeys] != NULL;
}

/* For one integration or all. Events and appointments are one model to the API. */
static void each_model(struct call *c, bool allowed, bool on)
{
	int m = model_of(c, true);
	struct integ *only = m < 0 ? NULL : integ_of(c, false, -1);

	if (c->a->status != 200)
		return;
	if (allowed && !only)
		c->s->world.refused[m] = !on;
	for (int i = 0; i < c->s->world.ninteg; i++) {
		struct integ *in = c->s->world.integs[i];

		if (only && only != in)
			continue;
		for (int k = 0; k < PX_MODEL_COUNT; k++) {
			if (allowed && k == m)
				in->cols[k].allowed = on;
			else if (!allowed && model_base(k) == model_base(m))
				in->cols[k].enabled = on;
		}
		if (!allowed)
			in->updated_ms = world_now(c->s);
	}
	world_changed(c->s);
}

static void run_permission(struct call *c)
{
	each_model(c, true, flag_of(c, "allowed", true));
}

static void run_model(struct call *c)
{
	each_model(c, false, flag_of(c, "enabled", true));
}

static void run_account(struct call *c)
{
	const char *show = text_of(c, "show");

	if (!show || (strcmp(show, "none") && strcmp(show, "other") && strcmp(show, "all"))) {
		refuse(c, "show: none, other or all");
		return;
	}
	c->s->world.account = !strcmp(show, "none") ? -1 : !strcmp(show, "other");
	if (c->s->world.account == 1) {
		bool there = false;

		for (int i = 0; i < c->s->world.ninteg; i++)
			there |= c->s->world.integs[i]->account == 1;
		if (!there && (!world_add(c->s, "Somebody else", false, 5, 1) ||
				      !world_add(c->s, "Another one", false, 5, 1)))
			refuse(c, "out of memory");
	}
	world_changed(c->s);
}

static void run_rate(struct call *c)
{
	if (number_of(c, "limit", -1) >= 0)
		limit_set(c->s, number_of(c, "limit", 0));
	if (number_of(c, "used", -1) >= 0)
		limit_use(c->s, number_of(c, "used", 0));
}

static void run_settings(struct call *c)
{
	const char *meta = text_of(c, "meta"), *quirk = text_of(c, "quirk"),
		   *payload = text_of(c, "payload");
	const cJSON *live = cJSON_GetObjectItemCaseSensitive(c->o, "live");
	int q = quirk ? quirk_by_name(quirk) : -1;

	if ((meta && !meta_by_name(meta, &c->s->meta)) || (quirk && q < 0)) {
		refuse(c, "no such setting");
		return;
	}
	if (q >= 0)
		c->s->quirk[q] = flag_of(c, "on", true);
	c->s->lag_ms = number_of(c, "lag_ms", c->s->lag_ms);
	if (payload) {
		char set[64];
		int n = snprintf(set, sizeof set, "{\"payload\":\"%.20s\"}", payload);

		settle(c, deliveries_set(c->s, set, (size_t)n, &c->err));
	}
	if (cJSON_IsNumber(live)) {
		c->s->live_ms = (int64_t)(live->valuedouble * 1000);
		live_start(c->s);
	}
	world_changed(c->s);
}

/* ---- changes -----------------------------------------------------------------------------------
 */

static void add_record(struct call *c, const struct col *col, uint32_t idx)
{
	char id[SIM_ID_MAX];

	if (!c->out->len)
		px_buf_adds(c->out, "{\"records\":[");
	px_buf_addf(c->out, "%s{\"integration_id\":\"%s\",\"model\":\"%s\",\"id\":",
		c->out->data[c->out->len - 1] == '[' ? "" : ",", col->in->id,
		px_models[col->model].dir);
	px_buf_add_json(c->out, id, rec_id(col, idx, id));
	px_buf_addc(c->out, '}');
}

static void end_records(struct call *c, px_rc rc)
{
	px_buf_adds(c->out, c->out->len ? "]}" : "{\"records\":[]}");
	settle(c, rc);
}

/* An event is an appointment when it has a time for one. */
static void add_appointment(struct call *c, struct change_options *o, struct px_buf *set)
{
	struct px_buf at = PX_BUF_INIT(64);

	if (o->set && json_member(o->set, o->set_len, "appointment_datetime").p)
		return;
	time_text(world_now(c->s) + 86400000, &at);
	json_replace(o->set ? o->set : "{}", o->set ? o->set_len : 2, "appointment_datetime",
		at.data, at.len, set);
	o->set = set->data;
	o->set_len = set->len;
	px_buf_release(&at);
}

/* The record to stand below: the one named, or one at random. */
static bool parent_of(struct call *c, int model, struct integ **in, int64_t *ret)
{
	const char *name = text_of(c, "parent");
	struct col *col = &(*in)->cols[model];
	uint32_t idx;

	if (name ? !find_record(c->s, model, name, strlen(name), &col, &idx)
		 : !pick_record(c->s, col, &idx))
		return false;
	*in = col->in;
	*ret = idx;
	return true;
}

static void run_create(struct call *c)
{
	struct change_options o = options_of(c);
	int64_t count = number_of(c, "count", 1), parent = -1;
	struct px_buf set = PX_BUF_INIT(SIM_TEXT_MAX);
	int m = model_of(c, true);
	struct integ *in = m < 0 ? NULL : integ_of(c, true, m);
	px_rc rc = PX_OK;

	if (!in)
		return;
	if (px_models[m].view_of >= 0)
		add_appointment(c, &o, &set);
	for (int64_t i = 0; i < count && !rc; i++) {
		uint32_t idx = 0;

		if (px_models[m].parent >= 0 && !parent_of(c, px_models[m].parent, &in, &parent))
			rc = px_err_set(&c->err, PX_ENOENT, "no such parent");
		else if (!in->cols[m].enabled)
			rc = px_err_set(&c->err, PX_EINVAL, "the model is not enabled");
		else
			rc = change_create(c->s, &in->cols[model_base(m)], text_of(c, "id"), parent,
				flag_of(c, "stub", false), &o, &idx, &c->err);
		if (!rc)
			add_record(c, &in->cols[model_base(m)], idx);
	}
	end_records(c, rc);
	px_buf_release(&set);
}

static void change_some(
	struct call *c, px_rc (*change)(struct sim *s, struct col *col, uint32_t idx,
				const struct change_options *o, struct px_err *err))
{
	const struct change_options o = options_of(c);
	int64_t count = number_of(c, "count", 1);
	px_rc rc = PX_OK;

	for (int64_t i = 0; i < count && !rc; i++) {
		struct col *col;
		uint32_t idx;

		if (!record_of(c, &col, &idx))
			return;
		rc = change(c->s, col, idx, &o, &c->err);
		if (!rc)
			add_record(c, col, idx);
	}
	end_records(c, rc);
}

static px_rc delete_one(struct sim *s, struct col *col, uint32_t idx,
	const struct change_options *o, struct px_err *err)
{
	(void)o;
	return change_delete(s, col, idx, err);
}

static void run_update(struct call *c)
{
	change_some(c, change_update);
}

static void run_delete(struct call *c)
{
	change_some(c, delete_one);
}

static px_rc touch_one(struct sim *s, struct col *col, uint32_t idx, const struct change_options *o,
	struct px_err *err)
{
	return change_touch(s, col, idx, o, err);
}

static void run_touch(struct call *c)
{
	/* only announced when asked for */
	if (!flag_of(c, "event", false)) {
		cJSON_DeleteItemFromObjectCaseSensitive(c->o, "events");
		cJSON_DeleteItemFromObjectCaseSensitive(c->o, "diffs");
		(void)cJSON_AddFalseToObject(c->o, "events");
		(void)cJSON_AddFalseToObject(c->o, "diffs");
	}
	change_some(c, touch_one);
}

static bool read_models(const struct call *c, struct sync_plan *p)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(c->o, "models"), *v;

	p->some_models = cJSON_IsArray(list);
	cJSON_ArrayForEach(v, list)
	{
		int m = cJSON_IsString(v) ? px_model_by_dir(v->valuestring) : -1;

		if (m < 0 && cJSON_IsString(v))
			m = px_model_by_any(v->valuestring);
		if (m < 0)
			return false;
		p->models[model_base(m)] = true;
	}
	return true;
}

static void sync_of(struct call *c, bool back)
{
	struct sync_plan p = {.in = integ_of(c, true, -1), .back = back};

	if (!p.in)
		return;
	p.creates = (int)number_of(c, "creates", 0);
	p.updates = (int)number_of(c, "updates", 0);
	p.touch = flag_of(c, "touch", true);
	p.finished = flag_of(c, "finished", true);
	p.silent = !flag_of(c, "events", true);
	p.no_diffs = !flag_of(c, "diffs", true);
	p.failed = (int)number_of(c, "failed", 0);
	p.duration_ms = number_of(c, "duration_ms", 0);
	if (!read_models(c, &p))
		refuse(c, "no such model");
	else
		settle(c, sync_run(c->s, &p, &c->err));
}

static void run_sync(struct call *c)
{
	sync_of(c, false);
}

static void run_back_sync(struct call *c)
{
	sync_of(c, true);
}

/* Without an integration: the first whose first sync is not finished. */
static void run_first_sync(struct call *c)
{
	struct sync_plan p = {.in = integ_of(c, false, -1)};

	for (int i = 0; i < c->s->world.ninteg && !p.in && c->a->status == 200; i++)
		if (c->s->world.integs[i]->pending)
			p.in = c->s->world.integs[i];
	if (!p.in || !read_models(c, &p))
		refuse(c, "no such integration or model");
	else
		settle(c, first_sync(c->s, p.in, p.models, p.some_models, &c->err));
}

static void run_fail_job(struct call *c)
{
	struct integ *in = integ_of(c, true, -1);
	char job[32], root[32], rest[256];

	if (!in)
		return;
	change_job(c->s, in, "READ_RESIDENTS", "FAILURE", job, root);
	(void)snprintf(rest, sizeof rest,
		",\"job_id\":\"%s\",\"root_job_id\":\"%s\",\"job_type\":\"READ_RESIDENTS\"", job,
		root);
	deliver_event(
		c->s, &(struct event){.trigger = TRIGGER_JOB_FAILURE, .in = in, .rest = rest});
}

static void run_write_failure(struct call *c)
{
	struct integ *in = integ_of(c, true, -1);
	char root[32], rest[256];

	if (!in)
		return;
	random_id(c->s, root);
	(void)snprintf(rest, sizeof rest,
		",\"root_job_id\":\"%s\",\"write_status\":\"FAILURE\",\"errors\":[\"duplicate\"]",
		root);
	deliver_event(
		c->s, &(struct event){
			      .trigger = TRIGGER_WRITE_OPERATION_FAILURE, .in = in, .rest = rest});
}

static void run_hydrate(struct call *c)
{
	int m = model_of(c, true);
	struct integ *in = m < 0 ? NULL : integ_of(c, true, m);
	int64_t steps = number_of(c, "steps", 3);
	uint32_t idx;
	px_rc rc;

	if (!in)
		return;
	if (steps < 0 || steps > 1000) {
		refuse(c, "steps: 0 to 1000");
		return;
	}
	rc = hydrate(c->s, &in->cols[model_base(m)], (int)steps, number_of(c, "interval_ms", 200),
		&idx, &c->err);
	if (!rc)
		add_record(c, &in->cols[model_base(m)], idx);
	end_records(c, rc);
}

static const struct px_webhook_model *webhook_model_of(struct call *c)
{
	const char *name = text_of(c, "model");
	const struct px_webhook_model *m = name ? px_webhook_model_by_name(name, strlen(name))
						: NULL;

	if (!m)
		refuse(c, "no such model of webhooks");
	return m;
}

static void run_join(struct call *c)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(c->o, "parents"), *v;
	const struct change_options o = options_of(c);
	const struct px_webhook_model *m = webhook_model_of(c);
	struct integ *in = m ? integ_of(c, true, m->parents[0]) : NULL;
	const char *op = text_of(c, "op"), *parents[4];
	size_t n = 0;

	if (!in)
		return;
	cJSON_ArrayForEach(v, list) if (cJSON_IsString(v) && n < 4) parents[n++] = v->valuestring;
	settle(c, change_join(c->s, in, m, !op || strcmp(op, "update") != 0, parents, n, &o, c->out,
			  &c->err));
}

static void run_event(struct call *c)
{
	const struct change_options o = options_of(c);
	const struct px_webhook_model *m = webhook_model_of(c);
	struct integ *in = m ? integ_of(c, true, -1) : NULL;

	if (in)
		settle(c, change_event(c->s, in, m, &o, c->out));
}

static void run_integration(struct call *c)
{
	const char *op = text_of(c, "op"), *name = text_of(c, "name");
	struct integ *in;

	if (op && !strcmp(op, "add")) {
		in = world_add(c->s, name ? name : "New one", flag_of(c, "pending", false),
			(uint32_t)number_of(c, "records", 10), 0);
		if (!in)
			refuse(c, "out of memory");
		else
			px_buf_addf(c->out, "{\"id\":\"%s\",\"index\":%d}", in->id, in->num);
		world_changed(c->s);
		return;
	}
	in = integ_of(c, true, -1);
	if (!in)
		return;
	if (op && !strcmp(op, "rename") && name) {
		char *copy = strdup(name);

		if (!copy)
			return;
		free(in->name);
		in->name = copy;
	} else if (op && (!strcmp(op, "disable") || !strcmp(op, "enable"))) {
		in->active = *op == 'e';
	} else if (op && (!strcmp(op, "archive") || !strcmp(op, "unarchive"))) {
		in->archived = *op == 'a';
	} else if (op && (!strcmp(op, "remove") || !strcmp(op, "restore"))) {
		in->removed = !strcmp(op, "remove");
	} else if (op && !strcmp(op, "syncing")) {
		in->syncing = flag_of(c, "on", true);
		return;
	} else {
		refuse(c, "no such op");
		return;
	}
	in->updated_ms = world_now(c->s);
	world_changed(c->s);
}

/* ---- deliveries --------------------------------------------------------------------------------
 */

static void run_deliver(struct call *c)
{
	const cJSON *body = cJSON_GetObjectItemCaseSensitive(c->o, "body");
	const char *sign = text_of(c, "sign");
	struct span raw = {NULL, 0};
	struct px_buf text = PX_BUF_INIT(SIM_BODY_MAX);
	size_t n = 0;

	if (c->r->body.len)
		raw = json_member(c->r->body.data, c->r->body.len, "body");
	if (!raw.p) {
		refuse(c, "body is missing");
		return;
	}
	if (cJSON_IsString(body))
		json_decode(raw, &text);
	else
		px_buf_add(&text, raw.p, raw.len);
	for (int64_t i = number_of(c, "times", 1); i > 0; i--)
		n += deliver_raw(c->s, text.data ? text.data : "", text.len, sign ? sign : "good");
	px_buf_addf(c->out, "{\"deliveries\":%zu}", n);
	px_buf_release(&text);
}

static void run_deliveries(struct call *c)
{
	settle(c, deliveries_set(c->s, c->r->body.data ? c->r->body.data : "{}",
			  c->r->body.len ? c->r->body.len : 2, &c->err));
}

static void run_deliveries_show(struct call *c)
{
	deliveries_text(c->s, c->out);
}

/* Deliveries take real time whatever the test clock says, so this waits in real time. */
static int64_t real_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Asked again every few milliseconds until idle or too late. */
static void run_wait(struct call *c)
{
	bool idle;

	world_settle(c->s);
	idle = deliveries_idle(c->s) && !timer_steps(c->s) && !c->s->world.nlagging;
	if (!c->r->wait_until_ms)
		c->r->wait_until_ms = real_ms() + number_of(c, "timeout_ms", 10000);
	if (!idle && real_ms() < c->r->wait_until_ms && !c->s->stopping)
		return;
	c->r->wait_until_ms = 0;
	px_buf_addf(c->out, "{\"idle\":%s}", idle ? "true" : "false");
}

static const struct route routes[] = {
	{"GET", "stats", run_stats, true},
	{"POST", "stats/reset", run_reset, true},
	{"GET", "requests", run_requests, true},
	{"GET", "truth", run_truth, false},
	{"GET", "integrations", run_integrations, false},
	{"GET", "record", run_record, false},
	{"POST", "fault", run_fault, true},
	{"GET", "faults", run_faults, true},
	{"POST", "fault/clear", run_fault_clear, true},
	{"POST", "key", run_key, false},
	{"POST", "permission", run_permission, false},
	{"POST", "model", run_model, false},
	{"POST", "account", run_account, false},
	{"POST", "rate", run_rate, true},
	{"POST", "settings", run_settings, false},
	{"POST", "create", run_create, false},
	{"POST", "update", run_update, false},
	{"POST", "delete", run_delete, false},
	{"POST", "touch", run_touch, false},
	{"POST", "sync", run_sync, false},
	{"POST", "back-sync", run_back_sync, false},
	{"POST", "first-sync", run_first_sync, false},
	{"POST", "fail-job", run_fail_job, false},
	{"POST", "write-failure", run_write_failure, false},
	{"POST", "hydrate", run_hydrate, false},
	{"POST", "join", run_join, false},
	{"POST", "event", run_event, false},
	{"POST", "integration", run_integration, false},
	{"POST", "deliver", run_deliver, false},
	{"POST", "deliveries", run_deliveries, true},
	{"GET", "deliveries", run_deliveries_show, true},
	{"POST", "wait", run_wait, false},
};

static void run(const struct route *route, struct call *c)
{
	if (c->r->body.len &&
		json_skip(json_space(c->r->body.data, c->r->body.data + c->r->body.len),
			c->r->body.data + c->r->body.len) == NULL) {
		refuse(c, "the body is not JSON");
		return;
	}
	c->o = cJSON_ParseWithLength(
		c->r->body.data ? c->r->body.data : "{}", c->r->body.len ? c->r->body.len : 2);
	if (!cJSON_IsObject(c->o)) {
		refuse(c, "the body is not a JSON object");
	} else if (route->unlocked) {
		route->run(c);
	} else {
		(void)pthread_mutex_lock(&c->s->world.lock);
		route->run(c);
		(void)pthread_mutex_unlock(&c->s->world.lock);
	}
	cJSON_Delete(c->o);
	if (!c->out->len && !c->r->wait_until_ms && strcmp(route->method, "GET") != 0)
		px_buf_adds(c->out, "{}");
}

void control_route(struct sim *s, struct req *r, struct answer *a)
{
	const char *path = r->path + strlen("/_control/");
	struct call c = {.s = s, .r = r, .a = a, .out = &a->page.body};

	if (strlen(r->path) > strlen("/_control/"))
		for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
			if (!strcmp(routes[i].method, r->method) && !strcmp(routes[i].path, path)) {
				run(&routes[i], &c);
				return;
			}
	refuse(&c, "no such call");
}
