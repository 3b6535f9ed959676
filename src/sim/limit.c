/* SPDX-License-Identifier: MIT */
/*
 * limit.c - the account's requests a minute.
 *
 * Requests up to 80 % of the allowance are answered at once, the others 2 seconds late, and beyond
 * 100 % refused until the minute ends. Refused ones do not count. Whether the minute is fixed (from
 * the first request, or aligned to the clock) or sliding is undocumented, so all three are here.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"

static const int64_t MINUTE_MS = 60000;

struct limit {
	pthread_mutex_t lock;
	int64_t limit; /* 0: unlimited */
	int64_t used;
	int64_t window_ms; /* start; -1: none yet */
	int64_t *times;	   /* sliding: a ring of when the counted ones came */
	size_t ntimes, head, cap;
};

px_rc limit_init(struct sim *s)
{
	s->limit = calloc(1, sizeof *s->limit);
	if (!s->limit)
		return PX_ENOMEM;
	(void)pthread_mutex_init(&s->limit->lock, NULL);
	s->limit->limit = s->opt.rate_limit;
	s->limit->window_ms = -1;
	return PX_OK;
}

void limit_release(struct sim *s)
{
	if (!s->limit)
		return;
	(void)pthread_mutex_destroy(&s->limit->lock);
	free(s->limit->times);
	free(s->limit);
	s->limit = NULL;
}

static void roll(struct sim *s, struct limit *l, int64_t now)
{
	if (s->quirk[QUIRK_WINDOW_SLIDING]) {
		while (l->ntimes && l->times[l->head] + MINUTE_MS <= now) {
			l->head = (l->head + 1) % l->cap;
			l->ntimes--;
			l->used--;
		}
		return;
	}
	if (s->quirk[QUIRK_WINDOW_ALIGNED]) {
		int64_t start = px_clock_wall_ms() / MINUTE_MS;

		if (start != l->window_ms)
			l->used = 0;
		l->window_ms = start;
		return;
	}
	if (l->window_ms < 0 || now >= l->window_ms + MINUTE_MS) {
		l->window_ms = -1;
		l->used = 0;
	}
}

static void note_time(struct limit *l, int64_t now)
{
	if (l->ntimes == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 256;
		int64_t *times = malloc(cap * sizeof *times);

		if (!times)
			return;
		for (size_t i = 0; i < l->ntimes; i++)
			times[i] = l->times[(l->head + i) % l->cap];
		free(l->times);
		l->times = times;
		l->head = 0;
		l->cap = cap;
	}
	l->times[(l->head + l->ntimes++) % l->cap] = now;
}

static void count_one(struct sim *s, struct limit *l, int64_t now)
{
	l->used++;
	if (s->quirk[QUIRK_WINDOW_SLIDING])
		note_time(l, now);
	else if (!s->quirk[QUIRK_WINDOW_ALIGNED] && l->window_ms < 0)
		l->window_ms = now;
}

void limit_take(struct sim *s, struct verdict *ret)
{
	struct limit *l = s->limit;
	int64_t now = px_clock_mono_ms();

	*ret = (struct verdict){.limit = 1000000, .remaining = 1000000};
	(void)pthread_mutex_lock(&l->lock);
	if (l->limit) {
		roll(s, l, now);
		if (l->used >= l->limit) {
			ret->refused = true;
		} else {
			count_one(s, l, now);
			ret->slow = l->used * 5 > l->limit * 4;
		}
		ret->limit = l->limit;
		ret->remaining = l->limit - l->used;
	}
	(void)pthread_mutex_unlock(&l->lock);
}

void limit_set(struct sim *s, int64_t limit)
{
	(void)pthread_mutex_lock(&s->limit->lock);
	s->limit->limit = limit;
	(void)pthread_mutex_unlock(&s->limit->lock);
}

void limit_use(struct sim *s, int64_t used)
{
	int64_t now = px_clock_mono_ms();

	(void)pthread_mutex_lock(&s->limit->lock);
	roll(s, s->limit, now);
	while (used-- > 0 && s->limit->used < s->limit->limit)
		count_one(s, s->limit, now);
	(void)pthread_mutex_unlock(&s->limit->lock);
}

void limit_view(struct sim *s, int64_t *ret_limit, int64_t *ret_used, int64_t *ret_window_left_ms)
{
	struct limit *l = s->limit;
	int64_t now = px_clock_mono_ms();

	(void)pthread_mutex_lock(&l->lock);
	roll(s, l, now);
	*ret_limit = l->limit;
	*ret_used = l->used;
	*ret_window_left_ms = s->quirk[QUIRK_WINDOW_ALIGNED]
				      ? MINUTE_MS - px_clock_wall_ms() % MINUTE_MS
			      : s->quirk[QUIRK_WINDOW_SLIDING]
				      ? (l->ntimes ? l->times[l->head] + MINUTE_MS - now : 0)
			      : l->window_ms < 0 ? 0
						 : l->window_ms + MINUTE_MS - now;
	(void)pthread_mutex_unlock(&l->lock);
}
