/* SPDX-License-Identifier: MIT */
/*
 * unannounced.c - changes that the API's log names and that no delivery has announced (yet).
 *
 * Invariants: an entry stands for one change of one record, from when the API's log was found to
 * name it until a delivery for that record comes. A change is announced, too, by a delivery that
 * came before its row was read, unless it was there before the change itself: when each record was
 * last heard of is remembered, for tens of thousands of them. A change that is older than the wait
 * has proven its point: any later delivery of its integration, which shows that they come again,
 * ends it. The board has the oldest of each integration. In memory only: deliveries that nobody
 * could receive prove nothing, so what happened before this process listened is not noted.
 */
#include <stdlib.h>
#include <string.h>

#include "ingest_i.h"
#include "propexofs/hash.h"

enum {
	ENTRIES_MAX = 4096,
	WAIT_MS = 15 * 60 * 1000,
	CLOCKS_MS = 60 * 1000, /* that the API's clock may be ahead of ours */
	BUCKETS = 8192,
	WAYS = 8,
};

struct entry {
	int64_t iid, at_ms;
	unsigned char key[16];
};

/* A record that a delivery was about, and when that came; 0: none. */
struct heard {
	uint64_t key;
	int64_t at_ms;
};

struct px_unannounced {
	struct px_board *board;
	int64_t since_ms;
	struct entry list[ENTRIES_MAX];
	size_t count;
	struct heard heard[BUCKETS][WAYS]; /* in each bucket, the last one first */
};

struct px_unannounced *px_unannounced_new(struct px_board *board, int64_t since_ms)
{
	struct px_unannounced *u = calloc(1, sizeof *u);

	if (u) {
		u->board = board;
		u->since_ms = since_ms;
	}
	return u;
}

void px_unannounced_free(struct px_unannounced *u)
{
	free(u);
}

static void key_of(const char *model, const char *id, unsigned char key[16])
{
	unsigned char digest[PX_SHA256_LEN];
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(64 << 10);

	px_buf_adds(&b, model);
	px_buf_addc(&b, '/');
	px_buf_adds(&b, id);
	px_sha256(b.data ? b.data : "", b.len, digest);
	memcpy(key, digest, 16);
}

/* Where a record is in its bucket; the last place when it is not there. */
static size_t find_heard(struct px_unannounced *u, const unsigned char key[16], uint64_t *ret_key,
	struct heard **ret_bucket)
{
	size_t at = 0;

	memcpy(ret_key, key, sizeof *ret_key);
	*ret_bucket = u->heard[*ret_key % BUCKETS];
	while (at < WAYS - 1 && (*ret_bucket)[at].key != *ret_key)
		at++;
	return at;
}

static void remember(struct px_unannounced *u, const unsigned char key[16], int64_t now_ms)
{
	struct heard *bucket;
	uint64_t k;
	size_t at = find_heard(u, key, &k, &bucket);

	memmove(bucket + 1, bucket, at * sizeof *bucket);
	bucket[0] = (struct heard){.key = k, .at_ms = now_ms};
}

static bool is_announced(struct px_unannounced *u, const unsigned char key[16], int64_t at_ms)
{
	struct heard *bucket;
	uint64_t k;
	size_t at = find_heard(u, key, &k, &bucket);

	return bucket[at].key == k && bucket[at].at_ms && at_ms <= bucket[at].at_ms + CLOCKS_MS;
}

static void tell(struct px_unannounced *u, int64_t iid)
{
	int64_t oldest = 0;

	for (size_t i = 0; i < u->count; i++)
		if (u->list[i].iid == iid && (!oldest || u->list[i].at_ms < oldest))
			oldest = u->list[i].at_ms;
	if (u->board)
		px_board_set_unannounced(u->board, iid, oldest);
}

void px_unannounced_note(
	struct px_unannounced *u, int64_t iid, const char *model, const char *id, int64_t at_ms)
{
	struct entry e = {.iid = iid, .at_ms = at_ms};

	/* so many prove as much as more would */
	if (!u || at_ms < u->since_ms || u->count == ENTRIES_MAX)
		return;
	key_of(model, id, e.key);
	if (is_announced(u, e.key, at_ms))
		return;
	u->list[u->count++] = e;
	tell(u, iid);
}

void px_unannounced_heard(
	struct px_unannounced *u, int64_t iid, const char *model, const char *id, int64_t now_ms)
{
	unsigned char key[16];
	size_t kept = 0;

	if (!u)
		return;
	key_of(model, id, key);
	remember(u, key, now_ms);
	for (size_t i = 0; i < u->count; i++) {
		const struct entry *e = &u->list[i];

		if (e->iid != iid ||
			(memcmp(e->key, key, sizeof key) != 0 && now_ms - e->at_ms < WAIT_MS))
			u->list[kept++] = *e;
	}
	if (kept == u->count)
		return;
	u->count = kept;
	tell(u, iid);
}
