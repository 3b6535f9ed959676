/* SPDX-License-Identifier: MIT */
/*
 * sim.h - the simulated API's parts and how they hang together.
 *
 * One struct sim holds everything. world.lock guards the data (integrations, collections, changed
 * records, logs, hooks) and is held while a page is made: an answer shows one moment. The limiter,
 * the fault rules, the statistics, the timer and the queue of deliveries have leaf locks of their
 * own, which may be taken under world.lock, never the other way round.
 *
 * A record is named by a reference: integration number and index in its collection. What is made up
 * from the seed is never stored; only records that changed at run time are.
 */
#ifndef PROPEXOFS_SIM_H
#define PROPEXOFS_SIM_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "propexofs/buf.h"
#include "propexofs/err.h"
#include "propexofs/model.h"

/* The made-up data lies between these two; everything at run time is stamped later. */
#define SIM_BEGIN_MS INT64_C(1640995200000) /* 2022-01-01 */
#define SIM_END_MS   INT64_C(1769904000000) /* 2026-02-01 */

enum {
	SIM_PAGE_MAX = 250,
	SIM_PAGE_DEFAULT = 100,
	SIM_ID_MAX = 512,
	SIM_BODY_MAX = 64 << 20, /* of a control call */
	SIM_TEXT_MAX = 1 << 30,	 /* of anything rendered */
};

/* ---- options -----------------------------------------------------------------------------------
 */

/* X(name, option text) */
#define SIM_QUIRKS(X)                                                                              \
	X(CHANGED_SINCE_400, "changed-since-400")                                                  \
	X(CHANGED_SINCE_IGNORED, "changed-since-ignored")                                          \
	X(UNKNOWN_PARAM_400, "unknown-param-400")                                                  \
	X(NOTFOUND_400, "notfound-400")                                                            \
	X(NOTFOUND_NULL, "notfound-null")                                                          \
	X(NOTFOUND_EMPTY, "notfound-empty")                                                        \
	X(SLASH_REDIRECT, "slash-redirect")                                                        \
	X(SLASH_STRICT, "slash-strict")                                                            \
	X(DEFAULT_UNSORTED, "default-unsorted")                                                    \
	X(SHUFFLE_TIES, "shuffle-ties")                                                            \
	X(NULLS_FIRST, "nulls-first")                                                              \
	X(LIMIT_ZERO_EMPTY, "limit-zero-empty")                                                    \
	X(LIMIT_ZERO_DEFAULT, "limit-zero-default")                                                \
	X(MODELS_KEBAB, "models-kebab")                                                            \
	X(DIFFS_KEBAB, "diffs-kebab")                                                              \
	X(DIFFS_PLAIN_NEW, "diffs-plain-new")                                                      \
	X(DIFFS_SILENT_SYNCS, "diffs-silent-syncs")                                                \
	X(DIFFS_NO_JOINS, "diffs-no-joins")                                                        \
	X(HIDE_ARCHIVED, "hide-archived")                                                          \
	X(PROPERTIES_BARE, "properties-bare")                                                      \
	X(TOUCH_MOVES_UPDATED_AT, "touch-moves-updated-at")                                        \
	X(JOIN_MOVES_UPDATED_AT, "join-moves-updated-at")                                          \
	X(BACKSYNC_FLAG_ABSENT, "backsync-flag-absent")                                            \
	X(DIFF_UPDATED_AT, "diff-updated-at")                                                      \
	X(MODELLESS_NONE, "modelless-none")                                                        \
	X(OLD_SIGNATURE_HEADER, "old-signature-header")                                            \
	X(WINDOW_ALIGNED, "window-aligned")                                                        \
	X(WINDOW_SLIDING, "window-sliding")                                                        \
	X(WEBHOOKS_MERGE, "webhooks-merge")                                                        \
	X(PRETTY, "pretty")

#define SIM_QUIRK_ENUM(name, text) QUIRK_##name,
enum sim_quirk { SIM_QUIRKS(SIM_QUIRK_ENUM) QUIRK_COUNT };
#undef SIM_QUIRK_ENUM

enum sim_meta { META_FULL, META_NO_TOTAL, META_MINIMAL, META_NULL_HASMORE };

struct options {
	char host[64];
	int port;
	const char *port_file;
	uint64_t seed;
	const char **keys;
	size_t nkeys;
	int integrations;
	int pending, disabled, archived; /* of these integrations */
	int disabled_models;
	int64_t records[PX_MODEL_COUNT]; /* over all integrations */
	int64_t total;
	bool records_given;
	int64_t rate_limit;
	enum sim_meta meta;
	bool quirk[QUIRK_COUNT];
	const char *webhook, *webhook_secret;
	double live_s;
	bool prerender;
	int threads;
};

/* 0 go on; 1 done (help, version); 2 usage. */
int options_parse(struct options *o, int argc, char **argv);
void options_release(struct options *o);
/* -1 when there is none of this name. */
int quirk_by_name(const char *name);
bool meta_by_name(const char *name, enum sim_meta *ret);

/* ---- json: spans of texts that are known to be sound -------------------------------------------
 */

struct span {
	const char *p; /* NULL: absent */
	size_t len;
};

/* End of the value that starts at p (no leading white space); NULL when it is cut or broken. */
const char *json_skip(const char *p, const char *end);
const char *json_space(const char *p, const char *end);
/* Value of a member of the object in text, by its name as written. */
struct span json_member(const char *text, size_t len, const char *name);
/* Calls each(arg, key without quotes, value) for all members. */
void json_members(const char *text, size_t len,
	void (*each)(void *arg, struct span key, struct span value), void *arg);
/* Calls each(arg, element) for all elements of an array. */
void json_elements(
	const char *text, size_t len, void (*each)(void *arg, struct span element), void *arg);
/* Appends the text of a string token, decoded. */
void json_decode(struct span token, struct px_buf *out);
bool json_is(struct span token, const char *literal);
/* Appends object `text` with the member's value replaced (or the member added at the end). */
void json_replace(const char *text, size_t len, const char *name, const char *value,
	size_t value_len, struct px_buf *out);
/* Appends text with white space put between its tokens. */
void json_pretty(const char *text, size_t len, struct px_buf *out);

/* ---- hashing -----------------------------------------------------------------------------------
 */

static inline uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = a ^ (b * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x632be59bd9b4e019));

	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}
uint64_t hash_text(const char *s, size_t len);

/* ---- world: what there is ----------------------------------------------------------------------
 */

struct sim;
struct integ;

/* One state of a record that differs from the made-up one. */
struct ver {
	struct ver *next; /* waiting behind the lag */
	int64_t due_ms;	  /* mono: when the API shows it */
	char *text;
	size_t len;
	int64_t created_ms, updated_ms, seen_ms; /* seen_ms INT64_MIN: null */
	size_t updated_at, updated_len;		 /* where these values stand in text */
	size_t seen_at, seen_len;
	bool gone; /* the record has vanished */
	bool appointment;
};

struct rec {
	uint32_t idx;
	int64_t parent; /* index of the parent's record; -1: none */
	char *id;
	struct ver *now;   /* what the API shows; NULL: the made-up record, or nothing if created */
	struct ver *queue; /* later states, oldest first */
	struct rec *by_id; /* chain in the table of ids */
	struct col *col;
	unsigned turn; /* how often it was changed: varies what comes next */
};

/* The records of one model in one integration. */
struct col {
	struct integ *in;
	int model;
	uint32_t n;	  /* made-up records: indexes below this */
	uint32_t nvis;	  /* of these, what the API shows yet (first sync) */
	uint32_t created; /* further records made at run time */
	bool enabled, allowed;
	uint64_t seed;
	int64_t step_ms;
	int64_t batch_ms;
	int64_t seen_ms;  /* newest sync that saw everything in its window; 0: none */
	bool seen_moves;  /* and moved updated_at */
	uint32_t long_at; /* index of the first record with a long text; UINT32_MAX: none */
	struct rec **slots;
	size_t nslots, nrecs;
	uint32_t *hidden; /* positions that are not shown, ascending */
	size_t nhidden, hidden_cap;
	int64_t last_created_ms;
	char *pre; /* prerendered records, joined by commas */
	size_t *pre_at;
};

struct integ {
	int num;
	char id[40];
	char *name;
	const char *vendor;
	int64_t created_ms, updated_ms;
	int64_t last_sync_ms, last_back_sync_ms, last_access_check_ms; /* 0: null */
	bool active, archived, removed, syncing;
	bool pending; /* the first sync is not finished */
	int account;  /* 0: ours; 1: another account's */
	struct col cols[PX_MODEL_COUNT];
};

/* How each member of a model is made. */
struct gen;
struct gens {
	struct gen *gen;
	size_t n;
	int long_member; /* which member takes long texts; -1 none */
};

struct job_log {
	char id[32], job_id[32], root_id[32], parent_id[32], schedule_id[40];
	char type[64];
	const char *status;
	int64_t created_ms;
	int integ;
	char property_id[32];
};

struct diff {
	char id[32], job_id[32];
	const char *snake;
	char *record_id;
	char *text; /* data_diff */
	bool is_new;
	int64_t created_ms;
	int integ;
};

enum { HOOK_TRIGGERS = 7 };
struct hook {
	char id[32];
	int64_t created_ms, updated_ms;
	char *url;
	char *headers; /* JSON array as given, or NULL */
	bool active;
	char *secret;
	unsigned triggers; /* bits */
	const struct px_webhook_model *model;
};

struct world {
	pthread_mutex_t lock;
	struct integ **integs;
	int ninteg;
	struct gens gens[PX_MODEL_COUNT];
	struct rec **ids; /* records made at run time, by hash of model and id */
	size_t nids, nids_used;
	uint64_t gen[PX_MODEL_COUNT]; /* moves when what the API shows of a model moves */
	bool refused[PX_MODEL_COUNT]; /* to the key, also of integrations to come */
	struct job_log *jobs;
	size_t njobs, jobs_cap;
	struct diff *diffs;
	size_t ndiffs, diffs_cap;
	struct hook **hooks;
	size_t nhooks;
	int account; /* -1 nothing, 0 ours, 1 the other */
	int64_t last_now_ms;
	uint64_t serial; /* for ids made at run time */
	uint64_t rng;
	size_t nlagging;  /* versions that wait */
	struct row *rows; /* join and embedded rows that were announced; newest last */
	size_t nrows;
	bool live; /* the timer has an entry for the live mode */
	struct view *views;
	size_t nviews;
	uint64_t view_clock;
	bool denied_all;
};

/* A join or embedded row that a DATA_NEW named: later changes of it keep its id. */
struct row {
	const struct px_webhook_model *model;
	int integ;
	char id[32];
	uint64_t parents; /* hash of its parents' ids */
};

typedef uint64_t ref;
static inline ref ref_of(int integ, uint32_t idx)
{
	return (uint64_t)integ << 32 | idx;
}
static inline int ref_integ(ref r)
{
	return (int)(r >> 32);
}
static inline uint32_t ref_idx(ref r)
{
	return (uint32_t)r;
}

px_rc world_init(struct sim *s, struct px_err *err);
void world_release(struct sim *s);
/* Adds an integration with `per_model` records each; locked. NULL: out of memory. */
struct integ *world_add(
	struct sim *s, const char *name, bool pending, uint32_t per_model, int account);
/* Wall clock, never back, never before the end of the made-up data. Locked. */
int64_t world_now(struct sim *s);
bool integ_visible(const struct sim *s, const struct integ *in);
/* The integration by id or number; NULL. */
struct integ *world_integ(struct sim *s, const char *id, size_t len);
/* The model whose collection holds the records of this directory. */
static inline int model_base(int model)
{
	return px_models[model].view_of >= 0 ? px_models[model].view_of : model;
}

/* ---- records -----------------------------------------------------------------------------------
 */

px_rc gens_init(struct world *w, struct px_err *err);
void gens_release(struct world *w);

int64_t base_created_ms(const struct col *c, uint32_t idx);
int64_t base_updated_ms(const struct col *c, uint32_t idx);
int64_t base_seen_ms(const struct col *c, uint32_t idx); /* INT64_MIN: null */
bool base_in_window(const struct col *c, uint32_t idx);
int64_t base_parent(const struct sim *s, const struct col *c, uint32_t idx); /* -1 */
/* Writes the id; returns its length. */
size_t base_id(const struct col *c, uint32_t idx, char ret[SIM_ID_MAX]);
size_t make_cuid(const struct col *c, uint32_t idx, int64_t created_ms, char ret[SIM_ID_MAX]);
/* The made-up record that has this id; false: none. */
bool base_find(const struct col *c, const char *id, size_t len, uint32_t *ret);
void base_render(const struct sim *s, const struct col *c, uint32_t idx, struct px_buf *out);

/* A record at run time: values made with `turn`, stamped. stub: most members null. */
struct render_as {
	const char *id;
	int64_t created_ms, updated_ms, seen_ms;
	int64_t parent;
	bool stub;
	uint64_t turn;
};
void fresh_render(const struct sim *s, const struct col *c, uint32_t idx,
	const struct render_as *as, struct px_buf *out);
/* A new value for a member, as a token; false when this member is not changed by itself. */
bool fresh_value(const struct sim *s, const struct col *c, uint32_t idx, size_t member,
	uint64_t turn, struct px_buf *out);
/* A new element for an array of objects. */
bool fresh_element(const struct sim *s, const struct col *c, uint32_t idx, const char *member,
	uint64_t turn, struct px_buf *out);
/* Whether a member is a column that is stored (not derived, not embedded). */
bool member_stored(const struct px_model *m, const struct px_field *f);
/* The member that follows this one, or NULL: address_1 follows street_address_1. */
const char *member_twin(const struct px_model *m, const char *name);
void time_text(int64_t ms, struct px_buf *out); /* in quotes */
void random_id(struct sim *s, char ret[32]);

/* ---- state of a record as the API shows it (locked) --------------------------------------------
 */

struct rec *col_rec(const struct col *c, uint32_t idx);
struct rec *col_rec_make(struct sim *s, struct col *c, uint32_t idx);
uint32_t col_visible(const struct col *c);
/* The k-th shown record in order of creation. */
uint32_t col_nth(const struct col *c, uint32_t k);
bool rec_visible(struct sim *s, const struct col *c, uint32_t idx);
/* Appends the record's text as served; false: not shown. */
bool rec_text(const struct sim *s, const struct col *c, uint32_t idx, struct px_buf *out);
/* The newest state, also when the API lags behind. */
bool rec_newest(const struct sim *s, const struct col *c, uint32_t idx, struct px_buf *out);
int64_t rec_created_ms(const struct col *c, uint32_t idx);
int64_t rec_updated_ms(const struct col *c, uint32_t idx);
int64_t rec_seen_ms(const struct col *c, uint32_t idx);
size_t rec_id(const struct col *c, uint32_t idx, char ret[SIM_ID_MAX]);
int64_t rec_parent(const struct sim *s, const struct col *c, uint32_t idx);
bool rec_appointment(const struct col *c, uint32_t idx);
/* Shown, and its parent too. */
bool rec_reachable(struct sim *s, const struct col *c, uint32_t idx);
bool find_record(
	struct sim *s, int model, const char *id, size_t len, struct col **ret_col, uint32_t *ret);
/* A new state: shown at once or after the lag. Takes text. */
px_rc rec_put(struct sim *s, struct col *c, uint32_t idx, char *text, size_t len, bool gone);
void rec_register(struct sim *s, struct rec *r);
/* Shows what the lag has held back long enough. Locked; called at the start of every request. */
void world_settle(struct sim *s);
void col_changed(struct sim *s, const struct col *c);
/* The first sync has brought all made-up records of it. */
void col_complete(struct sim *s, struct col *c);
void world_changed(struct sim *s);
px_rc col_prerender(struct sim *s, struct col *c);

/* ---- listing -----------------------------------------------------------------------------------
 */

struct param {
	char *name, *value; /* decoded */
	size_t value_len;
};

struct order {
	const struct px_field *field;
	bool desc;
};

struct filter {
	char *name, *value;
	size_t value_len;
	int kind;
	int64_t ms;
};

enum { LIST_FILTERS = 24, LIST_ORDERS = 8 };

struct query {
	int model;
	int integ; /* -1: all; -2: one that is not there */
	struct filter filter[LIST_FILTERS];
	size_t nfilter;
	struct order order[LIST_ORDERS];
	size_t norder;
	bool unsorted;
	int64_t offset, limit;
	int64_t parent; /* ref of the parent's record; -1 none */
	char *key;	/* text that names the view: everything but offset and limit */
};

struct page {
	struct px_buf body;
	size_t count;
	int64_t total;
	/* a prerendered page: body is everything before, tail after */
	const char *slice;
	size_t slice_len;
	struct px_buf tail;
};
void page_release(struct page *p);

/* Reads query parameters; on failure the message says why (400). */
bool query_init(struct sim *s, struct query *q, int model, const struct param *params,
	size_t nparams, struct px_err *err);
void query_release(struct query *q);
/* Locked. The envelope with the page's records. */
px_rc list_page(struct sim *s, struct query *q, struct page *ret, struct px_err *err);
void views_drop(struct world *w);
/* Common to all paged answers. */
bool paging(struct sim *s, const struct param *params, size_t nparams, int64_t *ret_offset,
	int64_t *ret_limit, struct px_err *err);
const struct param *param_find(const struct param *params, size_t nparams, const char *name);
void meta_text(struct sim *s, int64_t offset, int64_t limit, const char *order_json, int64_t count,
	int64_t total, struct px_buf *out);
bool bool_value(const struct param *p, bool *ret);

/* ---- timer -------------------------------------------------------------------------------------
 */

struct timer;
px_rc timer_start(struct sim *s, struct px_err *err);
/* Runs fn(arg) on the timer's thread at deadline. False: shutting down, fn will not run. */
bool timer_add(struct sim *s, int64_t mono_ms, void (*fn)(struct sim *s, void *arg), void *arg);
/* As timer_add for steps that `wait` waits for. */
bool timer_add_step(
	struct sim *s, int64_t mono_ms, void (*fn)(struct sim *s, void *arg), void *arg);
int timer_steps(struct sim *s);
void timer_stop(struct sim *s); /* calls everything that is left at once, then takes nothing more */
void timer_free(struct sim *s);

/* ---- limiter -----------------------------------------------------------------------------------
 */

struct verdict {
	int64_t limit, remaining;
	bool slow, refused;
};
px_rc limit_init(struct sim *s);
void limit_release(struct sim *s);
void limit_take(struct sim *s, struct verdict *ret);
void limit_set(struct sim *s, int64_t limit);
void limit_use(struct sim *s, int64_t used);
void limit_view(struct sim *s, int64_t *ret_limit, int64_t *ret_used, int64_t *ret_window_left_ms);

/* ---- requests ----------------------------------------------------------------------------------
 */

/* X(name) */
#define SIM_CLASSES(X)                                                                             \
	X(list)                                                                                    \
	X(get)                                                                                     \
	X(sub)                                                                                     \
	X(view) X(integrations) X(integration) X(metadata) X(jobs) X(diffs) X(webhooks) X(unknown)
#define SIM_CLASS_ENUM(name) CLASS_##name,
enum sim_class { SIM_CLASSES(SIM_CLASS_ENUM) CLASS_COUNT };
#undef SIM_CLASS_ENUM
extern const char *const class_names[CLASS_COUNT];

struct fault;

struct req {
	struct sim *s;
	struct MHD_Connection *conn;
	char *uri; /* as sent */
	char method[16];
	struct px_buf body;
	bool begun;
	struct MHD_Response *response; /* waiting to be queued */
	unsigned status;
	struct param *params;
	size_t nparams;
	char **segs; /* decoded path segments */
	size_t *seg_len;
	size_t nsegs;
	bool slash; /* the path ends in one */
	char *path; /* without query, as sent */
	/* what it turned out to be */
	enum sim_class cls;
	int model;
	int integ; /* -1 */
	int64_t offset, limit, results;
	size_t bytes;
	int64_t at_ms;
	bool counted;
	int64_t wait_until_ms; /* of /_control/wait */
};

/* What is to be answered. Ends up in a response, perhaps after a fault has changed it. */
struct answer {
	unsigned status;
	struct page page; /* body.. */
	const char *type; /* content type; NULL: JSON */
	char *location;
};
void answer_error(struct answer *a, unsigned status, const char *code, const char *message);
void answer_release(struct answer *a);

/* Routes an authorised API request. Locked. */
void route(struct sim *s, struct req *r, struct answer *a);
px_rc routes_init(struct sim *s, struct px_err *err);
void routes_release(struct sim *s);
/* /v1/admin, /v1/webhooks; false: no such path. */
bool admin_route(struct sim *s, struct req *r, struct answer *a);
bool hook_route(struct sim *s, struct req *r, struct answer *a);
bool integ_by_seg(struct sim *s, const struct req *r, size_t seg, struct integ **ret);
/* The trailing-slash quirks; false: answered already. */
bool slash_ok(struct sim *s, struct req *r, bool canonical, struct answer *a);
/* The by-id answer for an id that is not there. */
void answer_absent(struct sim *s, struct answer *a, const char *what);

px_rc server_start(struct sim *s, struct px_err *err);
void server_stop(struct sim *s);
int server_port(const struct sim *s);
/* Suspends the request's connection until the timer calls at mono_ms. */
void server_delay(struct req *r, int64_t mono_ms);

/* ---- faults ------------------------------------------------------------------------------------
 */

enum fault_kind {
	FAULT_STATUS,
	FAULT_RESET,
	FAULT_CUT,
	FAULT_MALFORMED,
	FAULT_WRONG_TYPES,
	FAULT_MISSING_ID,
	FAULT_HUGE,
	FAULT_STALL,
	FAULT_SLOW,
	FAULT_EMPTY,
	FAULT_HTML,
	FAULT_REDIRECT,
	FAULT_DUPLICATE_IDS,
	FAULT_BAD_UTF8,
	FAULT_KINDS,
};

/* A copy of the rule that hit. */
struct hit {
	enum fault_kind kind;
	unsigned status;
	char body[8], variant[8];
	char location[256];
	char record[SIM_ID_MAX];
	int64_t stall_ms, bytes, interval_ms, retry_after;
};

extern const char *const fault_names[FAULT_KINDS];
px_rc faults_init(struct sim *s);
void faults_release(struct sim *s);
/* Whether a fault is due for this request and its answer. */
bool fault_match(struct sim *s, const struct req *r, const struct answer *a, struct hit *ret);
/* Changes the answer's content; the transport's faults are left to the server. */
void fault_apply(struct sim *s, const struct req *r, struct answer *a, const struct hit *h);
/* From a control body; returns the rule's number or -1. */
int64_t fault_add(struct sim *s, const char *json, size_t len, struct px_err *err);
void fault_clear(struct sim *s, int64_t number); /* 0: all */
void faults_text(struct sim *s, struct px_buf *out);

/* ---- statistics --------------------------------------------------------------------------------
 */

px_rc stats_init(struct sim *s);
void stats_release(struct sim *s);
void stats_begin(struct sim *s); /* an API request has come */
void stats_done(struct sim *s);	 /* and gone */
void stats_end(struct sim *s, const struct req *r);
/* fault: NULL, or the one that hit. */
void stats_note(struct sim *s, bool slow, bool refused, const struct hit *fault);
void stats_connection(struct sim *s, int change);
void stats_text(struct sim *s, struct px_buf *out);
void stats_reset(struct sim *s);
void stats_requests(struct sim *s, uint64_t since, struct px_buf *out);

/* ---- hooks and deliveries ----------------------------------------------------------------------
 */

extern const char *const trigger_names[HOOK_TRIGGERS];
enum sim_trigger {
	TRIGGER_DATA_NEW,
	TRIGGER_DATA_UPDATE,
	TRIGGER_SYNC_COMPLETE,
	TRIGGER_FIRST_SYNC_COMPLETE,
	TRIGGER_JOB_FAILURE,
	TRIGGER_WRITE_OPERATION_FAILURE,
	TRIGGER_JOB_SUCCESS,
};

px_rc hooks_ready_made(struct sim *s, const char *url, const char *secret);
void hook_free(struct hook *h);

enum { WRAP_RANDOM, WRAP_E, WRAP_D, WRAP_F, WRAP_M };
enum { SPELL_RANDOM, SPELL_KEBAB, SPELL_SNAKE };

struct delivery_settings {
	int wrapping, spelling;
	bool full_payload;
	int concurrency;
	double lose, repeat, reorder, mis_sign;
	int64_t delay_min_ms, delay_max_ms, retry_ms;
	bool paused;
};

/* An event, before wrapping. Members are ready JSON texts. */
struct event {
	enum sim_trigger trigger;
	const struct integ *in;
	const struct px_webhook_model *model; /* data events */
	const char *record_id;
	const char *property_id; /* NULL: unknown */
	const char *payload;	 /* DATA_NEW: object */
	const char *diff_new, *diff_previous;
	const char *job_id, *root_id;
	const char *job_type;
	const char *rest;      /* sync and failure events: further members, starting with a comma */
	const char *rest_flat; /* the same for wrapping F when the sources differ; NULL: as rest */
};

px_rc deliveries_start(struct sim *s, struct px_err *err);
void deliveries_stop(struct sim *s);
/* Queues the event for every hook that wants it. Locked. */
void deliver_event(struct sim *s, const struct event *e);
/* A body as it is, to every address once. */
size_t deliver_raw(struct sim *s, const char *body, size_t len, const char *sign);
px_rc deliveries_set(struct sim *s, const char *json, size_t len, struct px_err *err);
void deliveries_text(struct sim *s, struct px_buf *out); /* settings */
void deliveries_stats(struct sim *s, struct px_buf *out);
void deliveries_stats_reset(struct sim *s);
bool deliveries_idle(struct sim *s);
bool deliveries_full(struct sim *s); /* whether payloads are whole records */

/* ---- changes (locked) --------------------------------------------------------------------------
 */

struct change_options {
	bool events, diffs;
	const char *set; /* object of raw tokens, or NULL */
	size_t set_len;
	const char *job_id, *root_id;
};

/* What happened to one record, or row, in the texts that deliveries and data diffs carry. */
struct news {
	const struct integ *in;
	const struct px_webhook_model *model;
	const char *record_id, *property_id;
	bool is_new;
	const char *now, *was; /* objects */
	const char *payload;   /* DATA_NEW; NULL: as now */
};
void change_news(struct sim *s, const struct news *n, const struct change_options *o);
/* "READ_RESIDENTS" */
void job_type(const char *snake, char ret[64]);
/* A job log for the changes of one go; fills job and root id. */
void change_job(struct sim *s, const struct integ *in, const char *type, const char *status,
	char job_id[32], char root_id[32]);
px_rc change_create(struct sim *s, struct col *c, const char *id, int64_t parent, bool stub,
	const struct change_options *o, uint32_t *ret, struct px_err *err);
/* stored: only members that events may carry are picked when nothing is set. */
px_rc change_update(struct sim *s, struct col *c, uint32_t idx, const struct change_options *o,
	struct px_err *err);
px_rc change_touch(struct sim *s, struct col *c, uint32_t idx, const struct change_options *o,
	struct px_err *err);
px_rc change_delete(struct sim *s, struct col *c, uint32_t idx, struct px_err *err);
/* A member that follows other records' changes: nothing is said of it, updated_at stays. */
px_rc change_embedded(struct sim *s, struct col *c, uint32_t idx, const char *member,
	const char *value, size_t len, struct px_err *err);
px_rc change_join(struct sim *s, struct integ *in, const struct px_webhook_model *m, bool is_new,
	const char *const *parents, size_t nparents, const struct change_options *o,
	struct px_buf *ret_text, struct px_err *err);
px_rc change_event(struct sim *s, struct integ *in, const struct px_webhook_model *m,
	const struct change_options *o, struct px_buf *ret_text);
/* A record of the collection that the API shows, at random; false: none. */
bool pick_record(struct sim *s, const struct col *c, uint32_t *ret);
uint64_t sim_random(struct sim *s, uint64_t below);

struct sync_plan {
	struct integ *in;
	int creates, updates;
	bool touch, finished, back, silent;
	int failed;
	bool models[PX_MODEL_COUNT];
	bool some_models; /* models counts */
	bool no_diffs;
	int64_t duration_ms;
};
px_rc sync_run(struct sim *s, const struct sync_plan *p, struct px_err *err);
px_rc first_sync(struct sim *s, struct integ *in, const bool models[PX_MODEL_COUNT], bool some,
	struct px_err *err);
/* The id of an integration's only plan. */
void schedule_id(const struct integ *in, char ret[40]);
px_rc hydrate(struct sim *s, struct col *c, int steps, int64_t interval_ms, uint32_t *ret,
	struct px_err *err);
/* Sees to it that the live mode runs when live_ms says so. */
void live_start(struct sim *s);

/* ---- control -----------------------------------------------------------------------------------
 */

/* Answers a request below /_control/. Not locked. */
void control_route(struct sim *s, struct req *r, struct answer *a);
/* Everything that the API would serve now, streamed; integ and model -1: all. */
/* all: also what is hidden now, by a permission, a switch or an integration that has gone. */
struct MHD_Response *truth_response(struct sim *s, int integ, int model, bool ids_only, bool all);

/* ---- all of it ---------------------------------------------------------------------------------
 */

struct sim {
	struct options opt;
	enum sim_meta meta; /* guarded by world.lock */
	_Atomic bool quirk[QUIRK_COUNT];
	_Atomic int64_t lag_ms;
	struct world world;
	struct limit *limit;
	struct faults *faults;
	struct stats *stats;
	struct timer *timer;
	struct deliveries *deliveries;
	struct routes *routes;
	struct server *server;
	_Atomic bool stopping;
	_Atomic bool revoked;
	_Atomic int64_t live_ms;
	char **keys; /* guarded by world.lock */
	size_t nkeys;
};

#endif
