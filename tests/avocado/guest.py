# SPDX-License-Identifier: GPL-2.0-or-later
"""What the boots share: a QEMU whose command line comes from `cargo xtask command-line`, its console, the guest's verdicts."""

import json
import os
import re
import selectors
import shlex
import signal
import subprocess
import time
from pathlib import Path

from avocado import Test

ROOT = Path(__file__).resolve().parents[2]
# What counts as an alarm of the kernel: the one list, which the guest's programs and xtask read as well.
ALARMS = [
    line.removeprefix("sign: ")
    for line in (ROOT / "guest/common/alarms.txt").read_text().splitlines()
    if line.startswith("sign: ")
]
VERDICT = re.compile(r"^(PASS|FAIL|SKIP)\s+(\S+)\s*(.*)$")
# Checks that say something about invalidations.
INVALIDATIONS = (
    "bind-and-pasid,first-touch,fork-cow,munmap,munmap-remap,mprotect-down-up,mremap,many-devices-invalidate"
)
# Checks for a machine in which nobody resolves page faults.
WITHOUT_FAULTS = "bind-and-pasid,copy-malloc,fault-reported,untouched-refused,munmap,unmapped-address,many-devices"
# Checks of masters that know nothing of PASIDs.
ORDINARY = ("virtio-disk", "nvme-disk", "network", "entropy")


def program():
    """The command that builds QEMU command lines, as a list of words."""
    given = os.environ.get("QEMU_IOMMU_PROGRAM")
    return [given] if given else ["cargo", "xtask"]


class GuestTest(Test):
    """Boots a guest and reads its console to the end."""

    timeout = 400
    # As `cargo xtask demo` names it.
    model = ""

    def command_line(self, *arguments):
        """QEMU's command line for these arguments; the set-up makes what is missing."""
        command = [*program(), "command-line", self.model, "--json", *arguments]
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            self.error(f"{shlex.join(command)} ended with {done.returncode}:\n{done.stderr}")
        return json.loads(done.stdout)

    def boot(self, *arguments, seconds=240):
        """Runs the guest until it powers off; returns the console's lines."""
        command = self.command_line(*arguments)
        (Path(self.logdir) / "command-line").write_text(shlex.join(command) + "\n")
        console = Path(self.logdir) / "console.log"
        stderr = Path(self.logdir) / "qemu.log"
        deadline = time.monotonic() + seconds
        with console.open("wb") as log, stderr.open("wb") as errors:
            qemu = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )
            try:
                self._follow(qemu, log, deadline)
            finally:
                qemu.kill()
                qemu.wait()
        lines = console.read_text(errors="replace").replace("\r", "").splitlines()
        if qemu.returncode < 0 and not self._late:
            self.fail(f"QEMU crashed: {signal.Signals(-qemu.returncode).name}\n{stderr.read_text()[-2000:]}")
        if self._late:
            last = next((line for line in reversed(lines) if line.strip()), "nothing at all")
            self.fail(f"the guest did not power off in {seconds} s; its last line: {last}")
        if qemu.returncode > 0:
            self.fail(f"QEMU ended with {qemu.returncode}:\n{stderr.read_text()[-2000:]}")
        return lines

    def _follow(self, qemu, log, deadline):
        self._late = False
        with selectors.DefaultSelector() as ready:
            ready.register(qemu.stdout, selectors.EVENT_READ)
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    self._late = True
                    return
                if not ready.select(left):
                    continue
                chunk = os.read(qemu.stdout.fileno(), 65536)
                if not chunk:
                    qemu.wait(timeout=30)
                    return
                log.write(chunk)
                log.flush()

    def verdicts(self, lines):
        """The guest's checks: name to (status, detail)."""
        found = {}
        for line in lines:
            match = VERDICT.match(line.strip())
            if match:
                found[match.group(2)] = (match.group(1), match.group(3))
        return found

    def assert_kernel_is_well(self, lines):
        """No warning, oops or taint, and not a single module."""
        trouble = [line for line in lines if any(sign in line for sign in ALARMS)]
        self.assertEqual(trouble, [])
        farewell = [line for line in lines if "init: modules loaded" in line]
        self.assertTrue(farewell, "init said nothing at the end")
        self.assertIn("modules loaded: none;", farewell[-1])
        # A kernel without CONFIG_PROC_SYSCTL cannot say.
        self.assertRegex(farewell[-1], "taint (0|unknown);")

    def assert_c_model_boots(self, driver):
        """QEMU as it is, without plugin: the kernel's driver speaks, and nothing goes wrong."""
        lines = self.boot("--impl", "c", "--endpoints", "0", "--run", "kernel-clean", seconds=90)
        self.assertTrue(any(driver in line for line in lines), f"the kernel's log does not say {driver!r}")
        self.assert_kernel_is_well(lines)

    def assert_refused(self, *arguments):
        """No process can be bound; returns the guest's reason."""
        lines = self.boot(*arguments, "--run", "bind-and-pasid", seconds=90)
        status, detail = self.verdicts(lines).get("bind-and-pasid", ("none", ""))
        self.assertEqual(status, "FAIL", f"bind-and-pasid: {status} {detail}")
        self.assert_kernel_is_well(lines)
        return detail

    def assert_workload(self, *arguments):
        """The whole workload passes."""
        lines = self.boot(*arguments)
        verdicts = self.verdicts(lines)
        failed = [f"{name}: {detail}" for name, (status, detail) in verdicts.items() if status == "FAIL"]
        self.assertEqual(failed, [])
        self.assertGreater(sum(status == "PASS" for status, _ in verdicts.values()), 30, verdicts)
        self.assert_kernel_is_well(lines)

    def assert_checks(self, names, *arguments):
        """Each of these checks passes."""
        lines = self.boot(*arguments, "--run", names)
        verdicts = self.verdicts(lines)
        for name in names.split(","):
            status, detail = verdicts.get(name, ("none", ""))
            self.assertEqual(status, "PASS", f"{name}: {status} {detail}")
        self.assert_kernel_is_well(lines)

    def assert_adversarial(self):
        """What Linux invalidates is enough for an IOMMU that forgets nothing else."""
        self.assert_checks(INVALIDATIONS, "--adversarial")

    def assert_ordinary(self, kind, *arguments):
        """Disks, network cards and an entropy source pass, in domains and tables of this kind."""
        lines = self.boot("--ordinary", "--run", "ordinary-io", *arguments)
        verdicts = self.verdicts(lines)
        for name in ORDINARY:
            status, detail = verdicts.get(name, ("none", ""))
            self.assertEqual(status, "PASS", f"{name}: {status} {detail}")
            self.assertIn(kind, detail)
        self.assert_kernel_is_well(lines)
