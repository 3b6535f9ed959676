/* SPDX-License-Identifier: MIT */
/* utf8.h - the one place that knows what well-formed UTF-8 is (Unicode 15, table 3-7). Any thread.
 */
#ifndef PROPEXOFS_UTF8_H
#define PROPEXOFS_UTF8_H

#include <stddef.h>

/* Length in bytes (1 to 4) of the well-formed character at s, of which len bytes exist; 0 when
 * there is none. */
size_t px_utf8_len(const char *s, size_t len);

/* Writes the character's 1 to 4 bytes; returns how many. Surrogates and values over U+10FFFF give
 * U+FFFD. */
size_t px_utf8_put(unsigned code, char ret[4]);

#endif
