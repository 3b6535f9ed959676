/* SPDX-License-Identifier: MIT */
/*
 * log.h - one line a message: level, module, key=value words.
 *
 * Records are people's data: messages name ids and counts, never bodies, tokens or signatures.
 * Control bytes are escaped before anything is written, errno is preserved, and any thread may
 * call.
 */
#ifndef PROPEXOFS_LOG_H
#define PROPEXOFS_LOG_H

#include <stdbool.h>

enum px_log_level { PX_LOG_ERROR, PX_LOG_WARN, PX_LOG_INFO, PX_LOG_DEBUG };

enum px_log_sink { PX_LOG_STDERR, PX_LOG_SYSLOG };

/* Standard error that is the journal's gets levels as it wants them, and no times. Before the first
 * thread starts, and again after daemonising. */
void px_log_setup(enum px_log_sink sink, enum px_log_level level);
void px_log_set_level(enum px_log_level level);
bool px_log_enabled(enum px_log_level level);

/* "error", "warn", "info", "debug" -> level; false when it is none of them. */
bool px_log_level_parse(const char *word, enum px_log_level *ret);

void px_log(enum px_log_level level, const char *module, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* For what an outage would repeat: at most one line a second for each call site; the next line says
 * how many were held back. */
struct px_log_limit {
	long long next_ms;
	unsigned held;
};
bool px_log_allowed(struct px_log_limit *limit, unsigned *ret_held);

#define px_log_limited(level, module, fmt, ...)                                                    \
	do {                                                                                       \
		static struct px_log_limit px_limit_;                                              \
		unsigned px_held_;                                                                 \
		if (px_log_allowed(&px_limit_, &px_held_))                                         \
			px_log(level, module, fmt " held=%u", ##__VA_ARGS__, px_held_);            \
	} while (0)

#define px_error(module, ...) px_log(PX_LOG_ERROR, module, __VA_ARGS__)
#define px_warn(module, ...)  px_log(PX_LOG_WARN, module, __VA_ARGS__)
#define px_info(module, ...)  px_log(PX_LOG_INFO, module, __VA_ARGS__)
#define px_debug(module, ...)                                                                      \
	do {                                                                                       \
		if (px_log_enabled(PX_LOG_DEBUG))                                                  \
			px_log(PX_LOG_DEBUG, module, __VA_ARGS__);                                 \
	} while (0)

#endif
