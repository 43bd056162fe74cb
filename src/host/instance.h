/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_INSTANCE_H
#define VD_HOST_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

#define VD_HOST_WHAT_SIZE 24

/* "port/1f"; "port/1f/adopted" for a tap that we found and that stays when the port goes. */
void vd_host_port_what(uint32_t port, bool adopted, char text[VD_HOST_WHAT_SIZE]);

#endif
