/* SPDX-License-Identifier: MIT */
/*
 * name.c - the name of a record's file, from its id alone.
 *
 * Invariants: the same id gives the same name, two ids never share one (percent is always encoded,
 * and a cut name carries a hash after '~', which is encoded too); no '/', NUL or leading dot; at
 * most PX_NAME_MAX bytes.
 */
#include "propexofs/codec.h"

#include <stdio.h>
#include <string.h>

#include "propexofs/hash.h"

static bool plain(char c, bool first)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '-')
		return true;
	return c == '.' && !first;
}

void px_record_name(const char *id, size_t id_len, char ret[PX_NAME_MAX + 1])
{
	static const char digits[] = "0123456789ABCDEF", tail[] = ".json";
	const size_t room = PX_NAME_MAX - (sizeof tail - 1), hash_len = 1 + 16;
	size_t len = 0, fits = 0;

	for (size_t i = 0; i < id_len; i++) {
		size_t n = plain(id[i], i == 0) ? 1 : 3;

		if (len + n > room) {
			char hex[PX_SHA256_HEX];

			px_sha256_hex(id, id_len, hex);
			(void)snprintf(ret + fits, PX_NAME_MAX + 1 - fits, "~%.16s%s", hex, tail);
			return;
		}
		if (n == 1) {
			ret[len] = id[i];
		} else {
			ret[len] = '%';
			ret[len + 1] = digits[(unsigned char)id[i] >> 4];
			ret[len + 2] = digits[(unsigned char)id[i] & 15];
		}
		len += n;
		if (len + hash_len <= room)
			fits = len;
	}
	memcpy(ret + len, tail, sizeof tail);
}
