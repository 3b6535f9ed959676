/* SPDX-License-Identifier: MIT */
/*
 * cmd_status.c - how things stand: the mount's own words, or, without one, the store's.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

#include "propexofs/codec.h"
#include "propexofs/fs.h"
#include "propexofs/status.h"
#include "propexofs/store_read.h"

enum { STATUS_MAX = 16 << 20 };

static void close_reader(struct px_reader **r)
{
	px_reader_close(*r);
}

/* ---- from the mount ---- */

static px_rc read_mounted(void *arg, const char *id, struct px_buf *out, struct px_err *err)
{
	char name[PX_NAME_MAX + 64], dir[PX_NAME_MAX + 1];

	/* encoded as the names of records are, whatever the id holds */
	px_record_name(id, strlen(id), dir);
	dir[strlen(dir) - strlen(".json")] = '\0';
	(void)snprintf(name, sizeof name, "integrations/%s/status.json", dir);
	return px_cli_read(arg, name, out, err);
}

static px_rc from_mount(struct px_conf *c, struct px_buf *out, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf root = PX_BUF_INIT(STATUS_MAX);
	px_rc rc = px_cli_read(c->mountpoint, "status.json", c->json ? out : &root, err);

	if (rc || c->json)
		return rc;
	return px_status_print(
		root.data ? root.data : "", root.len, read_mounted, c->mountpoint, out, err);
}

/* ---- from the store ---- */

static px_rc read_stored(void *arg, const char *id, struct px_buf *out, struct px_err *err)
{
	struct px_integration i;
	px_rc rc = px_reader_integration_by_id(arg, id, &i, err);

	if (rc)
		return rc;
	rc = px_status_integration(arg, NULL, i.iid, out, err);
	px_integration_release(&i);
	return rc;
}

static px_rc from_store(struct px_conf *c, struct px_buf *out, struct px_err *err)
{
	__attribute__((cleanup(close_reader))) struct px_reader *r = NULL;
	PX_BUF_AUTO struct px_buf root = PX_BUF_INIT(STATUS_MAX);
	struct px_store_owner owner = {0};
	px_rc rc = px_reader_open(c->store, &r, err);

	if (rc == PX_ENOENT)
		return px_err_set(err, rc,
			"nothing is mounted%s%s, and there is no store at %s yet: propexofs mount "
			"or sync makes it",
			c->mountpoint ? " at " : "", c->mountpoint ? c->mountpoint : "", c->store);
	if (!rc)
		rc = px_status_root(r, NULL, c->store, c->json ? out : &root, err);
	if (rc || c->json)
		return rc;
	if (!px_store_owner(c->store, &owner, NULL) && owner.held)
		px_buf_addf(out,
			"A running propexofs (pid %d) holds the store; name its "
			"mountpoint to ask it.\n",
			owner.pid);
	return px_status_print(root.data, root.len, read_stored, r, out, err);
}

px_rc px_cmd_status(struct px_conf *c, int *ret_code, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf out = PX_BUF_INIT(STATUS_MAX * 2);
	int mounted = c->mountpoint ? px_mounted(c->mountpoint, NULL, 0) : 0;
	px_rc rc;

	*ret_code = PX_EXIT_DONE;
	if (mounted == 2)
		return px_err_set(err, PX_EIO,
			"%s: the mount does not answer, its daemon has gone: propexofs umount %s, "
			"then mount again",
			c->mountpoint, c->mountpoint);
	rc = mounted == 1 ? from_mount(c, &out, err) : from_store(c, &out, err);
	return rc ? rc : px_cli_print(&out, err);
}
