// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Driver for sva-testdev, a DMA engine that works on the memory of processes.
 *
 * It shows what a driver owes the IOMMU: bind each process, stop and drain the
 * device before unbinding, leave PASID, ATS and PRI to the IOMMU driver, and
 * what it can do about page faults where the IOMMU does nothing.
 */
#include <linux/bitfield.h>
#include <linux/dma-mapping.h>
#include <linux/idr.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/pci-ats.h>
#include <linux/property.h>

#include "internal.h"

#define SVAT_VENDOR_ID	0x1234
#define SVAT_DEVICE_ID	0x53a0

static int fault_mode = -1;
module_param(fault_mode, int, 0444);
MODULE_PARM_DESC(fault_mode, "page faults: -1 as the machine has it (default), 0 the IOMMU holds accesses back, 1 page requests, 2 the driver");

static DEFINE_IDA(svat_ids);

void svat_dev_release(struct kref *kref)
{
	struct svat_dev *dev = container_of(kref, struct svat_dev, kref);

	ida_free(&svat_ids, dev->id);
	kfree(dev);
}

/* Whether the IOMMU driver has enabled page requests for this function. */
static bool svat_has_pri(struct pci_dev *pdev)
{
	u16 pri, ats, control;

	pri = pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_PRI);
	ats = pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_ATS);
	if (!pri || !ats)
		return false;
	pci_read_config_word(pdev, pri + PCI_PRI_CTRL, &control);
	if (!(control & PCI_PRI_CTRL_ENABLE))
		return false;
	pci_read_config_word(pdev, ats + PCI_ATS_CTRL, &control);
	return control & PCI_ATS_CTRL_ENABLE;
}

static u32 svat_choose_fault_mode(struct svat_dev *dev)
{
	if (fault_mode >= 0)
		return fault_mode;
	if (svat_has_pri(dev->pdev))
		return SVA_TESTDEV_FAULTS_PRI;
	if (device_property_read_bool(&dev->pdev->dev, "dma-can-stall"))
		return SVA_TESTDEV_FAULTS_WAIT;
	return SVA_TESTDEV_FAULTS_DRIVER;
}

/* Before Linux 6.16 drivers ask for these; the IOMMU driver may have no IOPF. */
static int svat_enable_features(struct svat_dev *dev)
{
#ifdef SVAT_HAS_DEV_FEATURES
	struct device *parent = &dev->pdev->dev;
	int ret;

	dev->has_iopf = !iommu_dev_enable_feature(parent, IOMMU_DEV_FEAT_IOPF);
	ret = iommu_dev_enable_feature(parent, IOMMU_DEV_FEAT_SVA);
	if (ret && dev->has_iopf) {
		iommu_dev_disable_feature(parent, IOMMU_DEV_FEAT_IOPF);
		dev->has_iopf = false;
	}
	dev->has_sva = !ret;
	return ret;
#else
	return 0;
#endif
}

static void svat_disable_features(struct svat_dev *dev)
{
#ifdef SVAT_HAS_DEV_FEATURES
	struct device *parent = &dev->pdev->dev;

	if (dev->has_sva)
		iommu_dev_disable_feature(parent, IOMMU_DEV_FEAT_SVA);
	if (dev->has_iopf)
		iommu_dev_disable_feature(parent, IOMMU_DEV_FEAT_IOPF);
#endif
}

static int svat_setup(struct svat_dev *dev)
{
	struct pci_dev *pdev = dev->pdev;
	struct device *parent = &pdev->dev;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = pcim_iomap_regions(pdev, BIT(0), KBUILD_MODNAME);
	if (ret)
		return ret;
	dev->regs = pcim_iomap_table(pdev)[0];
	if (readl(dev->regs + SVAT_ID) != SVAT_ID_MAGIC)
		return -ENXIO;
	dev->caps = readl(dev->regs + SVAT_CAPS);
	if (!FIELD_GET(SVAT_CAPS_PASID_BITS, dev->caps)) {
		dev_err(parent, "the function has no PASIDs\n");
		return -EOPNOTSUPP;
	}

	ret = dma_set_mask_and_coherent(parent, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	pci_set_master(pdev);
	ret = svat_enable_features(dev);
	if (ret) {
		dev_err(parent, "no shared virtual addressing here (%d)\n", ret);
		return ret;
	}
	return 0;
}

static int svat_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct device *parent = &pdev->dev;
	struct svat_dev *dev;
	int ret;

	dev = kzalloc_obj(*dev);
	if (!dev)
		return -ENOMEM;
	dev->pdev = pdev;
	kref_init(&dev->kref);
	init_waitqueue_head(&dev->space);
	init_rwsem(&dev->gate);
	mutex_init(&dev->lock);
	mutex_init(&dev->kernel_lock);
	spin_lock_init(&dev->event_lock);
	INIT_LIST_HEAD(&dev->contexts);
	ret = ida_alloc(&svat_ids, GFP_KERNEL);
	if (ret < 0) {
		kfree(dev);
		return ret;
	}
	dev->id = ret;

	ret = svat_setup(dev);
	if (ret)
		goto err_put;
	dev->fault_mode = svat_choose_fault_mode(dev);
	ret = svat_engines_init(dev);
	if (ret)
		goto err_features;

	ret = -ENOMEM;
	dev->wq = alloc_workqueue("sva-testdev%u", WQ_UNBOUND, 0, dev->id);
	if (!dev->wq)
		goto err_features;
	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSIX);
	if (ret < 0)
		goto err_wq;
	ret = request_threaded_irq(pci_irq_vector(pdev, 0), NULL,
				   svat_interrupt, IRQF_ONESHOT, KBUILD_MODNAME,
				   dev);
	if (ret)
		goto err_vectors;

	svat_engines_stop(dev);
	svat_engines_start(dev);

	dev->misc.minor = MISC_DYNAMIC_MINOR;
	dev->misc.name = devm_kasprintf(parent, GFP_KERNEL, "sva-testdev%u",
					dev->id);
	dev->misc.fops = &svat_fops;
	dev->misc.parent = parent;
	pci_set_drvdata(pdev, dev);
	ret = dev->misc.name ? misc_register(&dev->misc) : -ENOMEM;
	if (ret)
		goto err_stop;

	dev_info(parent, "%u engines, %u PASID bits, page faults: %s\n",
		 dev->num_engines,
		 (unsigned int)FIELD_GET(SVAT_CAPS_PASID_BITS, dev->caps),
		 dev->fault_mode == SVA_TESTDEV_FAULTS_WAIT ? "wait" :
		 dev->fault_mode == SVA_TESTDEV_FAULTS_PRI ? "page requests" :
		 "driver");
	return 0;

err_stop:
	svat_engines_stop(dev);
	free_irq(pci_irq_vector(pdev, 0), dev);
err_vectors:
	pci_free_irq_vectors(pdev);
err_wq:
	destroy_workqueue(dev->wq);
err_features:
	svat_disable_features(dev);
err_put:
	kref_put(&dev->kref, svat_dev_release);
	return ret;
}

static void svat_remove(struct pci_dev *pdev)
{
	struct svat_dev *dev = pci_get_drvdata(pdev);
	struct svat_context *ctx;

	misc_deregister(&dev->misc);

	/* Files that are open stay, with nothing behind them */
	mutex_lock(&dev->lock);
	list_for_each_entry(ctx, &dev->contexts, node) {
		svat_context_stop(ctx);
		wake_up_all(&ctx->wait);
	}
	dev->gone = true;
	svat_close_gate(dev);
	mutex_unlock(&dev->lock);

	svat_kernel_pasid_free(dev);
	svat_engines_stop(dev);
	free_irq(pci_irq_vector(pdev, 0), dev);
	pci_free_irq_vectors(pdev);
	destroy_workqueue(dev->wq);
	svat_disable_features(dev);
	pci_clear_master(pdev);
	kref_put(&dev->kref, svat_dev_release);
}

static const struct pci_device_id svat_ids_table[] = {
	{ PCI_DEVICE(SVAT_VENDOR_ID, SVAT_DEVICE_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, svat_ids_table);

static struct pci_driver svat_driver = {
	.name = "sva-testdev",
	.id_table = svat_ids_table,
	.probe = svat_probe,
	.remove = svat_remove,
};
module_pci_driver(svat_driver);

MODULE_DESCRIPTION("Driver for sva-testdev, a DMA engine that shares processes' memory");
MODULE_LICENSE("GPL");
