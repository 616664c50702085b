// SPDX-License-Identifier: GPL-2.0-or-later
//! QEMU: source, patch series, build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::fetch::{self, Pinned};
use super::packages::{self, Need};
use crate::advice::advice;
use crate::cli::{Model, SourceArgs};
use crate::place::{self, Key};
use crate::ui::Step;

/// The version that the patch series and the plugin are made for.
pub const VERSION: &str = "11.1.1";

/// Its neighbours, which a source may be given of.
const SERIES: &str = "11.1.";
/// From this micro version on it is no release: upstream's development tree after 11.1 calls itself 11.1.50, and the candidates
/// of 11.2 11.1.90 and up.
const DEVELOPMENT: u32 = 50;

/// Whether a version is a release of the series.
fn is_of_series(version: &str) -> bool {
    let micro = version.strip_prefix(SERIES).and_then(|micro| micro.parse::<u32>().ok());
    micro.is_some_and(|micro| micro < DEVELOPMENT)
}

const SOURCE: Pinned = Pinned {
    file: "qemu_11.1.1+ds.orig.tar.xz",
    sha256: "0b1376e75dbe3e2fea4e408f8669f88a723f419f36a5b7d74cc6a4cfe07e4f5e",
    sha1: "9633de273d1f490bace13017db2905d8e31e9795",
    pool: "pool/main/q/qemu",
    size: 39_217_980,
};

/// Upstream's release: another tarball, so its content is compared instead of its sum.
const UPSTREAM: &str = "qemu-11.1.1.tar.xz";

/// Sum over paths and contents of the directories below, the same in every tarball of 11.1.1.
const CONTENT_SHA256: &str = "ad541801528784465a226e3ba556231ed1d776dfac731df4aa2e2f9d272e3098";
const CONTENT_DIRECTORIES: &[&str] = &["hw", "include", "system", "target", "util", "qom", "migration"];

const TARGETS: &str = "aarch64-softmmu,x86_64-softmmu";
const CONFIGURE: &[&str] = &[
    "--without-default-features",
    "--enable-system",
    "--enable-modules",
    "--enable-tcg",
    "--enable-kvm",
    "--enable-fdt=system",
    "--enable-virtfs",
    "--enable-attr",
    "--enable-slirp",
    "--enable-vhost-kernel",
    "--enable-vhost-net",
    "--enable-vhost-user",
    "--disable-docs",
    "--disable-install-blobs",
    "--disable-werror",
    "--enable-download",
];
const NINJA_TARGETS: &[&str] = &[
    "qemu-system-aarch64",
    "qemu-system-x86_64",
    "accel-qtest.so",
    "tests/qtest/iommu-smmuv3-test",
    "tests/qtest/iommu-intel-test",
    "tests/qtest/iommu-intel-inv-test",
    "tests/qtest/intel-iommu-test",
];
const PIP: &[&str] = &["meson>=1.11", "pycotap==1.3.1"];

/// A usable QEMU build.
#[derive(Clone, Debug)]
pub struct Qemu {
    /// Its build directory.
    pub build: PathBuf,
    /// Its source directory, when it is ours.
    pub source: Option<PathBuf>,
}

impl Qemu {
    /// `qemu-system-*` of a model's target.
    pub fn system(&self, model: Model) -> PathBuf {
        self.build.join(format!("qemu-system-{}", model.target()))
    }
}

/// The patch files in order.
pub fn patches() -> Result<Vec<PathBuf>> {
    let dir = place::root().join("patches/qemu");
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut files: Vec<PathBuf> = place::files_below(&dir, &[])?
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "patch"))
        .collect();
    files.sort();
    Ok(files)
}

/// What QEMU is built from.
struct Release {
    version: String,
    /// A sum over a source that was given and is not the pinned one.
    given: Option<String>,
}

/// The given source, or the pinned one.
fn release(args: &SourceArgs) -> Result<Release> {
    let pinned = Release { version: VERSION.to_owned(), given: None };
    let Some(given) = &args.qemu_src else { return Ok(pinned) };
    if !given.exists() {
        return Err(advice(
            format!("--qemu-src {}: no such file or directory", given.display()),
            format!("name the tarball or the unpacked tree of QEMU {VERSION}"),
        ));
    }
    let sum = place::content(given)?;
    if sum == SOURCE.sha256 {
        return Ok(pinned);
    }
    let known = place::cache()?.join("sums").join(format!("qemu-{sum}"));
    let version = match fs::read_to_string(&known) {
        Ok(version) => version,
        Err(_) => {
            let version = fetch::member(given, "VERSION")?.trim().to_owned();
            fs::write(&known, &version).with_context(|| format!("writing {}", known.display()))?;
            version
        }
    };
    if !is_of_series(&version) {
        return Err(advice(
            format!("--qemu-src {}: this is QEMU {version}; the patches are for {VERSION}", given.display()),
            format!("give the source of {VERSION} or of another {SERIES}x, or none"),
        ));
    }
    Ok(Release { version, given: Some(sum) })
}

/// Says once that nothing was tested with a release.
fn warn_of(version: &str) {
    static SAID: std::sync::Once = std::sync::Once::new();
    if version != VERSION {
        SAID.call_once(|| {
            crate::ui::info(&format!("QEMU {version} is untested; the models are made for {VERSION}"));
        });
    }
}

/// The cache entry of this checkout's QEMU.
pub fn entry(args: &SourceArgs) -> Result<PathBuf> {
    let release = release(args)?;
    let mut key = Key::default()
        .text("version", &release.version)
        .text("targets", TARGETS)
        .text("configure", &CONFIGURE.join(" "))
        .text("ninja", &NINJA_TARGETS.join(" "));
    for patch in patches()? {
        key = key.file(&patch)?;
    }
    if let Some(sum) = &release.given {
        key = key.text("given", sum);
    }
    Ok(place::cache()?.join("qemu").join(key.name()))
}

/// What has to be installed before [`ensure`] can succeed, and before the plugin can be built for it.
pub fn needs(args: &SourceArgs) -> Result<Vec<Need>> {
    let mut needs = Vec::new();
    if args.qemu_build.is_none() && !place::is_complete(&entry(args)?) {
        needs.push(Need::Qemu);
    }
    if args.plugin.is_none() && release(args)?.version != VERSION {
        needs.push(Need::Bindings);
    }
    Ok(needs)
}

/// What the plugin's bindings are made from.
pub struct Headers {
    /// The patched source.
    pub source: PathBuf,
    /// A build directory of it.
    pub build: PathBuf,
    /// A sum over both.
    pub key: String,
}

/// Headers of a QEMU that the checked-in bindings are not of: what was given with `--qemu-src` and differs from the release.
pub fn other_headers(args: &SourceArgs) -> Result<Option<Headers>> {
    let release = release(args)?;
    let Some(sum) = release.given else { return Ok(None) };
    if let Some(build) = &args.qemu_build {
        // The user patched and built it.
        let source = args.qemu_src.as_ref().filter(|dir| dir.is_dir() && release.version != VERSION);
        let Some(source) = source else { return Ok(None) };
        let build = build.canonicalize().with_context(|| build.display().to_string())?;
        return Ok(Some(Headers {
            source: source.clone(),
            key: format!("{sum} {}", build.display()),
            build,
        }));
    }
    let entry = entry(args)?;
    if entry.join(AS_RELEASED).is_file() {
        return Ok(None);
    }
    let key = entry.display().to_string();
    Ok(Some(Headers { source: entry.join("src"), build: entry.join("build"), key }))
}

/// In a cache entry: the source has the release's content, and with it the headers of the checked-in bindings.
const AS_RELEASED: &str = "as-released";

/// A patched QEMU, from `--qemu-build`, from the cache, or built now.
pub fn ensure(args: &SourceArgs, model: Model) -> Result<Qemu> {
    let version = release(args)?.version;
    warn_of(&version);
    if let Some(build) = &args.qemu_build {
        let build = build.canonicalize().map_err(|e| {
            advice(
                format!("--qemu-build {}: {e}", build.display()),
                "name a directory in which QEMU 11.1.1 with patches/qemu has been built",
            )
        })?;
        let qemu = Qemu { build, source: None };
        check(&qemu.system(model), &version)?;
        return Ok(qemu);
    }
    let entry = entry(args)?;
    let qemu = Qemu { build: entry.join("build"), source: Some(entry.join("src")) };
    let lock = if place::is_complete(&entry) { None } else { Some(place::lock("qemu")?) };
    if lock.is_some() && !place::is_complete(&entry) {
        packages::ensure(&needs(args)?, args.yes)?;
        place::make_dir(&entry)?;
        fetch::ensure_space(&entry, 4000, "building QEMU")?;
        unpack(&entry, args)?;
        build(&entry, &version)?;
        check(&qemu.system(model), &version)?;
        place::complete(&entry, &version)?;
    }
    Ok(qemu)
}

/// The patched source, for a build of one's own, and a sum over what it is made of.
pub fn source(args: &SourceArgs) -> Result<(PathBuf, Key)> {
    let release = release(args)?;
    let mut key = Key::default().text("version", &release.version);
    for patch in patches()? {
        key = key.file(&patch)?;
    }
    if let Some(sum) = &release.given {
        key = key.text("given", sum);
    }
    let entry = entry(args)?;
    if !entry.join("src").is_dir() {
        let _lock = place::lock("qemu")?;
        place::make_dir(&entry)?;
        unpack(&entry, args)?;
    }
    Ok((entry.join("src"), key))
}

/// Refuses a QEMU that is not ours: not of the expected version, or without the patch series.
pub fn check(binary: &Path, expected: &str) -> Result<()> {
    let way_out = "leave --qemu-build and QEMU_IOMMU_QEMU_BUILD out, and `cargo xtask setup` builds the right one; \
                   or apply patches/qemu to QEMU 11.1.1 and build it as patches/README.md says";
    let output = Command::new(binary)
        .arg("--version")
        .output()
        .map_err(|e| advice(format!("cannot run {}: {e}", binary.display()), way_out))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version =
        text.lines().next().unwrap_or_default().strip_prefix("QEMU emulator version ").unwrap_or_default();
    let version = version.split_whitespace().next().unwrap_or("unknown");
    if version != expected {
        return Err(advice(
            format!("{} is QEMU {version}; the plugin is made for {expected}", binary.display()),
            way_out,
        ));
    }
    let help = Command::new(binary).arg("-help").output().context("running QEMU -help")?;
    if !String::from_utf8_lossy(&help.stdout).contains("-device-plugin") {
        return Err(advice(
            format!("{} is an unpatched QEMU {version}: it has no -device-plugin", binary.display()),
            way_out,
        ));
    }
    Ok(())
}

/// The source that is built when none is given: the distribution's, else upstream's release.
pub fn download(args: &SourceArgs) -> Result<PathBuf> {
    fetch::pinned(&SOURCE, args.sources.as_deref()).or_else(|e| {
        upstream(args.sources.as_deref()).map_err(|second| {
            // The first error lists the places; the second is upstream's.
            advice(
                format!("{e:#}\n    tried {second:#}"),
                format!("put the file in a directory and give that with --sources DIR, or name a source of {SERIES}x with --qemu-src"),
            )
        })
    })
}

/// Unpacks and patches into `src` (complete once it is there under that name).
fn unpack(entry: &Path, args: &SourceArgs) -> Result<()> {
    let src = entry.join("src");
    if src.is_dir() {
        return Ok(());
    }
    let expected = release(args)?.version;
    let given = args.qemu_src.as_deref();
    let source = given.map_or_else(|| download(args), |given| Ok(given.to_owned()))?;
    let step = Step::begin(&format!("QEMU {expected}: unpack and patch"), "qemu-unpack")?;
    let tmp = entry.join("src.tmp");
    let _ = fs::remove_dir_all(&tmp);
    fetch::unpack_source(&step, &source, &tmp)?;
    let version = fs::read_to_string(tmp.join("VERSION")).unwrap_or_default();
    if version.trim() != expected {
        return Err(advice(
            format!("the source is QEMU {:?}, not {expected}", version.trim()),
            "remove the download and try again",
        ));
    }
    let sum = content_sum(&tmp)?;
    if sum == CONTENT_SHA256 && expected == VERSION {
        fs::write(entry.join(AS_RELEASED), &sum)?;
    } else {
        let _ = fs::remove_file(entry.join(AS_RELEASED));
        if given.is_none() {
            return Err(not_as_released(&source, &sum));
        }
        crate::ui::info("the given QEMU source differs from the release; going on, as it was asked for");
    }
    // The distribution's tarball has no firmware blobs, and the build must not look for them.
    if !tmp.join("pc-bios/edk2-aarch64-code.fd.bz2").exists() {
        let file = tmp.join("meson.build");
        let text = fs::read_to_string(&file).context("reading meson.build")?;
        let text = text.replace("unpack_edk2_blobs = bzip2.found()", "unpack_edk2_blobs = false");
        fs::write(&file, text).context("writing meson.build")?;
    }
    for patch in patches()? {
        step.say(&patch.file_name().unwrap_or_default().to_string_lossy());
        // `git apply` would follow a repository above the cache; patch(1) takes the files as they are.
        step.run(
            Command::new("patch")
                .args(["-p1", "-s", "-f", "--no-backup-if-mismatch", "-i"])
                .arg(&patch)
                .current_dir(&tmp),
        )
        .map_err(|e| match given {
            Some(_) => advice(
                format!("{e:#}"),
                format!(
                    "patches/qemu are for {VERSION}: apply them to the source by hand, or give that release"
                ),
            ),
            None => e,
        })?;
    }
    fs::rename(&tmp, &src).context("renaming the source directory")?;
    step.finish(&format!("{} patches", patches()?.len()));
    Ok(())
}

fn not_as_released(source: &Path, sum: &str) -> anyhow::Error {
    advice(
        format!(
            "{} is not QEMU {VERSION} as released: its content's sum is {sum}, expected {CONTENT_SHA256}",
            source.display()
        ),
        "remove the download and try again, or give a trusted source with --qemu-src",
    )
}

/// Upstream's tarball, with the content that every tarball of the release has.
fn upstream(sources: Option<&Path>) -> Result<PathBuf> {
    let downloads = place::cache()?.join("downloads");
    let target = downloads.join(UPSTREAM);
    if target.is_file() {
        return Ok(target);
    }
    let step;
    let local = fetch::local_directory(sources).join(UPSTREAM);
    let candidate = if local.is_file() {
        step = Step::begin("upstream's release", "download")?;
        local
    } else {
        let address =
            format!("{}/{UPSTREAM}", fetch::base("QEMU_IOMMU_UPSTREAM", "https://download.qemu.org"));
        if std::env::var_os("QEMU_IOMMU_OFFLINE").is_some() {
            anyhow::bail!("{address}: QEMU_IOMMU_OFFLINE is set");
        }
        step = Step::begin("download upstream's release", "download")?;
        let partial = downloads.join(format!("{UPSTREAM}.partial"));
        fetch::download(&step, &address, &partial, 140_000_000).with_context(|| address.clone())?;
        partial
    };
    let tree = downloads.join("upstream.tmp");
    let _ = fs::remove_dir_all(&tree);
    // Nothing can be added to what is whole and wrong: the next run has to begin anew.
    let give_up = || {
        if candidate.starts_with(&downloads) {
            let _ = fs::remove_file(&candidate);
        }
    };
    fetch::unpack_source(&step, &candidate, &tree).inspect_err(|_| give_up())?;
    let sum = content_sum(&tree)?;
    fs::remove_dir_all(&tree).with_context(|| format!("removing {}", tree.display()))?;
    if sum != CONTENT_SHA256 {
        give_up();
        return Err(not_as_released(&candidate, &sum));
    }
    if candidate.starts_with(&downloads) {
        fs::rename(&candidate, &target)?;
    }
    step.finish("content as released");
    Ok(if target.is_file() { target } else { candidate })
}

/// Sum over the relative paths and contents of the files that every tarball of a release has alike.
pub fn content_sum(tree: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for dir in CONTENT_DIRECTORIES {
        let dir = tree.join(dir);
        if !dir.is_dir() {
            continue;
        }
        for file in place::files_below(&dir, &[])? {
            let name = file.strip_prefix(tree).unwrap_or(&file);
            hash.update(name.as_os_str().as_encoded_bytes());
            hash.update([0]);
            hash.update(place::sha256(&file)?.as_bytes());
        }
    }
    Ok(place::hex(&hash.finalize()))
}

/// The Python environment with QEMU's build tools.
pub fn python() -> Result<PathBuf> {
    environment("venv", PIP, "Python environment for QEMU")
}

/// A Python environment in the cache with these packages; returns its directory.
pub fn environment(name: &str, pip: &[&str], title: &str) -> Result<PathBuf> {
    let venv = place::cache()?
        .join("venv")
        .join(format!("{name}-{}", Key::default().text("pip", &pip.join(" ")).name()));
    if place::is_complete(&venv) && venv.join("bin/python3").exists() {
        return Ok(venv);
    }
    let _lock = place::lock(name)?;
    if place::is_complete(&venv) {
        return Ok(venv);
    }
    let step = Step::begin(title, name)?;
    let _ = fs::remove_dir_all(&venv);
    step.run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    step.run(
        Command::new(venv.join("bin/python3"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(pip),
    )?;
    place::complete(&venv, &pip.join("\n"))?;
    step.finish(&pip.join(", "));
    Ok(venv)
}

fn build(entry: &Path, version: &str) -> Result<()> {
    let build = entry.join("build");
    place::clear_if_failed(&build);
    let configured = build.join("configured");
    if !configured.is_file() {
        let python = python()?;
        let step = Step::begin(&format!("QEMU {version}: configure"), "qemu-configure")?;
        let _ = fs::remove_dir_all(&build);
        place::make_dir(&build)?;
        let mut c = Command::new("../src/configure");
        c.current_dir(&build)
            .arg(format!("--python={}", python.join("bin/python3").display()))
            .arg(format!("--target-list={TARGETS}"))
            .args(CONFIGURE);
        step.run(&mut c)?;
        fs::write(&configured, "").with_context(|| format!("writing {}", configured.display()))?;
        step.finish("both targets");
    }
    let step = Step::begin(&format!("QEMU {version}: build"), "qemu-build")?;
    step.run(Command::new("ninja").current_dir(&build).args(NINJA_TARGETS))
        .inspect_err(|_| place::failed(&build))?;
    step.finish("emulators and their IOMMU tests");
    Ok(())
}

/// Figures of a QEMU that was built for debugging compare nothing.
pub fn check_optimised(system: &Path) -> Result<()> {
    let file = system.with_file_name("meson-info").join("intro-buildoptions.json");
    // A QEMU that was installed does not say.
    let Ok(text) = fs::read_to_string(&file) else { return Ok(()) };
    let options: Vec<serde_json::Value> =
        serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
    let value = |name: &str| {
        options.iter().find(|option| option["name"] == name).map(|option| option["value"].clone())
    };
    let slow = value("optimization").is_some_and(|level| matches!(level.as_str(), Some("0" | "1" | "g")))
        || ["debug_tcg", "debug_mutex", "asan", "ubsan", "tsan"]
            .into_iter()
            .any(|name| value(name) == Some(true.into()));
    if slow {
        return Err(advice(
            format!("{} was built for debugging, and its figures mean nothing", system.display()),
            "leave --qemu-build out, or name a build with optimisation and without sanitizers",
        ));
    }
    Ok(())
}

#[test]
fn the_development_tree_is_no_release() {
    for version in ["11.1.0", VERSION, "11.1.12", "11.1.49"] {
        assert!(is_of_series(version), "{version}");
    }
    for version in ["11.1.50", "11.1.93", "11.2.0", "11.1.", "11.10.1", "unknown"] {
        assert!(!is_of_series(version), "{version}");
    }
}
