// SPDX-License-Identifier: GPL-2.0-or-later
//! Formatting, clippy, no panics in the release code of formats and logic, `unsafe` only where it may be.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Runner, Verdict, pass};
use crate::place;
use crate::setup::rust;
use crate::ui::Step;

/// The suite.
pub fn run(runner: &mut Runner) {
    let root = place::root();
    let guest = root.join("guest");
    let example = root.join("examples/accelerator");
    for (name, dir) in [("workspace", &root), ("guest", &guest), ("example", &example)] {
        if !dir.join("Cargo.toml").is_file() {
            continue;
        }
        runner.test(&format!("lint/fmt-{name}"), |_, log| {
            quiet(rust::cargo().args(["fmt", "--all", "--check"]).current_dir(dir), &log)
        });
        runner.test(&format!("lint/clippy-{name}"), |_, log| {
            let mut c = rust::cargo();
            c.arg("clippy").current_dir(dir).env("CARGO_TARGET_DIR", rust::target_dir()?.join("clippy"));
            if name == "workspace" {
                c.arg("--workspace");
            }
            // Nearly all of it is compiling.
            let step = Step::begin(&format!("clippy: {name}"), "clippy")?;
            let verdict = quiet(c.args(["--all-targets", "--", "-D", "warnings"]), &log)?;
            step.finish("no finding");
            Ok(verdict)
        });
    }
    runner.test("lint/unsafe-locations", |_, _| unsafe_locations(&root.join("src")));
    runner.test("lint/limited-logs", |_, _| limited_logs(&root.join("src")));
    runner.test("lint/no-panics-in-logic", |_, log| no_panics(&log));
}

/// A command whose success is the verdict; its output is kept.
fn quiet(command: &mut Command, dir: &Path) -> Result<Verdict> {
    let output = command.output().with_context(|| format!("running {:?}", command.get_program()))?;
    let mut text = output.stdout;
    text.extend(output.stderr);
    let log = dir.join("log");
    fs::write(&log, &text)?;
    if output.status.success() {
        return pass();
    }
    bail!("{}\nlog: {}", place::tail(&log, 25).join("\n"), log.display())
}

/// `unsafe` in code (not in comments or attributes) outside `src/qemu/`, `device.rs` files, and the system calls of
/// `src/nested/iommufd/ioctl.rs`.
fn unsafe_locations(src: &Path) -> Result<Verdict> {
    let mut found = Vec::new();
    let mut files = 0;
    for file in place::files_below(src, &["qemu"])? {
        if file.extension().is_none_or(|e| e != "rs")
            || file.file_name().is_some_and(|n| n == "device.rs")
            || file.ends_with("nested/iommufd/ioctl.rs")
        {
            continue;
        }
        files += 1;
        let text = fs::read_to_string(&file)?;
        for (n, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let word = |w: &str| code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|t| t == w);
            if word("unsafe") {
                found.push(format!("{}:{}: {}", file.display(), n + 1, line.trim()));
            }
        }
    }
    if found.is_empty() {
        return Ok(Verdict::Pass(format!("{files} files without")));
    }
    bail!("unsafe outside src/qemu/, device.rs and nested/iommufd/ioctl.rs:\n{}", found.join("\n"))
}

/// Log targets that are rate-limited: `src/iommu/log_limit.rs`.
const LIMITED: &[&str] =
    &["GUEST_ERRORS", "UNIMP", "HOST_ERRORS", "\"guest_errors\"", "\"unimp\"", "\"host_errors\""];

/// Every `warn!` and `error!` names a target that is rate-limited: a guest may cause any of them as often as it likes.
fn limited_logs(src: &Path) -> Result<Verdict> {
    let mut found = Vec::new();
    let mut lines = 0;
    for file in place::files_below(src, &[])? {
        if file.extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let text = fs::read_to_string(&file)?;
        let (limited, unlimited) = log_lines(&text);
        lines += limited;
        found.extend(unlimited.iter().map(|(n, line)| format!("{}:{n}: {line}", file.display())));
    }
    if !found.is_empty() {
        bail!(
            "warn! and error! without a target of {LIMITED:?}, which a guest may flood:\n{}",
            found.join("\n")
        );
    }
    if lines < 10 {
        bail!("only {lines} lines were found below {}: the check sees nothing", src.display());
    }
    Ok(Verdict::Pass(format!("{lines} lines, each with a limit")))
}

/// How many `warn!` and `error!` name a limited target, and which ones do not.
fn log_lines(text: &str) -> (usize, Vec<(usize, String)>) {
    let (mut limited, mut unlimited) = (0, Vec::new());
    let mut offset = 0;
    for (n, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for name in ["warn!(", "error!("] {
            let Some(at) = code.find(name) else { continue };
            let before = code.get(..at).and_then(|before| before.chars().last());
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                // Another macro, whose name ends like these.
                continue;
            }
            let arguments = text.get(offset + at + name.len()..).unwrap_or_default().trim_start();
            let target =
                arguments.strip_prefix("target:").map(str::trim_start).and_then(|a| a.split(',').next());
            // A path is as good as the name at its end.
            let target = target.map(|target| target.rsplit("::").next().unwrap_or(target).trim());
            if target.is_some_and(|target| LIMITED.contains(&target)) {
                limited += 1;
            } else {
                unlimited.push((n + 1, line.trim().to_owned()));
            }
        }
        offset += line.len() + 1;
    }
    (limited, unlimited)
}

/// Parts of names of functions that panic.
const PANICS: &[&str] = &[
    "panicking",
    "unwrap_failed",
    "expect_failed",
    "slice_index",
    "slice_start_index",
    "slice_end_index",
    "slice_error_fail",
    "copy_from_slice",
    "len_mismatch_fail",
    "begin_panic",
    "panic_display",
    "panic_nounwind",
    "cell22panic_already",
];

/// Counts references to panicking functions from the logic's functions in an optimised build, by relocation.
fn no_panics(dir: &Path) -> Result<Verdict> {
    let target = rust::target_dir()?.join("no-panics");
    let mut c = rust::cargo();
    // Without the QOM glue, and as an archive of ordinary objects: thin LTO would leave bitcode instead.
    c.args([
        "rustc",
        "--release",
        "--package",
        "qemu-iommu",
        "--lib",
        "--no-default-features",
        "--crate-type",
        "rlib",
    ])
    .env("CARGO_TARGET_DIR", &target)
    .env("CARGO_PROFILE_RELEASE_LTO", "off")
    .current_dir(place::root());
    quiet(&mut c, dir)?;
    let library = target.join("release/libqemu_iommu.rlib");
    let output = Command::new("objdump")
        .args(["-r", "-w"])
        .arg(&library)
        .output()
        .context("running objdump (binutils)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (functions, found) = panic_references(&text);
    let list: Vec<String> = found.iter().map(|(f, p)| format!("{f}: {p}")).collect();
    fs::write(dir.join("references"), list.join("\n"))?;
    if functions < 50 {
        bail!(
            "only {functions} functions of the logic were found in {}: the check sees nothing",
            library.display()
        );
    }
    if found.is_empty() {
        return Ok(Verdict::Pass(format!("{functions} functions, no reference to a panic")));
    }
    let shown: Vec<&str> = list.iter().take(20).map(String::as_str).collect();
    bail!(
        "{} functions of the logic can panic (all in {}):\n{}",
        found.len(),
        dir.join("references").display(),
        shown.join("\n")
    )
}

/// From `objdump -r`: how many functions of the logic have relocations, and which of them refer to which panic.
fn panic_references(objdump: &str) -> (usize, BTreeMap<String, String>) {
    let mut functions = 0;
    let mut found = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in objdump.lines() {
        if let Some(section) = line.strip_prefix("RELOCATION RECORDS FOR [") {
            // Everything in this archive is formats and logic, generic code of the libraries that it uses included.
            let name = section.trim_end_matches("]:").strip_prefix(".text.");
            current = name.map(|n| n.trim_start_matches("unlikely.").to_owned());
            functions += usize::from(current.is_some());
            continue;
        }
        let Some(function) = &current else { continue };
        let Some(symbol) = line.split_whitespace().nth(2) else { continue };
        // A lock looks whether its holder panicked, which is no panic.
        if PANICS.iter().any(|p| symbol.contains(p)) && !symbol.contains("panic_count") {
            found.entry(readable(function)).or_insert_with(|| readable(symbol));
        }
    }
    (functions, found)
}

/// A mangled name's identifiers, joined.
fn readable(mangled: &str) -> String {
    let mut words = Vec::new();
    let mut rest = mangled;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        rest = rest.get(at..).unwrap_or_default();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let after = rest.get(digits.len()..).unwrap_or_default();
        let length = digits.parse::<usize>().unwrap_or(0);
        match after.trim_start_matches('_').get(..length) {
            Some(word) if length > 0 && !word.starts_with('h') | (length != 17) => {
                words.push(word);
                rest = after.get(length..).unwrap_or_default();
            }
            _ => rest = after,
        }
    }
    if words.is_empty() { mangled.to_owned() } else { words.join("::") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_a_limit_are_found() {
        let text = r#"
            log::warn!(target: GUEST_ERRORS, "{a}");
            log::error!(
                target: crate::iommu::log_limit::HOST_ERRORS,
                "{b}"
            );
            log::warn!("{c}"); // warn!("in a comment")
            log::error!(target: module_path!(), "{d}");
            warn!("{e}");
            my_warn!("{f}");
            log::debug!("{g}");
        "#;
        let (limited, unlimited) = log_lines(text);
        assert_eq!(limited, 2);
        assert_eq!(unlimited.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [7, 8, 9]);
    }

    #[test]
    fn panics_are_found_by_function() {
        let text = "\
RELOCATION RECORDS FOR [.text._ZN10qemu_iommu6smmuv34walk4walk17h0123456789abcdefE]:
OFFSET           TYPE              VALUE
0000000000000010 R_X86_64_PLT32    _ZN4core9panicking5panic17h0123456789abcdefE-0x0000000000000004

RELOCATION RECORDS FOR [.text._ZN10qemu_iommu6smmuv35queue3pop17h0123456789abcdefE]:
OFFSET           TYPE              VALUE
0000000000000010 R_X86_64_PLT32    memcpy-0x0000000000000004
0000000000000018 R_X86_64_GOTPCREL _ZN3std9panicking11panic_count18GLOBAL_PANIC_COUNTE-0x0000000000000004

RELOCATION RECORDS FOR [.debug_info]:
OFFSET           TYPE              VALUE
0000000000000010 R_X86_64_64       _ZN4core9panicking5panic17h0123456789abcdefE
";
        let (functions, found) = panic_references(text);
        assert_eq!(functions, 2);
        assert_eq!(found.len(), 1);
        assert_eq!(found.keys().next().unwrap(), "qemu_iommu::smmuv3::walk::walk");
    }
}
