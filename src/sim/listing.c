/* SPDX-License-Identifier: MIT */
/*
 * listing.c - which records a collection's page holds, and in which order.
 *
 * The usual walk (one integration, created_at:asc,id:asc) needs nothing: its order is the order of
 * the index, so a page at any offset costs what the page costs. Any other order or filter is worked
 * out once and kept as a view, an array of references, until something of the model changes; a
 * bound on updated_at over a view in that order is found by halving, so that walking by the last
 * key seen does not make a view per step. Called with world.lock held, so a page shows one moment.
 */
#include "sim.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"

struct view {
	char *key;
	uint64_t gen, used;
	ref *refs;
	size_t n;
};

enum { VIEWS_MAX = 24 };

enum filter_kind {
	FILTER_EQUAL,
	FILTER_UPDATED_GTE,
	FILTER_UPDATED_LTE,
	FILTER_SEEN_GTE,
	FILTER_SEEN_LTE,
	FILTER_DATE_FROM, /* name is the member */
	FILTER_DATE_TO,
	FILTER_NULL,
	FILTER_NOT_NULL,
	FILTER_POSITIVE,
	FILTER_UNIT_NUMBER, /* of the unit that the record names */
};

/* Parameters that are not simply a member's name. */
static const struct {
	const char *dir, *name;
	const char *member;
	enum filter_kind kind;
} special[] = {
	{"leases", "after_move_in_date", "realized_move_in_date", FILTER_DATE_FROM},
	{"leases", "before_move_in_date", "realized_move_in_date", FILTER_DATE_TO},
	{"leases", "after_move_out_date", "realized_move_out_date", FILTER_DATE_FROM},
	{"leases", "before_move_out_date", "realized_move_out_date", FILTER_DATE_TO},
	{"leases", "only_null_move_outs", "realized_move_out_date", FILTER_NULL},
	{"resident-charges", "transaction_date_start", "transaction_date", FILTER_DATE_FROM},
	{"resident-charges", "transaction_date_end", "transaction_date", FILTER_DATE_TO},
	{"resident-payments", "transaction_date_start", "transaction_date", FILTER_DATE_FROM},
	{"resident-payments", "transaction_date_end", "transaction_date", FILTER_DATE_TO},
	{"units", "unit_number", "number", FILTER_EQUAL},
	{"leases", "unit_number", "unit_id", FILTER_UNIT_NUMBER},
	{"service-requests", "unit_number", "unit_id", FILTER_UNIT_NUMBER},
	{"deposits", "refund_is_due", "refund_amount_due_in_cents", FILTER_POSITIVE},
	{"deposit-summaries", "refund_is_due", "refund_amount_due_in_cents", FILTER_POSITIVE},
	{"deposit-summaries", "invoice_id_not_null", "invoice_id", FILTER_NOT_NULL},
	{NULL, "location_id", "x_location_id", FILTER_EQUAL},
	{NULL, "updated_at_gte", "updated_at", FILTER_UPDATED_GTE},
	{NULL, "updated_at_lte", "updated_at", FILTER_UPDATED_LTE},
	{NULL, "last_seen_gte", "last_seen", FILTER_SEEN_GTE},
	{NULL, "last_seen_lte", "last_seen", FILTER_SEEN_LTE},
};

void page_release(struct page *p)
{
	px_buf_release(&p->body);
	px_buf_release(&p->tail);
	p->count = 0;
}

/* ---- parameters --------------------------------------------------------------------------------
 */

const struct param *param_find(const struct param *params, size_t nparams, const char *name)
{
	for (size_t i = 0; i < nparams; i++)
		if (!strcmp(params[i].name, name))
			return &params[i];
	return NULL;
}

bool bool_value(const struct param *p, bool *ret)
{
	if (!strcmp(p->value, "true") || !strcmp(p->value, "1"))
		*ret = true;
	else if (!strcmp(p->value, "false") || !strcmp(p->value, "0"))
		*ret = false;
	else
		return false;
	return true;
}

static bool integer(const struct param *p, int64_t *ret)
{
	char *end;

	if (!p->value_len || p->value_len > 15 || !(isdigit((unsigned char)p->value[0])))
		return false;
	*ret = strtoll(p->value, &end, 10);
	return !*end;
}

bool paging(struct sim *s, const struct param *params, size_t nparams, int64_t *ret_offset,
	int64_t *ret_limit, struct px_err *err)
{
	const struct param *p = param_find(params, nparams, "offset");

	*ret_offset = 0;
	*ret_limit = SIM_PAGE_DEFAULT;
	if (p && !integer(p, ret_offset)) {
		(void)px_err_set(err, PX_EINVAL, "offset must be an integer >= 0");
		return false;
	}
	p = param_find(params, nparams, "limit");
	if (p && (!integer(p, ret_limit) || *ret_limit > SIM_PAGE_MAX)) {
		(void)px_err_set(err, PX_EINVAL, "limit must be an integer from 1 to 250");
		return false;
	}
	if (*ret_limit == 0 && s->quirk[QUIRK_LIMIT_ZERO_DEFAULT]) {
		*ret_limit = SIM_PAGE_DEFAULT;
	} else if (*ret_limit == 0 && !s->quirk[QUIRK_LIMIT_ZERO_EMPTY]) {
		(void)px_err_set(err, PX_EINVAL, "limit must be an integer from 1 to 250");
		return false;
	}
	return true;
}

static const struct px_field *top_field(const struct px_model *m, const char *name)
{
	for (size_t i = 0; i < m->nfields; i++)
		if (!strcmp(m->fields[i].name, name))
			return &m->fields[i];
	return NULL;
}

static bool parse_order(struct sim *s, struct query *q, const struct param *p, struct px_err *err)
{
	const struct px_model *m = &px_models[q->model];
	const char *at = p ? p->value : "created_at:desc";

	if (!p && s->quirk[QUIRK_DEFAULT_UNSORTED]) {
		q->unsorted = true;
		return true;
	}
	while (*at) {
		size_t n = strcspn(at, ",");
		size_t name_len = strcspn(at, ":,");
		char name[64];
		const struct px_field *f;

		if (q->norder == LIST_ORDERS || name_len >= sizeof name)
			goto bad;
		memcpy(name, at, name_len);
		name[name_len] = '\0';
		f = top_field(m, name);
		if (!f || f->type == PX_TYPE_ARRAY || f->type == PX_TYPE_OBJECT)
			goto bad;
		q->order[q->norder].field = f;
		q->order[q->norder].desc = false;
		if (name_len < n) {
			const char *dir = at + name_len + 1;
			size_t len = n - name_len - 1;

			if (len == 4 && !memcmp(dir, "desc", 4))
				q->order[q->norder].desc = true;
			else if (len != 3 || memcmp(dir, "asc", 3))
				goto bad;
		}
		q->norder++;
		at += n;
		if (*at == ',')
			at++;
	}
	if (!q->norder)
		q->unsorted = true;
	return true;
bad:
	(void)px_err_set(err, PX_EINVAL, "order-by: unknown field or direction");
	return false;
}

static bool embeds(const struct px_model *m, const char *name)
{
	char many[96];

	(void)snprintf(many, sizeof many, "associated_%ss", name);
	if (top_field(m, many))
		return true;
	for (size_t i = 0; i < m->nfields; i++)
		for (size_t k = 0; k < m->fields[i].nfields; k++)
			if (!strcmp(m->fields[i].fields[k].name, name))
				return true;
	return false;
}

/* Whether the collection knows this parameter as an equality filter. */
static bool is_filter(const struct px_model *m, const char *name)
{
	if (!strcmp(m->dir, "fees"))
		return !strcmp(name, "floor_plan_id") || !strcmp(name, "unit_id") ||
		       !strcmp(name, "charge_code_id");
	if (!strcmp(name, "property_id") &&
		(!strcmp(m->dir, "properties") || !strcmp(m->dir, "property-lists")))
		return false;
	if (!strcmp(name, "associated_property_id"))
		return !strcmp(m->dir, "property-lists");
	return top_field(m, name) || embeds(m, name);
}

static bool add_filter(struct query *q, const char *name, const struct param *p,
	enum filter_kind kind, struct px_err *err)
{
	struct filter *f = &q->filter[q->nfilter];
	int64_t ns = 0;

	if (q->nfilter == LIST_FILTERS) {
		(void)px_err_set(err, PX_EINVAL, "too many filters");
		return false;
	}
	if (kind >= FILTER_UPDATED_GTE && kind <= FILTER_SEEN_LTE) {
		if (px_time_parse(p->value, p->value_len, &ns)) {
			(void)px_err_set(err, PX_EINVAL, "%s must be a date-time", p->name);
			return false;
		}
		/* at or after: a part of a millisecond later than X is not at or after X */
		f->ms = ns / 1000000;
		if (ns % 1000000 && (kind == FILTER_UPDATED_GTE || kind == FILTER_SEEN_GTE))
			f->ms++;
	}
	if (kind >= FILTER_NULL && kind <= FILTER_POSITIVE) {
		bool on;

		if (!bool_value(p, &on)) {
			(void)px_err_set(err, PX_EINVAL, "%s must be a boolean", p->name);
			return false;
		}
		if (!on)
			return true;
	}
	f->name = strdup(name);
	f->value = malloc(p->value_len + 1);
	if (!f->name || !f->value) {
		q->nfilter++; /* released with the others */
		(void)px_err_nomem(err);
		return false;
	}
	memcpy(f->value, p->value, p->value_len + 1);
	f->value_len = p->value_len;
	f->kind = (int)kind;
	q->nfilter++;
	return true;
}

static bool one_param(struct sim *s, struct query *q, const struct param *p, struct px_err *err)
{
	const struct px_model *m = &px_models[q->model];

	if (!strcmp(p->name, "order-by") || !strcmp(p->name, "offset") || !strcmp(p->name, "limit"))
		return true;
	if (!strcmp(p->name, "integration_id") && m->by_integration) {
		const struct integ *in = NULL;

		for (int i = 0; i < s->world.ninteg; i++)
			if (!strcmp(s->world.integs[i]->id, p->value))
				in = s->world.integs[i];
		q->integ = in ? in->num : -2;
		return true;
	}
	for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
		bool since;

		if (strcmp(special[i].name, p->name) ||
			(special[i].dir && strcmp(special[i].dir, m->dir)))
			continue;
		since = special[i].kind >= FILTER_UPDATED_GTE && special[i].kind <= FILTER_SEEN_LTE;
		if (since && s->quirk[QUIRK_CHANGED_SINCE_IGNORED])
			return true;
		if (since && s->quirk[QUIRK_CHANGED_SINCE_400])
			break;
		return add_filter(q, special[i].member, p, special[i].kind, err);
	}
	if (is_filter(m, p->name))
		return add_filter(q, p->name, p, FILTER_EQUAL, err);
	if (s->quirk[QUIRK_UNKNOWN_PARAM_400] ||
		(s->quirk[QUIRK_CHANGED_SINCE_400] &&
			(!strncmp(p->name, "updated_at_", 11) ||
				!strncmp(p->name, "last_seen_", 10)))) {
		(void)px_err_set(err, PX_EINVAL, "unknown parameter %.60s", p->name);
		return false;
	}
	return true;
}

/* What the reference demands of combinations. */
static bool check_params(
	const struct query *q, const struct param *params, size_t nparams, struct px_err *err)
{
	const struct px_model *m = &px_models[q->model];
	const struct param *p = param_find(params, nparams, "phone_1");

	if (p && top_field(m, "phone_1")) {
		bool good = p->value_len == 10 && p->value[0] >= '2' && p->value[0] <= '9';

		for (size_t i = 0; good && i < 10; i++)
			good = isdigit((unsigned char)p->value[i]);
		if (!good) {
			(void)px_err_set(err, PX_EINVAL, "phone_1 must match ^[2-9]\\d{9}$");
			return false;
		}
	}
	if (param_find(params, nparams, "unit_number") &&
		(!strcmp(m->dir, "units") || !strcmp(m->dir, "leases") ||
			!strcmp(m->dir, "service-requests")) &&
		!param_find(params, nparams, "property_id")) {
		(void)px_err_set(err, PX_EINVAL, "unit_number requires property_id");
		return false;
	}
	if (param_find(params, nparams, "x_id") && strcmp(m->dir, "fees") &&
		!param_find(params, nparams, "integration_id")) {
		(void)px_err_set(err, PX_EINVAL, "x_id requires integration_id");
		return false;
	}
	return true;
}

static bool by_move_date(const struct query *q, const struct param *params, size_t nparams)
{
	if (strcmp(px_models[q->model].dir, "leases") != 0)
		return false;
	return param_find(params, nparams, "before_move_in_date") ||
	       param_find(params, nparams, "after_move_in_date") ||
	       param_find(params, nparams, "before_move_out_date") ||
	       param_find(params, nparams, "after_move_out_date");
}

bool query_init(struct sim *s, struct query *q, int model, const struct param *params,
	size_t nparams, struct px_err *err)
{
	*q = (struct query){.model = model, .integ = -1, .parent = -1};
	if (!paging(s, params, nparams, &q->offset, &q->limit, err) ||
		!parse_order(s, q, param_find(params, nparams, "order-by"), err) ||
		!check_params(q, params, nparams, err))
		return false;
	for (size_t i = 0; i < nparams; i++) {
		/* as documented: silently */
		if (!strcmp(params[i].name, "resident_id") && by_move_date(q, params, nparams))
			continue;
		if (!one_param(s, q, &params[i], err))
			return false;
	}
	return true;
}

void query_release(struct query *q)
{
	for (size_t i = 0; i < q->nfilter; i++) {
		free(q->filter[i].name);
		free(q->filter[i].value);
	}
	free(q->key);
}

/* ---- filters -----------------------------------------------------------------------------------
 */

struct want {
	const struct filter *f;
	bool found;
};

static bool token_equals(struct span token, const struct filter *f)
{
	struct px_buf text = PX_BUF_INIT(SIM_TEXT_MAX);
	bool same;

	if (!token.p || json_is(token, "null"))
		return false;
	if (*token.p != '"')
		return token.len == f->value_len && !memcmp(token.p, f->value, token.len);
	json_decode(token, &text);
	same = text.len == f->value_len && (!text.len || !memcmp(text.data, f->value, text.len));
	px_buf_release(&text);
	return same;
}

static void want_element(void *arg, struct span element)
{
	struct want *w = arg;

	if (*element.p == '{')
		element = json_member(element.p, element.len, w->f->name);
	if (token_equals(element, w->f))
		w->found = true;
}

static void want_member(void *arg, struct span key, struct span value)
{
	struct want *w = arg;

	(void)key;
	if (value.p[0] == '[' && value.len > 2 && value.p[1] == '{')
		json_elements(value.p, value.len, want_element, w);
}

static bool equals(const struct px_buf *text, const struct filter *f)
{
	struct span v = json_member(text->data, text->len, f->name);
	struct want want = {f, false};
	char many[96];

	if (v.p && *v.p != '[')
		return token_equals(v, f);
	if (!v.p) {
		size_t n = strlen(f->name);

		(void)snprintf(many, sizeof many, "associated_%ss", f->name);
		if (n > 3 && !strcmp(f->name, "associated_property_id"))
			(void)snprintf(many, sizeof many, "associated_property_ids");
		v = json_member(text->data, text->len, many);
	}
	if (v.p) {
		json_elements(v.p, v.len, want_element, &want);
		return want.found;
	}
	json_members(text->data, text->len, want_member, &want);
	return want.found;
}

static bool unit_number_is(struct sim *s, struct span unit_id, const struct filter *f)
{
	struct px_buf id = PX_BUF_INIT(1 << 16), unit = PX_BUF_INIT(SIM_TEXT_MAX);
	struct col *c;
	uint32_t idx;
	bool same;

	json_decode(unit_id, &id);
	same = id.len && find_record(s, px_model_by_dir("units"), id.data, id.len, &c, &idx) &&
	       rec_text(s, c, idx, &unit) &&
	       token_equals(json_member(unit.data, unit.len, "number"), f);
	px_buf_release(&id);
	px_buf_release(&unit);
	return same;
}

static bool text_matches(struct sim *s, const struct px_buf *text, const struct filter *f)
{
	struct span v;
	int cmp;

	if (f->kind == FILTER_EQUAL)
		return equals(text, f);
	v = json_member(text->data, text->len, f->name);
	if (f->kind == FILTER_NULL)
		return !v.p || json_is(v, "null");
	if (!v.p || json_is(v, "null"))
		return false;
	if (f->kind == FILTER_NOT_NULL)
		return true;
	if (f->kind == FILTER_UNIT_NUMBER)
		return *v.p == '"' && unit_number_is(s, v, f);
	if (f->kind == FILTER_POSITIVE)
		return strtod(v.p, NULL) > 0;
	/* dates, by day */
	if (v.len < 12 || f->value_len < 10)
		return false;
	cmp = memcmp(v.p + 1, f->value, 10);
	return f->kind == FILTER_DATE_FROM ? cmp >= 0 : cmp <= 0;
}

static bool matches(struct sim *s, const struct col *c, uint32_t idx, const struct query *q,
	size_t skip_mask, struct px_buf *buf)
{
	bool have = false;

	for (size_t i = 0; i < q->nfilter; i++) {
		const struct filter *f = &q->filter[i];
		bool ok;

		if (skip_mask >> i & 1)
			continue;
		switch (f->kind) {
		case FILTER_UPDATED_GTE:
			ok = rec_updated_ms(c, idx) >= f->ms;
			break;
		case FILTER_UPDATED_LTE:
			ok = rec_updated_ms(c, idx) <= f->ms;
			break;
		case FILTER_SEEN_GTE:
			ok = rec_seen_ms(c, idx) >= f->ms;
			break;
		case FILTER_SEEN_LTE:
			ok = rec_seen_ms(c, idx) != INT64_MIN && rec_seen_ms(c, idx) <= f->ms;
			break;
		default:
			if (!have) {
				px_buf_reset(buf);
				if (!rec_text(s, c, idx, buf))
					return false;
				have = true;
			}
			ok = text_matches(s, buf, f);
		}
		if (!ok)
			return false;
	}
	return true;
}

/* ---- order -------------------------------------------------------------------------------------
 */

struct entry {
	int64_t key;
	ref r;
};

struct sorting {
	struct sim *s;
	const struct query *q;
	size_t from; /* first key that `key` of the entries does not hold */
	struct px_buf a, b;
};

static const struct col *col_of(const struct sim *s, int model, ref r)
{
	return &s->world.integs[ref_integ(r)]->cols[model_base(model)];
}

enum time_field { TIME_NO, TIME_CREATED, TIME_UPDATED, TIME_SEEN };

static enum time_field time_field(const struct px_field *f)
{
	return !strcmp(f->name, "created_at")	? TIME_CREATED
	       : !strcmp(f->name, "updated_at") ? TIME_UPDATED
	       : !strcmp(f->name, "last_seen")	? TIME_SEEN
						: TIME_NO;
}

static int64_t time_value(const struct col *c, uint32_t idx, enum time_field which)
{
	return which == TIME_CREATED   ? rec_created_ms(c, idx)
	       : which == TIME_UPDATED ? rec_updated_ms(c, idx)
				       : rec_seen_ms(c, idx);
}

static int cmp_int(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* Nulls sort as larger than everything, or smaller. */
static int cmp_null(const struct sim *s, bool a, bool b)
{
	int larger = s->quirk[QUIRK_NULLS_FIRST] ? -1 : 1;

	return a == b ? 0 : a ? larger : -larger;
}

static int cmp_tokens(
	const struct sim *s, const struct px_buf *ta, const struct px_buf *tb, const char *name)
{
	struct span a = json_member(ta->data, ta->len, name),
		    b = json_member(tb->data, tb->len, name);
	bool na = !a.p || json_is(a, "null"), nb = !b.p || json_is(b, "null");
	struct px_buf da = PX_BUF_INIT(SIM_TEXT_MAX), db = PX_BUF_INIT(SIM_TEXT_MAX);
	size_t n;
	int cmp;

	if (na || nb)
		return cmp_null(s, na, nb);
	if (*a.p != '"' || *b.p != '"') {
		double x = *a.p == 't' ? 1 : strtod(a.p, NULL),
		       y = *b.p == 't' ? 1 : strtod(b.p, NULL);

		return (x > y) - (x < y);
	}
	json_decode(a, &da);
	json_decode(b, &db);
	n = da.len < db.len ? da.len : db.len;
	cmp = n ? memcmp(da.data, db.data, n) : 0;
	if (!cmp)
		cmp = (da.len > db.len) - (da.len < db.len);
	px_buf_release(&da);
	px_buf_release(&db);
	return cmp;
}

static int cmp_key(struct sorting *o, const struct order *k, ref ra, ref rb)
{
	const struct col *ca = col_of(o->s, o->q->model, ra), *cb = col_of(o->s, o->q->model, rb);
	uint32_t a = ref_idx(ra), b = ref_idx(rb);
	enum time_field which = time_field(k->field);
	int cmp;

	if (which != TIME_NO) {
		int64_t x = time_value(ca, a, which), y = time_value(cb, b, which);

		cmp = x == INT64_MIN || y == INT64_MIN
			      ? cmp_null(o->s, x == INT64_MIN, y == INT64_MIN)
			      : cmp_int(x, y);
	} else if (!strcmp(k->field->name, "id")) {
		char ia[SIM_ID_MAX], ib[SIM_ID_MAX];

		(void)rec_id(ca, a, ia);
		(void)rec_id(cb, b, ib);
		cmp = strcmp(ia, ib);
	} else {
		px_buf_reset(&o->a);
		px_buf_reset(&o->b);
		(void)rec_text(o->s, ca, a, &o->a);
		(void)rec_text(o->s, cb, b, &o->b);
		cmp = cmp_tokens(o->s, &o->a, &o->b, k->field->name);
	}
	return k->desc ? -cmp : cmp;
}

static int cmp_entries(const void *va, const void *vb, void *arg)
{
	struct sorting *o = arg;
	const struct entry *a = va, *b = vb;
	int cmp = cmp_int(a->key, b->key);

	for (size_t i = o->from; !cmp && i < o->q->norder; i++)
		cmp = cmp_key(o, &o->q->order[i], a->r, b->r);
	if (!cmp && o->s->quirk[QUIRK_SHUFFLE_TIES]) {
		uint64_t salt = (uint64_t)o->q->offset + 1;
		uint64_t x = mix(a->r, salt), y = mix(b->r, salt);

		return (x > y) - (x < y);
	}
	return cmp ? cmp : (a->r > b->r) - (a->r < b->r);
}

/* Least significant byte first: a million times in a few dozen milliseconds. */
static bool radix(struct entry *e, size_t n)
{
	struct entry *tmp = malloc((n ? n : 1) * sizeof *tmp), *from = e, *to = tmp;

	if (!tmp)
		return false;
	for (int shift = 0; shift < 64; shift += 8) {
		size_t count[256] = {0}, sum = 0;

		for (size_t i = 0; i < n; i++)
			count[((uint64_t)from[i].key ^ UINT64_C(1) << 63) >> shift & 255]++;
		if (n && count[((uint64_t)from[0].key ^ UINT64_C(1) << 63) >> shift & 255] == n)
			continue;
		for (int b = 0; b < 256; b++) {
			size_t c = count[b];

			count[b] = sum;
			sum += c;
		}
		for (size_t i = 0; i < n; i++)
			to[count[((uint64_t)from[i].key ^ UINT64_C(1) << 63) >> shift & 255]++] =
				from[i];
		struct entry *swap = from;
		from = to;
		to = swap;
	}
	if (from != e)
		memcpy(e, from, n * sizeof *e);
	free(tmp);
	return true;
}

static void sort_entries(struct sim *s, const struct query *q, struct entry *e, size_t n)
{
	struct sorting o = {.s = s, .q = q};
	enum time_field which = q->norder ? time_field(q->order[0].field) : TIME_NO;

	px_buf_init(&o.a, SIM_TEXT_MAX);
	px_buf_init(&o.b, SIM_TEXT_MAX);
	if (which != TIME_NO) {
		bool null_low = s->quirk[QUIRK_NULLS_FIRST] != q->order[0].desc;

		for (size_t i = 0; i < n; i++) {
			int64_t ms = time_value(
				col_of(s, q->model, e[i].r), ref_idx(e[i].r), which);

			e[i].key = ms == INT64_MIN    ? (null_low ? INT64_MIN : INT64_MAX)
				   : q->order[0].desc ? -ms
						      : ms;
		}
		o.from = 1;
		if (radix(e, n))
			for (size_t i = 0; i < n;) {
				size_t k = i + 1;

				while (k < n && e[k].key == e[i].key)
					k++;
				if (k - i > 1)
					qsort_r(e + i, k - i, sizeof *e, cmp_entries, &o);
				i = k;
			}
	} else {
		for (size_t i = 0; i < n; i++)
			e[i].key = q->unsorted ? (int64_t)(mix(e[i].r, 99) >> 1) : 0;
		qsort_r(e, n, sizeof *e, cmp_entries, &o);
	}
	px_buf_release(&o.a);
	px_buf_release(&o.b);
}

/* ---- views -------------------------------------------------------------------------------------
 */

static void view_drop(struct view *v)
{
	free(v->key);
	free(v->refs);
	*v = (struct view){0};
}

void views_drop(struct world *w)
{
	for (size_t i = 0; i < w->nviews; i++)
		view_drop(&w->views[i]);
	free(w->views);
	w->views = NULL;
	w->nviews = 0;
}

/* Filters that are bounds of a view in order of updated_at, as a mask. */
static size_t bounds_of(const struct query *q)
{
	size_t mask = 0;

	if (!q->norder || time_field(q->order[0].field) != TIME_UPDATED)
		return 0;
	for (size_t i = 0; i < q->nfilter; i++)
		if (q->filter[i].kind == FILTER_UPDATED_GTE ||
			q->filter[i].kind == FILTER_UPDATED_LTE)
			mask |= (size_t)1 << i;
	return mask;
}

static char *view_key(const struct sim *s, const struct query *q, size_t bounds)
{
	struct px_buf k = PX_BUF_INIT(1 << 20);

	px_buf_addf(&k, "%d %d %lld %d %d", q->model, q->integ, (long long)q->parent, q->unsorted,
		s->quirk[QUIRK_NULLS_FIRST]);
	if (s->quirk[QUIRK_SHUFFLE_TIES])
		px_buf_addf(&k, " ~%lld", (long long)q->offset);
	for (size_t i = 0; i < q->norder; i++)
		px_buf_addf(&k, " %c%s", q->order[i].desc ? '-' : '+', q->order[i].field->name);
	for (size_t i = 0; i < q->nfilter; i++)
		if (!(bounds >> i & 1)) {
			px_buf_addf(&k, " %d %s=", q->filter[i].kind, q->filter[i].name);
			px_buf_add_json(&k, q->filter[i].value, q->filter[i].value_len);
		}
	return px_buf_steal(&k, NULL);
}

static bool add_ref(struct entry **e, size_t *n, size_t *cap, ref r)
{
	if (*n == *cap) {
		size_t more = *cap ? *cap * 2 : 1024;
		struct entry *grown = realloc(*e, more * sizeof *grown);

		if (!grown)
			return false;
		*e = grown;
		*cap = more;
	}
	(*e)[(*n)++] = (struct entry){0, r};
	return true;
}

static bool gather_one(struct sim *s, const struct query *q, size_t bounds, const struct col *c,
	uint32_t idx, struct px_buf *buf, struct entry **e, size_t *n, size_t *cap)
{
	if (px_models[q->model].view_of >= 0 && !rec_appointment(c, idx))
		return true;
	if (!matches(s, c, idx, q, bounds, buf))
		return true;
	return add_ref(e, n, cap, ref_of(c->in->num, idx));
}

/* The records below one parent: made-up ones stand at every nth index. */
static bool gather_children(struct sim *s, const struct query *q, size_t bounds,
	const struct col *c, struct px_buf *buf, struct entry **e, size_t *n, size_t *cap)
{
	uint32_t parent = ref_idx((ref)q->parent);
	uint32_t step = c->in->cols[px_models[c->model].parent].n;

	for (uint64_t i = parent; step && parent < step && i < c->n; i += step)
		if (rec_visible(s, c, (uint32_t)i) &&
			!gather_one(s, q, bounds, c, (uint32_t)i, buf, e, n, cap))
			return false;
	for (uint32_t i = c->n; i < c->n + c->created; i++)
		if (rec_visible(s, c, i) && rec_parent(s, c, i) == (int64_t)parent &&
			!gather_one(s, q, bounds, c, i, buf, e, n, cap))
			return false;
	return true;
}

static bool gather(struct sim *s, const struct query *q, size_t bounds, struct entry **e, size_t *n)
{
	struct px_buf buf = PX_BUF_INIT(SIM_TEXT_MAX);
	size_t cap = 0;
	bool ok = true;

	for (int i = 0; ok && i < s->world.ninteg; i++) {
		const struct integ *in = s->world.integs[i];
		const struct col *c = &in->cols[model_base(q->model)];
		uint32_t count;

		if ((q->integ != -1 && q->integ != i) || !integ_visible(s, in) || !c->allowed ||
			!in->cols[q->model].allowed || !in->cols[q->model].enabled)
			continue;
		if (q->parent >= 0) {
			if (ref_integ((ref)q->parent) == i && c->enabled)
				ok = gather_children(s, q, bounds, c, &buf, e, n, &cap);
			continue;
		}
		count = col_visible(c);
		for (uint32_t k = 0; ok && k < count; k++)
			ok = gather_one(s, q, bounds, c, col_nth(c, k), &buf, e, n, &cap);
	}
	px_buf_release(&buf);
	return ok;
}

static struct view *view_slot(struct world *w)
{
	struct view *oldest;

	if (!w->views) {
		w->views = calloc(VIEWS_MAX, sizeof *w->views);
		if (!w->views)
			return NULL;
		w->nviews = VIEWS_MAX;
	}
	oldest = &w->views[0];
	for (size_t i = 0; i < w->nviews; i++)
		if (w->views[i].used < oldest->used)
			oldest = &w->views[i];
	view_drop(oldest);
	return oldest;
}

static const struct view *view_get(struct sim *s, const struct query *q, size_t bounds)
{
	struct world *w = &s->world;
	uint64_t gen = w->gen[model_base(q->model)];
	char *key = view_key(s, q, bounds);
	struct entry *e = NULL;
	struct view *v;
	size_t n = 0;

	if (!key)
		return NULL;
	for (size_t i = 0; i < w->nviews; i++) {
		v = &w->views[i];
		if (!v->key || strcmp(v->key, key))
			continue;
		if (v->gen == gen) {
			v->used = ++w->view_clock;
			free(key);
			return v;
		}
		view_drop(v);
	}
	if (!gather(s, q, bounds, &e, &n)) {
		free(e);
		free(key);
		return NULL;
	}
	sort_entries(s, q, e, n);
	v = view_slot(w);
	if (v)
		v->refs = malloc((n ? n : 1) * sizeof *v->refs);
	if (!v || !v->refs) {
		free(e);
		free(key);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		v->refs[i] = e[i].r;
	free(e);
	v->n = n;
	v->key = key;
	v->gen = gen;
	v->used = ++w->view_clock;
	return v;
}

/* The first position in [lo, hi) of a view in order of updated_at that is not before ms (desc: not
 * after). */
static size_t halve(
	struct sim *s, const struct query *q, const struct view *v, int64_t ms, bool inclusive)
{
	size_t lo = 0, hi = v->n;
	bool desc = q->order[0].desc;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int64_t t = rec_updated_ms(
			col_of(s, q->model, v->refs[mid]), ref_idx(v->refs[mid]));
		bool before = desc ? (inclusive ? t > ms : t >= ms)
				   : (inclusive ? t < ms : t <= ms);

		if (before)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void narrow(struct sim *s, const struct query *q, size_t bounds, const struct view *v,
	size_t *lo, size_t *hi)
{
	bool desc = q->order[0].desc;

	for (size_t i = 0; i < q->nfilter; i++) {
		bool gte = q->filter[i].kind == FILTER_UPDATED_GTE;
		size_t at;

		if (!(bounds >> i & 1))
			continue;
		/* ascending: from the first that is >= gte, up to the first that is > lte */
		at = halve(s, q, v, q->filter[i].ms, gte != desc);
		if (gte != desc) {
			if (at > *lo)
				*lo = at;
		} else if (at < *hi) {
			*hi = at;
		}
	}
	if (*hi < *lo)
		*hi = *lo;
}

/* ---- pages -------------------------------------------------------------------------------------
 */

void meta_text(struct sim *s, int64_t offset, int64_t limit, const char *order_json, int64_t count,
	int64_t total, struct px_buf *out)
{
	bool more = offset + count < total;

	px_buf_adds(out, "{");
	if (s->meta != META_MINIMAL)
		px_buf_addf(out, "\"offset\":%lld,\"limit\":%lld,", (long long)offset,
			(long long)limit);
	px_buf_addf(out, "\"orderBy\":%s", order_json);
	if (s->meta == META_NULL_HASMORE)
		px_buf_adds(out, ",\"hasMore\":null");
	else if (s->meta != META_MINIMAL)
		px_buf_addf(out, ",\"hasMore\":%s", more ? "true" : "false");
	if (s->meta == META_FULL)
		px_buf_addf(out, ",\"total\":%lld", (long long)total);
	px_buf_addc(out, '}');
}

static void order_text(const struct query *q, struct px_buf *out)
{
	px_buf_addc(out, '[');
	for (size_t i = 0; i < q->norder; i++)
		px_buf_addf(out, "%s{\"field\":\"%s\",\"direction\":\"%s\"}", i ? "," : "",
			q->order[i].field->name, q->order[i].desc ? "desc" : "asc");
	px_buf_addc(out, ']');
}

static void page_head(
	struct sim *s, const struct query *q, int64_t count, int64_t total, struct px_buf *out)
{
	struct px_buf order = PX_BUF_INIT(4096);

	order_text(q, &order);
	px_buf_adds(out, "{\"meta\":");
	meta_text(s, q->offset, q->limit, order.data ? order.data : "[]", count, total, out);
	px_buf_adds(out, ",\"results\":[");
	px_buf_release(&order);
}

/* Whether the order asked for is the order of the index. */
static bool natural_order(struct sim *s, const struct query *q)
{
	if (q->integ < 0 || q->nfilter || q->parent >= 0 || !q->norder || q->unsorted ||
		px_models[q->model].view_of >= 0)
		return false;
	if (time_field(q->order[0].field) != TIME_CREATED || q->order[0].desc)
		return false;
	if (q->norder == 1)
		return !s->quirk[QUIRK_SHUFFLE_TIES];
	return q->norder == 2 && !q->order[1].desc && !strcmp(q->order[1].field->name, "id");
}

static px_rc fill_page(struct sim *s, const struct query *q, const struct view *v, size_t first,
	const struct col *c, int64_t count, struct page *ret, struct px_err *err)
{
	px_buf_reserve(&ret->body, (size_t)count * 2048 + 256);
	page_head(s, q, count, ret->total, &ret->body);
	for (int64_t i = 0; i < count; i++) {
		uint32_t idx;

		if (v) {
			ref r = v->refs[first + (size_t)i];

			c = col_of(s, q->model, r);
			idx = ref_idx(r);
		} else {
			idx = col_nth(c, (uint32_t)(first + (size_t)i));
		}
		if (i)
			px_buf_addc(&ret->body, ',');
		(void)rec_text(s, c, idx, &ret->body);
	}
	ret->count = (size_t)count;
	px_buf_adds(&ret->body, "]}");
	return px_buf_ok(&ret->body, err);
}

px_rc list_page(struct sim *s, struct query *q, struct page *ret, struct px_err *err)
{
	const struct col *c = NULL;
	const struct view *v = NULL;
	size_t lo = 0, hi, bounds = 0;
	int64_t count;

	px_buf_init(&ret->body, SIM_TEXT_MAX);
	px_buf_init(&ret->tail, 64);
	if (natural_order(s, q)) {
		const struct integ *in = s->world.integs[q->integ];

		c = &in->cols[q->model];
		hi = integ_visible(s, in) && c->allowed ? col_visible(c) : 0;
	} else {
		bounds = bounds_of(q);
		v = view_get(s, q, bounds);
		if (!v)
			return px_err_nomem(err);
		hi = v->n;
		if (bounds)
			narrow(s, q, bounds, v, &lo, &hi);
	}
	ret->total = (int64_t)(hi - lo);
	count = q->offset < ret->total ? ret->total - q->offset : 0;
	if (count > q->limit)
		count = q->limit;
	if (c && c->pre && count && !c->nrecs && !c->nhidden && !c->seen_ms && c->nvis == c->n &&
		!s->quirk[QUIRK_PRETTY]) {
		page_head(s, q, count, ret->total, &ret->body);
		ret->slice = c->pre + c->pre_at[q->offset];
		ret->slice_len = c->pre_at[q->offset + count] - c->pre_at[q->offset] - 1;
		px_buf_adds(&ret->tail, "]}");
		ret->count = (size_t)count;
		return px_buf_ok(&ret->body, err);
	}
	return fill_page(s, q, v, lo + (size_t)q->offset, c, count, ret, err);
}
