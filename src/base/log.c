/* SPDX-License-Identifier: MIT */
/*
 * log.c - writes a message with one call, so that lines of several threads never mix, and escapes
 * control bytes, so that nothing received can forge a line.
 */
#include "propexofs/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "propexofs/clock.h"

static _Atomic int log_level = PX_LOG_INFO;
static _Atomic int log_sink = PX_LOG_STDERR;
static _Atomic bool journal; /* which keeps time itself, and levels as sd-daemon(3) writes them */
static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct {
	const char *word;
	int priority;
} levels[] = {
	[PX_LOG_ERROR] = {"error", LOG_ERR},
	[PX_LOG_WARN] = {"warn", LOG_WARNING},
	[PX_LOG_INFO] = {"info", LOG_INFO},
	[PX_LOG_DEBUG] = {"debug", LOG_DEBUG},
};

/* Whether standard error goes to the journal (systemd.exec(5), $JOURNAL_STREAM). */
static bool to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == device && st.st_ino == inode;
}

void px_log_setup(enum px_log_sink sink, enum px_log_level level)
{
	if (sink == PX_LOG_SYSLOG)
		openlog("propexofs", LOG_PID, LOG_DAEMON);
	journal = sink == PX_LOG_STDERR && to_journal();
	log_sink = (int)sink;
	log_level = (int)level;
}

void px_log_set_level(enum px_log_level level)
{
	log_level = (int)level;
}

bool px_log_enabled(enum px_log_level level)
{
	return (int)level <= log_level;
}

bool px_log_level_parse(const char *word, enum px_log_level *ret)
{
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
		if (!strcmp(word, levels[i].word)) {
			*ret = (enum px_log_level)i;
			return true;
		}
	return false;
}

static size_t escape(const char *in, char *out, size_t size)
{
	size_t n = 0;

	for (; *in && n + 5 < size; in++) {
		unsigned char c = (unsigned char)*in;

		if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(out + n, size - n, "\\x%02x", c);
		else
			out[n++] = (char)c;
	}
	out[n] = '\0';
	return n;
}

void px_log(enum px_log_level level, const char *module, const char *fmt, ...)
{
	int saved = errno;
	char raw[1024], line[1400], stamp[PX_TIME_MAX];
	va_list ap;

	if (!px_log_enabled(level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	if (log_sink == PX_LOG_SYSLOG) {
		(void)escape(raw, line, sizeof line);
		syslog(levels[level].priority, "%s: %s: %s", levels[level].word, module, line);
	} else {
		int head = journal ? snprintf(line, sizeof line, "<%d>%s: ", levels[level].priority,
					     module)
				   : snprintf(line, sizeof line, "%s %s %s: ",
					     px_time_format_ms(px_clock_wall_ms(), stamp),
					     levels[level].word, module);
		size_t n = (size_t)head + escape(raw, line + head, sizeof line - (size_t)head - 1);

		line[n++] = '\n';
		/* nothing sensible can be done about a log that cannot be written */
		if (write(STDERR_FILENO, line, n) < 0)
			errno = saved;
	}
	errno = saved;
}

bool px_log_allowed(struct px_log_limit *limit, unsigned *ret_held)
{
	long long now = px_clock_mono_ms();
	bool allowed;

	pthread_mutex_lock(&limit_lock);
	allowed = now >= limit->next_ms;
	if (allowed) {
		*ret_held = limit->held;
		limit->held = 0;
		limit->next_ms = now + 1000;
	} else {
		limit->held++;
	}
	pthread_mutex_unlock(&limit_lock);
	return allowed;
}
