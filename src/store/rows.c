/* SPDX-License-Identifier: MIT */
/* rows.c - the plain rows of store.h: releasing what they own, and the words of outcomes. */
#include "propexofs/store_read.h"

#include <stdlib.h>
#include <string.h>

void px_integration_release(struct px_integration *i)
{
	free(i->id);
	free(i->name);
	free(i->vendor);
	free(i->system);
	free(i->created_at);
	free(i->last_completed_sync);
	free(i->last_completed_back_sync);
	free(i->error);
	memset(i, 0, sizeof *i);
}

void px_integrations_free(struct px_integration *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		px_integration_release(&list[i]);
	free(list);
}

void px_dir_release(struct px_dir *d)
{
	free(d->watermark);
	free(d->cursor);
	free(d->error);
	memset(d, 0, sizeof *d);
}

void px_dirs_free(struct px_dir *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		px_dir_release(&list[i]);
	free(list);
}

void px_file_release(struct px_file *f)
{
	free(f->body);
	memset(f, 0, sizeof *f);
}

void px_files_free(struct px_file *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		px_file_release(&list[i]);
	free(list);
}

void px_pending_free(struct px_pending *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i].id);
	free(list);
}

void px_deliveries_free(struct px_delivery *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i].body);
	free(list);
}

const char *px_outcome_word(enum px_outcome o)
{
	static const char *const words[] = {
		[PX_OUTCOME_APPLIED] = "applied",
		[PX_OUTCOME_QUEUED] = "queued",
		[PX_OUTCOME_DUPLICATE] = "duplicate",
		[PX_OUTCOME_STALE] = "stale",
		[PX_OUTCOME_UNKNOWN_MODEL] = "unknown-model",
		[PX_OUTCOME_IGNORED] = "ignored",
		[PX_OUTCOME_NOTED] = "noted",
		[PX_OUTCOME_FAILED] = "failed",
	};

	return words[o];
}
