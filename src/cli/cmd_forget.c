/* SPDX-License-Identifier: MIT */
/*
 * cmd_forget.c - deletes what is stored of an integration or of a model: the only way a filled
 * directory goes away.
 *
 * Takes the store's lock: with a daemon at work it is refused, for the daemon would not know. Small
 * steps, each a transaction of its own: killed in between, the rest is still there and can be
 * forgotten again.
 */
#include "cli.h"

#include <errno.h>
#include <unistd.h>

#include "propexofs/store_write.h"

enum { STEP = 500 };

static px_rc forget_rows(struct px_writer *w, int64_t iid, int64_t did, struct px_err *err)
{
	bool more = true;
	px_rc rc = PX_OK;

	while (more && !rc) {
		rc = px_writer_begin(w, err);
		if (!rc)
			rc = px_writer_forget(w, iid, did, STEP, &more, err);
		if (!rc)
			rc = px_writer_commit(w, err);
	}
	return rc;
}

static px_rc forget_models(
	struct px_writer *w, const struct px_conf *c, int64_t iid, int *done, struct px_err *err)
{
	struct px_dir *dirs = NULL;
	size_t count = 0;
	px_rc rc = px_reader_dirs(px_writer_reader(w), iid, &dirs, &count, err);

	for (size_t i = 0; i < count && !rc; i++) {
		if (!px_conf_wants_model(c, dirs[i].model))
			continue;
		rc = forget_rows(w, iid, dirs[i].did, err);
		*done += !rc;
	}
	px_dirs_free(dirs, count);
	return rc;
}

px_rc px_cmd_forget(struct px_conf *c, int *ret_code, struct px_err *err)
{
	struct px_integration *list = NULL;
	struct px_writer *w = NULL;
	size_t count = 0;
	int done = 0;
	px_rc rc;

	*ret_code = PX_EXIT_DONE;
	if (!c->integrations.count && !c->models.count)
		return px_err_set(err, PX_EUSAGE,
			"forget: name what with --integration, --model or both; to begin anew, "
			"delete %s",
			c->store);
	if (access(c->store, F_OK)) /* opening would make it */
		return px_err_sys(err, errno, "store %s", c->store);
	rc = px_writer_open(c->store, NULL, &w, err);
	if (!rc)
		rc = px_reader_integrations(px_writer_reader(w), &list, &count, err);
	for (size_t i = 0; i < count && !rc; i++) {
		if (!px_conf_wants_integration(c, list[i].id))
			continue;
		if (c->models.count) {
			rc = forget_models(w, c, list[i].iid, &done, err);
		} else {
			rc = forget_rows(w, list[i].iid, 0, err);
			done += !rc;
		}
	}
	px_integrations_free(list, count);
	px_writer_close(w);
	if (!rc && !done)
		rc = px_err_set(
			err, PX_ENOENT, "forget: nothing of that is stored in %s", c->store);
	return rc;
}
