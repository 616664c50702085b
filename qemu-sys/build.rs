// SPDX-License-Identifier: GPL-2.0-or-later
//! Without the feature `bindgen` the bindings are those that are checked in, for x86-64 and aarch64 hosts, and no QEMU, no C
//! compiler and no libclang are needed.
//!
//! With it, `QEMU_SRC` names QEMU's source tree and `QEMU_BUILD` a configured build directory. The new
//! bindings are what this build uses, and are also written to the directory `QEMU_SYS_WRITE` if it is
//! set (`qemu-sys/src` refreshes the checked-in files; any other directory lets one compare).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "bindgen")]
    generate::all();
    #[cfg(not(feature = "bindgen"))]
    checked_in();
}

/// What the checked-in bindings, made on x86-64, have to say on aarch64: glibc's mutex is 8 bytes longer there, and so is
/// what has one inside. (QEMU compares sizes when it loads the plugin.)
#[cfg(not(feature = "bindgen"))]
const AARCH64: &[(&str, &str)] = &[
    ("pub __size: [::core::ffi::c_char; 40usize]", "pub __size: [::core::ffi::c_char; 48usize]"),
    ("size_of::<pthread_mutex_t>() - 40usize", "size_of::<pthread_mutex_t>() - 48usize"),
    ("size_of::<QemuMutex>() - 48usize", "size_of::<QemuMutex>() - 56usize"),
    ("offset_of!(QemuMutex, initialized) - 40usize", "offset_of!(QemuMutex, initialized) - 48usize"),
    ("size_of::<AddressSpace>() - 160usize", "size_of::<AddressSpace>() - 168usize"),
    (
        "offset_of!(AddressSpace, map_client_list) - 152usize",
        "offset_of!(AddressSpace, map_client_list) - 160usize",
    ),
    ("offset_of!(PCIDevice, is_master) - 736usize", "offset_of!(PCIDevice, is_master) - 744usize"),
];

/// The checked-in bindings, for the host that QEMU will run on.
#[cfg(not(feature = "bindgen"))]
fn checked_in() {
    println!("cargo::rerun-if-changed=src/bindings.rs");
    let mut bindings =
        std::fs::read_to_string("src/bindings.rs").unwrap_or_else(|e| panic!("src/bindings.rs: {e}"));
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("aarch64") {
        for (x86_64, aarch64) in AARCH64 {
            assert_eq!(bindings.matches(x86_64).count(), 1, "src/bindings.rs: {x86_64}");
            bindings = bindings.replace(x86_64, aarch64);
        }
    }
    let out = std::env::var("OUT_DIR").unwrap_or_else(|e| panic!("OUT_DIR: {e}"));
    let path = std::path::Path::new(&out).join("bindings.rs");
    std::fs::write(&path, bindings).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

#[cfg(feature = "bindgen")]
mod generate {
    use std::env;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    /// Functions, types and variables that the wrappers use. Types that these mention come along.
    const FUNCTIONS: &[&str] = &[
        // Errors, log, locks, main loop
        "error_(setg_internal|free|get_pretty|propagate|report_err)",
        "error_append_hint",
        "qemu_log",
        "trace_event_register_group",
        "(error|warn|info)_report",
        "g_(free|malloc0|strndup)",
        "qemu_bh_(new_full|schedule|cancel|delete)",
        "bql_(locked|lock_impl|unlock)",
        "rcu_(un)?register_thread",
        "get_ptr_rcu_reader",
        "qemu_event_set",
        "qemu_set_fd_handler",
        "timer_(init_full|mod|mod_ns|del|deinit|pending)",
        "qemu_clock_get_ns",
        // QOM
        "type_register_static",
        "object_(get_typename|get_canonical_path|get_class|class_by_name|class_get_name|dynamic_cast)",
        "object_class_(dynamic_cast|property_add(_str|_bool)?|property_set_description|get_parent)",
        "object_(ref|unref|unparent|property_get_bool|property_get_link|property_find|resolve_path(_type)?)",
        "visit_type_(uint64|int64|str|bool)",
        // Devices
        "device_class_set_props_n",
        "device_class_set_legacy_reset",
        "resettable_(reset|class_set_parent_phases)",
        "qdev_(init_gpio_in|init_gpio_out|get_gpio_in|replace_type)",
        "qdev_prop_allow_set_link_before_realize",
        "qemu_set_irq",
        "sysbus_(init_mmio|init_irq)",
        "qemu_(add|del)_vm_change_state_handler",
        "memory_region_(init_ram_ptr|name)",
        "runstate_is_running",
        // Memory
        "memory_region_(init|init_io|init_iommu|init_alias|add_subregion|add_subregion_overlap|del_subregion)",
        "memory_region_(set_enabled|notify_iommu|get_ram_ptr|from_host|size|transaction_begin|transaction_commit)",
        "memory_region_(init_ram|register_iommu_notifier|unregister_iommu_notifier|iommu_replay)",
        "memory_listener_register",
        "address_space_(init|destroy|destroy_free|rw|map|unmap|stl_le|read_full|write)",
        "flatview_translate",
        "get_system_memory",
        // PCI
        "pci_(setup_iommu|setup_iommu_per_bus|register_bar|get_address_space|device_iommu_address_space)",
        "pci_(bus_num|bus_bypass_iommu|find_device|config_set_.*|add_capability|default_write_config|default_read_config)",
        "pci_(dma|ats|pri)_.*",
        "pci_device_get_iommu_bus_devfn",
        "pci_iommu_(un)?register_iotlb_notifier",
        "pci_(set_irq|bus_is_root|get_bus_devfn|device_root_bus|requester_id|device_reset|bridge_get_device)",
        "pcie_.*",
        "msix_.*",
        // Migration
        "qemu_(put|get)_(byte|be32|be64|buffer|be16)",
        "qemu_file_get_error",
        "migrate_(add|del)_blocker",
        "vmstate_register_with_alias_id",
    ];
    const TYPES: &[&str] = &[
        "Error",
        "TypeInfo",
        "InterfaceInfo",
        "Object(Class)?",
        "Device(State|Class)",
        "SysBusDevice(Class)?",
        "PCIDevice(Class)?",
        "PCIBus",
        "PCIIOMMUOps",
        "PCIDMA.*",
        "Resettable(Class|Phases)",
        "ResetType",
        "Property(Info)?",
        "VMState(Info|Field|Description|Flags)",
        "MigrationPriority",
        "MemoryRegion(Ops|Section)?",
        "IOMMU.*",
        "HostIOMMUDeviceIOMMUFD",
        "AddressSpace",
        "MemoryListener",
        "MemTxAttrs",
        "FlatView",
        "rcu_reader_data",
        "QEMU(BH|Timer|TimerList|ClockType)",
        "MemReentrancyGuard",
        "RunState",
        "OnOffAuto",
        "TraceEvent",
        "DeviceCategory",
        "MSIMessage",
        "QemuDevicePlugin.*",
        "ArmSMMUv3.*",
        "X86IOMMU(State|Class)",
        "IntelIOMMU.*",
        "device_endian",
    ];
    const VARS: &[&str] = &[
        "TYPE_(DEVICE|PCI_DEVICE|PCI_BUS|SYS_BUS_DEVICE|IOMMU_MEMORY_REGION|MEMORY_REGION|OBJECT|RESETTABLE_INTERFACE|INTERFACE)",
        "TYPE_(ARM_SMMUV3.*)",
        "Q35_HOST_BRIDGE_IOMMU_ADDR",
        "INTERFACE_(PCIE|CONVENTIONAL_PCI)_DEVICE",
        "PCI_[A-Z0-9_]+",
        "PCIE_[A-Z0-9_]+",
        "QEMU_PCI_.*",
        "PCI_NO_PASID",
        "MEMTX_.*",
        "LOG_.*|CPU_LOG_.*",
        "qemu_loglevel",
        "rcu_gp_(ctr|event)",
        "qdev_prop_(bool|uint8|uint16|uint32|uint64|int32|int64|usize|string|on_off_auto|oas_mode|ssidsize_mode|link|size|bit|bit64)",
        "vmstate_(pci_device|msix|info_(uint8|uint16|uint32|uint64|bool|buffer))",
        "error_(fatal|abort|warn)",
        "address_space_(memory|io)",
        "main_loop_tlg",
        "QEMU_DEVICE_PLUGIN_ABI",
        "QEMU_VERSION",
        "QEMU_CLOCK_.*",
        "MSIX_.*",
    ];
    /// Macros that match the patterns above but mean nothing here.
    const BLOCKED: &[&str] =
        &["PCI_VENDOR_ID_.*", "PCI_DEVICE_ID_.*", "PCI_SUBDEVICE_ID_.*", "PCI_SUBVENDOR_ID_.*"];

    struct Headers {
        args: Vec<String>,
        include_dirs: Vec<PathBuf>,
    }

    fn required(name: &str) -> PathBuf {
        println!("cargo::rerun-if-env-changed={name}");
        let value = env::var_os(name)
            .unwrap_or_else(|| panic!("the feature `bindgen` needs {name}: QEMU's source tree is QEMU_SRC, its build directory QEMU_BUILD"));
        PathBuf::from(value).canonicalize().unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn command_output(program: &str, args: &[&str]) -> String {
        let out = Command::new(program).args(args).output().unwrap_or_else(|e| panic!("{program}: {e}"));
        assert!(out.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    fn headers(src: &Path, build: &Path) -> Headers {
        let mut include_dirs = vec![
            build.to_owned(),
            src.join("include"),
            src.to_owned(),
            build.join("qapi"),
            src.join("linux-headers"),
        ];
        for flag in command_output("pkg-config", &["--cflags-only-I", "glib-2.0"]).split_whitespace() {
            include_dirs.push(PathBuf::from(flag.trim_start_matches("-I")));
        }
        let mut args: Vec<String> = vec!["-D_GNU_SOURCE".into(), "-std=gnu11".into()];
        args.extend(include_dirs.iter().map(|d| format!("-I{}", d.display())));
        // libclang without the clang program has no headers of its own: take the C compiler's.
        if Command::new("clang").arg("--version").output().is_err() {
            args.push(format!("-isystem{}", command_output("cc", &["-print-file-name=include"])));
        }
        Headers { args, include_dirs }
    }

    fn builder(header: &str, headers: &Headers) -> bindgen::Builder {
        println!("cargo::rerun-if-changed={header}");
        bindgen::Builder::default()
            .header(header)
            .clang_args(&headers.args)
            .use_core()
            .formatter(bindgen::Formatter::Prettyplease)
            .disable_header_comment()
            .generate_comments(false)
            .rust_target(bindgen::RustTarget::stable(85, 0).unwrap_or_else(|_| panic!("rust target")))
            .rust_edition(bindgen::RustEdition::Edition2024)
    }

    fn write(name: &str, bindings: &str) {
        let text = format!(
            "// SPDX-License-Identifier: GPL-2.0-or-later\n// Made by bindgen from QEMU's headers: see qemu-sys/build.rs. Not edited by hand.\n\n{bindings}"
        );
        let mut dirs = vec![PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"))];
        println!("cargo::rerun-if-env-changed=QEMU_SYS_WRITE");
        dirs.extend(env::var_os("QEMU_SYS_WRITE").map(PathBuf::from));
        for dir in dirs {
            std::fs::create_dir_all(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
            let path = dir.join(name);
            std::fs::write(&path, &text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        }
    }

    /// Every constant as a plain `u64`, sorted: enumerators in C have one anonymous type each, numbered by
    /// their place in the headers, which would make the file differ for no reason.
    fn plain_constants(bindings: &str) -> String {
        let joined = bindings.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut lines: Vec<String> = joined
            .split("pub const ")
            .skip(1)
            .filter_map(|item| {
                let (name, rest) = item.split_once(':')?;
                let value = rest.split_once('=')?.1.split_once(';')?.0.trim();
                Some(format!("pub const {name}: u64 = {value};\n"))
            })
            .collect();
        lines.sort();
        lines.dedup();
        lines.concat()
    }

    /// The stamp of a build, which QEMU puts into the names of its modules' entry points: no string in C.
    fn stamp(build: &Path) -> String {
        let file = build.join("config-host.h");
        println!("cargo::rerun-if-changed={}", file.display());
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let stamp =
            text.lines().find_map(|line| line.strip_prefix("#define CONFIG_STAMP ")).unwrap_or_else(|| {
                panic!("{}: no CONFIG_STAMP: configure QEMU with --enable-modules", file.display())
            });
        format!("pub const QEMU_STAMP: &::core::ffi::CStr = c\"{}\";\n", stamp.trim())
    }

    pub fn all() {
        let src = required("QEMU_SRC");
        let build = required("QEMU_BUILD");
        let headers = headers(&src, &build);

        let mut main = builder("wrapper.h", &headers)
            .default_enum_style(bindgen::EnumVariation::NewType { is_bitfield: false, is_global: true })
            .bitfield_enum("IOMMU(AccessFlags|NotifierFlag)|VMStateFlags")
            .derive_default(true)
            .derive_debug(false)
            .layout_tests(true)
            .blocklist_type(".*_([a-z]*autoptr|listautoptr|slistautoptr|queueautoptr)")
            .blocklist_function(".*autoptr.*|.*_CHECK|.*_GET_CLASS");
        for f in FUNCTIONS {
            main = main.allowlist_function(f);
        }
        for t in TYPES {
            main = main.allowlist_type(t);
        }
        for v in VARS {
            main = main.allowlist_var(v);
        }
        for b in BLOCKED {
            main = main.blocklist_var(b);
        }
        let bindings = main.generate().unwrap_or_else(|e| panic!("wrapper.h: {e}"));
        write("bindings.rs", &format!("{bindings}{}", stamp(&build)));

        let oracle = builder("oracle_smmuv3.h", &headers)
            .allowlist_recursively(false)
            .allowlist_var("[AR]_(STE|CD|IDR|AIDR|IIDR|CR|STATUSR|GBPA|AGBPA|IRQ|GERROR|STRTAB|CMDQ|EVENTQ|PRIQ|VATOS|S_).*")
            .allowlist_var("(CMD|EVT|SMMU_EVT|SMMU_CMD)_.*")
            .allowlist_type("SMMUEventType|SMMUCommandType|SMMUCmdError")
            .default_enum_style(bindgen::EnumVariation::Consts)
            .prepend_enum_name(false)
            .layout_tests(false);
        let oracle = oracle.generate().unwrap_or_else(|e| panic!("oracle_smmuv3.h: {e}"));
        write("oracle_smmuv3.rs", &plain_constants(&oracle.to_string()));

        // The C compiler's idea of the layouts, to compare with libclang's.
        println!("cargo::rerun-if-changed=shim.c");
        cc::Build::new()
            .file("shim.c")
            .includes(&headers.include_dirs)
            .define("_GNU_SOURCE", None)
            .std("gnu11")
            .warnings(false)
            .compile("qemu_sys_shim");
    }
}
