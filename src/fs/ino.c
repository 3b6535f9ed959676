/* SPDX-License-Identifier: MIT */
/*
 * ino.c - numbers of nodes: pure arithmetic both ways.
 *
 * Invariant: node_unpack(node_pack(k, x)) is (k, x) for every kind and key below 2^44; the root is
 * 1; numbers of versions, from PX_INO_FIRST on, are the store's own and are not packed.
 */
#include "fs_i.h"

#include <assert.h>

enum { KEY_BITS = 44, DAY_BITS = 20 };

uint64_t node_pack(enum node_kind kind, int64_t key)
{
	assert(key >= 0 && key < INT64_C(1) << KEY_BITS);
	return kind == NODE_VERSION ? (uint64_t)key : (uint64_t)kind << KEY_BITS | (uint64_t)key;
}

struct node node_unpack(uint64_t ino)
{
	struct node n = {.kind = (enum node_kind)(ino >> KEY_BITS),
		.key = (int64_t)(ino & ((UINT64_C(1) << KEY_BITS) - 1))};

	if (n.kind == NODE_FIXED && n.key >= PX_INO_FIRST)
		n.kind = NODE_VERSION;
	return n;
}

uint64_t node_day(int64_t iid, int64_t day)
{
	return node_pack(NODE_DAY, iid << DAY_BITS | day);
}
