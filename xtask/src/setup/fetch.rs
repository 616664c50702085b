// SPDX-License-Identifier: GPL-2.0-or-later
//! Gets pinned files: from the cache, a local directory, the machine's own package archive, and the distribution's archive of
//! everything that it ever published. An ordinary archive drops a version when a newer one is there; that one keeps it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::packages::on_path;
use crate::advice::advice;
use crate::place;
use crate::ui::Step;

/// A file known by its sum.
pub struct Pinned {
    /// Its name.
    pub file: &'static str,
    /// SHA-256 in hexadecimal.
    pub sha256: &'static str,
    /// SHA-1, the name under which the archive of all versions keeps the file. It says where, not whether it is the right one.
    pub sha1: &'static str,
    /// Its directory below an archive mirror.
    pub pool: &'static str,
    /// Bytes it takes, for the progress bar.
    pub size: u64,
}

/// The directory to look into before the network: `--sources` (or `QEMU_IOMMU_SOURCES`), else `../shared/sources`
/// beside the checkout.
pub fn local_directory(given: Option<&Path>) -> PathBuf {
    given.map_or_else(|| place::root().join("../shared/sources"), Path::to_path_buf)
}

/// A day on which every pinned file was in the distribution's archive, as its archive of all versions writes it.
pub const DAY: &str = "20261201T000000Z";

/// The base address of the distribution's archive of all versions: `QEMU_IOMMU_SNAPSHOT`, else the public one.
pub fn snapshot() -> String {
    base("QEMU_IOMMU_SNAPSHOT", "https://snapshot.debian.org")
}

/// A base address that a variable may replace.
pub fn base(variable: &str, public: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| public.to_owned()).trim_end_matches('/').to_owned()
}

/// The base addresses of package archives: `QEMU_IOMMU_MIRRORS`, else those that apt is configured with, without their security
/// variants.
pub fn mirrors() -> Vec<String> {
    if let Ok(given) = std::env::var("QEMU_IOMMU_MIRRORS") {
        return given.split_whitespace().map(|m| m.trim_end_matches('/').to_owned()).collect();
    }
    let mut found: Vec<String> = Vec::new();
    let mut add = |uri: &str| {
        let uri = uri.trim().trim_end_matches('/').to_owned();
        let usable = uri.starts_with("http://") || uri.starts_with("https://") || uri.starts_with("file:");
        if usable && !uri.contains("security") && !found.contains(&uri) {
            found.push(uri);
        }
    };
    let targets = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI)"])
        .stderr(Stdio::null())
        .output();
    if let Ok(output) = targets {
        String::from_utf8_lossy(&output.stdout).lines().for_each(&mut add);
    }
    for file in source_lists() {
        let text = fs::read_to_string(&file).unwrap_or_default();
        for line in text.lines().map(str::trim) {
            if let Some(uris) = line.strip_prefix("URIs:") {
                uris.split_whitespace().for_each(&mut add);
            } else if line.starts_with("deb ") {
                // `deb [options] URI suite components`
                let after =
                    line.rsplit_once(']').map_or_else(|| line.trim_start_matches("deb"), |(_, rest)| rest);
                after.split_whitespace().take(1).for_each(&mut add);
            }
        }
    }
    // A mirror that names the distribution is likelier to have its pool than a third party's repository.
    found.sort_by_key(|u| !u.ends_with("/debian"));
    found
}

fn source_lists() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(
            entries
                .flatten()
                .map(|e| e.path())
                .filter(|p| p.extension().is_some_and(|e| e == "list" || e == "sources")),
        );
    }
    files.sort();
    files
}

/// Where a file is, in the order in which they are asked: the mirrors with what they have now; the archive of all versions, by
/// day and name, and by content.
fn addresses(p: &Pinned, mirrors: &[String], snapshot: &str) -> Vec<String> {
    let name = p.file.replace('+', "%2B");
    let mut all: Vec<String> = mirrors.iter().map(|m| format!("{m}/{}/{name}", p.pool)).collect();
    all.push(format!("{snapshot}/archive/debian/{DAY}/{}/{name}", p.pool));
    all.push(format!("{snapshot}/file/{}", p.sha1));
    all
}

/// The pinned file, in the cache or in a local directory.
///
/// # Errors
///
/// Names every place that was tried, and where to put the file by hand.
pub fn pinned(p: &Pinned, sources: Option<&Path>) -> Result<PathBuf> {
    let downloads = place::cache()?.join("downloads");
    place::make_dir(&downloads)?;
    let target = downloads.join(p.file);
    let mut tried = Vec::new();
    let _lock = place::lock(&format!("download-{}", p.file))?;
    for file in [target.clone(), local_directory(sources).join(p.file)] {
        if !file.is_file() {
            continue;
        }
        let sum = place::sha256(&file)?;
        if sum == p.sha256 {
            return Ok(file);
        }
        tried.push(format!("{}: its sha256 is {sum}", file.display()));
    }
    let step = Step::begin(&format!("download {}", p.file), "download")?;
    let mut addresses = addresses(p, &mirrors(), &snapshot());
    if std::env::var_os("QEMU_IOMMU_OFFLINE").is_some() {
        tried.push("the network: QEMU_IOMMU_OFFLINE is set".to_owned());
        addresses.clear();
    }
    let partial = downloads.join(format!("{}.partial", p.file));
    // What is as long as the file and is still here was not renamed: nothing can be added to it.
    if fs::metadata(&partial).is_ok_and(|m| m.len() >= p.size) {
        let _ = fs::remove_file(&partial);
    }
    for address in addresses {
        let resumed = has_begun(&partial);
        let mut got = download_pinned(&step, &address, &partial, p);
        // The beginning was another's: this address may have the right one.
        if got.is_err() && resumed && !partial.exists() {
            got = download_pinned(&step, &address, &partial, p);
        }
        match got {
            Ok(()) => {
                fs::rename(&partial, &target).context("renaming the download")?;
                step.finish("sha256 as pinned");
                return Ok(target);
            }
            Err(e) => tried.push(format!("{address}: {e}")),
        }
    }
    drop(step);
    Err(advice(
        format!("no source for {} (sha256 {})\n    tried {}", p.file, p.sha256, tried.join("\n    tried ")),
        "check the network and the proxy settings, or get the file by hand, put it in a directory and give that with --sources DIR",
    ))
}

/// Whether there is a beginning to which a download adds the rest.
fn has_begun(partial: &Path) -> bool {
    fs::metadata(partial).is_ok_and(|m| m.len() > 0)
}

/// Downloads one address into `partial`, and removes what is not the pinned file.
fn download_pinned(step: &Step, address: &str, partial: &Path, p: &Pinned) -> Result<()> {
    download(step, address, partial, p.size)?;
    let sum = place::sha256(partial)?;
    if sum != p.sha256 {
        let _ = fs::remove_file(partial);
        anyhow::bail!("its sha256 is {sum}");
    }
    Ok(())
}

/// Unpacks a package, installing nothing.
pub fn unpack_package(step: &Step, package: &Path, to: &Path) -> Result<()> {
    place::make_dir(to)?;
    if on_path("dpkg-deb") {
        return step.run(Command::new("dpkg-deb").arg("-x").arg(package).arg(to));
    }
    step.run(Command::new("ar").arg("x").arg(package).current_dir(to))?;
    step.run(
        Command::new("sh")
            .args(["-c", "tar xf data.tar.* && rm data.tar.* control.tar.* debian-binary"])
            .current_dir(to),
    )
}

/// A source as it was given, into `to`: a tarball without the directory at its top, or a copy of a tree without its history.
pub fn unpack_source(step: &Step, given: &Path, to: &Path) -> Result<()> {
    place::make_dir(to)?;
    if given.is_file() {
        return step
            .run(Command::new("tar").arg("xf").arg(given).arg("-C").arg(to).arg("--strip-components=1"));
    }
    let copy = "tar -C \"$1\" --exclude=./.git -cf - . | tar -C \"$2\" -xf -";
    step.run(Command::new("sh").args(["-c", copy, "sh"]).arg(given).arg(to))
}

/// A file at the top of a source: of an unpacked tree, or of a tarball.
pub fn member(source: &Path, name: &str) -> Result<String> {
    let none = || {
        advice(
            format!("{}: no {name} at its top", source.display()),
            "give a source as it was released: a tarball, or the tree that was in it",
        )
    };
    if source.is_dir() {
        return fs::read_to_string(source.join(name)).map_err(|_| none());
    }
    let output = Command::new("tar")
        .args([
            "--extract",
            "--to-stdout",
            "--occurrence=1",
            "--wildcards",
            "--no-wildcards-match-slash",
            "--file",
        ])
        .arg(source)
        .arg(format!("*/{name}"))
        .output()
        .context("running tar")?;
    if !output.status.success() {
        return Err(none());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command that downloads one address into `to`, resuming when it can; none where no program for it is installed.
pub fn downloader(address: &str, to: &Path) -> Option<Command> {
    if on_path("curl") {
        let mut c = Command::new("curl");
        c.args(["-fsSL", "--retry", "2", "--connect-timeout", "20", "-C", "-"]);
        // A server that accepts the connection and then says nothing must not hold up the set-up for ever.
        c.args(["--speed-limit", "1000", "--speed-time", "60", "-o"]).arg(to).arg(address);
        return Some(c);
    }
    if Path::new(APT_HELPER).exists() {
        let mut c = Command::new(APT_HELPER);
        c.arg("download-file").arg(address).arg(to);
        return Some(c);
    }
    on_path("wget").then(|| {
        let mut c = Command::new("wget");
        c.args(["-q", "-c", "--timeout=60", "--tries=3", "-O"]).arg(to).arg(address);
        c
    })
}

const APT_HELPER: &str = "/usr/lib/apt/apt-helper";

/// Downloads one address into `to`, resuming when it can, and from the beginning where the server does not resume.
///
/// # Errors
///
/// One line that says why.
pub fn download(step: &Step, address: &str, to: &Path, size: u64) -> Result<()> {
    let resumed = has_begun(to);
    let mut command = downloader(address, to)
        .ok_or_else(|| advice("there is no program to download with", "install curl"))?;
    step.note(&crate::ui::shell_words(&command));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| advice(format!("cannot start the program that downloads: {e}"), "install curl"))?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let have = fs::metadata(to).map_or(0, |m| m.len());
        step.progress(have.min(size), size);
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    if status.success() {
        return Ok(());
    }
    let mut text = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        use std::io::Read;
        let _ = stderr.read_to_string(&mut text);
    }
    step.note(&text);
    if resumed && is_refused_range(status.code(), &text) && fs::remove_file(to).is_ok() {
        return download(step, address, to, size);
    }
    let why = text.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("no reason given").trim().to_owned();
    if text.contains("No space left") || status.code() == Some(23) {
        return Err(advice(
            format!("writing {}: the disk is full ({why})", to.display()),
            "free some space, or put the cache elsewhere with QEMU_IOMMU_CACHE=DIR",
        ));
    }
    anyhow::bail!("{why}")
}

/// Whether a download failed because of what was there before: curl's codes for a server without ranges and for a resumption
/// that cannot be, and HTTP's status for a range outside of the file. On other failures the beginning is kept for the next try.
fn is_refused_range(code: Option<i32>, text: &str) -> bool {
    matches!(code, Some(33 | 36))
        || text.lines().any(|line| line.contains("error: 416") || line.contains("ERROR 416"))
}

/// Fails when less than `mib` MiB are free where `dir` is.
pub fn ensure_space(dir: &Path, mib: u64, what: &str) -> Result<()> {
    let output = Command::new("df").args(["-Pk"]).arg(dir).output().context("running df")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let free =
        text.lines().nth(1).and_then(|l| l.split_whitespace().nth(3)).and_then(|f| f.parse::<u64>().ok());
    match free {
        Some(kib) if kib / 1024 < mib => Err(advice(
            format!(
                "the disk is full: {what} needs {mib} MiB in {}, and {} MiB are free",
                dir.display(),
                kib / 1024
            ),
            "free some space, or put the cache elsewhere with QEMU_IOMMU_CACHE=DIR",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_three_kinds_of_places() {
        let file = Pinned { file: "a_1+b_all.deb", sha256: "", sha1: "0123", pool: "pool/main/a/a", size: 1 };
        let all = addresses(&file, &["http://mirror/debian".to_owned()], "https://archive");
        assert_eq!(
            all,
            [
                "http://mirror/debian/pool/main/a/a/a_1%2Bb_all.deb".to_owned(),
                format!("https://archive/archive/debian/{DAY}/pool/main/a/a/a_1%2Bb_all.deb"),
                "https://archive/file/0123".to_owned(),
            ]
        );
    }
}
