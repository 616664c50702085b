# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots of an unmodified Linux guest behind an Arm SMMUv3."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from guest import WITHOUT_FAULTS, GuestTest  # noqa: E402


class Smmuv3(GuestTest):
    """
    :avocado: tags=arch:aarch64,machine:virt,device:smmuv3
    """

    model = "smmuv3"

    def test_smmuv3_c_model_boots(self):
        """QEMU's own model, without plugin and endpoint: the kernel comes up behind it and stays well."""
        self.assert_c_model_boots("arm-smmu-v3")

    def test_smmuv3_c_model_cannot_share(self):
        """QEMU's own model has no substreams here: a process cannot be bound, and the guest says so."""
        self.assert_refused("--impl", "c")

    def test_smmuv3_workload_stall(self):
        """arm-smmuv3-rs, faults are stalled where the device tree says so: every check of the workload passes."""
        self.assert_workload()

    def test_smmuv3_workload_stall_forced(self):
        """arm-smmuv3-rs that stalls every fault."""
        self.assert_workload("--stall", "force")

    def test_smmuv3_without_faults(self):
        """arm-smmuv3-rs that stalls none: touched memory works, untouched memory ends in an error."""
        self.assert_checks(WITHOUT_FAULTS, "--stall", "off")

    def test_smmuv3_adversarial(self):
        """arm-smmuv3-rs that caches all it may: Linux invalidates enough."""
        self.assert_adversarial()

    def test_smmuv3_ordinary_masters(self):
        """Disks and network cards beside it, in lazy mode: every byte is where it belongs."""
        self.assert_ordinary("lazy domain, stage 1", "-a", "iommu.strict=0")
