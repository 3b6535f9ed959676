/* SPDX-License-Identifier: MIT */
/* test_codec_json.c - walking over checked text, and what its scalars mean. */
#include "test_codec_util.h"

static void a_walk_gives_raw_tokens_in_order(void **state)
{
	struct px_span object = span(
		" { \"a\\\"b\" : [ 1 , \"]\" ] , \"c\":{\"d\":\"}\\\\\"},\"\":-1.50e+3,\"e\" : "
		"null\n} ");
	static const char *const keys[] = {"\"a\\\"b\"", "\"c\"", "\"\"", "\"e\""};
	static const char *const values[] = {
		"[ 1 , \"]\" ]", "{\"d\":\"}\\\\\"}", "-1.50e+3", "null"};
	struct px_json_walk w;
	struct px_span key, v;
	size_t n = 0;

	(void)state;
	assert_int_equal(px_json_check(object.p, object.len, NULL), 0);
	px_json_walk_init(&w, object);
	for (; px_json_walk_next(&w, &key, &v); n++) {
		assert_true(n < 4);
		assert_span(key, keys[n]);
		assert_span(v, values[n]);
	}
	assert_int_equal(n, 4);
	assert_false(px_json_walk_next(&w, &key, &v));
}

static void a_walk_over_an_array_has_no_keys(void **state)
{
	static const char *const values[] = {"[]", "{}", "\"a,b\"", "0", "true", "[[1],2]"};
	struct px_json_walk w;
	struct px_span key, v;
	size_t n = 0;

	(void)state;
	px_json_walk_init(&w, span("[[],{} ,\"a,b\",\t0,true , [[1],2] ]"));
	for (; px_json_walk_next(&w, &key, &v); n++) {
		assert_true(n < 6);
		assert_null(key.p);
		assert_span(v, values[n]);
	}
	assert_int_equal(n, 6);
}

static void other_values_have_nothing_to_walk(void **state)
{
	static const char *const texts[] = {
		"{}", "[]", " { } ", "[ \n]", "1", "\"[1]\"", "null", "true", NULL};
	struct px_json_walk w;
	struct px_span key, v;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		px_json_walk_init(&w, span(texts[i]));
		assert_false(px_json_walk_next(&w, &key, &v));
	}
}

static void kinds(void **state)
{
	(void)state;
	assert_int_equal(px_json_kind(span(" {}")), PX_JSON_OBJECT);
	assert_int_equal(px_json_kind(span("[1]")), PX_JSON_ARRAY);
	assert_int_equal(px_json_kind(span("\n\"x\"")), PX_JSON_STRING);
	assert_int_equal(px_json_kind(span("true")), PX_JSON_TRUE);
	assert_int_equal(px_json_kind(span("false")), PX_JSON_FALSE);
	assert_int_equal(px_json_kind(span("null")), PX_JSON_NULL);
	assert_int_equal(px_json_kind(span("-1")), PX_JSON_NUMBER);
	assert_int_equal(px_json_kind(span("0")), PX_JSON_NUMBER);
	assert_int_equal(px_json_kind(absent), PX_JSON_NULL);
}

static void members_by_name(void **state)
{
	struct px_span o = span("{\"a\":1,\"b\\u0063\":2,\"a\":[{\"a\":3}],\"ab\":4,\"\":5,"
				"\"x\\u0000y\":6,\"\xc3\xa9\":7}");

	(void)state;
	assert_span(px_json_member(o, "a"), "[{\"a\":3}]"); /* the last one */
	assert_span(px_json_member(o, "bc"), "2");
	assert_span(px_json_member(o, "ab"), "4");
	assert_span(px_json_member(o, ""), "5");
	assert_span(px_json_member(o, "\xc3\xa9"), "7");
	assert_null(px_json_member(o, "x").p);
	assert_null(px_json_member(o, "A").p);
	assert_null(px_json_member(o, "abc").p);
	assert_null(px_json_member(span("[{\"a\":1}]"), "a").p);
	assert_null(px_json_member(span("[\"a\",1]"), "a").p);
	assert_null(px_json_member(span("\"a\""), "a").p);
	assert_null(px_json_member(absent, "a").p);
}

static void strings_are_decoded(void **state)
{
	static const struct {
		const char *token, *text;
	} rows[] = {{"\"\"", ""}, {"\"abc\"", "abc"}, {"\"a\\nb\"", "a\nb"},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"}, {"\"\\u0041\"", "A"},
		{"\"\\u00e9\"", "\xc3\xa9"}, {"\"\\u65E5\"", "\xe6\x97\xa5"},
		{"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
		{"\"\\uDBFF\\uDFFF\"", "\xf4\x8f\xbf\xbf"}, {"\"\\ud800\"", "\xef\xbf\xbd"},
		{"\"\\ud800x\"", "\xef\xbf\xbdx"}, {"\"\\udc00\"", "\xef\xbf\xbd"},
		{"\"\\ud800\\u0041\"", "\xef\xbf\xbd"
				       "A"},
		{"\"\\ud800\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
		{"\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\"\\ud83d\\\\ude00\"", "\xef\xbf\xbd\\ude00"}, {"\"\\\\u0041\"", "\\u0041"},
		{"\"\xc3\xa9\\u0301\"", "\xc3\xa9\xcc\x81"}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct px_buf b = PX_BUF_INIT(100);
		char *s = px_json_strdup(span(rows[i].token), 100);

		assert_int_equal(px_json_check(rows[i].token, strlen(rows[i].token), NULL), 0);
		assert_text(s, rows[i].text);
		free(s);
		px_buf_adds(&b, "<");
		assert_int_equal(px_json_string(span(rows[i].token), &b), 0);
		assert_int_equal(b.len, 1 + strlen(rows[i].text));
		assert_string_equal(b.data + 1, rows[i].text);
		px_buf_release(&b);
		assert_true(px_json_string_is(span(rows[i].token), rows[i].text));
		assert_false(px_json_string_is(span(rows[i].token), "abcd"));
		assert_false(px_json_string_is(span(rows[i].token), "ab"));
	}
}

static void strings_that_are_none(void **state)
{
	static const char *const tokens[] = {"1", "null", "[\"a\"]", "{\"a\":\"b\"}", NULL};
	struct px_buf b = PX_BUF_INIT(3);

	(void)state;
	for (size_t i = 0; i < COUNT(tokens); i++) {
		assert_int_equal(px_json_string(span(tokens[i]), &b), PX_EINVAL);
		assert_null(px_json_strdup(span(tokens[i]), 100));
		assert_false(px_json_string_is(span(tokens[i]), ""));
	}
	assert_int_equal(b.len, 0);
	assert_int_equal(px_json_string(span("\"abcd\""), &b), PX_ELIMIT);
	px_buf_release(&b);
	assert_false(px_json_string_is(span("\"a\\u0000b\""), "a"));
	assert_false(px_json_string_is(span("\"\\u0000\""), ""));
	assert_null(px_json_strdup(span("\"a\\u0000b\""), 100));
}

static void copies_keep_to_their_maximum(void **state)
{
	char *s = px_json_strdup(span("\"\\u0041\\u0042\\u0043\""), 3);

	(void)state;
	assert_text(s, "ABC");
	free(s);
	assert_null(px_json_strdup(span("\"\\u0041\\u0042\\u0043\""), 2));
	assert_null(px_json_strdup(span("\"abc\""), 2));
	assert_null(px_json_strdup(span("\"\xc3\xa9\""), 1));
	s = px_json_strdup(span("\"\""), 0);
	assert_text(s, "");
	free(s);
}

static void truths_and_integers(void **state)
{
	static const struct {
		const char *token;
		int64_t n;
	} rows[] = {{"0", 0}, {"-0", 0}, {"17", 17}, {"-5", -5}, {"9223372036854775807", INT64_MAX},
		{"-9223372036854775808", INT64_MIN}, {"9223372036854775808", 7},
		{"-9223372036854775809", 7}, {"99999999999999999999", 7}, {"1.5", 7}, {"1.0", 7},
		{"1e2", 7}, {"\"1\"", 7}, {"null", 7}, {"[1]", 7}, {" 42 ", 42}, {NULL, 7}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (px_json_int(span(rows[i].token), 7) != rows[i].n)
			fail_msg("%s", rows[i].token);
	assert_true(px_json_bool(span("true"), false));
	assert_false(px_json_bool(span("false"), true));
	assert_true(px_json_bool(span("null"), true));
	assert_false(px_json_bool(span("null"), false));
	assert_true(px_json_bool(span("\"false\""), true));
	assert_false(px_json_bool(span("1"), false));
	assert_true(px_json_bool(absent, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_walk_gives_raw_tokens_in_order),
		cmocka_unit_test(a_walk_over_an_array_has_no_keys),
		cmocka_unit_test(other_values_have_nothing_to_walk),
		cmocka_unit_test(kinds),
		cmocka_unit_test(members_by_name),
		cmocka_unit_test(strings_are_decoded),
		cmocka_unit_test(strings_that_are_none),
		cmocka_unit_test(copies_keep_to_their_maximum),
		cmocka_unit_test(truths_and_integers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
