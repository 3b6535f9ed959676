/* SPDX-License-Identifier: MIT */
/*
 * tree.c - what is where: one row of functions for each kind of node.
 *
 * Invariants: a listing and a lookup of the same directory agree, for they ask the same rows; names
 * and cookies of entries depend on the entry alone; nothing here waits for anything but the store's
 * reader. Request thread only.
 *
 * Time-outs: what can only change with a notification is believed for ever (records, their
 * directories); what changes without one is asked for each time (rendered texts, links, growing
 * logs, and names that are absent from small directories).
 */
#include "fs_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/model.h"

/* ---- attributes
 * ---------------------------------------------------------------------------------------------- */

static struct timespec ts_of(int64_t ns)
{
	struct timespec ts = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

	if (ts.tv_nsec < 0) {
		ts.tv_nsec += 1000000000;
		ts.tv_sec--;
	}
	return ts;
}

static void fill(const struct px_fs *fs, struct found *f, uint64_t ino, mode_t type, int64_t size,
	int64_t mtime_ns, int64_t ctime_ns)
{
	mode_t bits = type == S_IFDIR ? fs->dir_mode : type == S_IFLNK ? 0777 : fs->file_mode;

	memset(f, 0, sizeof *f);
	f->nodeid = ino;
	f->attr.st_ino = ino;
	f->attr.st_mode = type | bits;
	f->attr.st_nlink = 1;
	f->attr.st_uid = fs->uid;
	f->attr.st_gid = fs->gid;
	f->attr.st_size = size;
	f->attr.st_blocks = (size + 511) / 512;
	f->attr.st_blksize = type == S_IFDIR ? REPLY_MAX : 4096;
	f->attr.st_mtim = ts_of(mtime_ns);
	f->attr.st_ctim = f->attr.st_atim = ts_of(ctime_ns);
	f->entry_timeout = f->attr_timeout = FOREVER_S;
}

static void fill_dir(
	const struct px_fs *fs, struct found *f, uint64_t ino, int64_t mtime_ns, size_t subdirs)
{
	fill(fs, f, ino, S_IFDIR, 4096, mtime_ns, mtime_ns);
	f->attr.st_nlink = (nlink_t)(2 + subdirs);
}

void tree_record_attr(const struct px_fs *fs, const struct px_entry *e, struct found *ret)
{
	fill(fs, ret, (uint64_t)e->ino, S_IFREG, e->size, e->mtime_ns, e->ctime_ns);
}

static px_rc fill_rendered(
	struct px_fs *fs, uint64_t name_ino, struct found *ret, struct px_err *err)
{
	struct rendering *r;
	px_rc rc = rendered_get(fs, name_ino, &r, err);

	if (rc)
		return rc;
	fill(fs, ret, name_ino, S_IFREG, (int64_t)r->size, r->mtime_ns, r->ctime_ns);
	ret->nodeid = node_pack(NODE_RENDERING, r->serial);
	ret->entry_timeout = 0;
	return PX_OK;
}

static px_rc fill_day(
	struct px_fs *fs, int64_t iid, int64_t day, struct found *ret, struct px_err *err)
{
	uint64_t ino = node_day(iid, day);
	struct px_day d;
	px_rc rc = px_reader_day(fs->reader, iid, day, &d, err);

	if (rc)
		return rc;
	fill(fs, ret, ino, S_IFREG, daylog_size(fs, ino, d.size), d.mtime_ns, d.mtime_ns);
	ret->attr_timeout = 0;
	return PX_OK;
}

/* ---- how many, and when
 * ----------------------------------------------------------------------------------------- */

static px_rc count_integrations(
	struct px_fs *fs, size_t *ret_count, int64_t *ret_mtime_ns, struct px_err *err)
{
	struct px_integration *list = NULL;
	size_t count = 0;
	px_rc rc = px_reader_integrations(fs->reader, &list, &count, err);

	*ret_mtime_ns = fs->mounted_ns;
	for (size_t i = 0; i < count; i++)
		if (!i || list[i].mtime_ns > *ret_mtime_ns)
			*ret_mtime_ns = list[i].mtime_ns;
	px_integrations_free(list, count);
	*ret_count = count;
	return rc;
}

static px_rc count_shown(struct px_fs *fs, int64_t iid, size_t *ret, struct px_err *err)
{
	struct px_dir *list = NULL;
	size_t count = 0;
	px_rc rc = px_reader_dirs(fs->reader, iid, &list, &count, err);

	*ret = 0;
	for (size_t i = 0; i < count; i++)
		*ret += px_dir_shown(&list[i]) && strcmp(list[i].model, EVENTS_NAME) != 0;
	px_dirs_free(list, count);
	return rc;
}

static px_rc log_mtime(
	struct px_fs *fs, int64_t iid, int64_t fallback, int64_t *ret, struct px_err *err)
{
	struct px_day *days = NULL;
	size_t count = 0;
	px_rc rc = px_reader_days(fs->reader, iid, &days, &count, err);

	/* the listing changes when a day begins */
	*ret = count ? days[count - 1].day * INT64_C(86400000000000) : fallback;
	if (*ret < fallback)
		*ret = fallback;
	free(days);
	return rc;
}

/* ---- small directories: a list of fixed entries
 * ------------------------------------------------------------------ */

struct fixed {
	const char *name;
	enum fixed_node ino;
	mode_t type;
};

static const struct fixed root_entries[] = {
	{"README.md", FIXED_README, S_IFREG},
	{"status.json", FIXED_STATUS, S_IFREG},
	{"metrics.prom", FIXED_METRICS, S_IFREG},
	{"schema", FIXED_SCHEMA, S_IFDIR},
	{"events", FIXED_EVENTS, S_IFDIR},
	{"by-name", FIXED_BY_NAME, S_IFDIR},
	{"integrations", FIXED_INTEGRATIONS, S_IFDIR},
};

enum { ROOT_ENTRIES = sizeof root_entries / sizeof *root_entries, FIRST_COOKIE = 3 };

struct listing {
	struct px_fs *fs;
	int64_t after;
	bool (*emit)(void *arg, const struct dent *e);
	void *arg;
	bool full;
};

static bool emit(struct listing *l, const char *name, int64_t cookie, uint64_t ino, mode_t type)
{
	const struct dent e = {
		.name = name, .name_len = strlen(name), .cookie = cookie, .ino = ino, .type = type};

	if (l->full || cookie <= l->after)
		return !l->full;
	l->full = !l->emit(l->arg, &e);
	return !l->full;
}

/* ---- the root
 * ------------------------------------------------------------------------------------------------------
 */

static px_rc fixed_attr(struct px_fs *fs, struct node n, struct found *ret, struct px_err *err)
{
	int64_t mtime_ns = fs->mounted_ns;
	size_t count = 0;
	px_rc rc = PX_OK;

	switch (n.key) {
	case FIXED_ROOT:
		rc = count_integrations(fs, &count, &mtime_ns, err);
		if (!rc)
			fill_dir(fs, ret, FIXED_ROOT, mtime_ns, 4);
		return rc;
	case FIXED_SCHEMA:
		fill_dir(fs, ret, FIXED_SCHEMA, fs->mounted_ns, 0);
		return PX_OK;
	case FIXED_EVENTS:
		rc = log_mtime(fs, 0, 0, &mtime_ns, err);
		if (!rc)
			fill_dir(fs, ret, FIXED_EVENTS, mtime_ns ? mtime_ns : fs->mounted_ns, 0);
		return rc;
	case FIXED_BY_NAME:
	case FIXED_INTEGRATIONS:
		rc = count_integrations(fs, &count, &mtime_ns, err);
		if (!rc)
			fill_dir(fs, ret, (uint64_t)n.key, mtime_ns,
				n.key == FIXED_INTEGRATIONS ? count : 0);
		return rc;
	case FIXED_README:
	case FIXED_STATUS:
	case FIXED_METRICS:
		return fill_rendered(fs, (uint64_t)n.key, ret, err);
	default:
		return px_err_set(err, PX_ENOENT, "no such node");
	}
}

static px_rc root_lookup(struct px_fs *fs, const char *name, struct found *ret, struct px_err *err)
{
	for (size_t i = 0; i < ROOT_ENTRIES; i++)
		if (!strcmp(root_entries[i].name, name))
			return fixed_attr(
				fs, (struct node){NODE_FIXED, root_entries[i].ino}, ret, err);
	return px_err_set(err, PX_ENOENT, "no such name");
}

static px_rc root_list(struct listing *l)
{
	for (size_t i = 0; i < ROOT_ENTRIES; i++)
		if (!emit(l, root_entries[i].name, FIRST_COOKIE + (int64_t)i, root_entries[i].ino,
			    root_entries[i].type))
			break;
	return PX_OK;
}

/* ---- schema/
 * ---------------------------------------------------------------------------------------------------------
 */

static px_rc schema_lookup(
	struct px_fs *fs, const char *name, struct found *ret, struct px_err *err)
{
	const char *dot = strrchr(name, '.');
	char model[64];
	int m;

	if (!dot || strcmp(dot, ".json") != 0 || (size_t)(dot - name) >= sizeof model)
		return px_err_set(err, PX_ENOENT, "no such name");
	memcpy(model, name, (size_t)(dot - name));
	model[dot - name] = '\0';
	m = px_model_by_dir(model);
	if (m < 0)
		return px_err_set(err, PX_ENOENT, "no such name");
	return fill_rendered(fs, node_pack(NODE_SCHEMA, m), ret, err);
}

static px_rc schema_list(struct listing *l)
{
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		char name[80];

		(void)snprintf(name, sizeof name, "%s.json", px_models[m].dir);
		if (!emit(l, name, FIRST_COOKIE + m, node_pack(NODE_SCHEMA, m), S_IFREG))
			break;
	}
	return PX_OK;
}

/* ---- a model
 * ------------------------------------------------------------------------------------------------------------------
 */

static px_rc record_lookup(
	struct px_fs *fs, int64_t did, const char *name, struct found *ret, struct px_err *err)
{
	struct px_entry e;
	px_rc rc = px_reader_lookup(fs->reader, did, name, strlen(name), &e, err);

	if (!rc)
		tree_record_attr(fs, &e, ret);
	return rc;
}

static bool emit_record(void *arg, const struct px_entry *e)
{
	struct listing *l = arg;
	const struct dent d = {.name = e->name,
		.name_len = e->name_len,
		.cookie = e->rid + 2,
		.ino = (uint64_t)e->ino,
		.type = S_IFREG,
		.record = e};

	l->full = !l->emit(l->arg, &d);
	return !l->full;
}

static px_rc model_list(struct listing *l, int64_t did, struct px_err *err)
{
	struct px_dir d = {0};
	px_rc rc = px_reader_list(
		l->fs->reader, did, l->after > 2 ? l->after - 2 : 0, emit_record, l, err);

	if (rc || l->full)
		return rc;
	rc = px_reader_dir(l->fs->reader, did, &d, err);
	if (!rc && !d.complete)
		rc = px_err_set(err, PX_EBUSY, "%s has not been read to its end yet", d.model);
	px_dir_release(&d);
	return rc;
}

/* ---- events/
 * ------------------------------------------------------------------------------------------------------------
 */

static const char latest_name[] = "latest.jsonl";

static bool log_name(const char *name)
{
	int64_t day;

	return !strcmp(name, latest_name) || day_of_name(name, &day);
}

static px_rc latest_day(struct px_fs *fs, int64_t iid, int64_t *ret, struct px_err *err)
{
	struct px_day *days = NULL;
	size_t count = 0;
	px_rc rc = px_reader_days(fs->reader, iid, &days, &count, err);

	if (!rc && !count)
		rc = px_err_set(err, PX_ENOENT, "no events yet");
	if (!rc)
		*ret = days[count - 1].day;
	free(days);
	return rc;
}

static void fill_link(
	const struct px_fs *fs, struct found *ret, uint64_t ino, size_t len, int64_t mtime_ns)
{
	fill(fs, ret, ino, S_IFLNK, (int64_t)len, mtime_ns, mtime_ns);
	ret->entry_timeout = ret->attr_timeout = 0;
}

static px_rc latest_attr(struct px_fs *fs, int64_t iid, struct found *ret, struct px_err *err)
{
	int64_t day;
	char name[32];
	px_rc rc = latest_day(fs, iid, &day, err);

	if (rc)
		return rc;
	name_of_day(day, name);
	fill_link(
		fs, ret, node_pack(NODE_LATEST, iid), strlen(name), day * INT64_C(86400000000000));
	return PX_OK;
}

/* By its name, as far as it is one of the log's. */
static px_rc log_lookup(
	struct px_fs *fs, int64_t iid, const char *name, struct found *ret, struct px_err *err)
{
	int64_t day;

	if (!strcmp(name, latest_name))
		return latest_attr(fs, iid, ret, err);
	if (!day_of_name(name, &day))
		return px_err_set(err, PX_ENOENT, "no such name");
	return fill_day(fs, iid, day, ret, err);
}

/* Behind the cookies of records. */
static const int64_t log_cookie = INT64_C(1) << 40;

static px_rc log_list(struct listing *l, int64_t iid, struct px_err *err)
{
	struct px_day *days = NULL;
	size_t count = 0;
	px_rc rc = px_reader_days(l->fs->reader, iid, &days, &count, err);

	if (!rc && count)
		emit(l, latest_name, log_cookie, node_pack(NODE_LATEST, iid), S_IFLNK);
	for (size_t i = 0; i < count && !rc; i++) {
		char name[32];

		name_of_day(days[i].day, name);
		if (!emit(l, name, log_cookie + 1 + days[i].day, node_day(iid, days[i].day),
			    S_IFREG))
			break;
	}
	free(days);
	return rc;
}

/*
 * The API has a model `events`, and an integration has an event log: they share the directory.
 * Their names never meet, for records end in ".json" and days in ".jsonl".
 */
static px_rc events_model(struct px_fs *fs, int64_t iid, struct px_dir *ret, struct px_err *err)
{
	px_rc rc = px_reader_dir_by_name(fs->reader, iid, EVENTS_NAME, ret, err);

	if (!rc && !px_dir_shown(ret)) {
		px_dir_release(ret);
		rc = PX_ENOENT;
	}
	if (rc == PX_ENOENT)
		memset(ret, 0, sizeof *ret);
	return rc == PX_ENOENT ? PX_OK : rc;
}

static px_rc events_attr(struct px_fs *fs, int64_t iid, struct found *ret, struct px_err *err)
{
	struct px_integration i = {0};
	struct px_dir d = {0};
	int64_t mtime_ns = 0;
	px_rc rc = px_reader_integration(fs->reader, iid, &i, err);

	if (!rc)
		rc = log_mtime(fs, iid, i.mtime_ns, &mtime_ns, err);
	if (!rc)
		rc = events_model(fs, iid, &d, err);
	if (!rc)
		fill_dir(fs, ret, node_pack(NODE_EVENTS, iid),
			d.mtime_ns > mtime_ns ? d.mtime_ns : mtime_ns, 0);
	px_dir_release(&d);
	px_integration_release(&i);
	return rc;
}

static px_rc events_lookup(struct px_fs *fs, int64_t iid, const char *name, struct found *ret,
	double *ret_negative_timeout, struct px_err *err)
{
	struct px_dir d = {0};
	px_rc rc = log_lookup(fs, iid, name, ret, err);

	if (rc != PX_ENOENT || log_name(name))
		return rc;
	rc = events_model(fs, iid, &d, err);
	if (!rc && d.did) {
		*ret_negative_timeout = FOREVER_S;
		rc = record_lookup(fs, d.did, name, ret, err);
	} else if (!rc) {
		rc = px_err_set(err, PX_ENOENT, "no such name");
	}
	px_dir_release(&d);
	return rc;
}

static px_rc events_list(struct listing *l, int64_t iid, struct px_err *err)
{
	struct px_dir d = {0};
	px_rc rc = events_model(l->fs, iid, &d, err), incomplete = PX_OK;

	if (!rc && d.did)
		incomplete = model_list(l, d.did, err);
	px_dir_release(&d);
	if (!rc && (!incomplete || incomplete == PX_EBUSY) && !l->full)
		rc = log_list(l, iid, err);
	return rc ? rc : incomplete;
}

/* ---- integrations/ and by-name/
 * -------------------------------------------------------------------------------------------- */

static px_rc integration_attr(
	struct px_fs *fs, const struct px_integration *i, struct found *ret, struct px_err *err)
{
	size_t subdirs = 0;
	px_rc rc = count_shown(fs, i->iid, &subdirs, err);

	if (!rc)
		fill_dir(fs, ret, node_pack(NODE_INTEGRATION, i->iid), i->mtime_ns, subdirs + 1);
	return rc;
}

/* Where a link under by-name leads. */
static void link_target(const char *id, char ret[320])
{
	char dir[256];

	name_of_integration(id, dir);
	(void)snprintf(ret, 320, "../integrations/%s", dir);
}

/* Calls use for each integration with its two names, until it returns false. */
static px_rc each_integration(struct px_fs *fs,
	bool (*use)(
		void *arg, const struct px_integration *i, const char *dir, const char *readable),
	void *arg, struct px_err *err)
{
	struct px_integration *list = NULL;
	char(*names)[256] = NULL;
	size_t count = 0;
	px_rc rc = px_reader_integrations(fs->reader, &list, &count, err);

	if (!rc) {
		names = calloc(count ? count : 1, sizeof *names);
		rc = names ? PX_OK : px_err_nomem(err);
	}
	if (!rc)
		names_readable(list, count, names);
	for (size_t i = 0; i < count && !rc; i++) {
		char dir[256];

		name_of_integration(list[i].id, dir);
		if (!use(arg, &list[i], dir, names[i]))
			break;
	}
	free(names);
	px_integrations_free(list, count);
	return rc;
}

struct search {
	struct px_fs *fs;
	const char *name;
	bool by_name;
	struct found *ret;
	bool hit;
	px_rc rc;
	struct px_err *err;
};

static bool search_one(
	void *arg, const struct px_integration *i, const char *dir, const char *readable)
{
	struct search *s = arg;
	char target[320];

	if (strcmp(s->by_name ? readable : dir, s->name) != 0)
		return true;
	s->hit = true;
	if (s->by_name) {
		link_target(i->id, target);
		fill_link(s->fs, s->ret, node_pack(NODE_BY_NAME, i->iid), strlen(target),
			i->mtime_ns);
	} else {
		s->rc = integration_attr(s->fs, i, s->ret, s->err);
	}
	return false;
}

static px_rc integrations_lookup(
	struct px_fs *fs, bool by_name, const char *name, struct found *ret, struct px_err *err)
{
	struct search s = {.fs = fs, .name = name, .by_name = by_name, .ret = ret, .err = err};
	px_rc rc = each_integration(fs, search_one, &s, err);

	if (!rc)
		rc = s.hit ? s.rc : px_err_set(err, PX_ENOENT, "no such name");
	return rc;
}

struct integration_listing {
	struct listing *l;
	bool by_name;
};

static bool list_one(
	void *arg, const struct px_integration *i, const char *dir, const char *readable)
{
	struct integration_listing *il = arg;

	return il->by_name ? emit(il->l, readable, FIRST_COOKIE + i->iid,
				     node_pack(NODE_BY_NAME, i->iid), S_IFLNK)
			   : emit(il->l, dir, FIRST_COOKIE + i->iid,
				     node_pack(NODE_INTEGRATION, i->iid), S_IFDIR);
}

static px_rc integrations_list(struct listing *l, bool by_name, struct px_err *err)
{
	struct integration_listing il = {.l = l, .by_name = by_name};
	bool known = false;
	px_rc rc = each_integration(l->fs, list_one, &il, err);

	if (!rc && !l->full)
		rc = px_reader_integrations_known(l->fs->reader, &known, err);
	if (!rc && !l->full && !known)
		rc = px_err_set(err, PX_EBUSY, "the list of integrations has not been read yet");
	return rc;
}

/* ---- an integration
 * ---------------------------------------------------------------------------------------------------------
 */

enum { EVENTS_COOKIE = 32, MODEL_COOKIE = 64 };

static px_rc model_attr(
	struct px_fs *fs, const struct px_dir *d, struct found *ret, struct px_err *err)
{
	if (!px_dir_shown(d))
		return px_err_set(err, PX_ENOENT, "the integration does not have this model");
	fill_dir(fs, ret, node_pack(NODE_MODEL, d->did), d->mtime_ns, 0);
	return PX_OK;
}

static int small_file_index(const char *name)
{
	for (int i = 0; i < SMALL_FILES; i++)
		if (!strcmp(small_files[i], name))
			return i;
	return -1;
}

static px_rc integration_lookup(
	struct px_fs *fs, int64_t iid, const char *name, struct found *ret, struct px_err *err)
{
	struct px_dir d = {0};
	int file = small_file_index(name);
	px_rc rc;

	if (file >= 0)
		return fill_rendered(fs, node_pack(NODE_FILE, iid << 8 | file), ret, err);
	if (!strcmp(name, EVENTS_NAME))
		return events_attr(fs, iid, ret, err);
	if (strlen(name) >= sizeof d.model)
		return px_err_set(err, PX_ENOENT, "no such name");
	rc = px_reader_dir_by_name(fs->reader, iid, name, &d, err);
	if (!rc)
		rc = model_attr(fs, &d, ret, err);
	px_dir_release(&d);
	return rc;
}

static px_rc list_small_files(struct listing *l, int64_t iid, struct px_err *err)
{
	struct px_file *list = NULL;
	size_t count = 0;
	px_rc rc = px_reader_files(l->fs->reader, iid, &list, &count, err);

	for (int k = 0; k < SMALL_FILES && !rc; k++) {
		bool there = k == SMALL_STATUS;

		for (size_t i = 0; i < count; i++)
			there |= !strcmp(list[i].name, small_files[k]);
		if (there && !emit(l, small_files[k], FIRST_COOKIE + k,
				     node_pack(NODE_FILE, iid << 8 | k), S_IFREG))
			break;
	}
	px_files_free(list, count);
	return rc;
}

static px_rc integration_list(struct listing *l, int64_t iid, struct px_err *err)
{
	struct px_integration integration = {0};
	struct px_dir *list = NULL;
	size_t count = 0;
	px_rc rc = list_small_files(l, iid, err);

	if (!rc && !l->full)
		emit(l, EVENTS_NAME, EVENTS_COOKIE, node_pack(NODE_EVENTS, iid), S_IFDIR);
	if (!rc)
		rc = px_reader_dirs(l->fs->reader, iid, &list, &count, err);
	/* in the order of their numbers, which are the cookies */
	for (int64_t last = 0; !rc && !l->full;) {
		const struct px_dir *next = NULL;

		for (size_t i = 0; i < count; i++)
			if (list[i].did > last && (!next || list[i].did < next->did))
				next = &list[i];
		if (!next)
			break;
		last = next->did;
		if (px_dir_shown(next) && strcmp(next->model, EVENTS_NAME) != 0)
			emit(l, next->model, MODEL_COOKIE + next->did,
				node_pack(NODE_MODEL, next->did), S_IFDIR);
	}
	px_dirs_free(list, count);
	if (!rc && !l->full)
		rc = px_reader_integration(l->fs->reader, iid, &integration, err);
	if (!rc && !l->full && !integration.models_known)
		rc = px_err_set(err, PX_EBUSY, "the models of the integration are not known yet");
	px_integration_release(&integration);
	return rc;
}

/* ---- by kind
 * ---------------------------------------------------------------------------------------------------------------------
 */

static px_rc by_name_attr(struct px_fs *fs, int64_t iid, struct found *ret, struct px_err *err)
{
	struct px_integration i = {0};
	char target[320];
	px_rc rc = px_reader_integration(fs->reader, iid, &i, err);

	if (!rc) {
		link_target(i.id, target);
		fill_link(fs, ret, node_pack(NODE_BY_NAME, iid), strlen(target), i.mtime_ns);
	}
	px_integration_release(&i);
	return rc;
}

px_rc tree_attr(struct px_fs *fs, uint64_t nodeid, struct found *ret, struct px_err *err)
{
	struct node n = node_unpack(nodeid);
	struct px_integration i = {0};
	struct px_dir d = {0};
	struct px_entry e;
	struct rendering *r;
	px_rc rc;

	switch (n.kind) {
	case NODE_FIXED:
		return fixed_attr(fs, n, ret, err);
	case NODE_VERSION:
		rc = px_reader_version(fs->reader, n.key, &e, err);
		if (!rc)
			tree_record_attr(fs, &e, ret);
		return rc;
	case NODE_INTEGRATION:
		rc = px_reader_integration(fs->reader, n.key, &i, err);
		if (!rc)
			rc = integration_attr(fs, &i, ret, err);
		px_integration_release(&i);
		return rc;
	case NODE_MODEL:
		rc = px_reader_dir(fs->reader, n.key, &d, err);
		if (!rc)
			fill_dir(fs, ret, nodeid, d.mtime_ns, 0);
		px_dir_release(&d);
		return rc;
	case NODE_EVENTS:
		return events_attr(fs, n.key, ret, err);
	case NODE_DAY:
		return fill_day(fs, n.key >> 20, n.key & ((1 << 20) - 1), ret, err);
	case NODE_LATEST:
		return latest_attr(fs, n.key, ret, err);
	case NODE_BY_NAME:
		return by_name_attr(fs, n.key, ret, err);
	case NODE_RENDERING:
		r = rendered_find(fs, n.key);
		if (!r)
			return px_err_set(err, PX_ENOENT, "a rendering that is gone");
		fill(fs, ret, r->name_ino, S_IFREG, (int64_t)r->size, r->mtime_ns, r->ctime_ns);
		ret->nodeid = nodeid;
		return PX_OK;
	default:
		return px_err_set(err, PX_ENOENT, "no such node");
	}
}

px_rc tree_lookup(struct px_fs *fs, uint64_t parent, const char *name, struct found *ret,
	double *ret_negative_timeout, struct px_err *err)
{
	struct node n = node_unpack(parent);

	*ret_negative_timeout = 0;
	switch (n.kind) {
	case NODE_FIXED:
		switch (n.key) {
		case FIXED_ROOT:
			return root_lookup(fs, name, ret, err);
		case FIXED_SCHEMA:
			return schema_lookup(fs, name, ret, err);
		case FIXED_EVENTS:
			return log_lookup(fs, 0, name, ret, err);
		case FIXED_BY_NAME:
		case FIXED_INTEGRATIONS:
			return integrations_lookup(fs, n.key == FIXED_BY_NAME, name, ret, err);
		default:
			return px_err_set(err, PX_EINVAL, "not a directory");
		}
	case NODE_INTEGRATION:
		return integration_lookup(fs, n.key, name, ret, err);
	case NODE_EVENTS:
		return events_lookup(fs, n.key, name, ret, ret_negative_timeout, err);
	case NODE_MODEL:
		*ret_negative_timeout = FOREVER_S;
		return record_lookup(fs, n.key, name, ret, err);
	default:
		return px_err_set(err, PX_EINVAL, "not a directory");
	}
}

static px_rc list_of(struct listing *l, struct node n, struct px_err *err)
{
	switch (n.kind) {
	case NODE_FIXED:
		switch (n.key) {
		case FIXED_ROOT:
			return root_list(l);
		case FIXED_SCHEMA:
			return schema_list(l);
		case FIXED_EVENTS:
			return log_list(l, 0, err);
		case FIXED_BY_NAME:
		case FIXED_INTEGRATIONS:
			return integrations_list(l, n.key == FIXED_BY_NAME, err);
		default:
			return px_err_set(err, PX_EINVAL, "not a directory");
		}
	case NODE_INTEGRATION:
		return integration_list(l, n.key, err);
	case NODE_EVENTS:
		return events_list(l, n.key, err);
	case NODE_MODEL:
		return model_list(l, n.key, err);
	default:
		return px_err_set(err, PX_EINVAL, "not a directory");
	}
}

static px_rc parent_of(struct px_fs *fs, uint64_t dir, uint64_t *ret, struct px_err *err)
{
	struct node n = node_unpack(dir);
	struct px_dir d = {0};
	px_rc rc = PX_OK;

	*ret = FIXED_ROOT;
	if (n.kind == NODE_INTEGRATION) {
		*ret = FIXED_INTEGRATIONS;
	} else if (n.kind == NODE_EVENTS) {
		*ret = node_pack(NODE_INTEGRATION, n.key);
	} else if (n.kind == NODE_MODEL) {
		rc = px_reader_dir(fs->reader, n.key, &d, err);
		if (!rc)
			*ret = node_pack(NODE_INTEGRATION, d.iid);
		px_dir_release(&d);
	}
	return rc;
}

px_rc tree_list(struct px_fs *fs, uint64_t dir, int64_t after,
	bool (*to)(void *arg, const struct dent *e), void *arg, bool *ret_end, struct px_err *err)
{
	struct listing l = {.fs = fs, .after = after, .emit = to, .arg = arg};
	uint64_t parent = FIXED_ROOT;
	px_rc rc = after < 2 ? parent_of(fs, dir, &parent, err) : PX_OK;

	*ret_end = false;
	if (rc)
		return rc;
	emit(&l, ".", 1, dir, S_IFDIR);
	emit(&l, "..", 2, parent, S_IFDIR);
	if (!l.full)
		rc = list_of(&l, node_unpack(dir), err);
	*ret_end = !l.full;
	return rc == PX_EBUSY && fs->partial ? PX_OK : rc;
}

px_rc tree_readlink(struct px_fs *fs, uint64_t nodeid, struct px_buf *out, struct px_err *err)
{
	struct node n = node_unpack(nodeid);
	struct px_integration i = {0};
	char text[320];
	int64_t day;
	px_rc rc;

	if (n.kind == NODE_LATEST) {
		rc = latest_day(fs, n.key, &day, err);
		if (!rc)
			name_of_day(day, text);
	} else if (n.kind == NODE_BY_NAME) {
		rc = px_reader_integration(fs->reader, n.key, &i, err);
		if (!rc)
			link_target(i.id, text);
		px_integration_release(&i);
	} else {
		return px_err_set(err, PX_EINVAL, "not a link");
	}
	return rc ? rc : px_buf_adds(out, text) ? px_buf_ok(out, err) : PX_OK;
}

px_rc tree_read(struct px_fs *fs, uint64_t nodeid, int64_t offset, size_t len, struct px_buf *out,
	struct px_err *err)
{
	struct node n = node_unpack(nodeid);
	struct rendering *r;
	size_t got = 0;
	px_rc rc;

	switch (n.kind) {
	case NODE_VERSION:
		rc = px_reader_read(fs->reader, n.key, offset, out->data, len, &got, err);
		break;
	case NODE_DAY:
		rc = px_reader_day_read(fs->reader, n.key >> 20, n.key & ((1 << 20) - 1), offset,
			out->data, len, &got, err);
		break;
	case NODE_RENDERING:
		r = rendered_find(fs, n.key);
		if (!r)
			return px_err_set(err, PX_ENOENT, "a rendering that is gone");
		got = (size_t)offset >= r->size	       ? 0
		      : r->size - (size_t)offset < len ? r->size - (size_t)offset
						       : len;
		memcpy(out->data, r->text + (got ? offset : 0), got);
		rc = PX_OK;
		break;
	default:
		return px_err_set(err, PX_EINVAL, "not a file");
	}
	out->len = got;
	return rc;
}
