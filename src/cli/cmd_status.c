/* SPDX-License-Identifier: MIT */
/*
 * cmd_status.c - how things stand: the mount's own words, or, without one, the store's.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "propexofs/clock.h"
#include "propexofs/codec.h"
#include "propexofs/fs.h"
#include "propexofs/status.h"
#include "propexofs/store_read.h"

enum { STATUS_MAX = 16 << 20, TAIL_MAX = 256 << 10, EVENTS = 6 };

static void close_reader(struct px_reader **r)
{
	px_reader_close(*r);
}

/* Whether a mount of ours is there to be asked; one that is dead is an error. */
static px_rc is_mounted(const struct px_conf *c, bool *ret, struct px_err *err)
{
	int mounted = c->mountpoint ? px_mounted(c->mountpoint, NULL, 0) : 0;

	*ret = mounted == 1;
	if (mounted != 2)
		return PX_OK;
	return px_err_set(err, PX_EIO,
		"%s: the mount does not answer, its daemon has gone: propexofs umount %s, then "
		"mount again",
		c->mountpoint, c->mountpoint);
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

static px_rc open_store(const struct px_conf *c, struct px_reader **ret, struct px_err *err)
{
	px_rc rc = px_reader_open(c->store, ret, err);

	if (rc != PX_ENOENT)
		return rc;
	return px_err_set(err, rc,
		"nothing is mounted%s%s, and there is no store at %s yet: propexofs mount or sync "
		"makes it",
		c->mountpoint ? " at " : "", c->mountpoint ? c->mountpoint : "", c->store);
}

static px_rc from_store(struct px_conf *c, struct px_buf *out, struct px_err *err)
{
	__attribute__((cleanup(close_reader))) struct px_reader *r = NULL;
	PX_BUF_AUTO struct px_buf root = PX_BUF_INIT(STATUS_MAX);
	struct px_store_owner owner = {0};
	px_rc rc = open_store(c, &r, err);

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

/* ---- watching ---- */

/* What a moment is made of: kept from one to the next. */
struct looking {
	struct px_conf *c;
	struct px_reader *r; /* NULL: the mount was asked */
	struct px_buf root, events;
	char place[PATH_MAX];
};

/* The end of today's log. Its lines are read while it grows: the last may be cut. */
static px_rc tail_of(const char *mountpoint, struct px_buf *out, struct px_err *err)
{
	char path[PATH_MAX + 32];
	struct stat st;
	ssize_t n = 0;
	int fd;

	(void)snprintf(path, sizeof path, "%s/events/latest.jsonl", mountpoint);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? PX_OK : px_err_sys(err, errno, "%s", path);
	if (!px_buf_reserve(out, TAIL_MAX) && !fstat(fd, &st)) {
		char *chunk = malloc(TAIL_MAX);

		if (chunk)
			n = pread(fd, chunk, TAIL_MAX,
				st.st_size > TAIL_MAX ? st.st_size - TAIL_MAX : 0);
		if (n > 0)
			px_buf_add(out, chunk, (size_t)n);
		free(chunk);
	}
	(void)close(fd);
	return px_buf_ok(out, err);
}

static bool keep_line(void *arg, int64_t seq, const char *line, size_t len)
{
	struct px_buf *out = arg;

	(void)seq;
	px_buf_add(out, line, len);
	px_buf_addc(out, '\n');
	return !out->failed;
}

static px_rc last_stored(struct px_reader *r, struct px_buf *out, struct px_err *err)
{
	struct px_day *days = NULL;
	size_t count = 0;
	px_rc rc = px_reader_days(r, 0, &days, &count, err);

	if (!rc && count)
		rc = px_reader_events(r, days[count - 1].last_seq - EVENTS, keep_line, out, err);
	free(days);
	return rc ? rc : px_buf_ok(out, err);
}

static px_rc look_at_mount(struct looking *l, struct px_moment *ret, struct px_err *err)
{
	px_rc rc = px_cli_read(l->c->mountpoint, "status.json", &l->root, err);

	if (!rc)
		rc = tail_of(l->c->mountpoint, &l->events, err);
	(void)snprintf(l->place, sizeof l->place, "%s", l->c->mountpoint);
	ret->read = read_mounted;
	ret->arg = l->c->mountpoint;
	return rc;
}

static px_rc look_at_store(struct looking *l, struct px_moment *ret, struct px_err *err)
{
	px_rc rc = open_store(l->c, &l->r, err);

	if (!rc)
		rc = px_status_root(l->r, NULL, l->c->store, &l->root, err);
	if (!rc)
		rc = last_stored(l->r, &l->events, err);
	(void)snprintf(l->place, sizeof l->place, "%s", l->c->store);
	ret->read = read_stored;
	ret->arg = l->r;
	return rc;
}

static px_rc look(void *arg, struct px_moment *ret, struct px_err *err)
{
	struct looking *l = arg;
	bool mounted = false;
	px_rc rc = is_mounted(l->c, &mounted, err);

	px_reader_close(l->r);
	l->r = NULL;
	px_buf_reset(&l->root);
	px_buf_reset(&l->events);
	if (!rc)
		rc = mounted ? look_at_mount(l, ret, err) : look_at_store(l, ret, err);
	ret->place = l->place;
	ret->status = l->root.data ? l->root.data : "";
	ret->len = l->root.len;
	ret->events = l->events.data ? l->events.data : "";
	ret->events_len = l->events.len;
	ret->now_ms = px_clock_wall_ms();
	return rc;
}

static px_rc watch(struct px_conf *c, struct px_err *err)
{
	struct looking l = {.c = c};
	px_rc rc;

	if (c->json)
		return px_err_set(err, PX_EUSAGE, "--watch is for people: leave out --json");
	px_buf_init(&l.root, STATUS_MAX);
	px_buf_init(&l.events, STATUS_MAX);
	rc = px_cli_watch(look, &l, err);
	px_reader_close(l.r);
	px_buf_release(&l.root);
	px_buf_release(&l.events);
	return rc;
}

px_rc px_cmd_status(struct px_conf *c, int *ret_code, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf out = PX_BUF_INIT(STATUS_MAX * 2);
	bool mounted = false;
	px_rc rc;

	*ret_code = PX_EXIT_DONE;
	if (c->watch)
		return watch(c, err);
	rc = is_mounted(c, &mounted, err);
	if (!rc)
		rc = mounted ? from_mount(c, &out, err) : from_store(c, &out, err);
	return rc ? rc : px_cli_print(&out, err);
}
