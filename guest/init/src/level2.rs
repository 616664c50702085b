// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest of this guest's own: QEMU in the initramfs, and every `sva-testdev` function assigned to it by VFIO.

use std::fs;
use std::process::Command;

use sva_guest::{kernel, pci};

/// QEMU's command line, a word a line. `PORT(name)` stands for the device of the virtio-serial port of that name.
const WORDS: &str = "/root/level2";

/// Assigns the functions and starts the guest. Its process id.
pub fn start() -> Option<u32> {
    for function in pci::functions().into_iter().chain(pci::spare()) {
        match pci::assign(&function.bdf) {
            Ok(node) => println!("init: {} is {node}", function.bdf),
            Err(complaint) => println!("init: {complaint}"),
        }
    }
    let words = match fs::read_to_string(WORDS) {
        Ok(words) => words,
        Err(error) => {
            println!("init: {WORDS}: {error}");
            return None;
        }
    };
    let mut words = words.lines().map(with_port);
    let mut command = Command::new(words.next()?);
    match command.args(words).spawn() {
        Ok(child) => Some(child.id()),
        Err(error) => {
            println!("init: QEMU: {error}");
            None
        }
    }
}

fn with_port(word: &str) -> String {
    let parts = word.split_once("PORT(").and_then(|(before, rest)| Some((before, rest.split_once(')')?)));
    let Some((before, (name, after))) = parts else { return word.to_owned() };
    format!("{before}{}{after}", port(name).unwrap_or_else(|| "/dev/null".into()))
}

fn port(wanted: &str) -> Option<String> {
    let ports = fs::read_dir("/sys/class/virtio-ports").ok()?;
    let mut names = ports.flatten().filter_map(|entry| {
        let name = kernel::text(&entry.path().join("name").to_string_lossy())?;
        (name == wanted).then(|| format!("/dev/{}", entry.file_name().to_string_lossy()))
    });
    names.next()
}
