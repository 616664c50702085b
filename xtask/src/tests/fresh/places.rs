// SPDX-License-Identifier: GPL-2.0-or-later
//! The places that sources come from, one at a time: a server on this machine is laid out as each is. That the real ones have
//! what they are said to have is not tested here.

use std::fs;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};

use super::super::messages::this_program;
use super::super::{Runner, Verdict};
use crate::cli::{Model, SourceArgs};
use crate::place;
use crate::setup::apt::Archive;
use crate::setup::packages::on_path;
use crate::setup::{fetch, foreign, initramfs, kernel, qemu, rust};
use crate::ui::Step;

/// One of the places.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A mirror, as apt is configured with.
    Mirror,
    /// The archive of all versions, by day and name.
    Day,
    /// The same by content.
    Content,
    /// QEMU's own downloads.
    Upstream,
}

const PLACES: [(Place, &str); 4] = [
    (Place::Mirror, "mirror"),
    (Place::Day, "snapshot-by-day"),
    (Place::Content, "snapshot-by-content"),
    (Place::Upstream, "upstream"),
];

/// The rows.
pub fn run(runner: &mut Runner) {
    for (place, name) in PLACES {
        runner.test(&format!("fresh/from-{name}"), |r, dir| download_from(r, place, &dir));
    }
    for (resumes, name) in [(true, "resuming"), (false, "not-resuming")] {
        runner.test(&format!("fresh/wrong-beginning-{name}"), |r, dir| wrong_beginning(r, resumes, &dir));
    }
    runner.test("fresh/from-nowhere", from_nowhere);
    runner.test("fresh/packages-of-the-day", packages_of_the_day);
}

/// Every pinned file, taken from this machine's cache or the network.
fn files(args: &SourceArgs) -> Result<Vec<PathBuf>> {
    let mut files = vec![qemu::download(args)?, kernel::download(args)?];
    files.extend(rust::download(args)?);
    for model in [Model::Smmuv3, Model::Vtd] {
        files.push(initramfs::download(args, model)?);
    }
    Ok(files)
}

/// Where a place keeps a file.
fn path_in(place: Place, file: &Path) -> Result<String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // As the archive's layout has it: by the source's name, and a library's by four letters.
    let source = match name.split('_').next().unwrap_or_default() {
        "linux-source-7.2" => "linux",
        "rust-src" => "rustc",
        "busybox-static" => "busybox",
        other => other,
    };
    let pool = format!("pool/main/{}/{source}/{name}", source.get(..1).unwrap_or_default());
    Ok(match place {
        Place::Mirror => format!("/debian/{pool}"),
        Place::Day => format!("/archive/debian/{}/{pool}", fetch::DAY),
        Place::Content => format!("/file/{}", sha1(file)?),
        Place::Upstream => format!("/{}", name.replace('_', "-").replace("+ds.orig", "")),
    })
}

fn sha1(file: &Path) -> Result<String> {
    let output = Command::new("sha1sum").arg(file).output().context("running sha1sum")?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_whitespace().next().context("sha1sum said nothing")?.to_owned())
}

/// `setup --download-only` in an empty cache, with one place that answers.
fn download_from(runner: &Runner, place: Place, dir: &Path) -> Result<Verdict> {
    let mut all = files(&runner.source)?;
    if place == Place::Upstream {
        all.truncate(1);
    }
    let mut routes = Vec::new();
    for file in &all {
        routes.push((path_in(place, file)?, file.clone()));
    }
    let server =
        Server::start(move |path| routes.iter().find(|(at, _)| at == path).map(|(_, file)| file.clone()))?;
    let cache = super::workshop()?.join("places");
    let mut c = downloading(runner, &server, place, &cache)?;
    let output = c.output().context("starting this program")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    fs::write(dir.join("output"), [output.stdout.as_slice(), &output.stderr].concat())?;
    for file in &all {
        let asked = path_in(place, file)?;
        ensure!(server.asked().contains(&asked), "{asked} was never asked for");
        let name = asked.rsplit('/').next().unwrap_or_default();
        let name = if place == Place::Content {
            file.file_name().unwrap_or_default().to_string_lossy()
        } else {
            name.into()
        };
        let got = cache.join("downloads").join(name.as_ref());
        ensure!(
            got.is_file() && place::sha256(&got)? == place::sha256(file)?,
            "{} is not there",
            got.display()
        );
    }
    if place == Place::Upstream {
        // It has QEMU alone: the next file is what fails.
        ensure!(!output.status.success(), "the kernel's source came from nowhere: {text}");
    } else {
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        ensure!(text.lines().count() == all.len(), "{} files, and these were named: {text}", all.len());
    }
    let _ = fs::remove_dir_all(&cache);
    Ok(Verdict::Pass(format!("{} files", all.len())))
}

/// A download that another run began with something else, from a server that adds the rest to it and from one that cannot.
fn wrong_beginning(runner: &Runner, resumes: bool, dir: &Path) -> Result<Verdict> {
    if !on_path("curl") {
        return Ok(Verdict::Skip("curl alone resumes".into()));
    }
    let all = files(&runner.source)?;
    let mut routes = Vec::new();
    for file in &all {
        routes.push((path_in(Place::Mirror, file)?, file.clone()));
    }
    let find = move |path: &str| routes.iter().find(|(at, _)| at == path).map(|(_, file)| file.clone());
    let server = if resumes { Server::resuming(find)? } else { Server::start(find)? };
    let cache = super::workshop()?.join("places");
    let mut c = downloading(runner, &server, Place::Mirror, &cache)?;
    let downloads = cache.join("downloads");
    place::make_dir(&downloads)?;
    for file in &all {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        fs::write(downloads.join(format!("{name}.partial")), "of another file")?;
    }
    let output = c.output().context("starting this program")?;
    fs::write(dir.join("output"), [output.stdout.as_slice(), &output.stderr].concat())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for file in &all {
        let asked = path_in(Place::Mirror, file)?;
        let times = server.asked().iter().filter(|path| **path == asked).count();
        ensure!(times == 2, "{asked} was asked for {times} times");
    }
    let _ = fs::remove_dir_all(&cache);
    Ok(Verdict::Pass(format!("{} files, each begun again", all.len())))
}

/// This program with an empty cache, and only `place` where there is anything.
fn downloading(runner: &Runner, server: &Server, place: Place, cache: &Path) -> Result<Command> {
    let _ = fs::remove_dir_all(cache);
    let empty = cache.join("no-sources");
    place::make_dir(&empty)?;
    let mut c = this_program(&runner.source);
    for variable in [
        "QEMU_IOMMU_QEMU_BUILD",
        "QEMU_IOMMU_KERNEL",
        "QEMU_IOMMU_QEMU_SRC",
        "QEMU_IOMMU_LINUX_SRC",
        "QEMU_IOMMU_OFFLINE",
    ] {
        c.env_remove(variable);
    }
    let (good, bad) = (server.base(), format!("{}/nothing", server.base()));
    let base = |of: &[Place]| if of.contains(&place) { good.clone() } else { bad.clone() };
    c.args(["setup", "--download-only", "--sources"])
        .arg(&empty)
        .env("QEMU_IOMMU_CACHE", cache)
        .env("QEMU_IOMMU_MIRRORS", format!("{}/debian", base(&[Place::Mirror])))
        .env("QEMU_IOMMU_SNAPSHOT", base(&[Place::Day, Place::Content]))
        .env("QEMU_IOMMU_UPSTREAM", base(&[Place::Upstream]))
        .env("no_proxy", "127.0.0.1")
        .env("NO_PROXY", "127.0.0.1");
    Ok(c)
}

/// Where no place has a file, and where one has another under its name, the error names each.
fn from_nowhere(runner: &Runner, dir: PathBuf) -> Result<Verdict> {
    let wrong = dir.join("wrong");
    fs::write(&wrong, "not what was pinned")?;
    let server = Server::start(move |path| path.starts_with("/file/").then(|| wrong.clone()))?;
    let cache = super::workshop()?.join("places");
    let output = downloading(runner, &server, Place::Content, &cache)?.output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    fs::write(dir.join("output"), &text)?;
    ensure!(output.status.code() == Some(3), "it ended with {}: {text}", output.status);
    let wanted = [
        "/nothing/debian/pool/main/q/qemu/",
        &format!("/archive/debian/{}/pool/main/q/qemu/", fetch::DAY),
        "its sha256 is ",
        "/nothing/qemu-11.1.1.tar.xz",
        "--sources DIR",
    ];
    for word in wanted {
        ensure!(text.contains(word), "the error lacks {word:?}: {text}");
    }
    ensure!(fs::read_dir(cache.join("downloads"))?.next().is_none(), "something was kept of what is wrong");
    let _ = fs::remove_dir_all(&cache);
    Ok(Verdict::Pass("five places named".into()))
}

/// Firmware as the distribution had it on a day: a server relays to the machine's own archive, whose lists are signed.
fn packages_of_the_day(runner: &Runner, dir: PathBuf) -> Result<Verdict> {
    if !Archive::all().iter().any(|archive| matches!(archive, Archive::Snapshot(_))) {
        return Ok(Verdict::Skip("this system is not Debian".into()));
    }
    let mirrors = fetch::mirrors();
    let Some(mirror) = mirrors.iter().find(|m| m.starts_with("http") && m.ends_with("/debian")).cloned()
    else {
        return Ok(Verdict::Skip("apt is configured with no archive of Debian".into()));
    };
    if fetch::downloader("", Path::new("")).is_none() {
        return Ok(Verdict::Skip("no program to download with: install curl".into()));
    }
    let relayed = dir.join("relayed");
    fs::create_dir_all(&relayed)?;
    let server = Server::start(move |path| {
        let rest = path.strip_prefix("/archive/debian")?;
        // `/DAY/…` below the archive, `-security/DAY/…` below the other.
        let (suffix, rest) = rest.split_once(&format!("/{}/", fetch::DAY))?;
        let to = relayed.join(rest.replace('/', "_"));
        let _ = fs::remove_file(&to);
        let mut c = fetch::downloader(&format!("{mirror}{suffix}/{rest}"), &to)?;
        let got = c.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        got.is_ok_and(|status| status.success()).then_some(to)
    })?;
    let step = Step::begin("firmware of the archive's day", "fresh-packages")?;
    let to = dir.join("unpacked");
    foreign::unpack_from(&step, &Archive::Snapshot(server.base()), std::env::consts::ARCH, FIRMWARE, &to)?;
    step.finish("");
    for file in FIRMWARE_FILES {
        ensure!(to.join(file).is_file(), "{file} is not in the packages");
    }
    let lists = server.asked().iter().filter(|p| p.ends_with("InRelease")).count();
    let packages = server.asked().iter().filter(|p| p.ends_with(".deb")).count();
    ensure!(lists >= 1 && packages == FIRMWARE.len(), "{lists} lists and {packages} packages were asked for");
    for large in ["relayed", "unpacked"] {
        let _ = fs::remove_dir_all(dir.join(large));
    }
    let _ = runner;
    Ok(Verdict::Pass(format!("{packages} packages, by signed lists")))
}

const FIRMWARE: &[&str] = &["seabios", "qemu-system-data"];
const FIRMWARE_FILES: &[&str] = &["usr/share/seabios/bios-256k.bin", "usr/share/qemu/linuxboot_dma.bin"];

/// An HTTP server for files, on an address of this machine alone, as long as this program lives.
struct Server {
    address: std::net::SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `find` maps a path to a file, which is sent from its beginning whatever was asked for.
    fn start(find: impl Fn(&str) -> Option<PathBuf> + Send + Sync + 'static) -> Result<Self> {
        Self::new(find, false)
    }

    /// The same, but what is asked for from a byte on is sent from there.
    fn resuming(find: impl Fn(&str) -> Option<PathBuf> + Send + Sync + 'static) -> Result<Self> {
        Self::new(find, true)
    }

    fn new(find: impl Fn(&str) -> Option<PathBuf> + Send + Sync + 'static, resumes: bool) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a port to listen on")?;
        let address = listener.local_addr()?;
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (find, log) = (Arc::new(find), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (find, log) = (find.clone(), log.clone());
                std::thread::spawn(move || serve(&stream, find.as_ref(), resumes, &log));
            }
        });
        Ok(Self { address, asked })
    }

    fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The paths that were asked for.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Requests of one connection, one after the other.
fn serve(
    stream: &TcpStream,
    find: &dyn Fn(&str) -> Option<PathBuf>,
    resumes: bool,
    log: &Mutex<Vec<String>>,
) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let mut to = stream;
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut begin = 0;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? <= 2 {
                break;
            }
            let header = header.to_ascii_lowercase();
            if let Some(range) = header.trim().strip_prefix("range: bytes=").filter(|_| resumes) {
                begin =
                    range.trim_end_matches('-').parse().context("a range that this server does not know")?;
            }
        }
        let mut words = request.split_whitespace();
        let (Some("GET"), Some(path)) = (words.next(), words.next()) else { bail!("not a GET: {request}") };
        let path = path.replace("%2B", "+").replace("%2b", "+").replace("%7e", "~").replace("%7E", "~");
        log.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        match find(&path).and_then(|file| fs::File::open(file).ok()) {
            Some(mut file) => {
                let size = file.metadata()?.len();
                file.seek(SeekFrom::Start(begin))?;
                match begin {
                    0 => write!(to, "HTTP/1.1 200 OK\r\n")?,
                    _ => write!(
                        to,
                        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {begin}-{}/{size}\r\n",
                        size.saturating_sub(1)
                    )?,
                }
                write!(to, "Content-Length: {}\r\n\r\n", size.saturating_sub(begin))?;
                std::io::copy(&mut file, &mut to)?;
            }
            None => write!(to, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?,
        }
        to.flush()?;
    }
}
