/* SPDX-License-Identifier: MIT */
/*
 * record.c - a record's text from (seed, model, integration, index).
 *
 * Invariants: the same four always give the same bytes; created_at ascends with the index, and
 * where it is equal the id does; ids are unique within a model over all integrations; a link names
 * a record that exists in the same integration; what is served twice (a lease's residents and a
 * resident's leases, a request and its history) says the same in both places. Nothing is stored, so
 * that a million records cost no memory; an id leads back to its index by arithmetic, and the odd
 * ones, which stand at known positions, by trying.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "propexofs/utf8.h"
#include "words.h"

static const int64_t CHANGED_MS = INT64_C(1769817600000); /* updated_at: before 2026-01-31 */
static const int64_t SHARED_MS = INT64_C(1762052400000);  /* one updated_at that many share */
static const int64_t SEEN_MS = INT64_C(1769875800000);	  /* the last sync before we start */

enum {
	LONG_TEXT = 100 << 10,
	LONG_EVERY = 2000,
	LONG_PHASE = 1777,
	ODD_EVERY = 16, /* an odd id, for each kind once... */
	ODD_PHASE = 11,
	ODD_LATER = 1024, /* ...and then rarely */
	TIE_BLOCK = 4096, /* in each block of so many... */
	TIE_FROM = 1100,  /* ...so many from here share created_at: more than a page */
	TIE_COUNT = 400,
	META_MAX = 4,	 /* residents of a lease */
	HISTORY_MAX = 3, /* entries of a service request that it embeds */
};

/* Numbers of models that are treated specially; set once by gens_init, before threads. */
static int m_properties, m_leases, m_residents, m_history, m_events;

/* ---- how members are made ----------------------------------------------------------------------
 */

enum kind {
	K_ID,
	K_CREATED,
	K_UPDATED,
	K_SEEN,
	K_INTEGRATION,
	K_VENDOR,
	K_PROPERTY,
	K_PARENT,
	K_LINK,
	K_LINKS,
	K_XID,
	K_XPROPERTY,
	K_XLOCATION,
	K_X,
	K_ENUM,
	K_TIME,
	K_DATE,
	K_CENTS,
	K_MONEY,
	K_NUMBER,
	K_INT,
	K_BOOL,
	K_OPEN,
	K_OBJECTS,
	K_LEASES,
	K_RESIDENTS,
	K_HISTORY,
	K_STRINGS,
	K_WORD, /* from a list */
	K_EMAIL,
	K_PHONE,
	K_STREET,
	K_STREET2,
	K_ZIP,
	K_URL,
	K_CLOCK,
	K_COUNT,
	K_MONTH,
	K_YEAR,
	K_NOTE,
};

struct gen {
	const struct px_field *f;
	char *prefix; /* "name": */
	size_t prefix_len;
	enum kind kind;
	const struct words *words;
	uint64_t seed;
	unsigned null_pct, absent_pct;
	struct gen *sub;
	size_t nsub;
};

/* By name: the whole of it, or its end after a '*'. The first that fits. */
static const struct {
	const char *name;
	enum kind kind;
	const struct words *words;
	unsigned null_pct;
} by_name[] = {
	{"x_id", K_XID, NULL, 0},
	{"x_property_id", K_XPROPERTY, NULL, 0},
	{"x_location_id", K_XLOCATION, NULL, 0},
	{"first_name", K_WORD, &words_first, 3},
	{"middle_name", K_WORD, &words_first, 65},
	{"last_name", K_WORD, &words_last, 3},
	{"company_name", K_WORD, &words_company, 30},
	{"provider", K_WORD, &words_company, 10},
	{"*_name_alternate", K_WORD, &words_first, 70},
	{"agent_name", K_WORD, &words_last, 20},
	{"creator_name", K_WORD, &words_last, 20},
	{"manager_name", K_WORD, &words_last, 20},
	{"leasing_agent", K_WORD, &words_last, 20},
	{"entity_name", K_WORD, &words_company, 10},
	{"building_name", K_WORD, &words_property, 40},
	{"marketing_name", K_WORD, &words_property, 40},
	{"listing_title", K_WORD, &words_property, 10},
	{"*email", K_EMAIL, NULL, 20},
	{"email_1", K_EMAIL, NULL, 10},
	{"email_2", K_EMAIL, NULL, 75},
	{"*phone_1", K_PHONE, NULL, 10},
	{"*phone_2", K_PHONE, NULL, 75},
	{"phone", K_PHONE, NULL, 10},
	{"*phone_number", K_PHONE, NULL, 10},
	{"*address_1", K_STREET, NULL, 8},
	{"*address_2", K_STREET2, NULL, 70},
	{"*address_1_alternate", K_STREET, NULL, 80},
	{"*address_2_alternate", K_STREET2, NULL, 90},
	{"*city", K_WORD, &words_city, 8},
	{"city_alternate", K_WORD, &words_city, 80},
	{"county", K_WORD, &words_city, 40},
	{"*state", K_WORD, &words_state, 8},
	{"state_alternate", K_WORD, &words_state, 80},
	{"*country", K_WORD, &words_country, 30},
	{"country_alternate", K_WORD, &words_country, 85},
	{"*zip", K_ZIP, NULL, 8},
	{"zip_alternate", K_ZIP, NULL, 80},
	{"*notes", K_NOTE, NULL, 40},
	{"*description", K_NOTE, NULL, 30},
	{"*_details", K_NOTE, NULL, 40},
	{"specials", K_NOTE, NULL, 60},
	{"pet_policy", K_NOTE, NULL, 50},
	{"reasons_for_event", K_NOTE, NULL, 60},
	{"desired_amenities", K_NOTE, NULL, 60},
	{"*_url", K_URL, NULL, 30},
	{"website", K_URL, NULL, 30},
	{"open_time", K_CLOCK, NULL, 0},
	{"close_time", K_CLOCK, NULL, 0},
	{"bedrooms", K_COUNT, NULL, 10},
	{"bathrooms", K_COUNT, NULL, 10},
	{"floor", K_COUNT, NULL, 30},
	{"quantity_ordered", K_COUNT, NULL, 5},
	{"post_month", K_MONTH, NULL, 10},
	{"current_period", K_MONTH, NULL, 10},
	{"year", K_YEAR, NULL, 10},
	{"*deposit_amount", K_MONEY, NULL, 20},
	{"*amount_raw", K_MONEY, NULL, 20},
	{"*amount_open_raw", K_MONEY, NULL, 20},
	{"*amount_paid_raw", K_MONEY, NULL, 20},
	{"*amount_min_raw", K_MONEY, NULL, 20},
	{"*amount_max_raw", K_MONEY, NULL, 20},
	{"*balance_raw", K_MONEY, NULL, 20},
	{"fee_raw", K_MONEY, NULL, 20},
	{"fee_min_raw", K_MONEY, NULL, 20},
	{"fee_max_raw", K_MONEY, NULL, 20},
	{"deposit_raw", K_MONEY, NULL, 20},
	{"*percentage_raw", K_COUNT, NULL, 20},
	{"retention_percent", K_COUNT, NULL, 20},
	{"*color", K_WORD, &words_color, 15},
	{"breed", K_WORD, &words_breed, 15},
	{"make", K_WORD, &words_make, 5},
	{"day_of_week", K_WORD, &words_weekday, 0},
	{"*status", K_WORD, &words_status, 10},
	{"*status_raw", K_WORD, &words_status, 10},
	{"*status_next", K_WORD, &words_status, 10},
	{"*status_previous", K_WORD, &words_status, 10},
	{"*term", K_WORD, &words_term, 20},
	{"*term_raw", K_WORD, &words_term, 20},
	{"*_number", K_WORD, &words_number, 20},
	{"number", K_WORD, &words_number, 10},
	{"*code", K_WORD, &words_number, 20},
	{"offset", K_WORD, &words_number, 10},
	{"*gl_account", K_WORD, &words_number, 20},
	{"stock_code", K_WORD, &words_number, 20},
};

static bool name_fits(const char *pattern, const char *name)
{
	size_t np = strlen(pattern), nn = strlen(name);

	if (*pattern != '*')
		return !strcmp(pattern, name);
	return nn >= np - 1 && !strcmp(name + nn - (np - 1), pattern + 1);
}

/* Twins take their value from one seed. `derived`: only the API computes it. */
static const struct {
	const char *model, *name, *from;
	bool derived;
} twins[] = {
	{"listings", "address_1", "street_address_1", true},
	{"listings", "address_2", "street_address_2", true},
	{"properties", "address_1", "street_address_1", true},
	{"properties", "address_2", "street_address_2", true},
	{"units", "address_1", "street_address_1", true},
	{"units", "address_2", "street_address_2", true},
	{"properties", "square_footage", "square_feet", true},
};

static const char *twin_source(const struct px_model *m, const char *name)
{
	for (size_t i = 0; i < sizeof twins / sizeof twins[0]; i++)
		if (!strcmp(twins[i].model, m->dir) && !strcmp(twins[i].name, name))
			return twins[i].from;
	return NULL;
}

const char *member_twin(const struct px_model *m, const char *name)
{
	for (size_t i = 0; i < sizeof twins / sizeof twins[0]; i++)
		if (!strcmp(twins[i].model, m->dir) && !strcmp(twins[i].from, name))
			return twins[i].name;
	return NULL;
}

bool member_stored(const struct px_model *m, const struct px_field *f)
{
	if (f->type == PX_TYPE_ARRAY && (f->items == PX_TYPE_OBJECT || f->link >= 0))
		return false;
	return !twin_source(m, f->name);
}

static void classify_string(const struct px_model *m, struct gen *g, bool top)
{
	const struct px_field *f = g->f;

	g->kind = K_WORD;
	g->words = &words_thing;
	if (f->hint == PX_HINT_TIMESTAMP || f->hint == PX_HINT_DATE) {
		g->kind = f->hint == PX_HINT_DATE ? K_DATE : K_TIME;
		return;
	}
	if (!strncmp(f->name, "date_", 5)) {
		g->kind = K_TIME;
		return;
	}
	if (f->enumeration && strcmp(f->name, "integration_vendor")) {
		g->kind = K_ENUM;
		return;
	}
	for (size_t i = 0; i < sizeof by_name / sizeof by_name[0]; i++) {
		if (!name_fits(by_name[i].name, f->name))
			continue;
		g->kind = by_name[i].kind;
		g->words = by_name[i].words;
		g->null_pct = by_name[i].null_pct;
		return;
	}
	if (!strncmp(f->name, "x_", 2))
		g->kind = K_X;
	else if (f->link >= 0)
		g->kind = K_LINK;
	else if (!strcmp(f->name, "name") && top && !strcmp(m->dir, "properties"))
		g->words = &words_property;
	else if (!strcmp(f->name, "name") && (!strcmp(m->dir, "vendors")))
		g->words = &words_company;
	else if (!strcmp(f->name, "name") &&
		 (!top || !strcmp(m->dir, "employees") || !strcmp(m->dir, "owners")))
		g->words = &words_first;
	else if (!strcmp(f->name, "type") && !top)
		g->words = &words_animal;
}

static void classify(const struct px_model *m, struct gen *g, bool top)
{
	const struct px_field *f = g->f;
	static const struct {
		const char *name;
		enum kind kind;
	} fixed[] = {{"created_at", K_CREATED}, {"updated_at", K_UPDATED}, {"last_seen", K_SEEN},
		{"id", K_ID}, {"integration_id", K_INTEGRATION}, {"integration_vendor", K_VENDOR},
		{"property_id", K_PROPERTY}};

	g->null_pct = 18;
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		if (!strcmp(f->name, fixed[i].name)) {
			g->kind = fixed[i].kind;
			return;
		}
	if (top && m->parent_member && !strcmp(f->name, m->parent_member)) {
		g->kind = K_PARENT;
		return;
	}
	switch (f->type) {
	case PX_TYPE_STRING:
	case PX_TYPE_ANY:
		classify_string(m, g, top);
		break;
	case PX_TYPE_NUMBER:
	case PX_TYPE_INTEGER:
		g->kind = f->type == PX_TYPE_INTEGER ? K_INT
			  : f->hint == PX_HINT_CENTS ? K_CENTS
						     : K_NUMBER;
		break;
	case PX_TYPE_BOOLEAN:
		g->kind = K_BOOL;
		break;
	case PX_TYPE_OBJECT:
		g->kind = K_OPEN;
		break;
	case PX_TYPE_ARRAY:
		g->kind = f->items == PX_TYPE_OBJECT ? K_OBJECTS
			  : f->link >= 0	     ? K_LINKS
						     : K_STRINGS;
		if (top && !strcmp(f->name, "leases_meta_data"))
			g->kind = K_LEASES;
		else if (top && !strcmp(f->name, "residents_meta_data"))
			g->kind = K_RESIDENTS;
		else if (top && !strcmp(f->name, "history"))
			g->kind = K_HISTORY;
		break;
	}
}

static void gens_free(struct gen *g, size_t n)
{
	for (size_t i = 0; g && i < n; i++) {
		free(g[i].prefix);
		gens_free(g[i].sub, g[i].nsub);
	}
	free(g);
}

static struct gen *gens_make(
	const struct px_model *m, const struct px_field *fields, size_t n, bool top)
{
	struct gen *gen = calloc(n ? n : 1, sizeof *gen);

	for (size_t i = 0; gen && i < n; i++) {
		struct gen *g = &gen[i];
		const char *seed_name;
		size_t len = strlen(fields[i].name);

		g->f = &fields[i];
		classify(m, g, top);
		if (!fields[i].nullable)
			g->null_pct = 0;
		g->absent_pct = fields[i].optional ? 10 : 0;
		seed_name = top ? twin_source(m, fields[i].name) : NULL;
		if (!seed_name)
			seed_name = fields[i].name;
		g->seed = hash_text(seed_name, strlen(seed_name));
		g->prefix_len = len + 3;
		g->prefix = malloc(len + 4);
		if (g->prefix) {
			g->prefix[0] = '"';
			memcpy(g->prefix + 1, fields[i].name, len);
			memcpy(g->prefix + len + 1, "\":", 3);
		}
		if (fields[i].nfields) {
			g->sub = gens_make(m, fields[i].fields, fields[i].nfields, false);
			g->nsub = g->sub ? fields[i].nfields : 0;
		}
		if (!g->prefix || (fields[i].nfields && !g->sub)) {
			gens_free(gen, n);
			return NULL;
		}
	}
	return gen;
}

/* Which member takes the long texts of this model: the best that there is. */
static int long_member(const struct gens *g)
{
	static const enum kind wanted[] = {K_NOTE, K_OPEN, K_WORD};

	for (size_t w = 0; w < sizeof wanted / sizeof wanted[0]; w++)
		for (size_t i = 0; i < g->n; i++)
			if (g->gen[i].kind == wanted[w])
				return (int)i;
	return -1;
}

px_rc gens_init(struct world *w, struct px_err *err)
{
	m_properties = px_model_by_dir("properties");
	m_leases = px_model_by_dir("leases");
	m_residents = px_model_by_dir("residents");
	m_history = px_model_by_dir("service-request-history");
	m_events = px_model_by_dir("events");
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		struct gens *g = &w->gens[m];

		g->gen = gens_make(&px_models[m], px_models[m].fields, px_models[m].nfields, true);
		if (!g->gen)
			return px_err_nomem(err);
		g->n = px_models[m].nfields;
		g->long_member = long_member(g);
	}
	return PX_OK;
}

void gens_release(struct world *w)
{
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		gens_free(w->gens[m].gen, w->gens[m].n);
		w->gens[m].gen = NULL;
	}
}

/* ---- times -------------------------------------------------------------------------------------
 */

static bool in_tie(uint32_t idx, uint32_t *ret_first)
{
	uint32_t at = idx % TIE_BLOCK;

	*ret_first = idx;
	if (at >= TIE_FROM && at < TIE_FROM + TIE_COUNT)
		*ret_first = idx - (at - TIE_FROM);
	else if ((idx & 15) > 4 && (idx & 15) <= 8)
		*ret_first = (idx & ~15U) + 4;
	return *ret_first != idx || at == TIE_FROM || (idx & 15) == 4;
}

int64_t base_created_ms(const struct col *c, uint32_t idx)
{
	uint32_t first;
	uint64_t h;

	(void)in_tie(idx, &first);
	h = mix(c->seed ^ 0xc4ea7ed, first);
	return SIM_BEGIN_MS + (int64_t)first * c->step_ms +
	       (h & 1 ? 0 : (int64_t)((h >> 8) % (uint64_t)c->step_ms));
}

static int64_t plain_updated_ms(const struct col *c, uint32_t idx)
{
	int64_t created = base_created_ms(c, idx), t;
	uint64_t h = mix(c->seed ^ 0x0bda7ed, idx);

	if (h % 4 == 0)
		return created;
	if (h % 32 == 1 && created < SHARED_MS)
		return SHARED_MS;
	t = created + (int64_t)((h >> 8) % (uint64_t)(CHANGED_MS - created));
	if (h % 4 != 1) { /* written by a batch, with others */
		t = SIM_BEGIN_MS + (t - SIM_BEGIN_MS + c->batch_ms - 1) / c->batch_ms * c->batch_ms;
		if (t > CHANGED_MS)
			t = CHANGED_MS;
	}
	return t;
}

bool base_in_window(const struct col *c, uint32_t idx)
{
	return mix(c->seed ^ 0x5ee, idx) % 6 != 0;
}

int64_t base_updated_ms(const struct col *c, uint32_t idx)
{
	int64_t t = plain_updated_ms(c, idx);

	return c->seen_moves && base_in_window(c, idx) && t < c->seen_ms ? c->seen_ms : t;
}

static int64_t plain_seen_ms(const struct col *c, uint32_t idx)
{
	uint64_t h = mix(c->seed ^ 0x1a57, idx);
	int64_t created, t;

	if (base_in_window(c, idx)) {
		if (h % 50 == 0)
			return INT64_MIN;
		return SEEN_MS + (int64_t)((h >> 8) % 600000);
	}
	created = base_created_ms(c, idx);
	t = SEEN_MS - (int64_t)(1 + (h >> 8) % 200) * 86400000;
	return t < created ? created : t;
}

int64_t base_seen_ms(const struct col *c, uint32_t idx)
{
	return c->seen_ms && base_in_window(c, idx) ? c->seen_ms : plain_seen_ms(c, idx);
}

/* Two digits at a time: a page has thousands of times in it. */
static char *put2(char *p, unsigned v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
	return p + 2;
}

static char *put_date(char *p, int64_t days)
{
	int64_t z = days + 719468, era = z / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	unsigned day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
	unsigned year = (unsigned)(yoe + (unsigned)era * 400 + (month <= 2));

	p = put2(put2(p, year / 100), year % 100);
	*p++ = '-';
	p = put2(p, month);
	*p++ = '-';
	return put2(p, day);
}

static size_t put_time(char *out, int64_t ms, bool fraction)
{
	char *p = out;
	int64_t days = ms / 86400000;
	unsigned t = (unsigned)(ms % 86400000);

	*p++ = '"';
	p = put_date(p, days);
	*p++ = 'T';
	p = put2(p, t / 3600000);
	*p++ = ':';
	p = put2(p, t / 60000 % 60);
	*p++ = ':';
	p = put2(p, t / 1000 % 60);
	if (fraction || t % 1000) {
		*p++ = '.';
		*p++ = (char)('0' + t % 1000 / 100);
		p = put2(p, t % 100);
	}
	*p++ = 'Z';
	*p++ = '"';
	return (size_t)(p - out);
}

void time_text(int64_t ms, struct px_buf *out)
{
	char buf[40];

	px_buf_add(out, buf, put_time(buf, ms, true));
}

static void emit_time(struct px_buf *out, int64_t ms, uint64_t style)
{
	char buf[40];

	px_buf_add(out, buf, put_time(buf, ms, style & 1));
}

/* ---- ids ---------------------------------------------------------------------------------------
 */

static const char b36[] = "0123456789abcdefghijklmnopqrstuvwxyz";

static char *put36(char *p, uint64_t v, int digits)
{
	for (int i = digits - 1; i >= 0; i--) {
		p[i] = b36[v % 36];
		v /= 36;
	}
	return p + digits;
}

static int64_t get36(const char *p, int digits)
{
	int64_t v = 0;

	for (int i = 0; i < digits; i++) {
		const char *at = p[i] ? strchr(b36, p[i]) : NULL;

		if (!at)
			return -1;
		v = v * 36 + (at - b36);
	}
	return v;
}

enum { COUNTER = 36 * 36 * 36 * 36 };

static uint64_t fingerprint(const struct col *c)
{
	return (uint64_t)c->in->num * 64 + (uint64_t)c->model;
}

/* c, time (8), counter (4), fingerprint (4), chance (8, or more): ascends with time, then index. */
size_t make_cuid(const struct col *c, uint32_t idx, int64_t created_ms, char ret[SIM_ID_MAX])
{
	uint64_t h = mix(c->seed ^ 0x1d, idx);
	char *p = ret;
	int more = h % 20 == 0 ? 7 : h % 20 == 1 ? 11 : 0;

	*p++ = 'c';
	p = put36(p, (uint64_t)created_ms, 8);
	p = put36(p, idx % COUNTER, 4);
	p = put36(p, fingerprint(c) % COUNTER, 4);
	p = put36(p, h >> 8, 8);
	p = put36(p, mix(h, 7), more);
	*p = '\0';
	return (size_t)(p - ret);
}

static const char *const odd_ids[] = {
	"%s/slash/",
	"a blank %s",
	"100%%25 %s",
	"%s.dotted.id",
	"..%s",
	".hidden-%s",
	"-%s",
	"ns:%s:1",
	"~%s~",
	"ünï-%s-çødé",
	"日本-%s",
	"🏢%s",
	"CaseTwin-%s",
	"casetwin-%s",
	"LONG-%s-",
	"%s?x=1&y=2#f",
	"%s+plus",
	"%s%%2Fencoded",
	"%s\"quote\"",
	"%s\\back",
	"%s'$`;",
	"שלום-%s",
	"%s ",
	"%s.json",
	"%s.",
	"e\u0301-%s",
	"\u00e9-%s",
	"多字节-%s-",
	"007%s",
	"%s*[a]{b}",
	"%s|<>",
	"%s\ttab",
};
enum {
	ODD_KINDS = sizeof odd_ids / sizeof odd_ids[0],
	ODD_LONG = 14,
	ODD_LONG_MULTIBYTE = 27,
};

/* Which odd kind an index has; -1: none. `ret_base` is what its base is made of: case and
 * normal-form twins share one. */
static int odd_kind(const struct col *c, uint32_t idx, uint32_t *ret_base)
{
	uint32_t kind;

	*ret_base = idx;
	if (idx >= ODD_EVERY * ODD_KINDS)
		return idx % ODD_LATER == ODD_PHASE ? (int)(mix(c->seed, idx) % ODD_KINDS) : -1;
	if (idx % ODD_EVERY != ODD_PHASE)
		return -1;
	kind = (idx / ODD_EVERY + (uint32_t)c->model * 5 + (uint32_t)c->in->num * 11) % ODD_KINDS;
	if ((kind == 13 || kind == 26) && idx >= ODD_EVERY)
		*ret_base = idx - ODD_EVERY;
	return (int)kind;
}

static size_t odd_id(const struct col *c, uint32_t idx, int kind, uint32_t base, char *ret)
{
	char unique[16];
	const char *f = odd_ids[kind];
	size_t n = 0;
	char *p;

	(void)idx;
	unique[0] = 'k';
	p = put36(unique + 1, fingerprint(c) % COUNTER, 4);
	p = put36(p, base, 5);
	*p = '\0';
	for (; *f; f++) {
		if (*f != '%') {
			ret[n++] = *f;
		} else if (*++f == 's') {
			memcpy(ret + n, unique, 10);
			n += 10;
		} else {
			ret[n++] = '%';
		}
	}
	if (kind == ODD_LONG)
		while (n < 300)
			ret[n++] = 'L';
	if (kind == ODD_LONG_MULTIBYTE)
		while (n < 240) {
			memcpy(ret + n, "节", 3);
			n += 3;
		}
	ret[n] = '\0';
	return n;
}

size_t base_id(const struct col *c, uint32_t idx, char ret[SIM_ID_MAX])
{
	uint32_t base;
	int kind = odd_kind(c, idx, &base);

	if (kind >= 0)
		return odd_id(c, idx, kind, base, ret);
	return make_cuid(c, idx, base_created_ms(c, idx), ret);
}

static bool id_is(const struct col *c, uint32_t idx, const char *id, size_t len)
{
	char buf[SIM_ID_MAX];

	return base_id(c, idx, buf) == len && !memcmp(buf, id, len);
}

bool base_find(const struct col *c, const char *id, size_t len, uint32_t *ret)
{
	if (len >= 25 && id[0] == 'c' && get36(id + 13, 4) == (int64_t)(fingerprint(c) % COUNTER)) {
		int64_t counter = get36(id + 9, 4);

		for (; counter >= 0 && counter < c->n; counter += COUNTER)
			if (id_is(c, (uint32_t)counter, id, len)) {
				*ret = (uint32_t)counter;
				return true;
			}
	}
	for (uint32_t i = ODD_PHASE; i < c->n;
		i += i < ODD_EVERY * ODD_KINDS - ODD_EVERY ? ODD_EVERY : 1) {
		if (i >= ODD_EVERY * ODD_KINDS) {
			i = (i - ODD_PHASE + ODD_LATER - 1) / ODD_LATER * ODD_LATER + ODD_PHASE;
			if (i >= c->n)
				break;
		}
		if (id_is(c, i, id, len)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

int64_t base_parent(const struct sim *s, const struct col *c, uint32_t idx)
{
	int parent = px_models[c->model].parent;
	uint32_t n;

	(void)s;
	if (parent < 0)
		return -1;
	n = c->in->cols[parent].n;
	return n ? (int64_t)(idx % n) : -1;
}

/* ---- values ------------------------------------------------------------------------------------
 */

struct ctx {
	const struct sim *s;
	const struct col *c;
	uint32_t idx;
	uint64_t seed;
	int64_t created, updated, seen, parent;
	const char *id;
	size_t id_len;
	bool stub, is_long;
	int model;
};

enum { STYLE_SLASH = 1, STYLE_ESCAPE = 2, STYLE_UPPER = 4 };

static unsigned style_of(uint64_t h)
{
	unsigned style = 0;

	if ((h >> 50) % 8 == 0)
		style |= STYLE_SLASH;
	if ((h >> 54) % 6 == 0)
		style |= STYLE_ESCAPE;
	if ((h >> 58) % 2)
		style |= STYLE_UPPER;
	return style;
}

static char *put_u(char *p, unsigned unit, bool upper)
{
	const char *hex = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	*p++ = '\\';
	*p++ = 'u';
	for (int shift = 12; shift >= 0; shift -= 4)
		*p++ = hex[unit >> shift & 15];
	return p;
}

static unsigned utf8_code(const char *s, size_t n)
{
	static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned code = (unsigned char)s[0] & first[n];

	for (size_t i = 1; i < n; i++)
		code = code << 6 | ((unsigned char)s[i] & 0x3f);
	return code;
}

/* The content of a string literal, written in one of the ways that JSON allows. */
static void emit_text(struct px_buf *out, const char *s, size_t len, unsigned style)
{
	size_t i = 0;

	while (i < len) {
		unsigned char c = (unsigned char)s[i];
		size_t run = i;
		char buf[12], *p = buf;

		while (run < len && (unsigned char)s[run] >= 0x20 && s[run] != '"' &&
			s[run] != '\\' && !(s[run] == '/' && (style & STYLE_SLASH)) &&
			!((unsigned char)s[run] >= 0x80 && (style & STYLE_ESCAPE)))
			run++;
		if (run > i) {
			px_buf_add(out, s + i, run - i);
			i = run;
			continue;
		}
		if (c >= 0x80) {
			size_t n = px_utf8_len(s + i, len - i);
			unsigned code = utf8_code(s + i, n ? n : 1);

			if (code >= 0x10000) {
				p = put_u(
					p, 0xd800 + ((code - 0x10000) >> 10), style & STYLE_UPPER);
				code = 0xdc00 + ((code - 0x10000) & 0x3ff);
			}
			p = put_u(p, code, style & STYLE_UPPER);
			i += n ? n : 1;
		} else {
			static const char from[] = "\b\f\n\r\t\"\\/", to[] = "bfnrt\"\\/";
			const char *at = strchr(from, (char)c);

			if (c && at) {
				*p++ = '\\';
				*p++ = to[at - from];
			} else {
				p = put_u(p, c, style & STYLE_UPPER);
			}
			i++;
		}
		px_buf_add(out, buf, (size_t)(p - buf));
	}
}

static void emit_string(struct px_buf *out, const char *s, size_t len, uint64_t h)
{
	px_buf_addc(out, '"');
	emit_text(out, s, len, style_of(h));
	px_buf_addc(out, '"');
}

static void emit_word(struct px_buf *out, const struct words *w, uint64_t h)
{
	const char *word = w->word[h % w->n];

	emit_string(out, word, strlen(word), h);
}

static char *put_number(char *p, uint64_t v)
{
	char digits[24];
	int n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n)
		*p++ = digits[--n];
	return p;
}

static void emit_number(struct px_buf *out, uint64_t v)
{
	char buf[24];

	px_buf_add(out, buf, (size_t)(put_number(buf, v) - buf));
}

/* Numbers that a double would not bring back as they were. */
static const char *const odd_numbers[] = {"1.10", "1e-7", "-0", "1E+2", "9007199254740993",
	"-12500", "0", "125050.5", "12345678901234567890", "0.30000000000000004", "1.0", "-0.0",
	"1e400", "2.50e3", "123456789.123456789123456789"};
enum { ODD_NUMBERS = sizeof odd_numbers / sizeof odd_numbers[0] };

static void emit_odd_number(struct px_buf *out, uint64_t h)
{
	px_buf_adds(out, odd_numbers[h % ODD_NUMBERS]);
}

static void emit_note(struct px_buf *out, uint64_t h)
{
	size_t n = 1 + (h >> 40) % 4;
	unsigned style = style_of(h);

	px_buf_addc(out, '"');
	for (size_t i = 0; i < n; i++) {
		const char *word = words_note.word[mix(h, i) % words_note.n];

		if (i)
			px_buf_adds(out, h & 1 ? " " : "\\n");
		emit_text(out, word, strlen(word), style);
	}
	px_buf_addc(out, '"');
}

static void emit_long(struct px_buf *out, uint64_t h)
{
	size_t start = out->len;
	unsigned style = style_of(h);

	px_buf_addc(out, '"');
	for (uint64_t i = 0; out->len - start < LONG_TEXT && !out->failed; i++) {
		const char *word = words_note.word[mix(h, i) % words_note.n];

		emit_text(out, word, strlen(word), style);
		px_buf_addc(out, ' ');
		emit_number(out, i);
		px_buf_adds(out, "\\n");
	}
	px_buf_addc(out, '"');
}

static void emit_any(struct px_buf *out, uint64_t h, int depth)
{
	static const struct words *const lists[] = {
		&words_note, &words_first, &words_thing, &words_city};
	size_t n;

	switch (h % (depth < 4 ? 10 : 7)) {
	case 0:
		px_buf_adds(out, "null");
		break;
	case 1:
		px_buf_adds(out, h & 256 ? "true" : "false");
		break;
	case 2:
		emit_odd_number(out, h >> 16);
		break;
	case 3:
		emit_number(out, (h >> 16) % 100000);
		break;
	case 4:
		px_buf_adds(out, h & 256 ? "[]" : "{}");
		break;
	case 5:
	case 6:
		emit_word(out, lists[(h >> 8) % 4], mix(h, 3));
		break;
	case 7:
		n = 1 + (h >> 8) % 4;
		px_buf_addc(out, '[');
		for (size_t i = 0; i < n; i++) {
			if (i)
				px_buf_addc(out, ',');
			emit_any(out, mix(h, i + 10), depth + 1);
		}
		px_buf_addc(out, ']');
		break;
	default:
		n = 1 + (h >> 8) % 4;
		px_buf_addc(out, '{');
		for (size_t i = 0; i < n; i++) {
			/* keys in a row of the list are different */
			const char *key = words_key.word[((h >> 20) + i) % words_key.n];

			if (i)
				px_buf_addc(out, ',');
			emit_string(out, key, strlen(key), mix(h, i + 40));
			px_buf_addc(out, ':');
			emit_any(out, mix(h, i + 20), depth + 1);
		}
		px_buf_addc(out, '}');
	}
}

static void emit_open(struct px_buf *out, uint64_t h, bool nullable)
{
	if (nullable && h % 8 == 0) {
		px_buf_adds(out, "null");
		return;
	}
	if (h % 8 == 1) {
		px_buf_adds(out, "{}");
		return;
	}
	/* 8 is the branch of objects in emit_any */
	emit_any(out, (h / 10) * 10 + 8, 0);
}

static void emit_link(struct px_buf *out, const struct ctx *x, int model, uint64_t h, bool nullable)
{
	const struct col *t = &x->c->in->cols[model_base(model)];
	char id[SIM_ID_MAX];
	size_t len;

	if (!t->n) {
		if (nullable) {
			px_buf_adds(out, "null");
			return;
		}
		len = make_cuid(t, 0, SIM_BEGIN_MS, id);
	} else {
		len = base_id(t, (uint32_t)(h % t->n), id);
	}
	emit_string(out, id, len, mix(h, 5));
}

static uint32_t property_index(const struct ctx *x)
{
	const struct col *t = &x->c->in->cols[m_properties];

	if (x->c->model == m_properties)
		return x->idx;
	return t->n ? (uint32_t)(x->seed % t->n) : 0;
}

/* The PMS's own ids: small numbers mostly, the same in every integration. */
static void emit_xid(struct px_buf *out, uint64_t n, uint64_t style)
{
	static const char *const before[] = {"", "", "", "", "t000", "P-", "ext/", "0"};

	px_buf_addc(out, '"');
	px_buf_adds(out, before[style % 8]);
	emit_number(out, n + 1);
	px_buf_addc(out, '"');
}

static void emit_nested_id(struct px_buf *out, uint64_t h)
{
	char id[32], *p = id;

	*p++ = '"';
	*p++ = 'c';
	p = put36(p, h, 12);
	p = put36(p, mix(h, 1), 12);
	*p++ = '"';
	px_buf_add(out, id, (size_t)(p - id));
}

static void emit_email(struct px_buf *out, uint64_t h)
{
	static const char *const host[] = {"example.com", "mail.example.org", "bücher.example",
		"EXAMPLE.NET", "sub.example.co.uk"};

	px_buf_addc(out, '"');
	px_buf_adds(out, h & 64 ? "mary" : "ada.l");
	emit_number(out, (h >> 8) % 10000);
	px_buf_adds(out, h & 128 ? "+lease@" : "@");
	px_buf_adds(out, host[(h >> 24) % 5]);
	px_buf_addc(out, '"');
}

static void emit_street(struct px_buf *out, uint64_t h)
{
	const char *street = words_street.word[(h >> 8) % words_street.n];

	px_buf_addc(out, '"');
	emit_number(out, 1 + (h >> 20) % 9999);
	px_buf_addc(out, ' ');
	emit_text(out, street, strlen(street), style_of(h));
	px_buf_addc(out, '"');
}

static void emit_digits(struct px_buf *out, uint64_t v, int n)
{
	char buf[24];

	for (int i = n - 1; i >= 0; i--) {
		buf[i] = (char)('0' + v % 10);
		v /= 10;
	}
	px_buf_add(out, buf, (size_t)n);
}

static void emit_phone(struct px_buf *out, uint64_t h)
{
	px_buf_addc(out, '"');
	emit_digits(out, 2 + h % 8, 1);
	emit_digits(out, (h >> 8) % 1000000000, 9);
	px_buf_addc(out, '"');
}

static void emit_date(struct px_buf *out, uint64_t h)
{
	int64_t days = SIM_BEGIN_MS / 86400000 + (int64_t)((h >> 8) % 1900);
	char buf[16];

	if (h % 5 == 0) {
		emit_time(out, days * 86400000 + (h % 2 ? 0 : 25200000), h >> 4);
		return;
	}
	buf[0] = '"';
	*put_date(buf + 1, days) = '"';
	px_buf_add(out, buf, 12);
}

static void emit_objects(
	struct px_buf *out, const struct ctx *x, const struct gen *g, uint64_t h, size_t n);

static void emit_value(struct px_buf *out, const struct ctx *x, const struct gen *g, bool top);

/* One side of who lives where: the same pair gives the same row on both sides. */
static void emit_meta(struct px_buf *out, const struct ctx *x, const struct gen *g, int other_model,
	uint32_t other, uint64_t pair)
{
	struct ctx sub = *x;
	char id[SIM_ID_MAX];
	size_t len = base_id(&x->c->in->cols[other_model], other, id);

	sub.seed = pair;
	sub.stub = false;
	px_buf_addc(out, '{');
	for (size_t i = 0; i < g->nsub; i++) {
		if (i)
			px_buf_addc(out, ',');
		px_buf_add(out, g->sub[i].prefix, g->sub[i].prefix_len);
		if (g->sub[i].f->link == other_model)
			emit_string(out, id, len, pair);
		else
			emit_value(out, &sub, &g->sub[i], false);
	}
	px_buf_addc(out, '}');
}

static void emit_meta_data(struct px_buf *out, const struct ctx *x, const struct gen *g)
{
	const struct col *leases = &x->c->in->cols[m_leases];
	uint32_t nl = leases->n, nr = x->c->in->cols[m_residents].n;

	px_buf_addc(out, '[');
	if (g->kind == K_LEASES && x->idx < x->c->n && nl && x->idx / nl < META_MAX) {
		uint32_t lease = x->idx % nl;

		emit_meta(out, x, g, m_leases, lease, mix(mix(leases->seed, lease), x->idx));
	} else if (g->kind == K_RESIDENTS && x->idx < x->c->n) {
		for (uint32_t k = 0; k < META_MAX; k++) {
			uint64_t resident = (uint64_t)x->idx + (uint64_t)k * nl;

			if (resident >= nr)
				break;
			if (k)
				px_buf_addc(out, ',');
			emit_meta(out, x, g, m_residents, (uint32_t)resident,
				mix(mix(x->c->seed, x->idx), resident));
		}
	}
	px_buf_addc(out, ']');
}

/* Entries that are records of a collection of their own: told as they are told there. */
static void emit_history(struct px_buf *out, const struct ctx *x, const struct gen *g)
{
	const struct col *t = &x->c->in->cols[m_history];
	bool any = false;

	px_buf_addc(out, '[');
	for (uint32_t k = 0; k < HISTORY_MAX && x->idx < x->c->n; k++) {
		uint64_t idx = (uint64_t)x->idx + (uint64_t)k * x->c->n;
		struct ctx sub = *x;
		char id[SIM_ID_MAX];

		if (idx >= t->n)
			break;
		sub.c = t;
		sub.idx = (uint32_t)idx;
		sub.seed = mix(t->seed, idx);
		sub.created = base_created_ms(t, sub.idx);
		sub.updated = plain_updated_ms(t, sub.idx);
		sub.seen = plain_seen_ms(t, sub.idx);
		sub.id = id;
		sub.id_len = base_id(t, sub.idx, id);
		sub.stub = false;
		sub.is_long = false;
		if (any)
			px_buf_addc(out, ',');
		any = true;
		px_buf_addc(out, '{');
		for (size_t i = 0; i < g->nsub; i++) {
			const struct px_field *f = g->sub[i].f;

			if (i)
				px_buf_addc(out, ',');
			px_buf_add(out, g->sub[i].prefix, g->sub[i].prefix_len);
			if (f->link == x->model)
				emit_string(out, x->id, x->id_len, mix(sub.seed, g->sub[i].seed));
			else if (g->sub[i].kind == K_SEEN && sub.seen == INT64_MIN)
				emit_time(out, SEEN_MS, 1);
			else
				emit_value(out, &sub, &g->sub[i], true);
		}
		px_buf_addc(out, '}');
	}
	px_buf_addc(out, ']');
}

static void emit_members(
	struct px_buf *out, const struct ctx *x, const struct gen *gen, size_t n, bool top)
{
	bool any = false;

	px_buf_addc(out, '{');
	for (size_t i = 0; i < n; i++) {
		const struct gen *g = &gen[i];

		if (g->absent_pct && mix(x->seed, g->seed ^ 0xab5e47) % 100 < g->absent_pct)
			continue;
		if (any)
			px_buf_addc(out, ',');
		any = true;
		px_buf_add(out, g->prefix, g->prefix_len);
		if (top && x->is_long && (int)i == x->s->world.gens[x->c->model].long_member) {
			if (g->kind == K_OPEN)
				px_buf_adds(out, "{\"note\":");
			emit_long(out, x->seed);
			if (g->kind == K_OPEN)
				px_buf_addc(out, '}');
			continue;
		}
		emit_value(out, x, g, top);
	}
	px_buf_addc(out, '}');
}

static void emit_objects(
	struct px_buf *out, const struct ctx *x, const struct gen *g, uint64_t h, size_t n)
{
	px_buf_addc(out, '[');
	for (size_t i = 0; i < n; i++) {
		struct ctx sub = *x;

		sub.seed = mix(h, i + 100);
		sub.stub = false;
		sub.is_long = false;
		if (i)
			px_buf_addc(out, ',');
		emit_members(out, &sub, g->sub, g->nsub, false);
	}
	px_buf_addc(out, ']');
}

static void emit_strings(struct px_buf *out, const struct gen *g, uint64_t h, size_t n)
{
	bool urls = strstr(g->f->name, "url") != NULL;

	px_buf_addc(out, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			px_buf_addc(out, ',');
		if (urls) {
			px_buf_adds(out, h & 64 ? "\"https:\\/\\/cdn.example.com\\/img\\/"
						: "\"https://cdn.example.com/img/");
			emit_number(out, mix(h, i) % 100000);
			px_buf_adds(out, ".jpg\"");
		} else {
			emit_word(out, &words_thing, mix(h, i));
		}
	}
	px_buf_addc(out, ']');
}

/* Values that stay the same whatever changes: what the record is and where it belongs. */
static bool emit_fixed(struct px_buf *out, const struct ctx *x, const struct gen *g, bool top)
{
	const struct integ *in = x->c->in;

	switch (g->kind) {
	case K_ID:
		if (top)
			emit_string(out, x->id, x->id_len, mix(x->seed, g->seed));
		else
			emit_nested_id(out, mix(x->seed, g->seed));
		return true;
	case K_CREATED:
		emit_time(out, top ? x->created : x->created + 1000, x->seed >> 9);
		return true;
	case K_UPDATED:
		emit_time(out, top ? x->updated : x->created + (int64_t)(x->seed % 90000),
			x->seed >> 10);
		return true;
	case K_SEEN:
		if (!top) /* only the record's own moves when a sync sees it */
			emit_time(out, SEEN_MS + (int64_t)(x->seed % 600000), x->seed >> 11);
		else if (x->seen == INT64_MIN && g->f->nullable)
			px_buf_adds(out, "null");
		else
			emit_time(out, x->seen == INT64_MIN ? SEEN_MS : x->seen, x->seed >> 11);
		return true;
	case K_INTEGRATION:
		px_buf_add_jsons(out, in->id);
		return true;
	case K_VENDOR:
		px_buf_add_jsons(out, in->vendor);
		return true;
	case K_PROPERTY:
		if (x->c->model == m_properties && top)
			emit_string(out, x->id, x->id_len, x->seed);
		else
			emit_link(out, x, m_properties, property_index(x), g->f->nullable);
		return true;
	case K_PARENT:
		if (x->parent < 0) {
			emit_link(out, x, px_models[x->c->model].parent, 0, g->f->nullable);
		} else {
			char id[SIM_ID_MAX];
			size_t len = rec_id(
				&in->cols[px_models[x->c->model].parent], (uint32_t)x->parent, id);

			emit_string(out, id, len, x->seed);
		}
		return true;
	case K_XID:
		emit_xid(out, top ? x->idx : x->seed % 1000, x->seed >> 20);
		return true;
	case K_XPROPERTY:
		emit_xid(out, property_index(x),
			mix(in->cols[m_properties].seed, property_index(x)) >> 20);
		return true;
	case K_XLOCATION:
		if (!strcmp(in->vendor, "RENTMANAGER"))
			emit_xid(out, x->seed % 4, 0);
		else
			px_buf_adds(out, "null");
		return true;
	case K_LEASES:
	case K_RESIDENTS:
		emit_meta_data(out, x, g);
		return true;
	case K_HISTORY:
		emit_history(out, x, g);
		return true;
	default:
		return false;
	}
}

static void emit_plain(
	struct px_buf *out, const struct ctx *x, const struct gen *g, uint64_t h, bool top)
{
	const struct px_field *f = g->f;
	size_t n = 0;

	switch (g->kind) {
	case K_LINK:
		/* an element belongs to the record that it stands in */
		if (!top && f->link == x->c->model)
			emit_string(out, x->id, x->id_len, h);
		else if (top && !strcmp(f->name, "service_request_id") && x->c->in->cols[f->link].n)
			emit_link(out, x, f->link, x->idx % x->c->in->cols[f->link].n, f->nullable);
		else
			emit_link(out, x, f->link, h >> 7, f->nullable);
		break;
	case K_LINKS:
		n = (h >> 7) % 4;
		if (x->c->in->cols[model_base(f->link)].n < n)
			n = x->c->in->cols[model_base(f->link)].n;
		px_buf_addc(out, '[');
		for (size_t i = 0; i < n; i++) {
			if (i)
				px_buf_addc(out, ',');
			emit_link(out, x, f->link, (h >> 12) + i, true);
		}
		px_buf_addc(out, ']');
		break;
	case K_X:
		emit_xid(out, (h >> 8) % 5000, h >> 30);
		break;
	case K_ENUM:
		while (f->enumeration[n])
			n++;
		if (f->enum_open && (h >> 8) % 12 == 0)
			px_buf_adds(out, "\"CUSTOM \\u2013 by customer\"");
		else
			px_buf_add_jsons(out, f->enumeration[(h >> 16) % n]);
		break;
	case K_TIME:
		emit_time(out,
			SIM_BEGIN_MS + (int64_t)((h >> 8) % 130000000) * 1000 +
				(h & 2 ? 0 : (int64_t)(h >> 40) % 1000),
			h);
		break;
	case K_DATE:
		emit_date(out, h);
		break;
	case K_CENTS:
		if ((h >> 8) % 24 == 0)
			emit_odd_number(out, h >> 16);
		else
			emit_number(out, (h >> 16) % 500000);
		break;
	case K_NUMBER:
		if ((h >> 8) % 16 == 0)
			emit_odd_number(out, h >> 16);
		else
			emit_number(out, (h >> 16) % 120);
		break;
	case K_INT:
		if ((h >> 8) % 64 == 0)
			px_buf_adds(out, h & 128 ? "9007199254740993" : "-0");
		else
			emit_number(out, (h >> 16) % (f->hint == PX_HINT_CENTS ? 500000 : 3000));
		break;
	case K_BOOL:
		px_buf_adds(out, (h >> 8) % 2 ? "true" : "false");
		break;
	case K_OPEN:
		emit_open(out, h, f->nullable);
		break;
	case K_OBJECTS:
		n = (h >> 9) % 8;
		emit_objects(out, x, g, h, n < 4 ? 0 : n - 3);
		break;
	case K_STRINGS:
		emit_strings(out, g, h, (h >> 9) % 4);
		break;
	case K_WORD:
		emit_word(out, g->words, h);
		break;
	case K_EMAIL:
		emit_email(out, h);
		break;
	case K_PHONE:
		emit_phone(out, h);
		break;
	case K_STREET:
		emit_street(out, h);
		break;
	case K_STREET2:
		px_buf_adds(out, h & 64 ? "\"Apt " : "\"# ");
		emit_number(out, (h >> 8) % 900);
		px_buf_addc(out, '"');
		break;
	case K_ZIP:
		px_buf_addc(out, '"');
		emit_digits(out, (h >> 8) % 100000, 5);
		if (h & 64) {
			px_buf_addc(out, '-');
			emit_digits(out, (h >> 30) % 10000, 4);
		}
		px_buf_addc(out, '"');
		break;
	case K_URL:
		px_buf_adds(out, h & 64 ? "\"https:\\/\\/www.example.com\\/apply?unit="
					: "\"https://www.example.com/apply?unit=");
		emit_number(out, (h >> 8) % 10000);
		px_buf_adds(out, "&src=%E2%9C%93\"");
		break;
	case K_CLOCK:
		px_buf_adds(out, h & 64 ? "\"09:00\"" : "\"5:30 PM\"");
		break;
	case K_COUNT:
		px_buf_addc(out, '"');
		emit_number(out, (h >> 8) % 6);
		if (h & 64)
			px_buf_adds(out, ".5");
		px_buf_addc(out, '"');
		break;
	case K_MONTH:
		px_buf_adds(out, "\"2025-");
		emit_digits(out, 1 + (h >> 8) % 12, 2);
		px_buf_addc(out, '"');
		break;
	case K_YEAR:
		px_buf_addc(out, '"');
		emit_number(out, 1990 + (h >> 8) % 36);
		px_buf_addc(out, '"');
		break;
	case K_NOTE:
		emit_note(out, h);
		break;
	default:
		px_buf_adds(out, "null");
	}
}

/* Which events are appointments is decided by position: the directory beside needs to know cheaply.
 */
static bool is_appointment_member(const struct ctx *x, const struct gen *g, bool top)
{
	return top && x->model == m_events && !strcmp(g->f->name, "appointment_datetime");
}

static void emit_value(struct px_buf *out, const struct ctx *x, const struct gen *g, bool top)
{
	uint64_t h;
	unsigned null_pct = g->null_pct;

	if (emit_fixed(out, x, g, top))
		return;
	h = mix(x->seed, g->seed);
	if (is_appointment_member(x, g, top))
		null_pct = x->idx % 3 == 0 ? 0 : 100;
	else if (x->stub && g->f->nullable && strcmp(g->f->name, "name"))
		null_pct = 100;
	if (null_pct && mix(h, 1) % 100 < null_pct) {
		px_buf_adds(out, "null");
		return;
	}
	if (x->stub && g->f->type == PX_TYPE_ARRAY) {
		px_buf_adds(out, "[]");
		return;
	}
	emit_plain(out, x, g, h, top);
}

static bool has_long_text(const struct col *c, uint32_t idx)
{
	return idx == c->long_at || idx % LONG_EVERY == LONG_PHASE;
}

void base_render(const struct sim *s, const struct col *c, uint32_t idx, struct px_buf *out)
{
	char id[SIM_ID_MAX];
	struct ctx x = {.s = s,
		.c = c,
		.idx = idx,
		.seed = mix(c->seed, idx),
		.created = base_created_ms(c, idx),
		.updated = base_updated_ms(c, idx),
		.seen = base_seen_ms(c, idx),
		.parent = base_parent(s, c, idx),
		.id = id,
		.is_long = has_long_text(c, idx),
		.model = c->model};

	x.id_len = base_id(c, idx, id);
	px_buf_reserve(out, 4096);
	emit_members(out, &x, s->world.gens[c->model].gen, s->world.gens[c->model].n, true);
}

void fresh_render(const struct sim *s, const struct col *c, uint32_t idx,
	const struct render_as *as, struct px_buf *out)
{
	struct ctx x = {.s = s,
		.c = c,
		.idx = idx,
		.seed = mix(mix(c->seed, idx), as->turn),
		.created = as->created_ms,
		.updated = as->updated_ms,
		.seen = as->seen_ms,
		.parent = as->parent,
		.id = as->id,
		.id_len = strlen(as->id),
		.stub = as->stub,
		.model = c->model};

	emit_members(out, &x, s->world.gens[c->model].gen, s->world.gens[c->model].n, true);
}

bool fresh_value(const struct sim *s, const struct col *c, uint32_t idx, size_t member,
	uint64_t turn, struct px_buf *out)
{
	const struct px_model *m = &px_models[c->model];
	const struct gen *g = &s->world.gens[c->model].gen[member];
	struct ctx x = {.s = s,
		.c = c,
		.idx = idx,
		.seed = mix(mix(c->seed, idx), turn),
		.id = "",
		.model = c->model};

	if (g->kind < K_ENUM || g->kind == K_LEASES || g->kind == K_RESIDENTS ||
		g->kind == K_HISTORY || !member_stored(m, g->f) ||
		is_appointment_member(&x, g, true))
		return false;
	emit_value(out, &x, g, true);
	return true;
}

bool fresh_element(const struct sim *s, const struct col *c, uint32_t idx, const char *member,
	uint64_t turn, struct px_buf *out)
{
	const struct gens *gens = &s->world.gens[c->model];
	char id[SIM_ID_MAX];
	struct ctx x = {.s = s,
		.c = c,
		.idx = idx,
		.seed = mix(mix(c->seed, idx), turn),
		.created = s->world.last_now_ms,
		.updated = s->world.last_now_ms,
		.seen = s->world.last_now_ms,
		.id = id,
		.model = c->model};

	x.id_len = rec_id(c, idx, id);
	for (size_t i = 0; i < gens->n; i++) {
		if (strcmp(gens->gen[i].f->name, member))
			continue;
		if (gens->gen[i].f->items != PX_TYPE_OBJECT)
			return false;
		emit_members(out, &x, gens->gen[i].sub, gens->gen[i].nsub, false);
		return true;
	}
	return false;
}
