/* SPDX-License-Identifier: MIT */
/*
 * test_status.c - the texts that say how things stand, against a store written as ingest writes it.
 *
 * Time is a test clock that stands still (a thousandth of real speed) and is moved by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "propexofs/clock.h"
#include "propexofs/codec.h"
#include "propexofs/model.h"
#include "propexofs/status.h"
#include "propexofs/store_write.h"
#include "../../src/status/status_i.h"

#define MINUTE INT64_C(60000)
#define NOW    INT64_C(1795851400123) /* 2026-11-28T07:36:40.123Z */

static char dir[64], clock_path[80], store_path[80];

static void set_now(int64_t ms)
{
	assert_int_equal(px_clock_test_write(clock_path, ms * 1000000, 1), 0);
}

/* ---- the store ---- */

struct world {
	struct px_writer *w;
	struct px_reader *r;
	struct px_board *board;
	struct px_err err;
};

#define OK(call)                                                                                   \
	do {                                                                                       \
		if (call)                                                                          \
			fail_msg("%s: %s", #call, world->err.msg);                                 \
	} while (0)

static int64_t put_integration(struct world *world, const char *id, const char *name,
	const char *synced, bool active, bool known)
{
	struct px_integration i = {.id = (char *)id,
		.name = (char *)name,
		.vendor = (char *)"realpage",
		.system = (char *)"PRODUCTION",
		.created_at = (char *)"2020-01-01T00:00:00Z",
		.last_completed_sync = (char *)synced,
		.active = active,
		.can_authenticate = -1,
		.present = true};
	bool fresh, changed;

	OK(px_writer_integration_put(world->w, &i, &fresh, &changed, &world->err));
	i.models_known = known;
	OK(px_writer_integration_state(world->w, &i, &world->err));
	return i.iid;
}

/* Writes what the caller changes of an integration's state. */
static void set_state(struct world *world, int64_t iid, int64_t reconciled_ms, const char *error)
{
	struct px_integration i = {0};

	OK(px_reader_integration(px_writer_reader(world->w), iid, &i, &world->err));
	free(i.error);
	i.error = error ? strdup(error) : NULL;
	OK(px_writer_integration_state(world->w, &i, &world->err));
	OK(px_writer_integration_reconciled(world->w, iid, 0, reconciled_ms, &world->err));
	px_integration_release(&i);
}

static int64_t put_dir(struct world *world, int64_t iid, const char *model, bool enabled,
	bool complete, int64_t expected, const char *error)
{
	struct px_dir d = {0};
	bool fresh;
	int64_t did;

	OK(px_writer_dir_get(world->w, iid, model, &d, &fresh, &world->err));
	d.enabled = enabled;
	d.complete = complete;
	d.expected = expected;
	free(d.watermark);
	d.watermark = complete ? strdup("2026-11-01T10:00:00+02:00") : NULL;
	free(d.error);
	d.error = error ? strdup(error) : NULL;
	OK(px_writer_dir_state(world->w, &d, &world->err));
	did = d.did;
	px_dir_release(&d);
	return did;
}

static void put_record(struct world *world, int64_t did, const char *id)
{
	char text[128], name[PX_NAME_MAX + 1];
	struct px_record rec = {0};
	enum px_put_result result;
	int64_t ino, old;

	(void)snprintf(
		text, sizeof text, "{\"id\":\"%s\",\"updated_at\":\"2026-11-01T08:00:00Z\"}", id);
	OK(px_record_parse(text, strlen(text), &rec, &world->err));
	px_record_name(rec.id, rec.id_len, name);
	OK(px_writer_put(world->w,
		&(struct px_put){.did = did,
			.id = rec.id,
			.id_len = rec.id_len,
			.name = name,
			.body = rec.body,
			.body_len = rec.body_len,
			.digest = rec.digest,
			.core_digest = rec.core_digest,
			.updated_at = rec.updated_at,
			.mtime_ns = rec.mtime_ns,
			.source = PX_SOURCE_API,
			.epoch = 1,
			.walk = 1},
		&result, &ino, &old, &world->err));
	px_record_release(&rec);
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	char command[160];

	if (!world)
		return -1;
	(void)snprintf(command, sizeof command, "rm -f %s*", store_path);
	if (system(command))
		return -1;
	set_now(NOW);
	world->board = px_board_new();
	if (!world->board ||
		px_writer_open(store_path, "https://api.propexo.com", &world->w, &world->err) ||
		px_writer_begin(world->w, &world->err)) {
		(void)fprintf(stderr, "%s\n", world->err.msg);
		return -1;
	}
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	px_reader_close(world->r);
	px_writer_close(world->w);
	px_board_free(world->board);
	free(world);
	return 0;
}

static void commit(struct world *world)
{
	OK(px_writer_commit(world->w, &world->err));
	if (!world->r)
		OK(px_reader_open(store_path, &world->r, &world->err));
}

/* ---- rendering and reading ---- */

static cJSON *parse(const struct px_buf *text)
{
	cJSON *json = cJSON_ParseWithLength(text->data, text->len);

	if (!json)
		fail_msg("not JSON: %.200s", text->data);
	assert_true(text->len > 0 && text->data[text->len - 1] == '\n');
	return json;
}

static cJSON *root_of(struct world *world, struct px_board *board)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(1 << 20);
	PX_BUF_AUTO struct px_buf again = PX_BUF_INIT(1 << 20);

	OK(px_status_root(world->r, board, "/s.db", &text, &world->err));
	OK(px_status_root(world->r, board, "/s.db", &again, &world->err));
	assert_string_equal(text.data, again.data);
	return parse(&text);
}

static cJSON *integration_of(struct world *world, struct px_board *board, int64_t iid)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(1 << 20);

	OK(px_status_integration(world->r, board, iid, &text, &world->err));
	return parse(&text);
}

/* "api.url": members by name, [n] as a number. */
static const cJSON *at(const cJSON *json, const char *path)
{
	char part[64];

	while (json && *path) {
		size_t len = strcspn(path, ".");

		(void)snprintf(part, sizeof part, "%.*s", (int)len, path);
		json = cJSON_IsArray(json) ? cJSON_GetArrayItem(json, atoi(part))
					   : cJSON_GetObjectItemCaseSensitive(json, part);
		path += len + (path[len] == '.');
	}
	return json;
}

enum {
	S = 1 << 0, /* string */
	N = 1 << 1, /* number */
	B = 1 << 2, /* boolean */
	O = 1 << 3,
	A = 1 << 4,
	Z = 1 << 5, /* null */
	T = 1 << 6, /* time in RFC 3339 */
};

static int type_of(const cJSON *v)
{
	int64_t ns;

	if (cJSON_IsString(v))
		return S | (strlen(v->valuestring) == 24 && v->valuestring[23] == 'Z' &&
						   !px_time_parse(v->valuestring, 24, &ns)
					   ? T
					   : 0);
	return cJSON_IsNumber(v)   ? N
	       : cJSON_IsBool(v)   ? B
	       : cJSON_IsObject(v) ? O
	       : cJSON_IsArray(v)  ? A
	       : cJSON_IsNull(v)   ? Z
				   : 0;
}

struct member {
	const char *path;
	int types;
};

static void check_members(const cJSON *json, const struct member *members, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const cJSON *v = at(json, members[i].path);

		if (!v)
			fail_msg("%s is missing", members[i].path);
		if (!(type_of(v) & members[i].types))
			fail_msg("%s has the wrong type: %s", members[i].path,
				cJSON_PrintUnformatted(v));
	}
}

static void assert_text(const cJSON *json, const char *path, const char *text)
{
	const cJSON *v = at(json, path);

	if (!v || !cJSON_IsString(v) || strcmp(v->valuestring, text))
		fail_msg("%s is %s, not %s", path, v ? cJSON_PrintUnformatted(v) : "missing", text);
}

static void assert_number(const cJSON *json, const char *path, double value)
{
	const cJSON *v = at(json, path);

	if (!v || !cJSON_IsNumber(v) || v->valuedouble < value - 1e-9 ||
		v->valuedouble > value + 1e-9)
		fail_msg(
			"%s is %s, not %g", path, v ? cJSON_PrintUnformatted(v) : "missing", value);
}

static void assert_truth(const cJSON *json, const char *path, bool value)
{
	const cJSON *v = at(json, path);

	if (!v || !cJSON_IsBool(v) || cJSON_IsTrue(v) != value)
		fail_msg("%s is %s", path, v ? cJSON_PrintUnformatted(v) : "missing");
}

static void assert_null_at(const cJSON *json, const char *path)
{
	if (!cJSON_IsNull(at(json, path)))
		fail_msg("%s is not null", path);
}

/* ---- phases ---- */

static void phases_by_table(void **state)
{
	static const struct {
		struct px_phase_facts f;
		const char *word;
	} cases[] = {
		{{.complete = true}, "current"},
		{{.complete = true, .pending = true}, "catching-up"},
		{{.complete = true, .stale = true}, "stale"},
		{{.complete = true, .stale = true, .pending = true}, "stale"},
		{{.complete = false}, "filling"},
		{{.pending = true}, "filling"},
		{{.stale = true}, "filling"},
		{{.failed = true}, "error"},
		{{.failed = true, .complete = true}, "error"},
		{{.waiting = true}, "waiting"},
		{{.waiting = true, .failed = true}, "waiting"},
		{{.waiting = true, .complete = true}, "waiting"},
		{{.disabled = true}, "disabled"},
		{{true, true, true, true, true, true}, "disabled"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(px_phase_word(px_phase_of(&cases[i].f)), cases[i].word);
}

/* ---- status.json of the root ---- */

static const struct member root_members[] = {
	{"version", S},
	{"pid", N},
	{"started_at", T},
	{"api.url", S},
	{"api.reachable", B},
	{"api.authorized", B},
	{"api.last_error", S | Z},
	{"api.requests_per_minute.allowed", N | Z},
	{"api.requests_per_minute.used", N},
	{"api.requests_per_minute.fill", N},
	{"api.requests_per_minute.catch_up", N},
	{"api.requests_per_minute.hydrate", N},
	{"webhooks.listening", S | Z},
	{"webhooks.registered", N | Z},
	{"webhooks.received", N},
	{"webhooks.rejected", N},
	{"webhooks.duplicate", N},
	{"webhooks.pending", N},
	{"webhooks.last_received_at", T | Z},
	{"store.path", S},
	{"store.bytes", N},
	{"store.records", N},
	{"store.versions", N},
	{"integrations", A},
	{"refreshed_at", T | Z},
};

static const struct member summary_members[] = {
	{"id", S},
	{"name", S | Z},
	{"phase", S},
	{"records", N},
	{"error", S | Z},
};

static const struct member integration_members[] = {
	{"id", S},
	{"name", S},
	{"vendor", S},
	{"system", S},
	{"active", B},
	{"archived", B},
	{"phase", S},
	{"propexo.last_completed_sync", T | Z},
	{"propexo.last_completed_back_sync", T | Z},
	{"propexo.syncing", B},
	{"propexo.can_authenticate", B | Z},
	{"mirror.first_filled_at", T | Z},
	{"mirror.reconciled_at", T | Z},
	{"mirror.last_event_at", T | Z},
	{"mirror.oldest_pending_event_at", T | Z},
	{"models", O},
	{"error", S | Z},
};

static const struct member model_members[] = {
	{"phase", S},
	{"complete", B},
	{"records", N},
	{"expected", N | Z},
	{"progress", N | Z},
	{"eta_seconds", N | Z},
	{"updated_through", T | Z},
	{"pending", N},
	{"error", S | Z},
};

#define CHECK(json, members) check_members(json, members, sizeof(members) / sizeof *(members))

static void an_empty_store(void **state)
{
	struct world *world = *state;
	cJSON *json;

	commit(world);
	json = root_of(world, world->board);
	CHECK(json, root_members);
	assert_text(json, "version", PX_VERSION);
	assert_text(json, "started_at", "2026-11-28T07:36:40.123Z");
	assert_text(json, "store.path", "/s.db");
	assert_number(json, "pid", getpid());
	assert_number(json, "store.records", 0);
	assert_truth(json, "integrations_known", false);
	assert_truth(json, "complete", false);
	assert_null_at(json, "webhooks.listening");
	assert_null_at(json, "refreshed_at");
	cJSON_Delete(json);
}

/* Propexo has integrations; the account has been read. */
static void listed(struct world *world, const char *const *ids, size_t count)
{
	OK(px_writer_integrations_listed(world->w, ids, count, &world->err));
}

static void everything_at_once(void **state)
{
	static const char *const ids[] = {"cly1", "cly2", "cly3", "cly4"};
	struct world *world = *state;
	struct px_api_stats api = {.reachable = true, .authorized = true};
	struct px_webhook_stats hooks = {.listening = true,
		.address = "127.0.0.1:4123",
		.registered = 99, /* not the receiver's to say */
		.received = 7,
		.rejected = 2,
		.duplicate = 1,
		.last_received_ms = NOW};
	int64_t one = put_integration(
		world, "cly1", "Acme \"A\"\n\x1b[31m", "2026-11-28 07:00:00", true, true);
	int64_t two = put_integration(world, "cly2", "Waiting", NULL, true, true);
	int64_t three = put_integration(world, "cly3", "Off", "2026-01-01T00:00:00Z", false, true);
	int64_t four = put_integration(world, "cly4", "Bad", "2026-01-01T00:00:00Z", true, true);
	int64_t arrival, did, big;
	cJSON *json;

	did = put_dir(world, one, "residents", true, true, 2, NULL);
	put_record(world, did, "r1");
	put_record(world, did, "r2");
	OK(px_writer_pending_add(
		world->w, did, "r2", 2, 2, NOW - 5 * MINUTE, NOW - 5 * MINUTE, &world->err));
	big = put_dir(world, one, "leases", true, false, 4000, NULL);
	put_record(world, big, "l1");
	(void)put_dir(world, one, "bills", false, false, -1, "403 not permitted");
	(void)put_dir(world, one, "charge-codes", false, false, -1, NULL);
	(void)put_dir(world, two, "residents", true, false, -1, NULL);
	did = put_dir(world, three, "residents", true, true, 1, NULL);
	put_record(world, did, "r3");
	set_state(world, four, 0, "500 every time");
	OK(px_writer_inbox_add(world->w, "{}", 2, NOW, &arrival, &world->err));
	listed(world, ids, 4);
	commit(world);

	api.limiter.allowed = 150;
	api.limiter.used = 12;
	api.limiter.sent[PX_FOR_FILL] = 9;
	api.limiter.sent[PX_FOR_CATCH_UP] = 2;
	api.limiter.sent[PX_FOR_HYDRATE] = 1;
	(void)snprintf(api.last_error, sizeof api.last_error, "HTTP 500");
	px_board_set_api(world->board, &api, "https://api.propexo.com", false);
	px_board_set_registered(world->board, 3);
	px_board_set_webhooks(world->board, &hooks);
	px_board_set_refreshed(world->board, NOW - MINUTE);
	px_board_set_progress(world->board, big,
		&(struct px_progress){.done = 1000, .expected = 4000, .eta_s = 90, .active = true});

	json = root_of(world, world->board);
	CHECK(json, root_members);
	for (int i = 0; i < 4; i++)
		CHECK(cJSON_GetArrayItem(at(json, "integrations"), i), summary_members);
	assert_number(json, "api.requests_per_minute.allowed", 150);
	assert_number(json, "api.requests_per_minute.used", 12);
	assert_number(json, "api.requests_per_minute.fill", 9);
	assert_number(json, "api.requests_per_minute.catch_up", 2);
	assert_number(json, "api.requests_per_minute.hydrate", 1);
	assert_text(json, "api.last_error", "HTTP 500");
	assert_text(json, "webhooks.listening", "127.0.0.1:4123");
	assert_number(json, "webhooks.registered", 3);
	assert_number(json, "webhooks.received", 7);
	assert_number(json, "webhooks.rejected", 2);
	assert_number(json, "webhooks.duplicate", 1);
	assert_number(json, "webhooks.pending", 1);
	assert_number(json, "store.records", 4);
	assert_number(json, "store.versions", 4);
	assert_true(at(json, "store.bytes")->valuedouble > 0);
	assert_text(json, "integrations.0.id", "cly1");
	assert_text(json, "integrations.0.name", "Acme \"A\"\n\x1b[31m");
	assert_text(json, "integrations.0.phase", "filling");
	assert_number(json, "integrations.0.records", 3);
	assert_null_at(json, "integrations.0.error");
	assert_text(json, "integrations.1.phase", "waiting");
	assert_text(json, "integrations.2.phase", "disabled");
	assert_text(json, "integrations.3.phase", "error");
	assert_text(json, "integrations.3.error", "500 every time");
	assert_truth(json, "complete", false);
	assert_text(json, "refreshed_at", "2026-11-28T07:35:40.123Z");
	cJSON_Delete(json);

	json = integration_of(world, world->board, one);
	CHECK(json, integration_members);
	for (const cJSON *m = at(json, "models")->child; m; m = m->next)
		CHECK(m, model_members);
	assert_text(json, "propexo.last_completed_sync", "2026-11-28T07:00:00.000Z");
	assert_null_at(json, "propexo.can_authenticate");
	assert_text(json, "mirror.oldest_pending_event_at", "2026-11-28T07:31:40.123Z");
	assert_text(json, "models.residents.phase", "catching-up");
	assert_number(json, "models.residents.records", 2);
	assert_number(json, "models.residents.progress", 1);
	assert_number(json, "models.residents.eta_seconds", 0);
	assert_number(json, "models.residents.pending", 1);
	assert_text(json, "models.residents.updated_through", "2026-11-01T08:00:00.000Z");
	assert_text(json, "models.leases.phase", "filling");
	assert_number(json, "models.leases.records", 1);
	assert_number(json, "models.leases.expected", 4000);
	assert_number(json, "models.leases.progress", 0.25);
	assert_number(json, "models.leases.eta_seconds", 90);
	assert_text(json, "models.bills.phase", "error");
	assert_text(json, "models.bills.error", "403 not permitted");
	assert_text(json, "models.charge-codes.phase", "disabled");
	assert_null_at(json, "models.charge-codes.expected");
	assert_null_at(json, "models.charge-codes.progress");
	cJSON_Delete(json);

	json = integration_of(world, world->board, three);
	assert_text(json, "phase", "disabled");
	assert_truth(json, "active", false);
	assert_text(json, "models.residents.phase", "disabled");
	assert_true(cJSON_IsString(at(json, "error")));
	cJSON_Delete(json);

	/* without a daemon: what the store knows */
	json = root_of(world, NULL);
	assert_null_at(json, "pid");
	assert_null_at(json, "api.reachable");
	assert_text(json, "api.url", "https://api.propexo.com");
	assert_text(json, "integrations.0.phase", "filling");
	cJSON_Delete(json);
}

/* One integration, complete, reconciled at NOW. */
static int64_t complete_world(struct world *world)
{
	static const char *const ids[] = {"cly1"};
	int64_t iid = put_integration(world, "cly1", "Acme", "2026-11-28T07:00:00Z", true, true);

	(void)put_dir(world, iid, "residents", true, true, 0, NULL);
	(void)put_dir(world, iid, "bills", false, false, -1, NULL);
	set_state(world, iid, NOW, NULL);
	listed(world, ids, 1);
	commit(world);
	px_board_set_refresh(world->board, 300);
	px_board_set_refreshed(world->board, NOW);
	return iid;
}

static void assert_phase(struct world *world, const char *phase)
{
	cJSON *json = root_of(world, world->board);

	assert_text(json, "integrations.0.phase", phase);
	assert_truth(json, "complete", true);
	cJSON_Delete(json);
}

static void set_reachable(struct world *world, bool reachable, bool authorized, bool offline)
{
	struct px_api_stats api = {.reachable = reachable, .authorized = authorized};

	px_board_set_api(world->board, &api, "https://api.propexo.com", offline);
}

static void stale_after_three_periods_out_of_reach(void **state)
{
	struct world *world = *state;

	(void)complete_world(world);
	assert_phase(world, "current");
	set_now(NOW + 60 * MINUTE);
	assert_phase(world, "current"); /* reached, and nothing was announced */
	set_reachable(world, false, true, false);
	assert_phase(world, "stale");
	set_now(NOW + 14 * MINUTE);
	assert_phase(world, "current");
	set_now(NOW + 16 * MINUTE);
	assert_phase(world, "stale");
	set_reachable(world, true, false, false);
	assert_phase(world, "stale");
	set_reachable(world, true, true, true);
	assert_phase(world, "stale");
	set_reachable(world, true, true, false);
	assert_phase(world, "current");
	/* a refresh of 0 counts as the default */
	px_board_set_refresh(world->board, 0);
	set_reachable(world, false, true, false);
	assert_phase(world, "stale");
	set_now(NOW + 14 * MINUTE);
	assert_phase(world, "current");
}

static void stale_when_changes_stay_unannounced(void **state)
{
	struct world *world = *state;
	int64_t iid = complete_world(world);

	px_board_set_unannounced(world->board, iid, NOW);
	set_now(NOW + 14 * MINUTE);
	assert_phase(world, "current");
	set_now(NOW + 16 * MINUTE);
	assert_phase(world, "stale");
	px_board_set_unannounced(world->board, iid, 0);
	assert_phase(world, "current");
}

static void catching_up(void **state)
{
	struct world *world = *state;
	int64_t iid = complete_world(world);

	px_board_set_catching_up(world->board, iid, true);
	assert_phase(world, "catching-up");
	px_board_set_catching_up(world->board, iid, false);
	assert_phase(world, "current");
}

/* Nothing but a change changes a text: time alone does not. */
static void texts_stand_still(void **state)
{
	struct world *world = *state;
	PX_BUF_AUTO struct px_buf a = PX_BUF_INIT(1 << 20);
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(1 << 20);
	int64_t iid = complete_world(world);

	for (int i = 0; i < 2; i++) {
		struct px_buf *out = i ? &b : &a;

		set_now(NOW + i * 600 * MINUTE);
		OK(px_status_root(world->r, world->board, "/s.db", out, &world->err));
		OK(px_status_integration(world->r, world->board, iid, out, &world->err));
		OK(px_status_metrics(world->r, world->board, NULL, out, &world->err));
	}
	assert_string_equal(a.data, b.data);
}

static void what_is_left_out_does_not_count(void **state)
{
	static const char *const ids[] = {"cly1", "cly2", "cly3"};
	struct world *world = *state;
	char *only_model = (char *)"residents", *only_id = (char *)"cly1";
	struct px_conf conf = {.refresh_s = 300,
		.api_url = (char *)"https://api.propexo.com",
		.models = {&only_model, 1},
		.integrations = {&only_id, 1}};
	int64_t one = put_integration(world, "cly1", "Acme", "2026-11-28T07:00:00Z", true, true);
	int64_t two = put_integration(world, "cly2", "Other", "2026-11-28T07:00:00Z", true, true);
	cJSON *json;

	(void)put_dir(world, one, "residents", true, true, 0, NULL);
	(void)put_dir(world, one, "leases", true, false, -1, NULL);
	(void)put_dir(world, two, "residents", true, false, -1, NULL);
	/* disabled and never synced */
	(void)put_integration(world, "cly3", "Never", NULL, false, false);
	listed(world, ids, 3);
	commit(world);

	json = root_of(world, world->board);
	assert_truth(json, "complete", false);
	assert_truth(json, "integrations.2.counts", false);
	cJSON_Delete(json);

	px_board_set_conf(world->board, &conf);
	json = root_of(world, world->board);
	assert_truth(json, "complete", true);
	assert_text(json, "integrations.0.phase", "current");
	assert_text(json, "integrations.1.phase", "disabled");
	cJSON_Delete(json);
	json = integration_of(world, world->board, one);
	assert_text(json, "models.leases.phase", "disabled");
	assert_text(json, "models.leases.error", "left out by --model");
	cJSON_Delete(json);
}

/* Below a thousandth from the end it is not the end. */
static void progress_reaches_one_only_when_complete(void **state)
{
	static const char *const ids[] = {"cly1"};
	struct world *world = *state;
	int64_t iid = put_integration(world, "cly1", "Acme", "2026-11-28T07:00:00Z", true, true);
	int64_t did = put_dir(world, iid, "residents", true, false, 100000, NULL);
	static const struct {
		int64_t done, expected;
		double progress; /* -1: null */
	} cases[] = {{99999, 100000, 0.999}, {100001, 100000, 0.999}, {0, 100000, 0}, {5, 0, 0.999},
		{333, 1000, 0.333}};
	cJSON *json;

	listed(world, ids, 1);
	commit(world);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		px_board_set_progress(world->board, did,
			&(struct px_progress){.done = cases[i].done,
				.expected = cases[i].expected,
				.eta_s = -1,
				.active = true});
		json = integration_of(world, world->board, iid);
		assert_number(json, "models.residents.progress", cases[i].progress);
		assert_null_at(json, "models.residents.eta_seconds");
		cJSON_Delete(json);
	}
	px_board_set_progress(world->board, did, &(struct px_progress){.active = false});
	json = integration_of(world, world->board, iid);
	assert_number(json, "models.residents.progress", 0);
	cJSON_Delete(json);
}

static void assert_line(struct world *world, const char *want)
{
	char line[200];

	OK(px_status_line(world->r, world->board, line, sizeof line, &world->err));
	assert_string_equal(line, want);
}

static void one_line_for_the_service_manager(void **state)
{
	static const char *const ids[] = {"cly1", "cly2"};
	struct px_api_stats api = {.reachable = true, .authorized = true};
	struct world *world = *state;
	int64_t one, two;
	char small[12];

	commit(world);
	assert_line(world, "waiting for the list of integrations");
	OK(px_writer_begin(world->w, &world->err));
	one = put_integration(world, "cly1", "Acme", "2026-11-28T07:00:00Z", true, true);
	two = put_integration(world, "cly2", "Other", "2026-11-28T07:00:00Z", true, true);
	(void)put_dir(world, one, "residents", true, true, 0, NULL);
	(void)put_dir(world, two, "residents", true, false, 40, NULL);
	listed(world, ids, 2);
	commit(world);
	px_board_set_api(world->board, &api, "https://api.propexo.com", false);
	assert_line(world, "filling: 0 of 40 records, 2 integrations");
	api.authorized = false;
	px_board_set_api(world->board, &api, "https://api.propexo.com", false);
	assert_line(world, "stale: 0 of 40 records, 2 integrations; the API refuses the key");
	api.reachable = false;
	px_board_set_api(world->board, &api, "https://api.propexo.com", false);
	assert_line(world, "stale: 0 of 40 records, 2 integrations; the API is out of reach");
	/* cut, not overrun */
	OK(px_status_line(world->r, world->board, small, sizeof small, &world->err));
	assert_string_equal(small, "stale: 0 of");
}

static void vanished_and_unknown(void **state)
{
	static const char *const ids[] = {"cly1"};
	struct world *world = *state;
	PX_BUF_AUTO struct px_buf out = PX_BUF_INIT(1 << 20);
	int64_t gone = put_integration(world, "cly0", "Gone", "2026-01-01T00:00:00Z", true, true);
	cJSON *json;

	(void)put_integration(world, "cly1", "Acme", NULL, true, true);
	listed(world, ids, 1);
	commit(world);
	json = integration_of(world, world->board, gone);
	assert_text(json, "phase", "disabled");
	assert_truth(json, "present", false);
	assert_true(strstr(at(json, "error")->valuestring, "no longer") != NULL);
	cJSON_Delete(json);
	assert_int_equal(
		px_status_integration(world->r, world->board, 999, &out, &world->err), PX_ENOENT);
	assert_int_equal(out.len, 0);
}

static void a_store_that_cannot_be_written(void **state)
{
	struct world *world = *state;
	cJSON *json;

	commit(world);
	px_board_set_store_error(world->board, "disk full");
	json = root_of(world, world->board);
	assert_text(json, "store.error", "disk full");
	cJSON_Delete(json);
	px_board_set_store_error(world->board, NULL);
	json = root_of(world, world->board);
	assert_null_at(json, "store.error");
	cJSON_Delete(json);
}

/* ---- metrics ---- */

static void check_sample(const char *line, const char *name, const char *type)
{
	size_t len = strcspn(line, "{ ");
	const char *value = strrchr(line, ' ');
	char *end;

	if (len != strlen(name) || strncmp(line, name, len))
		fail_msg("sample without its own HELP and TYPE: %s", line);
	assert_int_equal(strncmp(name, "propexofs_", 10), 0);
	assert_int_equal(len > 6 && !strcmp(name + len - 6, "_total"), !strcmp(type, "counter"));
	assert_non_null(value);
	(void)strtod(value + 1, &end);
	assert_int_equal(*end, '\0');
	if (line[len] == '{')
		assert_int_equal(value[-1], '}');
}

static void metrics_follow_the_conventions(void **state)
{
	static const char *const ids[] = {"cly1"};
	struct world *world = *state;
	struct px_fs_counters fs = {.lookup = 5, .bytes_read = 99};
	PX_BUF_AUTO struct px_buf out = PX_BUF_INIT(1 << 20);
	int64_t iid = put_integration(
		world, "cly1", "A\"c\\m\ne", "2026-11-28T07:00:00Z", true, true);
	char name[128] = "", type[32] = "", *line, *save = NULL;
	int families = 0;

	put_record(world, put_dir(world, iid, "residents", true, true, 1, NULL), "r1");
	set_state(world, iid, NOW, NULL);
	listed(world, ids, 1);
	commit(world);
	px_board_set_refreshed(world->board, NOW);
	OK(px_status_metrics(world->r, world->board, &fs, &out, &world->err));
	assert_non_null(strstr(out.data,
		"propexofs_integration_info{integration=\"cly1\",name=\"A\\\"c\\\\m\\ne\","
		"vendor=\"realpage\",system=\"PRODUCTION\"} 1\n"));
	assert_non_null(strstr(
		out.data, "propexofs_model_records{integration=\"cly1\",model=\"residents\"} 1\n"));
	assert_non_null(strstr(out.data,
		"propexofs_integration_phase{integration=\"cly1\",phase=\"current\"} 1\n"));
	assert_non_null(strstr(out.data,
		"propexofs_integration_reconciled_timestamp_seconds{integration=\"cly1\"} "
		"1795851400.123\n"));
	assert_non_null(
		strstr(out.data, "propexofs_fuse_requests_total{operation=\"lookup\"} 5\n"));
	assert_non_null(strstr(out.data, "propexofs_api_requests_total{purpose=\"fill\"} 0\n"));
	assert_null(strstr(out.data, "last_event_timestamp"));
	for (line = strtok_r(out.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char again[128];

		if (!strncmp(line, "# HELP ", 7)) {
			assert_int_equal(sscanf(line, "# HELP %127s", name), 1);
			type[0] = '\0';
			families++;
		} else if (!strncmp(line, "# TYPE ", 7)) {
			assert_int_equal(sscanf(line, "# TYPE %127s %31s", again, type), 2);
			assert_string_equal(again, name);
		} else {
			assert_true(*type);
			check_sample(line, name, type);
		}
	}
	assert_true(families > 20);
}

/* ---- texts for people ---- */

static px_rc read_from_world(void *arg, const char *id, struct px_buf *out, struct px_err *err)
{
	struct world *world = arg;
	struct px_integration i = {0};
	px_rc rc = px_reader_integration_by_id(world->r, id, &i, err);

	if (!rc)
		rc = px_status_integration(world->r, world->board, i.iid, out, err);
	px_integration_release(&i);
	return rc;
}

static void for_people(void **state)
{
	static const char *const ids[] = {"cly1"};
	struct world *world = *state;
	PX_BUF_AUTO struct px_buf root = PX_BUF_INIT(1 << 20);
	PX_BUF_AUTO struct px_buf out = PX_BUF_INIT(1 << 20);
	int64_t iid = put_integration(
		world, "cly1", "Acme \x1b[31m", "2026-11-28T07:00:00Z", true, true);
	int64_t did = put_dir(world, iid, "leases", true, false, 4000, NULL);

	(void)put_dir(world, iid, "residents", true, true, 0, NULL);
	(void)put_dir(world, iid, "bills", false, false, -1, "403 not permitted");
	listed(world, ids, 1);
	commit(world);
	px_board_set_progress(world->board, did,
		&(struct px_progress){.done = 10, .expected = 4000, .eta_s = 3725, .active = true});
	OK(px_status_root(world->r, world->board, "/s.db", &root, &world->err));
	OK(px_status_print(root.data, root.len, read_from_world, world, &out, &world->err));
	assert_null(strchr(out.data, '\x1b'));
	assert_non_null(strstr(out.data, "Acme ?[31m  (cly1)  filling"));
	assert_non_null(strstr(out.data, "of 4,000, 1 h 02 min left"));
	assert_non_null(strstr(out.data, "403 not permitted"));
	assert_non_null(strstr(out.data, "1 of 3 models current"));
	assert_null(strstr(out.data, "    residents"));
	assert_int_equal(
		px_status_print("{", 1, read_from_world, world, &out, &world->err), PX_ESYNTAX);
}

static void the_readme_names_every_model(void **state)
{
	PX_BUF_AUTO struct px_buf out = PX_BUF_INIT(1 << 16);

	(void)state;
	assert_int_equal(px_status_readme(&out, NULL), 0);
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		char word[80];

		(void)snprintf(word, sizeof word, "%s%s", px_models[m].dir,
			m + 1 < PX_MODEL_COUNT ? "," : "\n");
		if (!strstr(out.data, word))
			fail_msg("%s is missing", word);
	}
	for (const char *line = out.data; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 100);
}

static void the_board_keeps_what_it_is_told(void **state)
{
	struct px_board *b = px_board_new();
	struct px_board_view v;
	struct px_progress p;

	(void)state;
	assert_non_null(b);
	px_board_view(b, &v);
	assert_true(v.api.reachable && v.api.authorized);
	assert_int_equal(v.webhooks.registered, -1);
	for (int64_t did = 1; did <= 100; did++)
		px_board_set_progress(b, did, &(struct px_progress){.done = did, .active = true});
	for (int64_t did = 1; did <= 100; did += 2)
		px_board_set_progress(b, did, &(struct px_progress){.active = false});
	for (int64_t did = 1; did <= 100; did++) {
		assert_int_equal(px_board_progress(b, did, &p), did % 2 == 0);
		if (did % 2 == 0)
			assert_int_equal(p.done, did);
	}
	px_board_free(b);
	px_board_free(NULL);
}

#undef T
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(phases_by_table),
		T(an_empty_store),
		T(everything_at_once),
		T(stale_after_three_periods_out_of_reach),
		T(stale_when_changes_stay_unannounced),
		T(catching_up),
		T(texts_stand_still),
		T(what_is_left_out_does_not_count),
		T(progress_reaches_one_only_when_complete),
		T(one_line_for_the_service_manager),
		T(vanished_and_unknown),
		T(a_store_that_cannot_be_written),
		T(metrics_follow_the_conventions),
		T(for_people),
		cmocka_unit_test(the_readme_names_every_model),
		cmocka_unit_test(the_board_keeps_what_it_is_told),
	};
	char command[128];
	int failed;

	(void)snprintf(dir, sizeof dir, "/tmp/px-status-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	(void)snprintf(clock_path, sizeof clock_path, "%s/clock", dir);
	(void)snprintf(store_path, sizeof store_path, "%s/s.db", dir);
	if (px_clock_test_write(clock_path, NOW * 1000000, 1))
		return 1;
	(void)setenv("PROPEXOFS_TEST_CLOCK", clock_path, 1);
	px_clock_setup();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command) || failed;
}
