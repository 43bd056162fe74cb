/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon's API without a data plane, for tests of the command line: prints the socket's path, runs until its input ends. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

int main(void)
{
	void *state;

	fixture_setup(&state);
	puts(((struct fixture *)state)->socket);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return fixture_teardown(&state);
}
