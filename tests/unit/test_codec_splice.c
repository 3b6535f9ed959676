/* SPDX-License-Identifier: MIT */
/* test_codec_splice.c - a diff changes what it names and nothing else, or it changes nothing. */
#include "test_codec_util.h"

#define DOC                                                                                        \
	"{\"id\":\"r\",\"integration_id\":\"i\",\"a\":1.10,\"b\":null,\"c\":{\"x\":[1,2]},"        \
	"\"updated_at\":\"u1\",\"last_seen\":\"l1\",\"s\":\"\\u00e9\"}"

static const struct {
	const char *fresh, *previous;
	enum px_splice verdict;
	const char *out; /* compact, when applied */
} rows[] = {
	/* applied */
	{"{\"a\":2}", "{\"a\":1.1}", PX_SPLICE_APPLIED,
		"{\"id\":\"r\",\"integration_id\":\"i\",\"a\":2,\"b\":null,\"c\":{\"x\":[1,2]},"
		"\"updated_at\":\"u1\",\"last_seen\":\"l1\",\"s\":\"\\u00e9\"}"},
	{"{\"a\":2}", NULL, PX_SPLICE_APPLIED,
		"{\"id\":\"r\",\"integration_id\":\"i\",\"a\":2,\"b\":null,\"c\":{\"x\":[1,2]},"
		"\"updated_at\":\"u1\",\"last_seen\":\"l1\",\"s\":\"\\u00e9\"}"},
	{"{\"a\":2}", "{}", PX_SPLICE_APPLIED,
		"{\"id\":\"r\",\"integration_id\":\"i\",\"a\":2,\"b\":null,\"c\":{\"x\":[1,2]},"
		"\"updated_at\":\"u1\",\"last_seen\":\"l1\",\"s\":\"\\u00e9\"}"},
	{"{\"last_seen\":\"l2\",\"updated_at\":\"u2\"}",
		"{\"updated_at\":\"u1\",\"last_seen\":\"l1\"}", PX_SPLICE_APPLIED,
		"{\"id\":\"r\",\"integration_id\":\"i\",\"a\":1.10,\"b\":null,\"c\":{\"x\":[1,2]},"
		"\"updated_at\":\"u2\",\"last_seen\":\"l2\",\"s\":\"\\u00e9\"}"},
	{"{\"s\":\"e\",\"b\":{\"y\":[]}}", "{\"b\":null,\"s\":\"\xc3\xa9\"}", PX_SPLICE_APPLIED,
		"{\"id\":\"r\",\"integration_id\":\"i\",\"a\":1.10,\"b\":{\"y\":[]},\"c\":{\"x\":["
		"1,2]},\"updated_at\":\"u1\",\"last_seen\":\"l1\",\"s\":\"e\"}"},
	{"{\"c\":null}", "{\"c\":{\"x\":[1.0,2]}}", PX_SPLICE_APPLIED,
		"{\"id\":\"r\",\"integration_id\":\"i\",\"a\":1.10,\"b\":null,\"c\":null,"
		"\"updated_at\":\"u1\",\"last_seen\":\"l1\",\"s\":\"\\u00e9\"}"},
	/* every literal is the received one, also of a value that means the same */
	{"{\"a\":1.1,\"b\":1}", NULL, PX_SPLICE_APPLIED,
		"{\"id\":\"r\",\"integration_id\":\"i\",\"a\":1.1,\"b\":1,\"c\":{\"x\":[1,2]},"
		"\"updated_at\":\"u1\",\"last_seen\":\"l1\",\"s\":\"\\u00e9\"}"},
	/* the same id may be named, and stays as it is written */
	{"{\"id\":\"\\u0072\",\"integration_id\":\"i\",\"a\":2}", NULL, PX_SPLICE_APPLIED,
		"{\"id\":\"r\",\"integration_id\":\"i\",\"a\":2,\"b\":null,\"c\":{\"x\":[1,2]},"
		"\"updated_at\":\"u1\",\"last_seen\":\"l1\",\"s\":\"\\u00e9\"}"},
	/* of a name that the diff repeats, the last; the record's own spelling of it stays */
	{"{\"a\":7,\"\\u0061\":8}", "{\"a\":7,\"a\":1.1}", PX_SPLICE_APPLIED,
		"{\"id\":\"r\",\"integration_id\":\"i\",\"a\":8,\"b\":null,\"c\":{\"x\":[1,2]},"
		"\"updated_at\":\"u1\",\"last_seen\":\"l1\",\"s\":\"\\u00e9\"}"},
	/* previous may name more than new */
	{"{\"a\":2}", "{\"a\":1.1,\"b\":null}", PX_SPLICE_APPLIED,
		"{\"id\":\"r\",\"integration_id\":\"i\",\"a\":2,\"b\":null,\"c\":{\"x\":[1,2]},"
		"\"updated_at\":\"u1\",\"last_seen\":\"l1\",\"s\":\"\\u00e9\"}"},
	/* duplicates */
	{"{\"a\":1.1}", "{\"a\":0}", PX_SPLICE_DUPLICATE, NULL},
	{"{\"a\":11e-1,\"s\":\"\xc3\xa9\",\"c\":{\"x\":[1,2]}}", NULL, PX_SPLICE_DUPLICATE, NULL},
	{"{\"id\":\"r\"}", NULL, PX_SPLICE_DUPLICATE, NULL},
	{"{\"b\":null}", "{\"b\":1}", PX_SPLICE_DUPLICATE, NULL},
	{"{}", NULL, PX_SPLICE_DUPLICATE, NULL},
	{"{}", "{\"a\":5}", PX_SPLICE_DUPLICATE, NULL},
	/* mismatches */
	{"{\"a\":2}", "{\"a\":3}", PX_SPLICE_MISMATCH, NULL},
	{"{\"a\":2}", "{\"a\":null}", PX_SPLICE_MISMATCH, NULL},
	{"{\"b\":2}", "{\"b\":\"null\"}", PX_SPLICE_MISMATCH, NULL},
	{"{\"a\":2,\"b\":3}", "{\"a\":1.1,\"b\":0}", PX_SPLICE_MISMATCH, NULL},
	{"{\"a\":2,\"b\":3}", "{\"b\":0,\"a\":1.1}", PX_SPLICE_MISMATCH, NULL},
	{"{\"a\":2}", "{\"a\":1.1,\"id\":\"s\"}", PX_SPLICE_MISMATCH, NULL},
	{"{\"c\":1}", "{\"c\":{\"x\":[2,1]}}", PX_SPLICE_MISMATCH, NULL},
	/* lacks; that comes first */
	{"{\"z\":2}", NULL, PX_SPLICE_LACKS, NULL},
	{"{\"a\":2,\"z\":null}", "{\"a\":3}", PX_SPLICE_LACKS, NULL},
	{"{\"a\":2}", "{\"a\":3,\"z\":null}", PX_SPLICE_LACKS, NULL},
	{"{\"a\":1.1}", "{\"z\":1}", PX_SPLICE_LACKS, NULL},
	{"{\"x\":1}", NULL, PX_SPLICE_LACKS, NULL}, /* only members of the top level count */
	{"{\"id\":\"s\"}", NULL, PX_SPLICE_LACKS, NULL},
	{"{\"id\":null,\"a\":2}", NULL, PX_SPLICE_LACKS, NULL},
	{"{\"\\u0069d\":\"s\"}", NULL, PX_SPLICE_LACKS, NULL},
	{"{\"integration_id\":\"j\",\"a\":2}", "{\"a\":9}", PX_SPLICE_LACKS, NULL},
};

static px_rc splice(const char *doc, const char *fresh, const char *previous, struct px_buf *out,
	enum px_splice *verdict)
{
	return px_doc_splice(doc, strlen(doc), span(fresh), span(previous), out, verdict, NULL);
}

static void verdicts(void **state)
{
	char *doc = format(DOC);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct px_buf out = PX_BUF_INIT(10000);
		enum px_splice verdict = (enum px_splice)99;

		px_buf_adds(&out, "<");
		assert_int_equal(splice(doc, rows[i].fresh, rows[i].previous, &out, &verdict), 0);
		if (verdict != rows[i].verdict)
			fail_msg("%d: new %s, previous %s", (int)verdict, rows[i].fresh,
				rows[i].previous ? rows[i].previous : "absent");
		if (rows[i].out) {
			char *want = format(rows[i].out);

			assert_string_equal(out.data + 1, want);
			free(want);
		} else {
			assert_string_equal(out.data, "<");
		}
		px_buf_release(&out);
	}
	free(doc);
}

/* Each member changed alone, to each kind of value, and back. */
static void there_and_back(void **state)
{
	static const char *const members[] = {"a", "b", "c", "updated_at", "last_seen", "s"};
	static const char *const values[] = {"0", "-1.50E+3", "\"\\u00E9 \\/ \xf0\x9f\x98\x80\"",
		"true", "[]", "{}", "[ 1 , [ ] , { \"q\" : [ 2 ] } ]", "{\"id\":\"s\",\"n\":null}"};
	char *doc = format(DOC);

	(void)state;
	for (size_t i = 0; i < COUNT(members); i++)
		for (size_t k = 0; k < COUNT(values); k++) {
			struct px_buf fresh = PX_BUF_INIT(1000), previous = PX_BUF_INIT(1000),
				      there = PX_BUF_INIT(10000), back = PX_BUF_INIT(10000);
			struct px_span was = px_json_member(span(doc), members[i]);
			enum px_splice verdict;
			char *again, *value = compact(values[k]), *got;

			px_buf_addf(&fresh, "{\"%s\":%s}", members[i], values[k]);
			px_buf_addf(&previous, "{\"%s\":%.*s}", members[i], (int)was.len, was.p);
			assert_int_equal(
				splice(doc, fresh.data, previous.data, &there, &verdict), 0);
			assert_int_equal(verdict, PX_SPLICE_APPLIED);
			/* still a file as the formatter writes it, with the literal received */
			again = format(there.data);
			assert_string_equal(again, there.data);
			got = compact(there.data);
			assert_non_null(strstr(got, value));
			/* once more, it is a duplicate, of the same and of the file's bytes */
			assert_int_equal(splice(there.data, fresh.data, NULL, &back, &verdict), 0);
			assert_int_equal(verdict, PX_SPLICE_DUPLICATE);
			assert_int_equal(
				splice(there.data, previous.data, fresh.data, &back, &verdict), 0);
			assert_int_equal(verdict, PX_SPLICE_APPLIED);
			assert_string_equal(back.data, doc);
			free(again);
			free(value);
			free(got);
			px_buf_release(&fresh);
			px_buf_release(&previous);
			px_buf_release(&there);
			px_buf_release(&back);
		}
	free(doc);
}

/* A record that has a name twice keeps both; the last is the one that is compared and changed. */
static void a_repeated_member_of_the_record(void **state)
{
	char *doc = format("{\"id\":\"r\",\"a\":1,\"b\":0,\"a\":2}");
	struct px_buf out = PX_BUF_INIT(1000);
	enum px_splice verdict;

	(void)state;
	assert_int_equal(splice(doc, "{\"a\":3,\"b\":4}", "{\"a\":2}", &out, &verdict), 0);
	assert_int_equal(verdict, PX_SPLICE_APPLIED);
	assert_string_equal(
		out.data, "{\n  \"id\": \"r\",\n  \"a\": 1,\n  \"b\": 4,\n  \"a\": 3\n}\n");
	assert_int_equal(splice(doc, "{\"a\":1}", "{\"a\":1}", &out, &verdict), 0);
	assert_int_equal(verdict, PX_SPLICE_MISMATCH);
	px_buf_release(&out);
	free(doc);
}

static void what_is_no_diff(void **state)
{
	static const struct {
		const char *doc, *fresh, *previous;
	} bad[] = {{"{\"id\":\"r\"}", NULL, NULL}, {"{\"id\":\"r\"}", "null", NULL},
		{"{\"id\":\"r\"}", "[]", NULL}, {"{\"id\":\"r\"}", "\"id\"", NULL},
		{"{\"id\":\"r\"}", "1", NULL}, {"{\"id\":\"r\"}", "{}", "null"},
		{"{\"id\":\"r\"}", "{}", "[]"}, {"[]", "{}", NULL}, {"", "{}", NULL},
		{"{\"id\":\"r\"", "{}", NULL}, {"1", "{}", NULL}};
	struct px_buf out = PX_BUF_INIT(1000);
	enum px_splice verdict = PX_SPLICE_MISMATCH;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (splice(bad[i].doc, bad[i].fresh, bad[i].previous, &out, &verdict) != PX_ESYNTAX)
			fail_msg("%s with %s", bad[i].doc, bad[i].fresh);
	assert_int_equal(verdict, PX_SPLICE_MISMATCH); /* untouched */
	assert_int_equal(out.len, 0);
	px_buf_release(&out);
}

/* The file stays one that can be read: a value that is deep enough on its own is too deep in it. */
static void limits(void **state)
{
	enum { MAX = PX_JSON_DEPTH_MAX };
	char *doc = format(DOC);
	struct px_buf fresh = PX_BUF_INIT(1000), out = PX_BUF_INIT(1 << 20);
	enum px_splice verdict = PX_SPLICE_LACKS;

	(void)state;
	for (int depth = MAX - 1; depth <= MAX; depth++) {
		px_buf_reset(&fresh);
		px_buf_adds(&fresh, "{\"a\":0,\"b\":");
		for (int i = 0; i < depth - 1; i++)
			px_buf_addc(&fresh, '[');
		px_buf_addc(&fresh, '1');
		for (int i = 0; i < depth - 1; i++)
			px_buf_addc(&fresh, ']');
		px_buf_addc(&fresh, '}');
		assert_int_equal(splice(doc, fresh.data, NULL, &out, &verdict), 0);
		assert_int_equal(verdict, PX_SPLICE_APPLIED);
		assert_int_equal(px_json_check(out.data, out.len, NULL), 0);
		px_buf_reset(&out);
	}
	px_buf_reset(&fresh);
	/* not checked as a whole, so this can be handed over */
	px_buf_adds(&fresh, "{\"a\":0,\"b\":");
	for (int i = 0; i < MAX; i++)
		px_buf_addc(&fresh, '[');
	for (int i = 0; i < MAX; i++)
		px_buf_addc(&fresh, ']');
	px_buf_addc(&fresh, '}');
	assert_int_equal(splice(doc, fresh.data, NULL, &out, &verdict), PX_ELIMIT);
	assert_int_equal(out.len, 0);
	px_buf_release(&out);
	px_buf_release(&fresh);
	px_buf_init(&out, strlen(doc) + 1);
	px_buf_adds(&out, "<");
	assert_int_equal(splice(doc, "{\"a\":123}", NULL, &out, &verdict), 0);
	px_buf_reset(&out);
	px_buf_adds(&out, "<");
	assert_int_equal(splice(doc, "{\"a\":12345}", NULL, &out, &verdict), PX_ELIMIT);
	assert_string_equal(out.data, "<");
	px_buf_release(&out);
	free(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(a_repeated_member_of_the_record),
		cmocka_unit_test(what_is_no_diff),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
