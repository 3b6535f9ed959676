/* SPDX-License-Identifier: MIT */
/* files.c - the configuration and the store: where they lie, whose they are, whether they are
 * sound. */
#include "check_i.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "propexofs/store_read.h"

enum { LOW_MIB = 1024, LEAST_MIB = 64 };

/* ---- configuration ---- */

void px_check_conf(struct px_checking *k, const struct px_err *err)
{
	const char *path = k->conf ? k->conf->config_file : NULL;
	char hint[320];
	struct stat st;

	if (!k->conf) {
		px_found(k, PX_ON_CONF, PX_VERDICT_FAIL, "propexofs.conf(5) describes it", "%s",
			err ? err->msg : "cannot be read");
	} else if (!path) {
		px_found(k, PX_ON_CONF, PX_VERDICT_WARN, "propexofs init writes one",
			"there is no file: options and defaults alone count");
	} else if (stat(path, &st)) {
		px_found(k, PX_ON_CONF, PX_VERDICT_FAIL, NULL, "%s: %s", path,
			strerrordesc_np(errno));
	} else if (st.st_mode & 022) {
		(void)snprintf(hint, sizeof hint, "chmod go-w %s", path);
		px_found(k, PX_ON_CONF, PX_VERDICT_FAIL, hint,
			"%s can be changed by others (mode %04o), and it says what is run as you",
			path, (unsigned)(st.st_mode & 07777));
	} else if (st.st_uid != geteuid() && st.st_uid) {
		px_found(k, PX_ON_CONF, PX_VERDICT_WARN,
			"it says what is run as you: it should be yours or root's",
			"%s belongs to another user (uid %u)", path, (unsigned)st.st_uid);
	} else {
		px_found(k, PX_ON_CONF, PX_VERDICT_OK, NULL, "%s (mode %04o)", path,
			(unsigned)(st.st_mode & 07777));
	}
}

/* ---- store ---- */

/* Cuts path down to the nearest directory that exists; false: there is none. */
static bool nearest_directory(char *path)
{
	struct stat st;

	for (;;) {
		char *slash = strrchr(path, '/');

		if (!slash)
			return false;
		if (slash == path)
			slash[1] = '\0';
		else
			*slash = '\0';
		if (!stat(path, &st))
			return S_ISDIR(st.st_mode);
		if (errno != ENOENT || slash == path)
			return false;
	}
}

/* The write-ahead log needs memory that is shared, which no network filesystem has. */
static bool is_remote(const char *dir)
{
	static const long remote[] = {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC,
		SMB2_SUPER_MAGIC, AFS_SUPER_MAGIC, CEPH_SUPER_MAGIC, V9FS_MAGIC, FUSE_SUPER_MAGIC};
	struct statfs fs;

	if (statfs(dir, &fs))
		return false;
	for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
		if ((long)fs.f_type == remote[i])
			return true;
	return false;
}

static void check_directory(struct px_checking *k, const char *dir)
{
	const char *store = k->conf->store;
	size_t len = strlen(dir);
	bool there = !strncmp(store, dir, len) && store[len] == '/' &&
		     !strchr(store + len + 1, '/');

	if (access(dir, W_OK | X_OK))
		px_found(k, PX_ON_STORE_DIR, PX_VERDICT_FAIL,
			"name a place of your own with --store FILE", "%s cannot be written: %s",
			dir, strerrordesc_np(errno));
	else if (is_remote(dir))
		px_found(k, PX_ON_STORE_DIR, PX_VERDICT_WARN,
			"put the store on a local disk with --store FILE",
			"%s lies on a network or FUSE filesystem, where SQLite is not safe", dir);
	else
		px_found(k, PX_ON_STORE_DIR, PX_VERDICT_OK, NULL,
			there ? "%s" : "will be made in %s", dir);
}

static void check_space(struct px_checking *k, const char *dir)
{
	static const char hint[] = "a record takes about 3 KB; make room, or move the store";
	struct statvfs fs;
	uint64_t mib;

	if (px_skipped(k, PX_ON_SPACE, PX_ON_STORE_DIR))
		return;
	if (statvfs(dir, &fs)) {
		px_found(k, PX_ON_SPACE, PX_VERDICT_WARN, NULL, "%s: %s", dir,
			strerrordesc_np(errno));
		return;
	}
	mib = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
	px_found(k, PX_ON_SPACE,
		mib < LEAST_MIB ? PX_VERDICT_FAIL
		: mib < LOW_MIB ? PX_VERDICT_WARN
				: PX_VERDICT_OK,
		mib < LOW_MIB ? hint : NULL, "%llu MiB", (unsigned long long)mib);
}

static void check_owner(struct px_checking *k, bool there, const struct stat *st)
{
	const char *store = k->conf ? k->conf->store : "";
	struct px_store_owner owner = {0};
	struct px_err err = {0};
	char hint[320];

	if (px_skipped(k, PX_ON_OWNER, PX_ON_STORE_DIR))
		return;
	(void)snprintf(hint, sizeof hint, "chmod 600 %s", store);
	if (px_store_owner(store, &owner, &err)) {
		px_found(k, PX_ON_OWNER, PX_VERDICT_FAIL, "run this as the user who mounts", "%s",
			err.msg);
	} else if (there &&
		   (access(store, R_OK | W_OK) || (geteuid() && st->st_uid != geteuid()))) {
		px_found(k, PX_ON_OWNER, PX_VERDICT_FAIL, "run this as the user who mounts",
			"%s belongs to another user (uid %u)", store, (unsigned)st->st_uid);
	} else if (there && (st->st_mode & 077)) {
		px_found(k, PX_ON_OWNER, PX_VERDICT_WARN, hint,
			"%s can be read by others (mode %04o)", store,
			(unsigned)(st->st_mode & 07777));
	} else {
		k->in_use = owner.held;
		if (owner.held)
			px_found(k, PX_ON_OWNER, PX_VERDICT_OK, NULL, "in use by process %d",
				owner.pid);
		else
			px_found(k, PX_ON_OWNER, PX_VERDICT_OK, NULL, "nobody runs on it");
	}
}

static void check_format(struct px_checking *k, bool there)
{
	PX_BUF_AUTO struct px_buf url = PX_BUF_INIT(4096);
	struct px_reader *r = NULL;
	struct px_err err = {0};
	px_rc rc;

	if (px_skipped(k, PX_ON_FORMAT, PX_ON_OWNER))
		return;
	if (!there) {
		px_found(k, PX_ON_FORMAT, PX_VERDICT_OK, NULL,
			"there is none yet: mount or sync makes %s", k->conf->store);
		return;
	}
	rc = px_reader_open(k->conf->store, &r, &err);
	if (!rc)
		rc = px_reader_meta(r, "api_url", &url, &err);
	px_reader_close(r);
	if (rc && rc != PX_ENOENT)
		px_found(k, PX_ON_FORMAT, PX_VERDICT_FAIL,
			rc == PX_ECORRUPT
				? "the next mount moves it aside and reads everything anew"
				: NULL,
			"%s", err.msg);
	else if (url.len && strcmp(url.data, k->conf->api_url) != 0)
		px_found(k, PX_ON_FORMAT, PX_VERDICT_FAIL, "use another --store",
			"%s holds data of %s, not of %s", k->conf->store, url.data,
			k->conf->api_url);
	else
		px_found(k, PX_ON_FORMAT, PX_VERDICT_OK, NULL, "%s can be read", k->conf->store);
}

void px_check_store(struct px_checking *k)
{
	char *dir = k->conf ? strdup(k->conf->store) : NULL;
	bool found = dir && nearest_directory(dir), there = false;
	struct stat st = {.st_mode = 0};

	if (!px_skipped(k, PX_ON_STORE_DIR, PX_ON_CONF)) {
		there = !stat(k->conf->store, &st);
		if (found)
			check_directory(k, dir);
		else
			px_found(k, PX_ON_STORE_DIR, PX_VERDICT_FAIL,
				"name another place with --store FILE", "no directory leads to %s",
				k->conf->store);
	}
	check_space(k, dir);
	check_owner(k, there, &st);
	check_format(k, there);
	free(dir);
}
