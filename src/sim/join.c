/* SPDX-License-Identifier: MIT */
/*
 * join.c - rows that have no collection of their own: joins, embedded rows, and models that only
 * events show.
 *
 * A row that comes or changes is announced under its own model, while the records that embed it
 * change without a word and, without a quirk, without a new updated_at: that is what makes them
 * hard to mirror. A row's id is kept from its DATA_NEW on, so that a later DATA_UPDATE, which names
 * only the changed columns, can be traced to its parents. Needs world.lock.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 4096, SIDES = 2, TRIES = 50 };

/* Where a row shows: in this member of the parent's record. */
static const struct {
	const char *snake, *dir, *member;
} embeds[] = {
	{"applicant_pets", "applicants", "pets"},
	{"applicants_to_applications", "applicants", "applications"},
	{"applicants_to_applications", "applications", "applicants"},
	{"applicants_to_events", "events", "associated_applicant_ids"},
	{"applicants_to_rentable_items", "rentable-items", "applicant_id"},
	{"event_results_to_event_types", "event-results", "associated_event_type_ids"},
	{"invoice_items", "invoices", "invoice_items"},
	{"lead_pets", "leads", "pets"},
	{"leads_to_events", "events", "associated_lead_ids"},
	{"leads_to_rentable_items", "rentable-items", "lead_id"},
	{"lease_services", "leases", "services"},
	{"owners_to_properties", "owners", "associated_property_ids"},
	{"owners_to_properties", "properties", "associated_owner_ids"},
	{"payable_register_items", "payable-registers", "payable_register_items"},
	{"pet_types", "properties", "pet_types"},
	{"property_lists_to_properties", "property-lists", "associated_property_ids"},
	{"property_office_hours", "properties", "office_hours"},
	{"purchase_order_items_to_invoices", "purchase-orders", "associated_invoice_ids"},
	{"purchase_order_items_to_invoices", "purchase-order-items", "associated_invoice_ids"},
	{"resident_allocations", "resident-charges", "allocations"},
	{"resident_allocations", "resident-payments", "allocations"},
	{"resident_pets", "residents", "pets"},
	{"resident_vehicles", "residents", "vehicles"},
	{"residents_to_events", "events", "associated_resident_ids"},
	{"residents_to_leases", "leases", "residents_meta_data"},
	{"residents_to_leases", "residents", "leases_meta_data"},
	{"residents_to_rentable_items", "rentable-items", "resident_id"},
	{"screenings", "applicants", "screenings"},
	{"screenings", "leads", "screenings"},
	{"service_request_vendor_contacts", "vendors", "contacts"},
	{"service_request_vendors_to_properties", "vendors", "property_id"},
	{"service_requests_to_employees", "service-requests", "employees"},
	{"service_requests_to_vendors", "service-requests", "vendors"},
	{"units_to_amenity", "amenities", "units"},
};

/* Their rows belong to one parent of one kind, not to one of each. */
static const char *const either[] = {"resident_allocations", "screenings"};

struct side {
	struct col *c;
	uint32_t idx;
	const char *column; /* names this side's record in a row */
	const struct px_field *field;
	char id[SIM_ID_MAX];
	struct px_buf text;
};

struct join {
	struct sim *s;
	const struct px_webhook_model *m;
	struct side side[SIDES];
	size_t nsides;
	struct px_buf now, was; /* columns, without braces */
};

static const struct px_field *embedding_field(const struct px_webhook_model *m, int model)
{
	const struct px_model *x = &px_models[model];

	for (size_t i = 0; i < sizeof embeds / sizeof embeds[0]; i++)
		if (!strcmp(embeds[i].snake, m->snake) && !strcmp(embeds[i].dir, x->dir))
			for (size_t k = 0; k < x->nfields; k++)
				if (!strcmp(x->fields[k].name, embeds[i].member))
					return &x->fields[k];
	return NULL;
}

static void add_column(struct px_buf *out, const char *name, const char *value, size_t len)
{
	if (out->len)
		px_buf_addc(out, ',');
	px_buf_add_jsons(out, name);
	px_buf_addc(out, ':');
	px_buf_add(out, value, len);
}

static void add_id_column(struct px_buf *out, const char *name, const char *id)
{
	struct px_buf token = PX_BUF_INIT(1 << 16);

	px_buf_add_jsons(&token, id);
	add_column(out, name, token.data, token.len);
	px_buf_release(&token);
}

struct pick_element {
	const char *column, *id; /* the element whose column is this id; NULL: any */
	size_t n, want;
	struct span found;
};

static bool token_is(struct span token, const char *id)
{
	struct px_buf text = PX_BUF_INIT(SIM_TEXT_MAX);
	bool same;

	if (!token.p || *token.p != '"')
		return false;
	json_decode(token, &text);
	same = text.len == strlen(id) && !memcmp(text.data, id, text.len);
	px_buf_release(&text);
	return same;
}

static void pick_each(void *arg, struct span element)
{
	struct pick_element *k = arg;

	if (k->id ? token_is(k->column ? json_member(element.p, element.len, k->column) : element,
			    k->id)
		  : k->n == k->want)
		k->found = element;
	k->n++;
}

/* ---- which records -----------------------------------------------------------------------------
 */

static bool side_set(
	struct join *j, struct side *d, struct col *c, uint32_t idx, const char *column)
{
	const struct px_field *f = embedding_field(j->m, c->model);

	if (!f)
		return false;
	*d = (struct side){.c = c, .idx = idx, .column = column, .field = f};
	px_buf_init(&d->text, SIM_TEXT_MAX);
	(void)rec_id(c, idx, d->id);
	return rec_newest(j->s, c, idx, &d->text);
}

static bool side_follow(struct join *j, struct integ *in, int model, const char *column);

/* Whether the first side has a row of this one already. */
static bool joined(const struct join *j, const struct side *d)
{
	const struct side *first = &j->side[0];
	struct pick_element k = {.column = d->column, .id = d->id};
	struct span v;

	if (!j->nsides)
		return false;
	v = json_member(first->text.data, first->text.len, first->field->name);
	if (!v.p || *v.p != '[')
		return false;
	if (first->field->items != PX_TYPE_OBJECT)
		k.column = NULL;
	json_elements(v.p, v.len, pick_each, &k);
	return k.found.p != NULL;
}

/* The parent among those given, or one at random; for an update rather one that has rows already.
 */
static bool side_find(struct join *j, struct integ *in, int model, const char *column, bool is_new,
	const char *const *parents, size_t nparents)
{
	struct side *d = &j->side[j->nsides];
	struct col *c = &in->cols[model];
	uint32_t idx;

	for (size_t i = 0; i < nparents; i++) {
		struct col *found;

		if (find_record(j->s, model, parents[i], strlen(parents[i]), &found, &idx) &&
			found == c && side_set(j, d, c, idx, column)) {
			j->nsides++;
			return true;
		}
	}
	if (j->nsides && !is_new)
		return side_follow(j, in, model, column);
	/* one of a pair may be left to chance, but not both when any is named */
	for (int i = 0; i < TRIES && (!nparents || j->nsides) && pick_record(j->s, c, &idx); i++) {
		struct span v;

		if (!side_set(j, d, c, idx, column))
			return false;
		v = json_member(d->text.data, d->text.len, d->field->name);
		if (is_new && i < TRIES - 1 && joined(j, d)) {
			px_buf_release(&d->text);
			continue;
		}
		if (is_new || (v.p && v.len > 2 && *v.p == '[') || i == TRIES - 1) {
			j->nsides++;
			return true;
		}
		px_buf_release(&d->text);
	}
	return false;
}

/* The other side of a row that is there: the element names it. False: no row that leads on. */
static bool side_follow(struct join *j, struct integ *in, int model, const char *column)
{
	struct side *d = &j->side[0];
	struct span all = json_member(d->text.data, d->text.len, d->field->name), v;
	struct pick_element first = {.column = NULL};
	struct px_buf id = PX_BUF_INIT(SIM_TEXT_MAX);
	struct col *c;
	uint32_t idx;
	bool ok;

	if (!all.p || *all.p != '[' || !column)
		return false;
	json_elements(all.p, all.len, pick_each, &first);
	if (!first.found.p)
		return false;
	v = *first.found.p == '{' ? json_member(first.found.p, first.found.len, column)
				  : first.found;
	if (!v.p || *v.p != '"')
		return false;
	json_decode(v, &id);
	ok = id.len && find_record(j->s, model, id.data, id.len, &c, &idx) && c->in == in &&
	     side_set(j, &j->side[1], c, idx, column);
	px_buf_release(&id);
	if (ok)
		j->nsides++;
	else
		px_buf_release(&j->side[1].text);
	return ok;
}

static bool is_either(const struct px_webhook_model *m)
{
	for (size_t i = 0; i < sizeof either / sizeof either[0]; i++)
		if (!strcmp(either[i], m->snake))
			return true;
	return false;
}

static void sides_find(
	struct join *j, struct integ *in, bool is_new, const char *const *parents, size_t nparents)
{
	for (int i = 0; i < 4 && j->m->parents[i] >= 0 && j->nsides < SIDES; i++) {
		int model = model_base(j->m->parents[i]);
		bool known = false;

		for (size_t k = 0; k < j->nsides; k++)
			known |= j->side[k].c->model == model;
		if (known)
			continue;
		(void)side_find(j, in, model, j->m->parent_member[i], is_new, parents, nparents);
		if (j->nsides && is_either(j->m))
			return;
	}
}

/* ---- what changes in them ----------------------------------------------------------------------
 */

static struct span array_of(const struct side *d)
{
	struct span v = json_member(d->text.data, d->text.len, d->field->name);

	return v.p && *v.p == '[' ? v : (struct span){NULL, 0};
}

static px_rc store(
	struct join *j, const struct side *d, const char *value, size_t len, struct px_err *err)
{
	return change_embedded(j->s, d->c, d->idx, d->field->name, value, len, err);
}

/* The array with one element more. */
static px_rc append(
	struct join *j, const struct side *d, const char *element, size_t len, struct px_err *err)
{
	struct span old = array_of(d);
	struct px_buf out = PX_BUF_INIT(SIM_TEXT_MAX);
	px_rc rc;

	if (old.p && old.len > 2) {
		px_buf_add(&out, old.p, old.len - 1);
		px_buf_addc(&out, ',');
	} else {
		px_buf_addc(&out, '[');
	}
	px_buf_add(&out, element, len);
	px_buf_addc(&out, ']');
	rc = store(j, d, out.data, out.len, err);
	px_buf_release(&out);
	return rc;
}

static px_rc exchange(struct join *j, const struct side *d, struct span old, const char *value,
	size_t len, struct px_err *err)
{
	struct span all = json_member(d->text.data, d->text.len, d->field->name);
	struct px_buf out = PX_BUF_INIT(SIM_TEXT_MAX);
	px_rc rc;

	px_buf_add(&out, all.p, (size_t)(old.p - all.p));
	px_buf_add(&out, value, len);
	px_buf_add(&out, old.p + old.len, all.len - (size_t)(old.p - all.p) - old.len);
	rc = store(j, d, out.data, out.len, err);
	px_buf_release(&out);
	return rc;
}

/* Columns of an element that a row has too: values that name no record and no time of its own. */
struct columns {
	struct join *j;
	struct px_buf *out;
};

static bool row_column(struct span key)
{
	return !(key.len >= 2 && !memcmp(key.p + key.len - 2, "id", 2)) &&
	       !(key.len > 3 && !memcmp(key.p + key.len - 3, "_at", 3)) && key.len < 64 &&
	       !(key.len == 9 && !memcmp(key.p, "last_seen", 9));
}

static bool plain_column(struct span key, struct span value)
{
	return *value.p != '{' && *value.p != '[' && row_column(key);
}

static void column_each(void *arg, struct span key, struct span value)
{
	struct columns *k = arg;
	char name[64];

	if (!row_column(key))
		return;
	memcpy(name, key.p, key.len);
	name[key.len] = '\0';
	add_column(k->out, name, value.p, value.len);
}

/* Element `to` with the plain columns of the same names as in `from`. */
struct copy {
	struct px_buf *to;
};

static void copy_each(void *arg, struct span key, struct span value)
{
	struct copy *k = arg;
	struct px_buf out = PX_BUF_INIT(SIM_TEXT_MAX);
	char name[64];

	if (!row_column(key))
		return;
	memcpy(name, key.p, key.len);
	name[key.len] = '\0';
	if (!json_member(k->to->data, k->to->len, name).p)
		return;
	json_replace(k->to->data, k->to->len, name, value.p, value.len, &out);
	px_buf_release(k->to);
	*k->to = out;
}

static void name_record(struct px_buf *element, const char *column, const char *id)
{
	struct px_buf token = PX_BUF_INIT(1 << 16), out = PX_BUF_INIT(SIM_TEXT_MAX);

	if (!column || !json_member(element->data, element->len, column).p)
		return;
	px_buf_add_jsons(&token, id);
	json_replace(element->data, element->len, column, token.data, token.len, &out);
	px_buf_release(&token);
	px_buf_release(element);
	*element = out;
}

static bool element_of(struct join *j, const struct side *d, struct px_buf *out)
{
	struct rec *r = col_rec_make(j->s, d->c, d->idx);

	if (!r || !fresh_element(j->s, d->c, d->idx, d->field->name, ++r->turn, out))
		return false;
	for (size_t i = 0; i < j->nsides; i++)
		name_record(out, j->side[i].column, j->side[i].id);
	return true;
}

/* Both sides get an element that says the same. */
static px_rc new_elements(struct join *j, struct px_err *err)
{
	struct px_buf first = PX_BUF_INIT(SIM_TEXT_MAX), e = PX_BUF_INIT(SIM_TEXT_MAX);
	px_rc rc = PX_OK;

	for (size_t i = 0; i < j->nsides && !rc; i++) {
		px_buf_reset(&e);
		if (!element_of(j, &j->side[i], &e))
			continue;
		if (first.len) {
			json_members(first.data, first.len, copy_each, &(struct copy){&e});
		} else {
			px_buf_add(&first, e.data, e.len);
			json_members(e.data, e.len, column_each, &(struct columns){j, &j->now});
		}
		rc = append(j, &j->side[i], e.data, e.len, err);
	}
	px_buf_release(&first);
	px_buf_release(&e);
	return rc;
}

/* One plain column of an element gets another value. */
struct other {
	struct span old_element;
	char name[64];
	struct span value, old;
};

static void other_each(void *arg, struct span key, struct span value)
{
	struct other *k = arg;
	struct span old;
	char name[64];

	if (!plain_column(key, value))
		return;
	memcpy(name, key.p, key.len);
	name[key.len] = '\0';
	old = json_member(k->old_element.p, k->old_element.len, name);
	if (!old.p || (old.len == value.len && !memcmp(old.p, value.p, old.len)))
		return;
	memcpy(k->name, name, sizeof name);
	k->value = value;
	k->old = old;
}

static px_rc change_element(struct join *j, struct px_err *err)
{
	struct side *d = &j->side[0], *e = &j->side[1];
	struct pick_element first = {.column = NULL}, second = {.column = d->column, .id = d->id};
	struct px_buf fresh = PX_BUF_INIT(SIM_TEXT_MAX);
	struct other o = {.name = ""};
	struct span all = array_of(d);
	px_rc rc = PX_OK;

	if (j->nsides == SIDES) { /* the pair's own element, if there is one */
		first.column = e->column;
		first.id = e->id;
	}
	if (all.p)
		json_elements(all.p, all.len, pick_each, &first);
	for (int i = 0; i < TRIES && first.found.p && !o.old.p; i++) {
		px_buf_reset(&fresh);
		o.old_element = first.found;
		if (!element_of(j, d, &fresh))
			break;
		json_members(fresh.data, fresh.len, other_each, &o);
	}
	if (!o.old.p) {
		px_buf_release(&fresh);
		return px_err_set(err, PX_ENOENT, "no row of these parents that could change");
	}
	add_column(&j->was, o.name, o.old.p, o.old.len);
	add_column(&j->now, o.name, o.value.p, o.value.len);
	rc = exchange(j, d, o.old, o.value.p, o.value.len, err);
	all = j->nsides == SIDES ? array_of(e) : (struct span){NULL, 0};
	if (all.p && !rc) {
		struct span old;

		json_elements(all.p, all.len, pick_each, &second);
		old = second.found.p ? json_member(second.found.p, second.found.len, o.name)
				     : second.found;
		if (old.p)
			rc = exchange(j, e, old, o.value.p, o.value.len, err);
	}
	px_buf_release(&fresh);
	return rc;
}

/* "applicant_id" of "associated_applicant_ids"; others are a column themselves. */
static void link_column(const char *member, char ret[64])
{
	size_t len;

	(void)snprintf(ret, 64, "%s", !strncmp(member, "associated_", 11) ? member + 11 : member);
	len = strlen(ret);
	if (len && ret[len - 1] == 's')
		ret[len - 1] = '\0';
}

static bool names(const struct side *d, const char *id)
{
	struct span v = json_member(d->text.data, d->text.len, d->field->name);
	struct pick_element k = {.id = id};

	if (!v.p)
		return false;
	if (*v.p != '[')
		return token_is(v, id);
	json_elements(v.p, v.len, pick_each, &k);
	return k.found.p != NULL;
}

/* The id that a list of ids gets: the other side's, or any record's that is not there yet. */
static bool linked_id(struct join *j, const struct side *d, char id[SIM_ID_MAX])
{
	struct col *t;
	uint32_t idx;

	for (size_t i = 0; i < j->nsides; i++)
		if (&j->side[i] != d && j->side[i].c->model == model_base(d->field->link)) {
			memcpy(id, j->side[i].id, SIM_ID_MAX);
			return true;
		}
	if (d->field->link < 0)
		return false;
	t = &d->c->in->cols[model_base(d->field->link)];
	for (int i = 0; i < TRIES && pick_record(j->s, t, &idx); i++) {
		(void)rec_id(t, idx, id);
		if (!names(d, id))
			return true;
	}
	return false;
}

/* Whether the sides name each other. */
static bool is_pair(const struct join *j)
{
	return j->nsides == SIDES && j->side[0].field->link != j->side[1].field->link;
}

/* One side's list of ids, or its only one. */
static px_rc change_link(
	struct join *j, struct side *d, const char *id, bool is_new, bool named, struct px_err *err)
{
	struct px_buf token = PX_BUF_INIT(1 << 16);
	struct pick_element first = {.column = NULL};
	struct span all = array_of(d);
	char column[64];
	px_rc rc;

	link_column(d->field->name, column);
	px_buf_add_jsons(&token, id);
	if (all.p && !is_new)
		json_elements(all.p, all.len, pick_each, &first);
	if (named && !is_new)
		add_column(&j->was, column, first.found.p ? first.found.p : "null",
			first.found.p ? first.found.len : 4);
	if (named)
		add_column(&j->now, column, token.data, token.len);
	if (d->field->type != PX_TYPE_ARRAY)
		rc = store(j, d, token.data, token.len, err);
	else if (first.found.p)
		rc = exchange(j, d, first.found, token.data, token.len, err);
	else
		rc = append(j, d, token.data, token.len, err);
	px_buf_release(&token);
	return rc;
}

static px_rc change_links(struct join *j, bool is_new, struct px_err *err)
{
	char id[SIM_ID_MAX];
	px_rc rc = PX_OK;

	for (size_t i = 0; i < j->nsides && !rc; i++) {
		struct side *d = &j->side[i];
		/* two sides that list the same third record (an invoice) list one */
		bool shared = i && d->field->link == j->side[0].field->link;

		if (!shared && !linked_id(j, d, id))
			random_id(j->s, id);
		/* of a new pair the columns are the sides' own */
		rc = change_link(j, d, id, is_new, !shared && !(is_new && is_pair(j)), err);
	}
	return rc;
}

/* ---- the row -----------------------------------------------------------------------------------
 */

static uint64_t parents_hash(const struct join *j)
{
	uint64_t h = 0;

	for (size_t i = 0; i < j->nsides; i++)
		h ^= hash_text(j->side[i].id, strlen(j->side[i].id));
	return h;
}

static void row_keep(struct join *j, const struct integ *in, const char id[32])
{
	struct world *w = &j->s->world;

	if (!w->rows)
		w->rows = calloc(ROWS_MAX, sizeof *w->rows);
	if (!w->rows)
		return;
	if (w->nrows == ROWS_MAX) {
		memmove(w->rows, w->rows + 1, (ROWS_MAX - 1) * sizeof *w->rows);
		w->nrows--;
	}
	w->rows[w->nrows] = (struct row){
		.model = j->m, .integ = in->num, .parents = parents_hash(j)};
	memcpy(w->rows[w->nrows++].id, id, 32);
}

/* The newest row of these parents, or one nobody has heard of. */
static void row_id(struct join *j, const struct integ *in, bool is_new, char ret[32])
{
	const struct world *w = &j->s->world;

	for (size_t i = w->nrows; !is_new && i-- > 0;)
		if (w->rows[i].model == j->m && w->rows[i].integ == in->num &&
			w->rows[i].parents == parents_hash(j)) {
			memcpy(ret, w->rows[i].id, 32);
			return;
		}
	random_id(j->s, ret);
	if (is_new)
		row_keep(j, in, ret);
}

static char *object(const struct px_buf *columns)
{
	struct px_buf out = PX_BUF_INIT(SIM_TEXT_MAX);

	px_buf_addc(&out, '{');
	px_buf_add(&out, columns->data ? columns->data : "", columns->len);
	px_buf_addc(&out, '}');
	return px_buf_steal(&out, NULL);
}

static void join_say(struct join *j, struct integ *in, bool is_new, const struct change_options *o,
	struct px_buf *ret_text)
{
	struct change_options said = *o;
	struct px_buf now = PX_BUF_INIT(SIM_TEXT_MAX);
	char id[32];
	char *new_text, *was_text;

	row_id(j, in, is_new, id);
	if (is_new)
		add_id_column(&now, "id", id);
	for (size_t i = 0; is_new && i < j->nsides; i++)
		if (j->side[i].column)
			add_id_column(&now, j->side[i].column, j->side[i].id);
	if (now.len && j->now.len)
		px_buf_addc(&now, ',');
	px_buf_add(&now, j->now.data ? j->now.data : "", j->now.len);
	new_text = object(&now);
	was_text = object(&j->was);
	said.diffs &= !j->s->quirk[QUIRK_DIFFS_NO_JOINS];
	if (new_text && was_text)
		change_news(j->s,
			&(struct news){.in = in,
				.model = j->m,
				.record_id = id,
				.is_new = is_new,
				.now = new_text,
				.was = was_text},
			&said);
	free(new_text);
	free(was_text);
	px_buf_release(&now);
	px_buf_addf(ret_text, "{\"record_id\":\"%s\",\"parents\":[", id);
	for (size_t i = 0; i < j->nsides; i++) {
		px_buf_addf(ret_text,
			"%s{\"integration_id\":\"%s\",\"model\":\"%s\",\"id\":", i ? "," : "",
			in->id, px_models[j->side[i].c->model].dir);
		px_buf_add_jsons(ret_text, j->side[i].id);
		px_buf_addc(ret_text, '}');
	}
	px_buf_adds(ret_text, "]}");
}

px_rc change_join(struct sim *s, struct integ *in, const struct px_webhook_model *m, bool is_new,
	const char *const *parents, size_t nparents, const struct change_options *o,
	struct px_buf *ret_text, struct px_err *err)
{
	struct join *j = calloc(1, sizeof *j);
	px_rc rc;

	if (!j)
		return px_err_nomem(err);
	j->s = s;
	j->m = m;
	px_buf_init(&j->now, SIM_TEXT_MAX);
	px_buf_init(&j->was, SIM_TEXT_MAX);
	sides_find(j, in, is_new, parents, nparents);
	if (!j->nsides)
		rc = px_err_set(err, PX_ENOENT, "no record that embeds %s", m->snake);
	else if (j->side[0].field->items != PX_TYPE_OBJECT)
		rc = change_links(j, is_new, err);
	else
		rc = is_new ? new_elements(j, err) : change_element(j, err);
	if (!rc)
		join_say(j, in, is_new, o, ret_text);
	for (size_t i = 0; i < SIDES; i++)
		px_buf_release(&j->side[i].text);
	px_buf_release(&j->now);
	px_buf_release(&j->was);
	free(j);
	return rc;
}

px_rc change_event(struct sim *s, struct integ *in, const struct px_webhook_model *m,
	const struct change_options *o, struct px_buf *ret_text)
{
	struct px_buf text = PX_BUF_INIT(1 << 16);
	char id[32];

	random_id(s, id);
	px_buf_addf(&text, "{\"id\":\"%s\",\"created_at\":", id);
	time_text(world_now(s), &text);
	px_buf_addf(&text, ",\"x_id\":\"%llu\",\"name\":\"Seen in events only\",\"notes\":null",
		(unsigned long long)sim_random(s, 10000));
	if (o->set && o->set_len > 2) {
		px_buf_addc(&text, ',');
		px_buf_add(&text, o->set + 1, o->set_len - 2);
	}
	px_buf_addc(&text, '}');
	change_news(s,
		&(struct news){
			.in = in, .model = m, .record_id = id, .is_new = true, .now = text.data},
		o);
	px_buf_release(&text);
	px_buf_addf(ret_text, "{\"record_id\":\"%s\"}", id);
	return PX_OK;
}
