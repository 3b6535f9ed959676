/* SPDX-License-Identifier: MIT */
/*
 * ready.c - what root status.json says to a backup that wants to run.
 *
 * Invariant: ready is said only when the list of integrations is known and everything that counts
 * has been read to its end; with an age, only when each integration's mirror was known to be right
 * within it. What is not known counts against it.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"
#include "propexofs/codec.h"

/* A member that is a time, in ms; 0 when it is null or none. */
static int64_t time_of(struct px_span object, const char *key)
{
	char *text = px_json_strdup(px_json_member(object, key), 64);
	int64_t ns = 0;

	if (!text || px_time_parse(text, strlen(text), &ns))
		ns = 0;
	free(text);
	return ns / 1000000;
}

static bool truth(struct px_span object, const char *key)
{
	return px_json_bool(px_json_member(object, key), false);
}

/* When the mirror of an integration was last known to be right, but not after the oldest change
 * that waits to be applied. */
static int64_t right_at(struct px_span integration)
{
	int64_t at = time_of(integration, "reconciled_at");
	int64_t pending = time_of(integration, "oldest_pending_event_at");

	return pending && pending < at ? pending : at;
}

static void name_integration(struct px_span integration, struct px_buf *why)
{
	char *name = px_json_strdup(px_json_member(integration, "name"), 4096);
	char *id = px_json_strdup(px_json_member(integration, "id"), 4096);
	char *phase = px_json_strdup(px_json_member(integration, "phase"), 64);

	px_buf_addf(why, "%s (%s) is %s", name ? name : "integration", id ? id : "?",
		phase ? phase : "?");
	free(name);
	free(id);
	free(phase);
}

int px_ready_judge(
	const char *status, size_t len, int64_t now_ms, int max_age_s, struct px_buf *why)
{
	struct px_span root = {status, len}, none, one, worst = {0};
	int64_t oldest;
	struct px_json_walk w;
	bool any = false;

	if (px_json_check(status, len, NULL)) {
		px_buf_adds(why, "status.json cannot be read");
		return PX_EXIT_FAILED;
	}
	if (!truth(root, "integrations_known")) {
		px_buf_adds(why, "not complete: the list of integrations has not been read yet");
		return PX_EXIT_INCOMPLETE;
	}
	oldest = time_of(root, "refreshed_at");
	px_json_walk_init(&w, px_json_member(root, "integrations"));
	while (px_json_walk_next(&w, &none, &one)) {
		int64_t at;

		if (!truth(one, "counts"))
			continue;
		if (!truth(one, "complete")) {
			px_buf_adds(why, "not complete: ");
			name_integration(one, why);
			return PX_EXIT_INCOMPLETE;
		}
		/* what nothing is expected from does not age */
		if (px_json_string_is(px_json_member(one, "phase"), "disabled"))
			continue;
		at = right_at(one);
		if (!any || at < oldest) {
			oldest = at;
			worst = one;
		}
		any = true;
	}
	if (!truth(root, "complete")) {
		char *unknown = px_json_strdup(px_json_member(root, "unknown_integration"), 4096);

		px_buf_adds(why, "not complete");
		if (unknown)
			px_buf_addf(why,
				": the account has no integration %s, which "
				"--integration names",
				unknown);
		free(unknown);
		return PX_EXIT_INCOMPLETE;
	}
	if (max_age_s < 0 || (oldest && now_ms - oldest <= max_age_s * INT64_C(1000)))
		return PX_EXIT_DONE;
	if (!oldest) {
		px_buf_adds(why, "too old: it has never been read in full");
		return PX_EXIT_TOO_OLD;
	}
	px_buf_addf(why, "too old: last known to be right %lld s ago",
		(long long)((now_ms - oldest) / 1000));
	if (worst.p) {
		px_buf_adds(why, ": ");
		name_integration(worst, why);
	}
	return PX_EXIT_TOO_OLD;
}
