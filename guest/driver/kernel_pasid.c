// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A PASID of the kernel's own: the domain of the DMA API attached to a second
 * address space of the device, so that DMA of the kernel and of processes goes
 * the same way.
 */
#include <linux/dma-mapping.h>
#include <linux/random.h>

#include "internal.h"

#ifdef SVAT_HAS_GLOBAL_PASID

static int svat_attach(struct iommu_domain *domain, struct device *dev, u32 pasid)
{
#ifdef SVAT_ATTACH_HAS_HANDLE
	return iommu_attach_device_pasid(domain, dev, pasid, NULL);
#else
	return iommu_attach_device_pasid(domain, dev, pasid);
#endif
}

/* On first use: devices and systems that cannot do it work without. */
static int svat_kernel_pasid_get(struct svat_dev *dev)
{
	struct device *parent = &dev->pdev->dev;
	struct iommu_domain *domain = iommu_get_domain_for_dev(parent);
	ioasid_t pasid;
	int ret;

	lockdep_assert_held(&dev->kernel_lock);
	if (dev->kernel_pasid)
		return 0;
	/* With an identity domain the DMA API gives out bus addresses, too */
	if (!domain)
		return -ENODEV;

	pasid = iommu_alloc_global_pasid(parent);
	if (pasid == IOMMU_PASID_INVALID)
		return -ENOSPC;
	ret = svat_attach(domain, parent, pasid);
	if (ret) {
		iommu_free_global_pasid(pasid);
		return ret;
	}
	writel(SVAT_PASID_VALID | pasid, dev->regs + SVAT_REARM);
	dev->kernel_pasid = pasid;
	return 0;
}

void svat_kernel_pasid_free(struct svat_dev *dev)
{
	struct device *parent = &dev->pdev->dev;

	mutex_lock(&dev->kernel_lock);
	if (dev->kernel_pasid) {
		svat_cancel(dev, dev->kernel_pasid);
		iommu_detach_device_pasid(iommu_get_domain_for_dev(parent),
					  parent, dev->kernel_pasid);
		iommu_free_global_pasid(dev->kernel_pasid);
		dev->kernel_pasid = 0;
	}
	mutex_unlock(&dev->kernel_lock);
}

static int svat_kernel_run(struct svat_dev *dev, dma_addr_t src, dma_addr_t dst,
			   u32 length)
{
	struct svat_request *req;
	int ret;

	req = kzalloc_obj(*req);
	if (!req)
		return -ENOMEM;
	kref_init(&req->kref);
	kref_get(&req->kref);
	init_completion(&req->done);
	req->dev = dev;
	req->pasid = dev->kernel_pasid;
	req->op.opcode = SVAT_COPY;
	req->op.src = src;
	req->op.dst = dst;
	req->op.length = length;

	ret = svat_queue(req, false);
	if (ret) {
		/* The reference that the device would have had */
		kref_put(&req->kref, svat_request_release);
	} else if (!wait_for_completion_timeout(&req->done, 10 * HZ)) {
		/* Only after CANCEL may the buffers go */
		svat_cancel(dev, req->pasid);
		svat_harvest(dev);
		writel(SVAT_PASID_VALID | req->pasid, dev->regs + SVAT_REARM);
		ret = -ETIMEDOUT;
	} else if (req->status != SVAT_OK) {
		dev_warn(&dev->pdev->dev,
			 "copy with PASID %u: status %u, cause %u, address %#llx\n",
			 req->pasid, req->status, req->cause, req->fault_addr);
		writel(SVAT_PASID_VALID | req->pasid, dev->regs + SVAT_REARM);
		ret = -EIO;
	}
	kref_put(&req->kref, svat_request_release);
	return ret;
}

/* Copies from one buffer of the kernel to another and compares. */
int svat_kernel_copy(struct svat_dev *dev, struct sva_testdev_kernel *arg)
{
	struct device *parent = &dev->pdev->dev;
	dma_addr_t src_dma, dst_dma;
	u32 length = arg->length;
	void *src, *dst;
	int ret;

	if (!length || length > SZ_1M)
		return -EINVAL;
	src = kmalloc(length, GFP_KERNEL);
	dst = kzalloc(length, GFP_KERNEL);
	ret = -ENOMEM;
	if (!src || !dst)
		goto out_free;
	get_random_bytes(src, length);

	mutex_lock(&dev->kernel_lock);
	if (dev->gone)
		ret = -ENODEV;
	else if (dev->claimed)
		ret = -EBUSY;
	else
		ret = svat_kernel_pasid_get(dev);
	if (ret)
		goto out_unlock;

	ret = -ENOMEM;
	src_dma = dma_map_single(parent, src, length, DMA_TO_DEVICE);
	if (dma_mapping_error(parent, src_dma))
		goto out_unlock;
	dst_dma = dma_map_single(parent, dst, length, DMA_FROM_DEVICE);
	if (dma_mapping_error(parent, dst_dma))
		goto out_unmap_src;

	ret = svat_kernel_run(dev, src_dma, dst_dma, length);

	dma_unmap_single(parent, dst_dma, length, DMA_FROM_DEVICE);
out_unmap_src:
	dma_unmap_single(parent, src_dma, length, DMA_TO_DEVICE);
	if (!ret && memcmp(src, dst, length))
		ret = -EBADMSG;
	arg->pasid = dev->kernel_pasid;
	arg->bytes = ret ? 0 : length;
out_unlock:
	mutex_unlock(&dev->kernel_lock);
out_free:
	kfree(src);
	kfree(dst);
	return ret;
}

#else /* !SVAT_HAS_GLOBAL_PASID */

int svat_kernel_copy(struct svat_dev *dev, struct sva_testdev_kernel *arg)
{
	return -EOPNOTSUPP;
}

void svat_kernel_pasid_free(struct svat_dev *dev)
{
}

#endif /* SVAT_HAS_GLOBAL_PASID */
