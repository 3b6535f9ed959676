/* SPDX-License-Identifier: MIT */
/* test_codec_page.c - the envelopes of API answers and the wrappings of deliveries (API reference
 * §3, §7, §11, §13.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "propexofs/codec.h"

static void envelopes(void **state)
{
	static const struct {
		const char *body;
		px_rc rc;
		size_t count;
		int64_t total;
		int more;
		bool single;
	} rows[] = {
		{"{\"meta\":{\"orderBy\":[],\"hasMore\":true,\"total\":17},\"results\":[{},{}]}", 0,
			2, 17, 1, false},
		{"{\"meta\":{\"orderBy\":[]},\"results\":{\"id\":\"a\"}}", 0, 1, -1, -1, true},
		{"{\"meta\":{\"hasMore\":null},\"results\":[]}", 0, 0, -1, -1, false},
		{"{\"meta\":{},\"results\":null}", 0, 0, -1, -1, false},
		{"{\"meta\":{\"orderBy\":[]}}", 0, 0, -1, -1, false},
		{"{\"result\":{\"id\":\"w\"}}", 0, 1, -1, -1, true},
		{"[{\"id\":\"a\"},{}]", 0, 2, -1, -1, false},
		{"{\"results\":\"text\"}", PX_ESYNTAX, 0, 0, 0, false},
		{"{\"results\":[1]}", PX_ESYNTAX, 0, 0, 0, false},
		{"{\"results\":[{},null]}", PX_ESYNTAX, 0, 0, 0, false},
		{"{}", PX_ESYNTAX, 0, 0, 0, false},
		{"\"x\"", PX_ESYNTAX, 0, 0, 0, false},
		{"<html>", PX_ESYNTAX, 0, 0, 0, false},
		{"", PX_ESYNTAX, 0, 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct px_page p = {0};

		assert_int_equal(
			px_page_parse(rows[i].body, strlen(rows[i].body), &p, NULL), rows[i].rc);
		if (rows[i].rc)
			continue;
		assert_int_equal(p.count, rows[i].count);
		assert_int_equal(p.total, rows[i].total);
		assert_int_equal(p.has_more, rows[i].more);
		assert_int_equal(p.single, rows[i].single);
		px_page_release(&p);
	}
}

static void error_bodies(void **state)
{
	static const struct {
		const char *body, *msg;
	} rows[] = {{"{\"error\":{\"code\":\"bad\",\"message\":\"no\\nsuch\"}}", "bad: no such"},
		{"<html>oops</html>", ""}, {"{\"error\":\"x\"}", ""},
		{"{\"error\":{\"code\":\"alone\"}}", "alone"}};
	char msg[40];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		px_error_body(rows[i].body, strlen(rows[i].body), msg, sizeof msg);
		assert_string_equal(msg, rows[i].msg);
	}
}

static void wrappings(void **state)
{
	static const struct {
		const char *body;
		enum px_event_kind kind;
		const char *object, *integration, *record, *fresh;
	} rows[] = {
		{"{\"trigger\":\"DATA_UPDATE\",\"data\":{\"event\":\"DATA_UPDATE\",\"object\":"
		 "\"service-requests\",\"record_id\":\"cmS1\","
		 "\"integration_id\":\"cmI1\",\"diff\":{\"new\":{\"notes\":\"done\"},\"previous\":{"
		 "\"notes\":null}},\"context\":{}},"
		 "\"meta\":{\"object\":\"service-requests\",\"integration_id\":\"cmI1\"}}",
			PX_EVENT_DATA_UPDATE, "service_requests", "cmI1", "cmS1",
			"{\"notes\":\"done\"}"},
		{"{\"data\":{\"event\":\"DATA_UPDATE\",\"object\":\"residents\",\"record_id\":"
		 "\"cmA1\",\"diff\":{\"new\":{\"first_name\":\"Ida\"},"
		 "\"previous\":{\"first_name\":\"Eda\"}}}}",
			PX_EVENT_DATA_UPDATE, "residents", NULL, "cmA1",
			"{\"first_name\":\"Ida\"}"},
		{"{\"event\":\"DATA_UPDATE\",\"object\":\"leads\",\"record_id\":\"cmD1\","
		 "\"integration_id\":\"cmI1\",\"diff\":{\"new\":{\"country\":\"US\"},"
		 "\"previous\":{\"country\":null}},\"meta\":{\"object\":\"leads\",\"integration_"
		 "id\":\"cmI1\"}}",
			PX_EVENT_DATA_UPDATE, "leads", "cmI1", "cmD1", "{\"country\":\"US\"}"},
		{"{\"meta\":{\"object\":\"leases\",\"integration_id\":\"cmI1\"},\"record_id\":"
		 "\"cmL1\",\"diff\":{\"previous\":{\"status\":\"pending\"},"
		 "\"new\":{\"status\":\"approved\"}}}",
			PX_EVENT_DATA_UPDATE, "leases", "cmI1", "cmL1",
			"{\"status\":\"approved\"}"},
		{"{\"trigger\":\"DATA_NEW\",\"data\":{\"object\":\"residents-to-leases\",\"record_"
		 "id\":\"cmR2\",\"payload\":{\"resident_id\":\"cmA1\"}},"
		 "\"meta\":{\"integration_id\":\"cmI1\"}}",
			PX_EVENT_DATA_NEW, "residents_to_leases", "cmI1", "cmR2", NULL},
		{"{\"object\":\"events\",\"record_id\":\"cmR1\",\"payload\":{}}", PX_EVENT_DATA_NEW,
			"events", NULL, "cmR1", NULL},
		{"{\"event\":\"SYNC_COMPLETE\",\"integration_id\":\"cmI1\",\"is_backsync\":true}",
			PX_EVENT_SYNC_COMPLETE, NULL, "cmI1", NULL, NULL},
		{"{\"trigger\":\"FIRST_SYNC_COMPLETE\",\"data\":{\"integration_id\":\"cmI1\"}}",
			PX_EVENT_FIRST_SYNC_COMPLETE, NULL, "cmI1", NULL, NULL},
		{"{\"event\":\"PING\",\"hello\":1}", PX_EVENT_UNKNOWN, NULL, NULL, NULL, NULL},
	};
	static const char *const bad[] = {"[]", "1", "{}",
		"{\"data\":{\"results\":[{\"previous\":{},\"new\":{}}]}}",
		"{\"event\":\"DATA_NEW\"}", "{\"event\":\"DATA_UPDATE\",\"object\":\"leads\"}",
		"not json"};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct px_event e = {0};

		assert_int_equal(px_event_parse(rows[i].body, strlen(rows[i].body), &e, NULL), 0);
		assert_int_equal(e.kind, rows[i].kind);
		assert_string_equal(
			e.object ? e.object : "-", rows[i].object ? rows[i].object : "-");
		assert_string_equal(e.integration_id ? e.integration_id : "-",
			rows[i].integration ? rows[i].integration : "-");
		assert_string_equal(
			e.record_id ? e.record_id : "-", rows[i].record ? rows[i].record : "-");
		if (rows[i].fresh)
			assert_memory_equal(e.diff_new.p, rows[i].fresh, e.diff_new.len);
		assert_int_equal(e.is_backsync, e.kind == PX_EVENT_SYNC_COMPLETE);
		assert_true(e.is_sync_finished);
		px_event_release(&e);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct px_event e = {0};

		assert_int_equal(px_event_parse(bad[i], strlen(bad[i]), &e, NULL), PX_ESYNTAX);
	}
}

static void data_diffs(void **state)
{
	static const char update[] = "{\"id\":\"d\",\"model\":\"units\",\"model_record_id\":\"u\","
				     "\"event_type\":\"UPDATE\",\"data_diff\":{\"new\":{\"a\":1},"
				     "\"previous\":{\"a\":2}},\"integration_id\":\"i\"}";
	static const char fresh[] = "{\"model\":\"unit-details\",\"model_record_id\":\"u\",\"event_"
				    "type\":\"NEW\",\"data_diff\":{\"a\":1}}";
	struct px_event e = {0};

	(void)state;
	assert_int_equal(
		px_event_from_diff((struct px_span){update, sizeof update - 1}, &e, NULL), 0);
	assert_int_equal(e.kind, PX_EVENT_DATA_UPDATE);
	assert_memory_equal(e.diff_previous.p, "{\"a\":2}", 7);
	px_event_release(&e);
	assert_int_equal(
		px_event_from_diff((struct px_span){fresh, sizeof fresh - 1}, &e, NULL), 0);
	assert_int_equal(e.kind, PX_EVENT_DATA_NEW);
	assert_string_equal(e.object, "unit_details");
	assert_memory_equal(e.payload.p, "{\"a\":1}", 7);
	px_event_release(&e);
	assert_int_equal(px_event_from_diff((struct px_span){"{}", 2}, &e, NULL), PX_ESYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(envelopes),
		cmocka_unit_test(error_bodies),
		cmocka_unit_test(wrappings),
		cmocka_unit_test(data_diffs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
