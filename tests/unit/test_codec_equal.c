/* SPDX-License-Identifier: MIT */
/* test_codec_equal.c - equality of values: exact, whatever the literals look like, and quick,
 * whatever the text says. */
#include "test_codec_util.h"

#include <time.h>

static void both_ways(const char *a, const char *b, bool equal)
{
	assert_int_equal(px_json_check(a, strlen(a), NULL), 0);
	assert_int_equal(px_json_check(b, strlen(b), NULL), 0);
	if (px_json_equal(span(a), span(b)) != equal || px_json_equal(span(b), span(a)) != equal)
		fail_msg("%s and %s", a, b);
}

static void numbers(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {{"1.10", "1.1", true}, {"1e2", "100", true}, {"-0", "0", true},
		{"0.0e5", "0", true}, {"-0e-9", "0.000", true}, {"1e-7", "0.0000001", true},
		{"100", "1E+2", true}, {"0.10", "1e-1", true}, {"1.0203", "10203e-4", true},
		{"120", "12e1", true}, {"1200.00", "12e2", true}, {"0.012", "1.2e-2", true},
		{"10.01", "1001e-2", true}, {"1e00", "1", true}, {"1e-00", "1E+0", true},
		{"1e1", "1e01", true}, {"120", "12", false}, {"1.02", "10.2", false},
		{"1.02", "1.2", false}, {"1", "10", false}, {"1", "-1", false}, {"1", "0", false},
		{"0.1", "0.01", false}, {"1e2", "1e-2", false}, {"1.5", "15", false},
		{"9007199254740993", "9007199254740992", false},
		{"12345678901234567890", "12345678901234567891", false},
		{"0.30000000000000004", "0.3", false}, {"1e400", "1e401", false},
		{"1e400", "10e399", true}, {"1e-400", "0", false},
		{"1e9223372036854775807", "1e9223372036854775808", false},
		{"1e9223372036854775808", "10e9223372036854775807", true},
		{"1e100000000000000000000", "1e100000000000000000001", false},
		{"1e100000000000000000000", "0.01e100000000000000000002", true},
		{"1e-100000000000000000000", "10e-100000000000000000001", true},
		{"1e-100000000000000000000", "1e100000000000000000000", false},
		{"1e99999999999999999999", "10e99999999999999999998", true},
		{"1e100000000000000000000", "10e99999999999999999999", true}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		both_ways(rows[i].a, rows[i].b, rows[i].equal);
}

/* The same small decimals written in many ways, against arithmetic. */
static void numbers_agree_with_arithmetic(void **state)
{
	static const char *const shapes[] = {"%d", "%d.0", "%de0", "%d0e-1", "%d00.00e-2"};
	char a[40], b[40];

	(void)state;
	for (int x = -12; x <= 12; x++)
		for (int y = -12; y <= 12; y++)
			for (size_t i = 0; i < COUNT(shapes); i++)
				for (size_t k = 0; k < COUNT(shapes); k++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
					(void)snprintf(a, sizeof a, shapes[i], x);
					(void)snprintf(b, sizeof b, shapes[k], y);
#pragma GCC diagnostic pop
					/* 00 and -00 are no numbers */
					if (!px_json_check(a, strlen(a), NULL) &&
						!px_json_check(b, strlen(b), NULL) &&
						px_json_equal(span(a), span(b)) != (x == y))
						fail_msg("%s and %s", a, b);
				}
}

static void other_values(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {{"\"\\u0041\"", "\"A\"", true}, {"\"\\/\"", "\"/\"", true},
		{"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"", true},
		{"\"a\\u0062c\"", "\"\\u0061bc\"", true}, {"\"a\"", "\"A\"", false},
		{"\"a\"", "\"ab\"", false}, {"\"\"", "\"a\"", false}, {"\"\"", "\"\"", true},
		{"\"e\xcc\x81\"", "\"\xc3\xa9\"", false}, {"\"\\u0000\"", "\"\"", false},
		{"\"\\u0000a\"", "\"\\u0000b\"", false}, {"\"1\"", "1", false},
		{"\"\"", "null", false}, {"null", "null", true}, {"null", "false", false},
		{"true", "true", true}, {"true", "false", false}, {"0", "false", false},
		{"[1,2]", "[1.0,2e0]", true}, {"[1,2]", "[2,1]", false}, {"[1]", "[1,1]", false},
		{"[]", "[null]", false}, {"[[],[]]", "[[],{}]", false}, {" [ ] ", "[]", true},
		{" 1 ", "1", true}, {"{}", "[]", false}, {"{}", "null", false},
		{"{\"a\":1,\"b\":2}", "{ \"b\" : 2.0, \"a\" : 1 }", true},
		{"{\"a\":1}", "{\"a\":1,\"b\":null}", false},
		{"{\"a\":null}", "{\"b\":null}", false}, {"{\"a\":null}", "{}", false},
		{"{\"\\u0061\":1}", "{\"a\":1}", true}, {"{\"a\":1,\"a\":2}", "{\"a\":2}", true},
		{"{\"a\":1,\"a\":2}", "{\"a\":3,\"\\u0061\":2}", true},
		{"{\"a\":1,\"a\":2}", "{\"a\":1}", false},
		{"{\"a\":1,\"a\":2,\"b\":1}", "{\"a\":2,\"b\":1,\"b\":1}", true},
		{"{\"a\":[{\"x\":1,\"y\":[2]}]}", "{\"a\":[{\"y\":[2],\"x\":1}]}", true},
		{"{\"a\":[{\"x\":1,\"y\":[2]}]}", "{\"a\":[{\"y\":[3],\"x\":1}]}", false}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		both_ways(rows[i].a, rows[i].b, rows[i].equal);
	assert_false(px_json_equal(absent, span("null")));
	assert_false(px_json_equal(span("null"), absent));
	assert_false(px_json_equal(absent, absent));
}

/* Both used to take for ever: a comparison of each member twice, at every depth; and a search
 * through all members for each. */
static void hostile_values_are_quick(void **state)
{
	struct px_buf a = PX_BUF_INIT(1 << 22), b = PX_BUF_INIT(1 << 22);
	clock_t before = clock();

	(void)state;
	for (int i = 0; i < PX_JSON_DEPTH_MAX; i++) {
		px_buf_adds(&a, "{\"x\":0,\"x\":");
		px_buf_adds(&b, "{\"x\":1,\"x\":");
	}
	px_buf_adds(&a, "1");
	px_buf_adds(&b, "2");
	for (int i = 0; i < PX_JSON_DEPTH_MAX; i++) {
		px_buf_addc(&a, '}');
		px_buf_addc(&b, '}');
	}
	both_ways(a.data, b.data, false);
	px_buf_reset(&a);
	px_buf_reset(&b);
	px_buf_adds(&a, "{\"end\":0");
	px_buf_adds(&b, "{\"end\":0");
	for (int i = 0; i < 20000; i++) {
		px_buf_addf(&a, ",\"k%d\":%d", i, i);
		px_buf_addf(&b, ",\"k%d\":%d", 19999 - i, 19999 - i);
	}
	px_buf_addc(&a, '}');
	px_buf_addc(&b, '}');
	both_ways(a.data, b.data, true);
	px_buf_release(&a);
	px_buf_release(&b);
	assert_true(clock() - before < 10 * CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(numbers_agree_with_arithmetic),
		cmocka_unit_test(other_values),
		cmocka_unit_test(hostile_values_are_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
