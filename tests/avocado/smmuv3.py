# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots of an unmodified Linux guest behind an Arm SMMUv3."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from guest import GuestTest  # noqa: E402


class Smmuv3(GuestTest):
    """
    :avocado: tags=arch:aarch64,machine:virt,device:smmuv3
    """

    def test_c_model_boots(self):
        """QEMU's own model, without plugin and endpoint: the kernel comes up behind it and stays well."""
        lines = self.boot("smmuv3", "--impl", "c", "--endpoints", "0", "--run", "kernel-clean", seconds=60)
        self.assertTrue(any("arm-smmu-v3" in line for line in lines), "the kernel did not probe the SMMU")
        self.assert_kernel_is_well(lines)

    def test_c_model_cannot_share(self):
        """QEMU's own model has no substreams here: a process cannot be bound, and the guest says so."""
        lines = self.boot("smmuv3", "--impl", "c", "--run", "bind-and-pasid", seconds=60)
        status, _ = self.verdicts(lines).get("bind-and-pasid", ("none", ""))
        self.assertEqual(status, "FAIL")

    def test_shares_memory(self):
        """arm-smmuv3-rs: every check of the workload passes."""
        lines = self.boot("smmuv3")
        verdicts = self.verdicts(lines)
        failed = [f"{name}: {detail}" for name, (status, detail) in verdicts.items() if status == "FAIL"]
        self.assertEqual(failed, [])
        self.assertGreater(sum(status == "PASS" for status, _ in verdicts.values()), 20)
        self.assert_kernel_is_well(lines)

    def test_adversarial(self):
        """arm-smmuv3-rs that caches all it may: Linux invalidates enough."""
        lines = self.boot("smmuv3", "--adversarial", "--run", "bind-and-pasid,first-touch,fork-cow,munmap,munmap-remap")
        verdicts = self.verdicts(lines)
        self.assertEqual({status for status, _ in verdicts.values()}, {"PASS"}, verdicts)
        self.assert_kernel_is_well(lines)
