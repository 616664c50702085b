// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process that has a function open: bound to it with a PASID of its own, and
 * unbound when nothing of it is in the device any more.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "internal.h"

#define SVAT_VM_FLAGS	(VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP | \
			 VM_DONTCOPY)

/* Operations of one process that are not waited for yet */
#define SVAT_MAX_REQUESTS	256

#define SVAT_OP_FLAGS	(SVA_TESTDEV_OP_PRIVILEGED | SVA_TESTDEV_OP_EXECUTE | \
			 SVA_TESTDEV_OP_SRC_LIST | SVA_TESTDEV_OP_DST_LIST)

static struct iommu_sva *svat_bind(struct device *dev, struct mm_struct *mm)
{
#ifdef SVAT_BIND_HAS_DRVDATA
	return iommu_sva_bind_device(dev, mm, NULL);
#else
	return iommu_sva_bind_device(dev, mm);
#endif
}

void svat_request_release(struct kref *kref)
{
	kfree(container_of(kref, struct svat_request, kref));
}

/* The end of an operation, whatever it is. */
void svat_request_finish(struct svat_request *req)
{
	complete_all(&req->done);
	/* With its last operation the context may go: it is not touched again */
	if (req->ctx && atomic_dec_and_test(&req->ctx->in_flight))
		wake_up_all(&req->dev->space);
	kref_put(&req->kref, svat_request_release);
}

static int svat_open(struct inode *inode, struct file *file)
{
	struct svat_dev *dev = container_of(file->private_data, struct svat_dev,
					    misc);
	struct svat_context *ctx, *other;
	int ret;

	if (!current->mm)
		return -EINVAL;

	ctx = kzalloc_obj(*ctx);
	if (!ctx)
		return -ENOMEM;
	ctx->dev = dev;
	ctx->mm = current->mm;
	ctx->mapping = inode->i_mapping;
	init_waitqueue_head(&ctx->wait);
	xa_init_flags(&ctx->requests, XA_FLAGS_ALLOC);
	spin_lock_init(&ctx->fault_lock);
	INIT_KFIFO(ctx->faults);

	mutex_lock(&dev->lock);
	ret = -ENODEV;
	if (dev->gone)
		goto err;
	ret = -EBUSY;
	if (dev->claimed)
		goto err;
	/* CANCEL is for a PASID, and would end what the other one does */
	list_for_each_entry(other, &dev->contexts, node) {
		if (other->mm == ctx->mm)
			goto err;
	}

	ctx->handle = svat_bind(&dev->pdev->dev, current->mm);
	if (IS_ERR(ctx->handle)) {
		ret = PTR_ERR(ctx->handle);
		goto err;
	}
	ctx->pasid = iommu_sva_get_pasid(ctx->handle);
	/* Its last owner may have left it halted */
	writel(SVAT_PASID_VALID | ctx->pasid, dev->regs + SVAT_REARM);

	mmgrab(ctx->mm);
	kref_get(&dev->kref);
	list_add_tail(&ctx->node, &dev->contexts);
	mutex_unlock(&dev->lock);

	file->private_data = ctx;
	return 0;

err:
	mutex_unlock(&dev->lock);
	kfree(ctx);
	return ret;
}

static void svat_set_claim(struct svat_dev *dev, struct svat_context *ctx)
{
	struct eventfd_ctx *event;

	spin_lock_irq(&dev->event_lock);
	dev->claimed = ctx;
	event = dev->interrupt_event;
	dev->interrupt_event = NULL;
	spin_unlock_irq(&dev->event_lock);
	if (event)
		eventfd_ctx_put(event);
}

/*
 * Takes a process from the device: no more operations, an end to those that are
 * there, and only then the PASID. Called with dev->lock held.
 */
void svat_context_stop(struct svat_context *ctx)
{
	struct svat_dev *dev = ctx->dev;
	unsigned long deadline = jiffies + 10 * HZ;

	lockdep_assert_held(&dev->lock);
	if (!ctx->handle)
		return;

	WRITE_ONCE(ctx->stopped, true);
	svat_close_gate(dev);

	if (dev->claimed == ctx) {
		unmap_mapping_range(ctx->mapping, 0, 0, 1);
		svat_engines_stop(dev);
		svat_engines_start(dev);
		svat_set_claim(dev, NULL);
	} else {
		svat_cancel(dev, ctx->pasid);
	}

	while (atomic_read(&ctx->in_flight)) {
		svat_harvest(dev);
		wait_event_timeout(dev->space, !atomic_read(&ctx->in_flight),
				   HZ / 100);
		if (time_after(jiffies, deadline)) {
			/* Cancelled, they write nothing, but are not reported */
			dev_err(&dev->pdev->dev,
				"%d operations of PASID %u do not end\n",
				atomic_read(&ctx->in_flight), ctx->pasid);
			deadline += 10 * HZ;
		}
	}

	iommu_sva_unbind_device(ctx->handle);
	ctx->handle = NULL;
}

static int svat_release(struct inode *inode, struct file *file)
{
	struct svat_context *ctx = file->private_data;
	struct svat_dev *dev = ctx->dev;
	struct svat_request *req;
	unsigned long ticket;

	mutex_lock(&dev->lock);
	svat_context_stop(ctx);
	list_del(&ctx->node);
	mutex_unlock(&dev->lock);

	xa_for_each(&ctx->requests, ticket, req)
		kref_put(&req->kref, svat_request_release);
	xa_destroy(&ctx->requests);
	if (ctx->fault_event)
		eventfd_ctx_put(ctx->fault_event);
	mmdrop(ctx->mm);
	kfree(ctx);
	kref_put(&dev->kref, svat_dev_release);
	return 0;
}

static long svat_info(struct svat_context *ctx, void __user *user)
{
	struct svat_dev *dev = ctx->dev;
	struct sva_testdev_info info = {
		.pasid = ctx->pasid,
		.caps = dev->caps,
		.fault_mode = dev->fault_mode,
	};
	struct svat_context *other;

	mutex_lock(&dev->lock);
	list_for_each_entry(other, &dev->contexts, node)
		info.contexts++;
	mutex_unlock(&dev->lock);
	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

/* The reference that a ticket is goes to whoever takes it out. */
static void svat_drop_ticket(struct svat_context *ctx, u32 ticket,
			     struct svat_request *req)
{
	if (xa_cmpxchg(&ctx->requests, ticket, req, NULL, GFP_KERNEL) == req)
		kref_put(&req->kref, svat_request_release);
}

static long svat_submit(struct svat_context *ctx, void __user *user)
{
	struct svat_request *req;
	struct sva_testdev_submit *op;
	u32 ticket;
	int ret;

	req = kzalloc_obj(*req);
	if (!req)
		return -ENOMEM;
	kref_init(&req->kref);
	INIT_WORK(&req->fault_work, svat_fault_work);
	init_completion(&req->done);
	req->ctx = ctx;
	req->dev = ctx->dev;
	req->pasid = ctx->pasid;
	req->last_fault = U64_MAX;

	op = &req->op;
	ret = -EFAULT;
	if (copy_from_user(op, user, sizeof(*op)))
		goto err_put;
	ret = -EINVAL;
	if (op->opcode > SVAT_CAS || op->flags & ~SVAT_OP_FLAGS ||
	    op->entries > 0xfff)
		goto err_put;

	/* One reference for the device, one for the ticket */
	kref_get(&req->kref);
	ret = xa_alloc_cyclic(&ctx->requests, &ticket, req,
			      XA_LIMIT(0, SVAT_MAX_REQUESTS - 1),
			      &ctx->next_ticket, GFP_KERNEL);
	if (ret < 0) {
		kref_put(&req->kref, svat_request_release);
		goto err_put;
	}
	op->ticket = ticket;
	ret = -EFAULT;
	if (copy_to_user(user, op, sizeof(*op)))
		goto err_ticket;
	atomic_inc(&ctx->in_flight);
	ret = svat_queue(req, true);
	if (ret)
		goto err_in_flight;
	return 0;

err_in_flight:
	if (atomic_dec_and_test(&ctx->in_flight))
		wake_up_all(&ctx->dev->space);
err_ticket:
	svat_drop_ticket(ctx, ticket, req);
err_put:
	kref_put(&req->kref, svat_request_release);
	return ret;
}

static long svat_wait(struct svat_context *ctx, void __user *user)
{
	struct sva_testdev_wait arg;
	struct svat_request *req;
	unsigned long timeout;
	long left;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;

	xa_lock(&ctx->requests);
	req = xa_load(&ctx->requests, arg.ticket);
	if (req)
		kref_get(&req->kref);
	xa_unlock(&ctx->requests);
	if (!req)
		return -ENOENT;

	timeout = msecs_to_jiffies(arg.timeout_ms);
	left = wait_for_completion_interruptible_timeout(&req->done, timeout);
	if (left <= 0) {
		kref_put(&req->kref, svat_request_release);
		return left ? -EINTR : -ETIMEDOUT;
	}
	svat_drop_ticket(ctx, arg.ticket, req);

	arg.status = req->status;
	arg.cause = req->cause;
	arg.result = req->result;
	arg.fault_addr = req->fault_addr;
	arg.bytes = req->bytes;
	kref_put(&req->kref, svat_request_release);
	return copy_to_user(user, &arg, sizeof(arg)) ? -EFAULT : 0;
}

static long svat_fault_event(struct svat_context *ctx, struct eventfd_ctx **event)
{
	spin_lock_irq(&ctx->fault_lock);
	swap(ctx->fault_event, *event);
	spin_unlock_irq(&ctx->fault_lock);
	return 0;
}

static long svat_interrupt_event(struct svat_context *ctx,
				 struct eventfd_ctx **event)
{
	struct svat_dev *dev = ctx->dev;
	long ret = -EPERM;

	spin_lock_irq(&dev->event_lock);
	if (dev->claimed == ctx) {
		swap(dev->interrupt_event, *event);
		ret = 0;
	}
	spin_unlock_irq(&dev->event_lock);
	return ret;
}

static long svat_eventfd(struct svat_context *ctx, void __user *user)
{
	struct eventfd_ctx *event = NULL;
	struct sva_testdev_eventfd arg;
	long ret;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.fd >= 0) {
		event = eventfd_ctx_fdget(arg.fd);
		if (IS_ERR(event))
			return PTR_ERR(event);
	}

	switch (arg.event) {
	case SVA_TESTDEV_EVENT_FAULT:
		ret = svat_fault_event(ctx, &event);
		break;
	case SVA_TESTDEV_EVENT_INTERRUPT:
		ret = svat_interrupt_event(ctx, &event);
		break;
	default:
		ret = -EINVAL;
	}
	/* The one that was there, or this one if it was not wanted */
	if (event)
		eventfd_ctx_put(event);
	return ret;
}

static long svat_claim(struct svat_context *ctx)
{
	struct svat_dev *dev = ctx->dev;
	long ret = 0;

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;

	mutex_lock(&dev->lock);
	mutex_lock(&dev->kernel_lock);
	if (ctx->stopped) {
		ret = -ENODEV;
	} else if (dev->claimed || !list_is_singular(&dev->contexts)) {
		ret = -EBUSY;
	} else {
		svat_set_claim(dev, ctx);
		svat_close_gate(dev);
		if (atomic_read(&ctx->in_flight)) {
			svat_set_claim(dev, NULL);
			ret = -EBUSY;
		} else {
			svat_engines_stop(dev);
		}
	}
	mutex_unlock(&dev->kernel_lock);
	mutex_unlock(&dev->lock);
	return ret;
}

static long svat_kernel(struct svat_context *ctx, void __user *user)
{
	struct sva_testdev_kernel arg;
	long ret;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	ret = svat_kernel_copy(ctx->dev, &arg);
	if (ret)
		return ret;
	return copy_to_user(user, &arg, sizeof(arg)) ? -EFAULT : 0;
}

static long svat_rearm(struct svat_context *ctx)
{
	struct svat_dev *dev = ctx->dev;
	long ret = -ENODEV;

	down_read(&dev->gate);
	if (!dev->gone && !ctx->stopped) {
		writel(SVAT_PASID_VALID | ctx->pasid, dev->regs + SVAT_REARM);
		ret = 0;
	}
	up_read(&dev->gate);
	return ret;
}

static long svat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct svat_context *ctx = file->private_data;
	void __user *user = (void __user *)arg;

	/* A child that inherits the file has other memory */
	if (current->mm != ctx->mm)
		return -EPERM;

	switch (cmd) {
	case SVA_TESTDEV_INFO:
		return svat_info(ctx, user);
	case SVA_TESTDEV_SUBMIT:
		return svat_submit(ctx, user);
	case SVA_TESTDEV_WAIT:
		return svat_wait(ctx, user);
	case SVA_TESTDEV_REARM:
		return svat_rearm(ctx);
	case SVA_TESTDEV_EVENTFD:
		return svat_eventfd(ctx, user);
	case SVA_TESTDEV_CLAIM:
		return svat_claim(ctx);
	case SVA_TESTDEV_KERNEL:
		return svat_kernel(ctx, user);
	default:
		return -ENOTTY;
	}
}

static bool svat_take_fault(struct svat_context *ctx,
			    struct sva_testdev_fault *fault)
{
	bool found;

	spin_lock_irq(&ctx->fault_lock);
	found = kfifo_get(&ctx->faults, fault);
	spin_unlock_irq(&ctx->fault_lock);
	return found;
}

static ssize_t svat_read(struct file *file, char __user *user, size_t count,
			 loff_t *offset)
{
	struct svat_context *ctx = file->private_data;
	struct sva_testdev_fault fault;
	ssize_t done = 0;
	int ret;

	if (count < sizeof(fault))
		return -EINVAL;
	while (count - done >= sizeof(fault)) {
		if (!svat_take_fault(ctx, &fault)) {
			if (done)
				break;
			if (file->f_flags & O_NONBLOCK)
				return -EAGAIN;
			if (ctx->stopped)
				return 0;
			ret = wait_event_interruptible(ctx->wait,
						       !kfifo_is_empty(&ctx->faults) ||
						       ctx->stopped);
			if (ret)
				return ret;
			continue;
		}
		if (copy_to_user(user + done, &fault, sizeof(fault)))
			return -EFAULT;
		done += sizeof(fault);
	}
	return done;
}

static __poll_t svat_poll(struct file *file, poll_table *table)
{
	struct svat_context *ctx = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &ctx->wait, table);
	if (!kfifo_is_empty(&ctx->faults))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (ctx->stopped)
		mask |= EPOLLHUP;
	return mask;
}

/* Page by page, so that a function that goes away takes them along. */
static vm_fault_t svat_mmap_fault(struct vm_fault *vmf)
{
	struct svat_context *ctx = vmf->vma->vm_file->private_data;
	struct svat_dev *dev = ctx->dev;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	unsigned long pfn;

	down_read(&dev->gate);
	if (dev->claimed == ctx && !ctx->stopped) {
		pfn = PHYS_PFN(pci_resource_start(dev->pdev, 0)) + vmf->pgoff;
		ret = vmf_insert_pfn(vmf->vma, vmf->address, pfn);
	}
	up_read(&dev->gate);
	return ret;
}

static const struct vm_operations_struct svat_vm_ops = {
	.fault = svat_mmap_fault,
};

static int svat_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct svat_context *ctx = file->private_data;
	unsigned long pages = PHYS_PFN(SVAT_BAR_SIZE);

	if (current->mm != ctx->mm || ctx->dev->claimed != ctx)
		return -EPERM;
	if (vma->vm_pgoff > pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -EINVAL;

	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
#ifdef SVAT_HAS_VM_FLAGS_SET
	vm_flags_set(vma, SVAT_VM_FLAGS);
#else
	vma->vm_flags |= SVAT_VM_FLAGS;
#endif
	vma->vm_ops = &svat_vm_ops;
	return 0;
}

const struct file_operations svat_fops = {
	.owner = THIS_MODULE,
	.open = svat_open,
	.release = svat_release,
	.unlocked_ioctl = svat_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.read = svat_read,
	.poll = svat_poll,
	.mmap = svat_mmap,
	.llseek = noop_llseek,
};
