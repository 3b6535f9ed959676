/* SPDX-License-Identifier: MIT */
/*
 * testclock.c - sets the clock that daemon and simulator share by PROPEXOFS_TEST_CLOCK.
 *
 *   testclock FILE TIME [RATE]      TIME: RFC 3339; RATE: how many times faster than real (1)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"

int main(int argc, char **argv)
{
	int64_t ns;

	if (argc < 3 || px_time_parse(argv[2], strlen(argv[2]), &ns)) {
		fprintf(stderr, "usage: testclock FILE TIME [RATE]\n");
		return 2;
	}
	return px_clock_test_write(
		       argv[1], ns, argc > 3 ? (int64_t)(strtod(argv[3], NULL) * 1000) : 1000)
		       ? 1
		       : 0;
}
