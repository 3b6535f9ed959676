/* SPDX-License-Identifier: MIT */
/*
 * known.c - how many references the kernel holds to each version's inode.
 *
 * Invariants: a reference is counted before the reply that hands it out leaves, and taken back by
 * FORGET or when the reply could not be delivered; so a count of zero means that the kernel does
 * not know the inode, and its version may be deleted. A chunk of counts exists only while one of
 * them is not zero: memory follows what the kernel caches, not what ever was.
 *
 * The request thread counts, retention asks: the lock is a leaf.
 */
#include "fs_i.h"

#include <stdlib.h>

enum { CHUNK = 1 << 13, CHUNKS = 1 << 18 };

struct chunk {
	uint32_t held; /* counts that are not zero */
	uint32_t count[CHUNK];
};

struct known {
	pthread_mutex_t lock;
	struct chunk *chunks[CHUNKS]; /* guarded by: lock */
};

struct known *known_new(void)
{
	struct known *k = calloc(1, sizeof *k);

	if (k && pthread_mutex_init(&k->lock, NULL)) {
		free(k);
		return NULL;
	}
	return k;
}

void known_free(struct known *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < CHUNKS; i++)
		free(k->chunks[i]);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

static struct chunk **chunk_of(struct known *k, int64_t ino)
{
	uint64_t n = (uint64_t)(ino - PX_INO_FIRST) / CHUNK;

	return ino < PX_INO_FIRST || n >= CHUNKS ? NULL : &k->chunks[n];
}

static uint32_t *count_of(struct chunk *c, int64_t ino)
{
	return &c->count[(uint64_t)(ino - PX_INO_FIRST) % CHUNK];
}

bool known_add(struct known *k, int64_t ino)
{
	struct chunk **at = chunk_of(k, ino);
	bool ok = false;

	if (!at)
		return false;
	pthread_mutex_lock(&k->lock);
	if (!*at)
		*at = calloc(1, sizeof **at);
	if (*at) {
		(*at)->held += !(*count_of(*at, ino))++;
		ok = true;
	}
	pthread_mutex_unlock(&k->lock);
	return ok;
}

void known_drop(struct known *k, int64_t ino, uint64_t references)
{
	struct chunk **at = chunk_of(k, ino);
	uint32_t *count;

	if (!at)
		return;
	pthread_mutex_lock(&k->lock);
	count = *at ? count_of(*at, ino) : NULL;
	if (count && *count) {
		*count -= references < *count ? (uint32_t)references : *count;
		if (!*count && !--(*at)->held) {
			free(*at);
			*at = NULL;
		}
	}
	pthread_mutex_unlock(&k->lock);
}

bool known_get(struct known *k, int64_t ino)
{
	struct chunk **at = chunk_of(k, ino);
	bool known;

	if (!at)
		return false;
	pthread_mutex_lock(&k->lock);
	known = *at && *count_of(*at, ino);
	pthread_mutex_unlock(&k->lock);
	return known;
}
