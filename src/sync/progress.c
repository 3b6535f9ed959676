/* SPDX-License-Identifier: MIT */
/*
 * progress.c - what status shows of the walks: how far they are, and how long it takes still.
 *
 * Invariants: time in which no request went out does not count into the pace. Where nobody knows
 * how many requests are to come, there is no forecast. The newest walk is served first, so each
 * waits for what those before it in the list have left.
 */
#include "walk_i.h"

/* Requests that a walk has not sent yet; -1: nobody knows. */
static int64_t unsent(const struct walk *w)
{
	int64_t step = w->limit > 1 ? w->limit - 1 : 1;
	int64_t left = w->total - w->planned;

	if (w->total < 0)
		return w->at_end ? 0 : -1;
	return (int64_t)piece_waiting(w) + (left > 0 ? (left + step - 1) / step : 0);
}

/* What a request takes while they go out, over the last seconds in which some did. */
static void measure_pace(struct px_sync *s, const struct px_api_stats *stats, int64_t now)
{
	uint64_t sent = 0;
	int64_t took = now - s->pace_at_ms;

	for (int p = 0; p < PX_PURPOSES; p++)
		sent += stats->requests[p];
	if (s->pace_at_ms && sent > s->pace_sent) {
		s->pace_ms += (double)took;
		s->pace_requests += (double)(sent - s->pace_sent);
	}
	while (s->pace_ms > PACE_MS) {
		s->pace_ms /= 2;
		s->pace_requests /= 2;
	}
	s->pace_at_ms = now;
	s->pace_sent = sent;
}

void walk_progress(struct px_sync *s, const struct px_api_stats *stats)
{
	int64_t now = px_clock_mono_ms(), ahead = 0;
	double each_ms;

	measure_pace(s, stats, now);
	each_ms = s->pace_requests > 0 ? s->pace_ms / s->pace_requests : 0;
	s->eta_s = -1;
	/* the newest walk is served first */
	for (struct walk *w = s->all_walks; w; w = w->next) {
		struct px_progress p = {
			.done = w->applied, .expected = w->total, .eta_s = -1, .active = true};
		int64_t left = unsent(w);

		if (left >= 0) {
			ahead += left;
			if (stats->reachable && each_ms > 0)
				p.eta_s = (px_limiter_forecast_ms(&stats->limiter,
						   ahead + (int64_t)w->flying, each_ms, now) +
						  500) /
					  1000;
		}
		s->eta_s = p.eta_s;
		if (w->d)
			px_board_set_progress(s->board, w->d->row.did, &p);
	}
}
