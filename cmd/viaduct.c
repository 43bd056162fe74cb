/* SPDX-License-Identifier: Apache-2.0 */
#include "client/command.h"

int main(int argc, char **argv)
{
	return vd_command_main(argc, argv);
}
