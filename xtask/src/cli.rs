// SPDX-License-Identifier: GPL-2.0-or-later
//! The command line.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

/// Device models of the Arm SMMUv3 and of Intel VT-d for QEMU: sets up, boots, tests.
#[derive(Parser)]
#[command(name = "qemu-iommu", bin_name = "cargo xtask", version, max_term_width = 110)]
#[command(
    after_help = "Exit codes: 0 passed; 1 a check failed; 2 usage; 3 something is missing or did not build; \
123 the guest's kernel raised an alarm (`boot --fail-on-warning`); 124 the guest hung or the time was up; 134 QEMU crashed; 255 the guest's kernel panicked. \
Otherwise `boot` with a command returns the command's own code, or 128 and the number of the signal that ended it."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Cmd,
}

impl Cli {
    /// Reads this process's command line; ends the process when it makes no sense.
    pub fn read() -> Self {
        let matches = Self::command().get_matches();
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
        if let Cmd::Demo(demo) = &mut cli.command {
            let named = matches.subcommand_matches("demo").and_then(|m| m.value_source("model"));
            demo.both = named != Some(ValueSource::CommandLine);
        }
        cli
    }
}

/// The commands.
#[derive(Subcommand)]
pub enum Cmd {
    /// Get and build everything the models need: QEMU, plugin, guest kernel, initramfs
    Setup(SetupCmd),
    /// Boot an unmodified Linux and watch a process share its memory with a device; without a model on both architectures
    Demo(DemoCmd),
    /// Boot the guest: interactive, or with a command after `--`
    Boot(BootCmd),
    /// Run the tests; closes with `N passed, N failed`
    Test(TestCmd),
    /// Measure translations and invalidations, beside QEMU's own models
    Bench(BenchCmd),
    /// Say what is there and what is missing, and change nothing
    Doctor(DoctorCmd),
    /// Print the guest kernel's configuration fragment, or check a tree's .config against it
    Kconfig(KconfigCmd),
    /// Make the QEMU bindings anew, or compare them with the checked-in ones
    Bindings(BindingsCmd),
    /// Print the QEMU command line (needs a finished set-up)
    CommandLine(CommandLineCmd),
}

/// The IOMMU's architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Model {
    /// Arm SMMUv3, machine `virt`, aarch64
    Smmuv3,
    /// Intel VT-d, machine `q35`, x86_64
    Vtd,
}

impl Model {
    /// QEMU's target name.
    pub fn target(self) -> &'static str {
        match self {
            Self::Smmuv3 => "aarch64",
            Self::Vtd => "x86_64",
        }
    }

    /// The kernel's `ARCH`.
    pub fn kernel_arch(self) -> &'static str {
        match self {
            Self::Smmuv3 => "arm64",
            Self::Vtd => "x86_64",
        }
    }

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smmuv3 => "smmuv3",
            Self::Vtd => "vtd",
        }
    }
}

/// Whose model of the IOMMU is in front of the devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Implementation {
    /// This project's
    Rust,
    /// QEMU's own
    C,
}

/// The SMMU's stall model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stall {
    /// Faults are never stalled
    Off,
    /// Streams may be stalled
    On,
    /// Every stream's faults are stalled
    Force,
}

/// What resolves the endpoints' page faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Faults {
    /// What an unmodified Linux has: stalls on the SMMU, page requests on VT-d
    Auto,
    /// The SMMU holds accesses back
    Stall,
    /// Page requests: on the SMMU with the kernel of patches/linux
    Pri,
}

/// The endpoints' driver in the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Driver {
    /// uio_pci_sva, which Linux has: one process a function
    Uio,
    /// The reference driver in guest/driver: many processes a function
    SvaTestdev,
}

/// The guest kernel's page size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PageSize {
    /// 4 KiB
    #[value(name = "4k")]
    K4,
    /// 16 KiB
    #[value(name = "16k")]
    K16,
    /// 64 KiB
    #[value(name = "64k")]
    K64,
}

impl PageSize {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::K4 => "4k",
            Self::K16 => "16k",
            Self::K64 => "64k",
        }
    }
}

/// How the guest learns what is in an Arm machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Firmware {
    /// From a device tree, without firmware
    Dt,
    /// From ACPI tables, through UEFI
    Acpi,
}

/// Where the parts come from.
#[derive(Args, Clone, Default)]
pub struct SourceArgs {
    /// Install missing Debian packages without asking
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// QEMU's source, of 11.1.x: a tarball or an unpacked tree; a build of its own
    #[arg(long, value_name = "FILE|DIR", env = "QEMU_IOMMU_QEMU_SRC")]
    pub qemu_src: Option<PathBuf>,
    /// A finished build directory of the patched QEMU
    #[arg(long, value_name = "DIR", env = "QEMU_IOMMU_QEMU_BUILD")]
    pub qemu_build: Option<PathBuf>,
    /// The guest kernel's source: a tarball of Linux or an unpacked tree; a build of its own
    #[arg(long, value_name = "FILE|DIR", env = "QEMU_IOMMU_LINUX_SRC", conflicts_with_all = ["kernel", "kdir"])]
    pub linux_src: Option<PathBuf>,
    /// A directory with tarballs and packages to look into before the network
    #[arg(long, value_name = "DIR", env = "QEMU_IOMMU_SOURCES")]
    pub sources: Option<PathBuf>,
    /// A kernel tree that is built (or its output directory)
    #[arg(long, value_name = "DIR", conflicts_with = "kernel")]
    pub kdir: Option<PathBuf>,
    /// A kernel image
    #[arg(long, value_name = "FILE", env = "QEMU_IOMMU_KERNEL")]
    pub kernel: Option<PathBuf>,
    /// An initramfs instead of ours
    #[arg(long, value_name = "FILE")]
    pub initrd: Option<PathBuf>,
    /// A plugin library instead of the one built from the checkout
    #[arg(long, value_name = "FILE", env = "QEMU_IOMMU_PLUGIN")]
    pub plugin: Option<PathBuf>,
}

/// What the machine looks like.
#[derive(Args, Clone)]
pub struct MachineArgs {
    /// Which IOMMU
    #[arg(value_enum, default_value = "smmuv3")]
    pub model: Model,
    /// Whose model of it
    #[arg(long = "impl", value_enum, default_value = "rust")]
    pub implementation: Implementation,
    /// With --impl c: this project's in its place, with the same properties (replace=on)
    #[arg(long)]
    pub replace: bool,
    /// The SMMU's stall model
    #[arg(long, value_enum)]
    pub stall: Option<Stall>,
    /// What resolves the endpoints' page faults
    #[arg(long, value_enum, default_value = "auto")]
    pub faults: Faults,
    /// The endpoints' driver in the guest
    #[arg(long, value_enum, default_value = "uio")]
    pub driver: Driver,
    /// Width of PASIDs, in the IOMMU and in the endpoints, 0 to 20
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=20))]
    pub pasid_bits: Option<u8>,
    /// The guest kernel's page size
    #[arg(long, value_enum, default_value = "4k")]
    pub page_size: PageSize,
    /// The guest's CPU model
    #[arg(long, default_value = "max")]
    pub cpu: String,
    /// The guest's kernel starts at EL2, and is a VHE host (SMMUv3)
    #[arg(long)]
    pub el2: bool,
    /// The IOMMU caches all it may, forgets no more than asked and answers as late as allowed
    #[arg(long)]
    pub adversarial: bool,
    /// Number of sva-testdev endpoints on the root bus (one more sits behind a root port); 0: none at all
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=24))]
    pub endpoints: u8,
    /// Also disks, network cards and an entropy source that know nothing of PASIDs, and checks of every byte they move
    #[arg(long)]
    pub ordinary: bool,
    /// A property of the IOMMU (of all of them), NAME=VALUE; may be repeated
    #[arg(long, value_name = "PROPERTY")]
    pub iommu: Vec<String>,
    /// How the guest of an Arm machine learns what is in it
    #[arg(long, value_enum, default_value = "dt")]
    pub firmware: Firmware,
    /// Number of SMMUs, each in front of a PCI root bus of its own; several need --firmware acpi. Endpoints are dealt out in turn
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub units: u8,
    /// A property of one SMMU, N:NAME=VALUE with N from 0; may be repeated
    #[arg(long, value_name = "PROPERTY")]
    pub unit: Vec<String>,
    /// A property of every endpoint, NAME=VALUE; may be repeated
    #[arg(long, value_name = "PROPERTY")]
    pub endpoint: Vec<String>,
    /// Words for the kernel's command line; may be repeated
    #[arg(long, short = 'a', value_name = "WORDS", allow_hyphen_values = true)]
    pub append: Vec<String>,
    /// Options for QEMU, split at spaces; may be repeated
    #[arg(long, short = 'o', value_name = "OPTIONS", allow_hyphen_values = true)]
    pub qemu_opts: Vec<String>,
    /// Number of guest CPUs
    #[arg(long, short = 'p', default_value_t = 2)]
    pub cpus: u8,
    /// Guest memory, QEMU's notation
    #[arg(long, short = 'm', default_value = "2G")]
    pub memory: String,
    /// Where things come from.
    #[command(flatten)]
    pub source: SourceArgs,
}

impl MachineArgs {
    /// What the options are by default.
    pub fn default_of(source: SourceArgs) -> Self {
        #[derive(clap::Parser)]
        struct Defaults {
            #[command(flatten)]
            machine: MachineArgs,
        }
        let defaults = <Defaults as clap::Parser>::parse_from(["defaults"]);
        Self { source, ..defaults.machine }
    }

    /// Whether the machine asks for what unmodified Linux does not have.
    pub fn patched_kernel(&self) -> bool {
        self.model == Model::Smmuv3 && self.faults == Faults::Pri
    }
}

/// `setup`
#[derive(Args)]
pub struct SetupCmd {
    /// Only what this IOMMU needs; without it, both
    #[arg(value_enum)]
    pub model: Option<Model>,
    /// The guest kernel's page size
    #[arg(long, value_enum, default_value = "4k")]
    pub page_size: PageSize,
    /// Only get the pinned sources, for later
    ///
    /// A set-up without a network needs more, which this does not fetch: Debian packages, crates, and from the Python index
    /// meson and pycotap for QEMU's build.
    #[arg(long)]
    pub download_only: bool,
    /// Where things come from.
    #[command(flatten)]
    pub source: SourceArgs,
}

/// What `demo` shows beside a guest.
#[derive(Subcommand)]
pub enum DemoWhat {
    /// A guest of a guest: KVM in a guest of ours, which gives its devices on (takes minutes)
    Nested(Box<NestedDemoCmd>),
}

/// `demo nested`
#[derive(Args)]
pub struct NestedDemoCmd {
    /// Only this IOMMU; without it, both
    #[arg(value_enum)]
    pub model: Option<Model>,
    /// Write the result to a file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Run these checks only (comma-separated)
    #[arg(long, value_name = "NAMES", default_value = "all")]
    pub run: String,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1500)]
    pub timeout: u64,
    /// Options for the outer guest's QEMU, split at spaces; may be repeated
    #[arg(long, short = 'o', value_name = "OPTIONS", allow_hyphen_values = true)]
    pub qemu_opts: Vec<String>,
    /// Words for the inner guest's kernel command line; may be repeated
    #[arg(long, short = 'a', value_name = "WORDS", allow_hyphen_values = true)]
    pub append: Vec<String>,
    /// Show the outer guest's console
    #[arg(long, short)]
    pub verbose: bool,
    /// Where things come from.
    #[command(flatten)]
    pub source: SourceArgs,
}

/// `demo`
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DemoCmd {
    /// Something else.
    #[command(subcommand)]
    pub what: Option<DemoWhat>,
    /// The machine.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// No model was named: one architecture after the other.
    #[arg(skip)]
    pub both: bool,
    /// Write the result to a file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Run these checks only (comma-separated)
    #[arg(long, value_name = "NAMES", default_value = "all")]
    pub run: String,
    /// Print QEMU's command line and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub timeout: u64,
    /// Show the guest's console
    #[arg(long, short)]
    pub verbose: bool,
    /// Keep the console log in this file
    #[arg(long, value_name = "FILE")]
    pub console: Option<PathBuf>,
}

/// `boot`
#[derive(Args)]
pub struct BootCmd {
    /// The machine.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Print QEMU's command line and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Wait for a debugger on port 1234
    #[arg(long)]
    pub gdb: bool,
    /// Give up after so many seconds (with a command)
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub timeout: u64,
    /// Keep the console log in this file
    #[arg(long, value_name = "FILE")]
    pub console: Option<PathBuf>,
    /// A WARN, an oops, a panic, a report of lockdep or KASAN is a failure, with exit code 123 (for `git bisect run`)
    #[arg(long)]
    pub fail_on_warning: bool,
    /// What to run in the guest: several words are a program and its arguments, one word is a shell command; without any,
    /// a shell
    #[arg(last = true)]
    pub run: Vec<String>,
}

/// `test`'s parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// All of them
    All,
    /// `cargo test`: formats, logic, properties, loom, the guest programs' own
    Unit,
    /// A guest's PASID table in a host's hands: the software host against emulation, mutations, failures; and Linux's, with
    /// a guest's program as VMM, on the kernel's mock and on both IOMMUs
    Nested,
    /// The demo once
    Boots,
    /// The demo over the configurations
    Matrix,
    /// Several SMMUs in one machine
    Units,
    /// Devices whose work another program does, which keeps translations: vhost
    Vhost,
    /// VT-d's interrupts: remapped, posted, forged, with and without x2APIC
    Interrupts,
    /// What no Linux does and the specification has, by registers and tables alone
    Registers,
    /// The endpoint's side of ATS and page requests, by registers alone
    Endpoint,
    /// With replace=on: properties and leniencies of QEMU's own models
    Compat,
    /// Registers, commands and events against the letter of the specification
    Conformance,
    /// No translation and no invalidation is slower than with QEMU's own models
    Bench,
    /// Save and restore with a stall open
    Snapshot,
    /// What a hostile guest tries, and QEMU has to live through
    Hostile,
    /// The demo fails where it has to
    Controls,
    /// Defects of QEMU's C model, shown by running both models
    Defects,
    /// QEMU's own IOMMU tests say what they say without our patches
    QemuQtests,
    /// The reference driver and the patched kernel: they build cleanly, and the demo passes with them
    Driver,
    /// Avocado boots of both models
    Avocado,
    /// Every error names its cause and the way out
    Messages,
    /// Not part of `all`: demos and guests' suites in random order beside two busy loops, for --minutes
    Soak,
    /// Set-up on a machine that has never seen this: empty cargo home and cache, rustup that installs, refuses, is not there
    Fresh,
    /// rustfmt, clippy, no panics in the logic, no misplaced unsafe
    Lint,
}

/// `test`
#[derive(Args)]
pub struct TestCmd {
    /// What to run
    #[arg(value_enum, default_value = "all")]
    pub suites: Vec<Suite>,
    /// Write the result to a file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Run only the tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// How long `soak` begins tests
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub minutes: u64,
    /// The order of `soak`, as a run has printed it
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Also run what is not part of every run: 16K pages, the driver against older kernels' headers
    #[arg(long)]
    pub more: bool,
    /// Where things come from.
    #[command(flatten)]
    pub source: SourceArgs,
}

/// `bench`
#[derive(Args)]
pub struct BenchCmd {
    /// Few measurements: about a minute in all
    #[arg(long)]
    pub quick: bool,
    /// Write the figures to a file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Only this IOMMU; without it, both
    #[arg(long, value_enum)]
    pub model: Option<Model>,
    /// Only scenarios whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// Where things come from.
    #[command(flatten)]
    pub source: SourceArgs,
}

/// `doctor`
#[derive(Args)]
pub struct DoctorCmd {
    /// Only what this IOMMU needs
    #[arg(value_enum)]
    pub model: Option<Model>,
    /// Where things come from.
    #[command(flatten)]
    pub source: SourceArgs,
}

/// `kconfig`
#[derive(Args)]
pub struct KconfigCmd {
    /// Which guest
    #[arg(value_enum, default_value = "smmuv3")]
    pub model: Model,
    /// The page size
    #[arg(long, value_enum, default_value = "4k")]
    pub page_size: PageSize,
    /// With lockdep and KASAN
    #[arg(long)]
    pub debug: bool,
    /// Check this tree's .config instead of printing the fragment
    #[arg(long, value_name = "DIR")]
    pub kdir: Option<PathBuf>,
}

/// `bindings`
#[derive(Args)]
pub struct BindingsCmd {
    /// Compare only; fails when they differ
    #[arg(long)]
    pub check: bool,
    /// Where things come from.
    #[command(flatten)]
    pub source: SourceArgs,
}

/// `command-line`
#[derive(Args)]
pub struct CommandLineCmd {
    /// The machine.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// As a JSON array of words
    #[arg(long)]
    pub json: bool,
    /// The guest runs these checks
    #[arg(long, value_name = "NAMES", default_value = "all")]
    pub run: String,
}
