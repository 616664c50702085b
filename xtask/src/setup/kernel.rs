// SPDX-License-Identifier: GPL-2.0-or-later
//! The guest's kernel: the distribution's source, our configuration; or the user's tree or image.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::fetch::{self, Pinned};
use super::packages::{self, Need};
use crate::advice::advice;
use crate::cli::{Model, PageSize, SourceArgs};
use crate::place::{self, Key};
use crate::ui::Step;

/// The release that the set-up builds.
pub const VERSION: &str = "7.2.12";

const SOURCE: Pinned = Pinned {
    file: "linux-source-7.2_7.2.12-1~bpo13+1_all.deb",
    sha256: "73ca6c22599ba411ab3179642d33501ca2c90174e13c3c8d86e996ea1cbf2a8f",
    sha1: "7bd82f019bd70931e42d4e0c25ee38f696fa13d3",
    pool: "pool/main/l/linux",
    size: 164_744_800,
};

/// What a kernel needs to have built in to run the demo, and what is lost without it.
const REQUIRED: &[(&str, &str)] = &[
    ("BLK_DEV_INITRD", "the guest's programs come as an initramfs"),
    ("DEVTMPFS", "device nodes"),
    ("PROC_FS", "the guest's programs read /proc"),
    ("SYSFS", "the guest's programs read /sys"),
    ("PCI", "the endpoint is a PCI function"),
    ("PCI_MSI", "the endpoint's interrupts"),
    ("PCI_PASID", "processes are told apart by PASID"),
    ("UIO", "user space reaches the endpoint's registers"),
    ("UIO_PCI_GENERIC_SVA", "binds a process's address space to the endpoint (since Linux 7.1)"),
    ("VIRTIO_PCI", "the line to the host"),
    ("VIRTIO_CONSOLE", "the line to the host"),
];
const REQUIRED_ARM64: &[(&str, &str)] = &[
    ("ARM_SMMU_V3", "the driver of the SMMU"),
    ("ARM_SMMU_V3_SVA", "shared virtual addressing on the SMMU"),
    ("PCI_HOST_GENERIC", "the machine's PCI host bridge"),
    ("SERIAL_AMBA_PL011_CONSOLE", "the console"),
];
const REQUIRED_X86: &[(&str, &str)] = &[
    ("INTEL_IOMMU", "the driver of the IOMMU"),
    ("INTEL_IOMMU_SVM", "shared virtual addressing on the IOMMU"),
    ("SERIAL_8250_CONSOLE", "the console"),
];

/// The configuration fragments, in order.
pub fn fragments(model: Model, page_size: PageSize, debug: bool) -> Vec<PathBuf> {
    let dir = place::root().join("guest/kernel");
    let mut names = vec!["common.config".to_owned()];
    match model {
        Model::Smmuv3 => {
            names.push("arm64.config".into());
            names.push(format!("arm64-{}.config", page_size.name()));
        }
        Model::Vtd => names.push("x86_64.config".into()),
    }
    if debug {
        names.push("debug.config".into());
    }
    names.into_iter().map(|n| dir.join(n)).collect()
}

/// The fragments as one text.
pub fn fragment(model: Model, page_size: PageSize, debug: bool) -> Result<String> {
    let mut text = String::new();
    for file in fragments(model, page_size, debug) {
        text.push_str(&fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?);
        text.push('\n');
    }
    Ok(text)
}

/// What the kernel is built from.
pub struct Release {
    /// As the kernel calls itself.
    pub version: String,
    /// A sum over the source: `--linux-src`'s content, else the pinned package's.
    sum: String,
}

/// The given source, or the pinned one.
pub fn release(args: &SourceArgs) -> Result<Release> {
    let Some(given) = &args.linux_src else {
        return Ok(Release { version: VERSION.to_owned(), sum: SOURCE.sha256.to_owned() });
    };
    let way_out = "name an unpacked tree of Linux, or its tarball";
    let wrong = |why: &str| advice(format!("--linux-src {}: {why}", given.display()), way_out);
    if !given.exists() {
        return Err(wrong("no such file or directory"));
    }
    let sum = place::content(given)?;
    let known = place::cache()?.join("linux-source").join(key_of(&sum)).join("version");
    let version = match fs::read_to_string(&known) {
        Ok(version) => version,
        Err(_) => {
            let version = version_of(&fetch::member(given, "Makefile")?)
                .ok_or_else(|| wrong("its Makefile names no version of Linux"))?;
            place::make_dir(known.parent().unwrap_or(given))?;
            fs::write(&known, &version).with_context(|| format!("writing {}", known.display()))?;
            version
        }
    };
    Ok(Release { version, sum })
}

/// A sum, as a directory is called.
fn key_of(sum: &str) -> String {
    sum.chars().take(16).collect()
}

/// `7.2.12` of the top Makefile.
fn version_of(makefile: &str) -> Option<String> {
    let value = |name: &str| {
        makefile
            .lines()
            .take(20)
            .find_map(|line| Some(line.strip_prefix(name)?.trim().strip_prefix('=')?.trim()))
    };
    let number = |name: &str| value(name).filter(|v| v.parse::<u32>().is_ok());
    let (version, patch) = (number("VERSION")?, number("PATCHLEVEL")?);
    let extra = value("EXTRAVERSION").unwrap_or_default();
    Some(match number("SUBLEVEL")? {
        "0" => format!("{version}.{patch}{extra}"),
        sub => format!("{version}.{patch}.{sub}{extra}"),
    })
}

/// The unmodified kernel's place in the cache.
pub fn entry(args: &SourceArgs, model: Model, page_size: PageSize) -> Result<PathBuf> {
    let key = Key::default()
        .text("source", &release(args)?.sum)
        .text("arch", model.kernel_arch())
        .text("config", &fragment(model, page_size, false)?);
    Ok(place::cache()?.join("kernel").join(format!(
        "{}-{}-{}",
        model.kernel_arch(),
        page_size.name(),
        key.name()
    )))
}

/// Where the image is, below a build directory.
pub fn image_in(model: Model) -> &'static str {
    match model {
        Model::Smmuv3 => "arch/arm64/boot/Image",
        Model::Vtd => "arch/x86/boot/bzImage",
    }
}

/// What a machine boots of a build directory. A PC starts a kernel with PVH as it is, and saves the half second that an
/// emulated CPU takes to unpack it.
pub fn image_of(dir: &Path, model: Model) -> PathBuf {
    let vmlinux = dir.join("vmlinux");
    let config = || fs::read_to_string(dir.join(".config")).unwrap_or_default();
    if model == Model::Vtd && vmlinux.is_file() && value(&config(), "PVH") == Some("y") {
        vmlinux
    } else {
        dir.join(image_in(model))
    }
}

/// What has to be installed before [`ensure`] can succeed.
pub fn needs(args: &SourceArgs, model: Model, page_size: PageSize) -> Result<Vec<Need>> {
    if args.kernel.is_some() || args.kdir.is_some() || place::is_complete(&entry(args, model, page_size)?) {
        return Ok(Vec::new());
    }
    Ok(vec![toolchain(model)])
}

/// What compiles for a model's guest.
pub fn toolchain(model: Model) -> Need {
    match model {
        Model::Smmuv3 if std::env::consts::ARCH != model.target() => Need::KernelArm64,
        _ => Need::Kernel,
    }
}

/// The guest's kernel image.
pub fn ensure(args: &SourceArgs, model: Model, page_size: PageSize) -> Result<PathBuf> {
    if let Some(image) = &args.kernel {
        check_image(image, model)?;
        return Ok(image.clone());
    }
    if let Some(dir) = &args.kdir {
        return from_tree(dir, model);
    }
    Ok(image_of(&build_dir(args, model, page_size)?, model))
}

/// The build directory of the unmodified kernel, its image made.
pub fn build_dir(args: &SourceArgs, model: Model, page_size: PageSize) -> Result<PathBuf> {
    let entry = entry(args, model, page_size)?;
    let build_dir = entry.join("build");
    let image = build_dir.join(image_in(model));
    if place::is_complete(&entry) {
        return Ok(build_dir);
    }
    let _lock = place::lock(&format!("kernel-{}-{}", model.kernel_arch(), page_size.name()))?;
    if !place::is_complete(&entry) {
        packages::ensure(&needs(args, model, page_size)?, args.yes)?;
        place::make_dir(&entry)?;
        fetch::ensure_space(&entry, 3500, "building the guest's kernel")?;
        let source = source(args)?;
        let version = release(args)?.version;
        build(&source, &version, &entry, model, page_size)?;
        check_image(&image, model)?;
        place::complete(&entry, &version)?;
    }
    Ok(build_dir)
}

/// Uses a tree that the user has built: names what its configuration lacks.
fn from_tree(dir: &Path, model: Model) -> Result<PathBuf> {
    let config = dir.join(".config");
    let text = fs::read_to_string(&config).map_err(|e| {
        advice(
            format!("--kdir {}: no kernel configuration there: {e}", dir.display()),
            "name a kernel tree (or its O= directory) that has been configured and built",
        )
    })?;
    let missing = lacking(&text, model);
    if !missing.is_empty() {
        let list: Vec<String> =
            missing.iter().map(|(s, state, why)| format!("CONFIG_{s}=y  ({state}) {why}")).collect();
        return Err(advice(
            format!(
                "{}: this kernel cannot show SVA; it lacks\n    {}",
                config.display(),
                list.join("\n    ")
            ),
            format!(
                "set these and build again: cargo xtask kconfig {} > sva.config; scripts/kconfig/merge_config.sh -m .config sva.config; \
                 make ARCH={} olddefconfig {}",
                model.name(),
                model.kernel_arch(),
                image_in(model).rsplit('/').next().unwrap_or_default(),
            ),
        ));
    }
    let image = dir.join(image_in(model));
    if !image.is_file() {
        return Err(advice(
            format!("--kdir {}: the tree is configured, but {} is not there", dir.display(), image_in(model)),
            format!(
                "build it: make ARCH={} {}",
                model.kernel_arch(),
                image_in(model).rsplit('/').next().unwrap_or_default()
            ),
        ));
    }
    check_image(&image, model)?;
    Ok(image_of(dir, model))
}

/// Required symbols that are not built in: name, what the configuration says, what it is for.
pub fn lacking(config: &str, model: Model) -> Vec<(&'static str, &'static str, &'static str)> {
    let per_model = match model {
        Model::Smmuv3 => REQUIRED_ARM64,
        Model::Vtd => REQUIRED_X86,
    };
    REQUIRED
        .iter()
        .chain(per_model)
        .filter_map(|(symbol, why)| match value(config, symbol) {
            Some("y") => None,
            Some("m") => Some((*symbol, "a module; it has to be built in", *why)),
            _ => Some((*symbol, "off", *why)),
        })
        .collect()
}

/// A symbol's value in a .config.
pub fn value<'a>(config: &'a str, symbol: &str) -> Option<&'a str> {
    config.lines().find_map(|l| l.strip_prefix("CONFIG_")?.strip_prefix(symbol)?.strip_prefix('='))
}

/// Requested lines of a fragment that a .config does not honour.
pub fn dishonoured(fragment: &str, config: &str) -> Vec<String> {
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    for line in fragment.lines() {
        let Some((symbol, want)) = line.trim().strip_prefix("CONFIG_").and_then(|l| l.split_once('=')) else {
            continue;
        };
        // The last fragment that speaks of a symbol decides.
        wanted.retain(|(s, _)| *s != symbol);
        wanted.push((symbol, want));
    }
    wanted
        .into_iter()
        .filter(|(symbol, want)| {
            let have = value(config, symbol);
            if *want == "n" { have.is_some() } else { have != Some(*want) }
        })
        .map(|(symbol, want)| format!("CONFIG_{symbol}={want}"))
        .collect()
}

/// Whether a kernel tree, or its output directory, holds an image for this architecture.
pub fn is_built_in(dir: &Path, model: Model) -> bool {
    dir.join(image_in(model)).is_file()
}

/// Refuses a file that is not an image of this architecture.
pub fn check_image(image: &Path, model: Model) -> Result<()> {
    let way_out = format!("give the uncompressed image that QEMU boots: {}", image_in(model));
    let mut file = fs::File::open(image)
        .map_err(|e| advice(format!("kernel image {}: {e}", image.display()), way_out.clone()))?;
    let magics: &[(u64, &[u8; 4])] = match model {
        Model::Smmuv3 => &[(0x38, b"ARM\x64")],
        // A boot image, or ELF's e_machine and e_version.
        Model::Vtd => &[(0x202, b"HdrS"), (0x12, b"\x3e\0\x01\0")],
    };
    let mut found = [0; 4];
    let mut has = |(offset, magic): &(u64, &[u8; 4])| {
        let read = file.seek(SeekFrom::Start(*offset)).and_then(|_| file.read_exact(&mut found));
        read.is_ok() && &found == *magic
    };
    if !magics.iter().any(&mut has) {
        return Err(advice(
            format!("{} is not a kernel image for {}", image.display(), model.kernel_arch()),
            way_out,
        ));
    }
    Ok(())
}

/// The source's package.
pub fn download(args: &SourceArgs) -> Result<PathBuf> {
    fetch::pinned(&SOURCE, args.sources.as_deref())
}

/// The unpacked source tree.
pub fn source(args: &SourceArgs) -> Result<PathBuf> {
    let release = release(args)?;
    let entry = place::cache()?.join("linux-source").join(key_of(&release.sum));
    let tree = entry.join("linux");
    if place::is_complete(&entry) {
        return Ok(tree);
    }
    let _lock = place::lock("linux-source")?;
    if place::is_complete(&entry) {
        return Ok(tree);
    }
    if let Some(given) = &args.linux_src {
        unpack_given(given, &entry, &tree, &release.version)?;
        return Ok(tree);
    }
    let deb = download(args)?;
    place::make_dir(&entry)?;
    let step = Step::begin(&format!("Linux {VERSION}: unpack"), "kernel-unpack")?;
    let tmp = entry.join("deb.tmp");
    let _ = fs::remove_dir_all(&tmp);
    let _ = fs::remove_dir_all(&tree);
    fetch::unpack_package(&step, &deb, &tmp)?;
    place::make_dir(&tree)?;
    let tarball = tmp.join("usr/src/linux-source-7.2.tar.xz");
    step.run(Command::new("tar").arg("xf").arg(&tarball).arg("-C").arg(&tree).arg("--strip-components=1"))?;
    let _ = fs::remove_dir_all(&tmp);
    place::complete(&entry, VERSION)?;
    step.finish("unmodified");
    Ok(tree)
}

/// A copy of the given source, which its owner may go on changing.
fn unpack_given(given: &Path, entry: &Path, tree: &Path, version: &str) -> Result<()> {
    let step = Step::begin(&format!("Linux {version}: unpack"), "kernel-unpack")?;
    let _ = fs::remove_dir_all(tree);
    fetch::unpack_source(&step, given, tree)?;
    if tree.join(".config").exists() || tree.join("include/generated").exists() {
        // Objects go elsewhere, and kbuild wants a tree that nothing was built in.
        for arch in ["arm64", "x86_64"] {
            step.run(Command::new("make").arg("-C").arg(tree).arg(format!("ARCH={arch}")).arg("mrproper"))?;
        }
    }
    place::complete(entry, version)?;
    step.finish("as given with --linux-src");
    if version != VERSION {
        crate::ui::info(&format!("Linux {version} is untested; the guest is tested with {VERSION}"));
    }
    Ok(())
}

/// `make` in a build directory, for a model's architecture.
pub fn make_in(dir: &Path, model: Model) -> Command {
    let mut c = Command::new("make");
    c.arg("-C").arg(dir).arg(format!("ARCH={}", model.kernel_arch()));
    if std::env::consts::ARCH != model.target() {
        c.arg(format!("CROSS_COMPILE={}-linux-gnu-", model.target()));
    }
    // Reproducible: the same banner in every build of one configuration.
    c.env("KBUILD_BUILD_USER", "qemu-iommu").env("KBUILD_BUILD_HOST", "cache");
    c
}

/// `make` of a source tree, with its objects elsewhere.
pub fn make(source: &Path, dir: &Path, model: Model) -> Command {
    let mut c = make_in(source, model);
    c.arg(format!("O={}", dir.display()));
    c
}

/// As many jobs as there are CPUs.
pub fn jobs() -> String {
    format!("-j{}", std::thread::available_parallelism().map_or(2, usize::from))
}

/// What to make: the image.
pub fn target(model: Model) -> &'static str {
    image_in(model).rsplit('/').next().unwrap_or_default()
}

fn build(source: &Path, version: &str, entry: &Path, model: Model, page_size: PageSize) -> Result<()> {
    let title = match model {
        Model::Smmuv3 => format!("Linux {version} arm64, {} pages", page_size.name().to_uppercase()),
        Model::Vtd => format!("Linux {version} x86_64"),
    };
    let dir = entry.join("build");
    place::clear_if_failed(&dir);
    let file = format!("kernel-{}-{}", model.kernel_arch(), page_size.name());
    let step = Step::begin(&format!("{title}: build"), &file)?;
    place::make_dir(&dir)?;
    let text = fragment(model, page_size, false)?;
    let wanted = dir.join("wanted.config");
    if fs::read_to_string(&wanted).unwrap_or_default() != text || !dir.join(".config").is_file() {
        fs::write(&wanted, &text).with_context(|| format!("writing {}", wanted.display()))?;
        let mut c = make(source, &dir, model);
        c.env("KCONFIG_ALLCONFIG", &wanted).arg("allnoconfig");
        step.run(&mut c)?;
    }
    let config = fs::read_to_string(dir.join(".config")).context("reading .config")?;
    let lost = dishonoured(&text, &config);
    if !lost.is_empty() {
        return Err(advice(
            format!("{title}: the configuration did not take {}", lost.join(" ")),
            "complete the dependencies of these in guest/kernel/*.config",
        ));
    }
    step.run_counting(make(source, &dir, model).arg(jobs()).arg(target(model)), Some(2150))
        .inspect_err(|_| place::failed(&dir))?;
    step.finish("unmodified, our configuration");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_makefiles() {
        let makefile = |sub, extra| {
            format!(
                "# SPDX\nVERSION = 7\nPATCHLEVEL = 2\nSUBLEVEL = {sub}\nEXTRAVERSION ={extra}\nNAME = X\n"
            )
        };
        assert_eq!(version_of(&makefile("13", "")).as_deref(), Some("7.2.13"));
        assert_eq!(version_of(&makefile("0", " -rc3")).as_deref(), Some("7.2-rc3"));
        assert_eq!(version_of("all:\n"), None);
    }

    #[test]
    fn values_of_symbols() {
        let config = "CONFIG_PCI=y\nCONFIG_PCI_MSI=m\n# CONFIG_UIO is not set\n";
        assert_eq!(value(config, "PCI"), Some("y"));
        assert_eq!(value(config, "PCI_MSI"), Some("m"));
        assert_eq!(value(config, "UIO"), None);
    }

    #[test]
    fn lacking_names_modules_too() {
        let lack = lacking("CONFIG_PCI_MSI=m\nCONFIG_PCI=y\n", Model::Smmuv3);
        assert!(lack.iter().any(|l| l.0 == "PCI_MSI" && l.1.starts_with("a module")));
        assert!(!lack.iter().any(|l| l.0 == "PCI"));
        assert!(lack.iter().any(|l| l.0 == "ARM_SMMU_V3_SVA" && l.1 == "off"));
    }

    #[test]
    fn the_last_fragment_decides() {
        let fragment = "CONFIG_A=y\nCONFIG_B=y\nCONFIG_A=n\n";
        assert_eq!(dishonoured(fragment, "CONFIG_B=y\n"), Vec::<String>::new());
        assert_eq!(dishonoured(fragment, "CONFIG_A=y\n"), ["CONFIG_B=y", "CONFIG_A=n"]);
    }
}
