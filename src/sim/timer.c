/* SPDX-License-Identifier: MIT */
/*
 * timer.c - one thread that calls back at a time of px_clock.
 *
 * Delayed answers, trickled bodies, steps of a sync and the live mode hang on it, so a sleeping
 * answer costs no thread. Invariant: every entry added is called exactly once, at its time or, with
 * s->stopping set, when the timer stops; a suspended connection is therefore always resumed before
 * the server stops.
 */
#include "sim.h"

#include <stdlib.h>

#include "propexofs/clock.h"

struct entry {
	int64_t at_ms;
	uint64_t order; /* equal times: first come, first called */
	bool step;
	void (*fn)(struct sim *s, void *arg);
	void *arg;
};

struct timer {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	struct entry *heap;
	size_t n, cap;
	uint64_t order;
	int steps; /* entries with `step`, the running one included */
	bool stop, done;
};

static bool before(const struct entry *a, const struct entry *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(struct entry *a, struct entry *b)
{
	struct entry t = *a;

	*a = *b;
	*b = t;
}

static void push(struct timer *t, struct entry e)
{
	size_t i = t->n++;

	t->heap[i] = e;
	for (; i && before(&t->heap[i], &t->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&t->heap[i], &t->heap[(i - 1) / 2]);
}

static struct entry pop(struct timer *t)
{
	struct entry top = t->heap[0];
	size_t i = 0;

	t->heap[0] = t->heap[--t->n];
	for (;;) {
		size_t least = i, left = 2 * i + 1;

		if (left < t->n && before(&t->heap[left], &t->heap[least]))
			least = left;
		if (left + 1 < t->n && before(&t->heap[left + 1], &t->heap[least]))
			least = left + 1;
		if (least == i)
			return top;
		swap(&t->heap[i], &t->heap[least]);
		i = least;
	}
}

static void *run(void *arg)
{
	struct sim *s = arg;
	struct timer *t = s->timer;

	(void)pthread_mutex_lock(&t->lock);
	while (!t->stop || t->n) {
		int64_t now = px_clock_mono_ms();

		if (!t->n) {
			(void)px_clock_cond_wait(&t->wake, &t->lock, now + 1000);
			continue;
		}
		if (!t->stop && t->heap[0].at_ms > now) {
			(void)px_clock_cond_wait(&t->wake, &t->lock, t->heap[0].at_ms);
			continue;
		}
		struct entry e = pop(t);
		(void)pthread_mutex_unlock(&t->lock);
		e.fn(s, e.arg);
		(void)pthread_mutex_lock(&t->lock);
		t->steps -= e.step;
	}
	t->done = true;
	(void)pthread_mutex_unlock(&t->lock);
	return NULL;
}

px_rc timer_start(struct sim *s, struct px_err *err)
{
	int sys;

	s->timer = calloc(1, sizeof *s->timer);
	if (!s->timer)
		return px_err_nomem(err);
	(void)pthread_mutex_init(&s->timer->lock, NULL);
	(void)px_clock_cond_init(&s->timer->wake);
	sys = pthread_create(&s->timer->thread, NULL, run, s);
	if (sys) {
		(void)pthread_mutex_destroy(&s->timer->lock);
		(void)pthread_cond_destroy(&s->timer->wake);
		free(s->timer);
		s->timer = NULL;
		return px_err_sys(err, sys, "timer thread");
	}
	return PX_OK;
}

static bool add(
	struct sim *s, int64_t mono_ms, void (*fn)(struct sim *s, void *arg), void *arg, bool step)
{
	struct timer *t = s->timer;
	bool ok = false;

	(void)pthread_mutex_lock(&t->lock);
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		struct entry *heap = realloc(t->heap, cap * sizeof *heap);

		if (heap) {
			t->heap = heap;
			t->cap = cap;
		}
	}
	if (!t->stop && t->n < t->cap) {
		push(t, (struct entry){mono_ms, t->order++, step, fn, arg});
		t->steps += step;
		ok = true;
		(void)pthread_cond_signal(&t->wake);
	}
	(void)pthread_mutex_unlock(&t->lock);
	return ok;
}

bool timer_add(struct sim *s, int64_t mono_ms, void (*fn)(struct sim *s, void *arg), void *arg)
{
	return add(s, mono_ms, fn, arg, false);
}

bool timer_add_step(struct sim *s, int64_t mono_ms, void (*fn)(struct sim *s, void *arg), void *arg)
{
	return add(s, mono_ms, fn, arg, true);
}

int timer_steps(struct sim *s)
{
	int steps;

	(void)pthread_mutex_lock(&s->timer->lock);
	steps = s->timer->steps;
	(void)pthread_mutex_unlock(&s->timer->lock);
	return steps;
}

void timer_stop(struct sim *s)
{
	struct timer *t = s->timer;

	if (!t)
		return;
	(void)pthread_mutex_lock(&t->lock);
	t->stop = true;
	(void)pthread_cond_signal(&t->wake);
	(void)pthread_mutex_unlock(&t->lock);
	(void)pthread_join(t->thread, NULL);
}

void timer_free(struct sim *s)
{
	if (!s->timer)
		return;
	(void)pthread_mutex_destroy(&s->timer->lock);
	(void)pthread_cond_destroy(&s->timer->wake);
	free(s->timer->heap);
	free(s->timer);
	s->timer = NULL;
}
