/* SPDX-License-Identifier: MIT */
/* status_i.h - what the renderers share: the board's inside view and the rules of phases. */
#ifndef PX_STATUS_I_H
#define PX_STATUS_I_H

#include "propexofs/codec.h"
#include "propexofs/status.h"

/* ---- board, for renderers ---- */

/* What the board knows of one integration, and of one directory. False: nothing. */
struct px_board_integration {
	int64_t unannounced_ms; /* 0: not so */
	bool catching_up;
};
void px_board_integration(struct px_board *b, int64_t iid, struct px_board_integration *ret);
bool px_board_progress(struct px_board *b, int64_t did, struct px_progress *ret);
bool px_board_wants_integration(struct px_board *b, const char *id);
bool px_board_wants_model(struct px_board *b, const char *dir);
/* The integrations that --integration names; NULL: all are wanted. */
const struct px_strings *px_board_named(const struct px_board *b);

/* ---- phases ---- */

/* Everything that decides a phase (contract §5), of an integration or of a model in it. */
struct px_phase_facts {
	bool disabled; /* vanished, archived, not active, not enabled, or not wanted */
	bool waiting;  /* Propexo has not finished its first sync */
	bool failed;   /* an error is set */
	bool complete; /* all of it has been read once */
	bool stale;    /* out of reach, or silent for too long */
	bool pending;  /* something announced has not been applied */
};
enum px_phase px_phase_of(const struct px_phase_facts *f);

/* An integration and its directories, judged. Strings belong to it. */
struct px_judged {
	struct px_integration row;
	struct px_dir *dirs;
	size_t ndirs;
	enum px_phase phase;
	bool stale;
	bool complete; /* every model that counts has been read to its end */
	bool counts;   /* for `ready` */
	int64_t records, pending, oldest_pending_ms;
	const char *error; /* row.error, or why it is disabled; static or row's */
};
/* One moment of everything the renderers need. */
struct px_survey {
	struct px_board *board; /* NULL: nobody runs */
	struct px_board_view view;
	int64_t now_ms;
	bool known; /* the list of integrations has been read once */
	struct px_store_totals totals;
	struct px_judged *list;
	size_t count;
};
px_rc px_survey_take(
	struct px_reader *r, struct px_board *board, struct px_survey *ret, struct px_err *err);
px_rc px_survey_one(struct px_reader *r, struct px_board *board, int64_t iid, struct px_survey *ret,
	struct px_err *err);
void px_survey_release(struct px_survey *s);

enum px_phase px_model_phase(
	const struct px_survey *s, const struct px_judged *j, const struct px_dir *d);
/* Why a model is not there, when its own row does not say; or NULL. */
const char *px_model_error(
	const struct px_survey *s, const struct px_judged *j, const struct px_dir *d);

/* ---- members of a status, for people ---- */

enum { PX_WORD_MAX = 512 };
/* Decoded text of a string, without control characters; fallback when it is none. */
const char *px_show_text(
	struct px_span object, const char *key, const char *fallback, char buf[static PX_WORD_MAX]);
int64_t px_show_number(struct px_span object, const char *key); /* -1: none */
bool px_show_truth(struct px_span object, const char *key);
int64_t px_show_time_ms(struct px_span object, const char *key); /* 0: none */
const char *px_show_grouped(int64_t v, char buf[static 32]);	 /* 1,234,567; negative: 0 */
const char *px_show_bytes(int64_t v, char buf[static 32]);	 /* 1.2 MiB */
const char *px_show_duration(int64_t s, char buf[static 32]);	 /* 2 h 03 min */

/* ---- JSON ---- */

/* Appends a time as RFC 3339, or null for 0. */
void px_json_time_ms(struct px_buf *b, int64_t ms);
/* The same for a time as the API wrote it: normalised, verbatim when it is none, null for NULL. */
void px_json_time_text(struct px_buf *b, const char *text);
/* "key":true, with a comma in front unless it opens an object. */
void px_json_bool_member(struct px_buf *b, const char *key, bool value);
void px_json_int_member(struct px_buf *b, const char *key, int64_t value);
/* null for negative ones. */
void px_json_count_member(struct px_buf *b, const char *key, int64_t value);
void px_json_text_member(struct px_buf *b, const char *key, const char *value);
void px_json_time_member(struct px_buf *b, const char *key, int64_t ms);
void px_json_key(struct px_buf *b, const char *key);

#endif
