/* SPDX-License-Identifier: MIT */
/* test_base.c - buffer, errors, UTF-8, clock, hash: what everything else stands on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "propexofs/buf.h"
#include "propexofs/clock.h"
#include "propexofs/err.h"
#include "propexofs/hash.h"
#include "propexofs/utf8.h"

static void buffer_keeps_its_maximum(void **state)
{
	struct px_buf b = PX_BUF_INIT(10);

	(void)state;
	assert_int_equal(px_buf_adds(&b, "12345"), 0);
	assert_int_equal(px_buf_adds(&b, "67890"), 0);
	assert_int_equal(px_buf_addc(&b, 'x'), PX_ELIMIT);
	assert_string_equal(b.data, "1234567890");
	assert_int_equal(px_buf_adds(&b, ""), PX_ELIMIT);
	assert_int_equal(px_buf_ok(&b, NULL), PX_ELIMIT);
	px_buf_reset(&b);
	assert_int_equal(px_buf_addf(&b, "%s-%d", "ab", 12), 0);
	assert_string_equal(b.data, "ab-12");
	px_buf_truncate(&b, 2);
	assert_string_equal(b.data, "ab");
	px_buf_release(&b);
	assert_null(b.data);
}

static void stealing_an_empty_buffer_gives_an_empty_string(void **state)
{
	struct px_buf b = PX_BUF_INIT(0);
	size_t len = 1;
	char *s = px_buf_steal(&b, &len);

	(void)state;
	assert_non_null(s);
	assert_int_equal(len, 0);
	assert_string_equal(s, "");
	free(s);
}

static void json_strings_are_always_valid(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} cases[] = {
		{"", 0, "\"\""},
		{"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
		{"\n\t\0\x7f", 4, "\"\\n\\u0009\\u0000\\u007f\""},
		{"\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\""},
		{"\xc3", 1, "\"\xef\xbf\xbd\""},
		{"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct px_buf b = PX_BUF_INIT(100);

		px_buf_add_json(&b, cases[i].in, cases[i].len);
		assert_int_equal(px_buf_ok(&b, NULL), 0);
		assert_string_equal(b.data, cases[i].out);
		px_buf_release(&b);
	}
}

static void errors_are_one_line_with_context(void **state)
{
	struct px_err err;

	(void)state;
	assert_int_equal(px_err_set(&err, PX_ENOENT, "no\nsuch %s", "thing"), PX_ENOENT);
	assert_int_equal(px_err_ctx(&err, "while %d", 7), PX_ENOENT);
	assert_string_equal(err.msg, "while 7: no such thing");
	assert_int_equal(px_err_sys(&err, ENOSPC, "writing"), PX_EFULL);
	assert_int_equal(err.sys, ENOSPC);
	assert_int_equal(px_rc_errno(PX_EFULL), ENOSPC);
	assert_int_equal(px_rc_errno(0), 0);
	assert_string_equal(px_rc_name(PX_ESYNTAX), "ESYNTAX");
	assert_int_equal(px_err_set(NULL, PX_EIO, "nobody listens"), PX_EIO);
}

static void utf8_round_trip_over_all_characters(void **state)
{
	(void)state;
	for (unsigned code = 0; code <= 0x10ffff; code++) {
		char s[4];
		size_t n = px_utf8_put(code, s);

		assert_int_equal(px_utf8_len(s, n), n);
		if (n > 1)
			assert_int_equal(px_utf8_len(s, n - 1), 0);
	}
	assert_int_equal(px_utf8_len("\xc0\x80", 2), 0);
	assert_int_equal(px_utf8_len("\xf4\x90\x80\x80", 4), 0);
	assert_int_equal(px_utf8_len("\x80", 1), 0);
	assert_int_equal(px_utf8_len("", 0), 0);
}

static void times_parse_and_print(void **state)
{
	static const struct {
		const char *in;
		int64_t ns;
	} good[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01", 0},
		{"2026-11-23T07:36:40.123Z", INT64_C(1795419400123000000)},
		{"2026-11-23 07:36:40.123456789", INT64_C(1795419400123456789)},
		{"2026-11-23T09:36:40.5+02:00", INT64_C(1795419400500000000)},
		{"2026-11-23T07:36Z", INT64_C(1795419360000000000)},
		{"1969-12-31T23:59:59Z", INT64_C(-1000000000)},
		{"2024-02-29", INT64_C(1709164800000000000)},
	};
	static const char *const bad[] = {"", "2026", "2026-13-01", "2026-01-32", "2026-01-01T",
		"2026-01-01T25:00:00Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx",
		"20260101", "9999-01-01", "0001-01-01T00:00:00Z"};
	char text[PX_TIME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		int64_t ns = -1;

		assert_int_equal(px_time_parse(good[i].in, strlen(good[i].in), &ns), 0);
		assert_true(ns == good[i].ns);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int64_t ns;

		assert_int_equal(px_time_parse(bad[i], strlen(bad[i]), &ns), -1);
	}
	assert_string_equal(
		px_time_format_ms(INT64_C(1795419400123), text), "2026-11-23T07:36:40.123Z");
	assert_string_equal(px_time_format_s(-1, text), "1969-12-31T23:59:59Z");
	assert_string_equal(px_time_format_day(INT64_C(1795419400123), text), "2026-11-23");
	assert_string_equal(px_time_format_day(INT64_MAX, text), "9999-12-31");
}

static void hashes_match_published_vectors(void **state)
{
	char hex[PX_SHA256_HEX];

	(void)state;
	px_sha256_hex("abc", 3, hex);
	assert_string_equal(
		hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	/* API reference, section 13.3 */
	px_hmac_sha256_hex("0123456789", 10, "{\"a\":1}", 7, hex);
	assert_string_equal(
		hex, "ba8e563ab2fa561bfe8b793d8c3b93d159f33d0a4ea236edafa2ff2ac0a6635c");
	assert_true(px_equal_const_time("same", "same", 4));
	assert_false(px_equal_const_time("same", "sane", 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_keeps_its_maximum),
		cmocka_unit_test(stealing_an_empty_buffer_gives_an_empty_string),
		cmocka_unit_test(json_strings_are_always_valid),
		cmocka_unit_test(errors_are_one_line_with_context),
		cmocka_unit_test(utf8_round_trip_over_all_characters),
		cmocka_unit_test(times_parse_and_print),
		cmocka_unit_test(hashes_match_published_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
