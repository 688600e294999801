// SPDX-License-Identifier: GPL-2.0-only
/*
 * Byte quotas: one for each open file, one for the module. A buffer is charged
 * before its memory is allocated and until it is given back, which may be after
 * its open file was closed.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/error-injection.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "internal.h"

static unsigned long long quota_open;
module_param(quota_open, ullong, 0644);
MODULE_PARM_DESC(quota_open, "Bytes of buffers for each open file (0: no limit, the default)");

static unsigned long long quota_total;
module_param(quota_total, ullong, 0644);
MODULE_PARM_DESC(quota_total, "Bytes of buffers altogether (0: no limit, the default)");

static atomic64_t total;

struct contigbuf_account *contigbuf_account_create(void)
{
	struct contigbuf_account *account;

	account = kzalloc(sizeof(*account), GFP_KERNEL_ACCOUNT);
	if (account)
		refcount_set(&account->refs, 1);
	return account;
}

struct contigbuf_account *contigbuf_account_get(struct contigbuf_account *account)
{
	refcount_inc(&account->refs);
	return account;
}

void contigbuf_account_put(struct contigbuf_account *account)
{
	if (refcount_dec_and_test(&account->refs))
		kfree(account);
}

/* Never goes over the limit, not even for a moment that others could see. */
static bool add_below(atomic64_t *used, u64 bytes, u64 limit)
{
	s64 old = atomic64_read(used);

	do {
		if (limit && (bytes > limit || old > limit - bytes))
			return false;
	} while (!atomic64_try_cmpxchg(used, &old, old + bytes));
	return true;
}

/**
 * contigbuf_charge - account for a buffer before it is allocated
 * @account: of the open file that asks
 * @bytes: rounded size
 *
 * Returns 0, or -EDQUOT with nothing charged.
 */
int contigbuf_charge(struct contigbuf_account *account, u64 bytes)
{
	if (!add_below(&account->bytes, bytes, READ_ONCE(quota_open)))
		return -EDQUOT;
	if (!add_below(&total, bytes, READ_ONCE(quota_total))) {
		atomic64_sub(bytes, &account->bytes);
		return -EDQUOT;
	}
	return 0;
}
ALLOW_ERROR_INJECTION(contigbuf_charge, ERRNO);

void contigbuf_uncharge(struct contigbuf_account *account, u64 bytes)
{
	atomic64_sub(bytes, &total);
	atomic64_sub(bytes, &account->bytes);
}
