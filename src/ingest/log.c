/* SPDX-License-Identifier: MIT */
/*
 * log.c - lines of the event log (contract §6), appended in the transaction of what they tell.
 *
 * Invariant: a line's members and their order never change with its content; seq and time are the
 * store's.
 */
#include "ingest_i.h"

#include <string.h>

enum { LINE_MAX_BYTES = 16 << 20 };

static void member(struct px_buf *b, const char *name, const char *value)
{
	px_buf_addf(b, "\"%s\":", name);
	px_buf_add_jsons(b, value);
	px_buf_addc(b, ',');
}

/* The file of a day grew behind `offset`: told once for each file and transaction, from the lowest
 * offset. */
static px_rc grew(
	struct px_ingest_tx *tx, int64_t iid, int64_t day, int64_t offset, struct px_err *err)
{
	const struct px_change c = {
		.kind = PX_CHANGE_LOG, .iid = iid, .day = day, .old_size = offset};

	for (size_t i = tx->changes->count; i-- > 0;) {
		const struct px_change *have = &tx->changes->list[i];

		if (have->kind == PX_CHANGE_LOG && have->iid == iid && have->day == day)
			return PX_OK;
	}
	return px_changes_add(tx->changes, &c) ? px_err_nomem(err) : PX_OK;
}

px_rc px_log_append(struct px_ingest_tx *tx, const struct px_log_line *line, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(LINE_MAX_BYTES);
	struct px_event_place place;
	px_rc rc;

	member(&b, "source", line->source);
	member(&b, "event", line->event);
	member(&b, "integration_id", line->integration_id);
	member(&b, "model", line->model);
	member(&b, "record_id", line->record_id);
	member(&b, "outcome", px_outcome_word(line->outcome));
	member(&b, "detail", line->detail);
	px_buf_adds(&b, "\"payload\":");
	if (line->payload)
		px_buf_add(&b, line->payload, line->payload_len);
	else
		px_buf_adds(&b, "null");
	rc = px_buf_ok(&b, err);
	if (!rc)
		rc = px_writer_event(tx->writer, line->iid, b.data, b.len, &place, err);
	if (!rc)
		rc = grew(tx, 0, place.day, place.offset_all, err);
	if (!rc && line->iid)
		rc = grew(tx, line->iid, place.day, place.offset_iid, err);
	return rc;
}

px_rc px_log_local(struct px_ingest_tx *tx, int64_t iid, const char *model, const char *record_id,
	const char *event, const char *detail, struct px_err *err)
{
	struct px_integration i = {0};
	px_rc rc = iid ? px_reader_integration(px_writer_reader(tx->writer), iid, &i, err) : PX_OK;

	if (rc)
		return rc;
	rc = px_log_append(tx,
		&(struct px_log_line){
			.source = "local",
			.event = event,
			.iid = iid,
			.integration_id = i.id,
			.model = model,
			.record_id = record_id,
			.outcome = PX_OUTCOME_NOTED,
			.detail = detail,
		},
		err);
	px_integration_release(&i);
	return rc;
}
