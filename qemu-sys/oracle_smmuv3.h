/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Field positions of the Arm SMMUv3 as QEMU's own model has them: a second opinion for tests. */
#include "qemu/osdep.h"
#include "hw/arm/smmuv3.h"
#include "hw/arm/smmuv3-common.h"
#include "../hw/arm/smmuv3-internal.h"
