/* SPDX-License-Identifier: MIT */
/*
 * ops.c - what the kernel asks, answered from the tree.
 *
 * Invariants: each handler sends exactly one reply, or leaves it to the pusher (forget: none); a
 * reference that a reply hands out is counted before it leaves, and taken back when it could not be
 * delivered; every call that would change something says EROFS, also after root's remount,rw; open
 * and opendir are answered ENOSYS once, and never asked again (fuse.h: FUSE_NO_OPEN_SUPPORT,
 * FUSE_NO_OPENDIR_SUPPORT: the kernel then keeps pages and listings cached). Request thread only.
 */
#include "fs_i.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <sys/statvfs.h>

#include "propexofs/clock.h"
#include "propexofs/log.h"

/* ---- replies
 * ------------------------------------------------------------------------------------------------------
 */

static struct px_fs *begin(fuse_req_t req, enum op_kind op)
{
	struct px_fs *fs = fuse_req_userdata(req);

	fs_count(fs, op);
	return fs;
}

/* Before what a directory holds is read for a reply. */
static void begin_names(struct px_fs *fs, uint64_t dir)
{
	atomic_store(&fs->replied_ms[dir_slot(dir)], px_clock_mono_ms());
}

static void fail(fuse_req_t req, px_rc rc, const struct px_err *err)
{
	int sys = px_rc_errno(rc);

	if (sys == EIO)
		px_log_limited(PX_LOG_ERROR, "fs", "a request failed: %s", err->msg);
	fuse_reply_err(req, sys);
}

static bool refer(struct px_fs *fs, uint64_t nodeid)
{
	struct node n = node_unpack(nodeid);
	struct rendering *r;

	switch (n.kind) {
	case NODE_VERSION:
		return known_add(fs->known, n.key);
	case NODE_RENDERING:
		r = rendered_find(fs, n.key);
		if (r)
			r->lookups++;
		return r;
	default:
		return true;
	}
}

static void unrefer(struct px_fs *fs, uint64_t nodeid, uint64_t references)
{
	struct node n = node_unpack(nodeid);

	if (n.kind == NODE_VERSION)
		known_drop(fs->known, n.key, references);
	else if (n.kind == NODE_RENDERING)
		rendered_forget(fs, n.key, references);
}

static struct fuse_entry_param entry_of(const struct found *f)
{
	return (struct fuse_entry_param){.ino = f->nodeid,
		.attr = f->attr,
		.attr_timeout = f->attr_timeout,
		.entry_timeout = f->entry_timeout};
}

/* ---- names and attributes
 * ----------------------------------------------------------------------------------------- */

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct px_fs *fs = begin(req, OP_LOOKUP);
	struct fuse_entry_param entry = {0};
	struct found f;
	struct px_err err;
	double negative = 0;
	px_rc rc;

	if (strlen(name) > 255) {
		fuse_reply_err(req, ENAMETOOLONG);
		return;
	}
	begin_names(fs, parent);
	rc = tree_lookup(fs, parent, name, &f, &negative, &err);
	if (rc == PX_ENOENT && negative > 0) {
		entry.entry_timeout = negative;
		fuse_reply_entry(req, &entry);
	} else if (rc) {
		fail(req, rc, &err);
	} else if (!refer(fs, f.nodeid)) {
		fuse_reply_err(req, ENOMEM);
	} else {
		entry = entry_of(&f);
		if (fuse_reply_entry(req, &entry))
			unrefer(fs, f.nodeid, 1);
	}
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t references)
{
	unrefer(begin(req, OP_FORGET), ino, references);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *list)
{
	struct px_fs *fs = begin(req, OP_FORGET);

	for (size_t i = 0; i < count; i++)
		unrefer(fs, list[i].ino, list[i].nlookup);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct px_fs *fs = begin(req, OP_GETATTR);
	struct found f;
	struct px_err err;
	px_rc rc = tree_attr(fs, ino, &f, &err);

	(void)fi;
	if (rc)
		fail(req, rc, &err);
	else
		fuse_reply_attr(req, &f.attr, f.attr_timeout);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct px_fs *fs = begin(req, OP_READLINK);
	PX_BUF_AUTO struct px_buf target = PX_BUF_INIT(4096);
	struct px_err err;
	px_rc rc = tree_readlink(fs, ino, &target, &err);

	if (!rc)
		rc = px_buf_addc(&target, '\0');
	if (rc)
		fail(req, rc, &err);
	else
		fuse_reply_readlink(req, target.data);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct px_fs *fs = begin(req, OP_STATFS);
	struct px_store_totals t;
	struct px_err err;
	struct statvfs s;
	px_rc rc = px_reader_totals(fs->reader, &t, &err);

	(void)ino;
	if (rc) {
		fail(req, rc, &err);
		return;
	}
	memset(&s, 0, sizeof s);
	s.f_bsize = s.f_frsize = 4096;
	s.f_blocks = (fsblkcnt_t)((t.bytes + 4095) / 4096);
	s.f_files = (fsfilcnt_t)t.records;
	s.f_namemax = 255;
	fuse_reply_statfs(req, &s);
}

/* ---- bytes
 * ----------------------------------------------------------------------------------------------------------
 */

void op_read_reply(struct px_fs *fs, fuse_req_t req, px_rc rc, const char *data, size_t len,
	const struct px_err *err)
{
	if (rc) {
		fail(req, rc, err);
		return;
	}
	atomic_fetch_add_explicit(&fs->count[OP_BYTES], len, memory_order_relaxed);
	fuse_reply_buf(req, data, len);
}

static void op_read(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct px_fs *fs = begin(req, OP_READ);
	struct px_buf out = {.data = fs->reply, .cap = REPLY_MAX, .max = REPLY_MAX};
	struct px_err err;
	px_rc rc;

	(void)fi;
	if (size > REPLY_MAX)
		size = REPLY_MAX;
	if (!offset && node_unpack(ino).kind == NODE_VERSION &&
		push_take(fs, req, (int64_t)ino, size))
		return;
	rc = tree_read(fs, ino, offset, size, &out, &err);
	op_read_reply(fs, req, rc, out.data, out.len, &err);
}

/* ---- listings
 * --------------------------------------------------------------------------------------------------------
 */

struct page {
	struct px_fs *fs;
	fuse_req_t req;
	size_t len, size;
	size_t added;
};

static bool add_plain(void *arg, const struct dent *e)
{
	struct page *p = arg;
	const struct stat st = {.st_ino = e->ino, .st_mode = e->type};
	size_t need = fuse_add_direntry(
		p->req, p->fs->reply + p->len, p->size - p->len, e->name, &st, (off_t)e->cookie);

	if (need > p->size - p->len)
		return false;
	p->len += need;
	return true;
}

/*
 * With attributes for records that the kernel does not know yet. For all others nodeid is 0: the
 * kernel takes the name and the type, and keeps what it has (fuse_direntplus_link in
 * fs/fuse/readdir.c). Texts that are rendered would be made for nothing, and directories are few.
 */
static bool add_plus(void *arg, const struct dent *e)
{
	struct page *p = arg;
	struct fuse_entry_param entry = {.attr = {.st_ino = e->ino, .st_mode = e->type}};
	struct found f;
	bool give = e->record && p->added < ADDED_MAX && !known_get(p->fs->known, e->record->ino);
	size_t need;

	if (give) {
		tree_record_attr(p->fs, e->record, &f);
		entry = entry_of(&f);
	}
	need = fuse_add_direntry_plus(
		p->req, p->fs->reply + p->len, p->size - p->len, e->name, &entry, (off_t)e->cookie);
	if (need > p->size - p->len)
		return false;
	if (give) {
		if (!known_add(p->fs->known, e->record->ino))
			return false;
		p->fs->added[p->added++] = e->record->ino;
	}
	p->len += need;
	return true;
}

static void list(fuse_req_t req, struct px_fs *fs, fuse_ino_t dir, size_t size, off_t after,
	bool (*add)(void *arg, const struct dent *e))
{
	struct page p = {.fs = fs, .req = req, .size = size < REPLY_MAX ? size : REPLY_MAX};
	struct px_err err;
	bool end = false;
	px_rc rc;

	begin_names(fs, dir);
	/* one moment for the entries and for whether they are all */
	rc = px_reader_begin(fs->reader, &err);
	if (!rc) {
		rc = tree_list(fs, dir, after, add, &p, &end, &err);
		px_reader_end(fs->reader);
	}
	/* what is there goes first; the error is the answer to the question for the rest */
	if (rc && !p.len) {
		fail(req, rc, &err);
		return;
	}
	if (!fuse_reply_buf(req, fs->reply, p.len))
		return;
	for (size_t i = 0; i < p.added; i++)
		known_drop(fs->known, fs->added[i], 1);
}

static void op_readdir(
	fuse_req_t req, fuse_ino_t dir, size_t size, off_t after, struct fuse_file_info *fi)
{
	(void)fi;
	list(req, begin(req, OP_READDIR), dir, size, after, add_plain);
}

static void op_readdirplus(
	fuse_req_t req, fuse_ino_t dir, size_t size, off_t after, struct fuse_file_info *fi)
{
	(void)fi;
	list(req, begin(req, OP_READDIRPLUS), dir, size, after, add_plus);
}

/* ---- what carries no information
 * --------------------------------------------------------------------------------------- */

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)begin(req, OP_OPEN);
	(void)ino;
	fuse_reply_err(req, (fi->flags & O_ACCMODE) == O_RDONLY ? ENOSYS : EROFS);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)begin(req, OP_OPENDIR);
	(void)ino;
	(void)fi;
	fuse_reply_err(req, ENOSYS);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)begin(req, OP_RELEASE);
	(void)ino;
	(void)fi;
	fuse_reply_err(req, 0);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	(void)begin(req, OP_GETXATTR);
	(void)ino;
	(void)name;
	(void)size;
	fuse_reply_err(req, ENOSYS);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	(void)begin(req, OP_LISTXATTR);
	(void)ino;
	(void)size;
	fuse_reply_err(req, ENOSYS);
}

/* ---- what would change something
 * ---------------------------------------------------------------------------------------- */

static void refuse(fuse_req_t req)
{
	(void)begin(req, OP_CHANGING);
	fuse_reply_err(req, EROFS);
}

static void op_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *st, int set, struct fuse_file_info *fi)
{
	(void)ino;
	(void)st;
	(void)set;
	(void)fi;
	refuse(req);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	(void)parent;
	(void)name;
	(void)mode;
	(void)dev;
	refuse(req);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)parent;
	(void)name;
	(void)mode;
	refuse(req);
}

static void op_remove(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	refuse(req);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	(void)parent;
	(void)name;
	refuse(req);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to,
	const char *to_name, unsigned int flags)
{
	(void)parent;
	(void)name;
	(void)to;
	(void)to_name;
	(void)flags;
	refuse(req);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	(void)parent;
	(void)name;
	refuse(req);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	(void)ino;
	(void)data;
	(void)size;
	(void)offset;
	(void)fi;
	refuse(req);
}

static void op_create(
	fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	(void)parent;
	(void)name;
	(void)mode;
	(void)fi;
	refuse(req);
}

static void op_setxattr(
	fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	(void)ino;
	(void)name;
	(void)value;
	(void)size;
	(void)flags;
	refuse(req);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	(void)ino;
	(void)name;
	refuse(req);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t len,
	struct fuse_file_info *fi)
{
	(void)ino;
	(void)mode;
	(void)offset;
	(void)len;
	(void)fi;
	refuse(req);
}

/* ---- the connection
 * -------------------------------------------------------------------------------------------------------
 */

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	/* attributes always come with names: what is pushed later needs the inodes, and AUTO costs
	 * a look-up for each */
	conn->want |= conn->capable & FUSE_CAP_READDIRPLUS;
	conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
	/* the kernel would drop pages by size and mtime of growing logs, in an order that shows
	 * zeros */
	conn->want &= ~(unsigned)(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_EXPLICIT_INVAL_DATA);
	/* no open is ever asked about: O_TRUNC is refused because it comes as a SETATTR */
	conn->want &= ~(unsigned)FUSE_CAP_ATOMIC_O_TRUNC;
	conn->want |= conn->capable & (FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_READ);
	conn->max_readahead = REPLY_MAX;
}

const struct fuse_lowlevel_ops fs_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.readlink = op_readlink,
	.read = op_read,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.statfs = op_statfs,
	.open = op_open,
	.opendir = op_opendir,
	.release = op_release,
	.releasedir = op_release,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.setattr = op_setattr,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_remove,
	.rmdir = op_remove,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.write = op_write,
	.create = op_create,
	.setxattr = op_setxattr,
	.removexattr = op_removexattr,
	.fallocate = op_fallocate,
};
