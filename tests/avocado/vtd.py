# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots of an unmodified Linux guest behind Intel VT-d."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from guest import WITHOUT_FAULTS, GuestTest  # noqa: E402


class Vtd(GuestTest):
    """
    :avocado: tags=arch:x86_64,machine:q35,device:vtd
    """

    model = "vtd"

    def test_vtd_c_model_boots(self):
        """QEMU's own model, without plugin and endpoint: the kernel comes up behind it and stays well."""
        self.assert_c_model_boots("DMAR: Intel(R) Virtualization Technology for Directed I/O")

    def test_vtd_c_model_cannot_share(self):
        """QEMU's own model lacks what Linux wants for SVA: a process cannot be bound, and the guest says so."""
        self.assert_refused("--impl", "c")

    def test_vtd_workload_page_requests(self):
        """intel-iommu-rs, faults by ATS and PRI: every check of the workload passes."""
        self.assert_workload()

    def test_vtd_without_faults(self):
        """Endpoints without PRI: touched memory works, untouched memory ends in an error."""
        self.assert_checks(WITHOUT_FAULTS, "--endpoint", "pri=off")

    def test_vtd_without_ats(self):
        """Endpoints without ATS: Linux binds no process to them, and the guest says why."""
        detail = self.assert_refused("--endpoint", "ats=off", "--endpoint", "pri=off")
        self.assertIn("no ATS capability", detail)

    def test_vtd_adversarial(self):
        """intel-iommu-rs that caches all it may: Linux invalidates enough."""
        self.assert_adversarial()

    def test_vtd_ordinary_masters(self):
        """Disks and network cards beside it, in legacy mode: every byte is where it belongs."""
        self.assert_ordinary("legacy mode", "--iommu", "scalable-mode=off")
