/* SPDX-License-Identifier: MIT */
/* banned.h - calls that do not compile here: unbounded, or not thread-safe. Included by every
 * build. */
#ifndef PROPEXOFS_BANNED_H
#define PROPEXOFS_BANNED_H

/* The headers that declare them come first, so that only our own uses are caught. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strtok strncpy strncat gmtime localtime asctime  \
	ctime

#endif
