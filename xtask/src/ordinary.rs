// SPDX-License-Identifier: GPL-2.0-or-later
//! Ordinary masters behind the IOMMU (`--ordinary`): two disks whose images are filled before the guest starts and compared
//! after it has written them, a pair of network cards, an entropy source.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What the host writes, from the beginning of an image.
const HOSTS: u64 = 4 << 20;
/// What the guest writes after it.
const GUESTS: u64 = 12 << 20;
/// Seeds of the two parts' words; the guest's checks have the same.
const SEEDS: (u64, u64) = (0x6000_0000_0000, 0x7000_0000_0000);
/// Check and image.
const DISKS: [(&str, &str); 2] = [("virtio-disk", "virtio-disk.img"), ("nvme-disk", "nvme-disk.img")];

/// SplitMix64's finalizer, as in the guest.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The word at an offset.
fn word(seed: u64, offset: u64) -> [u8; 8] {
    mix(seed.wrapping_add(offset / 8)).to_le_bytes()
}

/// Makes the images in `dir`, which is where the machine looks for them.
///
/// # Errors
///
/// Names the file that could not be written.
pub fn prepare(dir: &Path) -> Result<PathBuf> {
    for (_, name) in DISKS {
        let path = dir.join(name);
        let write = || -> std::io::Result<()> {
            let mut file = BufWriter::new(File::create(&path)?);
            for offset in (0..HOSTS).step_by(8) {
                file.write_all(&word(SEEDS.0, offset))?;
            }
            file.into_inner()?.set_len(HOSTS + GUESTS)
        };
        write().with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(dir.to_path_buf())
}

/// Removes the images.
pub fn remove(dir: &Path) {
    for (_, name) in DISKS {
        let _ = fs::remove_file(dir.join(name));
    }
}

/// What a disk's image has to say when its check has passed in the guest: words, and what is wrong with it.
pub fn look(dir: &Path, check: &str) -> Option<(String, Option<String>)> {
    let (_, name) = DISKS.iter().find(|(disk, _)| *disk == check)?;
    let image = match fs::read(dir.join(name)) {
        Ok(image) => image,
        Err(e) => return Some((String::new(), Some(format!("the image {name} cannot be read: {e}")))),
    };
    let expected = |offset: u64| {
        if offset < HOSTS {
            return word(SEEDS.0, offset);
        }
        // the guest's words are counted from the disk's beginning, too
        word(SEEDS.1, offset)
    };
    let differs = (0..HOSTS + GUESTS).step_by(8).zip(image.chunks(8)).find(|(at, got)| *got != expected(*at));
    let trouble = match differs {
        Some((at, got)) => Some(format!(
            "the host's image differs at {at}: {got:02x?}, written by the {}",
            if at < HOSTS { "host, and never by the guest" } else { "guest otherwise" }
        )),
        None if image.len() as u64 != HOSTS + GUESTS => Some(format!("the image has {} bytes", image.len())),
        None => None,
    };
    Some((format!("{} MiB in the image as written", GUESTS >> 20), trouble))
}

/// Words for QEMU's command line.
pub fn devices(images: &Path) -> Vec<String> {
    let [virtio, nvme] = DISKS
        .map(|(_, name)| format!("driver=file,cache.no-flush=on,filename={}", images.join(name).display()));
    const VIRTIO: &str = "disable-legacy=on,iommu_platform=on";
    let mut words = Vec::new();
    let mut add = |option: &str, value: String| words.extend([option.to_owned(), value]);
    // one behind a root port, the others two functions a slot
    add("-blockdev", format!("node-name=disk0,{virtio}"));
    add("-device", format!("virtio-blk-pci,bus=pcie.0,addr=0x1e.0,multifunction=on,drive=disk0,{VIRTIO}"));
    add("-object", "rng-builtin,id=rng".into());
    add("-device", format!("virtio-rng-pci,bus=pcie.0,addr=0x1e.1,rng=rng,{VIRTIO}"));
    add("-device", "pcie-root-port,bus=pcie.0,addr=0x1c,id=rp1,chassis=2,slot=2".into());
    add("-blockdev", format!("node-name=disk1,{nvme}"));
    add("-device", "nvme,bus=rp1,serial=qemu-iommu,drive=disk1".into());
    for n in 0..2 {
        add("-netdev", format!("hubport,id=net{n},hubid=0"));
        let mac = format!("52:54:00:12:34:5{n}");
        add(
            "-device",
            format!(
                "virtio-net-pci,bus=pcie.0,addr=0x1d.{n},multifunction=on,netdev=net{n},mac={mac},romfile=,{VIRTIO}"
            ),
        );
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_compared_to_the_last_word() {
        let dir = std::env::temp_dir().join(format!("qemu-iommu-images-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        prepare(&dir).unwrap();
        assert!(look(&dir, "network").is_none());
        let (_, trouble) = look(&dir, "virtio-disk").unwrap();
        assert!(trouble.unwrap().starts_with(&format!("the host's image differs at {HOSTS}")));
        let path = dir.join("virtio-disk.img");
        let mut image = fs::read(&path).unwrap();
        for offset in (HOSTS..HOSTS + GUESTS).step_by(8) {
            let at = usize::try_from(offset).unwrap();
            image[at..at + 8].copy_from_slice(&word(SEEDS.1, offset));
        }
        fs::write(&path, &image).unwrap();
        assert_eq!(look(&dir, "virtio-disk").unwrap().1, None);
        *image.last_mut().unwrap() ^= 1;
        fs::write(&path, &image).unwrap();
        assert!(look(&dir, "virtio-disk").unwrap().1.is_some());
        remove(&dir);
        fs::remove_dir(&dir).unwrap();
    }
}
