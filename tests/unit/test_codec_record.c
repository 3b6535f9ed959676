/* SPDX-License-Identifier: MIT */
/* test_codec_record.c - what is read out of a record, and when two versions of it are the same. */
#include "test_codec_util.h"

#include "propexofs/hash.h"

static struct px_record parse(const char *text)
{
	struct px_record r = {0};
	struct px_err err = {0};

	if (px_record_parse(text, strlen(text), &r, &err))
		fail_msg("%s: %s", err.msg, text);
	return r;
}

static void members_are_found(void **state)
{
	size_t len;
	char *text = load("record_resident.json", &len), *file;
	struct px_record r = {0};

	(void)state;
	assert_int_equal(px_record_parse(text, len, &r, NULL), 0);
	assert_string_equal(r.id, "cly301zs1000109jv26hx7hii");
	assert_int_equal(r.id_len, 25);
	assert_string_equal(r.integration_id, "cly301lrc000009jvbp6vaz7i");
	assert_string_equal(r.property_id, "cm1pppppppppppppppppppppp");
	assert_string_equal(r.created_at, "2025-08-18T13:01:43.525Z");
	assert_string_equal(r.updated_at, "2026-01-05T04:10:00.000Z");
	assert_string_equal(r.last_seen, "2026-01-05T16:10:00.000Z");
	assert_true(r.mtime_ns == INT64_C(1767586200000000000));
	file = format_len(text, len);
	assert_string_equal(r.body, file);
	assert_int_equal(r.body_len, strlen(file));
	px_record_release(&r);
	assert_null(r.id);
	px_record_release(&r);
	free(file);
	free(text);
}

static void members_may_be_missing_or_odd(void **state)
{
	struct px_record r = parse("{\"id\":\"a\"}");

	(void)state;
	assert_null(r.integration_id);
	assert_null(r.property_id);
	assert_null(r.created_at);
	assert_null(r.updated_at);
	assert_null(r.last_seen);
	assert_true(r.mtime_ns == INT64_MIN);
	px_record_release(&r);
	r = parse("{\"integration_id\":null,\"property_id\":5,\"created_at\":\"2026-01-05\","
		  "\"updated_at\":[],\"last_seen\":{\"id\":\"inner\"},\"id\":\"a\"}");
	assert_string_equal(r.id, "a");
	assert_null(r.integration_id);
	assert_null(r.property_id);
	assert_null(r.updated_at);
	assert_null(r.last_seen);
	assert_true(r.mtime_ns == INT64_C(1767571200000000000));
	px_record_release(&r);
	r = parse("{\"id\":\"a\",\"updated_at\":\"soon\",\"created_at\":\"1970-01-01T00:00:01Z\"}");
	assert_string_equal(r.updated_at, "soon");
	assert_true(r.mtime_ns == 1000000000);
	px_record_release(&r);
	r = parse("{\"id\":\"a\",\"property_id\":\"p\\u0000q\",\"integration_id\":\"\"}");
	assert_null(r.property_id);
	assert_string_equal(r.integration_id, "");
	px_record_release(&r);
}

static void names_are_compared_decoded_and_the_last_counts(void **state)
{
	struct px_record r = parse("{\"i\\u0064\":\"a\\u0062\",\"x\":{\"id\":\"no\"}}");

	(void)state;
	assert_string_equal(r.id, "ab");
	px_record_release(&r);
	r = parse("{\"id\":1,\"id\":\"first\",\"\\u0069d\":\"last\"}");
	assert_string_equal(r.id, "last");
	assert_string_equal(
		r.body, "{\n  \"id\": 1,\n  \"id\": \"first\",\n  \"\\u0069d\": \"last\"\n}\n");
	px_record_release(&r);
}

static void what_is_no_record(void **state)
{
	static const char *const bad[] = {"[]", "1", "\"id\"", "null", "{}", "{\"id\":null}",
		"{\"id\":5}", "{\"id\":\"\"}", "{\"id\":true}", "{\"id\":[\"a\"]}", "{\"id\":{}}",
		"{\"id\":\"a\\u0000b\"}", "{\"id\":\"\\u0000\"}", "{\"ID\":\"a\"}",
		"{\"id \":\"a\"}", "{\"id\":\"a\",\"id\":null}", "{\"a\":{\"id\":\"b\"}}",
		"{\"id\":\"a\"", "{\"id\":\"a\"}{}", "[{\"id\":\"a\"}]", "{\"id\":\"\xff\"}", ""};
	struct px_record r = {.id_len = 77};
	struct px_err err;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		char *copy = exact(bad[i], strlen(bad[i]));

		memset(&err, 0, sizeof err);
		if (px_record_parse(copy, strlen(bad[i]), &r, &err) != PX_ESYNTAX ||
			err.code != PX_ESYNTAX || !*err.msg)
			fail_msg("%s", bad[i]);
		free(copy);
	}
	assert_int_equal(r.id_len, 77); /* untouched */
	assert_null(r.id);
}

static void ids_have_a_maximum(void **state)
{
	struct px_buf b = PX_BUF_INIT(30000);
	struct px_record r;

	(void)state;
	px_buf_addf(&b, "{\"id\":\"%0*d\"}", 4096, 1);
	r = parse(b.data);
	assert_int_equal(r.id_len, 4096);
	px_record_release(&r);
	px_buf_reset(&b);
	px_buf_addf(&b, "{\"id\":\"%0*d\"}", 4097, 1);
	assert_int_equal(px_record_parse(b.data, b.len, &r, NULL), PX_ESYNTAX);
	px_buf_reset(&b);
	px_buf_adds(&b, "{\"id\":\"");
	for (int i = 0; i < 4096; i++)
		px_buf_adds(&b, "\\u0061");
	px_buf_adds(&b, "\"}");
	r = parse(b.data);
	assert_int_equal(r.id_len, 4096);
	px_record_release(&r);
	px_buf_release(&b);
}

static void files_have_a_maximum(void **state)
{
	char *text = malloc(PX_RECORD_MAX + 100);
	/* {\n  "id": "a",\n  "b": "…"\n}\n */
	size_t around = strlen("{\n  \"id\": \"a\",\n  \"b\": \"\"\n}\n");
	struct px_record r = {0};
	size_t n;

	(void)state;
	assert_non_null(text);
	for (size_t over = 0; over < 2; over++) {
		n = (size_t)snprintf(text, 100, "{\"id\":\"a\",\"b\":\"");
		memset(text + n, 'x', PX_RECORD_MAX - around + over);
		n += PX_RECORD_MAX - around + over;
		memcpy(text + n, "\"}", 2);
		assert_int_equal(px_record_parse(text, n + 2, &r, NULL), over ? PX_ELIMIT : PX_OK);
		if (!over)
			assert_int_equal(r.body_len, PX_RECORD_MAX);
		px_record_release(&r);
	}
	free(text);
}

/* ---- digests ---------------------------------------------------------------------------------*/

static void digests_are_of_the_file_without_the_values(void **state)
{
	static const struct {
		const char *text, *digested, *core;
	} rows[] = {
		{"{\"id\":\"a\",\"updated_at\":\"u\",\"last_seen\":\"l\",\"b\":1}",
			"{\n  \"id\": \"a\",\n  \"updated_at\": \"u\",\n  \"last_seen\": ,\n  "
			"\"b\": 1\n}\n",
			"{\n  \"id\": \"a\",\n  \"updated_at\": ,\n  \"last_seen\": ,\n  \"b\": "
			"1\n}\n"},
		{"{\"last_seen\":[1,{}],\"id\":\"a\",\"updated_at\":null}",
			"{\n  \"last_seen\": ,\n  \"id\": \"a\",\n  \"updated_at\": null\n}\n",
			"{\n  \"last_seen\": ,\n  \"id\": \"a\",\n  \"updated_at\": \n}\n"},
		{"{\"updated_at\":\"u\",\"id\":\"a\"}",
			"{\n  \"updated_at\": \"u\",\n  \"id\": \"a\"\n}\n",
			"{\n  \"updated_at\": ,\n  \"id\": \"a\"\n}\n"},
		{"{\"id\":\"a\",\"last_seen\":\"l\"}",
			"{\n  \"id\": \"a\",\n  \"last_seen\": \n}\n",
			"{\n  \"id\": \"a\",\n  \"last_seen\": \n}\n"},
		{"{\"id\":\"a\",\"x\":{\"last_seen\":1,\"updated_at\":2}}",
			"{\n  \"id\": \"a\",\n  \"x\": {\n    \"last_seen\": 1,\n    "
			"\"updated_at\": 2\n  }\n}\n",
			"{\n  \"id\": \"a\",\n  \"x\": {\n    \"last_seen\": 1,\n    "
			"\"updated_at\": 2\n  }\n}\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct px_record r = parse(rows[i].text);
		unsigned char hash[PX_SHA256_LEN];

		px_sha256(rows[i].digested, strlen(rows[i].digested), hash);
		assert_memory_equal(r.digest, hash, 16);
		px_sha256(rows[i].core, strlen(rows[i].core), hash);
		assert_memory_equal(r.core_digest, hash, 16);
		px_record_release(&r);
	}
}

static void digests_tell_what_changed(void **state)
{
	static const struct {
		const char *a, *b;
		bool same, core_same;
	} rows[] = {
		{"{\"id\":\"r\",\"last_seen\":\"x\"}", "{\"id\":\"r\",\"last_seen\":\"yy\"}", true,
			true},
		{"{\"id\":\"r\",\"last_seen\":\"x\"}", "{\"id\":\"r\",\"last_seen\":null}", true,
			true},
		{"{\"id\":\"r\",\"last_seen\":\"x\"}", "{ \"id\" :\"r\",\n\"last_seen\":{} }", true,
			true},
		{"{\"id\":\"r\",\"updated_at\":\"x\",\"last_seen\":1}",
			"{\"id\":\"r\",\"updated_at\":\"y\",\"last_seen\":2}", false, true},
		{"{\"id\":\"r\",\"updated_at\":\"x\",\"a\":1}",
			"{\"id\":\"r\",\"updated_at\":\"y\",\"a\":2}", false, false},
		{"{\"id\":\"r\",\"last_seen\":1}", "{\"id\":\"r\"}", false, false},
		{"{\"id\":\"r\",\"last_seen\":1,\"a\":2}", "{\"id\":\"r\",\"a\":2,\"last_seen\":1}",
			false, false},
		{"{\"id\":\"r\",\"a\":1.0}", "{\"id\":\"r\",\"a\":1.00}", false, false},
		{"{\"id\":\"r\",\"a\":{\"last_seen\":1}}", "{\"id\":\"r\",\"a\":{\"last_seen\":2}}",
			false, false},
		{"{\"id\":\"r\",\"last_seen\":1,\"l\\u0061st_seen\":3}",
			"{\"id\":\"r\",\"last_seen\":1,\"l\\u0061st_seen\":4}", true, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct px_record a = parse(rows[i].a), b = parse(rows[i].b);

		if (!memcmp(a.digest, b.digest, 16) != rows[i].same ||
			!memcmp(a.core_digest, b.core_digest, 16) != rows[i].core_same)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
		px_record_release(&a);
		px_record_release(&b);
	}
}

static void every_cut_is_refused(void **state)
{
	size_t len;
	char *text = load("record_resident.json", &len);
	struct px_record r = {0};

	(void)state;
	for (size_t i = 0; i + 1 < len; i++) {
		char *copy = exact(text, i);

		assert_int_equal(px_record_parse(copy, i, &r, NULL), PX_ESYNTAX);
		free(copy);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found),
		cmocka_unit_test(members_may_be_missing_or_odd),
		cmocka_unit_test(names_are_compared_decoded_and_the_last_counts),
		cmocka_unit_test(what_is_no_record),
		cmocka_unit_test(ids_have_a_maximum),
		cmocka_unit_test(files_have_a_maximum),
		cmocka_unit_test(digests_are_of_the_file_without_the_values),
		cmocka_unit_test(digests_tell_what_changed),
		cmocka_unit_test(every_cut_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
