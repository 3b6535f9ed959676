/* SPDX-License-Identifier: MIT */
/*
 * rendered.c - files whose text is made when it is looked up: status, metrics, README, schema, and
 * the store's small files.
 *
 * The rule of versions holds here too, with one difference: the name leads to the node of the
 * current rendering, whose bytes never change; but st_ino is the name's own, and ctime moves only
 * with the text. (With a changing st_ino cp says "replaced while being copied".) A rendering serves
 * for at least two seconds; what the kernel still refers to stays readable.
 *
 * Request thread only.
 */
#include "fs_i.h"

#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"
#include "propexofs/model.h"

enum { SERVES_MS = 2000, TEXT_MAX = 64 << 20 };

const char *const small_files[] = {"integration.json", "status.json", "data-access.json",
	"schedules.json", "properties.json", "jobs.jsonl"};

_Static_assert(
	sizeof small_files / sizeof *small_files == SMALL_FILES, "index is part of a number");

static px_rc make(struct px_fs *fs, uint64_t name_ino, struct px_buf *out, int64_t *ret_mtime_ns,
	struct px_err *err)
{
	static const enum px_rendered texts[] = {[FIXED_README] = PX_RENDER_README,
		[FIXED_STATUS] = PX_RENDER_STATUS,
		[FIXED_METRICS] = PX_RENDER_METRICS};
	struct node n = node_unpack(name_ino);
	struct px_file file = {0};
	px_rc rc;

	*ret_mtime_ns = 0;
	if (n.kind == NODE_FIXED) {
		if (n.key == FIXED_README)
			*ret_mtime_ns = fs->mounted_ns;
		return fs->renderer.render(fs->renderer.arg, texts[n.key], 0, out, err);
	}
	if (n.kind == NODE_SCHEMA) {
		*ret_mtime_ns = fs->mounted_ns;
		return px_model_schema((int)n.key, out) ? px_err_nomem(err) : PX_OK;
	}
	if ((n.key & 255) == SMALL_STATUS)
		return fs->renderer.render(
			fs->renderer.arg, PX_RENDER_INTEGRATION_STATUS, n.key >> 8, out, err);
	rc = px_reader_file(fs->reader, n.key >> 8, small_files[n.key & 255], &file, err);
	if (!rc) {
		*ret_mtime_ns = file.mtime_ns;
		rc = px_buf_add(out, file.body, file.size);
		px_file_release(&file);
	}
	return rc;
}

/* Drops what nobody can see any more. */
static void sweep(struct px_fs *fs)
{
	struct rendering **at = &fs->renderings;

	while (*at) {
		struct rendering *r = *at;

		if (r->current || r->lookups) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		free(r->text);
		free(r);
	}
}

static px_rc replace(struct px_fs *fs, uint64_t name_ino, struct rendering *old,
	struct px_buf *text, int64_t mtime_ns, struct rendering **ret, struct px_err *err)
{
	struct rendering *r = calloc(1, sizeof *r);
	int64_t now_ns = px_clock_wall_ns();

	if (!r)
		return px_err_nomem(err);
	if (old && now_ns <= old->ctime_ns)
		now_ns = old->ctime_ns + 1;
	r->text = px_buf_steal(text, &r->size);
	if (!r->text) {
		free(r);
		return px_err_nomem(err);
	}
	r->serial = ++fs->rendering_serial;
	r->name_ino = name_ino;
	r->ctime_ns = now_ns;
	r->mtime_ns = mtime_ns ? mtime_ns : now_ns;
	r->checked_ms = px_clock_mono_ms();
	r->current = true;
	if (old)
		old->current = false;
	r->next = fs->renderings;
	fs->renderings = r;
	sweep(fs);
	*ret = r;
	return PX_OK;
}

px_rc rendered_get(struct px_fs *fs, uint64_t name_ino, struct rendering **ret, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(TEXT_MAX);
	struct rendering *r;
	int64_t mtime_ns;
	px_rc rc;

	for (r = fs->renderings; r && (!r->current || r->name_ino != name_ino); r = r->next)
		;
	if (r && px_clock_mono_ms() < r->checked_ms + SERVES_MS) {
		*ret = r;
		return PX_OK;
	}
	rc = make(fs, name_ino, &text, &mtime_ns, err);
	if (rc)
		return rc;
	if (r && r->size == text.len && !memcmp(r->text, text.data ? text.data : "", text.len)) {
		r->checked_ms = px_clock_mono_ms();
		*ret = r;
		return PX_OK;
	}
	return replace(fs, name_ino, r, &text, mtime_ns, ret, err);
}

struct rendering *rendered_find(struct px_fs *fs, int64_t serial)
{
	for (struct rendering *r = fs->renderings; r; r = r->next)
		if (r->serial == serial)
			return r;
	return NULL;
}

void rendered_forget(struct px_fs *fs, int64_t serial, uint64_t count)
{
	struct rendering *r = rendered_find(fs, serial);

	if (r)
		r->lookups -= count < r->lookups ? count : r->lookups;
}

void rendered_free(struct px_fs *fs)
{
	while (fs->renderings) {
		struct rendering *next = fs->renderings->next;

		free(fs->renderings->text);
		free(fs->renderings);
		fs->renderings = next;
	}
}
