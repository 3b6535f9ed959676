/* SPDX-License-Identifier: MIT */
/*
 * hash.h - SHA-256, HMAC and constant-time comparison over OpenSSL's libcrypto. Any thread.
 */
#ifndef PROPEXOFS_HASH_H
#define PROPEXOFS_HASH_H

#include <stdbool.h>
#include <stddef.h>

enum { PX_SHA256_LEN = 32, PX_SHA256_HEX = 65 };

void px_sha256(const void *data, size_t len, unsigned char ret[PX_SHA256_LEN]);
void px_sha256_hex(const void *data, size_t len, char ret[PX_SHA256_HEX]);

/* Lowercase hexadecimal HMAC-SHA256: the form of propexo-signature (API reference §13.3). */
void px_hmac_sha256_hex(
	const void *key, size_t key_len, const void *data, size_t len, char ret[PX_SHA256_HEX]);

/* Whether a and b, both of len bytes, are equal, in time that depends on len alone. */
bool px_equal_const_time(const void *a, const void *b, size_t len);

/* Overwrites with zeros; not optimised away. */
void px_wipe(void *data, size_t len);

#endif
