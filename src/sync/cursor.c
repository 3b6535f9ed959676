/* SPDX-License-Identifier: MIT */
/*
 * cursor.c - the text that is stored behind a piece: where an interrupted walk goes on.
 *
 * Invariants:
 * 1. It says where the walk was and what it had seen by then, and also when it began and behind
 * which syncs: so whoever finds it can tell whether going on is right.
 * 2. What is not a cursor is none: the walk begins at the front.
 * 3. A walk goes on one record back, so that the overlap shows whether the list still is what it
 * was.
 */
#include "walk_i.h"

#include <stdlib.h>
#include <string.h>

enum { CURSOR_MAX_MS = 86400000 /* older: what was read again so far is not new any more */ };

/* ---- of a walk
 * -----------------------------------------------------------------------------------------------
 */

char *cursor_text(const struct walk *w, const struct piece *last)
{
	struct px_buf b = PX_BUF_INIT(64 << 10);

	px_buf_addf(&b,
		"{\"walk\":%lld,\"began\":%lld,\"at\":%lld,\"offset\":%lld,\"total\":%lld,"
		"\"tries\":%d,"
		"\"skips\":%d,\"parent\":%lld,\"last\":",
		(long long)w->number, (long long)w->began_epoch, (long long)w->began_ms,
		(long long)w->applied, (long long)w->total, w->tries, w->skips,
		(long long)(last && last->parent ? last->parent_rid : 0));
	px_buf_add_jsons(&b, w->last_id);
	px_buf_adds(&b, ",\"newest\":");
	px_buf_add_jsons(&b, w->newest);
	px_buf_adds(&b, ",\"sync\":");
	px_buf_add_jsons(&b, w->sync_at);
	px_buf_adds(&b, ",\"back\":");
	px_buf_add_jsons(&b, w->back_at);
	px_buf_addc(&b, '}');
	return px_buf_steal(&b, NULL);
}

void cursor_read(struct walk *w, const char *text)
{
	struct px_span c = {text, strlen(text)};
	int64_t at;

	if (px_json_check(c.p, c.len, NULL) || px_json_kind(c) != PX_JSON_OBJECT)
		return;
	w->number = px_json_int(px_json_member(c, "walk"), w->number);
	w->began_epoch = px_json_int(px_json_member(c, "began"), 0);
	w->began_ms = px_json_int(px_json_member(c, "at"), 0);
	w->applied = px_json_int(px_json_member(c, "offset"), 0);
	w->total = px_json_int(px_json_member(c, "total"), -1);
	w->tries = (int)px_json_int(px_json_member(c, "tries"), 0);
	w->skips = (int)px_json_int(px_json_member(c, "skips"), 0);
	w->parent_rid = px_json_int(px_json_member(c, "parent"), 0);
	w->last_id = px_json_strdup(px_json_member(c, "last"), 8192);
	w->newest = px_json_strdup(px_json_member(c, "newest"), 256);
	if (w->newest && !px_time_parse(w->newest, strlen(w->newest), &at))
		w->newest_ns = at;
	free(w->sync_at);
	w->sync_at = px_json_strdup(px_json_member(c, "sync"), 256);
	free(w->back_at);
	w->back_at = px_json_strdup(px_json_member(c, "back"), 256);
	if (w->applied < 0)
		w->applied = 0;
	/* one record back: the overlap shows whether the list still is what it was */
	w->planned = w->applied > 0 && w->last_id ? w->applied - 1 : w->applied;
}

/* ---- of a directory
 * -----------------------------------------------------------------------------------------------
 */

/* A member of the cursor of d; p NULL: there is none. */
static struct px_span cursor_member(const struct sdir *d, const char *name)
{
	struct px_span c = {d->row.cursor, d->row.cursor ? strlen(d->row.cursor) : 0};

	if (!c.p || px_json_check(c.p, c.len, NULL) || px_json_kind(c) != PX_JSON_OBJECT)
		return (struct px_span){0};
	return px_json_member(c, name);
}

int64_t walk_cursor_began_ms(const struct sdir *d)
{
	return px_json_int(cursor_member(d, "at"), 0);
}

static bool is_time(struct px_span member, const char *time)
{
	return member.p &&
	       (time ? px_json_string_is(member, time) : px_json_kind(member) == PX_JSON_NULL);
}

bool walk_cursor_after_syncs(const struct sdir *d)
{
	const struct px_integration *i = &d->integ->row;

	return is_time(cursor_member(d, "sync"), i->last_completed_sync) &&
	       is_time(cursor_member(d, "back"), i->last_completed_back_sync);
}

bool cursor_too_old(const struct sdir *d)
{
	return d->row.complete && d->row.cursor &&
	       px_clock_wall_ms() - walk_cursor_began_ms(d) > CURSOR_MAX_MS;
}
