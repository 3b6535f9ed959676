/* SPDX-License-Identifier: MIT */
/*
 * test_status_watch.c - a moment as a screen and as lines, from texts written by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "propexofs/status.h"

#define NOW INT64_C(1795851400123) /* 2026-11-28T07:36:40.123Z */

static const char root_text[] =
	"{\"version\":\"9.9\",\"pid\":42,\"started_at\":\"2026-11-28T06:36:40.123Z\","
	"\"api\":{\"url\":\"https://api.example.com\",\"reachable\":%s,\"authorized\":true,"
	"\"last_error\":null,\"requests_per_minute\":{\"allowed\":100,\"used\":%d},\"offline\":"
	"false},"
	"\"webhooks\":{\"listening\":\"127.0.0.1:80\",\"received\":7,\"rejected\":1,\"pending\":0,"
	"\"last_received_at\":\"2026-11-28T07:36:37.123Z\"},"
	"\"store\":{\"path\":\"/s.db\",\"bytes\":2048,\"records\":3000,\"versions\":3001,\"error\":"
	"null},"
	"\"integrations\":[{\"id\":\"cly1\",\"name\":\"R\xc3\xa9sidences \\u001b[31m\",\"phase\":"
	"\"%s\",\"records\":3000,\"complete\":%s,"
	"\"oldest_pending_event_at\":\"2026-11-28T07:36:30.123Z\",\"error\":null}],"
	"\"integrations_known\":true,\"refreshed_at\":\"2026-11-28T07:36:28.123Z\"}";

static const char one_text[] =
	"{\"id\":\"cly1\",\"models\":{"
	"\"residents\":{\"phase\":\"filling\",\"complete\":false,\"records\":%d,\"expected\":4000,"
	"\"eta_seconds\":%d,\"pending\":0,\"error\":null},"
	"\"leases\":{\"phase\":\"current\",\"complete\":true,\"records\":1000,\"expected\":900,"
	"\"eta_seconds\":0,\"pending\":0,\"error\":null},"
	"\"units\":{\"phase\":\"filling\",\"complete\":false,\"records\":0,\"expected\":%d,"
	"\"eta_seconds\":null,\"pending\":0,\"error\":null},"
	"\"bills\":{\"phase\":\"disabled\",\"complete\":false,\"records\":0,\"expected\":null,"
	"\"eta_seconds\":null,\"pending\":0,\"error\":null},"
	"\"owners\":{\"phase\":\"error\",\"complete\":true,\"records\":5,\"expected\":5,"
	"\"eta_seconds\":0,\"pending\":12,\"error\":\"HTTP 500\"}}}";

static const char log_text[] =
	"t off\"}\n"
	"{\"seq\":1,\"time\":\"2026-11-28T07:36:31.000Z\",\"source\":\"local\",\"event\":\"FILL_"
	"STARTED\",\"model\":\"units\",\"record_id\":null,\"outcome\":\"noted\"}\n"
	"{\"seq\":2,\"time\":\"2026-11-28T07:36:32.000Z\",\"source\":\"webhook\",\"event\":\"DATA_"
	"NEW\",\"model\":\"leases\",\"record_id\":\"cly9\\u0007\",\"outcome\":\"queued\"}\n"
	"{\"seq\":3,\"time\":\"2026-1";

static char one[2048];

static px_rc read_one(void *arg, const char *id, struct px_buf *out, struct px_err *err)
{
	(void)arg;
	(void)err;
	assert_string_equal(id, "cly1");
	return px_buf_adds(out, one);
}

struct situation {
	const char *reachable, *phase, *complete;
	int used, records, eta, expected;
};

static struct px_moment moment(const struct situation *s, char root[4096])
{
	(void)snprintf(root, 4096, root_text, s->reachable, s->used, s->phase, s->complete);
	(void)snprintf(one, sizeof one, one_text, s->records, s->eta, s->expected);
	return (struct px_moment){
		.place = "/mnt/p",
		.status = root,
		.len = strlen(root),
		.read = read_one,
		.events = log_text,
		.events_len = sizeof log_text - 1,
		.now_ms = NOW,
	};
}

static const struct situation filling = {"true", "filling", "false", 50, 1000, 125, 3000};

static int lines_of(const struct px_buf *b)
{
	int n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->data[i] == '\n';
	return n;
}

static void assert_says(const struct px_buf *b, const char *text)
{
	if (!strstr(b->data, text))
		fail_msg("\"%s\" is not in\n%s", text, b->data);
}

static void a_screen(void **state)
{
	char root[4096];
	struct px_moment m = moment(&filling, root);
	PX_BUF_AUTO struct px_buf out = PX_BUF_INIT(1 << 20);

	(void)state;
	assert_int_equal(px_status_screen(&m, 30, &out, NULL), 0);
	assert_int_equal(lines_of(&out), 30);
	assert_null(strchr(out.data, '\x1b'));
	assert_null(strchr(out.data, '\x07'));
	assert_says(&out, "/mnt/p  pid 42  up 1 h 00 min  2026-11-28T07:36:40Z\n");
	assert_says(&out, "[##########..........] 50 of 100 requests this minute\n");
	assert_says(&out, "lag        refreshed 12 s ago, last delivery 3 s ago\n");
	assert_says(&out, "7 received, 1 rejected, 0 pending\n");
	/* 1000 + 1000 + 0 + 5 of 4000 + 1000 + 3000 + 5; the name counted in characters */
	assert_says(&out,
		"\nR\xc3\xa9sidences ?[31m                 filling      [#####...............]"
		"  25 %        2,005  2 min 05 s   10 s\n");
	assert_says(&out, "\n  residents                      filling      [#####");
	assert_says(&out, "12 due       HTTP 500\n");
	assert_null(strstr(out.data, "\n  leases "));
	assert_null(strstr(out.data, "  bills"));
	/* whole lines of the log alone, at the end */
	assert_says(
		&out, "LAST EVENTS\n2026-11-28T07:36:31.000Z local     FILL_STARTED         units");
	assert_null(strstr(out.data, "off\""));
	assert_true(!strcmp(out.data + out.len - 7, "queued\n"));
}

static void what_has_not_begun_is_counted(void **state)
{
	struct situation s = filling;
	char root[4096];
	struct px_moment m;
	PX_BUF_AUTO struct px_buf out = PX_BUF_INIT(1 << 20);

	(void)state;
	s.expected = -1;
	m = moment(&s, root);
	assert_int_equal(px_status_screen(&m, 30, &out, NULL), 0);
	assert_says(&out, "filling      1 of 4 models");
	assert_says(&out, "\n  1 model not begun\n");
}

static void every_height(void **state)
{
	char root[4096];
	struct px_moment m = moment(&filling, root);

	(void)state;
	for (int rows = -1; rows <= 60; rows++) {
		PX_BUF_AUTO struct px_buf out = PX_BUF_INIT(1 << 20);

		assert_int_equal(px_status_screen(&m, rows, &out, NULL), 0);
		assert_int_equal(lines_of(&out), rows < 1 ? 1 : rows);
		if (rows >= 2 && rows < 11)
			assert_says(&out, "more lines\n");
	}
}

static px_rc changes(
	const struct situation *s, struct px_buf *state, struct px_buf *out, struct px_err *err)
{
	char root[4096];
	struct px_moment m = moment(s, root);

	px_buf_reset(out);
	return px_status_changes(&m, state, out, err);
}

static void lines_for_what_changed(void **state)
{
	PX_BUF_AUTO struct px_buf known = PX_BUF_INIT(1 << 20);
	PX_BUF_AUTO struct px_buf out = PX_BUF_INIT(1 << 20);
	struct situation s = filling;

	(void)state;
	assert_int_equal(changes(&s, &known, &out, NULL), 0);
	assert_int_equal(lines_of(&out), 2);
	assert_says(&out, "2026-11-28T07:36:40Z api https://api.example.com: reachable\n");
	assert_says(&out,
		"2026-11-28T07:36:40Z R\xc3\xa9sidences ?[31m (cly1): filling, 2005 records, 25 %, "
		"1 of 4 models, 2 min 05 s left, 12 to be read again\n");
	/* allowance, ETA and a few records are no change */
	s.used = 60;
	s.eta = 60;
	s.records = 1001;
	assert_int_equal(changes(&s, &known, &out, NULL), 0);
	assert_int_equal(out.len, 0);
	s.records = 1200;
	assert_int_equal(changes(&s, &known, &out, NULL), 0);
	assert_int_equal(lines_of(&out), 1);
	assert_says(&out, "27 %");
	s.reachable = "false";
	assert_int_equal(changes(&s, &known, &out, NULL), 0);
	assert_int_equal(lines_of(&out), 1);
	assert_says(&out, "OUT OF REACH");
	s.phase = "current";
	s.complete = "true";
	assert_int_equal(changes(&s, &known, &out, NULL), 0);
	assert_int_equal(lines_of(&out), 1);
	assert_says(&out, "): current, 2205 records, 12 to be read again\n");
	/* complete: each record counts */
	s.records++;
	assert_int_equal(changes(&s, &known, &out, NULL), 0);
	assert_int_equal(lines_of(&out), 1);
	assert_int_equal(changes(&s, &known, &out, NULL), 0);
	assert_int_equal(out.len, 0);
}

static void what_is_no_status_is_refused(void **state)
{
	struct px_moment m = {.place = "", .status = "{", .len = 1, .read = read_one, .events = ""};
	PX_BUF_AUTO struct px_buf known = PX_BUF_INIT(1 << 20);
	PX_BUF_AUTO struct px_buf out = PX_BUF_INIT(1 << 20);
	struct px_err err = {0};
	char root[4096];

	(void)state;
	assert_int_equal(px_status_screen(&m, 10, &out, &err), PX_ESYNTAX);
	assert_int_equal(px_status_changes(&m, &known, &out, &err), PX_ESYNTAX);
	m = moment(&filling, root);
	(void)snprintf(one, sizeof one, "[");
	assert_int_equal(px_status_screen(&m, 10, &out, &err), PX_ESYNTAX);
	assert_int_equal(px_status_changes(&m, &known, &out, &err), PX_ESYNTAX);
	assert_non_null(strstr(err.msg, "integration cly1"));
	assert_int_equal(known.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_screen),
		cmocka_unit_test(what_has_not_begun_is_counted),
		cmocka_unit_test(every_height),
		cmocka_unit_test(lines_for_what_changed),
		cmocka_unit_test(what_is_no_status_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
