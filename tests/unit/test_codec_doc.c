/* SPDX-License-Identifier: MIT */
/* test_codec_doc.c - record files keep every token; diffs change what they name and nothing else;
 * names never collide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#include "propexofs/codec.h"

static struct px_span span(const char *s)
{
	return (struct px_span){s, strlen(s)};
}

static char *format(const char *text)
{
	struct px_buf b = PX_BUF_INIT(1 << 20);
	struct px_err err = {0};

	if (px_doc_format(text, strlen(text), &b, &err))
		fail_msg("%s", err.msg);
	return px_buf_steal(&b, NULL);
}

static void tokens_stay_as_received(void **state)
{
	static const char in[] =
		"{\"id\":\"a\\/b\",\"n\":[1.10,1e-7,-0,1E+2,12345678901234567890],\"e\":{},\"l\":[ "
		"],"
		"\"o\":{\"\\u00e9\":null,\"t\":\"\\ud83d\\ude00 "
		"\xc3\xa9\"},\"m\":[[1],{\"x\":true}]}";
	static const char out[] = "{\n"
				  "  \"id\": \"a\\/b\",\n"
				  "  \"n\": [\n"
				  "    1.10,\n"
				  "    1e-7,\n"
				  "    -0,\n"
				  "    1E+2,\n"
				  "    12345678901234567890\n"
				  "  ],\n"
				  "  \"e\": {},\n"
				  "  \"l\": [],\n"
				  "  \"o\": {\n"
				  "    \"\\u00e9\": null,\n"
				  "    \"t\": \"\\ud83d\\ude00 \xc3\xa9\"\n"
				  "  },\n"
				  "  \"m\": [\n"
				  "    [\n"
				  "      1\n"
				  "    ],\n"
				  "    {\n"
				  "      \"x\": true\n"
				  "    }\n"
				  "  ]\n"
				  "}\n";
	struct px_buf compact = PX_BUF_INIT(10000);
	char *once = format(in), *twice = format(once);

	(void)state;
	assert_string_equal(once, out);
	assert_string_equal(twice, out);
	assert_int_equal(px_doc_compact(out, strlen(out), &compact, NULL), 0);
	assert_memory_equal(compact.data, in, 60);
	assert_int_equal(compact.len, strlen(in) - 1); /* the blank in "[ ]" */
	px_buf_release(&compact);
	free(once);
	free(twice);
}

static void scalars_format_too(void **state)
{
	char *s = format(" 1.0 ");

	(void)state;
	assert_string_equal(s, "1.0\n");
	free(s);
}

static void records_know_themselves(void **state)
{
	static const char a[] = "{\"id\":\"r1\",\"updated_at\":\"2026-01-05T04:10:00.000Z\",\"last_"
				"seen\":\"x\",\"notes\":null,\"integration_id\":\"i\"}";
	static const char seen[] = "{\"id\":\"r1\",\"updated_at\":\"2026-01-05T04:10:00.000Z\","
				   "\"last_seen\":\"yy\",\"notes\":null,\"integration_id\":\"i\"}";
	static const char updated[] = "{\"id\":\"r1\",\"updated_at\":\"2026-01-06T04:10:00.000Z\","
				      "\"last_seen\":null,\"notes\":null,\"integration_id\":\"i\"}";
	static const char other[] = "{\"id\":\"r1\",\"updated_at\":\"2026-01-05T04:10:00.000Z\","
				    "\"last_seen\":\"x\",\"notes\":0,\"integration_id\":\"i\"}";
	static const char *const bad[] = {"[]", "1", "{}", "{\"id\":null}", "{\"id\":5}",
		"{\"id\":\"\"}", "{\"id\":\"a\\u0000b\"}", "{\"id\":\"a\"", "{\"id\":{}}"};
	struct px_record r = {0}, s = {0}, u = {0}, o = {0};

	(void)state;
	assert_int_equal(px_record_parse(a, strlen(a), &r, NULL), 0);
	assert_int_equal(px_record_parse(seen, strlen(seen), &s, NULL), 0);
	assert_int_equal(px_record_parse(updated, strlen(updated), &u, NULL), 0);
	assert_int_equal(px_record_parse(other, strlen(other), &o, NULL), 0);
	assert_string_equal(r.id, "r1");
	assert_string_equal(r.integration_id, "i");
	assert_null(r.property_id);
	assert_string_equal(s.last_seen, "yy");
	assert_true(r.mtime_ns == INT64_C(1767586200000000000));
	assert_memory_equal(r.digest, s.digest, 16);
	assert_memory_not_equal(r.digest, u.digest, 16);
	assert_memory_equal(r.core_digest, u.core_digest, 16);
	assert_memory_not_equal(r.core_digest, o.core_digest, 16);
	assert_memory_not_equal(r.digest, o.digest, 16);
	px_record_release(&r);
	px_record_release(&s);
	px_record_release(&u);
	px_record_release(&o);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(px_record_parse(bad[i], strlen(bad[i]), &r, NULL), PX_ESYNTAX);
	assert_null(r.id);
}

static void diffs_are_spliced(void **state)
{
	static const struct {
		const char *doc, *fresh, *previous;
		enum px_splice verdict;
		const char *out;
	} rows[] = {
		{"{\"id\":\"r\",\"a\":1,\"b\":null}", "{\"a\":2}", "{\"a\":1.0}", PX_SPLICE_APPLIED,
			"{\"id\":\"r\",\"a\":2,\"b\":null}"},
		{"{\"id\":\"r\",\"a\":1,\"b\":null}", "{\"b\":{\"x\":[]}}", "{\"b\":null}",
			PX_SPLICE_APPLIED, "{\"id\":\"r\",\"a\":1,\"b\":{\"x\":[]}}"},
		{"{\"id\":\"r\",\"a\":1,\"b\":[1]}", "{\"a\":null,\"b\":[1.10]}", NULL,
			PX_SPLICE_APPLIED, "{\"id\":\"r\",\"a\":null,\"b\":[1.10]}"},
		{"{\"id\":\"r\",\"a\":1}", "{\"a\":2}", "{\"a\":3}", PX_SPLICE_MISMATCH, NULL},
		{"{\"id\":\"r\",\"a\":2}", "{\"a\":2.0}", "{\"a\":1}", PX_SPLICE_DUPLICATE, NULL},
		{"{\"id\":\"r\",\"a\":1}", "{\"c\":2}", "{\"c\":1}", PX_SPLICE_LACKS, NULL},
		{"{\"id\":\"r\",\"a\":1}", "{\"a\":2}", "{\"c\":1}", PX_SPLICE_LACKS, NULL},
		{"{\"id\":\"r\",\"a\":1}", "{\"id\":\"s\"}", NULL, PX_SPLICE_LACKS, NULL},
		{"{\"id\":\"r\",\"a\":null}", "{\"a\":2}", "{}", PX_SPLICE_APPLIED,
			"{\"id\":\"r\",\"a\":2}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct px_buf out = PX_BUF_INIT(10000);
		char *doc = format(rows[i].doc), *want = rows[i].out ? format(rows[i].out) : NULL;
		enum px_splice verdict = PX_SPLICE_LACKS;

		assert_int_equal(px_doc_splice(doc, strlen(doc), span(rows[i].fresh),
					 rows[i].previous ? span(rows[i].previous)
							  : (struct px_span){NULL, 0},
					 &out, &verdict, NULL),
			0);
		assert_int_equal(verdict, rows[i].verdict);
		if (want)
			assert_string_equal(out.data, want);
		else
			assert_int_equal(out.len, 0);
		px_buf_release(&out);
		free(doc);
		free(want);
	}
}

static void names_are_safe(void **state)
{
	static const struct {
		const char *id, *name;
	} rows[] = {{"cly301zs1000109jv26hx7hii", "cly301zs1000109jv26hx7hii.json"},
		{"a/b", "a%2Fb.json"}, {"..", "%2E..json"}, {".", "%2E.json"},
		{".a.b", "%2Ea.b.json"}, {"-x_Y.9", "-x_Y.9.json"},
		{"a b%~:", "a%20b%25%7E%3A.json"}, {"\xc3\xa9", "%C3%A9.json"}};
	char name[PX_NAME_MAX + 1], other[PX_NAME_MAX + 1], id[600];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		px_record_name(rows[i].id, strlen(rows[i].id), name);
		assert_string_equal(name, rows[i].name);
	}
	for (size_t n = 200; n < sizeof id; n++) {
		memset(id, 'a', n);
		px_record_name(id, n, name);
		assert_true(strlen(name) <= PX_NAME_MAX);
		assert_int_equal(n <= 250, !strchr(name, '~'));
		if (n > 250)
			assert_int_equal(strlen(name), PX_NAME_MAX);
		id[n - 1] = 'b';
		px_record_name(id, n, other);
		assert_string_not_equal(name, other);
		memset(id, '/', n);
		px_record_name(id, n, name);
		assert_true(strlen(name) <= PX_NAME_MAX);
		if (strchr(name, '~'))
			assert_int_equal(
				(strchr(name, '~') - name) % 3, 0); /* never cut within an escape */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_stay_as_received),
		cmocka_unit_test(scalars_format_too),
		cmocka_unit_test(records_know_themselves),
		cmocka_unit_test(diffs_are_spliced),
		cmocka_unit_test(names_are_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
