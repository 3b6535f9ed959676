/* SPDX-License-Identifier: MIT */
/*
 * fusebase.c - the least that a filesystem over FUSE can be: one directory of files that never
 * change, names, attributes and bodies in memory, everything cached by the kernel for ever, bodies
 * stored ahead of a reader. What scripts/bench compares the filesystem with: what is slower here
 * than on the disk is the price of FUSE on this machine.
 *
 *   fusebase DIRECTORY MOUNTPOINT      ends when it is unmounted
 *
 * A READ waits until bodies are stored as far as LEAD files behind its own; the thread that stores
 * them never stores one that is being read, for the kernel has locked its pages.
 */
#define FUSE_USE_VERSION 34
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST = 2, LEAD = 128, REPLY = 1 << 20 };

struct file {
	char *name, *body;
	struct stat st; /* st_ino is FIRST and its place in the list */
};

static struct file *files;  /* in the order of the directory */
static struct file **named; /* in the order of the names */
static size_t count;
static struct fuse_session *session;
static char reply[REPLY];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static size_t stored;  /* guarded by: lock; files before this one are stored, or were read */
static size_t wanted;  /* guarded by: lock; as far as they are to be */
static size_t reading; /* guarded by: lock; place of the READ that waits; SIZE_MAX: none */
static size_t storing; /* guarded by: lock; place of the body being stored; SIZE_MAX: none */
static bool ending;    /* guarded by: lock */

static int by_ino(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return x->st.st_ino < y->st.st_ino ? -1 : x->st.st_ino > y->st.st_ino;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct file *const *)a)->name, (*(struct file *const *)b)->name);
}

static int load(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d)
		return -1;
	while ((e = readdir(d))) {
		struct file *grown, *f;
		int fd = openat(dirfd(d), e->d_name, O_RDONLY);

		grown = realloc(files, (count + 1) * sizeof *files);
		if (!grown || fd < 0)
			return -1;
		files = grown;
		f = &files[count];
		if (fstat(fd, &f->st))
			return -1;
		if (S_ISREG(f->st.st_mode)) {
			f->name = strdup(e->d_name);
			f->body = malloc((size_t)f->st.st_size + 1);
			if (!f->name || !f->body ||
				read(fd, f->body, (size_t)f->st.st_size) != f->st.st_size)
				return -1;
			count++;
		}
		(void)close(fd);
	}
	qsort(files, count, sizeof *files, by_ino);
	named = malloc((count + 1) * sizeof *named);
	if (!named)
		return -1;
	for (size_t i = 0; i < count; i++) {
		files[i].st.st_ino = FIRST + i;
		named[i] = &files[i];
	}
	qsort(named, count, sizeof *named, by_name);
	return closedir(d);
}

static struct fuse_entry_param entry_of(const struct file *f)
{
	return (struct fuse_entry_param){
		.ino = f->st.st_ino, .attr = f->st, .attr_timeout = 1e9, .entry_timeout = 1e9};
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, ENOSYS); /* never again */
}

static void on_init(void *arg, struct fuse_conn_info *conn)
{
	(void)arg;
	conn->want |= conn->capable & FUSE_CAP_READDIRPLUS;
	conn->want &= ~(unsigned)(FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_AUTO_INVAL_DATA);
	conn->want |= conn->capable & (FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_READ);
	conn->max_readahead = REPLY;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct file wanted_file = {.name = (char *)(uintptr_t)name}, *key = &wanted_file;
	struct file **found = bsearch(&key, named, count, sizeof *named, by_name);
	struct fuse_entry_param e;

	(void)parent;
	if (!found) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	e = entry_of(*found);
	fuse_reply_entry(req, &e);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat root = {.st_ino = FUSE_ROOT_ID, .st_mode = S_IFDIR | 0755, .st_nlink = 2};

	(void)fi;
	fuse_reply_attr(req, ino < FIRST ? &root : &files[ino - FIRST].st, 1e9);
}

static void on_readdirplus(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t after, struct fuse_file_info *fi)
{
	size_t len = 0;

	(void)ino;
	(void)fi;
	if (size > REPLY)
		size = REPLY;
	for (size_t i = (size_t)after; i < count; i++) {
		struct fuse_entry_param e = entry_of(&files[i]);
		size_t need = fuse_add_direntry_plus(
			req, reply + len, size - len, files[i].name, &e, (off_t)i + 1);

		if (need > size - len)
			break;
		len += need;
	}
	fuse_reply_buf(req, reply, len);
}

static void on_read(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	const struct file *f = &files[ino - FIRST];
	size_t place = ino - FIRST, length = (size_t)f->st.st_size, from = (size_t)offset;

	(void)fi;
	pthread_mutex_lock(&lock);
	if (place >= stored && place != storing) {
		reading = place;
		wanted = place + 2 * LEAD < count ? place + 2 * LEAD : count;
		pthread_cond_broadcast(&moved);
		while (stored < count && stored < place + LEAD)
			pthread_cond_wait(&moved, &lock);
		reading = SIZE_MAX;
	}
	pthread_mutex_unlock(&lock);
	if (from > length)
		from = length;
	fuse_reply_buf(req, f->body + from, size < length - from ? size : length - from);
}

static void *store_main(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	while (!ending) {
		size_t i = stored;

		if (i >= wanted) {
			pthread_cond_wait(&moved, &lock);
			continue;
		}
		/* the last of a lead is left to the reader: its READ asks for more */
		if (i != reading && i % LEAD) {
			struct fuse_bufvec vec = FUSE_BUFVEC_INIT((size_t)files[i].st.st_size);

			vec.buf[0].mem = files[i].body;
			storing = i;
			pthread_mutex_unlock(&lock);
			(void)fuse_lowlevel_notify_store(
				session, files[i].st.st_ino, 0, &vec, (enum fuse_buf_copy_flags)0);
			pthread_mutex_lock(&lock);
			storing = SIZE_MAX;
		}
		stored = i + 1;
		if (reading != SIZE_MAX && (stored == count || stored >= reading + LEAD))
			pthread_cond_broadcast(&moved);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

int main(int argc, char **argv)
{
	const struct fuse_lowlevel_ops ops = {.init = on_init,
		.lookup = on_lookup,
		.getattr = on_getattr,
		.open = on_open,
		.opendir = on_open,
		.read = on_read,
		.readdirplus = on_readdirplus};
	char *list[] = {argv[0], "-o", "fsname=fusebase,default_permissions,ro"};
	struct fuse_args args = FUSE_ARGS_INIT(3, list);
	pthread_t storer;

	if (argc != 3 || load(argv[1])) {
		fprintf(stderr, "usage: fusebase DIRECTORY MOUNTPOINT\n");
		return 2;
	}
	reading = storing = SIZE_MAX;
	session = fuse_session_new(&args, &ops, sizeof ops, NULL);
	if (!session || fuse_session_mount(session, argv[2]))
		return 1;
	pthread_create(&storer, NULL, store_main, NULL);
	(void)fuse_session_loop(session);
	pthread_mutex_lock(&lock);
	ending = true;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
	pthread_join(storer, NULL);
	fuse_session_unmount(session);
	fuse_session_destroy(session);
	return 0;
}
