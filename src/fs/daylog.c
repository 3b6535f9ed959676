/* SPDX-License-Identifier: MIT */
/*
 * daylog.c - files that grow in place: the event logs of today.
 *
 * A page at the end of a file is filled with zeros behind the end. When the size grows while such a
 * page is cached, a reader sees the zeros. So the order is: commit; READ gives every committed
 * byte, also behind the size reported so far; the notifier drops the page at the old end; and only
 * then may a reply report the new size. Here is what may be reported.
 *
 * Invariant: a size never goes back. The request thread asks, the notifier announces; the lock is a
 * leaf.
 */
#include "fs_i.h"

#include <stdlib.h>

static struct daylog *find_locked(struct px_fs *fs, uint64_t ino)
{
	for (size_t i = 0; i < fs->daylog_count; i++)
		if (fs->daylogs[i].ino == ino)
			return &fs->daylogs[i];
	return NULL;
}

static struct daylog *add_locked(struct px_fs *fs, uint64_t ino, int64_t size)
{
	struct daylog *grown = realloc(fs->daylogs, (fs->daylog_count + 1) * sizeof *grown);

	if (!grown)
		return NULL;
	fs->daylogs = grown;
	grown[fs->daylog_count] = (struct daylog){.ino = ino, .size = size};
	return &grown[fs->daylog_count++];
}

int64_t daylog_size(struct px_fs *fs, uint64_t ino, int64_t committed)
{
	struct daylog *d;
	int64_t size = committed;

	if (!fs->feed)
		return committed;
	pthread_mutex_lock(&fs->lock);
	d = find_locked(fs, ino);
	if (!d) /* the kernel has no page of it yet */
		d = add_locked(fs, ino, committed);
	if (d)
		size = d->size;
	pthread_mutex_unlock(&fs->lock);
	return size;
}

int64_t daylog_announced(struct px_fs *fs, uint64_t ino)
{
	struct daylog *d;
	int64_t size;

	pthread_mutex_lock(&fs->lock);
	d = find_locked(fs, ino);
	size = d ? d->size : -1;
	pthread_mutex_unlock(&fs->lock);
	return size;
}

void daylog_announce(struct px_fs *fs, uint64_t ino, int64_t size)
{
	struct daylog *d;

	pthread_mutex_lock(&fs->lock);
	d = find_locked(fs, ino);
	/* also when nobody has asked yet: somebody may be about to, with a size read before */
	if (!d)
		d = add_locked(fs, ino, size);
	if (d && d->size < size)
		d->size = size;
	pthread_mutex_unlock(&fs->lock);
}
