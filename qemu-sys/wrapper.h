/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The headers of QEMU that the bindings are made from. Only headers that hold for every target. */
#include "qemu/osdep.h"

#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qapi/qapi-builtin-visit.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/log.h"
#include "qemu/rcu.h"
#include "qemu/timer.h"
#include "qom/object.h"
#include "trace/control.h"

#include "exec/hwaddr.h"
#include "exec/memattrs.h"
#include "system/address-spaces.h"
#include "system/iommufd.h"
#include "system/memory.h"
#include "system/runstate.h"
#include "migration/blocker.h"
#include "migration/qemu-file-types.h"
#include "migration/vmstate.h"

#include "hw/core/irq.h"
#include "hw/core/qdev.h"
#include "hw/core/qdev-properties.h"
#include "hw/core/qdev-properties-system.h"
#include "hw/core/resettable.h"
#include "hw/core/sysbus.h"

#include "hw/pci/msix.h"
#include "hw/pci/pci.h"
#include "hw/pci/pci_bus.h"
#include "hw/pci/pci_device.h"
#include "hw/pci/pcie.h"
#include "hw/pci/pcie_regs.h"

/* What this project's patches add; absent in a plain tree. */
#if __has_include("qemu/device-plugin.h")
#include "qemu/device-plugin.h"
#endif
#if __has_include("hw/arm/smmuv3-interface.h")
#include "hw/arm/smmuv3-interface.h"
#endif
#if __has_include("hw/i386/intel-iommu-interface.h")
#include "hw/i386/intel-iommu-interface.h"
#include "hw/i386/x86-iommu.h"
#endif
