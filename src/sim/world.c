/* SPDX-License-Identifier: MIT */
/*
 * world.c - integrations, their collections, and which records differ from the made-up ones.
 *
 * Invariants: a collection's records in order of (created_at, id) stand in order of their index,
 * those made at run time at the end; `hidden` holds, ascending, the positions of records that the
 * API does not show; whatever changes what the API shows of a model moves world.gen of it, which is
 * what cached views go by. World time never goes back and starts after the made-up data ends, so
 * that what changes is always newer than what was there. Everything here needs world.lock.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"
#include "words.h"

static const int64_t SPAN_MS = INT64_C(126144000000); /* created_at: 2022 to 2025 */

/* How many of a model there are, compared with others: for --total. Others weigh 1. */
static const struct {
	const char *dir;
	int64_t weight;
} weights[] = {
	{"residents", 90},
	{"leases", 70},
	{"units", 60},
	{"unit-details", 40},
	{"resident-charges", 140},
	{"resident-payments", 100},
	{"recurring-resident-charges", 50},
	{"service-requests", 60},
	{"service-request-history", 80},
	{"events", 90},
	{"leads", 60},
	{"applicants", 30},
	{"applications", 20},
	{"listings", 20},
	{"unit-pricing", 30},
	{"call-logs", 25},
	{"invoices", 25},
	{"payable-registers", 25},
	{"purchase-orders", 12},
	{"purchase-order-items", 30},
	{"deposits", 25},
	{"deposit-summaries", 20},
	{"rentable-items", 20},
	{"resident-insurance", 15},
	{"amenities", 15},
	{"vendors", 10},
	{"employees", 6},
	{"properties", 3},
	{"floor-plans", 8},
	{"construction-jobs", 3},
	{"construction-job-details", 9},
	{"contracts", 4},
	{"contract-details", 9},
	{"lease-transfers", 6},
	{"financial-accounts", 5},
	{"charge-codes", 5},
	{"fees", 8},
	{"owners", 4},
};

/* Nothing hangs on these, so an integration can do without. */
static const char *const leaf_models[] = {"call-logs", "concessions", "timezones",
	"note-categories", "lease-transfers", "application-templates", "payable-registers",
	"accounting-entities", "address-types", "resident-insurance", "lead-relationships",
	"event-sub-types"};

static const char *const integ_names[] = {"Acme Properties", "Résidences Élysée & Fils",
	"North/South\x07 Holdings", "Acme Properties", ".hidden Estates", "נכסי השרון",
	"🏠 Homes \"4\" You", "..", "", " padded ", "New\nLine", "-rf", "~tilde", "con",
	"Acme Properties",
	"Very long name of a portfolio that goes on and on, because somebody pasted the legal "
	"description of every parcel into the field where the name goes, which nobody ever noticed "
	"until a program had to make a directory of it, and then of course it was too late to "
	"change; Lot 1, Block 2, Map 3"};

int64_t world_now(struct sim *s)
{
	int64_t now = px_clock_wall_ms();

	if (now < SIM_END_MS)
		now = SIM_END_MS;
	if (now > s->world.last_now_ms)
		s->world.last_now_ms = now;
	return s->world.last_now_ms;
}

uint64_t sim_random(struct sim *s, uint64_t below)
{
	s->world.rng = mix(s->world.rng, ++s->world.serial);
	return below ? s->world.rng % below : 0;
}

void random_id(struct sim *s, char ret[32])
{
	static const char b36[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	uint64_t a = mix(s->opt.seed ^ 0x1d5, ++s->world.serial);

	ret[0] = 'c';
	for (int i = 1; i < 25; i++) {
		if (i == 13)
			a = mix(a, s->world.serial);
		ret[i] = b36[a % 36];
		a /= 36;
	}
	ret[25] = '\0';
}

bool integ_visible(const struct sim *s, const struct integ *in)
{
	return !in->removed && s->world.account == in->account;
}

struct integ *world_integ(struct sim *s, const char *id, size_t len)
{
	char *end;
	long num;

	for (int i = 0; i < s->world.ninteg; i++)
		if (strlen(s->world.integs[i]->id) == len &&
			!memcmp(s->world.integs[i]->id, id, len))
			return s->world.integs[i];
	if (!len || len > 6)
		return NULL;
	num = strtol(id, &end, 10);
	return end == id + len && num >= 0 && num < s->world.ninteg ? s->world.integs[num] : NULL;
}

void col_changed(struct sim *s, const struct col *c)
{
	s->world.gen[c->model]++;
}

void world_changed(struct sim *s)
{
	for (int m = 0; m < PX_MODEL_COUNT; m++)
		s->world.gen[m]++;
}

/* ---- records at run time -----------------------------------------------------------------------
 */

static size_t slot_of(const struct col *c, uint32_t idx)
{
	size_t at = (size_t)mix(idx, 0x51) & (c->nslots - 1);

	while (c->slots[at] && c->slots[at]->idx != idx)
		at = (at + 1) & (c->nslots - 1);
	return at;
}

struct rec *col_rec(const struct col *c, uint32_t idx)
{
	return c->nslots ? c->slots[slot_of(c, idx)] : NULL;
}

static bool grow_slots(struct col *c)
{
	struct rec **old = c->slots;
	size_t nold = c->nslots;
	struct rec **slots = calloc(nold ? nold * 2 : 16, sizeof *slots);

	if (!slots)
		return false;
	c->slots = slots;
	c->nslots = nold ? nold * 2 : 16;
	for (size_t i = 0; i < nold; i++)
		if (old[i])
			c->slots[slot_of(c, old[i]->idx)] = old[i];
	free(old);
	return true;
}

struct rec *col_rec_make(struct sim *s, struct col *c, uint32_t idx)
{
	struct rec *r = col_rec(c, idx);

	if (r)
		return r;
	if ((c->nrecs + 1) * 2 > c->nslots && !grow_slots(c))
		return NULL;
	r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->idx = idx;
	r->col = c;
	r->parent = idx < c->n ? base_parent(s, c, idx) : -1;
	c->slots[slot_of(c, idx)] = r;
	c->nrecs++;
	return r;
}

static void ver_free(struct ver *v)
{
	if (v)
		free(v->text);
	free(v);
}

static void rec_free(struct rec *r)
{
	ver_free(r->now);
	while (r->queue) {
		struct ver *next = r->queue->next;

		ver_free(r->queue);
		r->queue = next;
	}
	free(r->id);
	free(r);
}

static uint64_t id_hash(int model, const char *id, size_t len)
{
	return mix(hash_text(id, len), (uint64_t)model);
}

void rec_register(struct sim *s, struct rec *r)
{
	struct world *w = &s->world;
	size_t at;

	if (w->nids_used * 2 >= w->nids) {
		size_t n = w->nids ? w->nids * 2 : 64;
		struct rec **ids = calloc(n, sizeof *ids);

		if (!ids)
			return;
		for (size_t i = 0; i < w->nids; i++)
			for (struct rec *x = w->ids[i], *next; x; x = next) {
				size_t to = (size_t)id_hash(x->col->model, x->id, strlen(x->id)) &
					    (n - 1);

				next = x->by_id;
				x->by_id = ids[to];
				ids[to] = x;
			}
		free(w->ids);
		w->ids = ids;
		w->nids = n;
	}
	at = (size_t)id_hash(r->col->model, r->id, strlen(r->id)) & (w->nids - 1);
	r->by_id = w->ids[at];
	w->ids[at] = r;
	w->nids_used++;
}

/* Position of a record in order of creation, hidden ones counted: made-up records that the first
 * sync has not brought yet have none. */
static bool position(const struct col *c, uint32_t idx, uint32_t *ret)
{
	if (idx < c->n) {
		*ret = idx;
		return idx < c->nvis;
	}
	*ret = c->nvis + (idx - c->n);
	return idx - c->n < c->created;
}

static size_t hidden_below(const struct col *c, uint32_t pos)
{
	size_t lo = 0, hi = c->nhidden;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c->hidden[mid] < pos)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_hidden(const struct col *c, uint32_t pos)
{
	size_t at = hidden_below(c, pos);

	return at < c->nhidden && c->hidden[at] == pos;
}

static px_rc hide(struct col *c, uint32_t pos, bool on)
{
	size_t at = hidden_below(c, pos);
	bool there = at < c->nhidden && c->hidden[at] == pos;

	if (there == on)
		return PX_OK;
	if (!on) {
		memmove(c->hidden + at, c->hidden + at + 1,
			(c->nhidden - at - 1) * sizeof *c->hidden);
		c->nhidden--;
		return PX_OK;
	}
	if (c->nhidden == c->hidden_cap) {
		size_t cap = c->hidden_cap ? c->hidden_cap * 2 : 16;
		uint32_t *hidden = realloc(c->hidden, cap * sizeof *hidden);

		if (!hidden)
			return PX_ENOMEM;
		c->hidden = hidden;
		c->hidden_cap = cap;
	}
	memmove(c->hidden + at + 1, c->hidden + at, (c->nhidden - at) * sizeof *c->hidden);
	c->hidden[at] = pos;
	c->nhidden++;
	return PX_OK;
}

/* Records made at run time stand behind the made-up ones: their positions move on. */
void col_complete(struct sim *s, struct col *c)
{
	uint32_t more = c->n - c->nvis;

	for (size_t i = 0; i < c->nhidden; i++)
		if (c->hidden[i] >= c->nvis)
			c->hidden[i] += more;
	c->nvis = c->n;
	col_changed(s, c);
}

uint32_t col_visible(const struct col *c)
{
	return c->enabled ? (uint32_t)(c->nvis + c->created - c->nhidden) : 0;
}

uint32_t col_nth(const struct col *c, uint32_t k)
{
	size_t lo = 0, hi = c->nhidden;
	uint32_t pos;

	/* hidden[i] - i is how many shown ones come before hidden[i] */
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c->hidden[mid] - mid <= k)
			lo = mid + 1;
		else
			hi = mid;
	}
	pos = k + (uint32_t)lo;
	return pos < c->nvis ? pos : c->n + (pos - c->nvis);
}

bool rec_visible(struct sim *s, const struct col *c, uint32_t idx)
{
	uint32_t pos;

	return c->enabled && integ_visible(s, c->in) && position(c, idx, &pos) &&
	       !is_hidden(c, pos);
}

static const struct ver *shown(const struct col *c, uint32_t idx)
{
	const struct rec *r = col_rec(c, idx);

	return r ? r->now : NULL;
}

static const struct ver *newest(const struct col *c, uint32_t idx)
{
	const struct rec *r = col_rec(c, idx);
	const struct ver *v;

	if (!r)
		return NULL;
	for (v = r->queue; v && v->next; v = v->next)
		;
	return v ? v : r->now;
}

int64_t rec_created_ms(const struct col *c, uint32_t idx)
{
	const struct ver *v = shown(c, idx);

	return v ? v->created_ms : base_created_ms(c, idx);
}

static int64_t seen_of(const struct col *c, uint32_t idx, const struct ver *v)
{
	return c->seen_ms > v->seen_ms && base_in_window(c, idx) ? c->seen_ms : v->seen_ms;
}

static int64_t updated_of(const struct col *c, uint32_t idx, const struct ver *v)
{
	return c->seen_moves && c->seen_ms > v->updated_ms && base_in_window(c, idx)
		       ? c->seen_ms
		       : v->updated_ms;
}

int64_t rec_updated_ms(const struct col *c, uint32_t idx)
{
	const struct ver *v = shown(c, idx);

	return v ? updated_of(c, idx, v) : base_updated_ms(c, idx);
}

int64_t rec_seen_ms(const struct col *c, uint32_t idx)
{
	const struct ver *v = shown(c, idx);

	return v ? seen_of(c, idx, v) : base_seen_ms(c, idx);
}

size_t rec_id(const struct col *c, uint32_t idx, char ret[SIM_ID_MAX])
{
	const struct rec *r = idx >= c->n ? col_rec(c, idx) : NULL;
	size_t len;

	if (!r || !r->id)
		return base_id(c, idx, ret);
	len = strlen(r->id);
	memcpy(ret, r->id, len + 1);
	return len;
}

int64_t rec_parent(const struct sim *s, const struct col *c, uint32_t idx)
{
	const struct rec *r = idx >= c->n ? col_rec(c, idx) : NULL;

	return r ? r->parent : base_parent(s, c, idx);
}

bool rec_appointment(const struct col *c, uint32_t idx)
{
	const struct ver *v = shown(c, idx);

	return v ? v->appointment : idx % 3 == 0;
}

bool rec_reachable(struct sim *s, const struct col *c, uint32_t idx)
{
	int parent = px_models[c->model].parent;
	int64_t p;

	if (!rec_visible(s, c, idx))
		return false;
	if (parent < 0)
		return true;
	p = rec_parent(s, c, idx);
	return p >= 0 && rec_reachable(s, &c->in->cols[parent], (uint32_t)p);
}

/* The text with what a later sync has moved. updated_at always stands before last_seen. */
static void ver_text(const struct col *c, uint32_t idx, const struct ver *v, struct px_buf *out)
{
	int64_t seen = seen_of(c, idx, v), updated = updated_of(c, idx, v);
	size_t at = 0;

	if (updated != v->updated_ms && v->updated_len) {
		px_buf_add(out, v->text, v->updated_at);
		time_text(updated, out);
		at = v->updated_at + v->updated_len;
	}
	if (seen != v->seen_ms && v->seen_len && v->seen_at >= at) {
		px_buf_add(out, v->text + at, v->seen_at - at);
		time_text(seen, out);
		at = v->seen_at + v->seen_len;
	}
	px_buf_add(out, v->text + at, v->len - at);
}

bool rec_text(const struct sim *s, const struct col *c, uint32_t idx, struct px_buf *out)
{
	const struct ver *v = shown(c, idx);

	if (v && v->gone)
		return false;
	if (v)
		ver_text(c, idx, v, out);
	else if (idx < c->n)
		base_render(s, c, idx, out);
	else
		return false;
	return true;
}

bool rec_newest(const struct sim *s, const struct col *c, uint32_t idx, struct px_buf *out)
{
	const struct ver *v = newest(c, idx);

	if (!v)
		return rec_text(s, c, idx, out);
	if (v->gone)
		return false;
	ver_text(c, idx, v, out);
	return true;
}

bool find_record(
	struct sim *s, int model, const char *id, size_t len, struct col **ret_col, uint32_t *ret)
{
	struct world *w = &s->world;
	size_t at;

	if (w->nids) {
		at = (size_t)id_hash(model, id, len) & (w->nids - 1);
		for (struct rec *r = w->ids[at]; r; r = r->by_id)
			if (r->col->model == model && strlen(r->id) == len &&
				!memcmp(r->id, id, len)) {
				*ret_col = r->col;
				*ret = r->idx;
				return true;
			}
	}
	for (int i = 0; i < w->ninteg; i++) {
		struct col *c = &w->integs[i]->cols[model];

		if (base_find(c, id, len, ret)) {
			*ret_col = c;
			return true;
		}
	}
	return false;
}

static int64_t span_time(struct span v)
{
	int64_t ns;

	if (!v.p || v.len < 3 || px_time_parse(v.p + 1, v.len - 2, &ns))
		return INT64_MIN;
	return ns / 1000000;
}

static void promote(struct sim *s, struct rec *r, struct ver *v)
{
	struct col *c = r->col;
	uint32_t pos;

	ver_free(r->now);
	r->now = v;
	v->next = NULL;
	if (position(c, r->idx, &pos))
		(void)hide(c, pos, v->gone);
	col_changed(s, c);
}

px_rc rec_put(struct sim *s, struct col *c, uint32_t idx, char *text, size_t len, bool gone)
{
	struct rec *r = col_rec_make(s, c, idx);
	struct ver *v = calloc(1, sizeof *v), **tail;
	struct span at;
	uint32_t pos;
	int64_t lag = s->lag_ms;

	if (!r || !v) {
		free(v);
		free(text);
		return PX_ENOMEM;
	}
	v->text = text;
	v->len = len;
	v->gone = gone;
	v->created_ms = rec_created_ms(c, idx);
	v->seen_ms = INT64_MIN;
	if (!gone) {
		at = json_member(text, len, "created_at");
		v->created_ms = span_time(at);
		at = json_member(text, len, "updated_at");
		v->updated_ms = span_time(at);
		v->updated_at = at.p ? (size_t)(at.p - text) : 0;
		v->updated_len = at.len;
		at = json_member(text, len, "last_seen");
		v->seen_ms = span_time(at);
		v->seen_at = at.p ? (size_t)(at.p - text) : 0;
		v->seen_len = at.len;
		at = json_member(text, len, "appointment_datetime");
		v->appointment = at.p && !json_is(at, "null");
	}
	if (lag <= 0 && !r->queue) {
		promote(s, r, v);
		return PX_OK;
	}
	/* a record that the API does not show at all yet waits hidden */
	if (!r->now && idx >= c->n && position(c, idx, &pos))
		(void)hide(c, pos, true);
	v->due_ms = px_clock_mono_ms() + lag;
	for (tail = &r->queue; *tail; tail = &(*tail)->next)
		if ((*tail)->due_ms > v->due_ms)
			v->due_ms = (*tail)->due_ms;
	*tail = v;
	s->world.nlagging++;
	col_changed(s, c);
	return PX_OK;
}

void world_settle(struct sim *s)
{
	int64_t now;

	if (!s->world.nlagging)
		return;
	now = px_clock_mono_ms();
	for (int i = 0; i < s->world.ninteg; i++)
		for (int m = 0; m < PX_MODEL_COUNT; m++) {
			struct col *c = &s->world.integs[i]->cols[m];

			for (size_t k = 0; k < c->nslots && s->world.nlagging; k++) {
				struct rec *r = c->slots[k];

				while (r && r->queue && r->queue->due_ms <= now) {
					struct ver *v = r->queue;

					r->queue = v->next;
					s->world.nlagging--;
					promote(s, r, v);
				}
			}
		}
}

bool pick_record(struct sim *s, const struct col *c, uint32_t *ret)
{
	enum { TRIES = 40 };
	uint32_t n = col_visible(c);

	for (int i = 0; n && i < TRIES; i++) {
		*ret = col_nth(c, (uint32_t)sim_random(s, n));
		if (rec_reachable(s, c, *ret))
			return true;
	}
	return false;
}

px_rc col_prerender(struct sim *s, struct col *c)
{
	struct px_buf out = PX_BUF_INIT(SIZE_MAX / 2);

	if (!c->n)
		return PX_OK;
	c->pre_at = malloc(((size_t)c->n + 1) * sizeof *c->pre_at);
	if (!c->pre_at)
		return PX_ENOMEM;
	for (uint32_t i = 0; i < c->n; i++) {
		if (i)
			px_buf_addc(&out, ',');
		c->pre_at[i] = out.len;
		base_render(s, c, i, &out);
	}
	c->pre_at[c->n] = out.len + 1; /* as if a comma followed */
	c->pre = px_buf_steal(&out, NULL);
	return c->pre ? PX_OK : PX_ENOMEM;
}

/* ---- making it ---------------------------------------------------------------------------------
 */

static void col_init(struct sim *s, struct integ *in, int model, uint32_t n)
{
	struct col *c = &in->cols[model];

	c->in = in;
	c->model = model;
	c->n = n;
	c->nvis = in->pending ? (uint32_t)((uint64_t)n * 2 / 5) : n;
	c->seed = mix(mix(s->opt.seed, (uint64_t)model + 1), (uint64_t)in->num + 77);
	c->step_ms = SPAN_MS / (n ? n : 1) / 1000 * 1000;
	if (c->step_ms < 1000)
		c->step_ms = 1000;
	c->batch_ms = SPAN_MS / (n / 8 + 1) / 1000 * 1000;
	if (c->batch_ms < 1000)
		c->batch_ms = 1000;
	c->long_at = UINT32_MAX;
	c->last_created_ms = SIM_END_MS;
}

static struct integ *integ_new(struct sim *s, const char *name, int account)
{
	struct world *w = &s->world;
	struct integ **integs = realloc(w->integs, ((size_t)w->ninteg + 1) * sizeof *integs);
	struct integ *in;
	uint64_t h;
	static const char b36[] = "0123456789abcdefghijklmnopqrstuvwxyz";

	if (!integs)
		return NULL;
	w->integs = integs;
	in = calloc(1, sizeof *in);
	if (!in)
		return NULL;
	in->name = strdup(name);
	if (!in->name) {
		free(in);
		return NULL;
	}
	in->num = w->ninteg;
	in->account = account;
	h = mix(s->opt.seed ^ 0x1475, (uint64_t)in->num);
	(void)snprintf(in->id, sizeof in->id, "cly%06d", in->num);
	for (int i = 9; i < 25; i++, h = mix(h, (uint64_t)i))
		in->id[i] = b36[h % 36];
	in->id[25] = '\0';
	in->vendor = words_vendor.word[(size_t)in->num % words_vendor.n];
	in->created_ms = SIM_BEGIN_MS - INT64_C(86400000) * (100 - in->num % 50);
	in->updated_ms = SIM_END_MS - INT64_C(86400000) * (30 + in->num % 20);
	in->last_sync_ms = SIM_END_MS - 27000000 + in->num * 60000;
	in->last_back_sync_ms = in->num % 2 ? SIM_BEGIN_MS + INT64_C(86400000) * 40 : 0;
	in->last_access_check_ms = SIM_END_MS - 3600000;
	in->active = true;
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		in->cols[m].enabled = true;
		in->cols[m].allowed = !w->refused[m];
	}
	w->integs[w->ninteg++] = in;
	return in;
}

struct integ *world_add(
	struct sim *s, const char *name, bool pending, uint32_t per_model, int account)
{
	struct integ *in = integ_new(s, name, account);

	if (!in)
		return NULL;
	in->pending = pending;
	if (pending)
		in->last_sync_ms = in->last_back_sync_ms = 0;
	for (int m = 0; m < PX_MODEL_COUNT; m++)
		col_init(s, in, m, px_models[m].view_of >= 0 ? 0 : per_model);
	world_changed(s);
	return in;
}

static int64_t weight_of(int model)
{
	for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++)
		if (!strcmp(weights[i].dir, px_models[model].dir))
			return weights[i].weight;
	return 1;
}

/* A few of each at least; appointments come with the events. */
static void spread_total(struct options *o)
{
	int64_t sum = 0, left = o->total - (int64_t)(PX_MODEL_COUNT - 1) * 4;
	int appointments = px_model_by_dir("appointments"), events = model_base(appointments);

	if (left < 0)
		left = 0;
	for (int m = 0; m < PX_MODEL_COUNT; m++)
		sum += m == appointments ? 0 : weight_of(m);
	/* every third event is served again as an appointment: those count too */
	left = left * sum * 3 / (sum * 3 + weight_of(events));
	for (int m = 0; m < PX_MODEL_COUNT; m++)
		if (m != appointments)
			o->records[m] = 4 + left * weight_of(m) / sum;
}

static void disable_leaves(struct sim *s, struct integ *in)
{
	size_t nleaf = sizeof leaf_models / sizeof leaf_models[0];

	for (int k = 0; in->num && k < s->opt.disabled_models && k < (int)nleaf; k++)
		in->cols[px_model_by_dir(leaf_models[((size_t)in->num * 3 + (size_t)k) % nleaf])]
			.enabled = false;
}

/* Shares a model's records out over the integrations that have it. */
static void share_out(struct sim *s, int model)
{
	struct world *w = &s->world;
	int64_t total = s->opt.records[model], with = 0, given = 0, rank = 0;

	for (int i = 0; i < w->ninteg; i++)
		with += w->integs[i]->cols[model].enabled;
	for (int i = 0; i < w->ninteg; i++) {
		struct integ *in = w->integs[i];
		int64_t n = 0;

		if (in->cols[model].enabled && with) {
			rank++;
			n = total * rank / with - given;
			given += n;
		}
		col_init(s, in, model, (uint32_t)n);
	}
	/* one long text at least where there are more than fifty */
	for (int i = 0; i < w->ninteg && total > 50; i++)
		if (w->integs[i]->cols[model].n) {
			w->integs[i]->cols[model].long_at = (w->integs[i]->cols[model].n - 1) / 4;
			break;
		}
}

static void seed_jobs(struct sim *s)
{
	static const char *const types[] = {"READ_RESIDENTS", "READ_LEASES", "READ_UNITS",
		"READ_LEAD_EVENTS", "READ_SERVICE_REQUESTS", "READ_PROPERTIES"};

	s->world.last_now_ms = SIM_END_MS - INT64_C(30000000);
	for (int i = 0; i < s->world.ninteg; i++)
		for (size_t k = 0; k < 12; k++) {
			char job[32], root[32];

			change_job(s, s->world.integs[i], types[k % 6],
				k % 11 == 10 ? "FAILURE" : "SUCCESS", job, root);
			s->world.last_now_ms += 60000;
		}
}

px_rc world_init(struct sim *s, struct px_err *err)
{
	struct options *o = &s->opt;
	struct world *w = &s->world;
	int appointments = px_model_by_dir("appointments"), events = model_base(appointments);
	px_rc rc;

	(void)pthread_mutex_init(&w->lock, NULL);
	w->rng = mix(o->seed, 0x51);
	rc = gens_init(w, err);
	if (rc)
		return rc;
	if (!o->records_given)
		spread_total(o);
	if (o->records[events] < o->records[appointments] * 3)
		o->records[events] = o->records[appointments] * 3;
	for (int i = 0; i < o->integrations; i++) {
		char name[64];
		size_t known = sizeof integ_names / sizeof integ_names[0];
		struct integ *in;

		(void)snprintf(name, sizeof name, "Portfolio %d", i);
		in = integ_new(s, (size_t)i < known ? integ_names[i] : name, 0);
		if (!in)
			return px_err_nomem(err);
		in->pending = i >= o->integrations - o->pending;
		if (in->pending)
			in->last_sync_ms = in->last_back_sync_ms = 0;
		else if (i >= o->integrations - o->pending - o->disabled)
			in->active = false;
		else if (i >= o->integrations - o->pending - o->disabled - o->archived)
			in->archived = true;
		disable_leaves(s, in);
	}
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		if (m == appointments)
			o->records[m] = 0;
		share_out(s, m);
	}
	if (o->prerender)
		for (int i = 0; i < w->ninteg; i++)
			for (int m = 0; m < PX_MODEL_COUNT; m++)
				if (col_prerender(s, &w->integs[i]->cols[m]))
					return px_err_nomem(err);
	seed_jobs(s);
	w->last_now_ms = SIM_END_MS;
	return PX_OK;
}

static void col_release(struct col *c)
{
	for (size_t i = 0; i < c->nslots; i++)
		if (c->slots[i])
			rec_free(c->slots[i]);
	free(c->slots);
	free(c->hidden);
	free(c->pre);
	free(c->pre_at);
}

void world_release(struct sim *s)
{
	struct world *w = &s->world;

	views_drop(w);
	for (int i = 0; i < w->ninteg; i++) {
		for (int m = 0; m < PX_MODEL_COUNT; m++)
			col_release(&w->integs[i]->cols[m]);
		free(w->integs[i]->name);
		free(w->integs[i]);
	}
	free(w->integs);
	free(w->ids);
	free(w->jobs);
	for (size_t i = 0; i < w->ndiffs; i++) {
		free(w->diffs[i].record_id);
		free(w->diffs[i].text);
	}
	free(w->diffs);
	for (size_t i = 0; i < w->nhooks; i++)
		hook_free(w->hooks[i]);
	free(w->hooks);
	free(w->rows);
	gens_release(w);
	(void)pthread_mutex_destroy(&w->lock);
}
