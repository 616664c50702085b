// SPDX-License-Identifier: GPL-2.0-or-later
//! Where things are: the checkout, the cache, the results.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::advice::advice;

/// The checkout's directory: `QEMU_IOMMU_ROOT`, or where this program was built from.
pub fn root() -> PathBuf {
    if let Some(root) = std::env::var_os("QEMU_IOMMU_ROOT") {
        return root.into();
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The cache's directory: `QEMU_IOMMU_CACHE`, else `qemu-iommu` below the user's cache directory.
pub fn cache() -> Result<PathBuf> {
    let dir = if let Some(dir) = std::env::var_os("QEMU_IOMMU_CACHE") {
        PathBuf::from(dir)
    } else if let Some(dir) = std::env::var_os("XDG_CACHE_HOME") {
        PathBuf::from(dir).join("qemu-iommu")
    } else if let Some(home) = std::env::var_os("HOME") {
        PathBuf::from(home).join(".cache/qemu-iommu")
    } else {
        return Err(advice("there is no place for the cache: HOME is not set", "set QEMU_IOMMU_CACHE=DIR"));
    };
    make_dir(&dir)?;
    Ok(dir)
}

/// Creates a directory with its parents; a failure names it.
pub fn make_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(|e| {
        let way_out = if e.kind() == std::io::ErrorKind::StorageFull {
            "free some space, or put the cache elsewhere with QEMU_IOMMU_CACHE=DIR"
        } else {
            "make it writable, or put the cache elsewhere with QEMU_IOMMU_CACHE=DIR"
        };
        advice(format!("cannot create {}: {e}", dir.display()), way_out)
    })
}

/// A new directory `results/<UTC time>-<name>` in the checkout (in the cache when that is read-only).
pub fn results(name: &str) -> Result<PathBuf> {
    let base = std::env::var_os("QEMU_IOMMU_RESULTS").map_or_else(|| root().join("results"), PathBuf::from);
    let stamp = utc_stamp();
    for attempt in 0..100 {
        let suffix = if attempt == 0 { String::new() } else { format!(".{attempt}") };
        let dir = base.join(format!("{stamp}-{name}{suffix}"));
        if dir.exists() {
            continue;
        }
        if fs::create_dir_all(&dir).is_err() {
            let dir = cache()?.join("results").join(format!("{stamp}-{name}-{}", std::process::id()));
            make_dir(&dir)?;
            return Ok(dir);
        }
        return Ok(dir);
    }
    Err(advice(format!("no free name below {}", base.display()), "remove old results"))
}

/// `20261121-094500`, UTC.
pub fn utc_stamp() -> String {
    let secs = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, rest) = (secs / 86_400, secs % 86_400);
    // Civil date from days since 1970-01-01, by 400-year eras that begin in March.
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (d, m) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let y = yoe + era * 400 + u64::from(m <= 2);
    format!("{y:04}{m:02}{d:02}-{:02}{:02}{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// A short-named private directory for unix sockets, whose paths are limited to 107 bytes.
pub struct SocketDir(PathBuf);

impl SocketDir {
    /// Creates it below the temporary directory.
    pub fn new() -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("qi{}-{n}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .with_context(|| format!("creating {}", dir.display()))?;
        Ok(Self(dir))
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for SocketDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Collects what a cache entry depends on; the entry's name is the sum.
#[derive(Default, Clone)]
pub struct Key(Sha256);

impl Key {
    /// Adds a named value.
    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.0.update(name.as_bytes());
        self.0.update([0]);
        self.0.update(value.len().to_le_bytes());
        self.0.update(value.as_bytes());
        self
    }

    /// Adds a file's content under its name relative to the checkout.
    pub fn file(mut self, path: &Path) -> Result<Self> {
        let content = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let name = path.strip_prefix(root()).unwrap_or(path);
        self.0.update(name.as_os_str().as_encoded_bytes());
        self.0.update([0]);
        self.0.update(content.len().to_le_bytes());
        self.0.update(&content);
        Ok(self)
    }

    /// The first 16 hex digits.
    pub fn name(self) -> String {
        hex(&self.0.finalize()).chars().take(16).collect()
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// SHA-256 of a file, in hexadecimal.
pub fn sha256(path: &Path) -> Result<String> {
    let mut file = fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer).with_context(|| format!("reading {}", path.display()))?;
        if n == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(buffer.get(..n).unwrap_or_default());
    }
}

/// A sum over what a file, or a tree without its `.git`, is made of: names and contents. It is remembered as long as sizes and
/// times stay, for a kernel's tree takes seconds to read.
pub fn content(path: &Path) -> Result<String> {
    let path = path.canonicalize().with_context(|| path.display().to_string())?;
    let files = if path.is_dir() { members(&path)? } else { vec![path.clone()] };
    // The path is part of it: a tree of one file is not that file.
    let mut quick = Key::default().text("of", &path.to_string_lossy());
    for file in &files {
        let meta = fs::symlink_metadata(file).with_context(|| format!("looking at {}", file.display()))?;
        let time = meta.modified()?.duration_since(UNIX_EPOCH).map_or(0, |t| t.as_nanos());
        quick = quick.text(&file.to_string_lossy(), &format!("{} {time}", meta.len()));
    }
    let known = cache()?.join("sums").join(quick.name());
    if let Ok(sum) = fs::read_to_string(&known) {
        return Ok(sum);
    }
    let sum = if path.is_dir() {
        let mut hash = Sha256::new();
        for file in &files {
            let name = file.strip_prefix(&path).unwrap_or(file);
            let content = match fs::read_link(file) {
                Ok(target) => target.to_string_lossy().into_owned(),
                Err(_) => sha256(file)?,
            };
            hash.update(name.as_os_str().as_encoded_bytes());
            hash.update([0]);
            hash.update(content.as_bytes());
            hash.update([0]);
        }
        hex(&hash.finalize())
    } else {
        sha256(&path)?
    };
    make_dir(&cache()?.join("sums"))?;
    fs::write(&known, &sum).with_context(|| format!("writing {}", known.display()))?;
    Ok(sum)
}

/// Every file and symbolic link of a source tree, sorted by path.
fn members(tree: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut todo = vec![tree.to_path_buf()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                if entry.file_name() != ".git" {
                    todo.push(entry.path());
                }
            } else if entry.file_name() != ".git" {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Every regular file below `dir`, sorted by path, without directories whose name is in `skip`.
pub fn files_below(dir: &Path, skip: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !skip.iter().any(|s| entry.file_name() == *s) {
                    todo.push(entry.path());
                }
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Holds other processes off one part of the cache until it is dropped.
pub struct Lock(fs::File);

/// Waits until no other process is at work on this part of the cache. Look again at what is complete afterwards.
pub fn lock(part: &str) -> Result<Lock> {
    let dir = cache()?.join("locks");
    make_dir(&dir)?;
    let path = dir.join(part);
    let file = fs::File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            crate::ui::info(&format!("another qemu-iommu is at work on {part}; waiting for it"));
            file.lock().with_context(|| format!("locking {}", path.display()))?;
        }
        Err(fs::TryLockError::Error(e)) => {
            return Err(e).with_context(|| format!("locking {}", path.display()));
        }
    }
    Ok(Lock(file))
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Marks a build directory whose build has failed: the next attempt begins with an empty one. What was merely
/// interrupted is resumed.
pub fn failed(build: &Path) {
    let _ = fs::write(build.join("failed"), "");
}

/// Empties a build directory if its last build failed.
pub fn clear_if_failed(build: &Path) {
    if build.join("failed").exists() {
        let _ = fs::remove_dir_all(build);
    }
}

/// The file that says a cache entry is complete; without it the entry is built again or resumed.
pub fn stamp(entry: &Path) -> PathBuf {
    entry.join("complete")
}

/// Whether a cache entry is complete.
pub fn is_complete(entry: &Path) -> bool {
    stamp(entry).is_file()
}

/// Marks a cache entry complete.
pub fn complete(entry: &Path, text: &str) -> Result<()> {
    let tmp = entry.join(".complete");
    fs::write(&tmp, text).with_context(|| format!("writing {}", tmp.display()))?;
    fs::rename(&tmp, stamp(entry)).with_context(|| format!("renaming {}", tmp.display()))
}

/// Removes the oldest complete entries of a directory until `keep` are left: small ones, one for every edit.
pub fn prune(dir: &Path, keep: usize) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut dated: Vec<(SystemTime, PathBuf)> = entries
        .flatten()
        .filter_map(|e| Some((fs::metadata(stamp(&e.path())).ok()?.modified().ok()?, e.path())))
        .collect();
    dated.sort();
    for (_, path) in dated.iter().take(dated.len().saturating_sub(keep)) {
        let _ = fs::remove_dir_all(path);
    }
}

/// The last `n` lines of a text file, lossy.
pub fn tail(path: &Path, n: usize) -> Vec<String> {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(n)).map(|l| l.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_known_by_names_and_contents() {
        let dir = std::env::temp_dir().join(format!("qemu-iommu-content-{}", std::process::id()));
        let write = |name: &str, text: &str| {
            let file = dir.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("a/Makefile", "VERSION = 7\n");
        write("a/.git/HEAD", "one");
        write("b/Makefile", "VERSION = 7\n");
        let of = |name: &str| content(&dir.join(name)).unwrap();
        assert_eq!(of("a"), of("b"));
        write("a/.git/HEAD", "two, longer");
        assert_eq!(of("a"), of("b"), "history is no content");
        write("b/Makefile", "VERSION = 8.\n");
        assert_ne!(of("a"), of("b"));
        write("b/Makefile", "VERSION = 7\n");
        std::os::unix::fs::symlink("Makefile", dir.join("b/link")).unwrap();
        assert_ne!(of("a"), of("b"), "a link is content");
        assert_eq!(of("a/Makefile"), sha256(&dir.join("a/Makefile")).unwrap());
        fs::remove_dir_all(&dir).unwrap();
    }
}
