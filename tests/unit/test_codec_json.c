/* SPDX-License-Identifier: MIT */
/* test_codec_json.c - RFC 8259: what is JSON and what is not, decoding, and equality of values. */
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

static void accepted(void **state)
{
	static const char *const texts[] = {"0", "-0", "1.10", "1e-7", "1E+2", "0.5", "-1.5e10",
		"12345678901234567890", "true", "false", "null", "\"\"", "\"a\"", "\"\\u0000\"",
		"\"\\ud83d\\ude00\"", "\"\\ud800\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "[]", "{}",
		" [ ] ", "\t{\r\n}", "[1,2,3]", "[[],[[]]]", "{\"a\":1}", "{\"\":{}}",
		"{\"a\":1,\"a\":2}", "\"\xc3\xa9\xf0\x9f\x98\x80\"", "\"\x7f\"", "[1 , 2]",
		"{\"a\" : [ ] }"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_int_equal(px_json_check(texts[i], strlen(texts[i]), NULL), 0);
}

static void refused(void **state)
{
	static const char *const texts[] = {"", " ", "01", "-", "-a", "1.", ".5", "1e", "1e+", "+1",
		"0x1", "1 2", "tru", "truex", "nul", "True", "NaN", "Infinity", "\"", "\"\\\"",
		"\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "\"\x01\"", "\"\xff\"",
		"\"\xc0\x80\"", "\"\xed\xa0\x80\"", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]",
		"[1;2]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}",
		"{1:1}", "{\"a\" 1}", "{\"a\":1]", "[1}", "{,}", "[]]", "{}x", "\xef\xbb\xbf{}",
		"// c\n1", "'a'", "[\"a\",\n4\n,1,", "{\"a\":/*c*/1}", "\v1", "1\f", "[1]\xc2\xa0"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (px_json_check(texts[i], strlen(texts[i]), NULL) != PX_ESYNTAX)
			fail_msg("accepted: %s", texts[i]);
	assert_int_equal(px_json_check("1\0", 2, NULL), PX_ESYNTAX);
}

static void depth_is_bounded(void **state)
{
	char text[2 * PX_JSON_DEPTH_MAX + 4];

	(void)state;
	memset(text, '[', PX_JSON_DEPTH_MAX);
	memset(text + PX_JSON_DEPTH_MAX, ']', PX_JSON_DEPTH_MAX);
	assert_int_equal(px_json_check(text, 2 * PX_JSON_DEPTH_MAX, NULL), 0);
	memset(text, '[', PX_JSON_DEPTH_MAX + 1);
	memset(text + PX_JSON_DEPTH_MAX + 1, ']', PX_JSON_DEPTH_MAX + 1);
	assert_int_equal(px_json_check(text, 2 * PX_JSON_DEPTH_MAX + 2, NULL), PX_ELIMIT);
}

static void every_cut_is_refused(void **state)
{
	static const char text[] = "{\"meta\":{\"total\":2,\"hasMore\":false},\"results\":[{\"id\":"
				   "\"a\\u00e9\",\"n\":[1.5,-2e3,true,null]}]}";

	(void)state;
	for (size_t i = 0; i < sizeof text - 1; i++)
		assert_int_equal(px_json_check(text, i, NULL), PX_ESYNTAX);
	assert_int_equal(px_json_check(text, sizeof text - 1, NULL), 0);
}

static void equality_is_exact(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {{"1.10", "1.1", true}, {"1e2", "100", true}, {"-0", "0", true},
		{"0.0e5", "0", true}, {"1e-7", "0.0000001", true},
		{"12345678901234567890", "12345678901234567891", false}, {"1", "10", false},
		{"1", "-1", false}, {"100", "1E+2", true}, {"0.10", "1e-1", true},
		{"120", "12", false}, {"1.02", "10.2", false}, {"1.0203", "10203e-4", true},
		{"9007199254740993", "9007199254740992", false}, {"\"\\u0041\"", "\"A\"", true},
		{"\"\\/\"", "\"/\"", true}, {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"", true},
		{"\"a\"", "\"A\"", false}, {"\"\"", "null", false}, {"null", "null", true},
		{"true", "false", false}, {"[1,2]", "[1.0,2e0]", true}, {"[1,2]", "[2,1]", false},
		{"[1]", "[1,1]", false}, {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
		{"{\"a\":1}", "{\"a\":1,\"b\":null}", false},
		{"{\"a\":1,\"a\":2}", "{\"a\":2}", true}, {"{}", "[]", false},
		{" [ ] ", "[]", true}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (px_json_equal(span(rows[i].a), span(rows[i].b)) != rows[i].equal ||
			px_json_equal(span(rows[i].b), span(rows[i].a)) != rows[i].equal)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
	}
	assert_false(px_json_equal((struct px_span){NULL, 0}, span("null")));
}

static void members_and_scalars(void **state)
{
	struct px_span o = span(
		"{ \"a\" : 1 , \"b\\u0063\" : \"x\\ny\" , \"a\" : [ {\"z\":\"]\"} ] , \"t\":true, "
		"\"big\": 9223372036854775807, "
		"\"low\":-9223372036854775808,\"over\":9223372036854775808,\"f\":1.5}");
	char *s;

	(void)state;
	assert_int_equal(px_json_check(o.p, o.len, NULL), 0);
	assert_int_equal(px_json_kind(px_json_member(o, "a")), PX_JSON_ARRAY);
	assert_memory_equal(px_json_member(o, "a").p, "[ {\"z\":\"]\"} ]", 13);
	s = px_json_strdup(px_json_member(o, "bc"), 10);
	assert_string_equal(s, "x\ny");
	free(s);
	assert_null(px_json_strdup(px_json_member(o, "bc"), 2));
	assert_null(px_json_strdup(span("\"\\u0000\""), 10));
	assert_null(px_json_member(o, "none").p);
	assert_true(px_json_bool(px_json_member(o, "t"), false));
	assert_true(px_json_bool(px_json_member(o, "a"), true));
	assert_true(px_json_int(px_json_member(o, "big"), 0) == INT64_MAX);
	assert_true(px_json_int(px_json_member(o, "low"), 0) == INT64_MIN);
	assert_int_equal(px_json_int(px_json_member(o, "over"), 7), 7);
	assert_int_equal(px_json_int(px_json_member(o, "f"), 7), 7);
	assert_true(px_json_string_is(span("\"a\\u0062\""), "ab"));
	assert_false(px_json_string_is(span("\"ab\""), "abc"));
	assert_false(px_json_string_is(span("\"abc\""), "ab"));
	assert_false(px_json_string_is(span("\"\\u0000\""), ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted),
		cmocka_unit_test(refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(equality_is_exact),
		cmocka_unit_test(members_and_scalars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
