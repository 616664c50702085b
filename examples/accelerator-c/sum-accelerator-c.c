/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sum-accelerator-c: the accelerator beside this one, in C: a PCIe function
 * that adds up 64-bit words of a process's memory.
 *
 * A device plugin for QEMU with this project's patches, built from QEMU's
 * headers and loaded with -device-plugin: see the Makefile. Registers are those
 * of ../accelerator/src/lib.rs, and so is how it works: registers are handled
 * where they are accessed, requests are made in bottom halves, and a request
 * that waits for software to resolve a page fault is made again when
 * PCIDMAClientOps.resolved says so.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/device-plugin.h"
#include "qemu/main-loop.h"
#include "qapi/error.h"
#include "hw/core/qdev-properties.h"
#include "hw/core/resettable.h"
#include "hw/pci/pci_bus.h"
#include "hw/pci/pci_device.h"
#include "hw/pci/pcie.h"

#define TYPE_SUM_ACCELERATOR "sum-accelerator-c"
OBJECT_DECLARE_SIMPLE_TYPE(SumState, SUM_ACCELERATOR)

enum { IDLE, BUSY, DONE, REFUSED, FAILED };
enum { ADDR = 0, LENGTH = 2, PASID, GO, STATUS, SUM, NOTIFY_ADDR = 8, NOTIFY = 10, CALLED, REGISTERS };

#define SUM_PASID_CAP 0x100
#define SUM_PAGE      4096
#define HAS_PASID     (1U << 31)
#define FROM_INSIDE   (1U << 31)
/* Names the one request that may wait */
#define TAG           1

struct SumState {
    PCIDevice parent_obj;

    MemoryRegion bar;
    QEMUBH *work, *notify;
    uint8_t pasid_bits;
    bool dma_can_stall;
    uint32_t regs[REGISTERS];
    uint64_t sum;
    uint32_t done;
    bool in_request;
};

static uint64_t sum_pair(SumState *s, unsigned reg)
{
    return s->regs[reg] | (uint64_t)s->regs[reg + 1] << 32;
}

/* The access itself may unplug this device: the caller holds a reference. */
static int sum_request(SumState *s, bool write, uint64_t addr, uint64_t tag, void *buf, size_t len)
{
    PCIDMAReq req = {
        .pasid = s->regs[PASID] & HAS_PASID ? s->regs[PASID] & ~HAS_PASID : PCI_NO_PASID,
        .read = !write,
        .write = write,
        .addr = addr,
        .tag = tag,
    };
    size_t done;
    int ret;

    s->in_request = true;
    ret = pci_dma_rw_pasid(PCI_DEVICE(s), &req, buf, len, &done);
    s->in_request = false;
    return ret;
}

/* A page, and the next one in the next turn */
static void sum_work(void *opaque)
{
    SumState *s = opaque;
    uint64_t addr = sum_pair(s, ADDR) + s->done;
    size_t n = MIN(s->regs[LENGTH] - s->done, SUM_PAGE - addr % SUM_PAGE);
    uint64_t page[SUM_PAGE / 8];
    int ret;

    if (s->regs[STATUS] != BUSY) {
        return;
    }
    object_ref(OBJECT(s));
    ret = sum_request(s, false, addr, TAG, page, n);
    if (ret == -EFAULT) {
        s->regs[STATUS] = REFUSED;
    } else if (ret && ret != -EINPROGRESS) {
        s->regs[STATUS] = FAILED;
    } else if (!ret) {
        for (size_t i = 0; i < n / 8; i++) {
            s->sum += le64_to_cpu(page[i]);
        }
        s->done += n;
        s->regs[SUM] = s->sum;
        s->regs[SUM + 1] = s->sum >> 32;
        if (s->done == s->regs[LENGTH]) {
            s->regs[STATUS] = DONE;
        } else {
            qemu_bh_schedule(s->work);
        }
    }
    object_unref(OBJECT(s));
}

/* Tells another device, by a write to its registers perhaps */
static void sum_notify(void *opaque)
{
    SumState *s = opaque;
    uint32_t value = cpu_to_le32(s->regs[NOTIFY]);

    object_ref(OBJECT(s));
    sum_request(s, true, sum_pair(s, NOTIFY_ADDR), 0, &value, sizeof(value));
    object_unref(OBJECT(s));
}

static void sum_resolved(void *opaque, uint64_t tag, bool retry)
{
    SumState *s = opaque;

    s->regs[CALLED]++;
    if (s->in_request) {
        s->regs[CALLED] |= FROM_INSIDE;
    }
    if (retry) {
        qemu_bh_schedule(s->work);
    } else {
        s->regs[STATUS] = REFUSED;
    }
}

static const PCIDMAClientOps sum_client = { .resolved = sum_resolved };

static uint64_t sum_read(void *opaque, hwaddr offset, unsigned size)
{
    SumState *s = opaque;

    return offset / 4 < REGISTERS && offset / 4 != GO ? s->regs[offset / 4] : 0;
}

static void sum_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    SumState *s = opaque;
    unsigned reg = offset / 4;

    if (reg >= NOTIFY_ADDR && reg <= NOTIFY) {
        s->regs[reg] = value;
        if (reg == NOTIFY) {
            qemu_bh_schedule(s->notify);
        }
    } else if (s->regs[STATUS] == BUSY) {
        return;
    } else if (reg == GO) {
        s->sum = s->done = s->regs[SUM] = s->regs[SUM + 1] = 0;
        s->regs[STATUS] = BUSY;
        qemu_bh_schedule(s->work);
    } else if (reg == ADDR || reg == LENGTH) {
        s->regs[reg] = value & ~7;
    } else if (reg == ADDR + 1) {
        s->regs[reg] = value;
    } else if (reg == PASID) {
        s->regs[reg] = value & (HAS_PASID | 0xfffff);
    }
}

static const MemoryRegionOps sum_ops = {
    .read = sum_read,
    .write = sum_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

static void sum_realize(PCIDevice *dev, Error **errp)
{
    SumState *s = SUM_ACCELERATOR(dev);

    if (s->pasid_bits < 1 || s->pasid_bits > 20) {
        error_setg(errp, "pasid-bits=%u is out of range: use 1 to 20", s->pasid_bits);
        return;
    }
    if (pcie_endpoint_cap_init(dev, 0) < 0) {
        error_setg(errp, "no room for the PCI Express capability");
        return;
    }
    pcie_pasid_init(dev, SUM_PASID_CAP, s->pasid_bits, false, false);
    memory_region_init_io(&s->bar, OBJECT(s), &sum_ops, s, TYPE_SUM_ACCELERATOR, SUM_PAGE);
    pci_register_bar(dev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->bar);
    /* Without the guard, which QEMU would look into after a turn that unplugged the device */
    s->work = qemu_bh_new(sum_work, s);
    s->notify = qemu_bh_new(sum_notify, s);
    pci_dma_set_client(dev, &sum_client, s);
}

static void sum_exit(PCIDevice *dev)
{
    SumState *s = SUM_ACCELERATOR(dev);

    pci_dma_set_client(dev, NULL, NULL);
    qemu_bh_delete(s->work);
    qemu_bh_delete(s->notify);
    pcie_cap_exit(dev);
}

static void sum_reset_hold(Object *obj, ResetType type)
{
    SumState *s = SUM_ACCELERATOR(obj);

    /* The PCI core cancels the request that waits */
    qemu_bh_cancel(s->work);
    qemu_bh_cancel(s->notify);
    memset(s->regs, 0, sizeof(s->regs));
}

static const Property sum_properties[] = {
    DEFINE_PROP_UINT8("pasid-bits", SumState, pasid_bits, 16),
    /* For the device tree: the driver may let requests of this function stall */
    DEFINE_PROP_BOOL("dma-can-stall", SumState, dma_can_stall, true),
};

static void sum_class_init(ObjectClass *class, const void *data)
{
    DeviceClass *dc = DEVICE_CLASS(class);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(class);

    dc->desc = "adds up words of a process's memory";
    device_class_set_props(dc, sum_properties);
    RESETTABLE_CLASS(class)->phases.hold = sum_reset_hold;
    pc->vendor_id = PCI_VENDOR_ID_QEMU;
    pc->device_id = 0x5acc;
    pc->revision = 1;
    pc->class_id = 0x1200; /* a processing accelerator */
    pc->realize = sum_realize;
    pc->exit = sum_exit;
}

static const TypeInfo sum_type = {
    .name = TYPE_SUM_ACCELERATOR,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(SumState),
    .class_init = sum_class_init,
    .interfaces = (const InterfaceInfo[]) { { INTERFACE_PCIE_DEVICE }, { } },
};

/* Structures that this device embeds, fills in or has QEMU's inline functions look into, by QEMU's names for the facts */
#define SIZE_OF(type)           { "sizeof " #type, sizeof(type) }
#define OFFSET_OF(type, member) { "offsetof " #type "." #member, offsetof(type, member) }

static const QemuDevicePluginLayout sum_layout[] = {
    SIZE_OF(TypeInfo),
    SIZE_OF(InterfaceInfo),
    SIZE_OF(DeviceClass),
    SIZE_OF(Property),
    OFFSET_OF(Property, offset),
    OFFSET_OF(Property, defval),
    SIZE_OF(ResettableClass),
    OFFSET_OF(ResettableClass, phases),
    SIZE_OF(PCIDevice),
    OFFSET_OF(PCIDevice, bus_master_as),
    OFFSET_OF(PCIDevice, dma_client_ops),
    SIZE_OF(PCIDeviceClass),
    OFFSET_OF(PCIDeviceClass, realize),
    OFFSET_OF(PCIDeviceClass, class_id),
    SIZE_OF(PCIDMAReq),
    OFFSET_OF(PCIDMAReq, addr),
    OFFSET_OF(PCIDMAReq, tag),
    SIZE_OF(PCIDMAClientOps),
    SIZE_OF(MemoryRegion),
    SIZE_OF(MemoryRegionOps),
    OFFSET_OF(MemoryRegionOps, endianness),
    OFFSET_OF(MemoryRegionOps, valid),
    OFFSET_OF(MemoryRegionOps, impl),
};

/* Version and stamp are the same for QEMUs of two configurations: the structures need not be. */
static bool sum_check_layout(const QemuDevicePluginInfo *info, Error **errp)
{
    for (size_t i = 0; i < ARRAY_SIZE(sum_layout); i++) {
        const QemuDevicePluginLayout *built = &sum_layout[i], *here = NULL;

        for (size_t j = 0; j < info->nr_layout && !here; j++) {
            if (!strcmp(info->layout[j].name, built->name)) {
                here = &info->layout[j];
            }
        }
        if (!here) {
            error_setg(errp, "%s is %zu in the QEMU that the plugin was built for, and not known to this one",
                       built->name, built->size);
            return false;
        }
        if (here->size != built->size) {
            error_setg(errp, "%s is %zu in this QEMU, and %zu in the one that the plugin was built for",
                       built->name, here->size, built->size);
            return false;
        }
    }
    return true;
}

bool qemu_device_plugin_init(const QemuDevicePluginInfo *info, Error **errp)
{
    /* First and alone: with another number nothing is known of the other members */
    if (info->abi != QEMU_DEVICE_PLUGIN_ABI) {
        error_setg(errp, "this QEMU's interface for device plugins is version %" PRIu32
                   ", the plugin was built for version %d", info->abi, QEMU_DEVICE_PLUGIN_ABI);
        return false;
    }
    if (strcmp(info->version, QEMU_VERSION) || strcmp(info->stamp, stringify(CONFIG_STAMP))) {
        error_setg(errp, "this is QEMU %s with stamp %s, the plugin was built for QEMU " QEMU_VERSION
                   " with stamp " stringify(CONFIG_STAMP), info->version, info->stamp);
        return false;
    }
    if (!sum_check_layout(info, errp)) {
        return false;
    }
    type_register_static(&sum_type);
    return true;
}
