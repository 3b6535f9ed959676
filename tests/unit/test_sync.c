/* SPDX-License-Identifier: MIT */
/* test_sync.c - one pass over an account of one model, against a server in this process that can be
 * awkward. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <microhttpd.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "propexofs/clock.h"
#include "propexofs/log.h"
#include "propexofs/store_read.h"
#include "propexofs/sync.h"

/* ---- the server ---- */

static struct server {
	struct MHD_Daemon *daemon;
	int port;
	_Atomic int records, total;	/* total -1: as many as there are, -2: not told */
	_Atomic int gone;		/* so many of the first vanish behind the first page */
	_Atomic int diffs;		/* rows of data diffs, an hour apart; -1: refused */
	_Atomic bool bare;		/* meta holds orderBy, and nothing else */
	_Atomic int unordered;		/* pages asked for in no order, or one that has ties */
	_Atomic int gets;		/* records asked for by id */
	_Atomic int broken;		/* this record is no object; -1 none */
	_Atomic int failures;		/* so many list requests are answered 500 */
	_Atomic int refuse;		/* the status of the list of integrations, 0: 200 */
	_Atomic int lists;		/* pages of records asked for */
	_Atomic int mended_at;		/* nothing is broken from this page on; 0: never */
	_Atomic int void_from, void_to; /* these pages show nothing, as to another account's key */
} server;

static long number(struct MHD_Connection *c, const char *name, long fallback)
{
	const char *v = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);

	return v ? strtol(v, NULL, 10) : fallback;
}

static void residents(struct MHD_Connection *c, struct px_buf *out)
{
	long offset = number(c, "offset", 0), limit = number(c, "limit", 100);
	const char *order = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "order-by");
	int page = ++server.lists, gone = page > 1 ? server.gone : 0;
	int all = page >= server.void_from && page < server.void_to ? 0 : server.records;
	int records = all - gone, total = server.total < 0 ? records : server.total;
	int broken = server.mended_at && page >= server.mended_at ? -1 : server.broken;

	server.unordered += !order || !strstr(order, ",id:");
	if (server.bare)
		px_buf_adds(out, "{\"meta\":{\"orderBy\":[]");
	else
		px_buf_addf(out, "{\"meta\":{\"offset\":%ld,\"limit\":%ld,\"hasMore\":%s", offset,
			limit, offset + limit < records ? "true" : "false");
	if (server.total != -2 && !server.bare)
		px_buf_addf(out, ",\"total\":%d", total);
	px_buf_adds(out, "},\"results\":[");
	for (long i = offset + gone; i < offset + limit + gone && i < all; i++) {
		px_buf_adds(out, i == offset + gone ? "" : ",");
		if (i == broken)
			px_buf_adds(out, "42");
		else
			px_buf_addf(out,
				"{\"id\":\"r%06ld\",\"created_at\":\"2026-01-01T00:00:00Z\","
				"\"updated_at\":\"2026-01-02T00:00:00Z\","
				"\"integration_id\":\"cly1\",\"n\":%ld}",
				i, i);
	}
	px_buf_adds(out, "]}");
}

/* Row n is of resident n, written at n o'clock. */
static void data_diffs(struct MHD_Connection *c, struct px_buf *out)
{
	const char *after = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "after");
	bool any = false;

	px_buf_adds(out, "{\"meta\":{\"hasMore\":false},\"results\":[");
	for (int n = 0; n < server.diffs; n++) {
		char at[32];

		(void)snprintf(at, sizeof at, "2026-12-01T%02d:00:00.000Z", n);
		if (after && strcmp(at, after) < 0)
			continue;
		px_buf_addf(out,
			"%s{\"id\":\"d%d\",\"model\":\"residents\",\"model_record_id\":\"r%06d\","
			"\"event_type\":\"UPDATE\",\"integration_id\":\"cly1\",\"created_at\":\"%"
			"s\","
			"\"data_diff\":{\"new\":{\"n\":-1},\"previous\":{\"n\":-2}}}",
			any ? "," : "", n, n, at);
		any = true;
	}
	px_buf_adds(out, "]}");
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **seen)
{
	struct px_buf out = PX_BUF_INIT(8 << 20);
	struct MHD_Response *r;
	unsigned status = 200;
	size_t len;
	char *text;
	enum MHD_Result ret;

	(void)cls;
	(void)version;
	(void)data;
	(void)size;
	if (!*seen) {
		*seen = seen;
		return MHD_YES;
	}
	if (strcmp(method, "GET") != 0) {
		status = 405;
	} else if (!strcmp(url, "/v1/admin/integrations/")) {
		if (server.refuse)
			status = (unsigned)server.refuse;
		px_buf_adds(&out, "{\"meta\":{\"hasMore\":false,\"total\":1},\"results\":[{\"id\":"
				  "\"cly1\",\"name\":\"Acme\",\"vendor\":\"YARDI\",\"active\":true,"
				  "\"system\":\"PRODUCTION\",\"created_at\":\"2025-01-01T00:00:"
				  "00Z\",\"last_completed_sync\":\"2026-01-01T00:00:00.000Z\","
				  "\"models\":{\"residents\":true}}]}");
	} else if (!strcmp(url, "/v1/residents/")) {
		if (server.failures > 0) {
			server.failures--;
			status = 500;
		}
		residents(c, &out);
	} else if (!strncmp(url, "/v1/residents/", 14)) {
		server.gets++;
		px_buf_addf(&out,
			"{\"meta\":{},\"results\":{\"id\":\"%s\",\"integration_id\":\"cly1\","
			"\"updated_at\":\"2026-12-02T00:00:00Z\",\"n\":-1}}",
			url + 14);
	} else if (!strcmp(url, "/v1/admin/data-diffs/")) {
		if (server.diffs < 0)
			status = 403;
		data_diffs(c, &out);
	} else {
		px_buf_adds(&out, "{\"meta\":{\"hasMore\":false,\"total\":0},\"results\":[]}");
	}
	text = px_buf_steal(&out, &len);
	r = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	ret = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return ret;
}

static char clock_file[64];

static int start_server(void **state)
{
	const union MHD_DaemonInfo *info;

	(void)state;
	px_log_set_level(PX_LOG_ERROR + (getenv("VERBOSE") ? 2 : 0));
	/* so that nobody waits long for what is tried again */
	(void)snprintf(clock_file, sizeof clock_file, "/tmp/px-sync-clock-%d", (int)getpid());
	if (px_clock_test_write(clock_file, INT64_C(1796083200) * 1000000000, 20000) ||
		setenv("PROPEXOFS_TEST_CLOCK", clock_file, 1))
		return -1;
	px_clock_setup();
	server.daemon = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, handle, NULL, MHD_OPTION_END);
	if (!server.daemon)
		return -1;
	info = MHD_get_daemon_info(server.daemon, MHD_DAEMON_INFO_BIND_PORT);
	server.port = info->port;
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	MHD_stop_daemon(server.daemon);
	return unlink(clock_file);
}

/* ---- one pass ---- */

struct world {
	char dir[64], path[96], url[64];
	char *models[1];
	struct px_conf conf;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	(void)snprintf(w->dir, sizeof w->dir, "/tmp/px-sync-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	(void)snprintf(w->path, sizeof w->path, "%s/s.db", w->dir);
	(void)snprintf(w->url, sizeof w->url, "http://127.0.0.1:%d", server.port);
	w->models[0] = (char *)"residents";
	w->conf = (struct px_conf){.store = w->path,
		.api_url = w->url,
		.key = {.text = (char *)"k", .len = 1},
		.models = {.list = w->models, .count = 1},
		.connections = 4,
		.rate_share = 100,
		.history_days = 7,
		.refresh_s = 300,
		.sweep_days = 7};
	server.records = 600;
	server.total = server.broken = -1;
	server.failures = server.refuse = server.lists = 0;
	server.mended_at = server.void_from = server.void_to = 0;
	server.gone = server.diffs = server.gets = server.unordered = 0;
	server.bare = false;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	char command[128];

	(void)snprintf(command, sizeof command, "rm -rf %s", w->dir);
	free(w);
	return system(command);
}

static _Atomic bool stop;
static int64_t stop_at;

static void watch(void *arg, const struct px_sync_progress *p)
{
	(void)arg;
	if (stop_at && p->done >= stop_at)
		stop = true;
}

/* stop_after > 0: ends as soon as so many records are known to be stored. */
static px_rc pass(struct world *w, int64_t stop_after, bool *ret_complete, struct px_err *err)
{
	struct px_board *board = px_board_new();
	struct px_ingest *in = NULL;
	struct px_sync *s = NULL;
	px_rc rc;

	stop = false;
	stop_at = stop_after;
	*ret_complete = false;
	px_board_set_conf(board, &w->conf);
	rc = px_ingest_new(
		&(struct px_ingest_options){
			.store = w->path, .api_url = w->url, .history_days = 7, .board = board},
		&in, err);
	if (!rc)
		rc = px_ingest_start(in, err);
	if (!rc)
		rc = px_sync_new(&w->conf, in, board, &s, err);
	if (!rc)
		rc = px_sync_once(s, watch, NULL, &stop, ret_complete, err);
	if (in)
		px_ingest_stop(in);
	px_sync_free(s);
	px_ingest_free(in);
	px_board_free(board);
	return rc;
}

static struct px_dir look(struct world *w)
{
	struct px_reader *r = NULL;
	struct px_integration i = {0};
	struct px_dir d = {0};
	struct px_err err;

	assert_int_equal(px_reader_open(w->path, &r, &err), PX_OK);
	assert_int_equal(px_reader_integration_by_id(r, "cly1", &i, &err), PX_OK);
	assert_int_equal(px_reader_dir_by_name(r, i.iid, "residents", &d, &err), PX_OK);
	px_integration_release(&i);
	px_reader_close(r);
	return d;
}

static void a_list_is_read_to_its_end(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	struct px_dir d;
	bool complete;

	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_true(complete);
	d = look(w);
	assert_true(d.complete);
	assert_int_equal(d.records, 600);
	assert_string_equal(d.watermark, "2026-01-02T00:00:00Z");
	assert_null(d.error);
	assert_true(server.lists <= 5);
	assert_int_equal(server.unordered, 0);
	px_dir_release(&d);
	/* and not again */
	server.lists = 0;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_true(complete);
	assert_int_equal(server.lists, 0);
}

static void a_list_that_tells_nothing_of_itself_is_read_to_its_end(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	struct px_dir d;
	bool complete;

	server.bare = true;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_true(complete);
	d = look(w);
	assert_int_equal(d.records, 600);
	px_dir_release(&d);
}

static void an_empty_list_is_complete(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	struct px_dir d;
	bool complete;

	server.records = 0;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_true(complete);
	d = look(w);
	assert_true(d.complete);
	assert_int_equal(d.records, 0);
	px_dir_release(&d);
}

static void a_record_that_breaks_its_page_is_left_out(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	struct px_dir d;
	bool complete;

	server.broken = 333;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	d = look(w);
	assert_int_equal(d.records, 599);
	assert_non_null(d.error);
	assert_non_null(strstr(d.error, "1 record could not be read"));
	px_dir_release(&d);
}

static void a_record_that_was_broken_for_a_while_is_not_left_out(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	struct px_dir d;
	bool complete;

	server.broken = 0;
	server.records = 1;
	server.mended_at = 10; /* halves of 250 down to one record, and once more */
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	d = look(w);
	assert_int_equal(d.records, 1);
	assert_null(d.error);
	px_dir_release(&d);
}

static void a_list_that_shows_nothing_for_a_while_is_not_believed(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	struct px_dir d;
	bool complete;

	/* the first page is good, the next ones are those of a key that sees nothing */
	server.void_from = 2;
	server.void_to = 6;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_true(complete);
	d = look(w);
	assert_int_equal(d.records, 600);
	px_dir_release(&d);
}

static void a_list_that_has_become_empty_is_believed_in_the_end(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	struct px_dir d;
	bool complete;

	server.records = 5000;
	assert_int_equal(pass(w, 1000, &complete, &err), PX_ECANCELED);
	server.records = 0;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_true(complete);
	d = look(w);
	assert_true(d.complete);
	px_dir_release(&d);
}

static void a_count_that_does_not_come_out_is_walked_again_and_said(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	struct px_dir d;
	bool complete;

	server.records = 100;
	server.total = 101;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	d = look(w);
	assert_int_equal(d.records, 100);
	assert_non_null(d.error);
	assert_true(server.lists >= 3);
	px_dir_release(&d);
}

static void errors_pass(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	struct px_dir d;
	bool complete;

	server.failures = 2;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_true(complete);
	d = look(w);
	assert_int_equal(d.records, 600);
	px_dir_release(&d);
}

static void a_stopped_fill_goes_on_where_it_was(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	struct px_dir d;
	bool complete;

	server.records = 5000;
	assert_int_equal(pass(w, 1000, &complete, &err), PX_ECANCELED);
	d = look(w);
	assert_false(d.complete);
	assert_true(d.records >= 1000 && d.records < 5000);
	px_dir_release(&d);
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_true(complete);
	d = look(w);
	assert_int_equal(d.records, 5000);
	px_dir_release(&d);
	/* 20 pages, and what was in flight when it stopped */
	assert_true(server.lists <= 20 + 10);
}

static void without_the_list_of_integrations_nothing_is_known(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	bool complete;

	server.refuse = 401;
	assert_int_equal(pass(w, 0, &complete, &err), PX_EAUTH);
	assert_non_null(strstr(err.msg, "list of integrations"));
	assert_false(complete);
}

/* A write that fails in the middle is what a full disk is. */
static void store_sql(struct world *w, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static const char refuse_one[] =
	"CREATE TRIGGER refuse BEFORE INSERT ON record WHEN NEW.id='r000300' "
	"BEGIN SELECT RAISE(ABORT,'no room'); END";

/* Without a total nothing else would tell that a page is missing. */
static void a_page_that_is_not_stored_is_read_again(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	struct px_dir d;
	bool complete;

	server.records = 1500;
	server.total = -2;
	server.refuse = 401;
	(void)pass(w, 0, &complete, &err);
	server.refuse = 0;
	store_sql(w, refuse_one);
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_false(complete);
	d = look(w);
	assert_false(d.complete);
	assert_true(d.records < 300);
	px_dir_release(&d);
	store_sql(w, "DROP TRIGGER refuse");
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_true(complete);
	d = look(w);
	assert_int_equal(d.records, 1500);
	px_dir_release(&d);
}

/* The same with several pages on their way to the store at a time. */
static void pages_behind_one_that_is_not_stored_are_not_either(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	struct px_dir d;
	bool complete;

	server.records = 3000;
	server.refuse = 401;
	(void)pass(w, 0, &complete, &err);
	server.refuse = 0;
	store_sql(w, refuse_one);
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	d = look(w);
	assert_false(d.complete);
	assert_true(d.records < 300);
	px_dir_release(&d);
}

/* The last page begins where the list ends since two of the first have vanished. */
static void a_list_that_becomes_shorter_loses_nothing(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	struct px_dir d;
	bool complete;

	server.records = 251;
	server.gone = 2;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_true(complete);
	d = look(w);
	assert_int_equal(d.records, 251);
	px_dir_release(&d);
}

/* Later ones in the same page are not taken for a sign that it has been stored. */
static void data_diffs_that_are_not_stored_are_read_again(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	bool complete;

	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	server.diffs = 3;
	store_sql(w, "CREATE TRIGGER refuse BEFORE INSERT ON pending BEGIN SELECT "
		     "RAISE(ABORT,'no room'); END");
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_int_equal(server.gets, 0);
	store_sql(w, "DROP TRIGGER refuse");
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_int_equal(server.gets, 3);
	/* and not again */
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_int_equal(server.gets, 3);
}

/* Nobody tells what has changed: all of it is read, in place; and not what is being filled. */
static void without_data_diffs_all_is_read_again_at_start(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	bool complete;

	server.diffs = -1;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_true(complete);
	assert_true(server.lists <= 5);
	server.lists = 0;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_true(complete);
	assert_in_range(server.lists, 3, 5);
}

/* The log is kept for a month: who was away for longer has missed some of it. Also when the reading
 * is interrupted. */
static void after_29_days_all_is_read_again(void **state)
{
	struct world *w = *state;
	struct px_err err = {0};
	int64_t now = px_clock_wall_ns();
	bool complete;

	server.records = 3000;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	server.lists = 0;
	assert_int_equal(
		px_clock_test_write(clock_file, now + INT64_C(28) * 86400 * 1000000000, 20000), 0);
	w->conf.sweep_days = 0;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_int_equal(server.lists, 0);
	assert_int_equal(
		px_clock_test_write(clock_file, now + INT64_C(58) * 86400 * 1000000000, 20000), 0);
	assert_int_equal(pass(w, 500, &complete, &err), PX_ECANCELED);
	assert_true(server.lists < 13);
	server.lists = 0;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_true(complete);
	assert_in_range(server.lists, 3, 13);
	server.lists = 0;
	assert_int_equal(pass(w, 0, &complete, &err), PX_OK);
	assert_int_equal(server.lists, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_list_is_read_to_its_end),
		T(a_list_that_tells_nothing_of_itself_is_read_to_its_end),
		T(an_empty_list_is_complete),
		T(a_record_that_breaks_its_page_is_left_out),
		T(a_count_that_does_not_come_out_is_walked_again_and_said),
		T(a_record_that_was_broken_for_a_while_is_not_left_out),
		T(a_list_that_shows_nothing_for_a_while_is_not_believed),
		T(a_list_that_has_become_empty_is_believed_in_the_end),
		T(errors_pass),
		T(a_stopped_fill_goes_on_where_it_was),
		T(without_the_list_of_integrations_nothing_is_known),
		T(a_page_that_is_not_stored_is_read_again),
		T(pages_behind_one_that_is_not_stored_are_not_either),
		T(a_list_that_becomes_shorter_loses_nothing),
		T(data_diffs_that_are_not_stored_are_read_again),
		T(without_data_diffs_all_is_read_again_at_start),
		T(after_29_days_all_is_read_again),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
