/* SPDX-License-Identifier: MIT */
/*
 * fuzz_event.c - deliveries in their wrappings, and rows of the server's log of changes.
 *
 * What an event says does not depend on white space nor on one wrapping more; a data event says
 * which record of which model it is about; its spans are whole values of the text that was parsed.
 */
#include "fuzz.h"

static void try_part(struct px_span v, struct px_span body, enum px_json_kind kind)
{
	if (!v.p) {
		HOLDS(!v.len);
		return;
	}
	HOLDS(v.p >= body.p && v.p + v.len <= body.p + body.len);
	HOLDS(px_json_kind(v) == kind && !px_json_check(v.p, v.len, NULL));
}

static void try_text(const char *s)
{
	HOLDS(!s || (*s && strlen(s) <= 4096));
}

static void try_parts(const struct px_event *e, struct px_span body)
{
	HOLDS(e->event && *e->event && strlen(e->event) <= 64);
	if (e->kind == PX_EVENT_DATA_NEW || e->kind == PX_EVENT_DATA_UPDATE)
		HOLDS(e->object && e->record_id);
	HOLDS(!e->object || !strchr(e->object, '-'));
	try_text(e->object);
	try_text(e->integration_id);
	try_text(e->record_id);
	try_text(e->vendor);
	try_part(e->payload, body, PX_JSON_OBJECT);
	try_part(e->diff_new, body, PX_JSON_OBJECT);
	try_part(e->diff_previous, body, PX_JSON_OBJECT);
	try_part(e->models_synced, body, PX_JSON_ARRAY);
}

static bool same_part(struct px_span a, struct px_span b)
{
	return a.p && b.p ? px_json_equal(a, b) : !a.p && !b.p;
}

static void try_same(const struct px_event *a, const struct px_event *b)
{
	HOLDS(a->kind == b->kind && fuzz_same_text(a->event, b->event));
	HOLDS(fuzz_same_text(a->object, b->object));
	HOLDS(fuzz_same_text(a->integration_id, b->integration_id));
	HOLDS(fuzz_same_text(a->record_id, b->record_id));
	HOLDS(fuzz_same_text(a->vendor, b->vendor));
	HOLDS(same_part(a->payload, b->payload));
	HOLDS(same_part(a->diff_new, b->diff_new));
	HOLDS(same_part(a->diff_previous, b->diff_previous));
	HOLDS(same_part(a->models_synced, b->models_synced));
	HOLDS(a->is_backsync == b->is_backsync && a->is_sync_finished == b->is_sync_finished);
}

static void try_delivery(struct px_span text, px_rc rc, const struct px_event *e)
{
	struct px_event other;

	HOLDS(px_event_parse(text.p, text.len, &other, NULL) == rc);
	if (rc)
		return;
	try_parts(&other, text);
	try_same(e, &other);
	px_event_release(&other);
}

/* {"data": body}: the delivery of an envelope without a trigger. */
static void try_wrapped(struct px_span body, px_rc rc, const struct px_event *e)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(FUZZ_ROOM);

	if (px_json_kind(body) != PX_JSON_OBJECT ||
		px_json_kind(px_json_member(body, "data")) == PX_JSON_OBJECT)
		return;
	px_buf_adds(&b, "{\"data\":");
	px_buf_add(&b, body.p, body.len);
	px_buf_adds(&b, "}");
	HOLDS(!b.failed);
	if (!px_json_check(b.data, b.len, NULL))
		try_delivery(fuzz_span(&b), rc, e);
}

static void try_row(struct px_span row, struct px_span formatted)
{
	struct px_event e, other;
	struct px_err err = {0};
	px_rc rc = px_event_from_diff(row, &e, &err);

	HOLDS(px_event_from_diff(formatted, &other, NULL) == rc);
	if (rc) {
		HOLDS(rc == PX_ESYNTAX && fuzz_refused(rc, &err));
		return;
	}
	HOLDS(e.kind == PX_EVENT_DATA_NEW || e.kind == PX_EVENT_DATA_UPDATE);
	try_parts(&e, row);
	try_parts(&other, formatted);
	try_same(&e, &other);
	px_event_release(&e);
	px_event_release(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PX_BUF_AUTO struct px_buf file = PX_BUF_INIT(FUZZ_ROOM), tight = PX_BUF_INIT(FUZZ_ROOM);
	struct px_span text = {(const char *)data, size};
	struct px_event e = {0};
	struct px_err err = {0};
	px_rc rc = px_event_parse(text.p, size, &e, &err);

	HOLDS(!rc || (fuzz_refused(rc, &err) && !e.event));
	if (px_json_check(text.p, size, NULL)) {
		HOLDS(rc);
		return -1;
	}
	if (!rc)
		try_parts(&e, text);
	try_delivery(fuzz_format(text, &file), rc, &e);
	try_delivery(fuzz_compact(text, &tight), rc, &e);
	try_wrapped(text, rc, &e);
	try_row(text, fuzz_span(&file));
	px_event_release(&e);
	return 0;
}
