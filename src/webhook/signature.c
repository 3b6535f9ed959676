/* SPDX-License-Identifier: MIT */
/*
 * signature.c - checked over the raw bytes, before any parsing.
 *
 * Invariant: the time taken depends on the lengths and the number of secrets, not on what is right
 * or wrong: each secret is tried, each comparison runs to its end.
 */
#include "propexofs/webhook.h"

#include <string.h>

#include "propexofs/hash.h"

bool px_signature_ok(const struct px_secret *secrets, size_t count, const char *signature,
	const void *body, size_t len)
{
	char given[PX_SHA256_HEX] = {0}, expected[PX_SHA256_HEX];
	bool ok = false;

	if (!signature || strlen(signature) != PX_SHA256_HEX - 1)
		return false;
	for (size_t i = 0; i < PX_SHA256_HEX - 1; i++)
		given[i] = signature[i] >= 'A' && signature[i] <= 'F' ? (char)(signature[i] + 32)
								      : signature[i];
	for (size_t i = 0; i < count; i++) {
		px_hmac_sha256_hex(secrets[i].text, secrets[i].len, body, len, expected);
		ok |= px_equal_const_time(given, expected, PX_SHA256_HEX - 1);
	}
	px_wipe(expected, sizeof expected);
	return ok;
}
