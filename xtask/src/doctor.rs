// SPDX-License-Identifier: GPL-2.0-or-later
//! `doctor`, `kconfig`, `bindings`: the state of things, and small chores.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use console::style;

use crate::advice::{advice, exit};
use crate::cli::{BindingsCmd, DoctorCmd, KconfigCmd, Model, PageSize};
use crate::setup::{fetch, kernel, packages, qemu, rust};
use crate::ui::Step;
use crate::{place, setup};

/// `doctor`: exit code 0 when nothing stands in the way.
pub fn command(cmd: &DoctorCmd) -> Result<u8> {
    let mut bad = 0;
    let mut say = |good: bool, what: &str, detail: &str| {
        bad += i32::from(!good);
        let mark = if good { style("ok").green() } else { style("--").red() };
        println!("  {mark}  {what:<22} {detail}");
    };
    say(true, "checkout", &place::root().display().to_string());
    let cache = place::cache()?;
    let space = fetch::ensure_space(&cache, 8000, "a whole set-up");
    say(space.is_ok(), "cache", &space.err().map_or_else(|| cache.display().to_string(), |e| e.to_string()));
    let models = cmd.model.map_or_else(|| vec![Model::Smmuv3, Model::Vtd], |m| vec![m]);
    let mut needs = qemu::needs(&cmd.source)?;
    for model in &models {
        needs.extend(kernel::needs(&cmd.source, *model, PageSize::K4)?);
    }
    let missing = packages::missing(&needs);
    let names: Vec<&str> = missing.iter().map(|p| p.name).collect();
    say(
        missing.is_empty(),
        "packages",
        &if names.is_empty() { "nothing missing".into() } else { format!("missing: {}", names.join(" ")) },
    );
    if !missing.is_empty() {
        println!("      {}", packages::install_command(&missing));
    }
    let mirrors = fetch::mirrors();
    say(
        !mirrors.is_empty(),
        "package archive",
        &if mirrors.is_empty() {
            "apt names none: give sources with --sources DIR".into()
        } else {
            mirrors.join(" ")
        },
    );
    match &cmd.source.qemu_build {
        Some(build) => {
            let checked = qemu::check(
                &build.join(format!("qemu-system-{}", models.first().map_or("aarch64", |m| m.target()))),
                qemu::VERSION,
            );
            say(
                checked.is_ok(),
                "QEMU",
                &checked.err().map_or_else(|| build.display().to_string(), |e| e.to_string()),
            );
        }
        None => {
            let entry = qemu::entry(&cmd.source)?;
            let state = if place::is_complete(&entry) {
                format!("{} built", qemu::VERSION)
            } else if entry.is_dir() {
                format!("{} begun; `setup` resumes", qemu::VERSION)
            } else {
                format!("{} not built yet; `setup` does it", qemu::VERSION)
            };
            say(true, "QEMU", &state);
        }
    }
    for model in &models {
        let ready = kernel::needs(&cmd.source, *model, PageSize::K4)?.is_empty();
        let what = format!("kernel {}", model.kernel_arch());
        say(true, &what, if ready { "ready" } else { "not built yet; `setup` does it" });
        say(true, &format!("guest for {}", model.target()), &rust::guest_way(model.target()));
    }
    let kvm = Path::new("/dev/kvm").exists();
    say(true, "accelerator", if kvm { "TCG (there is /dev/kvm; it is not used)" } else { "TCG" });
    Ok(if bad == 0 { exit::PASS } else { exit::SETUP })
}

/// `kconfig`
pub fn kconfig(cmd: &KconfigCmd) -> Result<()> {
    let fragment = kernel::fragment(cmd.model, cmd.page_size, cmd.debug)?;
    let Some(dir) = &cmd.kdir else {
        print!("{fragment}");
        return Ok(());
    };
    let config = fs::read_to_string(dir.join(".config")).map_err(|e| {
        advice(
            format!("{}: no .config: {e}", dir.display()),
            "name a configured kernel tree or its O= directory",
        )
    })?;
    let lacking = kernel::lacking(&config, cmd.model);
    for (symbol, state, why) in &lacking {
        println!("CONFIG_{symbol}=y    # {state}: {why}");
    }
    if lacking.is_empty() {
        println!("# this kernel can show SVA");
        return Ok(());
    }
    Err(advice(
        format!("{} symbols are missing (above)", lacking.len()),
        "append them to .config and run make olddefconfig",
    ))
}

/// `bindings`
pub fn bindings(cmd: &BindingsCmd) -> Result<()> {
    packages::ensure(&[packages::Need::Bindings], cmd.source.yes)?;
    let qemu = qemu::ensure(&cmd.source, Model::Smmuv3)?;
    let source = match (&qemu.source, &cmd.source.qemu_src) {
        (Some(ours), _) => ours.clone(),
        (None, Some(given)) if given.is_dir() => given.clone(),
        _ => {
            return Err(advice(
                "the source tree of the given QEMU build is not known",
                "name it with --qemu-src DIR beside --qemu-build",
            ));
        }
    };
    let checked_in = place::root().join("qemu-sys/src");
    let written = if cmd.check {
        let dir = setup::rust::target_dir()?.join("bindings-check");
        place::make_dir(&dir)?;
        dir
    } else {
        checked_in.clone()
    };
    let step = Step::begin("bindings from QEMU's headers", "bindings")?;
    let mut c = rust::cargo();
    c.args(["build", "--package", "qemu-sys", "--features", "bindgen"])
        .env("QEMU_SRC", &source)
        .env("QEMU_BUILD", &qemu.build)
        .env("QEMU_SYS_WRITE", &written)
        .current_dir(place::root());
    step.run(&mut c)?;
    step.finish("");
    if !cmd.check {
        println!("written to {}", written.display());
        return Ok(());
    }
    let mut differ = Vec::new();
    for file in place::files_below(&written, &[])? {
        let name = file.file_name().unwrap_or_default();
        let ours = fs::read(checked_in.join(name)).unwrap_or_default();
        if ours != fs::read(&file).with_context(|| file.display().to_string())? {
            differ.push(name.to_string_lossy().into_owned());
        }
    }
    if differ.is_empty() {
        println!("the checked-in bindings are those of QEMU {}", qemu::VERSION);
        return Ok(());
    }
    Err(advice(
        format!("these bindings differ from the checked-in ones: {}", differ.join(", ")),
        "run `cargo xtask bindings` and commit the result",
    ))
}
