/* SPDX-License-Identifier: MIT */
/*
 * model.c - look-ups in the tables of models. A few dozen rows, scanned: nothing here is on a hot
 * path.
 *
 * Invariant: '-' and '_' are the same letter of a name (no name contains both, API reference
 * §10.2).
 */
#include "propexofs/model.h"

#include <string.h>

static char fold(char c)
{
	return c == '-' ? '_' : c;
}

static bool same(const char *a, const char *b, size_t b_len)
{
	size_t i;

	for (i = 0; i < b_len; i++)
		if (!a[i] || fold(a[i]) != fold(b[i]))
			return false;
	return !a[i];
}

int px_model_by_dir(const char *dir)
{
	for (int i = 0; i < PX_MODEL_COUNT; i++)
		if (!strcmp(px_models[i].dir, dir))
			return i;
	return -1;
}

int px_model_by_any(const char *name)
{
	size_t len = strlen(name);

	/* a view shares its internal name with the model it shows: the model itself wins */
	for (int i = 0; i < PX_MODEL_COUNT; i++)
		if (px_models[i].view_of < 0 && same(px_models[i].snake, name, len))
			return i;
	for (int i = 0; i < PX_MODEL_COUNT; i++)
		if (same(px_models[i].dir, name, len))
			return i;
	return -1;
}

const struct px_webhook_model *px_webhook_model_by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < px_webhook_model_count; i++)
		if (same(px_webhook_models[i].snake, name, len))
			return &px_webhook_models[i];
	return NULL;
}
