/* SPDX-License-Identifier: MIT */
/* test_fs.c - numbers, names, references, growing sizes and listings of the tree, without a mount.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/fs/fs_i.h"
#include "propexofs/model.h"
#include "propexofs/store_write.h"

/* ---- numbers ---- */

static void numbers_go_both_ways(void **state)
{
	static const int64_t keys[] = {0, 1, 255, 256, 1048575, 1048576, (INT64_C(1) << 44) - 1};

	(void)state;
	for (int kind = NODE_INTEGRATION; kind <= NODE_RENDERING; kind++)
		for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
			struct node n = node_unpack(node_pack((enum node_kind)kind, keys[i]));

			assert_int_equal(n.kind, kind);
			assert_int_equal(n.key, keys[i]);
			assert_true(node_pack((enum node_kind)kind, keys[i]) < UINT64_C(1) << 53);
		}
	assert_int_equal(node_unpack(FIXED_ROOT).kind, NODE_FIXED);
	assert_int_equal(node_unpack(PX_INO_FIRST).kind, NODE_VERSION);
	assert_int_equal(node_unpack(PX_INO_FIRST - 1).kind, NODE_FIXED);
	assert_int_equal(node_unpack(node_day(7, 20780)).key, 7 << 20 | 20780);
}

/* ---- names ---- */

static void days_have_one_name(void **state)
{
	char name[32];
	int64_t day;

	(void)state;
	name_of_day(20780, name);
	assert_string_equal(name, "2026-11-23.jsonl");
	assert_true(day_of_name(name, &day));
	assert_int_equal(day, 20780);
	assert_false(day_of_name("2026-11-23.json", &day));
	assert_false(day_of_name("2026-02-30.jsonl", &day));
	assert_false(day_of_name("2026-11-2x.jsonl", &day));
	assert_false(day_of_name("x026-11-23.jsonl", &day));
	assert_false(day_of_name("", &day));
}

static void readable_names_are_names_and_never_shared(void **state)
{
	struct px_integration list[] = {
		{.iid = 1,
			.id = "cly-aaaaaa",
			.name = "Acme",
			.created_at = "2024-01-01T00:00:00Z"},
		{.iid = 2,
			.id = "cly-bbbbbb",
			.name = "Acme",
			.created_at = "2023-01-01T00:00:00Z"},
		{.iid = 3,
			.id = "cly-cccccc",
			.name = "Acme~aaaaaa",
			.created_at = "2020-01-01T00:00:00Z"},
		{.iid = 4, .id = "cly-dddddd", .name = "../etc\n", .created_at = NULL},
		{.iid = 5, .id = "cly-eeeeee", .name = ".", .created_at = NULL},
		{.iid = 6, .id = "cly-ffffff", .name = "", .created_at = NULL},
		{.iid = 7,
			.id = "cly-gggggg",
			.name = "R\xc3\xa9sidences \xff",
			.created_at = NULL},
	};
	enum { COUNT = sizeof list / sizeof *list };
	char names[COUNT][256];

	(void)state;
	names_readable(list, COUNT, names);
	assert_string_equal(names[1], "Acme"); /* the oldest */
	assert_string_equal(names[2], "Acme~aaaaaa");
	assert_string_not_equal(names[0], "Acme");
	assert_string_not_equal(names[0], "Acme~aaaaaa");
	assert_string_equal(names[3], "_._etc_");
	assert_string_equal(names[4], "_");
	assert_string_equal(names[5], "cly-ffffff");
	assert_string_equal(names[6], "R\xc3\xa9sidences _");
	for (size_t i = 0; i < COUNT; i++) {
		assert_null(strchr(names[i], '/'));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(names[i], names[k]);
	}
}

static void long_readable_names_are_cut_between_characters(void **state)
{
	char name[600] = "", names[2][256];
	struct px_integration list[] = {
		{.iid = 1, .id = "a", .name = name}, {.iid = 2, .id = "b", .name = name}};

	(void)state;
	for (int i = 0; i < 150; i++)
		memcpy(name + 3 * i, "\xe6\x97\xa5", 4);
	names_readable(list, 2, names);
	for (int i = 0; i < 2; i++) {
		assert_true(strlen(names[i]) <= 255);
		assert_true(strlen(names[i]) > 240);
	}
	assert_int_equal(strlen(names[0]) % 3, 0);
	assert_string_not_equal(names[0], names[1]);
}

/* ---- references ---- */

static void references_are_counted(void **state)
{
	struct known *k = known_new();
	const int64_t a = PX_INO_FIRST, b = PX_INO_FIRST + 123456789;

	(void)state;
	assert_non_null(k);
	assert_false(known_get(k, a));
	assert_true(known_add(k, a));
	assert_true(known_add(k, a));
	assert_true(known_add(k, b));
	known_drop(k, a, 1);
	assert_true(known_get(k, a));
	known_drop(k, a, 1);
	assert_false(known_get(k, a));
	assert_true(known_get(k, b));
	known_drop(k, b, 99); /* more than there are */
	assert_false(known_get(k, b));
	known_drop(k, b, 1);
	assert_false(known_add(k, 5));
	assert_false(known_get(k, INT64_MAX));
	known_free(k);
	known_free(NULL);
}

/* ---- growing logs ---- */

static void a_size_is_told_only_after_it_was_announced(void **state)
{
	struct px_fs fs = {.feed = (struct px_feed *)&fs}; /* only asked whether there is one */
	uint64_t ino = node_day(1, 20780);

	(void)state;
	pthread_mutex_init(&fs.lock, NULL);
	assert_int_equal(daylog_announced(&fs, ino), -1);
	assert_int_equal(daylog_size(&fs, ino, 100), 100); /* nobody has a page of it yet */
	assert_int_equal(daylog_size(&fs, ino, 200), 100); /* committed, not announced */
	daylog_announce(&fs, ino, 200);
	assert_int_equal(daylog_size(&fs, ino, 300), 200);
	daylog_announce(&fs, ino, 150); /* never back */
	assert_int_equal(daylog_size(&fs, ino, 100), 200);
	daylog_announce(&fs, node_day(2, 20780), 50); /* before anybody asked */
	assert_int_equal(daylog_size(&fs, node_day(2, 20780), 10), 50);
	free(fs.daylogs);
	pthread_mutex_destroy(&fs.lock);
}

/* ---- the tree over a store ---- */

struct world {
	char dir[64], path[96];
	struct px_writer *w;
	struct px_fs fs;
	int64_t iid, did;
};

static px_rc render(
	void *arg, enum px_rendered what, int64_t iid, struct px_buf *out, struct px_err *err)
{
	int *texts = arg;

	(void)iid;
	px_buf_addf(out, "text %d of %d\n", *texts, what);
	return px_buf_ok(out, err);
}

static int texts;

static void ok(px_rc rc)
{
	assert_int_equal(rc, PX_OK);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct px_err err;
	struct px_integration i = {.id = (char *)"cly1", .name = (char *)"Acme", .active = true};
	struct px_dir d = {0};
	bool fresh, changed;

	(void)snprintf(w->dir, sizeof w->dir, "/tmp/px-fs-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	(void)snprintf(w->path, sizeof w->path, "%s/s.db", w->dir);
	ok(px_writer_open(w->path, "http://127.0.0.1", &w->w, &err));
	ok(px_writer_begin(w->w, &err));
	ok(px_writer_integration_put(w->w, &i, &fresh, &changed, &err));
	w->iid = i.iid;
	ok(px_writer_dir_get(w->w, w->iid, "residents", &d, &fresh, &err));
	d.enabled = true;
	ok(px_writer_dir_state(w->w, &d, &err));
	w->did = d.did;
	px_dir_release(&d);
	ok(px_writer_commit(w->w, &err));
	ok(px_reader_open(w->path, &w->fs.reader, &err));
	w->fs.renderer = (struct px_renderer){.render = render, .arg = &texts};
	w->fs.file_mode = 0400;
	w->fs.dir_mode = 0500;
	pthread_mutex_init(&w->fs.lock, NULL);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	char wal[128];

	rendered_free(&w->fs);
	free(w->fs.daylogs);
	px_reader_close(w->fs.reader);
	px_writer_close(w->w);
	pthread_mutex_destroy(&w->fs.lock);
	(void)unlink(w->path);
	(void)snprintf(wal, sizeof wal, "%s-wal", w->path);
	(void)unlink(wal);
	(void)snprintf(wal, sizeof wal, "%s-shm", w->path);
	(void)unlink(wal);
	(void)snprintf(wal, sizeof wal, "%s.lock", w->path);
	(void)unlink(wal);
	(void)rmdir(w->dir);
	free(w);
	return 0;
}

static void put(struct world *w, const char *id, const char *body, unsigned char mark)
{
	unsigned char digest[16] = {mark};
	char name[300];
	enum px_put_result result;
	struct px_err err;
	int64_t ino;

	(void)snprintf(name, sizeof name, "%s.json", id);
	ok(px_writer_begin(w->w, &err));
	ok(px_writer_put(w->w,
		&(struct px_put){.did = w->did,
			.id = id,
			.id_len = strlen(id),
			.name = name,
			.body = body,
			.body_len = strlen(body),
			.digest = digest,
			.core_digest = digest,
			.mtime_ns = INT64_C(1700000000) * 1000000000,
			.epoch = 1},
		&result, &ino, NULL, &err));
	ok(px_writer_commit(w->w, &err));
}

struct names {
	char text[4096];
	size_t count, most;
	int64_t last;
};

static bool collect(void *arg, const struct dent *e)
{
	struct names *n = arg;

	if (n->count == n->most)
		return false;
	assert_true(e->cookie > n->last);
	n->last = e->cookie;
	n->count++;
	(void)snprintf(n->text + strlen(n->text), sizeof n->text - strlen(n->text), "%s ", e->name);
	return true;
}

static px_rc list(struct world *w, uint64_t dir, int64_t after, size_t most, struct names *n)
{
	struct px_err err;
	bool end;

	*n = (struct names){.most = most, .last = after};
	return tree_list(&w->fs, dir, after, collect, n, &end, &err);
}

static void listings_and_lookups_agree(void **state)
{
	struct world *w = *state;
	uint64_t dir = node_pack(NODE_MODEL, w->did);
	struct px_err err;
	struct found f;
	struct names n;
	double negative;
	int64_t middle;

	put(w, "a", "{}\n", 1);
	put(w, "b", "{\"x\": 1}\n", 2);
	put(w, "c", "[]\n", 3);
	/* not read to its end yet: entries, then an error */
	assert_int_equal(list(w, dir, 0, 100, &n), PX_EBUSY);
	assert_string_equal(n.text, ". .. a.json b.json c.json ");
	w->fs.partial = true;
	ok(list(w, dir, 0, 4, &n));
	assert_string_equal(n.text, ". .. a.json b.json ");
	middle = n.last;
	put(w, "a", "{\"new\": 1}\n", 4);
	ok(list(w, dir, middle, 100, &n));
	assert_string_equal(n.text, "c.json ");
	ok(tree_lookup(&w->fs, dir, "b.json", &f, &negative, &err));
	assert_int_equal(f.attr.st_size, strlen("{\"x\": 1}\n"));
	assert_int_equal(f.attr.st_mode, S_IFREG | 0400);
	assert_int_equal(f.nodeid, f.attr.st_ino);
	assert_int_equal(tree_lookup(&w->fs, dir, "z.json", &f, &negative, &err), PX_ENOENT);
	assert_true(negative > 1e6);
}

static void a_version_keeps_its_bytes(void **state)
{
	struct world *w = *state;
	uint64_t dir = node_pack(NODE_MODEL, w->did);
	struct px_err err;
	struct found old, new;
	char room[64];
	struct px_buf out = {.data = room, .cap = sizeof room, .max = sizeof room};
	double negative;

	put(w, "a", "old\n", 1);
	ok(tree_lookup(&w->fs, dir, "a.json", &old, &negative, &err));
	put(w, "a", "newer\n", 2);
	ok(tree_lookup(&w->fs, dir, "a.json", &new, &negative, &err));
	assert_int_not_equal(old.nodeid, new.nodeid);
	assert_true(new.attr.st_mtim.tv_sec > old.attr.st_mtim.tv_sec);
	ok(tree_read(&w->fs, old.nodeid, 0, sizeof room, &out, &err));
	assert_int_equal(out.len, 4);
	assert_memory_equal(room, "old\n", 4);
	ok(tree_read(&w->fs, new.nodeid, 2, 2, &out, &err));
	assert_memory_equal(room, "we", 2);
	ok(tree_attr(&w->fs, old.nodeid, &old, &err));
	assert_int_equal(old.attr.st_size, 4);
}

static void a_rendering_serves_until_nobody_refers_to_it(void **state)
{
	struct world *w = *state;
	struct rendering *r, *again;
	struct px_err err;
	struct found f;
	double negative;

	texts = 1;
	ok(tree_lookup(&w->fs, FIXED_ROOT, "status.json", &f, &negative, &err));
	assert_int_equal(f.attr.st_ino, FIXED_STATUS);
	assert_int_equal(node_unpack(f.nodeid).kind, NODE_RENDERING);
	assert_true(f.entry_timeout == 0);
	texts = 2;
	ok(rendered_get(&w->fs, FIXED_STATUS, &again, &err)); /* within two seconds */
	assert_int_equal(again->serial, node_unpack(f.nodeid).key);
	again->lookups = 1;
	again->checked_ms -= 10000;
	ok(rendered_get(&w->fs, FIXED_STATUS, &r, &err));
	assert_int_not_equal(r->serial, again->serial);
	assert_true(r->ctime_ns > again->ctime_ns);
	assert_ptr_equal(rendered_find(&w->fs, again->serial), again);
	r->checked_ms -= 10000; /* the same text: the same rendering */
	ok(rendered_get(&w->fs, FIXED_STATUS, &again, &err));
	assert_ptr_equal(r, again);
}

static void the_root_and_its_fixed_names(void **state)
{
	struct world *w = *state;
	struct names n;
	struct px_err err;
	struct found f;
	double negative;

	ok(list(w, FIXED_ROOT, 0, 100, &n));
	assert_string_equal(n.text,
		". .. README.md status.json metrics.prom schema events by-name integrations ");
	ok(list(w, FIXED_SCHEMA, 0, 10000, &n));
	assert_int_equal(n.count, PX_MODEL_COUNT + 2);
	assert_int_equal(list(w, FIXED_INTEGRATIONS, 0, 100, &n), PX_EBUSY);
	assert_string_equal(n.text, ". .. cly1 ");
	assert_int_equal(
		tree_lookup(&w->fs, FIXED_ROOT, "nothing", &f, &negative, &err), PX_ENOENT);
	assert_true(negative == 0);
	ok(tree_lookup(&w->fs, FIXED_BY_NAME, "Acme", &f, &negative, &err));
	assert_int_equal(f.attr.st_mode & S_IFMT, S_IFLNK);
	assert_int_equal(list(w, node_pack(NODE_VERSION, PX_INO_FIRST), 0, 9, &n), PX_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_go_both_ways),
		cmocka_unit_test(days_have_one_name),
		cmocka_unit_test(readable_names_are_names_and_never_shared),
		cmocka_unit_test(long_readable_names_are_cut_between_characters),
		cmocka_unit_test(references_are_counted),
		cmocka_unit_test(a_size_is_told_only_after_it_was_announced),
		cmocka_unit_test_setup_teardown(listings_and_lookups_agree, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_version_keeps_its_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_rendering_serves_until_nobody_refers_to_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_root_and_its_fixed_names, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
