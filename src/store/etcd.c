/* SPDX-License-Identifier: Apache-2.0 */
#include "store/engine.h"
#include <errno.h>
int vd_etcd_open(const char *hosts, bool tls, const struct vd_store_options *options, struct vd_store **ret, struct vd_error *error)
{
	return vd_error_set(error, -EOPNOTSUPP, "store etcd://%s: not built", hosts);
}
