// SPDX-License-Identifier: GPL-2.0-or-later
//! Programs that link this library and are not QEMU: integration tests, benchmarks, examples. They never
//! call the device glue, whose symbols only QEMU has.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for kind in ["tests", "benches", "examples"] {
        println!("cargo::rerun-if-changed={kind}");
        // Cargo refuses arguments for kinds of programs that there are none of.
        let exists = std::fs::read_dir(kind).is_ok_and(|files| {
            files.flatten().any(|file| file.path().extension().is_some_and(|extension| extension == "rs"))
        });
        if exists {
            println!("cargo::rustc-link-arg-{kind}=-Wl,--unresolved-symbols=ignore-all");
        }
    }
}
