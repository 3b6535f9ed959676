/* SPDX-License-Identifier: MIT */
/* test_codec_doc.c - record files: every token as received, one layout, nothing left behind by a
 * failure. */
#include "test_codec_util.h"

#define FORMATTED                                                                                  \
	"{\n"                                                                                      \
	"  \"id\": \"a\\/b\",\n"                                                                   \
	"  \"n\": [\n"                                                                             \
	"    1.10,\n"                                                                              \
	"    1e-7,\n"                                                                              \
	"    -0,\n"                                                                                \
	"    1E+2,\n"                                                                              \
	"    12345678901234567890\n"                                                               \
	"  ],\n"                                                                                   \
	"  \"e\": {},\n"                                                                           \
	"  \"l\": [],\n"                                                                           \
	"  \"o\": {\n"                                                                             \
	"    \"\\u00e9\": null,\n"                                                                 \
	"    \"t\": \"\\ud83d\\ude00 \xc3\xa9\",\n"                                                \
	"    \"\": {\n"                                                                            \
	"      \"d\": 1,\n"                                                                        \
	"      \"d\": 2\n"                                                                         \
	"    }\n"                                                                                  \
	"  },\n"                                                                                   \
	"  \"m\": [\n"                                                                             \
	"    [\n"                                                                                  \
	"      1\n"                                                                                \
	"    ],\n"                                                                                 \
	"    {\n"                                                                                  \
	"      \"x\": true\n"                                                                      \
	"    }\n"                                                                                  \
	"  ]\n"                                                                                    \
	"}\n"
#define COMPACT                                                                                    \
	"{\"id\":\"a\\/b\",\"n\":[1.10,1e-7,-0,1E+2,12345678901234567890],\"e\":{},\"l\":[],"      \
	"\"o\":{\"\\u00e9\":null,\"t\":\"\\ud83d\\ude00 "                                          \
	"\xc3\xa9\",\"\":{\"d\":1,\"d\":2}},\"m\":[[1],{\"x\":true}]}"

static void tokens_stay_as_received(void **state)
{
	char *s = format(COMPACT), *c = compact(FORMATTED);

	(void)state;
	assert_string_equal(s, FORMATTED);
	assert_string_equal(c, COMPACT);
	free(s);
	free(c);
}

static void white_space_does_not_matter(void **state)
{
	static const char in[] = "\r\n{ \"a\"\t:\n[ ] ,\"b\":{\n\n} , \"c\":[ 1\r, { } ]}\t";
	char *s = format(in), *c = compact(in);

	(void)state;
	assert_string_equal(
		s, "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {}\n  ]\n}\n");
	assert_string_equal(c, "{\"a\":[],\"b\":{},\"c\":[1,{}]}");
	free(s);
	free(c);
}

static void all_kinds_of_value_have_a_layout(void **state)
{
	static const char *const rows[][2] = {{" 1.0 ", "1.0\n"}, {"\"\"", "\"\"\n"},
		{"null", "null\n"}, {"{}", "{}\n"}, {"[ ]", "[]\n"}, {"[1]", "[\n  1\n]\n"},
		{"[[]]", "[\n  []\n]\n"}, {"[{},[]]", "[\n  {},\n  []\n]\n"},
		{"[[[1]]]", "[\n  [\n    [\n      1\n    ]\n  ]\n]\n"}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *s = format(rows[i][0]);

		assert_string_equal(s, rows[i][1]);
		free(s);
	}
}

/* Formatting is stable, and compact form does not depend on the layout. */
static void forms_are_stable(void **state)
{
	static const char *const names[] = {"record_resident.json", "page_documented.json",
		"page_data_diffs.json", "delivery_data_new_flat.json",
		"delivery_sync_complete_envelope.json", "y_all_white_space.json"};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		size_t len;
		char *text = load(names[i], &len), *once = format_len(text, len),
		     *twice = format(once);
		char *c, *from_once, *back;

		text[len] = '\0';
		c = compact(text);
		from_once = compact(once);
		back = format(c);
		assert_string_equal(once, twice);
		assert_string_equal(c, from_once);
		assert_string_equal(once, back);
		assert_null(strchr(c, '\n'));
		assert_true(px_json_equal(span(text), span(once)));
		free(text);
		free(once);
		free(twice);
		free(c);
		free(from_once);
		free(back);
	}
}

/* The writer collects pieces in a chunk of its own: tokens of any length pass it whole. */
static void tokens_of_any_length(void **state)
{
	(void)state;
	for (size_t n = 2000; n < 2100; n++) {
		struct px_buf in = PX_BUF_INIT(20000), want = PX_BUF_INIT(20000);
		char *s, *c;

		px_buf_addf(&in, "{\"a\":\"%0*d\",\"b\":[\"%0*d\",1]}", (int)n, 7, (int)(3 * n), 8);
		px_buf_addf(&want,
			"{\n  \"a\": \"%0*d\",\n  \"b\": [\n    \"%0*d\",\n    1\n  ]\n}\n", (int)n,
			7, (int)(3 * n), 8);
		s = format(in.data);
		c = compact(s);
		assert_string_equal(s, want.data);
		assert_string_equal(c, in.data);
		free(s);
		free(c);
		px_buf_release(&in);
		px_buf_release(&want);
	}
}

static void the_deepest_nesting_is_indented(void **state)
{
	enum { MAX = PX_JSON_DEPTH_MAX };
	struct px_buf in = PX_BUF_INIT(1000);
	char *s, *c;

	(void)state;
	for (int i = 0; i < MAX; i++)
		px_buf_addc(&in, '[');
	px_buf_addc(&in, '1');
	for (int i = 0; i < MAX; i++)
		px_buf_addc(&in, ']');
	s = format(in.data);
	/* lines at depth 0 to MAX, all but the deepest twice */
	assert_int_equal(strlen(s), 2 * MAX + 1 + 2 * MAX * (MAX - 1) + 2 * MAX + 2 * MAX + 1);
	c = compact(s);
	assert_string_equal(c, in.data);
	free(s);
	free(c);
	px_buf_release(&in);
}

static void a_failure_leaves_nothing_behind(void **state)
{
	static const char *const bad[] = {"{\"a\":1,\"b\":[1,2,}", "", "{", "[1] [2]", "\"\\x\""};
	struct px_err err = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct px_buf b = PX_BUF_INIT(1000);
		char *copy = exact(bad[i], strlen(bad[i]));

		px_buf_adds(&b, "kept");
		assert_int_equal(px_doc_format(copy, strlen(bad[i]), &b, &err), PX_ESYNTAX);
		assert_int_equal(err.code, PX_ESYNTAX);
		assert_int_equal(px_doc_compact(copy, strlen(bad[i]), &b, NULL), PX_ESYNTAX);
		assert_string_equal(b.data, "kept");
		px_buf_release(&b);
		free(copy);
	}
}

static void output_is_appended_up_to_its_maximum(void **state)
{
	size_t full = strlen(FORMATTED), small = strlen(COMPACT);

	(void)state;
	for (size_t max = 0; max <= full; max++) {
		struct px_buf b = PX_BUF_INIT(4 + max);
		px_rc want = max < full ? PX_ELIMIT : PX_OK;

		px_buf_adds(&b, "kept");
		assert_int_equal(px_doc_format(COMPACT, small, &b, NULL), want);
		assert_int_equal(b.len, 4 + (want ? 0 : full));
		assert_memory_equal(b.data, "kept", 4);
		px_buf_release(&b);
		px_buf_adds(&b, "kept");
		want = max < small ? PX_ELIMIT : PX_OK;
		assert_int_equal(px_doc_compact(FORMATTED, full, &b, NULL), want);
		assert_int_equal(b.len, 4 + (want ? 0 : small));
		px_buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_stay_as_received),
		cmocka_unit_test(white_space_does_not_matter),
		cmocka_unit_test(all_kinds_of_value_have_a_layout),
		cmocka_unit_test(forms_are_stable),
		cmocka_unit_test(tokens_of_any_length),
		cmocka_unit_test(the_deepest_nesting_is_indented),
		cmocka_unit_test(a_failure_leaves_nothing_behind),
		cmocka_unit_test(output_is_appended_up_to_its_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
