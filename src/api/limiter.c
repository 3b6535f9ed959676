/* SPDX-License-Identifier: MIT */
/*
 * limiter.c - how many requests a minute, and whose turn it is.
 *
 * The API tells in every answer how many requests it allows a minute and how many are left. It does
 * not tell when its minute begins, nor whether its window is fixed or slides, other clients eat
 * from the same allowance, and with several requests in flight answers arrive out of order. So two
 * ways of counting are kept, and every bound is made of what is certain:
 *
 * Sliding (the start): a request of ours counts from when it is sent until a minute after its
 * answer came. Whatever the server does, it never counts ours longer. What an answer told beyond
 * our own requests belongs to others, and is believed for a minute. This never refuses too late
 * under either kind of window, and with a single client loses only the latency of an answer.
 *
 * Fixed: proven by an answer that tells less than those requests of ours that a sliding window
 * would surely hold. Then used = the most that an answer of this window told + requests in flight;
 * usage only grows within a window, so the largest number told is the newest, in whatever order
 * answers come. An answer below what was known when its request left proves a new window: it began
 * before that answer arrived, and so ends at most a minute after. That is the only use of time:
 * when the share is used up, one request goes out a minute after the latest possible beginning, and
 * its answer opens the next window. No phase is assumed, so windows that start with the first
 * request are met as well. When that request shows that nothing was given back, the proof was wrong
 * and we are back at Sliding.
 *
 * After silence, after a refusal and at the start, one request goes alone and the others wait for
 * what it learns; one that gets no answer within three seconds is not waited for.
 *
 * Pure: no clock, no I/O. One thread at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "propexofs/api.h"

enum {
	MINUTE = 60000,
	GUARD = 100,	     /* ms that a minute may be longer than ours: two clocks never agree */
	GUARD_MAX = 4000,    /* what refusals can raise it to */
	SLOT = 50,	     /* ms: resolution of the history */
	SLOTS = 1296,	     /* of a minute, the guard and some more */
	SECONDS = 60,	     /* of the history by purpose */
	ASSUMED = 150,	     /* a minute, until told */
	UNLIMITED = 1000000, /* from here on an allowance is not worth a probe */
	STALE = 5000,	     /* ms without an answer after which others may have used anything */
	PROBE_PATIENCE = 3000,
	SLOWDOWN = 2000, /* ms that the API holds answers back at most */
	DELAY = 2500,	 /* ms: the API's slowdown and a round trip */
	NOISE = 3,	 /* what answers out of order make others seem to be */
	LOW = 8,	 /* as few as a window's first answers tell */
	TENTH = 10,	 /* every class with work gets one send of so many */
};

/* Counters since the start, as they were at the end of a slot. */
struct counters {
	int64_t sent, done;
	int64_t counted; /* that the server had surely counted by then */
	int64_t doubt;	 /* ended without telling a number: the server may have counted it or not */
};

struct px_limiter {
	int share;
	int64_t limit; /* as told, 0 not yet */
	int64_t shift; /* 1 when the server tells what was left before the request itself */
	int64_t guard;
	uint32_t random;

	struct counters now;
	struct counters history[SLOTS];
	int64_t slot; /* the one that `now` belongs to, -1 before the first call */

	bool probing; /* one request at a time until one that left since then is answered */
	bool probe_out;
	int64_t probe_ms;
	int64_t heard_ms; /* newest answer with a number, -1 none */
	int64_t paused_until_ms;

	/* sliding */
	int64_t trip_fast, trip_slow; /* shortest round trips up to 80 % and beyond, 0 none */
	int64_t others;		      /* in the minute before others_ms */
	int64_t others_ms;	      /* when the request that told it was sent */
	int64_t others_till;	      /* believed until then */

	/* fixed */
	bool fixed;
	unsigned generation; /* of windows */
	int64_t began_ms;    /* at the latest */
	int64_t used;	     /* the most that was told */
	int64_t unsure;	     /* answered before it was known that this window began */
	int64_t doubt_seen;  /* doubts that `used` includes */
	int64_t base;	     /* requests that surely were answered in older windows */
	int64_t gen_others;  /* at least so many of `used` are others' */
	int64_t last_rate;   /* others' requests a minute in windows before, slowly forgotten */

	int64_t credit[PX_PURPOSES];
	int64_t second;
	int64_t sent[PX_PURPOSES][SECONDS];
};

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void px_limiter_set_share(struct px_limiter *l, int share_percent)
{
	l->share = (int)most(1, least(100, share_percent));
}

struct px_limiter *px_limiter_new(int share_percent)
{
	struct px_limiter *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	px_limiter_set_share(l, share_percent);
	l->guard = GUARD;
	l->random = 2463534242U;
	l->slot = -1;
	l->heard_ms = -1;
	l->others_ms = INT64_MIN;
	return l;
}

void px_limiter_free(struct px_limiter *l)
{
	free(l);
}

/* ---- history */

static void advance(struct px_limiter *l, int64_t now_ms)
{
	int64_t slot = now_ms / SLOT, second = now_ms / 1000;

	if (l->slot < 0) {
		l->slot = slot;
		l->second = second;
	}
	for (int64_t s = most(l->slot, slot - SLOTS); s < slot; s++)
		l->history[s % SLOTS] = l->now;
	l->slot = most(l->slot, slot);
	for (int64_t s = most(l->second, second - SECONDS) + 1; s <= second; s++)
		for (size_t p = 0; p < PX_PURPOSES; p++)
			l->sent[p][s % SECONDS] = 0;
	l->second = most(l->second, second);
}

/* The counters at the end of a slot; the oldest kept for one that is older. */
static struct counters at_slot(const struct px_limiter *l, int64_t slot)
{
	static const struct counters none;

	if (slot >= l->slot)
		return l->now;
	slot = most(slot, l->slot - SLOTS + 1);
	return slot < 0 ? none : l->history[slot % SLOTS];
}

/* The counters at ms, at least and at most. */
static struct counters at_least(const struct px_limiter *l, int64_t ms)
{
	return at_slot(l, (ms < 0 ? ms - SLOT + 1 : ms) / SLOT - 1);
}

static struct counters at_most(const struct px_limiter *l, int64_t ms)
{
	return at_slot(l, (ms < 0 ? ms - SLOT + 1 : ms) / SLOT);
}

/* ---- room */

static int64_t minute(const struct px_limiter *l)
{
	return MINUTE + l->guard;
}

static int64_t allowed(const struct px_limiter *l)
{
	return l->limit ? l->limit : ASSUMED;
}

/* How many requests others sent in this window as far as it was seen, as a rate for a minute. */
static int64_t window_rate(const struct px_limiter *l)
{
	int64_t seen_ms = least(MINUTE, most(MINUTE / 6, l->heard_ms - l->began_ms));

	return l->gen_others * MINUTE / seen_ms;
}

static int64_t others_rate(const struct px_limiter *l, int64_t now_ms)
{
	if (l->fixed)
		return most(l->last_rate, window_rate(l));
	return now_ms < l->others_till && l->others > NOISE ? l->others : 0;
}

/* What others may send while we wait for an answer: the mean, and three times its deviation. */
static int64_t reserve(const struct px_limiter *l, int64_t now_ms)
{
	int64_t rate = others_rate(l, now_ms), mean = rate * DELAY / MINUTE, root = 0;

	while (root * root * MINUTE < rate * DELAY)
		root++;
	return rate ? mean + 3 * root + 1 : 0;
}

/* What may be used in all: the share, and no more than leaves others what they need, so that they
 * do not push us over the edge. */
static int64_t ceiling(const struct px_limiter *l, int64_t now_ms)
{
	int64_t cap = allowed(l) * l->share / 100;

	return most(1, least(cap, allowed(l) - reserve(l, now_ms)));
}

static int64_t used_sliding(const struct px_limiter *l, int64_t now_ms)
{
	int64_t ours = l->now.sent - at_least(l, now_ms - minute(l)).counted;

	return ours + (now_ms < l->others_till ? l->others : 0);
}

static int64_t used_fixed(const struct px_limiter *l)
{
	return l->used + l->now.sent - l->now.done + l->unsure + l->now.doubt - l->doubt_seen;
}

/* ms until the sliding count falls below cap, if no answer comes before. */
static int64_t sliding_wait(const struct px_limiter *l, int64_t cap, int64_t now_ms)
{
	int64_t over = used_sliding(l, now_ms) - cap + 1;
	int64_t from = now_ms - minute(l);
	int64_t target = at_least(l, from).counted + over;
	int64_t wait = now_ms < l->others_till ? l->others_till - now_ms : MINUTE;

	if (target > l->now.counted)
		return least(wait, 1000);
	for (int64_t s = from < 0 ? 0 : from / SLOT; s < l->slot; s++)
		if (at_slot(l, s).counted >= target)
			return least(wait, most(1, (s + 1) * SLOT - from));
	return least(wait, 1000);
}

/* 0, or how long there is no room. May find that it is time for a probe. */
static int64_t room(struct px_limiter *l, int64_t now_ms)
{
	int64_t cap = ceiling(l, now_ms);

	if (!l->fixed)
		return used_sliding(l, now_ms) < cap ? 0 : sliding_wait(l, cap, now_ms);
	if (used_fixed(l) < cap)
		return 0;
	if (now_ms < l->began_ms + minute(l))
		return l->began_ms + minute(l) - now_ms;
	if (!l->probing) {
		l->probing = true;
		l->probe_out = false;
	}
	return 0;
}

static int64_t probe_wait(struct px_limiter *l, int64_t now_ms)
{
	bool silent = l->heard_ms < 0 || now_ms - l->heard_ms > STALE;

	if (!l->probing && silent && l->now.sent == l->now.done && allowed(l) < UNLIMITED &&
		(l->limit || !l->now.done)) {
		l->probing = true;
		l->probe_out = false;
	}
	if (!l->probing || !l->probe_out || now_ms >= l->probe_ms + PROBE_PATIENCE)
		return 0;
	return l->probe_ms + PROBE_PATIENCE - now_ms;
}

/* ---- turns */

static enum px_purpose turn(const struct px_limiter *l, unsigned waiting)
{
	int best = -1;

	if (waiting & 1U << PX_FOR_CONTROL)
		return PX_FOR_CONTROL;
	for (int p = PX_FOR_CONTROL + 1; p < PX_PURPOSES; p++) {
		if (!(waiting & 1U << p))
			continue;
		if (best < 0 || (l->credit[p] >= TENTH - 1 && l->credit[p] > l->credit[best]))
			best = p;
	}
	return (enum px_purpose)best;
}

static void took_turn(struct px_limiter *l, enum px_purpose purpose, unsigned waiting)
{
	for (int p = 0; p < PX_PURPOSES; p++)
		if (p != (int)purpose && waiting & 1U << p)
			l->credit[p]++;
	l->credit[purpose] = 0;
}

int64_t px_limiter_take(struct px_limiter *l, enum px_purpose purpose, unsigned waiting,
	int64_t now_ms, struct px_limiter_ticket *ret)
{
	int64_t wait;

	advance(l, now_ms);
	waiting |= 1U << purpose;
	if (now_ms < l->paused_until_ms)
		return l->paused_until_ms - now_ms;
	wait = room(l, now_ms);
	if (!wait)
		wait = probe_wait(l, now_ms);
	if (wait)
		return wait;
	if (turn(l, waiting) != purpose)
		return 1;
	took_turn(l, purpose, waiting);
	*ret = (struct px_limiter_ticket){
		.sent_ms = now_ms,
		.sent = l->now.sent,
		.done = l->now.done,
		.doubt = l->now.doubt,
		.used = l->fixed ? l->used : -1,
		.generation = l->generation,
		.probe = l->probing,
	};
	if (l->probing) {
		l->probe_out = true;
		l->probe_ms = now_ms;
	}
	l->now.sent++;
	l->sent[purpose][l->second % SECONDS]++;
	return 0;
}

/* ---- learning */

static void open_window(
	struct px_limiter *l, const struct px_limiter_ticket *t, int64_t used, int64_t now_ms)
{
	l->last_rate = l->fixed ? most(window_rate(l), l->last_rate * 7 / 8) : 0;
	l->guard = most(GUARD, l->guard - l->guard / 64);
	l->fixed = true;
	l->generation++;
	l->began_ms = now_ms;
	l->used = used;
	l->unsure = l->now.done - t->done - 1;
	l->doubt_seen = l->now.doubt;
	l->base = at_least(l, t->sent_ms - STALE).done;
	l->gen_others = 0;
}

static void learn_sliding(
	struct px_limiter *l, const struct px_limiter_ticket *t, int64_t used, int64_t now_ms)
{
	struct counters old = at_most(l, now_ms - MINUTE);
	int64_t doubts = t->doubt - at_least(l, now_ms - MINUTE).doubt;
	int64_t surely = t->done + 1 - old.sent - doubts;
	int64_t ours;

	if (used < surely) {
		open_window(l, t, used, now_ms);
		return;
	}
	if (t->sent_ms < l->others_ms)
		return;
	ours = t->sent + 1 - at_most(l, t->sent_ms - MINUTE).sent;
	l->others = most(0, used - ours);
	l->others_ms = t->sent_ms;
	l->others_till = now_ms + minute(l);
}

/* Whether an answer proves that a window began after its request left. Each request is counted, so
 * it must tell more than was known; where some are not, an equal number proves nothing unless it is
 * as low as only a new window's first answers are. */
static bool is_new(const struct px_limiter *l, const struct px_limiter_ticket *t, int64_t used)
{
	int64_t flying = l->now.sent - l->now.done;

	return used < t->used || (used == t->used && used <= flying + l->unsure + LOW);
}

static void learn_fixed(
	struct px_limiter *l, const struct px_limiter_ticket *t, int64_t used, int64_t now_ms)
{
	int64_t flying = l->now.sent - l->now.done;

	if (t->generation != l->generation) {
		/* of the window before, unless it tells what only this one can tell, or what
		 * is to be expected of this one so early */
		if (used < t->used || used <= t->sent + 1 - l->base + flying + LOW)
			l->used = most(l->used, used);
	} else if (is_new(l, t, used)) {
		open_window(l, t, used, now_ms);
	} else if (t->sent_ms >= l->began_ms + minute(l)) {
		if (used > t->used && used > ceiling(l, now_ms) / 2) {
			l->fixed = false;
			l->others_ms = INT64_MIN;
			learn_sliding(l, t, used, now_ms);
		} else {
			open_window(l, t, used, now_ms);
		}
	} else {
		l->used = most(l->used, used);
		l->unsure = 0;
		l->doubt_seen = most(l->doubt_seen, t->doubt);
	}
	if (l->fixed)
		l->gen_others = most(l->gen_others, l->used - (l->now.sent - l->base));
}

/* The API holds answers back beyond 80 %, after it has counted the request. For how long is what
 * their round trips take at least, less what others take. */
static int64_t held_back(struct px_limiter *l, int64_t used, int64_t trip)
{
	bool slow = used > l->limit * 80 / 100;
	int64_t *shortest = slow ? &l->trip_slow : &l->trip_fast;

	trip = most(1, trip);
	*shortest = *shortest ? least(*shortest, trip) : trip;
	if (!slow || !l->trip_fast)
		return 0;
	return most(0, least(SLOWDOWN, l->trip_slow - l->trip_fast));
}

static void counted(struct px_limiter *l, int64_t ms)
{
	for (int64_t s = most(0, most(ms / SLOT, l->slot - SLOTS + 1)); s < l->slot; s++)
		l->history[s % SLOTS].counted++;
	l->now.counted++;
}

static void end(struct px_limiter *l, const struct px_limiter_ticket *t, bool doubt, int64_t now_ms)
{
	advance(l, now_ms);
	l->now.done++;
	l->now.doubt += doubt;
	if (t->probe)
		l->probe_out = false;
}

void px_limiter_answer(struct px_limiter *l, const struct px_limiter_ticket *t, int64_t limit,
	int64_t remaining, int64_t now_ms)
{
	bool told = remaining >= 0 && (limit > 0 || l->limit > 0);
	int64_t used;

	end(l, t, !told, now_ms);
	if (limit > 0)
		l->limit = least(limit, INT64_C(1000000000000));
	if (t->probe)
		l->probing = false;
	if (!told) {
		counted(l, now_ms);
		/* a window that nothing is told about cannot be followed */
		if (t->probe)
			l->fixed = false;
		return;
	}
	if (remaining >= l->limit)
		l->shift = 1;
	used = most(0, l->limit - remaining) + l->shift;
	counted(l, now_ms - held_back(l, used, now_ms - t->sent_ms));
	if (l->fixed)
		learn_fixed(l, t, used, now_ms);
	else
		learn_sliding(l, t, used, now_ms);
	l->heard_ms = now_ms;
}

void px_limiter_lost(struct px_limiter *l, const struct px_limiter_ticket *t, int64_t now_ms)
{
	end(l, t, true, now_ms);
	counted(l, now_ms);
}

static int64_t jitter(struct px_limiter *l, int64_t below)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 17;
	l->random ^= l->random << 5;
	return l->random % below;
}

void px_limiter_refused(struct px_limiter *l, const struct px_limiter_ticket *t,
	int64_t retry_after_ms, int64_t now_ms)
{
	int64_t until;
	bool first = now_ms >= l->paused_until_ms;

	end(l, t, true, now_ms);
	counted(l, now_ms);
	l->probing = true;
	l->probe_out = false;
	if (retry_after_ms >= 0) {
		until = now_ms + most(1000, retry_after_ms) + jitter(l, 500);
	} else if (l->fixed && now_ms < l->began_ms + minute(l)) {
		until = l->began_ms + minute(l) + jitter(l, 500);
	} else {
		l->fixed = false;
		until = now_ms + MINUTE + jitter(l, 3000);
	}
	/* nobody else was there: then the minute is longer than we thought */
	if (first && !others_rate(l, now_ms))
		l->guard = least(GUARD_MAX, l->guard * 4);
	l->paused_until_ms = most(l->paused_until_ms, until);
}

void px_limiter_view(struct px_limiter *l, int64_t now_ms, struct px_limiter_view *ret)
{
	advance(l, now_ms);
	memset(ret, 0, sizeof *ret);
	ret->allowed = l->limit;
	if (!l->fixed)
		ret->used = used_sliding(l, now_ms);
	else if (now_ms < l->began_ms + minute(l))
		ret->used = used_fixed(l);
	for (size_t p = 0; p < PX_PURPOSES; p++)
		for (size_t s = 0; s < SECONDS; s++)
			ret->sent[p] += l->sent[p][s];
	ret->paused_until_ms = now_ms < l->paused_until_ms ? l->paused_until_ms : 0;
	if (!l->limit || l->limit >= UNLIMITED)
		return;
	ret->share = ceiling(l, now_ms);
	ret->room = most(0, ret->share - ret->used);
	if (l->fixed)
		ret->more_in_ms = most(0, l->began_ms + minute(l) - now_ms);
	else
		ret->more_in_ms = sliding_wait(l, least(ret->share, ret->used), now_ms);
}

int64_t px_limiter_forecast_ms(
	const struct px_limiter_view *v, int64_t requests, double each_ms, int64_t now_ms)
{
	int64_t paused = most(0, v->paused_until_ms - now_ms);
	double sending = (double)requests * each_ms, waiting;

	if (!v->share || requests <= v->room)
		return paused + (int64_t)sending;
	requests -= v->room + 1; /* behind the first that must wait */
	waiting = (double)most(paused, v->more_in_ms) +
		  (double)(requests / v->share) * (MINUTE + GUARD) +
		  (double)(requests % v->share + 1) * each_ms;
	return (int64_t)(waiting > sending ? waiting : sending);
}
