// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rings of descriptors in the kernel's memory, which operations of many
 * processes share. Each descriptor names the PASID of its process; the rings
 * themselves and the completion records are in requests without a PASID.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/sched.h>

#include "internal.h"

static void svat_write64(void __iomem *at, u64 value)
{
	writel(lower_32_bits(value), at);
	writel(upper_32_bits(value), at + 4);
}

int svat_engines_init(struct svat_dev *dev)
{
	struct device *parent = &dev->pdev->dev;
	struct svat_engine *e;
	unsigned int i;

	BUILD_BUG_ON(sizeof(struct svat_descriptor) != 64);
	BUILD_BUG_ON(sizeof(struct svat_record) != 64);

	dev->num_engines = FIELD_GET(SVAT_CAPS_ENGINES, dev->caps);
	if (!dev->num_engines || dev->num_engines > SVAT_MAX_ENGINES)
		return -ENXIO;

	for (i = 0; i < dev->num_engines; i++) {
		e = &dev->engines[i];
		e->dev = dev;
		e->index = i;
		e->regs = dev->regs + SVAT_ENGINE(i);
		spin_lock_init(&e->lock);
		e->ring = dmam_alloc_coherent(parent,
					      SVAT_RING_SIZE * sizeof(*e->ring),
					      &e->ring_dma, GFP_KERNEL);
		e->records = dmam_alloc_coherent(parent,
						 SVAT_RING_SIZE * sizeof(*e->records),
						 &e->records_dma, GFP_KERNEL);
		if (!e->ring || !e->records)
			return -ENOMEM;
	}
	return 0;
}

/* Shows the rings to the device and lets it run. Nothing is in them. */
void svat_engines_start(struct svat_dev *dev)
{
	struct svat_engine *e;
	unsigned int i;

	for (i = 0; i < dev->num_engines; i++) {
		e = &dev->engines[i];
		e->tail = 0;
		e->done = 0;
		memset(e->records, 0, SVAT_RING_SIZE * sizeof(*e->records));
		svat_write64(e->regs + SVAT_E_RING_BASE, e->ring_dma);
		writel(SVAT_RING_SHIFT, e->regs + SVAT_E_RING_SIZE);
		writel(0, e->regs + SVAT_E_RING_PASID);
		writel(dev->fault_mode, e->regs + SVAT_E_FAULT_MODE);
		writel(SVAT_E_CTRL_RUN, e->regs + SVAT_E_CTRL);
	}
	writel(U32_MAX, dev->regs + SVAT_INT_STATUS);
	writel(BIT(dev->num_engines) - 1, dev->regs + SVAT_INT_MASK);
}

/* Stops whatever the engines do, and whoever has told them to. */
void svat_engines_stop(struct svat_dev *dev)
{
	unsigned int i;

	writel(0, dev->regs + SVAT_INT_MASK);
	svat_cancel(dev, SVAT_EVERYTHING);
	for (i = 0; i < dev->num_engines; i++) {
		writel(0, dev->engines[i].regs + SVAT_E_CTRL);
		writel(1, dev->engines[i].regs + SVAT_E_RESET);
	}
	writel(SVAT_PASID_VALID | SVAT_EVERYTHING, dev->regs + SVAT_REARM);
}

/*
 * Ends what is in flight or queued for a PASID (or SVAT_EVERYTHING). When this
 * returns the device has made its last access for it.
 */
void svat_cancel(struct svat_dev *dev, u32 what)
{
	unsigned long deadline = jiffies + 5 * HZ;

	writel(SVAT_PASID_VALID | what, dev->regs + SVAT_CANCEL);
	while (readl(dev->regs + SVAT_CANCEL) & SVAT_PASID_VALID) {
		if (time_after(jiffies, deadline)) {
			dev_err(&dev->pdev->dev, "CANCEL of %#x does not finish\n",
				what);
			return;
		}
		usleep_range(20, 100);
	}
}

static u64 svat_skip(const struct svat_request *req, u32 list, u64 addr)
{
	return req->op.flags & list ? addr : addr + req->done_before;
}

static void svat_fill_descriptor(struct svat_engine *e, unsigned int slot,
				 const struct svat_request *req)
{
	const struct sva_testdev_submit *op = &req->op;
	struct svat_descriptor *d = &e->ring[slot];

	d->control = cpu_to_le32(op->opcode | op->flags | SVAT_D_PASID |
				 SVAT_D_INTERRUPT);
	d->target = cpu_to_le32(req->pasid | op->entries << 20);
	d->src = cpu_to_le64(svat_skip(req, SVA_TESTDEV_OP_SRC_LIST, op->src));
	d->dst = cpu_to_le64(svat_skip(req, SVA_TESTDEV_OP_DST_LIST, op->dst));
	d->length = cpu_to_le64(op->length - req->done_before);
	d->operand0 = cpu_to_le64(op->operand0);
	d->operand1 = cpu_to_le64(op->operand1);
	d->completion = cpu_to_le64(e->records_dma + slot * sizeof(*e->records));
	d->cookie = cpu_to_le64(e->tail);
}

static bool svat_try_engine(struct svat_engine *e, struct svat_request *req)
{
	unsigned int slot;
	unsigned long flags;
	bool room;

	spin_lock_irqsave(&e->lock, flags);
	room = e->tail - e->done < SVAT_RING_SIZE;
	if (room) {
		slot = e->tail % SVAT_RING_SIZE;
		WRITE_ONCE(e->records[slot].status, 0);
		svat_fill_descriptor(e, slot, req);
		e->requests[slot] = req;
		e->tail++;
		dma_wmb();
		writel(e->tail, e->regs + SVAT_E_TAIL);
	}
	spin_unlock_irqrestore(&e->lock, flags);
	return room;
}

/*
 * Queues an operation where the ring is emptiest: an engine that waits for a
 * page keeps others of its ring waiting.
 */
static bool svat_try_queue(struct svat_request *req)
{
	struct svat_dev *dev = req->dev;
	struct svat_engine *e, *best = NULL;
	u32 load, least = U32_MAX;
	unsigned int i;

	for (i = 0; i < dev->num_engines; i++) {
		e = &dev->engines[(i + req->pasid) % dev->num_engines];
		load = READ_ONCE(e->tail) - READ_ONCE(e->done);
		if (load < least) {
			least = load;
			best = e;
		}
	}
	return svat_try_engine(best, req);
}

/* Each process has its share of the rings. */
static bool svat_try_share(struct svat_request *req)
{
	struct svat_context *ctx = req->ctx;

	if (!ctx)
		return svat_try_queue(req);
	if (atomic_inc_return(&ctx->in_rings) <= SVAT_RING_SHARE &&
	    svat_try_queue(req))
		return true;
	atomic_dec(&ctx->in_rings);
	return false;
}

/* The same, waiting for room. */
int svat_queue(struct svat_request *req, bool interruptible)
{
	struct svat_dev *dev = req->dev;
	bool queued = false;
	int ret = 0;

	while (!queued && !ret) {
		down_read(&dev->gate);
		if (dev->gone || (req->ctx && req->ctx->stopped))
			ret = -ENODEV;
		else if (dev->claimed)
			ret = -EBUSY;
		else
			queued = svat_try_share(req);
		up_read(&dev->gate);
		if (queued || ret)
			break;
		/* Also looks itself, should an interrupt have been lost */
		if (interruptible && signal_pending(current))
			ret = -ERESTARTSYS;
		else
			wait_event_timeout(dev->space, false, HZ / 100);
	}
	return ret;
}

static void svat_complete(struct svat_request *req, const struct svat_record *r)
{
	req->status = le32_to_cpu(r->status);
	req->cause = le32_to_cpu(r->cause);
	req->result = le64_to_cpu(r->result);
	req->fault_addr = le64_to_cpu(r->fault_addr);
	req->bytes = req->done_before + le64_to_cpu(r->bytes);

	if (svat_fault_is_ours(req))
		queue_work(req->dev->wq, &req->fault_work);
	else
		svat_request_finish(req);
}

static bool svat_harvest_one(struct svat_engine *e)
{
	struct svat_request *req = NULL;
	struct svat_record record;
	unsigned int slot;
	unsigned long flags;

	spin_lock_irqsave(&e->lock, flags);
	slot = e->done % SVAT_RING_SIZE;
	if (e->done != e->tail && READ_ONCE(e->records[slot].status)) {
		dma_rmb();
		record = e->records[slot];
		req = e->requests[slot];
		e->requests[slot] = NULL;
		e->done++;
	}
	spin_unlock_irqrestore(&e->lock, flags);

	if (!req)
		return false;
	if (req->ctx)
		atomic_dec(&req->ctx->in_rings);
	svat_complete(req, &record);
	return true;
}

/* Takes completions out of the rings. */
void svat_harvest(struct svat_dev *dev)
{
	unsigned int i;
	bool any = false;

	for (i = 0; i < dev->num_engines; i++) {
		while (svat_harvest_one(&dev->engines[i]))
			any = true;
	}
	if (any)
		wake_up_all(&dev->space);
}

irqreturn_t svat_interrupt(int irq, void *data)
{
	struct svat_dev *dev = data;
	unsigned long flags;
	bool claimed = false;

	/* Claimed: the registers are user space's own */
	spin_lock_irqsave(&dev->event_lock, flags);
	if (READ_ONCE(dev->claimed)) {
		claimed = true;
		if (dev->interrupt_event)
			svat_signal(dev->interrupt_event);
	}
	spin_unlock_irqrestore(&dev->event_lock, flags);
	if (claimed)
		return IRQ_HANDLED;

	/* First, so that what completes from here on interrupts again */
	writel(readl(dev->regs + SVAT_INT_STATUS), dev->regs + SVAT_INT_STATUS);
	svat_harvest(dev);
	return IRQ_HANDLED;
}
