/* SPDX-License-Identifier: MIT */
/*
 * driver.c - a main for a fuzz target: replays inputs, or makes its own.
 *
 *	fuzz_NAME [FILE | DIRECTORY]...		replay; without arguments
 *tests/fuzz/corpus/fuzz_NAME fuzz_NAME --random SECONDS [--seed N] [FILE | DIRECTORY]...
 *
 * Replaying speaks TAP, one test an input, so that the corpus is an ordinary test with any
 * compiler. At random, inputs are mutated; those that the target takes become beginnings of more,
 * so that deep states are reached without a look at coverage. The same seed, inputs and count make
 * the same run.
 *
 * Invariant: when a property fails, memory is misused, or one input takes too long, the process
 * ends with its input in PROGRAM.crash; to be replayed, and then kept in the corpus.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

enum {
	INPUT_MAX = 1 << 20, /* of a file */
	MUTANT_MAX = 1 << 14,
	POOL_MAX = 4096,
	PATIENCE = 60, /* seconds for one input */
	AT_ONCE = 64,  /* inputs between two looks at the clock and the alarm */
};

struct input {
	char *path; /* NULL: a mutant */
	uint8_t *data;
	size_t len;
};

struct pool {
	struct input *v;
	size_t count, cap;
};

/* Read by the handler of whatever ends the process. */
static struct {
	const uint8_t *data;
	size_t len;
	const char *path;
	char crash[512];
} current;

/* ---- the end ---- */

/* The sanitizers' own hook; without one of them it is not there. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void say(const char *s)
{
	if (write(STDERR_FILENO, s, strlen(s)) < 0)
		return; /* nobody is left to be told */
}

static void keep_input(void)
{
	int fd;

	if (!current.data)
		return;
	fd = open(current.crash, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	say("not ok - ");
	say(current.path ? current.path : "a mutant");
	if (fd >= 0 && write(fd, current.data, current.len) == (ssize_t)current.len) {
		say(", kept as ");
		say(current.crash);
	}
	say("\n");
	current.data = NULL;
}

static void on_signal(int sig)
{
	if (sig == SIGALRM)
		say("an input takes too long\n");
	keep_input();
	_exit(128 + sig);
}

static void watch(const char *program)
{
	static const int ours[] = {SIGABRT, SIGALRM}, theirs[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};

	(void)snprintf(current.crash, sizeof current.crash, "%s.crash", program);
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		(void)signal(ours[i], on_signal);
	if (__sanitizer_set_death_callback) {
		__sanitizer_set_death_callback(keep_input);
		return;
	}
	for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++)
		(void)signal(theirs[i], on_signal);
}

static int run(const uint8_t *data, size_t len, const char *path)
{
	struct px_span exact = fuzz_exact(data, len);
	int rc;

	current.data = (const uint8_t *)exact.p;
	current.len = len;
	current.path = path;
	rc = LLVMFuzzerTestOneInput(current.data, len);
	current.data = NULL;
	fuzz_drop(exact);
	return rc;
}

/* ---- inputs ---- */

static void add(struct pool *p, const char *path, const uint8_t *data, size_t len)
{
	struct input in = {.path = path ? strdup(path) : NULL, .len = len};

	in.data = malloc(len ? len : 1);
	HOLDS(in.data && (!path || in.path));
	if (len)
		memcpy(in.data, data, len);
	if (p->count == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 64;
		p->v = realloc(p->v, p->cap * sizeof *p->v);
		HOLDS(p->v);
	}
	p->v[p->count++] = in;
}

static void release(struct pool *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->v[i].path);
		free(p->v[i].data);
	}
	free(p->v);
}

static bool add_file(struct pool *p, const char *path)
{
	uint8_t *data = malloc(INPUT_MAX);
	FILE *f = fopen(path, "rb");
	size_t len;
	bool ok;

	HOLDS(data);
	if (!f) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		free(data);
		return false;
	}
	len = fread(data, 1, INPUT_MAX, f);
	ok = !ferror(f) && len < INPUT_MAX;
	if (!ok)
		(void)fprintf(stderr, "%s: cannot be read, or is too large\n", path);
	else
		add(p, path, data, len);
	(void)fclose(f);
	free(data);
	return ok;
}

static bool add_path(struct pool *p, const char *path)
{
	struct dirent **names;
	struct stat st;
	bool ok = true;
	int n;

	if (stat(path, &st)) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode))
		return add_file(p, path);
	n = scandir(path, &names, NULL, alphasort);
	if (n < 0) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	for (int i = 0; i < n; i++) {
		char file[4096];

		if (names[i]->d_name[0] != '.') {
			(void)snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
			ok = add_file(p, file) && ok;
		}
		free(names[i]);
	}
	free(names);
	return ok;
}

/* ---- mutants ---- */

static uint64_t state;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * UINT64_C(0x2545f4914f6cdd1d);
}

static size_t below(size_t n)
{
	return n ? (size_t)((draw() >> 11) % n) : 0;
}

/* What matters to a reader of JSON, of pages, deliveries and records. */
static const char *const words[] = {"null", "true", "false", "{}", "[]", "[{}]", "\"\"", "0", "-0",
	"1", "-1", "10", "1.0", "0.1", "1e1", "1E+2", "100", "1e-2", "0.010", "1e400", "1e-400",
	"1e99999999999999999999", "9223372036854775807", "-9223372036854775808",
	"9223372036854775808", "0.0e5", "01", "1.", ".5", "-", "\"\\u0000\"", "\"\\ud800\"",
	"\"\\udc00\"", "\"\\ud83d\\ude00\"", "\"\\uD83D\"", "\"\\u0069d\"", "\"i\\u0064\"",
	"\"\\/\"", "\"\\b\\f\\n\\r\\t\\\"\\\\\"", "\\u00e9", "\xc3\xa9", "\xe2\x82\xac",
	"\xf0\x9f\x98\x80", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\xef\xbb\xbf",
	"\"id\"", "\"integration_id\"", "\"property_id\"", "\"created_at\"", "\"updated_at\"",
	"\"last_seen\"", "\"meta\"", "\"results\"", "\"result\"", "\"total\"", "\"hasMore\"",
	"\"error\"", "\"code\"", "\"message\"", "\"event\"", "\"trigger\"", "\"data\"",
	"\"object\"", "\"record_id\"", "\"vendor\"", "\"payload\"", "\"diff\"", "\"new\"",
	"\"previous\"", "\"models_synced\"", "\"is_backsync\"", "\"is_sync_finished\"",
	"\"data_diff\"", "\"event_type\"", "\"model\"", "\"model_record_id\"", "\"UPDATE\"",
	"\"NEW\"", "\"DATA_NEW\"", "\"DATA_UPDATE\"", "\"SYNC_COMPLETE\"",
	"\"2026-01-05T04:10:00.000Z\"", "\"a\":1,", ",\"id\":\"a\"", "\"id\":\"b\",", "[[[[[[[[",
	"]]]]]]]]", "\n---\n", "  ", "\n"};

static const char odd[] = "{}[]\":,\\/u0123456789abefEn+-. \t\r\n\x00\x01\x1f\x7f\x80\xbf\xc2\xe0"
			  "\xed\xef\xf0\xf4\xff";

struct mutant {
	uint8_t data[MUTANT_MAX];
	size_t len;
};

/* Puts n bytes where `gone` bytes were; too much is left out. */
static void replace(struct mutant *m, size_t at, size_t gone, const void *data, size_t n)
{
	uint8_t copy[MUTANT_MAX];

	if (n > MUTANT_MAX || m->len - gone + n > MUTANT_MAX)
		return;
	/* the bytes may be the mutant's own */
	memcpy(copy, data, n);
	memmove(m->data + at + n, m->data + at + gone, m->len - at - gone);
	memcpy(m->data + at, copy, n);
	m->len += n - gone;
}

static bool in_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '-' || c == '+' || c == '.' || c == '_';
}

/* A string with its quotes, a number or a literal at or behind a random place; 0: none. */
static size_t token(const struct mutant *m, size_t *ret_at)
{
	size_t at = below(m->len), end;

	while (at < m->len && m->data[at] != '"' && !in_word(m->data[at]))
		at++;
	*ret_at = at;
	if (at == m->len)
		return 0;
	end = at + 1;
	if (m->data[at] == '"') {
		while (end < m->len && m->data[end] != '"')
			end += m->data[end] == '\\' ? 2 : 1;
		end = end < m->len ? end + 1 : m->len;
	} else {
		while (end < m->len && in_word(m->data[end]))
			end++;
	}
	return end - at;
}

static void mutate(struct mutant *m, const struct pool *p)
{
	const struct input *other = &p->v[below(p->count)];
	const char *word = words[below(sizeof words / sizeof *words)];
	size_t at = below(m->len + 1), n = 1 + below(1 + below(64)), len, from;
	char c = odd[below(sizeof odd - 1)];
	uint8_t run[160];

	if (n > m->len - at)
		n = m->len - at;
	switch (below(11)) {
	case 0:
		if (at < m->len)
			m->data[at] ^= (uint8_t)(1U << below(8));
		break;
	case 1:
		replace(m, at, n ? 1 : 0, &c, 1);
		break;
	case 2:
		replace(m, at, 0, &c, 1);
		break;
	case 3:
		replace(m, at, n, "", 0);
		break;
	case 4:
		replace(m, below(m->len + 1), 0, m->data + at, n);
		break;
	case 5:
		replace(m, at, 0, word, strlen(word));
		break;
	case 6:
	case 7:
		len = token(m, &at);
		replace(m, at, len, word, strlen(word));
		break;
	case 8:
		from = below(other->len + 1);
		len = below(other->len - from + 1);
		replace(m, at, n, other->data + from, len);
		break;
	case 9:
		m->len = at;
		break;
	default:
		len = 1 + below(sizeof run);
		memset(run, c, len);
		replace(m, at, 0, run, len);
		break;
	}
}

static int64_t seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void take_in(struct pool *p, size_t given, const struct mutant *m)
{
	size_t at;

	if (p->count < given + POOL_MAX) {
		add(p, NULL, m->data, m->len);
		return;
	}
	/* what was given stays */
	at = given + below(p->count - given);
	free(p->v[at].data);
	p->v[at] = p->v[--p->count];
	add(p, NULL, m->data, m->len);
}

static int at_random(struct pool *p, int64_t for_seconds, uint64_t seed)
{
	static struct mutant m;
	int64_t end = seconds() + for_seconds;
	size_t given = p->count;
	uint64_t count = 0, taken = 0;

	state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	do {
		(void)alarm(PATIENCE);
		for (int i = 0; i < AT_ONCE; i++) {
			/* what survives best is what says least: half begins from the given */
			const struct input *in = &p->v[below(below(2) ? given : p->count)];
			size_t changes = 1 + below(1 + below(6));

			m.len = in->len < MUTANT_MAX ? in->len : MUTANT_MAX;
			memcpy(m.data, in->data, m.len);
			while (changes--)
				mutate(&m, p);
			count++;
			if (run(m.data, m.len, NULL))
				continue;
			taken++;
			if (!below(4))
				take_in(p, given, &m);
		}
	} while (seconds() < end);
	(void)alarm(0);
	(void)printf(
		"seed %" PRIu64 ", %" PRIu64 " taken\n%" PRIu64 " inputs\n", seed, taken, count);
	return 0;
}

/* ---- main ---- */

static int replay(const struct pool *p)
{
	for (size_t i = 0; i < p->count; i++) {
		(void)alarm(PATIENCE);
		(void)run(p->v[i].data, p->v[i].len, p->v[i].path);
		(void)printf("ok %zu - %s\n", i + 1, p->v[i].path);
		(void)fflush(stdout);
	}
	(void)alarm(0);
	(void)printf("1..%zu\n%zu inputs\n", p->count, p->count);
	return 0;
}

static bool number(const char *s, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = s ? strtoull(s, &end, 10) : 0;
	return s && *s >= '0' && *s <= '9' && !*end && !errno;
}

static int usage(const char *program)
{
	(void)fprintf(
		stderr, "usage: %s [--random SECONDS [--seed N]] [FILE | DIRECTORY]...\n", program);
	return 2;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	struct pool p = {NULL, 0, 0};
	uint64_t length = 0, seed = 1;
	bool random = false, ok = true;
	int i, rc = 1;

	for (i = 1; i < argc && !strncmp(argv[i], "--", 2); i += 2) {
		bool is_random = !strcmp(argv[i], "--random");

		if ((!is_random && strcmp(argv[i], "--seed") != 0) ||
			!number(argv[i + 1], is_random ? &length : &seed))
			return usage(argv[0]);
		random |= is_random;
	}
	watch(argv[0]);
	if (i == argc) {
		char path[512];

		(void)snprintf(
			path, sizeof path, "tests/fuzz/corpus/%s", slash ? slash + 1 : argv[0]);
		ok = add_path(&p, path);
	}
	for (; i < argc; i++)
		ok = add_path(&p, argv[i]) && ok;
	if (!p.count)
		(void)fprintf(stderr, "%s: no inputs\n", argv[0]);
	else if (ok)
		rc = random ? at_random(&p, (int64_t)length, seed) : replay(&p);
	release(&p);
	return rc;
}
