/* SPDX-License-Identifier: MIT */
/*
 * change.c - one record that comes, changes, is seen again or goes, and what is said of it.
 *
 * Invariants: a record's updated_at only ever grows, and created_at of what is made at run time is
 * later than every other in its collection, so that the order of the index stays the order of
 * (created_at, id); a diff names stored columns only, as the real one does: embedded arrays and
 * derived twins change without being named; an integration whose first sync is not finished sends
 * nothing. Needs world.lock.
 */
#include "sim.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"

enum {
	NAME_MAX_LEN = 128,
	CHANGED_MAX = 3,     /* members that an update changes */
	PICKS = 40,	     /* tries to find a member whose new value is another */
	PARTIAL_MEMBERS = 4, /* of a DATA_NEW payload */
	DIFFS_MAX = 1000000, /* kept; then the older half goes */
};

/* A record on its way from one state to the next. */
struct change {
	struct sim *s;
	struct col *c;
	uint32_t idx;
	struct px_buf text;	/* the whole record */
	struct px_buf now, was; /* members that a diff names */
	bool has_updated, has_seen;
	const char *refused; /* a member that may not be set */
};

static void change_init(struct change *ch, struct sim *s, struct col *c, uint32_t idx)
{
	*ch = (struct change){.s = s, .c = c, .idx = idx};
	px_buf_init(&ch->text, SIM_TEXT_MAX);
	px_buf_init(&ch->now, SIM_TEXT_MAX);
	px_buf_init(&ch->was, SIM_TEXT_MAX);
}

static void change_release(struct change *ch)
{
	px_buf_release(&ch->text);
	px_buf_release(&ch->now);
	px_buf_release(&ch->was);
}

static void replace(struct change *ch, const char *name, const char *value, size_t len)
{
	struct px_buf out = PX_BUF_INIT(SIM_TEXT_MAX);

	json_replace(ch->text.data, ch->text.len, name, value, len, &out);
	px_buf_release(&ch->text);
	ch->text = out;
}

static void add_member(struct px_buf *out, const char *name, const char *value, size_t len)
{
	if (out->len)
		px_buf_addc(out, ',');
	px_buf_add_jsons(out, name);
	px_buf_addc(out, ':');
	px_buf_add(out, value, len);
}

/* Replaces a member, and what is derived from it; the diff names it when it is a stored column. */
static void change_member(struct change *ch, const char *name, const char *value, size_t len)
{
	const struct px_model *m = &px_models[ch->c->model];
	const char *twin = member_twin(m, name);
	struct span old = json_member(ch->text.data, ch->text.len, name);
	bool stored = true;

	for (size_t i = 0; i < m->nfields; i++)
		if (!strcmp(m->fields[i].name, name))
			stored = member_stored(m, &m->fields[i]);
	if (stored) {
		add_member(&ch->was, name, old.p ? old.p : "null", old.p ? old.len : 4);
		add_member(&ch->now, name, value, len);
	}
	replace(ch, name, value, len);
	if (twin && json_member(ch->text.data, ch->text.len, twin).p)
		replace(ch, twin, value, len);
}

static void set_each(void *arg, struct span key, struct span value)
{
	struct change *ch = arg;
	char name[NAME_MAX_LEN];

	if (key.len >= sizeof name) {
		ch->refused = "a name of 128 characters";
		return;
	}
	memcpy(name, key.p, key.len);
	name[key.len] = '\0';
	if (!strcmp(name, "id"))
		ch->refused = "id";
	else if (!strcmp(name, "created_at"))
		ch->refused = "created_at";
	else if (!strcmp(name, "integration_id"))
		ch->refused = "integration_id";
	if (ch->refused)
		return;
	ch->has_updated |= !strcmp(name, "updated_at");
	ch->has_seen |= !strcmp(name, "last_seen");
	change_member(ch, name, value.p, value.len);
}

static px_rc apply_set(struct change *ch, const struct change_options *o, struct px_err *err)
{
	json_members(o->set, o->set_len, set_each, ch);
	if (ch->refused)
		return px_err_set(err, PX_EINVAL, "%s cannot be set", ch->refused);
	return PX_OK;
}

static void change_time(struct change *ch, const char *name, int64_t ms, bool named)
{
	struct px_buf text = PX_BUF_INIT(64);

	time_text(ms, &text);
	if (named)
		change_member(ch, name, text.data, text.len);
	else
		replace(ch, name, text.data, text.len);
	px_buf_release(&text);
}

static int64_t text_time(const struct px_buf *text, const char *name)
{
	struct span v = json_member(text->data, text->len, name);
	int64_t ns;

	if (!v.p || v.len < 3 || px_time_parse(v.p + 1, v.len - 2, &ns))
		return INT64_MIN;
	return ns / 1000000;
}

/* Later than it was, even when two changes fall into one millisecond. */
static int64_t next_updated(struct change *ch)
{
	int64_t now = world_now(ch->s), old = text_time(&ch->text, "updated_at");

	return old >= now ? old + 1 : now;
}

/* ---- saying it ---------------------------------------------------------------------------------
 */

static bool grow_diffs(struct world *w)
{
	size_t cap = w->diffs_cap ? w->diffs_cap * 2 : 256;
	struct diff *diffs;

	if (w->ndiffs >= DIFFS_MAX) {
		size_t half = w->ndiffs / 2;

		for (size_t i = 0; i < half; i++) {
			free(w->diffs[i].record_id);
			free(w->diffs[i].text);
		}
		memmove(w->diffs, w->diffs + half, (w->ndiffs - half) * sizeof *w->diffs);
		w->ndiffs -= half;
		return true;
	}
	diffs = realloc(w->diffs, cap * sizeof *diffs);
	if (!diffs)
		return false;
	w->diffs = diffs;
	w->diffs_cap = cap;
	return true;
}

static void log_diff(struct sim *s, const struct news *n, const char *job_id)
{
	struct world *w = &s->world;
	struct px_buf text = PX_BUF_INIT(SIM_TEXT_MAX);
	struct diff *d;

	if (w->ndiffs == w->diffs_cap && !grow_diffs(w))
		return;
	if (!n->is_new)
		px_buf_addf(&text, "{\"new\":%s,\"previous\":%s}", n->now, n->was);
	else if (s->quirk[QUIRK_DIFFS_PLAIN_NEW])
		px_buf_adds(&text, n->now);
	else
		px_buf_addf(&text, "{\"new\":%s}", n->now);
	d = &w->diffs[w->ndiffs];
	*d = (struct diff){.snake = n->model->snake,
		.record_id = strdup(n->record_id),
		.text = px_buf_steal(&text, NULL),
		.is_new = n->is_new,
		.created_ms = world_now(s),
		.integ = n->in->num};
	if (!d->record_id || !d->text) {
		free(d->record_id);
		free(d->text);
		return;
	}
	random_id(s, d->id);
	memcpy(d->job_id, job_id, sizeof d->job_id);
	w->ndiffs++;
}

void job_type(const char *snake, char ret[64])
{
	size_t n = (size_t)snprintf(ret, 64, "READ_%s", snake);

	for (size_t i = 0; i < n && i < 63; i++)
		ret[i] = (char)toupper((unsigned char)ret[i]);
}

void change_news(struct sim *s, const struct news *n, const struct change_options *o)
{
	char type[64], job[32], root[32];
	bool events = o->events && !n->in->pending;
	bool diffs = o->diffs && (!n->in->pending || s->quirk[QUIRK_DIFFS_SILENT_SYNCS]);

	if (!events && !diffs)
		return;
	job_type(n->model->snake, type);
	if (o->job_id) {
		(void)snprintf(job, sizeof job, "%s", o->job_id);
		(void)snprintf(root, sizeof root, "%s", o->root_id);
	} else {
		change_job(s, n->in, type, "SUCCESS", job, root);
	}
	if (diffs)
		log_diff(s, n, job);
	if (events)
		deliver_event(s, &(struct event){.trigger = n->is_new ? TRIGGER_DATA_NEW
								      : TRIGGER_DATA_UPDATE,
					 .in = n->in,
					 .model = n->model,
					 .record_id = n->record_id,
					 .property_id = n->property_id,
					 .payload = n->payload ? n->payload : n->now,
					 .diff_new = n->now,
					 .diff_previous = n->was,
					 .job_id = job,
					 .root_id = root,
					 .job_type = type});
}

/* Stored members of a record's text: all of them, or a few that a partial payload shows. */
struct collect {
	const struct px_model *m;
	struct px_buf *out;
	bool full;
	int left;
};

static void collect_each(void *arg, struct span key, struct span value)
{
	static const char *const hidden[] = {"id", "integration_id", "integration_vendor",
		"property_id", "x_id", "x_property_id", "x_location_id", "updated_at", "last_seen"};
	struct collect *k = arg;
	char name[NAME_MAX_LEN];

	if (key.len >= sizeof name)
		return;
	memcpy(name, key.p, key.len);
	name[key.len] = '\0';
	for (size_t i = 0; i < k->m->nfields; i++)
		if (!strcmp(k->m->fields[i].name, name) && !member_stored(k->m, &k->m->fields[i]))
			return;
	if (!k->full) {
		for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
			if (!strcmp(hidden[i], name))
				return;
		if (!k->left || json_is(value, "null"))
			return;
		k->left--;
	}
	add_member(k->out, name, value.p, value.len);
}

static char *collect(const struct col *c, const struct px_buf *text, bool full)
{
	struct px_buf out = PX_BUF_INIT(SIM_TEXT_MAX), whole = PX_BUF_INIT(SIM_TEXT_MAX);
	struct collect k = {&px_models[c->model], &out, full, PARTIAL_MEMBERS};

	json_members(text->data, text->len, collect_each, &k);
	px_buf_addc(&whole, '{');
	px_buf_add(&whole, out.data ? out.data : "", out.len);
	px_buf_addc(&whole, '}');
	px_buf_release(&out);
	return px_buf_steal(&whole, NULL);
}

static char *in_braces(const struct px_buf *members)
{
	struct px_buf out = PX_BUF_INIT(SIM_TEXT_MAX);

	px_buf_addc(&out, '{');
	px_buf_add(&out, members->data ? members->data : "", members->len);
	px_buf_addc(&out, '}');
	return px_buf_steal(&out, NULL);
}

static void announce(struct change *ch, bool is_new, const struct change_options *o)
{
	const char *snake = px_models[ch->c->model].snake;
	struct px_buf property = PX_BUF_INIT(SIM_TEXT_MAX);
	struct span at = json_member(ch->text.data, ch->text.len, "property_id");
	char id[SIM_ID_MAX];
	char *now, *was = NULL, *payload = NULL;

	if (!o->events && !o->diffs)
		return;
	if (at.p && *at.p == '"')
		json_decode(at, &property);
	(void)rec_id(ch->c, ch->idx, id);
	now = is_new ? collect(ch->c, &ch->text, true) : in_braces(&ch->now);
	if (is_new)
		payload = collect(ch->c, &ch->text, deliveries_full(ch->s));
	else
		was = in_braces(&ch->was);
	if (now && (is_new ? payload : was))
		change_news(ch->s,
			&(struct news){.in = ch->c->in,
				.model = px_webhook_model_by_name(snake, strlen(snake)),
				.record_id = id,
				.property_id = property.data,
				.is_new = is_new,
				.now = now,
				.was = was,
				.payload = payload},
			o);
	free(now);
	free(was);
	free(payload);
	px_buf_release(&property);
}

/* The new state becomes the record's; the text is given away. */
static px_rc put(struct change *ch, struct px_err *err)
{
	struct px_buf copy = PX_BUF_INIT(SIM_TEXT_MAX);
	size_t len;
	char *text;

	if (px_buf_ok(&ch->text, err))
		return err ? err->code : PX_ENOMEM;
	px_buf_add(&copy, ch->text.data, ch->text.len);
	text = px_buf_steal(&copy, &len);
	if (!text || rec_put(ch->s, ch->c, ch->idx, text, len, false))
		return px_err_nomem(err);
	return PX_OK;
}

/* ---- changes -----------------------------------------------------------------------------------
 */

static px_rc new_id_free(struct sim *s, int model, const char *id, struct px_err *err)
{
	struct px_buf text = PX_BUF_INIT(SIM_TEXT_MAX);
	struct col *other;
	uint32_t idx;
	bool there = find_record(s, model, id, strlen(id), &other, &idx) &&
		     rec_newest(s, other, idx, &text);

	px_buf_release(&text);
	if (!*id || strlen(id) >= SIM_ID_MAX)
		return px_err_set(err, PX_EINVAL, "an id has 1 to %d bytes", SIM_ID_MAX - 1);
	return there ? px_err_set(err, PX_EEXIST, "there is a record of this id") : PX_OK;
}

px_rc change_create(struct sim *s, struct col *c, const char *id, int64_t parent, bool stub,
	const struct change_options *o, uint32_t *ret, struct px_err *err)
{
	struct render_as as = {.parent = parent, .stub = stub, .turn = 1};
	char made[SIM_ID_MAX];
	struct change ch;
	struct rec *r;
	px_rc rc = PX_OK;

	change_init(&ch, s, c, c->n + c->created);
	as.created_ms = world_now(s);
	if (as.created_ms <= c->last_created_ms)
		as.created_ms = c->last_created_ms + 1;
	as.updated_ms = as.seen_ms = as.created_ms;
	if (id)
		rc = new_id_free(s, c->model, id, err);
	else
		(void)make_cuid(c, ch.idx, as.created_ms, made);
	as.id = id ? id : made;
	if (!rc) {
		fresh_render(s, c, ch.idx, &as, &ch.text);
		rc = px_buf_ok(&ch.text, err);
	}
	if (!rc && o->set)
		rc = apply_set(&ch, o, err);
	r = rc ? NULL : col_rec_make(s, c, ch.idx);
	if (r && !r->id) {
		r->id = strdup(as.id);
		r->parent = parent;
		r->turn = 1;
	}
	if (!rc && (!r || !r->id))
		rc = px_err_nomem(err);
	if (!rc) {
		c->created++;
		c->last_created_ms = as.created_ms;
		rec_register(s, r);
		rc = put(&ch, err);
	}
	if (!rc) {
		*ret = ch.idx;
		announce(&ch, true, o);
	}
	change_release(&ch);
	return rc;
}

/* One to three members that change by themselves get other values. */
static void change_some(struct change *ch, struct rec *r)
{
	size_t nfields = px_models[ch->c->model].nfields;
	size_t want = 1 + (size_t)sim_random(ch->s, CHANGED_MAX), n = 0, picked[CHANGED_MAX];
	struct px_buf value = PX_BUF_INIT(SIM_TEXT_MAX);

	for (int i = 0; i < PICKS && n < want; i++) {
		size_t member = (size_t)sim_random(ch->s, nfields);
		const char *name = px_models[ch->c->model].fields[member].name;
		struct span old = json_member(ch->text.data, ch->text.len, name);

		px_buf_reset(&value);
		for (size_t k = 0; k < n; k++)
			if (picked[k] == member)
				old.p = NULL;
		if (!old.p || !fresh_value(ch->s, ch->c, ch->idx, member, ++r->turn, &value) ||
			!value.data ||
			(old.len == value.len && !memcmp(old.p, value.data, old.len)))
			continue;
		change_member(ch, name, value.data, value.len);
		picked[n++] = member;
	}
	px_buf_release(&value);
}

px_rc change_update(struct sim *s, struct col *c, uint32_t idx, const struct change_options *o,
	struct px_err *err)
{
	struct rec *r = col_rec_make(s, c, idx);
	struct change ch;
	px_rc rc = PX_OK;

	change_init(&ch, s, c, idx);
	if (!r)
		rc = px_err_nomem(err);
	else if (!rec_newest(s, c, idx, &ch.text))
		rc = px_err_set(err, PX_ENOENT, "no such record");
	if (!rc && o->set)
		rc = apply_set(&ch, o, err);
	else if (!rc)
		change_some(&ch, r);
	if (!rc) {
		if (!ch.has_updated)
			change_time(&ch, "updated_at", next_updated(&ch),
				s->quirk[QUIRK_DIFF_UPDATED_AT]);
		if (!ch.has_seen)
			change_time(&ch, "last_seen", world_now(s), true);
		rc = put(&ch, err);
	}
	if (!rc)
		announce(&ch, false, o);
	change_release(&ch);
	return rc;
}

px_rc change_touch(struct sim *s, struct col *c, uint32_t idx, const struct change_options *o,
	struct px_err *err)
{
	struct change ch;
	px_rc rc = PX_OK;

	change_init(&ch, s, c, idx);
	if (!rec_newest(s, c, idx, &ch.text))
		rc = px_err_set(err, PX_ENOENT, "no such record");
	if (!rc) {
		if (s->quirk[QUIRK_TOUCH_MOVES_UPDATED_AT])
			change_time(&ch, "updated_at", next_updated(&ch), false);
		change_time(&ch, "last_seen", world_now(s), true);
		rc = put(&ch, err);
	}
	if (!rc)
		announce(&ch, false, o);
	change_release(&ch);
	return rc;
}

px_rc change_delete(struct sim *s, struct col *c, uint32_t idx, struct px_err *err)
{
	struct px_buf text = PX_BUF_INIT(SIM_TEXT_MAX);
	bool there = rec_newest(s, c, idx, &text);

	px_buf_release(&text);
	if (!there)
		return px_err_set(err, PX_ENOENT, "no such record");
	return rec_put(s, c, idx, NULL, 0, true) ? px_err_nomem(err) : PX_OK;
}

px_rc change_embedded(struct sim *s, struct col *c, uint32_t idx, const char *member,
	const char *value, size_t len, struct px_err *err)
{
	struct change ch;
	px_rc rc = PX_OK;

	change_init(&ch, s, c, idx);
	if (!rec_newest(s, c, idx, &ch.text))
		rc = px_err_set(err, PX_ENOENT, "no such record");
	if (!rc) {
		replace(&ch, member, value, len);
		if (s->quirk[QUIRK_JOIN_MOVES_UPDATED_AT])
			change_time(&ch, "updated_at", next_updated(&ch), false);
		rc = put(&ch, err);
	}
	change_release(&ch);
	return rc;
}
