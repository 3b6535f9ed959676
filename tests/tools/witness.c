/* SPDX-License-Identifier: MIT */
/*
 * witness.c - looks at a mount again and again, and says what may never be seen.
 *
 *   witness MOUNT GONE      until SIGTERM; then a line of what it has seen, exit 1 after a
 * complaint
 *
 * Of every record: the same inode number means the same size, times and bytes, also in another life
 * of the daemon, and never another record; another version is a second younger at least; the bytes
 * are as many as st_size says, and whole; a name that went does not come back. A name that goes is
 * written to GONE, a path a line: whether it may is for the caller to say.
 * Of every event log: what was read stays, byte for byte; it ends with a whole line; seq and time
 * only grow, over all days; each line lies in the file of its day; a day that has ended does not
 * grow.
 *
 * The daemon may be killed and started while this runs: what was seen in such a moment counts for
 * nothing, except for what was found wrong in a file that could be read.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BUCKETS = 1 << 16, PATHS_MAX = 4096, PAUSE_MS = 100, SHOWN = 20 };

struct name {
	struct name *next; /* by path */
	struct name *next_ino;
	char *path;
	struct stat st;
	uint64_t hash; /* of its bytes */
	long pass, life;
	bool gone;
};

struct daylog {
	struct daylog *next;
	char *path;
	off_t size;
	uint64_t hash;
	long life;
	bool ended; /* a newer day has been seen */
};

/* The logs of one directory: what the newest line of them says. */
struct logdir {
	struct logdir *next;
	char *path;
	long long seq;
	char time[40];
};

static struct name *names[BUCKETS], *inodes[BUCKETS];
static struct daylog *logs;
static struct logdir *logdirs;
static const char *mount_at;
static FILE *gone_file;
static long pass, life, versions, lines, complaints, away;
static bool broken; /* this pass */
static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

__attribute__((format(printf, 2, 3))) static void complain(const char *path, const char *fmt, ...)
{
	va_list ap;

	if (complaints++ >= SHOWN)
		return;
	va_start(ap, fmt);
	printf("%s: ", path);
	vprintf(fmt, ap);
	printf("\n");
	fflush(stdout);
	va_end(ap);
}

static uint64_t hash_more(uint64_t h, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)p[i]) * UINT64_C(1099511628211);
	return h;
}

static uint64_t hash_text(const char *s)
{
	return hash_more(UINT64_C(14695981039346656037), s, strlen(s));
}

/* The daemon's pid as its status says; 0: nobody answers. */
static long daemon_pid(void)
{
	char path[PATHS_MAX], text[65536], *at;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof path, "%s/status.json", mount_at);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		(void)close(fd);
	text[n < 0 ? 0 : n] = '\0';
	at = strstr(text, "\"pid\":");
	return at ? strtol(at + 6, NULL, 10) : 0;
}

/* ---- records --------------------------------------------------------------------------------- */

/* Reads all of a file from `from` on; false: it cannot be read now. */
static bool slurp(int fd, off_t from, char **ret, size_t *ret_len)
{
	size_t cap = 1 << 16, len = 0;
	char *p = malloc(cap);
	ssize_t n;

	while (p && (n = pread(fd, p + len, cap - len, from + (off_t)len)) > 0) {
		len += (size_t)n;
		if (len == cap)
			p = realloc(p, cap *= 2);
	}
	if (!p)
		abort();
	if (n < 0) {
		free(p);
		p = NULL;
	}
	*ret = p;
	*ret_len = len;
	return p != NULL;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_version(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

/* The bytes of the version that the name points to now. */
static bool read_version(const char *path, struct stat *st, uint64_t *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *text;
	size_t len;
	bool ok;

	if (fd < 0)
		return false;
	ok = !fstat(fd, st) && slurp(fd, 0, &text, &len);
	(void)close(fd);
	if (!ok)
		return false;
	if ((off_t)len != st->st_size)
		complain(path, "st_size %lld, %zu bytes", (long long)st->st_size, len);
	if (len < 3 || text[0] != '{' || memcmp(text + len - 2, "}\n", 2) != 0)
		complain(path, "not a whole record");
	*ret = hash_more(UINT64_C(14695981039346656037), text, len);
	free(text);
	return true;
}

static void remember_ino(struct name *n)
{
	struct name **bucket = &inodes[n->st.st_ino % BUCKETS];

	for (struct name *o = *bucket; o; o = o->next_ino)
		if (o->st.st_ino == n->st.st_ino && strcmp(o->path, n->path) != 0)
			complain(n->path, "inode %llu was of %s", (unsigned long long)n->st.st_ino,
				o->path);
	/* a copy: the name goes on to other versions */
	struct name *copy = malloc(sizeof *copy);

	if (!copy)
		abort();
	*copy = *n;
	copy->next_ino = *bucket;
	*bucket = copy;
}

static void compare(struct name *n, const struct stat *st, uint64_t hash)
{
	double younger = (double)(st->st_mtim.tv_sec - n->st.st_mtim.tv_sec) +
			 (double)(st->st_mtim.tv_nsec - n->st.st_mtim.tv_nsec) / 1e9;

	if (st->st_ino == n->st.st_ino) {
		if (!same_version(st, &n->st) || hash != n->hash)
			complain(n->path, "inode %llu is another version than before",
				(unsigned long long)st->st_ino);
		return;
	}
	if (younger < 1)
		complain(n->path, "the next version is %.3f s younger", younger);
	if (st->st_ctim.tv_sec < n->st.st_ctim.tv_sec)
		complain(n->path, "ctime went back");
	n->st = *st;
	n->hash = hash;
	versions++;
	remember_ino(n);
}

static void see_record(const char *path)
{
	uint64_t at = hash_text(path) % BUCKETS, hash;
	struct name *n = names[at];
	struct stat st;

	while (n && strcmp(n->path, path) != 0)
		n = n->next;
	if (lstat(path, &st)) {
		/* replaced names stay, so it has vanished since it was listed; or the daemon has */
		broken |= errno != ENOENT;
		return;
	}
	if (n)
		n->pass = pass;
	if (n && n->gone && !strstr(path, "/appointments/"))
		complain(path, "was gone, and is back");
	if (n && n->life == life && same_version(&st, &n->st)) {
		n->gone = false;
		return;
	}
	if (!read_version(path, &st, &hash)) {
		broken |= errno != ENOENT;
		return;
	}
	if (n) {
		compare(n, &st, hash);
		n->life = life;
		n->gone = false;
		return;
	}
	n = calloc(1, sizeof *n);
	if (!n || !(n->path = strdup(path)))
		abort();
	n->st = st;
	n->hash = hash;
	n->pass = pass;
	n->life = life;
	n->next = names[at];
	names[at] = n;
	versions++;
	remember_ino(n);
}

/* ---- logs ------------------------------------------------------------------------------------ */

static struct logdir *logdir_of(const char *path)
{
	struct logdir *d = logdirs;

	while (d && strcmp(d->path, path) != 0)
		d = d->next;
	if (d)
		return d;
	d = calloc(1, sizeof *d);
	if (!d || !(d->path = strdup(path)))
		abort();
	d->seq = -1;
	d->next = logdirs;
	logdirs = d;
	return d;
}

static void see_line(const char *path, struct logdir *d, const char *line)
{
	const char *seq = strstr(line, "{\"seq\":"), *at = strstr(line, "\"time\":\"");
	const char *day = strrchr(path, '/') + 1;
	long long number = seq == line ? strtoll(line + 7, NULL, 10) : -1;
	char stamp[40] = "";

	lines++;
	if (at)
		(void)snprintf(stamp, sizeof stamp, "%.24s", at + 8);
	if (number <= d->seq)
		complain(path, "seq %lld after %lld", number, d->seq);
	if (strcmp(stamp, d->time) < 0)
		complain(path, "time %s after %s", stamp, d->time);
	if (strncmp(stamp, day, 10) != 0)
		complain(path, "a line of %s", stamp);
	d->seq = number;
	memcpy(d->time, stamp, sizeof d->time);
}

static void see_log(const char *path, bool newest)
{
	struct logdir *d;
	struct daylog *l = logs;
	char *text, *line, *end;
	char dir[PATHS_MAX];
	struct stat st;
	size_t len, from;
	int fd;
	bool ok;

	while (l && strcmp(l->path, path) != 0)
		l = l->next;
	if (!l) {
		l = calloc(1, sizeof *l);
		if (!l || !(l->path = strdup(path)))
			abort();
		l->hash = UINT64_C(14695981039346656037);
		l->life = life;
		l->next = logs;
		logs = l;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		broken |= errno != ENOENT;
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	if (st.st_size < l->size)
		complain(path, "%lld bytes after %lld", (long long)st.st_size, (long long)l->size);
	/* in another life all of it is read again */
	from = l->life == life ? (size_t)l->size : 0;
	ok = slurp(fd, (off_t)from, &text, &len);
	(void)close(fd);
	if (!ok) {
		broken = true;
		free(text);
		return;
	}
	if (from + len < (size_t)l->size || (!from && hash_more(UINT64_C(14695981039346656037),
							      text, (size_t)l->size) != l->hash)) {
		complain(path, "what was read before has changed");
		free(text);
		return;
	}
	l->life = life;
	line = text + ((size_t)l->size - from);
	len -= (size_t)l->size - from;
	if (len && l->ended)
		complain(path, "a day that had ended grows");
	if (len && line[len - 1] != '\n')
		complain(path, "ends in the middle of a line");
	l->hash = hash_more(l->hash, line, len);
	l->size += (off_t)len;
	l->ended |= !newest;
	(void)snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(path, '/') - path), path);
	d = logdir_of(dir);
	for (; len && (end = memchr(line, '\n', len)); line = end + 1) {
		*end = '\0';
		see_line(path, d, line);
		len -= (size_t)(end + 1 - line);
	}
	free(text);
}

/* ---- the tree -------------------------------------------------------------------------------- */

static int days(const struct dirent *e)
{
	return isdigit((unsigned char)e->d_name[0]) && strlen(e->d_name) == 16;
}

static void see_logs(const char *dir)
{
	struct dirent **list = NULL;
	char path[PATHS_MAX];
	int n = scandir(dir, &list, days, alphasort);

	broken |= n < 0 && errno != ENOENT;
	for (int i = 0; i < n; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, list[i]->d_name);
		if (!broken)
			see_log(path, i + 1 == n);
		free(list[i]);
	}
	free(list);
}

static void see_dir(const char *path, int depth)
{
	DIR *d = opendir(path);
	struct dirent *e = NULL;

	if (!d) {
		broken = true;
		return;
	}
	while (!broken && (errno = 0, e = readdir(d))) {
		char below[PATHS_MAX];
		size_t len = strlen(e->d_name);

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		(void)snprintf(below, sizeof below, "%s/%s", path, e->d_name);
		if (depth < 2 && e->d_type == DT_DIR)
			see_dir(below, depth + 1);
		else if (depth == 2 && len > 5 && !strcmp(e->d_name + len - 5, ".json"))
			see_record(below);
	}
	/* EBUSY: there is more to come */
	broken |= !e && errno && errno != EBUSY;
	(void)closedir(d);
	if (depth == 1) {
		char log[PATHS_MAX];

		(void)snprintf(log, sizeof log, "%s/events", path);
		see_logs(log);
	}
}

static void look(void)
{
	static long pid_before;
	char path[PATHS_MAX];
	long pid = daemon_pid();

	broken = !pid;
	if (pid && pid != pid_before) {
		pid_before = pid;
		life++;
	}
	pass++;
	(void)snprintf(path, sizeof path, "%s/events", mount_at);
	if (!broken)
		see_logs(path);
	(void)snprintf(path, sizeof path, "%s/integrations", mount_at);
	if (!broken)
		see_dir(path, 0);
	if (broken || daemon_pid() != pid) {
		away++;
		return;
	}
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct name *n = names[i]; n; n = n->next)
			if (n->pass != pass && !n->gone) {
				n->gone = true;
				(void)fprintf(gone_file, "%s\n", n->path);
			}
	(void)fflush(gone_file);
}

int main(int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	size_t count = 0;

	gone_file = argc == 3 ? fopen(argv[2], "ae") : NULL;
	if (!gone_file) {
		fprintf(stderr, "usage: witness MOUNT GONE\n");
		return 2;
	}
	mount_at = argv[1];
	(void)signal(SIGTERM, on_term);
	while (!stop) {
		look();
		(void)nanosleep(&pause, NULL);
	}
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct name *n = names[i]; n; n = n->next)
			count++;
	printf("witness: %ld looks, %ld of them in vain, %ld lives, %zu records, %ld versions, %ld "
	       "lines, %ld complaints\n",
		pass, away, life, count, versions, lines, complaints);
	return complaints || pass == away;
}
