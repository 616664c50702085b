// SPDX-License-Identifier: GPL-2.0-or-later
//! `qemu-iommu`, reached as `cargo xtask` in the checkout: sets up, boots, demonstrates, tests.

mod advice;
mod alarms;
mod bench;
mod boot;
mod cli;
mod demo;
mod doctor;
mod guest;
mod level2;
mod ordinary;
mod place;
mod protocol;
mod qmp;
mod qtest;
mod report;
mod scenario;
mod session;
mod setup;
mod tests;
mod ui;
mod vm;

use std::io;
use std::process::ExitCode;

use advice::{Advice, exit};
use cli::{Cli, Cmd};

/// `| head`: who reads us has enough. What is under way is wound up as after any panic, without the story of one.
fn stay_quiet_about_closed_pipes() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let closed = panic.payload_as_str().is_some_and(|text| {
            text.starts_with("failed printing to stdout") && text.contains("Broken pipe")
        });
        if !closed {
            usual(panic);
        }
    }));
}

fn main() -> ExitCode {
    stay_quiet_about_closed_pipes();
    let cli = Cli::read();
    let result = match &cli.command {
        Cmd::Setup(cmd) => setup::command(cmd).map(|()| exit::PASS),
        Cmd::Demo(cmd) => demo::command(cmd),
        Cmd::Boot(cmd) => boot::command(cmd),
        Cmd::Doctor(cmd) => doctor::command(cmd),
        Cmd::Kconfig(cmd) => doctor::kconfig(cmd).map(|()| exit::PASS),
        Cmd::Bindings(cmd) => doctor::bindings(cmd).map(|()| exit::PASS),
        Cmd::CommandLine(cmd) => demo::command_line(cmd).map(|()| exit::PASS),
        Cmd::Test(cmd) => tests::command(cmd),
        Cmd::Bench(cmd) => bench::command(cmd),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(e) => {
            eprintln!("error: {e:#}");
            // Wherever a disk can be full, the way out is the same.
            let full = |c: &(dyn std::error::Error + 'static)| {
                c.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::StorageFull)
            };
            if e.downcast_ref::<Advice>().is_none() && e.chain().any(full) {
                eprintln!(
                    "  way out: the disk is full: free some space, or put the cache elsewhere with QEMU_IOMMU_CACHE=DIR"
                );
                return ExitCode::from(exit::SETUP);
            }
            ExitCode::from(e.downcast_ref::<Advice>().map_or(exit::FAIL, |a| a.code))
        }
    }
}
