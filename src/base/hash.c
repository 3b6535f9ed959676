/* SPDX-License-Identifier: MIT */
/* hash.c - thin over libcrypto, so that nothing else needs to know it. */
#include "propexofs/hash.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

static void hex(const unsigned char *digest, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < PX_SHA256_LEN; i++) {
		ret[2 * i] = digits[digest[i] >> 4];
		ret[2 * i + 1] = digits[digest[i] & 15];
	}
	ret[PX_SHA256_HEX - 1] = '\0';
}

void px_sha256(const void *data, size_t len, unsigned char ret[PX_SHA256_LEN])
{
	/* the one-shot call fails only when the library itself is unusable: nothing could go on */
	if (!SHA256(data, len, ret))
		abort();
}

void px_sha256_hex(const void *data, size_t len, char ret[PX_SHA256_HEX])
{
	unsigned char digest[PX_SHA256_LEN];

	px_sha256(data, len, digest);
	hex(digest, ret);
}

void px_hmac_sha256_hex(
	const void *key, size_t key_len, const void *data, size_t len, char ret[PX_SHA256_HEX])
{
	unsigned char digest[PX_SHA256_LEN];
	unsigned int n = sizeof digest;

	if (!HMAC(EVP_sha256(), key, (int)key_len, data, len, digest, &n) || n != sizeof digest)
		abort();
	hex(digest, ret);
}

bool px_equal_const_time(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void px_wipe(void *data, size_t len)
{
	OPENSSL_cleanse(data, len);
}
