/* SPDX-License-Identifier: MIT */
/*
 * name.c - the name of a record's file, from its id alone.
 *
 * Invariants: the same id gives the same name, and two ids never share one: a name that is not cut
 * can be read back byte by byte, as '%' is always encoded; a name that is cut carries a hash of the
 * whole id behind '~', which no other name has. No '/', NUL or leading dot; PX_NAME_MAX bytes at
 * most.
 */
#include "codec_i.h"

#include "propexofs/hash.h"

enum { HASH_DIGITS = 16 };

static bool plain(char c, bool first)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || px_is_digit(c) || c == '_' ||
		c == '-')
		return true;
	return c == '.' && !first;
}

void px_record_name(const char *id, size_t id_len, char ret[PX_NAME_MAX + 1])
{
	static const char digits[] = "0123456789ABCDEF", tail[] = ".json";
	const size_t room = PX_NAME_MAX - (sizeof tail - 1), room_cut = room - 1 - HASH_DIGITS;
	size_t len = 0, len_cut = 0; /* of what leaves room for the tail; for hash and tail */

	for (size_t i = 0; i < id_len; i++) {
		bool as_is = plain(id[i], i == 0);

		if (len + (as_is ? 1 : 3) > room) {
			char hex[PX_SHA256_HEX];

			px_sha256_hex(id, id_len, hex);
			ret[len_cut] = '~';
			memcpy(ret + len_cut + 1, hex, HASH_DIGITS);
			len = len_cut + 1 + HASH_DIGITS;
			break;
		}
		if (as_is) {
			ret[len++] = id[i];
		} else {
			ret[len++] = '%';
			ret[len++] = digits[(unsigned char)id[i] >> 4];
			ret[len++] = digits[(unsigned char)id[i] & 15];
		}
		if (len <= room_cut)
			len_cut = len;
	}
	/* no record has an empty id; if one comes, its file is not hidden, and not another's */
	if (!id_len)
		ret[len++] = '%';
	memcpy(ret + len, tail, sizeof tail);
}
