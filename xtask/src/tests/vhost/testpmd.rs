// SPDX-License-Identifier: GPL-2.0-or-later
//! DPDK's testpmd as a vhost-user backend: it sends every frame back.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::place;

/// Until it listens.
const STARTS: Duration = Duration::from_secs(30);

/// A testpmd. Dropping it ends it.
pub struct Testpmd {
    child: Child,
    log: PathBuf,
}

impl Testpmd {
    /// Starts one that listens at `socket`, with its output in `dir`.
    pub fn start(socket: &Path, dir: &Path) -> Result<Self> {
        let log = dir.join("testpmd.log");
        let out = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        // A core is polled all the time: everything else comes first. It ends when nothing is left to read.
        let child = Command::new("nice")
            .args([
                "-n",
                "10",
                "dpdk-testpmd",
                "--no-huge",
                "-m",
                "256",
                "--no-pci",
                "--no-shconf",
                "-l",
                "0,1",
            ])
            .arg(format!("--file-prefix=qemu-iommu-{}", std::process::id()))
            .arg("--vdev")
            .arg(format!("net_vhost0,iface={},queues=1,iommu-support=1", socket.display()))
            .args(["--", "-i", "--disable-link-check", "--nb-cores=1", "--forward-mode=io"])
            .args(["--port-topology=loop", "--total-num-mbufs=4096"])
            .stdin(Stdio::piped())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .context("starting dpdk-testpmd")?;
        let mut testpmd = Self { child, log };
        // A frame waits for the translation of the buffer that it goes into, instead of being dropped: at most 100 ms.
        let mut words = testpmd.child.stdin.take().context("testpmd has no standard input")?;
        words.write_all(b"set fwd io retry\nset burst tx delay 50 retry 2000\nstart\n")?;
        testpmd.child.stdin = Some(words);
        let deadline = Instant::now() + STARTS;
        while !std::fs::metadata(socket).is_ok_and(|file| file.file_type().is_socket()) {
            let ended = testpmd.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                bail!("testpmd does not listen ({ended:?}):\n{}", testpmd.tail());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(testpmd)
    }

    /// What it said last.
    pub fn tail(&self) -> String {
        place::tail(&self.log, 10).join("\n")
    }
}

impl Drop for Testpmd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
