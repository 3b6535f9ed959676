/* SPDX-License-Identifier: MIT */
/* codec_i.h - private to src/codec: the pull parser that everything here stands on. */
#ifndef PROPEXOFS_CODEC_I_H
#define PROPEXOFS_CODEC_I_H

#include "propexofs/codec.h"

enum px_token {
	PX_TOKEN_BEGIN, /* '{' or '[' */
	PX_TOKEN_END,	/* '}' or ']'; `empty` tells whether nothing was between */
	PX_TOKEN_KEY,	/* a member's name, quotes included */
	PX_TOKEN_SCALAR,
	PX_TOKEN_DONE, /* the one value is whole, and nothing but white space follows */
	PX_TOKEN_BAD,
};

struct px_parser {
	const char *begin, *p, *end;
	const char *why;      /* with PX_TOKEN_BAD */
	px_rc rc;	      /* PX_ESYNTAX or PX_ELIMIT, with PX_TOKEN_BAD */
	struct px_span token; /* text of the newest token */
	bool empty;	      /* newest END closes an empty container */
	int depth;	      /* containers open after the newest token */
	int state;
	char open[PX_JSON_DEPTH_MAX]; /* what is open: '{' or '[' */
};

void px_parser_init(struct px_parser *ps, const char *text, size_t len);
enum px_token px_parser_next(struct px_parser *ps);
px_rc px_parser_error(const struct px_parser *ps, struct px_err *err);

#endif
