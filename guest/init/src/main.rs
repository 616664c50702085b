// SPDX-License-Identifier: GPL-2.0-or-later
//! PID 1 of the test guest.
//!
//! Mounts what a kernel offers, binds every `sva-testdev` function to `uio_pci_sva`, runs `sva-workload` or a
//! shell, says what the kernel thinks of it all, and powers off. The kernel's command line decides:
//!
//! | parameter | meaning |
//! |---|---|
//! | `sva.run=all`, `sva.run=NAME,NAME` | checks to run (all) |
//! | `sva.also=NAME,NAME` | checks to run beside those |
//! | `sva.skip=NAME,NAME` | checks to leave out |
//! | `sva.devices=N` | use the first N functions |
//! | `sva.spare=0000:00:03.0` | bind no process to this function: it is for VFIO |
//! | `sva.pciid=vvvv:dddd` | IDs of the functions, where the machine gives others than 1234:53a0 |
//! | `sva.driver=sva-testdev` | loads the reference driver and leaves the functions to it, instead of `uio_pci_sva` |
//! | `sva.driver-args=NAME=VALUE,…` | its module parameters |
//! | `sva.seconds=N` | longest time of one check in seconds |
//! | `sva.repeat=N` | run all of that so many times over |
//! | `sva.program=NAME` | runs this program of /bin instead of `sva-workload`, and leaves the functions to it |
//! | `sva.level2` | instead of all that: a guest of this guest's own, with the functions assigned to it |
//! | `sva.shell` | a busybox shell instead of the workload; with `sva.run`, after it. Where the initramfs has [`COMMAND`], that command instead of a shell |
//! | `sva.stay` | do not power off at the end |

mod level2;

use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use sva_guest::{driver, kernel, memory, pci};

/// A command to run in place of a shell: its words, each ended by a NUL. Its output comes between [`BEGIN`] and [`END`].
const COMMAND: &str = "/etc/command";
/// Marks the beginning of the command's output on the console.
const BEGIN: &str = "qemu-iommu: begin";
/// Marks the command's exit code: its own, or 128 and the number of the signal that ended it.
const END: &str = "qemu-iommu: exit code ";

const WORKLOAD: [&str; 2] = ["/bin/sva-workload", "/sva-workload"];

fn main() {
    if std::process::id() != 1 {
        eprintln!("init: this is a guest's first process; it does nothing as any other");
        std::process::exit(2);
    }
    std::panic::set_hook(Box::new(|info| {
        eprintln!("init: {info}");
        power_off();
    }));
    mount_all();
    take_console();
    greet();
    if kernel::parameter("sva.level2").is_some() {
        if let Some(child) = level2::start() {
            say_end("QEMU", reap(i32::try_from(child).unwrap_or(-1)));
        }
        farewell();
        power_off();
    }
    if kernel::parameter("sva.program").is_some() {
        // It takes what it needs.
    } else if kernel::parameter("sva.driver").is_some() {
        let parameters = kernel::parameter("sva.driver-args").unwrap_or_default().replace(',', " ");
        if let Err(complaint) = driver::load(&parameters) {
            println!("init: {complaint}");
        }
    } else {
        for complaint in pci::bind_all() {
            println!("init: {complaint}");
        }
    }
    if kernel::parameter("sva.program").is_none() {
        report_iommu();
    }

    let shell = kernel::parameter("sva.shell").is_some();
    if !shell || kernel::parameter("sva.run").is_some() {
        run_workload();
    }
    if shell {
        run_shell();
    }
    farewell();
    if kernel::parameter("sva.stay").is_none() {
        power_off();
    }
    loop {
        reap(-1);
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}

fn mount_all() {
    for (kind, at, options) in [
        (c"proc", c"/proc", c""),
        (c"sysfs", c"/sys", c""),
        (c"devtmpfs", c"/dev", c""),
        (c"devpts", c"/dev/pts", c""),
        (c"tmpfs", c"/dev/shm", c""),
        (c"tmpfs", c"/tmp", c"size=60%"),
        (c"tmpfs", c"/run", c""),
        (c"debugfs", c"/sys/kernel/debug", c""),
        (c"tracefs", c"/sys/kernel/tracing", c""),
    ] {
        mount(kind, at, options);
    }
}

fn mount(kind: &CStr, at: &CStr, options: &CStr) {
    // Errors are not worth a word here: what is missing shows where it is wanted.
    let _ = fs::create_dir_all(at.to_string_lossy().as_ref());
    // SAFETY: C strings throughout.
    unsafe { libc::mount(kind.as_ptr(), at.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
}

/// An initramfs without `/dev/console` starts its first process with no open files.
fn take_console() {
    if let Ok(console) = OpenOptions::new().read(true).write(true).open("/dev/console") {
        for fd in 0..3 {
            // SAFETY: both descriptors are open or about to be.
            unsafe { libc::dup2(console.as_raw_fd(), fd) };
        }
        if console.as_raw_fd() < 3 {
            std::mem::forget(console);
        }
    }
}

fn greet() {
    println!(
        "init: Linux {} on {}, {} KiB pages, {} MiB memory, {} functions",
        kernel::release(),
        kernel::machine(),
        memory::page_size() / 1024,
        kernel::meminfo("MemTotal").unwrap_or(0) / 1024,
        pci::functions().len(),
    );
}

fn report_iommu() {
    let log = kernel::log();
    for features in kernel::smmu_features(&log) {
        println!(
            "init: SMMUv3 features {features:#010x}: SVA {}, stall {}",
            if features & kernel::SMMU_SVA != 0 { "yes" } else { "NO" },
            match (features & kernel::SMMU_STALLS != 0, features & kernel::SMMU_STALL_FORCE != 0) {
                (_, true) => "forced",
                (true, false) => "offered",
                _ => "no",
            }
        );
    }
    for function in pci::functions() {
        match function.driver.as_ref().or(function.uio.as_ref()) {
            Some(node) => {
                println!("init: {} is /dev/{node}, PASID width {}", function.bdf, function.pasid_bits);
            }
            None => println!("init: {}: {}", function.bdf, pci::why_no_bind(&function)),
        }
    }
}

fn run_workload() {
    let other = kernel::parameter("sva.program").map(|name| format!("/bin/{name}"));
    let programs: Vec<&str> = other.as_deref().map_or(WORKLOAD.to_vec(), |other| vec![other]);
    let Some(program) = programs.iter().find(|path| Path::new(path).exists()) else {
        println!("init: no {} in this initramfs", programs.join(" and no "));
        return;
    };
    let name = program.rsplit('/').next().unwrap_or(program);
    let mut command = Command::new(program);
    if let Some(only) = kernel::parameter("sva.run").filter(|run| run != "all" && !run.is_empty()) {
        command.arg("--only").arg(only);
    }
    if let Some(also) = kernel::parameter("sva.also") {
        command.arg("--also").arg(also);
    }
    if let Some(skip) = kernel::parameter("sva.skip") {
        command.arg("--skip").arg(skip);
    }
    if let Some(seconds) = kernel::parameter("sva.seconds") {
        command.arg("--seconds").arg(seconds);
    }
    if let Some(times) = kernel::parameter("sva.repeat") {
        command.arg("--repeat").arg(times);
    }
    match command.spawn() {
        Ok(child) => {
            say_end(name, reap(i32::try_from(child.id()).unwrap_or(-1)));
        }
        Err(error) => println!("init: {program}: {error}"),
    }
}

fn say_end(program: &str, status: i32) {
    if libc::WIFSIGNALED(status) {
        println!("init: {program} was ended by signal {}", libc::WTERMSIG(status));
    } else {
        println!("init: {program} ended with {}", libc::WEXITSTATUS(status));
    }
}

/// Waits for `wanted`, and for orphans on the way. With -1 returns when there is nobody to wait for.
fn reap(wanted: i32) -> i32 {
    let flags = if wanted < 0 { libc::WNOHANG } else { 0 };
    loop {
        let mut status = 0;
        // SAFETY: status is writable.
        let pid = unsafe { libc::waitpid(-1, &mut status, flags) };
        if pid == wanted || pid <= 0 {
            return status;
        }
    }
}

fn run_shell() {
    let busybox = "/bin/busybox";
    if !Path::new(busybox).exists() {
        println!("init: no {busybox} in this initramfs: no shell");
        return;
    }
    let _ = Command::new(busybox).args(["--install", "-s", "/bin"]).status();
    if let Ok(words) = fs::read(COMMAND) {
        println!("{BEGIN}");
        let code = run_command(&words);
        println!("{END}{code}");
        return;
    }
    let mut shell = on_terminal(busybox, true);
    shell.arg("sh");
    println!("init: a shell; `sva-workload --list` names the checks, `exit` powers off");
    match shell.spawn() {
        Ok(child) => {
            reap(i32::try_from(child.id()).unwrap_or(-1));
        }
        Err(error) => println!("init: {busybox}: {error}"),
    }
}

/// Runs a command to its end; its exit code as a shell has it.
fn run_command(words: &[u8]) -> i32 {
    let words = words.strip_suffix(&[0]).unwrap_or(words);
    let mut words = words.split(|byte| *byte == 0).map(OsStr::from_bytes);
    let program = words.next().unwrap_or_default();
    // Not as the leader of a session with this terminal: when that one ends, so does what the terminal has not printed.
    let mut command = on_terminal(program, false);
    command.args(words);
    let status = match command.spawn() {
        Ok(child) => reap(i32::try_from(child.id()).unwrap_or(-1)),
        Err(error) => {
            eprintln!("{}: {error}", program.display());
            return if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
        }
    };
    // SAFETY: waits until the terminal has printed everything.
    unsafe { libc::tcdrain(libc::STDOUT_FILENO) };
    if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
}

/// A program with a shell's environment, a session of its own, and the terminal for its input and output; with
/// `controlling`, also as the terminal that controls it.
fn on_terminal(program: impl AsRef<OsStr>, controlling: bool) -> Command {
    // /dev/console cannot be a controlling terminal: take the device behind it.
    let terminal = kernel::text("/sys/class/tty/console/active")
        .and_then(|all| all.split_whitespace().last().map(|name| format!("/dev/{name}")))
        .unwrap_or_else(|| "/dev/console".into());
    let terminal = CString::new(terminal).unwrap_or_default();
    let mut command = Command::new(program);
    command.env("PATH", "/bin:/sbin:/usr/bin").env("HOME", "/").env("TERM", "vt100");
    // SAFETY: the calls are safe between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::setsid();
            let flags = if controlling { libc::O_RDWR } else { libc::O_RDWR | libc::O_NOCTTY };
            let fd = libc::open(terminal.as_ptr(), flags);
            if fd >= 0 {
                if controlling {
                    libc::ioctl(fd, libc::TIOCSCTTY, 0);
                }
                for target in 0..3 {
                    libc::dup2(fd, target);
                }
                if fd > 2 {
                    libc::close(fd);
                }
            }
            Ok(())
        });
    }
    command
}

fn farewell() {
    let modules = kernel::modules();
    let alarms = kernel::alarms(&kernel::log());
    println!(
        "init: modules loaded: {}; taint {}; alarms in the kernel's log: {}",
        if modules.is_empty() { "none".into() } else { modules.join(" ") },
        kernel::taint().map_or("unknown".into(), |taint| taint.to_string()),
        alarms.len()
    );
    for line in alarms {
        println!("init: kernel: {line}");
    }
}

fn power_off() {
    use std::io::Write;
    let _ = std::io::stdout().flush();
    // SAFETY: the end.
    unsafe {
        libc::sync();
        libc::reboot(libc::LINUX_REBOOT_CMD_POWER_OFF);
    }
}
