/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SVAT_INTERNAL_H
#define SVAT_INTERNAL_H

#include <linux/atomic.h>
#include <linux/eventfd.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/kfifo.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "sva_testdev.h"

/* Registers, see docs/sva-testdev.md */
#define SVAT_BAR_SIZE		SZ_64K
#define SVAT_ID			0x000
#define SVAT_ID_MAGIC		0x53564154
#define SVAT_CAPS		0x008
#define SVAT_CAPS_ENGINES	GENMASK(7, 0)
#define SVAT_CAPS_PASID_BITS	GENMASK(12, 8)
#define SVAT_CTRL		0x00c
#define SVAT_CTRL_ENABLE	BIT(0)
#define SVAT_INT_STATUS		0x010
#define SVAT_INT_MASK		0x014
#define SVAT_CANCEL		0x018
#define SVAT_REARM		0x01c
#define SVAT_PASID_VALID	BIT(31)
#define SVAT_EVERYTHING		BIT(30)

#define SVAT_ENGINE(n)		(0x1000 + 0x100 * (n))
#define SVAT_E_CTRL		0x00
#define SVAT_E_CTRL_RUN		BIT(0)
#define SVAT_E_STATUS		0x04
#define SVAT_E_STATUS_HALTED	BIT(2)
#define SVAT_E_RING_BASE	0x08
#define SVAT_E_RING_SIZE	0x10
#define SVAT_E_RING_PASID	0x14
#define SVAT_E_TAIL		0x1c
#define SVAT_E_FAULT_MODE	0x20
#define SVAT_E_RESET		0x34

#define SVAT_MAX_ENGINES	16

struct svat_descriptor {
	__le32 control;
	__le32 target;
	__le64 src;
	__le64 dst;
	__le64 length;
	__le64 operand0;
	__le64 operand1;
	__le64 completion;
	__le64 cookie;
};

#define SVAT_D_PASID		BIT(8)
#define SVAT_D_INTERRUPT	BIT(11)

enum svat_opcode {
	SVAT_NOP,
	SVAT_COPY,
	SVAT_FILL,
	SVAT_COMPARE,
	SVAT_CRC32C,
	SVAT_CAS,
};

struct svat_record {
	__le64 result;
	__le64 fault_addr;
	__le64 bytes;
	__le64 cookie;
	__le32 cause;
	__le32 status;
	__le64 unused[3];	/* one a cache line */
};

enum svat_status {
	SVAT_PENDING,
	SVAT_OK,
	SVAT_MISMATCH,
	SVAT_FAULT,
	SVAT_CANCELLED,
	SVAT_BAD_DESCRIPTOR,
};

#define SVAT_CAUSE_REFUSED	1
#define SVAT_CAUSE_MEMORY	5

#define SVAT_RING_SHIFT		6
#define SVAT_RING_SIZE		64u
/*
 * Places in the rings for one process: enough to keep the device busy, and few
 * enough for a process that ends not to wait long for those of others
 */
#define SVAT_RING_SHARE		2

struct svat_request;

struct svat_engine {
	struct svat_dev *dev;
	unsigned int index;
	void __iomem *regs;
	struct svat_descriptor *ring;
	struct svat_record *records;
	dma_addr_t ring_dma;
	dma_addr_t records_dma;
	/* Protects what follows and the ring */
	spinlock_t lock;
	u32 tail;
	u32 done;
	struct svat_request *requests[SVAT_RING_SIZE];
};

struct svat_dev {
	struct pci_dev *pdev;
	void __iomem *regs;
	u32 caps;
	u32 fault_mode;
	unsigned int id;
	struct miscdevice misc;
	struct kref kref;

	unsigned int num_engines;
	struct svat_engine engines[SVAT_MAX_ENGINES];
	/* Waits for a free place in a ring, and for the end of operations */
	wait_queue_head_t space;
	struct workqueue_struct *wq;

	/*
	 * Held for reading by those who may use the device, from seeing that
	 * it is there and theirs until they have done so
	 */
	struct rw_semaphore gate;
	bool gone;

	/* Protects the list of contexts and the claim; not under mmap_lock */
	struct mutex lock;
	struct list_head contexts;
	struct svat_context *claimed;
	/* Protects the claim and its event from the interrupt */
	spinlock_t event_lock;
	struct eventfd_ctx *interrupt_event;

	bool has_iopf;
	bool has_sva;
	/* Protects the kernel's PASID, and keeps a claim off its operations */
	struct mutex kernel_lock;
	u32 kernel_pasid;
};

/* One process that has the function open */
struct svat_context {
	struct svat_dev *dev;
	struct list_head node;
	struct mm_struct *mm;
	struct iommu_sva *handle;
	u32 pasid;
	struct address_space *mapping;

	/* Operations that are neither completed nor given up; those in rings */
	atomic_t in_flight;
	atomic_t in_rings;
	bool stopped;
	wait_queue_head_t wait;
	struct xarray requests;
	u32 next_ticket;

	/* Protects the faults that are to be read and their event */
	spinlock_t fault_lock;
	DECLARE_KFIFO(faults, struct sva_testdev_fault, 64);
	u32 faults_lost;
	struct eventfd_ctx *fault_event;
};

/* One operation, of a context or (without one) of the kernel */
struct svat_request {
	struct kref kref;
	struct svat_context *ctx;
	struct svat_dev *dev;
	struct sva_testdev_submit op;
	u32 pasid;
	struct work_struct fault_work;
	struct completion done;

	/* Of the last attempt, and then of the whole */
	u32 status;
	u32 cause;
	u64 result;
	u64 fault_addr;
	u64 bytes;

	/* Done by attempts before; page faults one after the other without any */
	u64 done_before;
	u64 last_fault;
	unsigned int futile;
};

/* engine.c */
int svat_engines_init(struct svat_dev *dev);
void svat_engines_start(struct svat_dev *dev);
void svat_engines_stop(struct svat_dev *dev);
int svat_queue(struct svat_request *req, bool interruptible);
void svat_harvest(struct svat_dev *dev);
void svat_cancel(struct svat_dev *dev, u32 what);
irqreturn_t svat_interrupt(int irq, void *data);

/* context.c */
extern const struct file_operations svat_fops;
void svat_request_release(struct kref *kref);
void svat_request_finish(struct svat_request *req);
void svat_context_stop(struct svat_context *ctx);
void svat_dev_release(struct kref *kref);

/* fault.c */
bool svat_fault_is_ours(struct svat_request *req);
void svat_fault_work(struct work_struct *work);
void svat_fault_report(struct svat_request *req, bool write, bool resolved);

/* kernel_pasid.c */
int svat_kernel_copy(struct svat_dev *dev, struct sva_testdev_kernel *arg);
void svat_kernel_pasid_free(struct svat_dev *dev);

#ifndef kzalloc_obj
#define kzalloc_obj(x)		kzalloc(sizeof(x), GFP_KERNEL)
#endif

/* Waits until whoever went through the gate before is done. */
static inline void svat_close_gate(struct svat_dev *dev)
{
	down_write(&dev->gate);
	up_write(&dev->gate);
}

static inline void svat_signal(struct eventfd_ctx *event)
{
#ifdef SVAT_EVENTFD_HAS_COUNT
	eventfd_signal(event, 1);
#else
	eventfd_signal(event);
#endif
}

#endif /* SVAT_INTERNAL_H */
