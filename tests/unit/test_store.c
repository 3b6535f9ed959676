/* SPDX-License-Identifier: MIT */
/* test_store.c - versions, names, marks, the inbox and the log, on a real file, with kills and
 * damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "propexofs/clock.h"
#include "propexofs/hash.h"
#include "propexofs/store_write.h"

static char dir[64], path[96];

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/px-store-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/s.db", dir);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command);
}

static struct px_writer *open_store(void)
{
	struct px_writer *w = NULL;
	struct px_err err = {0};

	if (px_writer_open(path, "https://a", &w, &err))
		fail_msg("%s", err.msg);
	return w;
}

static void ok(px_rc rc)
{
	assert_int_equal(rc, 0);
}

static enum px_put_result put(struct px_writer *w, int64_t did, const char *id, const char *body,
	const char *updated_at, int64_t *ret_ino)
{
	unsigned char digest[32];
	char name[300];
	enum px_put_result result;
	struct px_err err = {0};
	int64_t old;

	(void)snprintf(name, sizeof name, "%s.json", id);
	px_sha256(body, strlen(body), digest);
	if (px_writer_put(w,
		    &(struct px_put){.did = did,
			    .id = id,
			    .id_len = strlen(id),
			    .name = name,
			    .body = body,
			    .body_len = strlen(body),
			    .digest = digest,
			    .core_digest = digest,
			    .updated_at = updated_at,
			    .last_seen = "x",
			    .mtime_ns = INT64_C(1000000000000),
			    .source = PX_SOURCE_API,
			    .epoch = 5,
			    .walk = 1},
		    &result, ret_ino, &old, &err))
		fail_msg("%s", err.msg);
	return result;
}

static int64_t make_dir(struct px_writer *w)
{
	struct px_integration i = {.id = (char *)(uintptr_t) "int1",
		.name = (char *)(uintptr_t) "Name",
		.active = true};
	struct px_dir d = {0};
	bool fresh, changed;
	int64_t did;

	ok(px_writer_integration_put(w, &i, &fresh, &changed, NULL));
	ok(px_writer_dir_get(w, i.iid, "residents", &d, &fresh, NULL));
	d.enabled = true;
	ok(px_writer_dir_state(w, &d, NULL));
	did = d.did;
	px_dir_release(&d);
	return did;
}

static void versions_never_change(void **state)
{
	struct px_writer *w = open_store();
	struct px_reader *r;
	struct px_entry a, b;
	struct px_dir d = {0};
	char text[32];
	size_t n;
	int64_t did, ino1, ino2, ino3;

	(void)state;
	ok(px_writer_begin(w, NULL));
	did = make_dir(w);
	assert_int_equal(put(w, did, "r1", "one\n", "u1", &ino1), PX_PUT_NEW);
	ok(px_writer_commit(w, NULL));
	ok(px_reader_open(path, &r, NULL));
	ok(px_reader_lookup(r, did, "r1.json", 7, &a, NULL));
	assert_true(a.ino == ino1 && a.size == 4 && ino1 >= PX_INO_FIRST);
	ok(px_writer_begin(w, NULL));
	assert_int_equal(put(w, did, "r1", "two.\n", "u2", &ino2), PX_PUT_REPLACED);
	assert_int_equal(put(w, did, "r1", "two.\n", "u3", &ino3), PX_PUT_SAME);
	assert_true(ino3 == ino2 && ino2 > ino1);
	ok(px_writer_commit(w, NULL));
	ok(px_reader_lookup(r, did, "r1.json", 7, &b, NULL));
	assert_true(b.rid == a.rid && b.ino == ino2 && b.size == 5);
	assert_true(b.mtime_ns == a.mtime_ns + 1000000000 && b.ctime_ns > a.ctime_ns);
	ok(px_reader_read(r, ino1, 1, text, sizeof text, &n, NULL));
	assert_memory_equal(text, "ne\n", 3);
	assert_int_equal(n, 3);
	ok(px_reader_version(r, ino1, &a, NULL));
	assert_int_equal(a.size, 4);
	ok(px_reader_dir(r, did, &d, NULL));
	assert_int_equal(d.records, 1);
	px_dir_release(&d);
	assert_int_equal(px_reader_lookup(r, did, "none", 4, &a, NULL), PX_ENOENT);
	px_reader_close(r);
	px_writer_close(w);
}

static void numbers_are_never_given_twice(void **state)
{
	struct px_writer *w = open_store();
	int64_t did, ino1, ino2, ino3, epoch1, epoch2;
	struct px_entry a, b;
	bool more;

	(void)state;
	ok(px_writer_begin(w, NULL));
	did = make_dir(w);
	put(w, did, "a", "1", "u", &ino1);
	put(w, did, "b", "2", "u", &ino2);
	ok(px_reader_lookup(px_writer_reader(w), did, "b.json", 6, &a, NULL));
	ok(px_writer_remove(w, did, "b.json", 9, NULL));
	ok(px_writer_next_epoch(w, &epoch1, NULL));
	assert_int_equal(
		px_reader_lookup(px_writer_reader(w), did, "b.json", 6, &b, NULL), PX_ENOENT);
	ok(px_writer_commit(w, NULL));
	ok(px_writer_begin(w, NULL));
	ok(px_writer_retain(w, INT64_MAX - 1, INT64_MAX - 1, 100, NULL, NULL, &more, NULL));
	ok(px_writer_commit(w, NULL));
	assert_int_equal(px_reader_version(px_writer_reader(w), ino2, &b, NULL), PX_ENOENT);
	px_writer_close(w);
	w = open_store();
	ok(px_writer_begin(w, NULL));
	assert_int_equal(put(w, did, "b", "2", "u", &ino3), PX_PUT_NEW);
	ok(px_reader_lookup(px_writer_reader(w), did, "b.json", 6, &b, NULL));
	assert_true(ino3 > ino2 && b.rid > a.rid);
	ok(px_writer_next_epoch(w, &epoch2, NULL));
	assert_true(epoch2 > epoch1);
	ok(px_writer_commit(w, NULL));
	px_writer_close(w);
}

static bool collect(void *arg, const struct px_entry *e)
{
	int64_t *last = arg;

	assert_true(e->rid > *last);
	*last = e->rid;
	return true;
}

static void parts_are_undone_alone(void **state)
{
	struct px_writer *w = open_store();
	struct px_dir d = {0};
	int64_t did, ino, last = 0;
	char id[16];

	(void)state;
	ok(px_writer_begin(w, NULL));
	did = make_dir(w);
	ok(px_writer_mark(w, NULL));
	for (int i = 0; i < 50; i++) {
		(void)snprintf(id, sizeof id, "k%d", i);
		put(w, did, id, "x", "u", &ino);
	}
	ok(px_writer_release_mark(w, NULL));
	ok(px_writer_mark(w, NULL));
	put(w, did, "lost", "x", "u", &ino);
	ok(px_writer_event(w, 0, "\"event\":\"LOST\"", 14, NULL, NULL));
	px_writer_rollback_to(w);
	ok(px_writer_event(w, 0, "\"event\":\"KEPT\"", 14, NULL, NULL));
	ok(px_writer_commit(w, NULL));
	ok(px_reader_dir(px_writer_reader(w), did, &d, NULL));
	assert_int_equal(d.records, 50);
	px_dir_release(&d);
	ok(px_reader_list(px_writer_reader(w), did, 0, collect, &last, NULL));
	assert_true(last > 0);
	px_writer_close(w);
}

struct names {
	char text[200];
	size_t most;
};

static bool append_name(void *arg, const struct px_entry *e)
{
	struct names *n = arg;

	/* all of them are of one letter */
	n->text[strlen(n->text)] = e->name[0];
	return strlen(n->text) < n->most;
}

/* The names behind this record, in this order. */
static void names_from(
	struct px_reader *r, int64_t did, enum px_order order, const char *id, const char *expected)
{
	char name[16];
	struct names n = {.most = sizeof n.text};
	struct px_entry after;

	(void)snprintf(name, sizeof name, "%s.json", id);
	ok(px_reader_lookup(r, did, name, strlen(name), &after, NULL));
	ok(px_reader_list_from(r, did, order, &after, append_name, &n, NULL));
	assert_string_equal(n.text, expected);
	n = (struct names){.most = 2};
	ok(px_reader_list_from(r, did, order, &after, append_name, &n, NULL));
	assert_true(strlen(n.text) <= 2);
}

static void a_directory_has_three_orders(void **state)
{
	static const char *const ids[] = {"e", "b", "d", "a", "c"};
	struct px_writer *w = open_store();
	struct px_reader *r = px_writer_reader(w);
	int64_t did, other, ino, first;
	struct px_entry place;
	struct px_dir d = {0};
	bool fresh, near;

	(void)state;
	ok(px_writer_begin(w, NULL));
	did = make_dir(w);
	ok(px_reader_dir(r, did, &d, NULL));
	other = d.iid;
	px_dir_release(&d);
	ok(px_writer_dir_get(w, other, "leases", &d, &fresh, NULL));
	other = d.did;
	px_dir_release(&d);
	for (size_t i = 0; i < 5; i++) {
		put(w, did, ids[i], "x", "u", &ino);
		first = i ? first : ino;
		put(w, other, ids[i], "x", "u", &ino);
	}
	put(w, did, "b", "newer", "v", &ino);
	ok(px_writer_remove(w, did, "a.json", 6, NULL));
	ok(px_writer_commit(w, NULL));
	names_from(r, did, PX_BY_RID, "e", "bdc");
	names_from(r, did, PX_BY_INO, "e", "dcb");
	names_from(r, did, PX_BY_INO, "b", "");
	names_from(r, did, PX_BY_NAME, "b", "cde");
	ok(px_reader_place(r, ino, &other, &place, NULL));
	assert_int_equal(other, did);
	assert_int_equal(place.ino, ino);
	assert_string_equal(place.name, "b.json");
	ok(px_reader_place(r, first, &other, &place, NULL));
	assert_string_equal(place.name, "e.json");
	assert_int_equal(px_reader_place(r, ino + 1, &other, &place, NULL), PX_ENOENT);
	ok(px_reader_names_near(r, did, "b.json", "e.json", 3, &near, NULL));
	assert_true(near);
	ok(px_reader_names_near(r, did, "b.json", "e.json", 2, &near, NULL));
	assert_false(near);
	px_writer_close(w);
}

static void nothing_to_commit_leaves_the_disk_alone(void **state)
{
	struct px_writer *w = open_store();
	struct stat before, after;
	char wal[112];
	bool more;

	(void)state;
	(void)snprintf(wal, sizeof wal, "%s-wal", path);
	ok(px_writer_begin(w, NULL));
	(void)make_dir(w);
	ok(px_writer_commit(w, NULL));
	assert_int_equal(stat(wal, &before), 0);
	for (int i = 0; i < 3; i++) {
		ok(px_writer_begin(w, NULL));
		ok(px_writer_retain(w, INT64_MAX, INT64_MAX, 100, NULL, NULL, &more, NULL));
		ok(px_writer_commit(w, NULL));
	}
	assert_int_equal(stat(wal, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
	assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	ok(px_writer_begin(w, NULL));
	ok(px_writer_meta_put(w, "key", "value", NULL));
	ok(px_writer_commit(w, NULL));
	assert_int_equal(stat(wal, &after), 0);
	assert_true(after.st_size > before.st_size);
	px_writer_close(w);
}

static void the_log_is_its_lines(void **state)
{
	char clock[96], all[20000] = "", got[20000];
	struct px_writer *w;
	struct px_day day;
	int64_t seq = 0, iid, did;
	struct px_dir d = {0};
	/* the log's day never goes back, and the tests before were written today: tomorrow */
	const int64_t today = px_clock_wall_ms() / 86400000 + 1;
	const int64_t midnight = (today + 1) * 86400 * INT64_C(1000000000);

	(void)state;
	(void)snprintf(clock, sizeof clock, "%s/clock", dir);
	assert_int_equal(px_clock_test_write(clock, midnight - 10 * INT64_C(1000000000), 1000), 0);
	(void)setenv("PROPEXOFS_TEST_CLOCK", clock, 1);
	px_clock_setup();
	w = open_store();
	ok(px_writer_begin(w, NULL));
	did = make_dir(w);
	ok(px_reader_dir(px_writer_reader(w), did, &d, NULL));
	iid = d.iid;
	px_dir_release(&d);
	ok(px_writer_commit(w, NULL));
	for (int i = 0; i < 100; i++) {
		struct px_event_place at;
		char rest[100];

		(void)snprintf(rest, sizeof rest, "\"n\":%d,\"pad\":\"%.*s\"", i, i % 40,
			"0123456789012345678901234567890123456789");
		if (i == 50) /* past midnight, then back before it */
			assert_int_equal(
				px_clock_test_write(clock, midnight + INT64_C(1000000000), 1000),
				0);
		if (i == 60)
			assert_int_equal(px_clock_test_write(clock,
						 midnight - 8400 * INT64_C(1000000000), 1000),
				0);
		ok(px_writer_begin(w, NULL));
		ok(px_writer_event(w, i % 3 ? iid : 0, rest, strlen(rest), &at, NULL));
		ok(px_writer_commit(w, NULL));
		assert_int_equal(at.seq, ++seq);
		assert_int_equal(at.day, i < 50 ? today : today + 1);
	}
	for (int64_t n = today; n <= today + 1; n++) {
		size_t size = 0, len;

		ok(px_reader_day(px_writer_reader(w), 0, n, &day, NULL));
		ok(px_reader_day_read(px_writer_reader(w), 0, n, 0, all, sizeof all, &size, NULL));
		assert_int_equal(size, day.size);
		for (int64_t from = 0; from < day.size; from += 37) {
			ok(px_reader_day_read(
				px_writer_reader(w), 0, n, from, got, 100, &len, NULL));
			assert_int_equal(len, day.size - from < 100 ? day.size - from : 100);
			assert_memory_equal(got, all + from, len);
		}
		ok(px_reader_day(px_writer_reader(w), iid, n, &day, NULL));
		ok(px_reader_day_read(
			px_writer_reader(w), iid, n, 0, all, sizeof all, &size, NULL));
		assert_int_equal(size, day.size);
		assert_int_equal(all[size - 1], '\n');
	}
	px_writer_close(w);
	(void)unsetenv("PROPEXOFS_TEST_CLOCK");
}

static void marks_keep_their_oldest_time(void **state)
{
	struct px_writer *w = open_store();
	struct px_pending *list = NULL;
	struct px_store_totals t;
	struct px_dir d = {0};
	size_t count;
	bool cleared;
	int64_t did;

	(void)state;
	ok(px_writer_begin(w, NULL));
	did = make_dir(w);
	ok(px_writer_pending_add(w, did, "a", 1, 10, 1000, 1300, NULL));
	ok(px_writer_pending_add(w, did, "a", 1, 12, 2000, 2300, NULL));
	ok(px_writer_pending_add(w, did, "b", 1, 11, 1500, 9000, NULL));
	ok(px_writer_commit(w, NULL));
	ok(px_reader_pending(px_writer_reader(w), 0, 2300, 10, &list, &count, NULL));
	assert_int_equal(count, 1);
	assert_string_equal(list[0].id, "a");
	assert_true(list[0].epoch == 12 && list[0].since_ms == 1000);
	px_pending_free(list, count);
	ok(px_reader_dir(px_writer_reader(w), did, &d, NULL));
	assert_true(d.pending == 2 && d.oldest_pending_ms == 1000);
	px_dir_release(&d);
	ok(px_writer_begin(w, NULL));
	ok(px_writer_pending_clear(w, did, "a", 1, 11, &cleared, NULL));
	assert_false(cleared);
	ok(px_writer_pending_clear(w, did, "a", 1, 12, &cleared, NULL));
	assert_true(cleared);
	ok(px_writer_commit(w, NULL));
	ok(px_reader_totals(px_writer_reader(w), &t, NULL));
	assert_true(t.pending == 1 && t.oldest_pending_ms == 1500);
	px_writer_close(w);
}

static void the_inbox_survives_a_kill(void **state)
{
	struct px_delivery *list = NULL;
	struct px_writer *w;
	size_t count;
	int status, attempts;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		int64_t arrival;

		w = open_store();
		ok(px_writer_begin(w, NULL));
		ok(px_writer_inbox_add(w, "{}", 2, 77, &arrival, NULL));
		ok(px_writer_commit(w, NULL));
		ok(px_writer_begin(w, NULL));
		ok(px_writer_inbox_add(w, "[]", 2, 78, &arrival, NULL));
		(void)raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	w = open_store();
	ok(px_reader_inbox(px_writer_reader(w), 0, 10, &list, &count, NULL));
	assert_int_equal(count, 1);
	assert_string_equal(list[0].body, "{}");
	ok(px_writer_begin(w, NULL));
	ok(px_writer_inbox_attempt(w, list[0].arrival, &attempts, NULL));
	assert_int_equal(attempts, 1);
	ok(px_writer_inbox_done(w, list[0].arrival, NULL));
	ok(px_writer_commit(w, NULL));
	px_deliveries_free(list, count);
	px_writer_close(w);
}

/* A process that holds the lock for a moment, as one that was killed does until its last thread has
 * ended. */
static pid_t holds_for_a_moment(void)
{
	char lock[128], held;
	int fds[2];
	pid_t pid;

	(void)snprintf(lock, sizeof lock, "%s.lock", path);
	ok(pipe(fds));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int fd = open(lock, O_RDWR);

		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) || write(fds[1], "", 1) != 1)
			_exit(1);
		(void)usleep(200000);
		_exit(0);
	}
	assert_int_equal(close(fds[1]), 0);
	assert_int_equal(read(fds[0], &held, 1), 1);
	assert_int_equal(close(fds[0]), 0);
	return pid;
}

static void a_lock_that_is_let_go(void **state)
{
	struct px_writer *w = open_store();
	int status;
	pid_t pid;

	(void)state;
	px_writer_close(w);
	pid = holds_for_a_moment();
	w = open_store();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	px_writer_close(w);
}

static void refused_stores(void **state)
{
	struct px_writer *w = open_store(), *other = NULL;
	struct px_reader *r = NULL;
	struct px_store_owner owner;
	struct px_err err = {0};
	char mine[32], *aside = NULL;
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(px_writer_open(path, "https://a", &other, &err), PX_EBUSY);
	(void)snprintf(mine, sizeof mine, "process %d", (int)getpid());
	assert_non_null(strstr(err.msg, mine));
	ok(px_store_owner(path, &owner, NULL));
	assert_true(owner.held && owner.pid == getpid());
	px_writer_close(w);
	ok(px_store_owner(path, &owner, NULL));
	assert_false(owner.held);
	assert_int_equal(px_writer_open(path, "https://b", &other, &err), PX_EMISMATCH);
	assert_int_equal(system("sqlite3 /dev/null .exit >/dev/null 2>&1") == 0, 1);
	{
		char command[200];

		(void)snprintf(
			command, sizeof command, "sqlite3 '%s' 'PRAGMA user_version=99'", path);
		assert_int_equal(system(command), 0);
	}
	assert_int_equal(px_writer_open(path, "https://a", &other, &err), PX_EVERSION);
	assert_int_equal(px_reader_open(path, &r, &err), PX_EVERSION);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "garbage garbage garbage garbage ", 32, 0), 32);
	(void)close(fd);
	assert_int_equal(px_writer_open(path, "https://a", &other, &err), PX_ECORRUPT);
	ok(px_store_set_aside(path, &aside, NULL));
	assert_int_equal(access(aside, F_OK), 0);
	free(aside);
	w = open_store();
	px_writer_close(w);
	(void)snprintf(path, sizeof path, "%s/none.db", dir);
	assert_int_equal(px_reader_open(path, &r, &err), PX_ENOENT);
	/* somebody else's database, which is not even put into another journal mode */
	{
		char command[300];

		(void)snprintf(command, sizeof command,
			"sqlite3 '%s' 'CREATE TABLE precious(a)' && cp '%s' '%s.copy'", path, path,
			path);
		assert_int_equal(system(command), 0);
		assert_int_equal(px_writer_open(path, "https://a", &other, &err), PX_EMISMATCH);
		assert_non_null(strstr(err.msg, "not a store of propexofs"));
		(void)snprintf(command, sizeof command, "cmp '%s' '%s.copy'", path, path);
		assert_int_equal(system(command), 0);
	}
	assert_int_equal(px_writer_open(dir, "https://a", &other, &err), PX_EMISMATCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(versions_never_change),
		TEST(numbers_are_never_given_twice),
		TEST(parts_are_undone_alone),
		TEST(marks_keep_their_oldest_time),
		TEST(the_inbox_survives_a_kill),
		TEST(a_lock_that_is_let_go),
		TEST(refused_stores),
		TEST(a_directory_has_three_orders),
		TEST(nothing_to_commit_leaves_the_disk_alone),
		TEST(the_log_is_its_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
