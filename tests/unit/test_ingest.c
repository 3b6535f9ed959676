/* SPDX-License-Identifier: MIT */
/* test_ingest.c - the writer's thread: order by request, marks, deliveries, the changes it
 * announces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "propexofs/clock.h"
#include "propexofs/codec.h"
#include "propexofs/ingest.h"
#include "propexofs/model.h"
#include "propexofs/store_read.h"
#include "../../src/status/status_i.h"

struct world {
	char dir[64], path[96];
	struct px_feed *feed;
	struct px_board *board;
	struct px_ingest *in;
	struct px_reader *reader;
	int64_t iid, did, leases;
};

static void ok(px_rc rc, const struct px_err *err)
{
	if (rc)
		fail_msg("%s", err->msg);
}

static void open_world(struct world *w)
{
	struct px_err err = {0};

	ok(px_ingest_new(&(struct px_ingest_options){.store = w->path,
				 .api_url = "http://127.0.0.1",
				 .history_days = 7,
				 .listens = true,
				 .feed = w->feed,
				 .board = w->board},
		   &w->in, &err),
		&err);
	ok(px_ingest_start(w->in, &err), &err);
	ok(px_reader_open(w->path, &w->reader, &err), &err);
}

static void close_world(struct world *w)
{
	px_reader_close(w->reader);
	px_ingest_stop(w->in);
	px_ingest_free(w->in);
	w->reader = NULL;
	w->in = NULL;
}

static int64_t dir_of(struct world *w, const char *model)
{
	struct px_dir d = {0};
	struct px_err err = {0};
	int64_t did;

	ok(px_reader_dir_by_name(w->reader, w->iid, model, &d, &err), &err);
	did = d.did;
	px_dir_release(&d);
	return did;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct px_account_job account;
	struct px_err err = {0};
	struct px_integration i = {0};

	(void)snprintf(w->dir, sizeof w->dir, "/tmp/px-ingest-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	(void)snprintf(w->path, sizeof w->path, "%s/s.db", w->dir);
	w->feed = px_feed_new();
	w->board = px_board_new();
	open_world(w);
	px_account_job_init(&account);
	account.entries = calloc(1, sizeof *account.entries);
	account.count = 1;
	account.entries[0].integration = (struct px_integration){
		.id = strdup("cly1"), .name = strdup("Acme"), .active = true, .present = true};
	account.entries[0].lay_out = true;
	for (int m = 0; m < PX_MODEL_COUNT; m++)
		account.entries[0].enabled[m] = true;
	ok(px_ingest_run(w->in, &account.job, &err), &err);
	px_account_job_release(&account);
	ok(px_reader_integration_by_id(w->reader, "cly1", &i, &err), &err);
	w->iid = i.iid;
	px_integration_release(&i);
	w->did = dir_of(w, "residents");
	w->leases = dir_of(w, "leases");
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	char command[128];

	close_world(w);
	px_feed_free(w->feed);
	px_board_free(w->board);
	(void)snprintf(command, sizeof command, "rm -rf %s", w->dir);
	free(w);
	return system(command);
}

/* ---- helpers ---- */

enum what { FRESH, REPLACED, SAME, DROPPED };

/* An answer with one record, sent at this epoch. *ret_overtaken: it was marked since. */
static enum what answer_told(
	struct world *w, int64_t did, int64_t epoch, const char *text, bool *ret_overtaken)
{
	struct px_page_job p;
	struct px_err err = {0};
	enum what got;

	px_page_job_init(&p);
	p.records = calloc(1, sizeof *p.records);
	ok(px_record_parse(text, strlen(text), &p.records[0].record, &err), &err);
	p.records[0].did = did;
	p.count = 1;
	p.sent_epoch = epoch;
	ok(px_ingest_run(w->in, &p.job, &err), &err);
	assert_int_equal(p.fresh + p.replaced + p.same + p.dropped, 1);
	got = p.fresh ? FRESH : p.replaced ? REPLACED : p.same ? SAME : DROPPED;
	*ret_overtaken = p.overtaken == 1;
	px_page_job_release(&p);
	return got;
}

static enum what answer(struct world *w, int64_t did, int64_t epoch, const char *text)
{
	bool overtaken;

	return answer_told(w, did, epoch, text, &overtaken);
}

static void body_is(struct world *w, int64_t did, const char *name, const char *part)
{
	struct px_buf body = PX_BUF_INIT(1 << 20);
	struct px_entry e;
	struct px_err err = {0};

	ok(px_reader_lookup(w->reader, did, name, strlen(name), &e, &err), &err);
	ok(px_reader_body(w->reader, e.ino, &body, &err), &err);
	px_buf_addc(&body, '\0');
	if (!strstr(body.data, part))
		fail_msg("no %s in %s", part, body.data);
	px_buf_release(&body);
}

static bool marked(struct world *w, int64_t did, const char *id)
{
	int64_t epoch;
	int attempts;

	return !px_reader_pending_get(w->reader, did, id, strlen(id), &epoch, &attempts, NULL);
}

static void finished(struct px_job *job, px_rc rc, const struct px_err *err)
{
	(void)err;
	assert_int_equal(rc, PX_OK);
	free(job);
}

struct last {
	char line[4096];
	size_t count;
};

static bool keep(void *arg, int64_t seq, const char *line, size_t len)
{
	struct last *l = arg;

	(void)seq;
	l->count++;
	(void)snprintf(l->line, sizeof l->line, "%.*s", (int)len, line);
	return true;
}

/* Delivers and waits until it has been applied; the last line of the log must hold `part`. */
static void deliver(struct world *w, const char *body, const char *part)
{
	struct px_delivery_job *d = malloc(sizeof *d);
	struct last before = {.count = 0}, after;
	struct px_err err = {0};

	ok(px_reader_events(w->reader, 0, keep, &before, &err), &err);
	px_delivery_job_init(d, body, strlen(body), px_clock_wall_ms());
	d->job.done = finished;
	ok(px_ingest_submit(w->in, &d->job, true), &err);
	for (int tries = 0; tries < 500; tries++) {
		after = (struct last){.count = 0};
		ok(px_reader_events(w->reader, 0, keep, &after, &err), &err);
		if (after.count > before.count)
			break;
		(void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	if (!strstr(after.line, part))
		fail_msg("no %s in %s", part, after.line);
}

#define UPDATE(model, id, new, previous)                                                           \
	"{\"trigger\":\"DATA_UPDATE\",\"data\":{\"event\":\"DATA_UPDATE\",\"object\":\"" model     \
	"\",\"record_id\":\"" id                                                                   \
	"\",\"integration_id\":\"cly1\",\"diff\":{\"new\":" new ",\"previous\":" previous "}}}"

#define RECORD(id, name, at)                                                                       \
	"{\"id\":\"" id "\",\"integration_id\":\"cly1\",\"updated_at\":\"" at                      \
	"\",\"first_name\":\"" name "\"}"

/* ---- answers ---- */

static void an_answer_sent_before_the_last_apply_is_dropped(void **state)
{
	struct world *w = *state;
	int64_t early = px_ingest_epoch(w->in), late;

	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r1", "Ada", "2026-01-01T00:00:00Z")),
		FRESH);
	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r1", "Ada", "2026-01-01T00:00:00Z")),
		SAME);
	/* asked before either, and says something else: nobody knows which is right */
	assert_int_equal(
		answer(w, w->did, early, RECORD("r1", "Old", "2026-01-01T00:00:00Z")), DROPPED);
	assert_true(marked(w, w->did, "r1"));
	body_is(w, w->did, "r1.json", "\"Ada\"");
	late = px_ingest_epoch(w->in);
	assert_int_equal(
		answer(w, w->did, late, RECORD("r1", "New", "2026-01-02T00:00:00Z")), REPLACED);
	assert_false(marked(w, w->did, "r1"));
	body_is(w, w->did, "r1.json", "\"New\"");
}

static void a_mark_outlives_answers_from_before_it(void **state)
{
	struct world *w = *state;
	int64_t before = px_ingest_epoch(w->in);

	deliver(w, UPDATE("residents", "r2", "{\"first_name\":\"B\"}", "{\"first_name\":\"A\"}"),
		"\"outcome\":\"queued\"");
	assert_true(marked(w, w->did, "r2"));
	assert_int_equal(
		answer(w, w->did, before, RECORD("r2", "A", "2026-01-01T00:00:00Z")), FRESH);
	assert_true(marked(w, w->did, "r2"));
	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r2", "B", "2026-01-01T00:00:01Z")),
		REPLACED);
	assert_false(marked(w, w->did, "r2"));
}

static void an_answer_that_deliveries_overtook_says_so(void **state)
{
	struct world *w = *state;
	int64_t before = px_ingest_epoch(w->in);
	bool overtaken;

	/* marked only: the answer is taken, the mark stays */
	deliver(w, UPDATE("residents", "o1", "{\"first_name\":\"B\"}", "{\"first_name\":\"A\"}"),
		"\"outcome\":\"queued\"");
	assert_int_equal(answer_told(w, w->did, before, RECORD("o1", "A", "2026-01-01T00:00:00Z"),
				 &overtaken),
		FRESH);
	assert_true(overtaken);
	assert_true(marked(w, w->did, "o1"));
	assert_int_equal(answer_told(w, w->did, px_ingest_epoch(w->in),
				 RECORD("o1", "A", "2026-01-01T00:00:00Z"), &overtaken),
		SAME);
	assert_false(overtaken);
	assert_false(marked(w, w->did, "o1"));
	/* spliced: the answer is dropped, the mark stays */
	before = px_ingest_epoch(w->in);
	deliver(w, UPDATE("residents", "o1", "{\"first_name\":\"B\"}", "{\"first_name\":\"A\"}"),
		"\"outcome\":\"applied\"");
	assert_int_equal(answer_told(w, w->did, before, RECORD("o1", "C", "2026-01-02T00:00:00Z"),
				 &overtaken),
		DROPPED);
	assert_true(overtaken);
	assert_true(marked(w, w->did, "o1"));
}

#define SEEN(at)                                                                                   \
	"{\"id\":\"s1\",\"integration_id\":\"cly1\",\"first_name\":\"A\",\"last_seen\":\"" at "\"" \
	"}"

static void the_newest_last_seen_is_kept_without_a_version(void **state)
{
	struct world *w = *state;
	struct px_record_state s;
	struct px_err err = {0};

	assert_int_equal(
		answer(w, w->did, px_ingest_epoch(w->in), SEEN("2026-01-01T00:00:00Z")), FRESH);
	assert_int_equal(
		answer(w, w->did, px_ingest_epoch(w->in), SEEN("2026-02-01T00:00:00Z")), SAME);
	body_is(w, w->did, "s1.json", "2026-01-01");
	ok(px_reader_record_state(w->reader, w->did, "s1.json", &s, &err), &err);
	assert_string_equal(s.last_seen, "2026-02-01T00:00:00Z");
}

/* ---- deliveries ---- */

#define NEWS(id, payload)                                                                          \
	"{\"event\":\"DATA_NEW\",\"object\":\"residents\",\"record_id\":\"" id                     \
	"\",\"integration_id\":\"cly1\",\"payload\":" payload "}"

static void news_of_a_stored_record_are_read_again_unless_they_are_none(void **state)
{
	struct world *w = *state;

	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("n1", "A", "2026-01-01T00:00:00Z")),
		FRESH);
	deliver(w, NEWS("n1", "{\"first_name\":\"A\"}"), "\"outcome\":\"duplicate\"");
	assert_false(marked(w, w->did, "n1"));
	deliver(w, NEWS("n1", "{\"first_name\":\"B\"}"), "\"outcome\":\"queued\"");
	assert_true(marked(w, w->did, "n1"));
	/* a payload is not the whole record */
	body_is(w, w->did, "n1.json", "\"A\"");
	deliver(w, NEWS("n2", "{\"first_name\":\"B\"}"), "\"outcome\":\"queued\"");
	assert_true(marked(w, w->did, "n2"));
}

/* Each of the 25 models that no path of the API shows. */
static void rows_that_nothing_shows_are_in_the_log(void **state)
{
	static const char *const names[] = {"ap_codes", "ap_codes_to_construction_job",
		"charge_code_types", "charge_code_types_to_charge_timings", "charge_timings",
		"crm_agents", "crm_amenities", "crm_attributions", "crm_communities",
		"crm_communities_to_agents", "crm_communities_to_attributions", "crm_events",
		"crm_listings", "crm_pet_policies", "crm_prospects", "entrata_lease_periods",
		"entrata_vendor_locations", "locations", "service_request_access_contacts",
		"service_request_vendor_categories", "service_request_vendors_insurance",
		"transactions", "vendor_insurance_coverage_types", "vendor_insurance_policy_types",
		"vendor_payment_types"};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char body[400], line[400];

		(void)snprintf(body, sizeof body,
			"{\"event\":\"DATA_NEW\",\"object\":\"%s\",\"record_id\":\"e%zu\","
			"\"integration_id\":\"cly1\",\"payload\":{\"name\":\"n%zu\"}}",
			names[i], i, i);
		(void)snprintf(
			line, sizeof line, "\"record_id\":\"e%zu\",\"outcome\":\"noted\"", i);
		deliver(w, body, line);
	}
	assert_false(marked(w, w->did, "e0"));
}

static void deliveries_by_their_diff(void **state)
{
	struct world *w = *state;

	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r3", "A", "2026-01-01T00:00:00Z")),
		FRESH);
	deliver(w, UPDATE("residents", "r3", "{\"first_name\":\"B\"}", "{\"first_name\":\"A\"}"),
		"\"outcome\":\"applied\"");
	body_is(w, w->did, "r3.json", "\"B\"");
	assert_true(marked(w, w->did, "r3"));
	deliver(w, UPDATE("residents", "r3", "{\"first_name\":\"B\"}", "{\"first_name\":\"A\"}"),
		"\"outcome\":\"duplicate\"");
	deliver(w, UPDATE("residents", "r3", "{\"first_name\":\"D\"}", "{\"first_name\":\"C\"}"),
		"other previous values");
	deliver(w, UPDATE("residents", "r3", "{\"nothing\":1}", "{\"nothing\":2}"),
		"lacks a member");
	deliver(w,
		UPDATE("residents", "r3",
			"{\"first_name\":\"X\",\"updated_at\":\"2020-01-01T00:00:00Z\"}",
			"{\"first_name\":\"B\"}"),
		"\"outcome\":\"stale\"");
	body_is(w, w->did, "r3.json", "\"B\"");
	deliver(w, UPDATE("no-such-model", "r3", "{\"a\":1}", "{\"a\":2}"),
		"\"outcome\":\"unknown-model\"");
	deliver(w, "{\"event\":\"SOMETHING\",\"integration_id\":\"cly1\"}",
		"\"outcome\":\"ignored\"");
	deliver(w, "{\"event\":\"JOB_FAILURE\",\"integration_id\":\"cly1\",\"job_id\":\"j\"}",
		"\"outcome\":\"noted\"");
}

static void an_api_that_lags_behind_its_delivery_is_asked_again(void **state)
{
	struct world *w = *state;

	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r4", "A", "2026-01-01T00:00:00Z")),
		FRESH);
	deliver(w, UPDATE("residents", "r4", "{\"first_name\":\"B\"}", "{\"first_name\":\"A\"}"),
		"applied");
	for (int i = 0; i < 4; i++) {
		assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
					 RECORD("r4", "A", "2026-01-01T00:00:00Z")),
			DROPPED);
		assert_true(marked(w, w->did, "r4"));
		body_is(w, w->did, "r4.json", "\"B\"");
	}
	/* then it is right */
	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r4", "A", "2026-01-01T00:00:00Z")),
		REPLACED);
	body_is(w, w->did, "r4.json", "\"A\"");
	assert_false(marked(w, w->did, "r4"));
}

/* Not every answer comes from the same copy: one that has confirmed the delivery proves nothing for
 * the next. */
static void a_copy_that_lags_does_not_undo_what_another_has_confirmed(void **state)
{
	struct world *w = *state;

	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r4", "A", "2026-01-01T00:00:00Z")),
		FRESH);
	deliver(w, UPDATE("residents", "r4", "{\"first_name\":\"B\"}", "{\"first_name\":\"A\"}"),
		"applied");
	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r4", "B", "2026-01-02T00:00:00Z")),
		REPLACED);
	assert_false(marked(w, w->did, "r4"));
	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r4", "A", "2026-01-01T00:00:00Z")),
		DROPPED);
	assert_true(marked(w, w->did, "r4"));
	body_is(w, w->did, "r4.json", "\"B\"");
}

static void back_at_a_former_state_and_later_is_believed_at_once(void **state)
{
	struct world *w = *state;

	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r5", "A", "2026-01-01T00:00:00Z")),
		FRESH);
	deliver(w, UPDATE("residents", "r5", "{\"first_name\":\"B\"}", "{\"first_name\":\"A\"}"),
		"applied");
	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r5", "A", "2026-01-03T00:00:00Z")),
		REPLACED);
	body_is(w, w->did, "r5.json", "\"A\"");
}

/* A row of the API's log that changes first_name of a resident to B, at a moment from now; since
 * when the integration has a change that nobody announced (0: none). */
static int64_t unannounced_after(struct world *w, const char *id, int64_t in_ms)
{
	struct px_board_integration live = {0};
	struct px_diff_job d;
	struct px_err err = {0};
	char at[PX_TIME_MAX], row[400];

	(void)snprintf(row, sizeof row,
		"{\"model\":\"residents\",\"model_record_id\":\"%s\",\"integration_id\":\"cly1\","
		"\"event_type\":\"UPDATE\",\"created_at\":\"%s\",\"data_diff\":{\"new\":"
		"{\"first_name\":\"B\"},\"previous\":{\"first_name\":\"A\"}}}",
		id, px_time_format_ms(px_clock_wall_ms() + in_ms, at));
	px_diff_job_init(&d);
	d.rows = calloc(1, sizeof *d.rows);
	d.rows[0] = (struct px_span){row, strlen(row)};
	d.count = 1;
	d.mark_only = true;
	ok(px_ingest_run(w->in, &d.job, &err), &err);
	assert_int_equal(d.marked, 1);
	px_diff_job_release(&d);
	px_board_integration(w->board, w->iid, &live);
	return live.unannounced_ms;
}

static void what_was_delivered_before_its_row_was_read_is_announced(void **state)
{
	struct world *w = *state;

	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("u1", "Z", "2026-01-01T00:00:00Z")),
		FRESH);
	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("u2", "Z", "2026-01-01T00:00:00Z")),
		FRESH);
	deliver(w, UPDATE("residents", "u1", "{\"first_name\":\"B\"}", "{\"first_name\":\"A\"}"),
		"other previous values");
	assert_int_equal(unannounced_after(w, "u1", 0), 0);
	/* a later change, and another record */
	assert_int_not_equal(unannounced_after(w, "u1", 300000), 0);
	deliver(w, UPDATE("residents", "u1", "{\"first_name\":\"B\"}", "{\"first_name\":\"A\"}"),
		"other previous values");
	assert_int_equal(unannounced_after(w, "u1", 0), 0);
	assert_int_not_equal(unannounced_after(w, "u2", 0), 0);
	deliver(w, UPDATE("residents", "u2", "{\"first_name\":\"B\"}", "{\"first_name\":\"A\"}"),
		"other previous values");
	assert_int_equal(unannounced_after(w, "u2", 0), 0);
}

static void joins_mark_the_parents_they_name(void **state)
{
	struct world *w = *state;

	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r6", "A", "2026-01-01T00:00:00Z")),
		FRESH);
	deliver(w,
		"{\"event\":\"DATA_NEW\",\"object\":\"residents-to-leases\",\"record_id\":\"j1\","
		"\"integration_id\":\"cly1\","
		"\"payload\":{\"id\":\"j1\",\"resident_id\":\"r6\",\"lease_id\":\"l6\"}}",
		"\"outcome\":\"queued\"");
	assert_true(marked(w, w->did, "r6"));
	assert_true(marked(w, w->leases, "l6"));
}

/* Whether some bytes are anywhere in the store's files, free pages and log included. */
static bool store_holds(const struct world *w, const char *text)
{
	char command[300];

	(void)snprintf(command, sizeof command, "cat '%s' '%s-wal' | grep -aqF '%s'", w->path,
		w->path, text);
	return system(command) == 0;
}

static void credentials_never_reach_the_store(void **state)
{
	static const char *const bodies[] = {
		UPDATE("integration-configuration-meta-data", "c1", "{\"value\":\"hunter2\"}",
			"{\"value\":\"hunter1\"}"),
		"{\"event\":\"DATA_NEW\",\"object\":\"integration_configuration_meta_data\","
		"\"record_id\":\"c1\",\"integration_id\":\"cly1\",\"payload\":{\"value\":"
		"\"hunter2\"}}",
		"{\"meta\":{\"object\":\"integration-configuration-meta-data\",\"integration_id\":"
		"\"cly1\"},\"record_id\":\"c1\",\"diff\":{\"new\":{\"value\":\"hunter2\"}}}",
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		deliver(w, bodies[i],
			"\"record_id\":\"c1\",\"outcome\":\"noted\",\"detail\":"
			"null,\"payload\":null}");
	assert_true(store_holds(w, "integration_configuration_meta_data"));
	assert_false(store_holds(w, "hunter"));
	deliver(w, UPDATE("residents", "r9", "{\"first_name\":\"not withheld\"}", "{}"), "queued");
	assert_true(store_holds(w, "not withheld"));
}

/* An update of a row carries what changed, and not whose it is. */
static void the_parents_of_a_row_are_remembered(void **state)
{
	struct world *w = *state;

	deliver(w,
		"{\"event\":\"DATA_NEW\",\"object\":\"residents-to-leases\",\"record_id\":\"j2\","
		"\"integration_id\":\"cly1\","
		"\"payload\":{\"resident_id\":\"r6\",\"lease_id\":\"l6\"}}",
		"\"outcome\":\"queued\"");
	(void)answer(w, w->did, px_ingest_epoch(w->in), RECORD("r6", "A", "2026-01-01T00:00:00Z"));
	(void)answer(
		w, w->leases, px_ingest_epoch(w->in), RECORD("l6", "A", "2026-01-01T00:00:00Z"));
	assert_false(marked(w, w->did, "r6") || marked(w, w->leases, "l6"));
	close_world(w);
	open_world(w);
	deliver(w,
		UPDATE("residents_to_leases", "j2", "{\"is_primary\":true}",
			"{\"is_primary\":false}"),
		"\"detail\":null");
	assert_true(marked(w, w->did, "r6"));
	assert_true(marked(w, w->leases, "l6"));
}

/* ---- what is owed ---- */

static void store_sql(struct world *w, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static bool owes_list(struct world *w, int64_t did)
{
	struct px_buf text = PX_BUF_INIT(64);
	char key[PX_META_KEY_MAX];
	bool owed;

	px_parents_key(did, key);
	owed = !px_reader_meta(w->reader, key, &text, NULL) && text.len;
	px_buf_release(&text);
	return owed;
}

/* The whole list of leases has been read by requests from this epoch on. */
static void list_read(struct world *w, int64_t epoch)
{
	struct px_page_job p;
	struct px_err err = {0};

	px_page_job_init(&p);
	p.states = calloc(1, sizeof *p.states);
	p.state_count = 1;
	ok(px_reader_dir(w->reader, w->leases, &p.states[0], &err), &err);
	p.whole_epoch = epoch;
	ok(px_ingest_run(w->in, &p.job, &err), &err);
	px_page_job_release(&p);
}

static void rows_of_unknown_parents_are_owed_until_a_list_from_after_them(void **state)
{
	struct world *w = *state;
	int64_t before = px_ingest_epoch(w->in);

	deliver(w,
		UPDATE("residents-to-leases", "j9", "{\"is_primary\":true}",
			"{\"is_primary\":false}"),
		"\"outcome\":\"queued\"");
	assert_true(owes_list(w, w->leases) && owes_list(w, w->did));
	close_world(w);
	open_world(w);
	assert_true(owes_list(w, w->leases));
	list_read(w, before);
	assert_true(owes_list(w, w->leases));
	list_read(w, px_ingest_epoch(w->in));
	assert_false(owes_list(w, w->leases));
	assert_true(owes_list(w, w->did));
}

/* One that ended the program three times is not tried again; what it was about is read. */
static void what_is_set_aside_is_read_again(void **state)
{
	struct world *w = *state;
	struct last all = {.count = 0};
	struct px_err err = {0};

	close_world(w);
	store_sql(w, "INSERT INTO inbox(received_ms,attempts,body) VALUES(1,3,"
		     "'{\"event\":\"DATA_UPDATE\",\"object\":\"residents-to-leases\",\"record_id\":"
		     "\"j8\",\"integration_id\":\"cly1\",\"diff\":{\"new\":{\"a\":1}}}'),(1,3,"
		     "'{\"event\":\"DATA_UPDATE\",\"object\":\"residents\",\"record_id\":\"r8\","
		     "\"integration_id\":\"cly1\",\"diff\":{\"new\":{\"a\":1}}}');"
		     "UPDATE counter SET value=2 WHERE name='inbox'");
	open_world(w);
	for (int tries = 0; tries < 500 && all.count < 2; tries++) {
		all.count = 0;
		ok(px_reader_events(w->reader, 0, keep, &all, &err), &err);
		(void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	assert_non_null(strstr(all.line, "\"outcome\":\"failed\""));
	assert_true(owes_list(w, w->leases));
	assert_true(marked(w, w->did, "r8"));
}

/* A page of a walk comes only behind the one before it. */
static void pages_are_stored_in_their_order(void **state)
{
	static const struct {
		const char *behind, *cursor;
		px_rc rc;
	} table[] = {
		{NULL, "{\"n\":1}", PX_OK},
		{"{\"n\":1}", "{\"n\":2}", PX_OK},
		{"{\"n\":1}", "{\"n\":3}", PX_EBUSY},
		{"{\"n\":3}", "{\"n\":4}", PX_EBUSY},
		{"{\"n\":2}", "{\"n\":5}", PX_OK},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct px_page_job p;
		struct px_err err = {0};

		px_page_job_init(&p);
		p.states = calloc(1, sizeof *p.states);
		p.state_count = 1;
		ok(px_reader_dir(w->reader, w->did, &p.states[0], &err), &err);
		free(p.states[0].cursor);
		p.states[0].cursor = strdup(table[i].cursor);
		p.behind = table[i].behind ? strdup(table[i].behind) : NULL;
		p.behind_did = w->did;
		assert_int_equal(px_ingest_run(w->in, &p.job, &err), table[i].rc);
		px_page_job_release(&p);
	}
}

/* ---- removal, restart, feed ---- */

static void a_removed_record_does_not_come_back_by_an_answer_from_before(void **state)
{
	struct world *w = *state;
	struct px_remove_job r;
	struct px_err err = {0};
	struct px_entry e;
	int64_t before;

	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r7", "A", "2026-01-01T00:00:00Z")),
		FRESH);
	px_remove_job_init(&r);
	r.did = w->did;
	r.id = (char *)"r7";
	r.sent_epoch = 1; /* asked before it was stored: no reason to remove it */
	ok(px_ingest_run(w->in, &r.job, &err), &err);
	assert_false(r.removed);
	before = px_ingest_epoch(w->in);
	r.sent_epoch = px_ingest_epoch(w->in);
	ok(px_ingest_run(w->in, &r.job, &err), &err);
	assert_true(r.removed);
	assert_int_equal(px_reader_lookup(w->reader, w->did, "r7.json", 7, &e, &err), PX_ENOENT);
	assert_int_equal(
		answer(w, w->did, before, RECORD("r7", "A", "2026-01-01T00:00:00Z")), DROPPED);
	assert_int_equal(px_reader_lookup(w->reader, w->did, "r7.json", 7, &e, &err), PX_ENOENT);
	assert_true(marked(w, w->did, "r7"));
	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r7", "A", "2026-01-01T00:00:00Z")),
		FRESH);
}

static void epochs_and_the_inbox_outlive_the_process(void **state)
{
	struct world *w = *state;
	int64_t epoch = px_ingest_epoch(w->in);

	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r8", "A", "2026-01-01T00:00:00Z")),
		FRESH);
	close_world(w);
	open_world(w);
	assert_true(px_ingest_epoch(w->in) > epoch);
	body_is(w, w->did, "r8.json", "\"A\"");
	deliver(w, UPDATE("residents", "r8", "{\"first_name\":\"B\"}", "{\"first_name\":\"A\"}"),
		"applied");
	body_is(w, w->did, "r8.json", "\"B\"");
}

static void changes_are_announced_after_their_commit(void **state)
{
	struct world *w = *state;
	struct px_changes *c;
	bool fresh = false, replaced = false, log = false;

	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r9", "A", "2026-01-01T00:00:00Z")),
		FRESH);
	assert_int_equal(answer(w, w->did, px_ingest_epoch(w->in),
				 RECORD("r9", "B", "2026-01-02T00:00:00Z")),
		REPLACED);
	deliver(w, UPDATE("residents", "r9", "{\"first_name\":\"C\"}", "{\"first_name\":\"B\"}"),
		"applied");
	while ((c = px_feed_take(w->feed, px_clock_mono_ms() + 200)) != NULL) {
		for (size_t i = 0; i < c->count; i++) {
			if (c->list[i].name && strcmp(c->list[i].name, "r9.json") != 0)
				continue;
			fresh |= c->list[i].kind == PX_CHANGE_NEW && c->list[i].did == w->did;
			replaced |= c->list[i].kind == PX_CHANGE_REPLACED &&
				    c->list[i].old_ino >= PX_INO_FIRST;
			log |= c->list[i].kind == PX_CHANGE_LOG;
		}
		px_changes_free(c);
	}
	assert_true(fresh);
	assert_true(replaced);
	assert_true(log);
}

/* ---- where events go ---- */

/* Lists cly1 and cly2; residents are switched on in cly1 or not. */
static void list_account(struct world *w, bool residents_on)
{
	struct px_account_job account;
	struct px_err err = {0};

	px_account_job_init(&account);
	account.entries = calloc(2, sizeof *account.entries);
	account.count = 2;
	for (int i = 0; i < 2; i++) {
		struct px_account_entry *e = &account.entries[i];

		e->integration = (struct px_integration){.id = strdup(i ? "cly2" : "cly1"),
			.name = strdup("Acme"),
			.active = true,
			.present = true};
		e->lay_out = true;
		for (int m = 0; m < PX_MODEL_COUNT; m++)
			e->enabled[m] = i || residents_on || m != px_model_by_dir("residents");
	}
	ok(px_ingest_run(w->in, &account.job, &err), &err);
	px_account_job_release(&account);
}

static void an_event_that_names_no_integration_goes_where_its_model_is(void **state)
{
	struct world *w = *state;
	struct px_integration other = {0};
	struct px_err err = {0};
	int64_t here = w->did;

	list_account(w, false);
	ok(px_reader_integration_by_id(w->reader, "cly2", &other, &err), &err);
	w->iid = other.iid;
	px_integration_release(&other);
	deliver(w,
		"{\"data\":{\"event\":\"DATA_NEW\",\"object\":\"residents\",\"record_id\":\"r7\","
		"\"payload\":{\"first_name\":\"A\"}}}",
		"queued");
	assert_false(marked(w, here, "r7"));
	assert_true(marked(w, dir_of(w, "residents"), "r7"));
}

static void an_event_that_names_no_integration_changes_the_record_that_it_is_about(void **state)
{
	struct world *w = *state;
	struct px_integration other = {0};
	struct px_err err = {0};
	int64_t did;

	list_account(w, true);
	ok(px_reader_integration_by_id(w->reader, "cly2", &other, &err), &err);
	w->iid = other.iid;
	px_integration_release(&other);
	did = dir_of(w, "residents");
	assert_int_equal(
		answer(w, did, px_ingest_epoch(w->in),
			"{\"id\":\"r8\",\"integration_id\":\"cly2\",\"first_name\":\"A\"}"),
		FRESH);
	deliver(w,
		"{\"data\":{\"event\":\"DATA_UPDATE\",\"object\":\"residents\","
		"\"record_id\":\"r8\",\"diff\":{\"new\":{\"first_name\":\"B\"},"
		"\"previous\":{\"first_name\":\"A\"}}}}",
		"\"outcome\":\"applied\"");
	body_is(w, did, "r8.json", "\"B\"");
}

static struct px_dir dir_row(struct world *w)
{
	struct px_dir d = {0};
	struct px_err err = {0};

	ok(px_reader_dir(w->reader, w->did, &d, &err), &err);
	return d;
}

static void what_is_switched_off_is_not_refused(void **state)
{
	struct world *w = *state;
	struct px_note_job n;
	struct px_err err = {0};
	struct px_dir d;

	px_note_job_init(&n);
	n.put_dir = true;
	n.dir = dir_row(w);
	n.dir.enabled = false;
	n.dir.error = strdup("403");
	ok(px_ingest_run(w->in, &n.job, &err), &err);
	px_note_job_release(&n);
	/* the list alone does not make it allowed */
	list_account(w, true);
	d = dir_row(w);
	assert_false(d.enabled);
	px_dir_release(&d);
	list_account(w, false);
	d = dir_row(w);
	assert_false(d.enabled);
	assert_null(d.error);
	px_dir_release(&d);
	list_account(w, true);
	d = dir_row(w);
	assert_true(d.enabled);
	px_dir_release(&d);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(an_answer_sent_before_the_last_apply_is_dropped),
		T(an_answer_that_deliveries_overtook_says_so),
		T(a_mark_outlives_answers_from_before_it),
		T(deliveries_by_their_diff),
		T(an_api_that_lags_behind_its_delivery_is_asked_again),
		T(a_copy_that_lags_does_not_undo_what_another_has_confirmed),
		T(back_at_a_former_state_and_later_is_believed_at_once),
		T(what_was_delivered_before_its_row_was_read_is_announced),
		T(joins_mark_the_parents_they_name),
		T(credentials_never_reach_the_store),
		T(the_parents_of_a_row_are_remembered),
		T(the_newest_last_seen_is_kept_without_a_version),
		T(news_of_a_stored_record_are_read_again_unless_they_are_none),
		T(rows_that_nothing_shows_are_in_the_log),
		T(rows_of_unknown_parents_are_owed_until_a_list_from_after_them),
		T(what_is_set_aside_is_read_again),
		T(pages_are_stored_in_their_order),
		T(a_removed_record_does_not_come_back_by_an_answer_from_before),
		T(epochs_and_the_inbox_outlive_the_process),
		T(changes_are_announced_after_their_commit),
		T(an_event_that_names_no_integration_goes_where_its_model_is),
		T(an_event_that_names_no_integration_changes_the_record_that_it_is_about),
		T(what_is_switched_off_is_not_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
