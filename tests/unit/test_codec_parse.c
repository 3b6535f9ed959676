/* SPDX-License-Identifier: MIT */
/*
 * test_codec_parse.c - what is JSON and what is not, by RFC 8259 and the Unicode standard.
 *
 * Rows are named as such suites do: y_ must pass, n_ must not, i_ is left open by the RFC and
 * decided here. Numbers and UTF-8 are tried exhaustively against a second description.
 */
#include "test_codec_util.h"

#include <regex.h>

struct row {
	const char *name, *text;
	size_t len;
};

#define ROW(name, text)                                                                            \
	{                                                                                          \
		name, text, sizeof(text) - 1                                                       \
	}

static const struct row good[] = {
	ROW("y_object_empty", "{}"),
	ROW("y_array_empty", "[]"),
	ROW("y_string_empty", "\"\""),
	ROW("y_true_alone", "true"),
	ROW("y_false_alone", "false"),
	ROW("y_null_alone", "null"),
	ROW("y_number_alone", "0"),
	ROW("y_string_alone", "\"a\""),
	ROW("y_space_around", " \t\r\n[] \t\r\n"),
	ROW("y_space_inside_empty_array", "[ ]"),
	ROW("y_space_inside_empty_object", "{ \n }"),
	ROW("y_space_everywhere", " { \"a\" : [ 1 , 2 ] , \"b\" : { } } "),
	ROW("y_space_nowhere", "{\"a\":[1,2],\"b\":{}}"),
	ROW("y_number_zero_minus", "-0"),
	ROW("y_number_fraction", "1.10"),
	ROW("y_number_fraction_of_zero", "0.5"),
	ROW("y_number_exponent", "1e5"),
	ROW("y_number_exponent_capital", "1E5"),
	ROW("y_number_exponent_plus", "1E+2"),
	ROW("y_number_exponent_minus", "1e-7"),
	ROW("y_number_exponent_of_zero", "0e1"),
	ROW("y_number_exponent_zeros", "1e007"),
	ROW("y_number_minus_fraction_exponent", "-1.5e10"),
	ROW("y_number_longer_than_64_bits", "12345678901234567890123"),
	ROW("y_number_tiny", "0.00000000000000000000000000000000000000000000001"),
	ROW("y_string_escapes", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
	ROW("y_string_escaped_bmp", "\"\\u00e9\\u65E5\""),
	ROW("y_string_escaped_pair", "\"\\ud83d\\uDE00\""),
	ROW("y_string_escaped_nul", "\"\\u0000\""),
	ROW("y_string_escaped_control", "\"\\u001f\""),
	ROW("y_string_backslash_then_u", "\"\\\\u00zz\""),
	ROW("y_string_utf8", "\"\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80\""),
	ROW("y_string_delete", "\"\x7f\""),
	ROW("y_string_line_separators", "\"\xe2\x80\xa8\xe2\x80\xa9\""),
	ROW("y_string_noncharacter", "\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\""),
	ROW("y_string_byte_order_mark_inside", "\"\xef\xbb\xbf\""),
	ROW("y_string_brackets", "[\"]}{[,:\"]"),
	ROW("y_array_nested", "[[],[[]],[[[]]]]"),
	ROW("y_array_mixed", "[null,1,\"1\",{},[],true]"),
	ROW("y_object_empty_name", "{\"\":{}}"),
	ROW("y_object_escaped_name", "{\"\\u0061\":1}"),
	ROW("y_object_nested", "{\"a\":{\"a\":{\"a\":null}}}"),
	ROW("i_object_duplicate_names", "{\"a\":1,\"a\":2}"),
	ROW("i_object_duplicate_names_escaped", "{\"a\":1,\"\\u0061\":2}"),
	ROW("i_number_overflows_double", "1e999999999999999999999"),
	ROW("i_number_underflows_double", "-1e-999999999999999999999"),
	ROW("i_string_lone_high_surrogate", "\"\\ud800\""),
	ROW("i_string_lone_low_surrogate", "\"\\udc00x\""),
	ROW("i_string_surrogates_swapped", "\"\\ude00\\ud83d\""),
	ROW("i_string_surrogate_then_escape", "\"\\ud800\\n\""),
};

static const struct row wrong[] = {
	ROW("n_nothing", ""),
	ROW("n_space_only", " \n"),
	ROW("n_two_values", "1 2"),
	ROW("n_value_then_comma", "1,"),
	ROW("n_value_then_bracket", "{}]"),
	ROW("n_value_then_text", "{}x"),
	ROW("n_value_then_nul", "1\0"),
	ROW("n_nul_alone", "\0"),
	ROW("n_comma_alone", ","),
	ROW("n_colon_alone", ":"),
	ROW("n_bracket_alone", "]"),
	ROW("n_brace_alone", "}"),
	ROW("n_word_short", "tru"),
	ROW("n_word_long", "truex"),
	ROW("n_word_capital", "True"),
	ROW("n_word_all_capital", "NULL"),
	ROW("n_word_nil", "nil"),
	ROW("n_word_undefined", "undefined"),
	ROW("n_word_nan", "NaN"),
	ROW("n_word_infinity", "Infinity"),
	ROW("n_word_minus_infinity", "-Infinity"),
	ROW("n_word_split", "[fal se]"),
	ROW("n_word_cut_by_end", "[nul"),
	ROW("n_number_leading_zero", "01"),
	ROW("n_number_minus_leading_zero", "-01"),
	ROW("n_number_plus", "+1"),
	ROW("n_number_minus_alone", "-"),
	ROW("n_number_two_minus", "--1"),
	ROW("n_number_minus_space", "- 1"),
	ROW("n_number_point_first", ".5"),
	ROW("n_number_point_last", "1."),
	ROW("n_number_point_then_exponent", "1.e1"),
	ROW("n_number_two_points", "1.2.3"),
	ROW("n_number_exponent_empty", "1e"),
	ROW("n_number_exponent_sign_only", "1e+"),
	ROW("n_number_exponent_two_signs", "1e+-1"),
	ROW("n_number_exponent_fraction", "1e1.5"),
	ROW("n_number_hex", "0x1F"),
	ROW("n_number_octal", "0o7"),
	ROW("n_number_grouped", "1 000"),
	ROW("n_number_underscore", "1_000"),
	ROW("n_number_suffix", "1L"),
	ROW("n_number_fullwidth", "\xef\xbc\x91"),
	ROW("n_string_open", "\""),
	ROW("n_string_open_long", "\"abcdefghijklmnopqrstuvwxyz"),
	ROW("n_string_ends_in_escape", "\"\\"),
	ROW("n_string_escaped_quote_last", "\"\\\""),
	ROW("n_string_single_quotes", "'a'"),
	ROW("n_string_unquoted", "[a]"),
	ROW("n_string_escape_x", "\"\\x41\""),
	ROW("n_string_escape_a", "\"\\a\""),
	ROW("n_string_escape_v", "\"\\v\""),
	ROW("n_string_escape_quote_single", "\"\\'\""),
	ROW("n_string_escape_capital_u", "\"\\U00e9\""),
	ROW("n_string_escape_nul_byte", "\"\\\0\""),
	ROW("n_string_escape_newline", "\"\\\n\""),
	ROW("n_string_escape_not_ascii", "\"\\\xc3\xa9\""),
	ROW("n_string_u_short", "\"\\u12\""),
	ROW("n_string_u_not_hex", "\"\\u12g4\""),
	ROW("n_string_u_sign", "\"\\u+123\""),
	ROW("n_string_u_cut", "\"\\u123"),
	ROW("n_string_newline", "\"\n\""),
	ROW("n_string_tab", "\"\t\""),
	ROW("n_string_nul_byte", "\"\0\""),
	ROW("n_string_control", "\"\x1f\""),
	ROW("n_array_open", "["),
	ROW("n_array_open_after_value", "[1"),
	ROW("n_array_open_after_comma", "[1,"),
	ROW("n_array_comma_last", "[1,]"),
	ROW("n_array_comma_first", "[,1]"),
	ROW("n_array_comma_only", "[,]"),
	ROW("n_array_two_commas", "[1,,2]"),
	ROW("n_array_no_comma", "[1 2]"),
	ROW("n_array_no_comma_strings", "[\"a\" \"b\"]"),
	ROW("n_array_semicolon", "[1;2]"),
	ROW("n_array_colon", "[\"a\":1]"),
	ROW("n_array_closed_by_brace", "[1}"),
	ROW("n_array_closed_twice", "[]]"),
	ROW("n_array_dots", "[...]"),
	ROW("n_object_open", "{"),
	ROW("n_object_open_after_name", "{\"a\""),
	ROW("n_object_open_after_colon", "{\"a\":"),
	ROW("n_object_open_after_value", "{\"a\":1"),
	ROW("n_object_open_after_comma", "{\"a\":1,"),
	ROW("n_object_comma_last", "{\"a\":1,}"),
	ROW("n_object_comma_only", "{,}"),
	ROW("n_object_two_commas", "{\"a\":1,,\"b\":2}"),
	ROW("n_object_no_comma", "{\"a\":1 \"b\":2}"),
	ROW("n_object_no_colon", "{\"a\" 1}"),
	ROW("n_object_two_colons", "{\"a\"::1}"),
	ROW("n_object_equals", "{\"a\"=1}"),
	ROW("n_object_no_value", "{\"a\":}"),
	ROW("n_object_value_only", "{1}"),
	ROW("n_object_string_only", "{\"a\"}"),
	ROW("n_object_name_number", "{1:1}"),
	ROW("n_object_name_word", "{a:1}"),
	ROW("n_object_name_null", "{null:1}"),
	ROW("n_object_name_broken", "{\"\\x\":1}"),
	ROW("n_object_closed_by_bracket", "{\"a\":1]"),
	ROW("n_object_empty_closed_by_bracket", "{]"),
	ROW("n_comment_line", "// c\n1"),
	ROW("n_comment_block", "{\"a\":/* c */1}"),
	ROW("n_comment_hash", "1 # c"),
	ROW("n_space_vertical_tab", "\v1"),
	ROW("n_space_form_feed", "[1\f]"),
	ROW("n_space_no_break", "[1]\xc2\xa0"),
	ROW("n_space_line_separator", "\xe2\x80\xa8[]"),
	ROW("n_space_zero_width", "\xe2\x80\x8b[]"),
	ROW("n_byte_order_mark", "\xef\xbb\xbf{}"),
	ROW("n_utf16_little", "[\0]\0"),
	ROW("n_utf8_outside_string", "[\xc3\xa9]"),
	ROW("n_utf8_lone_continuation", "\"\x80\""),
	ROW("n_utf8_lead_alone", "\"\xc3\""),
	ROW("n_utf8_lead_before_quote", "\"\xe6\x97\""),
	ROW("n_utf8_overlong_slash", "\"\xc0\xaf\""),
	ROW("n_utf8_overlong_nul", "\"\xc0\x80\""),
	ROW("n_utf8_surrogate", "\"\xed\xa0\x80\""),
	ROW("n_utf8_beyond", "\"\xf4\x90\x80\x80\""),
	ROW("n_utf8_five_bytes", "\"\xf8\x88\x80\x80\x80\""),
	ROW("n_utf8_ff", "\"\xff\""),
	ROW("n_utf8_broken_name", "{\"\xff\":1}"),
	ROW("n_utf8_cut_by_end", "\"\xf0\x9f\x98"),
};

static px_rc check(const char *text, size_t len)
{
	char *copy = exact(text, len);
	px_rc rc = px_json_check(copy, len, NULL);

	free(copy);
	return rc;
}

static void good_texts_pass(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		if (check(good[i].text, good[i].len))
			fail_msg("%s is refused", good[i].name);
}

static void wrong_texts_do_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++)
		if (check(wrong[i].text, wrong[i].len) != PX_ESYNTAX)
			fail_msg("%s passes", wrong[i].name);
	assert_int_equal(px_json_check(NULL, 0, NULL), PX_ESYNTAX);
}

/* A wrong text stays wrong wherever a value can stand. */
static void wrong_texts_do_not_inside_others(void **state)
{
	static const char *const around[][2] = {
		{"[", "]"}, {"[0,", "]"}, {"{\"a\":", "}"}, {"{\"a\":[{\"b\":", "}]}"}};

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		for (size_t k = 0; k < COUNT(around); k++) {
			struct px_buf b = PX_BUF_INIT(1000);

			/* these make a valid text of some surroundings */
			if (!strcmp(wrong[i].name, "n_nothing") ||
				!strcmp(wrong[i].name, "n_space_only") ||
				!strcmp(wrong[i].name, "n_value_then_comma"))
				continue;
			px_buf_adds(&b, around[k][0]);
			px_buf_add(&b, wrong[i].text, wrong[i].len);
			px_buf_adds(&b, around[k][1]);
			if (check(b.data, b.len) != PX_ESYNTAX)
				fail_msg("%s passes inside %s", wrong[i].name, around[k][0]);
			px_buf_release(&b);
		}
	}
}

static void good_texts_stand_inside_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct px_buf b = PX_BUF_INIT(1000);

		px_buf_adds(&b, "{\"a\":[0,");
		px_buf_add(&b, good[i].text, good[i].len);
		px_buf_adds(&b, ",{}]}");
		if (check(b.data, b.len))
			fail_msg("%s is refused inside an array", good[i].name);
		px_buf_release(&b);
	}
}

static void files_are_judged_by_name(void **state)
{
	static const char *const names[] = {"y_all_white_space.json", "n_byte_order_mark.json",
		"n_latin1.json", "n_utf16.json", "n_nul_at_end.json", "n_proxy_page.json",
		"n_empty.json", "n_two_values.json", "n_cut_short.json"};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		size_t len;
		char *text = load(names[i], &len);

		if (check(text, len) != (*names[i] == 'y' ? PX_OK : PX_ESYNTAX))
			fail_msg("%s", names[i]);
		free(text);
	}
}

/* Every text of up to five characters that a number could be made of. */
static void numbers_agree_with_their_grammar(void **state)
{
	static const char letters[] = "-+.eE015 ";
	regex_t grammar;
	char text[6];

	(void)state;
	assert_int_equal(regcomp(&grammar, "^ *-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)? *$",
				 REG_EXTENDED | REG_NOSUB),
		0);
	for (int len = 1; len <= 5; len++) {
		unsigned n = 1;

		for (int i = 0; i < len; i++)
			n *= sizeof letters - 1;
		for (unsigned k = 0; k < n; k++) {
			unsigned rest = k;

			for (int i = 0; i < len; i++, rest /= sizeof letters - 1)
				text[i] = letters[rest % (sizeof letters - 1)];
			text[len] = '\0';
			if (!px_json_check(text, (size_t)len, NULL) !=
				!regexec(&grammar, text, 0, NULL, 0))
				fail_msg("'%s'", text);
		}
	}
	regfree(&grammar);
}

/* Whether these bytes are one character that is encoded as shortly as possible, by its value. */
static bool is_character(const unsigned char *u, size_t len)
{
	static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned code;

	if (len == 1)
		return u[0] < 0x80;
	if (len == 2 && (u[0] & 0xe0) == 0xc0)
		code = u[0] & 0x1f;
	else if (len == 3 && (u[0] & 0xf0) == 0xe0)
		code = u[0] & 0x0f;
	else if (len == 4 && (u[0] & 0xf8) == 0xf0)
		code = u[0] & 0x07;
	else
		return false;
	for (size_t i = 1; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return false;
		code = code << 6 | (u[i] & 0x3f);
	}
	return code >= least[len] && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
}

/* Every lead byte with continuations from both sides of each boundary. */
static void utf8_agrees_with_its_definition(void **state)
{
	static const unsigned char edges[] = {
		0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff, 'a'};
	unsigned char text[8] = {'"'};

	(void)state;
	for (unsigned lead = 0x80; lead < 0x100; lead++)
		for (size_t k = 0; k < COUNT(edges) * COUNT(edges) * COUNT(edges); k++) {
			text[1] = (unsigned char)lead;
			text[2] = edges[k % 10];
			text[3] = edges[k / 10 % 10];
			text[4] = edges[k / 100];
			for (size_t len = 1; len <= 4; len++) {
				unsigned char after = text[len + 1];
				bool want = is_character(text + 1, len);

				/* a shorter character may be followed by 'a' or DEL */
				for (size_t n = 2; !want && n < len; n++) {
					want = is_character(text + 1, n);
					for (size_t i = n + 1; i <= len; i++)
						want &= text[i] < 0x80;
				}
				text[len + 1] = '"';
				if (!px_json_check((char *)text, len + 2, NULL) != want)
					fail_msg("%02x %02x %02x %02x, %zu bytes", text[1], text[2],
						text[3], text[4], len);
				text[len + 1] = after;
			}
		}
}

/* Long strings are read eight bytes at a time: a byte that matters is seen wherever it stands. */
static void no_byte_of_a_string_is_missed(void **state)
{
	char text[48];

	(void)state;
	for (size_t len = 3; len < sizeof text; len++)
		for (size_t at = 1; at < len - 1; at++)
			for (unsigned c = 0; c < 256; c++) {
				memset(text, 'x', len);
				text[0] = text[len - 1] = '"';
				text[at] = (char)c;
				if (!px_json_check(text, len, NULL) !=
					(c >= 0x20 && c < 0x80 && c != '"' && (c != '\\')))
					fail_msg("byte %02x at %zu of %zu", c, at, len);
			}
}

static void depth_is_bounded(void **state)
{
	enum { MAX = PX_JSON_DEPTH_MAX };
	static const char *const open[] = {"[", "{\"a\":", "[{\"a\":"};
	static const char *const close[] = {"]", "}", "}]"};

	(void)state;
	for (size_t k = 0; k < COUNT(open); k++) {
		size_t each = k == 2 ? 2 : 1;
		struct px_buf b = PX_BUF_INIT(10000), deep = PX_BUF_INIT(10000);

		for (size_t i = 0; i < MAX / each; i++)
			px_buf_adds(&b, open[k]);
		px_buf_adds(&b, "1");
		for (size_t i = 0; i < MAX / each; i++)
			px_buf_adds(&b, close[k]);
		assert_int_equal(check(b.data, b.len), 0);
		px_buf_addf(&deep, "[%s]", b.data);
		assert_int_equal(check(deep.data, deep.len), PX_ELIMIT);
		px_buf_release(&b);
		px_buf_release(&deep);
	}
	/* side by side is no depth */
	{
		struct px_buf b = PX_BUF_INIT(10000);

		px_buf_adds(&b, "[[]");
		for (int i = 0; i < 2 * MAX; i++)
			px_buf_adds(&b, ",[]");
		px_buf_adds(&b, "]");
		assert_int_equal(check(b.data, b.len), 0);
		px_buf_release(&b);
	}
}

static void every_cut_is_refused(void **state)
{
	static const char *const names[] = {"record_resident.json", "page_documented.json",
		"delivery_data_update_envelope.json"};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		size_t len;
		char *text = load(names[i], &len);

		assert_int_equal(check(text, len), 0);
		while (text[len - 1] == '\n')
			len--;
		for (size_t k = 0; k < len; k++)
			if (check(text, k) != PX_ESYNTAX)
				fail_msg("%s passes when cut at %zu", names[i], k);
		free(text);
	}
}

static void the_error_names_the_place_but_not_the_content(void **state)
{
	struct px_err err = {0};

	(void)state;
	assert_int_equal(px_json_check("{\"secret\":tru}", 14, &err), PX_ESYNTAX);
	assert_non_null(strstr(err.msg, "byte 10"));
	assert_null(strstr(err.msg, "secret"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_texts_pass),
		cmocka_unit_test(wrong_texts_do_not),
		cmocka_unit_test(wrong_texts_do_not_inside_others),
		cmocka_unit_test(good_texts_stand_inside_others),
		cmocka_unit_test(files_are_judged_by_name),
		cmocka_unit_test(numbers_agree_with_their_grammar),
		cmocka_unit_test(utf8_agrees_with_its_definition),
		cmocka_unit_test(no_byte_of_a_string_is_missed),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(the_error_names_the_place_but_not_the_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
