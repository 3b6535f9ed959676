/* SPDX-License-Identifier: MIT */
/*
 * feed.c - an unbounded list of batches under one leaf lock.
 *
 * Invariants: a batch is owned by exactly one side at a time; `backlog` counts the changes of all
 * batches in the list; nothing is called while the lock is held.
 */
#include "propexofs/feed.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"

enum { ARENA_BLOCK = 16 << 10 };

struct px_arena_block {
	struct px_arena_block *next;
	size_t used, size;
	char data[];
};

struct px_feed {
	pthread_mutex_t lock;
	pthread_cond_t arrived;
	struct px_changes *head, **tail; /* guarded by: lock */
	size_t backlog;			 /* guarded by: lock */
	bool closed;			 /* guarded by: lock */
};

struct px_changes *px_changes_new(void)
{
	return calloc(1, sizeof(struct px_changes));
}

void px_changes_free(struct px_changes *c)
{
	if (!c)
		return;
	while (c->arena) {
		struct px_arena_block *next = c->arena->next;

		free(c->arena);
		c->arena = next;
	}
	free(c->list);
	free(c);
}

static const char *arena_copy(struct px_changes *c, const char *s)
{
	size_t len = strlen(s) + 1;
	char *copy;

	if (!c->arena || c->arena->size - c->arena->used < len) {
		size_t size = len > ARENA_BLOCK ? len : ARENA_BLOCK;
		struct px_arena_block *block = malloc(sizeof *block + size);

		if (!block)
			return NULL;
		block->next = c->arena;
		block->used = 0;
		block->size = size;
		c->arena = block;
	}
	copy = c->arena->data + c->arena->used;
	memcpy(copy, s, len);
	c->arena->used += len;
	return copy;
}

px_rc px_changes_add(struct px_changes *c, const struct px_change *change)
{
	const char *name = NULL;

	if (c->count == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 16;
		struct px_change *list = realloc(c->list, cap * sizeof *list);

		if (!list)
			return PX_ENOMEM;
		c->list = list;
		c->cap = cap;
	}
	if (change->name) {
		name = arena_copy(c, change->name);
		if (!name)
			return PX_ENOMEM;
	}
	c->list[c->count] = *change;
	c->list[c->count++].name = name;
	return PX_OK;
}

void px_changes_truncate(struct px_changes *c, size_t count)
{
	if (count < c->count)
		c->count = count;
}

struct px_feed *px_feed_new(void)
{
	struct px_feed *f = calloc(1, sizeof *f);

	if (!f)
		return NULL;
	f->tail = &f->head;
	if (pthread_mutex_init(&f->lock, NULL)) {
		free(f);
		return NULL;
	}
	if (px_clock_cond_init(&f->arrived)) {
		pthread_mutex_destroy(&f->lock);
		free(f);
		return NULL;
	}
	return f;
}

void px_feed_free(struct px_feed *f)
{
	if (!f)
		return;
	while (f->head) {
		struct px_changes *next = f->head->next;

		px_changes_free(f->head);
		f->head = next;
	}
	pthread_cond_destroy(&f->arrived);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

void px_feed_publish(struct px_feed *f, struct px_changes *c)
{
	bool taken = false;

	if (c->count) {
		c->next = NULL;
		c->committed_mono_ns = px_clock_mono_ns();
		pthread_mutex_lock(&f->lock);
		if (!f->closed) {
			*f->tail = c;
			f->tail = &c->next;
			f->backlog += c->count;
			taken = true;
			pthread_cond_signal(&f->arrived);
		}
		pthread_mutex_unlock(&f->lock);
	}
	if (!taken)
		px_changes_free(c);
}

struct px_changes *px_feed_take(struct px_feed *f, int64_t deadline_mono_ms)
{
	struct px_changes *c;

	pthread_mutex_lock(&f->lock);
	while (!f->head && !f->closed)
		if (px_clock_cond_wait(&f->arrived, &f->lock, deadline_mono_ms))
			break;
	c = f->head;
	if (c) {
		f->head = c->next;
		if (!f->head)
			f->tail = &f->head;
		f->backlog -= c->count;
		c->next = NULL;
	}
	pthread_mutex_unlock(&f->lock);
	return c;
}

void px_feed_close(struct px_feed *f)
{
	pthread_mutex_lock(&f->lock);
	f->closed = true;
	pthread_cond_broadcast(&f->arrived);
	pthread_mutex_unlock(&f->lock);
}

bool px_feed_closed(struct px_feed *f)
{
	bool closed;

	pthread_mutex_lock(&f->lock);
	closed = f->closed;
	pthread_mutex_unlock(&f->lock);
	return closed;
}

size_t px_feed_backlog(struct px_feed *f)
{
	size_t backlog;

	pthread_mutex_lock(&f->lock);
	backlog = f->backlog;
	pthread_mutex_unlock(&f->lock);
	return backlog;
}
