/* SPDX-License-Identifier: MIT */
/* words.h - what names, places and notes are made of. Const; any thread. */
#ifndef PROPEXOFS_SIM_WORDS_H
#define PROPEXOFS_SIM_WORDS_H

#include <stddef.h>

struct words {
	const char *const *word;
	size_t n;
};

extern const struct words words_first, words_last, words_city, words_state, words_street,
	words_property, words_thing, words_status, words_color, words_animal, words_breed,
	words_make, words_company, words_note, words_key, words_vendor, words_country, words_number,
	words_weekday, words_term;

#endif
