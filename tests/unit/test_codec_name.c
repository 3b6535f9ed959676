/* SPDX-License-Identifier: MIT */
/* test_codec_name.c - names of record files: safe, short enough, and never shared by two ids. */
#include "test_codec_util.h"

#include <ctype.h>

#include "propexofs/hash.h"

/* The rules that hold for every name. */
static void assert_safe(const char *name)
{
	size_t len = strlen(name);

	assert_true(len > 5 && len <= PX_NAME_MAX);
	assert_string_equal(name + len - 5, ".json");
	assert_true(*name != '.');
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '%' && len > 6) {
			assert_true(isxdigit((unsigned char)name[i + 1]) &&
				    !islower((unsigned char)name[i + 1]));
			assert_true(isxdigit((unsigned char)name[i + 2]) &&
				    !islower((unsigned char)name[i + 2]));
			i += 2;
		} else if (!isalnum((unsigned char)name[i]) && !strchr("._-~%", name[i])) {
			fail_msg("%s", name);
		}
	}
}

static const char *name_of(const char *id, size_t len, char room[PX_NAME_MAX + 1])
{
	char *copy = exact(id, len);

	memset(room, 0x55, PX_NAME_MAX + 1);
	px_record_name(copy, len, room);
	free(copy);
	assert_safe(room);
	return room;
}

static void names(void **state)
{
	static const struct {
		const char *id, *name;
	} rows[] = {{"cly301zs1000109jv26hx7hii", "cly301zs1000109jv26hx7hii.json"},
		{"A", "A.json"}, {"a", "a.json"}, {"a/b", "a%2Fb.json"}, {"..", "%2E..json"},
		{".", "%2E.json"}, {"...", "%2E...json"}, {".a.b", "%2Ea.b.json"},
		{"a.", "a..json"}, {"-x_Y.9", "-x_Y.9.json"}, {"%2F", "%252F.json"},
		{"a b%~:", "a%20b%25%7E%3A.json"}, {"\xc3\xa9", "%C3%A9.json"}, {" ", "%20.json"},
		{"\n", "%0A.json"}, {"\x7f", "%7F.json"}, {"\\", "%5C.json"},
		{"a.json", "a.json.json"}, {"", "%.json"}, {"*?\"<>|", "%2A%3F%22%3C%3E%7C.json"}};
	char room[PX_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(name_of(rows[i].id, strlen(rows[i].id), room), rows[i].name);
	assert_string_equal(name_of("a\0b", 3, room), "a%00b.json");
}

/* Every pair of one- and two-byte ids. */
static void short_ids_never_share_a_name(void **state)
{
	enum { N = 256 + 256 * 256 };
	static char all[N][16];
	char room[PX_NAME_MAX + 1];
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		char id[2] = {(char)(i < 256 ? i : i - 256), (char)((i - 256) >> 8)};

		name_of(id, i < 256 ? 1 : 2, room);
		assert_true(strlen(room) < sizeof all[0]);
		memcpy(all[n++], room, strlen(room) + 1);
	}
	qsort(all, N, sizeof all[0], (int (*)(const void *, const void *))strcmp);
	for (size_t i = 1; i < N; i++)
		if (!strcmp(all[i - 1], all[i]))
			fail_msg("%s", all[i]);
}

static void long_ids_are_cut(void **state)
{
	char id[600], room[PX_NAME_MAX + 1], other[PX_NAME_MAX + 1], hex[PX_SHA256_HEX];

	(void)state;
	for (size_t n = 1; n < sizeof id; n++) {
		memset(id, 'a', n);
		name_of(id, n, room);
		if (n <= 250) {
			assert_int_equal(strlen(room), n + 5);
			assert_null(strchr(room, '~'));
		} else {
			assert_int_equal(strlen(room), PX_NAME_MAX);
			px_sha256_hex(id, n, hex);
			assert_int_equal(room[PX_NAME_MAX - 5 - 17], '~');
			assert_memory_equal(room + PX_NAME_MAX - 5 - 16, hex, 16);
		}
		/* they differ where the cut name does not show it */
		id[n - 1] = 'b';
		assert_string_not_equal(room, name_of(id, n, other));
		id[n - 1] = 'A';
		assert_string_not_equal(room, name_of(id, n, other));
	}
}

/* Whatever stands where the cut falls: an escape is there whole or not at all, and no room is
 * wasted that another character could have used. */
static void escapes_are_never_cut(void **state)
{
	char id[400], room[PX_NAME_MAX + 1];

	(void)state;
	for (size_t lead = 0; lead < 260; lead++)
		for (size_t escapes = 1; escapes < 90; escapes += 4) {
			size_t kept;

			memset(id, 'a', lead);
			memset(id + lead, '/', escapes);
			memset(id + lead + escapes, 'b', 40);
			name_of(id, lead + escapes + 40, room);
			if (lead + 3 * escapes + 40 <= 250) {
				assert_null(strchr(room, '~'));
				continue;
			}
			assert_non_null(strchr(room, '~'));
			kept = (size_t)(strchr(room, '~') - room);
			assert_true(kept <= 233 && kept >= 231);
			if (kept >= lead && kept < lead + 3 * escapes)
				assert_int_equal((kept - lead) % 3, 0);
			else
				assert_int_equal(kept, 233);
		}
}

/* An id that looks like what another one's cut name was made of. */
static void a_cut_name_cannot_be_forged(void **state)
{
	char id[300], room[PX_NAME_MAX + 1], other[PX_NAME_MAX + 1];

	(void)state;
	memset(id, 'a', sizeof id);
	name_of(id, sizeof id, room);
	assert_string_not_equal(room, name_of(room, strlen(room) - 5, other));
	assert_string_not_equal(room, name_of(room, strlen(room), other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(short_ids_never_share_a_name),
		cmocka_unit_test(long_ids_are_cut),
		cmocka_unit_test(escapes_are_never_cut),
		cmocka_unit_test(a_cut_name_cannot_be_forged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
