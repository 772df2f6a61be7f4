// SPDX-License-Identifier: GPL-2.0
/* Lets tests fail an allocation at a place of their choice, see inject.h. */

#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fault-inject.h>
#include <linux/init.h>

#include "inject.h"

static DECLARE_FAULT_ATTR(tls_hs_fault);
static u32 tls_hs_fault_sites;
static struct dentry *tls_hs_fault_dir;

/**
 * tls_hs_inject - is an allocation to fail?
 * @site: which one
 *
 * Context: any.
 * Return: whether it is.
 */
bool tls_hs_inject(enum tls_hs_inject site)
{
	return READ_ONCE(tls_hs_fault_sites) & BIT(site) &&
	       should_fail(&tls_hs_fault, 1);
}

void __init tls_hs_inject_init(void)
{
	tls_hs_fault_dir = fault_create_debugfs_attr("fail_tls_handshake",
						     NULL, &tls_hs_fault);
	if (!IS_ERR(tls_hs_fault_dir))
		debugfs_create_u32("sites", 0600, tls_hs_fault_dir,
				   &tls_hs_fault_sites);
}

void tls_hs_inject_exit(void)
{
	if (!IS_ERR(tls_hs_fault_dir))
		debugfs_remove(tls_hs_fault_dir);
}
