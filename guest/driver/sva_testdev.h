/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * What user space sees of the driver for sva-testdev.
 *
 * Opening /dev/sva-testdevN binds the process to the function: its address
 * space gets a PASID, and the device works on its own pointers. Many processes
 * can have one function open, each process once.
 */
#ifndef SVA_TESTDEV_H
#define SVA_TESTDEV_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SVA_TESTDEV_MAGIC	0xb5

/* What resolves page faults */
#define SVA_TESTDEV_FAULTS_WAIT		0	/* the IOMMU holds accesses back */
#define SVA_TESTDEV_FAULTS_PRI		1	/* page requests */
#define SVA_TESTDEV_FAULTS_DRIVER	2	/* this driver */

struct sva_testdev_info {
	__u32 pasid;		/* of this process */
	__u32 caps;		/* the CAPS register */
	__u32 fault_mode;	/* SVA_TESTDEV_FAULTS_* */
	__u32 contexts;		/* processes that have the function open */
};

/* An operation; fields as in a descriptor, whose PASID is the process's own */
struct sva_testdev_submit {
	__u32 opcode;
	__u32 flags;		/* SVA_TESTDEV_OP_* */
	__u32 entries;		/* of scatter lists */
	__u32 ticket;		/* out: names it for SVA_TESTDEV_WAIT */
	__u64 src;
	__u64 dst;
	__u64 length;
	__u64 operand0;
	__u64 operand1;
};

#define SVA_TESTDEV_OP_PRIVILEGED	0x200u
#define SVA_TESTDEV_OP_EXECUTE		0x400u
#define SVA_TESTDEV_OP_SRC_LIST		0x1000u
#define SVA_TESTDEV_OP_DST_LIST		0x2000u

/* What became of it; status and cause as in a completion record */
struct sva_testdev_wait {
	__u32 ticket;
	__u32 timeout_ms;
	__u32 status;
	__u32 cause;
	__u64 result;
	__u64 fault_addr;
	__u64 bytes;
};

/* A page fault that came to the driver; read() returns whole ones */
struct sva_testdev_fault {
	__u64 addr;
	__u32 ticket;
	__u32 cause;
	__u32 flags;		/* SVA_TESTDEV_FAULT_* */
	__u32 lost;		/* faults before this one that had no room */
};

#define SVA_TESTDEV_FAULT_WRITE		1u
#define SVA_TESTDEV_FAULT_RESOLVED	2u	/* the operation goes on */

#define SVA_TESTDEV_EVENT_FAULT		0	/* a fault can be read */
#define SVA_TESTDEV_EVENT_INTERRUPT	1	/* to the one with a claim */

struct sva_testdev_eventfd {
	__s32 fd;		/* -1: none any more */
	__u32 event;		/* SVA_TESTDEV_EVENT_* */
};

/* DMA of the kernel, with a PASID of its own */
struct sva_testdev_kernel {
	__u32 length;
	__u32 pasid;		/* out */
	__u64 bytes;		/* out: copied, and the copy was as it should be */
};

#define SVA_TESTDEV_INFO	_IOR(SVA_TESTDEV_MAGIC, 0, struct sva_testdev_info)
#define SVA_TESTDEV_SUBMIT	_IOWR(SVA_TESTDEV_MAGIC, 1, struct sva_testdev_submit)
#define SVA_TESTDEV_WAIT	_IOWR(SVA_TESTDEV_MAGIC, 2, struct sva_testdev_wait)
/* Let the process's PASID work again that an aborted access has halted */
#define SVA_TESTDEV_REARM	_IO(SVA_TESTDEV_MAGIC, 3)
#define SVA_TESTDEV_EVENTFD	_IOW(SVA_TESTDEV_MAGIC, 4, struct sva_testdev_eventfd)
/*
 * Have the function to oneself: BAR0 can then be mapped, and the engines are
 * driven from user space. Needs CAP_SYS_RAWIO, and that nobody else has the
 * function open.
 */
#define SVA_TESTDEV_CLAIM	_IO(SVA_TESTDEV_MAGIC, 5)
#define SVA_TESTDEV_KERNEL	_IOWR(SVA_TESTDEV_MAGIC, 6, struct sva_testdev_kernel)

#endif /* SVA_TESTDEV_H */
