/* SPDX-License-Identifier: MIT */
/*
 * test_codec_event.c - deliveries in every wrapping, and rows of the server's diff log (API
 * reference §13.4 and §11).
 *
 * The documented examples are files, copied from there.
 */
#include "test_codec_util.h"

struct want {
	enum px_event_kind kind;
	const char *event, *object, *integration, *record, *vendor;
	const char *payload, *fresh, *previous, *synced;
	bool backsync, unfinished;
};

static void assert_event(const struct px_event *e, const struct want *w)
{
	assert_int_equal(e->kind, w->kind);
	assert_string_equal(e->event, w->event);
	assert_text(e->object, w->object);
	assert_text(e->integration_id, w->integration);
	assert_text(e->record_id, w->record);
	assert_text(e->vendor, w->vendor);
	assert_span(e->payload, w->payload);
	assert_span(e->diff_new, w->fresh);
	assert_span(e->diff_previous, w->previous);
	assert_span(e->models_synced, w->synced);
	assert_int_equal(e->is_backsync, w->backsync);
	assert_int_equal(e->is_sync_finished, !w->unfinished);
}

/* ---- as documented ---------------------------------------------------------------------------*/

static const struct {
	const char *file;
	struct want want;
} documented[] = {
	{"delivery_data_new_flat.json",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "events", "cmI1", "cmR1", "ENTRATA",
			.payload = "{\"created_at\":\"2026-01-05T04:10:00.000Z\",\"event_name\":"
				   "\"Tour\",\"notes\":null}"}},
	{"delivery_data_new_envelope.json",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "residents_to_leases", "cmI1", "cmR2", "RESMAN",
			.payload = "{\"resident_id\":\"cmA1\",\"lease_id\":\"cmL1\"}"}},
	{"delivery_data_update_envelope.json",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "service_requests", "cmI1", "cmS1", "YARDI",
			.fresh = "{\"notes\":\"done\",\"last_seen\":\"2026-01-05T04:10:00.000Z\"}",
			.previous = "{\"notes\":null,\"last_seen\":\"2026-01-04T16:10:00.000Z\"}"}},
	{"delivery_data_update_flat.json",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "leads", "cmI1", "cmD1", "REALPAGE_RPX",
			.fresh = "{\"country\":\"US\"}", .previous = "{\"country\":null}"}},
	{"delivery_data_update_data_only.json",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "residents", NULL, "cmA1", NULL,
			.fresh = "{\"first_name\":\"Ida\"}",
			.previous = "{\"first_name\":\"Eda\"}"}},
	{"delivery_data_update_minimal.json",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "leases", "cmI1", "cmL1", NULL,
			.fresh = "{\"status\":\"approved\"}",
			.previous = "{\"status\":\"pending\"}"}},
	{"delivery_sync_complete_envelope.json",
		{PX_EVENT_SYNC_COMPLETE, "SYNC_COMPLETE", NULL, "cmI1", NULL, "ENTRATA",
			.synced = "[\"leases\",\"residents\"]", .backsync = true}},
	{"delivery_sync_complete_flat.json",
		{PX_EVENT_SYNC_COMPLETE, "SYNC_COMPLETE", NULL, "cmI1", NULL, "ENTRATA"}},
	{"delivery_first_sync_envelope.json", {PX_EVENT_FIRST_SYNC_COMPLETE, "FIRST_SYNC_COMPLETE",
						      NULL, "cmI1", NULL, "PROPERTYWARE"}},
	{"delivery_first_sync_flat.json", {PX_EVENT_FIRST_SYNC_COMPLETE, "FIRST_SYNC_COMPLETE",
						  NULL, "cmI1", NULL, "PROPERTYWARE"}},
	{"delivery_job_failure_envelope.json",
		{PX_EVENT_JOB_FAILURE, "JOB_FAILURE", NULL, "cmI1", NULL, "RESMAN"}},
	{"delivery_job_failure_flat.json",
		{PX_EVENT_JOB_FAILURE, "JOB_FAILURE", NULL, "cmI1", NULL, "RESMAN"}},
	{"delivery_write_failure_envelope.json",
		{PX_EVENT_WRITE_OPERATION_FAILURE, "WRITE_OPERATION_FAILURE", NULL, "cmI1", NULL,
			"RESMAN"}},
};

static char *without_newlines(const char *name, size_t *ret_len)
{
	char *text = load(name, ret_len);

	/* the reference breaks lines where a payload may be compared as one */
	for (size_t i = 0; i < *ret_len; i++)
		if (text[i] == '\n')
			text[i] = ' ';
	return text;
}

static void documented_deliveries(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(documented); i++) {
		size_t len;
		char *text = without_newlines(documented[i].file, &len);
		struct px_event e = {0};
		struct px_err err = {0};
		struct want w = documented[i].want;
		struct px_span fresh;

		if (px_event_parse(text, len, &e, &err))
			fail_msg("%s: %s", documented[i].file, err.msg);
		/* the one whose members are broken over two lines is compared by meaning */
		fresh = e.diff_new;
		if (w.fresh && e.diff_new.len != strlen(w.fresh)) {
			assert_true(px_json_equal(e.diff_new, span(w.fresh)));
			w.fresh = NULL;
			e.diff_new = absent;
		}
		assert_event(&e, &w);
		e.diff_new = fresh;
		px_event_release(&e);
		assert_null(e.event);
		px_event_release(&e);
		free(text);
	}
}

/* The same events survive when anything else is added to them. */
static void unknown_members_are_ignored(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(documented); i++) {
		size_t len;
		char *text = load(documented[i].file, &len);
		struct px_buf b = PX_BUF_INIT(10000);
		struct px_event e = {0};

		px_buf_adds(&b, "{\"version\":{\"event\":\"X\",\"object\":\"x\",\"diff\":{}},"
				"\"list\":[{\"record_id\":\"no\"}],");
		px_buf_add(&b, text + 1, len - 1);
		assert_int_equal(px_event_parse(b.data, b.len, &e, NULL), 0);
		assert_int_equal(e.kind, documented[i].want.kind);
		assert_text(e.object, documented[i].want.object);
		assert_text(e.record_id, documented[i].want.record);
		px_event_release(&e);
		px_buf_release(&b);
		free(text);
	}
}

static void every_cut_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(documented); i++) {
		size_t len;
		char *text = load(documented[i].file, &len);
		struct px_event e = {0};

		for (size_t k = 0; k + 1 < len; k++) {
			char *copy = exact(text, k);

			assert_int_equal(px_event_parse(copy, k, &e, NULL), PX_ESYNTAX);
			free(copy);
		}
		assert_null(e.event);
		free(text);
	}
}

/* ---- variations ------------------------------------------------------------------------------*/

static const struct {
	const char *body;
	struct want want;
} variations[] = {
	/* no event name: diff or payload tells */
	{"{\"object\":\"leases\",\"record_id\":\"r\",\"diff\":{\"new\":{\"a\":1}}}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "leases", NULL, "r", .fresh = "{\"a\":1}"}},
	{"{\"object\":\"leases\",\"record_id\":\"r\",\"payload\":{\"a\":1}}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "leases", NULL, "r", .payload = "{\"a\":1}"}},
	{"{\"data\":{\"object\":\"leases\",\"record_id\":\"r\",\"diff\":{}}}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "leases", NULL, "r", .fresh = "{}"}},
	/* diffs: fields without new and previous; one of them missing, null or odd */
	{"{\"object\":\"leases\",\"record_id\":\"r\",\"diff\":{\"a\":1,\"b\":null}}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "leases", NULL, "r",
			.fresh = "{\"a\":1,\"b\":null}"}},
	{"{\"object\":\"leases\",\"record_id\":\"r\",\"diff\":{\"new\":{\"a\":1},\"previous\":"
	 "null}}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "leases", NULL, "r", .fresh = "{\"a\":1}"}},
	{"{\"object\":\"leases\",\"record_id\":\"r\",\"diff\":{\"new\":null,\"previous\":null}}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "leases", NULL, "r"}},
	{"{\"object\":\"leases\",\"record_id\":\"r\",\"diff\":{\"previous\":{\"a\":1}}}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "leases", NULL, "r",
			.previous = "{\"a\":1}"}},
	{"{\"object\":\"leases\",\"record_id\":\"r\",\"diff\":{\"new\":{\"a\":1},\"previous\":[]}}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "leases", NULL, "r", .fresh = "{\"a\":1}"}},
	{"{\"event\":\"DATA_UPDATE\",\"object\":\"leases\",\"record_id\":\"r\",\"diff\":\"gone\"}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "leases", NULL, "r"}},
	{"{\"event\":\"DATA_UPDATE\",\"object\":\"leases\",\"record_id\":\"r\"}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "leases", NULL, "r"}},
	{"{\"event\":\"DATA_NEW\",\"object\":\"leases\",\"record_id\":\"r\",\"payload\":[1]}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "leases", NULL, "r"}},
	/* data that is no object: what stands around it counts */
	{"{\"event\":\"DATA_UPDATE\",\"object\":\"leases\",\"record_id\":\"r\",\"data\":null,"
	 "\"diff\":{\"new\":{\"a\":1}}}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "leases", NULL, "r", .fresh = "{\"a\":1}"}},
	{"{\"event\":\"JOB_FAILURE\",\"data\":[{\"event\":\"X\"}],\"integration_id\":\"i\"}",
		{PX_EVENT_JOB_FAILURE, "JOB_FAILURE", NULL, "i"}},
	{"{\"trigger\":\"JOB_FAILURE\",\"data\":\"text\"}", {PX_EVENT_JOB_FAILURE, "JOB_FAILURE"}},
	/* where things may stand, and which comes first */
	{"{\"trigger\":\"DATA_NEW\",\"data\":{\"event\":\"DATA_UPDATE\",\"object\":\"a\","
	 "\"record_id\":\"r\"}}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "a", NULL, "r"}},
	{"{\"trigger\":\"DATA_NEW\",\"data\":{\"event\":\"\",\"object\":\"a\",\"record_id\":\"r\"}"
	 "}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "a", NULL, "r"}},
	{"{\"trigger\":\"DATA_NEW\",\"data\":{\"event\":5,\"object\":\"a\",\"record_id\":\"r\"}}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "a", NULL, "r"}},
	{"{\"event\":\"DATA_NEW\",\"data\":{\"object\":\"a\",\"record_id\":\"r\"}}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "a", NULL, "r"}},
	{"{\"data\":{\"trigger\":\"DATA_NEW\",\"object\":\"a\",\"record_id\":\"r\"}}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "a", NULL, "r"}},
	{"{\"data\":{\"event\":\"DATA_NEW\",\"record_id\":\"r\",\"meta\":{\"object\":\"in\","
	 "\"integration_id\":\"i\"}},\"meta\":{\"object\":\"out\",\"integration_id\":\"o\"}}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "in", "i", "r"}},
	{"{\"data\":{\"event\":\"DATA_NEW\",\"object\":\"own\",\"integration_id\":\"n\","
	 "\"record_id\":\"r\"},\"meta\":{\"object\":\"out\",\"integration_id\":\"o\"}}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "own", "n", "r"}},
	{"{\"data\":{\"event\":\"DATA_NEW\",\"object\":null,\"integration_id\":\"\"},"
	 "\"meta\":{\"object\":\"out\",\"integration_id\":\"o\"},\"record_id\":\"r\"}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "out", "o", "r"}},
	{"{\"event\":\"DATA_NEW\",\"object\":\"a\",\"record_id\":\"r\",\"meta\":\"none\"}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "a", NULL, "r"}},
	/* ids that are numbers keep their digits */
	{"{\"event\":\"DATA_NEW\",\"object\":\"a\",\"record_id\":12345678901234567890,"
	 "\"integration_id\":7}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "a", "7", "12345678901234567890"}},
	/* spellings */
	{"{\"event\":\"DATA_NEW\",\"object\":\"a-b_c-d\",\"record_id\":\"r-1\"}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "a_b_c_d", NULL, "r-1"}},
	{"{\"ev\\u0065nt\":\"DATA\\u005fNEW\",\"object\":\"\\u0061\",\"record_id\":\"\\u00e9\"}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "a", NULL, "\xc3\xa9"}},
	/* events of syncs */
	{"{\"trigger\":\"SYNC_COMPLETE\",\"data\":{\"integration_id\":\"i\",\"is_sync_finished\":"
	 "false}}",
		{PX_EVENT_SYNC_COMPLETE, "SYNC_COMPLETE", NULL, "i", .unfinished = true}},
	{"{\"event\":\"FIRST_SYNC_COMPLETE\",\"integration_id\":\"i\",\"is_backsync\":true,"
	 "\"models_synced\":[]}",
		{PX_EVENT_FIRST_SYNC_COMPLETE, "FIRST_SYNC_COMPLETE", NULL, "i", .synced = "[]",
			.backsync = true}},
	{"{\"event\":\"SYNC_COMPLETE\",\"is_backsync\":\"true\",\"is_sync_finished\":null,"
	 "\"models_synced\":null,\"successful_job_count\":40.0}",
		{PX_EVENT_SYNC_COMPLETE, "SYNC_COMPLETE"}},
	/* names that nobody knows, with any shape around them */
	{"{\"event\":\"PING\",\"hello\":1}", {PX_EVENT_UNKNOWN, "PING"}},
	{"{\"trigger\":\"JOB_SUCCESS\",\"data\":{\"integration_id\":\"i\",\"vendor\":\"V\"}}",
		{PX_EVENT_UNKNOWN, "JOB_SUCCESS", NULL, "i", NULL, "V"}},
	{"{\"event\":\"data_new\"}", {PX_EVENT_UNKNOWN, "data_new"}},
	{"{\"event\":\"DATA_DELETE\",\"object\":\"a\",\"record_id\":\"r\",\"payload\":{}}",
		{PX_EVENT_UNKNOWN, "DATA_DELETE", "a", NULL, "r", .payload = "{}"}},
	{"{\"event\":\"DATA_NEW\\u0000\"}", {PX_EVENT_UNKNOWN, "DATA_NEW?"}},
	{"{\"event\":\" DATA_NEW\"}", {PX_EVENT_UNKNOWN, " DATA_NEW"}},
	{"{\"event\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}",
		{PX_EVENT_UNKNOWN,
			"0123456789012345678901234567890123456789012345678901234567890123"}},
	{"{\"event\":\"012345678901234567890123456789012345678901234567890123456789012\xc3\xa9\"}",
		{PX_EVENT_UNKNOWN,
			"012345678901234567890123456789012345678901234567890123456789012"}},
};

static void variations_are_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(variations); i++) {
		size_t len = strlen(variations[i].body);
		char *copy = exact(variations[i].body, len);
		struct px_event e = {0};
		struct px_err err = {0};

		if (px_event_parse(copy, len, &e, &err))
			fail_msg("%s: %s", variations[i].body, err.msg);
		assert_event(&e, &variations[i].want);
		px_event_release(&e);
		free(copy);
	}
}

static void what_is_no_delivery(void **state)
{
	static const char *const bad[] = {"", "[]", "1", "null", "\"DATA_NEW\"", "{}", "not json",
		"{\"data\":{\"results\":[{\"previous\":{},\"new\":{}}]}}",
		"{\"data\":{\"results\":[]},\"trigger\":\"DATA_UPDATE\"}",
		"{\"record_id\":\"r\",\"object\":\"a\"}", "{\"event\":5}", "{\"event\":null}",
		"{\"event\":\"\"}", "{\"event\":{\"event\":\"DATA_NEW\"}}",
		"{\"diff\":null,\"payload\":null}", "{\"diff\":[1],\"payload\":\"x\"}",
		"{\"event\":\"DATA_NEW\"}", "{\"event\":\"DATA_UPDATE\",\"object\":\"leads\"}",
		"{\"event\":\"DATA_UPDATE\",\"record_id\":\"r\"}",
		"{\"event\":\"DATA_NEW\",\"object\":\"\",\"record_id\":\"r\"}",
		"{\"event\":\"DATA_NEW\",\"object\":5,\"record_id\":\"r\"}",
		"{\"event\":\"DATA_NEW\",\"object\":\"a\",\"record_id\":\"\"}",
		"{\"event\":\"DATA_NEW\",\"object\":\"a\",\"record_id\":null}",
		"{\"event\":\"DATA_NEW\",\"object\":\"a\",\"record_id\":\"r\\u0000\"}",
		"{\"event\":\"DATA_NEW\",\"object\":\"a\",\"record_id\":{}}", "{\"diff\":{}}",
		"{\"payload\":{\"object\":\"a\",\"record_id\":\"r\"}}", "{\"event\":\"PING\"}{}",
		"{\"event\":\"PING\xff\"}"};
	struct px_event e = {.is_backsync = true};
	struct px_err err;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		char *copy = exact(bad[i], strlen(bad[i]));

		memset(&err, 0, sizeof err);
		if (px_event_parse(copy, strlen(bad[i]), &e, &err) != PX_ESYNTAX ||
			err.code != PX_ESYNTAX || !*err.msg)
			fail_msg("%s", bad[i]);
		free(copy);
	}
	assert_true(e.is_backsync && !e.event); /* untouched */
}

static void ids_have_a_maximum(void **state)
{
	struct px_buf b = PX_BUF_INIT(10000);
	struct px_event e = {0};

	(void)state;
	px_buf_addf(
		&b, "{\"event\":\"DATA_NEW\",\"object\":\"a\",\"record_id\":\"%0*d\"}", 4096, 1);
	assert_int_equal(px_event_parse(b.data, b.len, &e, NULL), 0);
	assert_int_equal(strlen(e.record_id), 4096);
	px_event_release(&e);
	for (int quotes = 0; quotes < 2; quotes++) {
		const char *q = quotes ? "\"" : "";

		px_buf_reset(&b);
		px_buf_addf(&b, "{\"event\":\"DATA_NEW\",\"object\":\"a\",\"record_id\":%s1%0*d%s}",
			q, 4096, 1, q);
		assert_int_equal(px_event_parse(b.data, b.len, &e, NULL), PX_ESYNTAX);
	}
	px_buf_release(&b);
}

/* ---- rows of the diff log --------------------------------------------------------------------*/

static const struct {
	const char *row;
	struct want want;
} diffs[] = {
	{"{\"id\":\"d\",\"model\":\"units\",\"model_record_id\":\"u\",\"event_type\":\"UPDATE\","
	 "\"data_diff\":{\"new\":{\"a\":1},\"previous\":{\"a\":2}},\"integration_id\":\"i\","
	 "\"integration_vendor\":\"V\"}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "units", "i", "u", "V", .fresh = "{\"a\":1}",
			.previous = "{\"a\":2}"}},
	{"{\"model\":\"units\",\"model_record_id\":\"u\",\"event_type\":\"UPDATE\",\"data_diff\":{"
	 "\"a\":1}}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "units", NULL, "u", .fresh = "{\"a\":1}"}},
	{"{\"model\":\"units\",\"model_record_id\":\"u\",\"event_type\":\"UPDATE\",\"data_diff\":"
	 "null}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "units", NULL, "u"}},
	{"{\"model\":\"unit-details\",\"model_record_id\":\"u\",\"event_type\":\"NEW\",\"data_"
	 "diff\":{\"a\":1}}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "unit_details", NULL, "u", .payload = "{\"a\":1}"}},
	{"{\"model\":\"unit_details\",\"model_record_id\":8,\"event_type\":\"NEW\",\"data_diff\":{"
	 "\"new\":{\"a\":1},\"previous\":null}}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "unit_details", NULL, "8", .payload = "{\"a\":1}"}},
	{"{\"model\":\"units\",\"model_record_id\":\"u\",\"event_type\":\"NEW\"}",
		{PX_EVENT_DATA_NEW, "DATA_NEW", "units", NULL, "u"}},
	/* of a kind that nobody knows: the record has changed, but how is not to be guessed */
	{"{\"model\":\"units\",\"model_record_id\":\"u\",\"event_type\":\"DELETE\",\"data_diff\":{"
	 "\"new\":{\"a\":1}},\"integration_id\":\"\"}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "units", NULL, "u"}},
	{"{\"model\":\"units\",\"model_record_id\":\"u\",\"data_diff\":{\"a\":1}}",
		{PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "units", NULL, "u"}},
};

static void rows_of_the_diff_log(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(diffs); i++) {
		struct px_event e = {0};

		if (px_event_from_diff(span(diffs[i].row), &e, NULL))
			fail_msg("%s", diffs[i].row);
		assert_event(&e, &diffs[i].want);
		px_event_release(&e);
	}
}

static void the_documented_row(void **state)
{
	size_t len;
	char *text = load("page_data_diffs.json", &len);
	struct px_event e = {0};
	struct px_page p;

	(void)state;
	assert_int_equal(px_page_parse(text, len, &p, NULL), 0);
	assert_int_equal(p.count, 1);
	assert_int_equal(px_event_from_diff(p.results[0], &e, NULL), 0);
	assert_event(
		&e, &(struct want){PX_EVENT_DATA_UPDATE, "DATA_UPDATE", "units",
			    "cm0iiiiiiiiiiiiiiiiiiiiii", "cm1uuuuuuuuuuuuuuuuuuuuuu", "ENTRATA",
			    .fresh = "{\"is_vacant\":true}", .previous = "{\"is_vacant\":false}"});
	px_event_release(&e);
	px_page_release(&p);
	free(text);
}

static void what_is_no_row(void **state)
{
	static const char *const bad[] = {"{}", "[]", "null", "1", NULL,
		"{\"model\":\"units\",\"event_type\":\"NEW\"}",
		"{\"model_record_id\":\"u\",\"event_type\":\"NEW\"}",
		"{\"model\":\"\",\"model_record_id\":\"u\",\"event_type\":\"NEW\"}",
		"{\"model\":\"units\",\"model_record_id\":\"\",\"event_type\":\"NEW\"}",
		"{\"model\":\"units\",\"model_record_id\":null,\"event_type\":\"UPDATE\"}",
		"{\"model\":3,\"model_record_id\":\"u\",\"event_type\":\"UPDATE\"}"};
	struct px_event e = {.is_backsync = true};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (px_event_from_diff(span(bad[i]), &e, NULL) != PX_ESYNTAX)
			fail_msg("%s", bad[i] ? bad[i] : "absent");
	assert_true(e.is_backsync && !e.event); /* untouched */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documented_deliveries),
		cmocka_unit_test(unknown_members_are_ignored),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(variations_are_understood),
		cmocka_unit_test(what_is_no_delivery),
		cmocka_unit_test(ids_have_a_maximum),
		cmocka_unit_test(rows_of_the_diff_log),
		cmocka_unit_test(the_documented_row),
		cmocka_unit_test(what_is_no_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
