// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page faults without stalls and page requests: the device reports that an
 * access was refused, the driver has the kernel bring the page, and the
 * operation goes on from there. It works behind any IOMMU that can share a
 * process's page tables.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "internal.h"

/* Pages that are brought for one fault: operations mostly go on behind it */
#define SVAT_AROUND	16
/* Faults in a row that bring an operation no further */
#define SVAT_FUTILE	4

/*
 * Only an access that the IOMMU simply refused may be for want of a page. If it
 * was held back or its page requested, then the kernel has had its say.
 */
bool svat_fault_is_ours(struct svat_request *req)
{
	return req->ctx && req->status == SVAT_FAULT &&
	       req->cause == SVAT_CAUSE_REFUSED &&
	       !READ_ONCE(req->ctx->stopped);
}

static u64 svat_left(u64 start, u64 length, u64 addr)
{
	return addr >= start && addr - start < length ?
	       length - (addr - start) : 0;
}

/*
 * Whether the refused access was a write, as far as one can tell, and how many
 * bytes from its address on the operation will want as well.
 */
static bool svat_is_write(const struct svat_request *req, u64 *left)
{
	const struct sva_testdev_submit *op = &req->op;
	bool again = req->fault_addr == req->last_fault;
	bool writes = op->opcode == SVAT_COPY || op->opcode == SVAT_FILL ||
		      op->opcode == SVAT_CAS;
	u64 to = op->flags & SVA_TESTDEV_OP_DST_LIST ? 0 :
		 svat_left(op->dst, op->length, req->fault_addr);
	u64 from = op->flags & SVA_TESTDEV_OP_SRC_LIST ? 0 :
		   svat_left(op->src, op->length, req->fault_addr);

	*left = max(to, from);
	if (!writes)
		return false;
	/* What scatter lists name is not known here: reading comes first */
	return to || (again && !from);
}

static int svat_bring_pages(struct mm_struct *mm, u64 addr, u64 left, bool write)
{
	u64 last = addr + min_t(u64, left, SVAT_AROUND * PAGE_SIZE);
	unsigned int flags = write ? FAULT_FLAG_WRITE : 0;
	u64 page = addr & PAGE_MASK;
	bool unlocked;
	int ret;

	if (!mmget_not_zero(mm))
		return -ESRCH;
	mmap_read_lock(mm);
	ret = fixup_user_fault(mm, page, flags, &unlocked);
	for (page += PAGE_SIZE; !ret && page < last; page += PAGE_SIZE) {
		/* The operation may end before it gets there */
		if (fixup_user_fault(mm, page, flags, &unlocked))
			break;
	}
	mmap_read_unlock(mm);
	mmput(mm);
	return ret;
}

/* Tells user space. */
void svat_fault_report(struct svat_request *req, bool write, bool resolved)
{
	struct svat_context *ctx = req->ctx;
	struct sva_testdev_fault fault = {
		.addr = req->fault_addr,
		.ticket = req->op.ticket,
		.cause = req->cause,
		.flags = (write ? SVA_TESTDEV_FAULT_WRITE : 0) |
			 (resolved ? SVA_TESTDEV_FAULT_RESOLVED : 0),
	};
	unsigned long flags;

	spin_lock_irqsave(&ctx->fault_lock, flags);
	fault.lost = ctx->faults_lost;
	if (kfifo_put(&ctx->faults, fault))
		ctx->faults_lost = 0;
	else
		ctx->faults_lost++;
	if (ctx->fault_event)
		svat_signal(ctx->fault_event);
	spin_unlock_irqrestore(&ctx->fault_lock, flags);
	wake_up_all(&ctx->wait);
}

/* Where the next attempt begins: what is done stays done. */
static void svat_advance(struct svat_request *req)
{
	u64 done = req->bytes;

	/* The pattern of a fill is eight bytes, counted from its begin */
	if (req->op.opcode == SVAT_FILL)
		done = round_down(done, 8);
	else if (req->op.opcode != SVAT_COPY)
		return;

	/* Lists begin with their first entry */
	if (!(req->op.flags & (SVA_TESTDEV_OP_SRC_LIST | SVA_TESTDEV_OP_DST_LIST)))
		req->done_before = done;
}

void svat_fault_work(struct work_struct *work)
{
	struct svat_request *req =
		container_of(work, struct svat_request, fault_work);
	bool write, resolved = false;
	u64 left;

	write = svat_is_write(req, &left);
	if (req->fault_addr == req->last_fault) {
		req->futile++;
	} else {
		req->futile = 0;
		req->last_fault = req->fault_addr;
	}

	if (req->futile < SVAT_FUTILE)
		resolved = !svat_bring_pages(req->ctx->mm, req->fault_addr, left,
					     write);
	svat_fault_report(req, write, resolved);

	if (resolved) {
		svat_advance(req);
		if (!svat_queue(req, false))
			return;
		req->status = SVAT_CANCELLED;
	}
	svat_request_finish(req);
}
