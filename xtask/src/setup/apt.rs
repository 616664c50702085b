// SPDX-License-Identifier: GPL-2.0-or-later
//! Where apt takes packages from: the archives that it is configured with, or the distribution's archive of all versions.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::fetch;
use crate::place;

/// An archive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Archive {
    /// As apt is configured.
    Configured,
    /// The distribution as it was on [`fetch::DAY`], signed as it was then; the base address.
    Snapshot(String),
}

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

impl Archive {
    /// The archives of this system, in the order in which to try them.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::Configured];
        if codename().is_some() && Path::new(KEYRING).is_file() {
            all.push(Self::Snapshot(fetch::snapshot()));
        }
        all
    }

    /// In words, for a log.
    pub fn name(&self) -> String {
        match self {
            Self::Configured => "the configured archives".to_owned(),
            Self::Snapshot(base) => format!("{base}, {}", fetch::DAY),
        }
    }

    /// Options that make apt keep its lists and what it downloads below `dir`, and ask this archive.
    pub fn options(&self, dir: &Path) -> Result<Vec<OsString>> {
        for sub in ["lists/partial", "cache/archives/partial"] {
            place::make_dir(&dir.join(sub))?;
        }
        let mut settings = vec![
            format!("Dir::State::Lists={}", dir.join("lists").display()),
            format!("Dir::Cache={}", dir.join("cache").display()),
            "APT::Sandbox::User=".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false".to_owned(),
        ];
        if let Self::Snapshot(base) = self {
            let list = dir.join("snapshot.list");
            fs::write(&list, sources(base, &codename().context("no codename in /etc/os-release")?))
                .with_context(|| format!("writing {}", list.display()))?;
            settings.push(format!("Dir::Etc::SourceList={}", list.display()));
            settings.push("Dir::Etc::SourceParts=/dev/null".to_owned());
        }
        Ok(settings.into_iter().flat_map(|s| [OsString::from("-o"), s.into()]).collect())
    }
}

/// The lines of a sources list. What was valid for a week then is not valid now, and is still signed.
fn sources(base: &str, codename: &str) -> String {
    let options = format!("[signed-by={KEYRING} check-valid-until=no]");
    let day = fetch::DAY;
    format!(
        "deb {options} {base}/archive/debian/{day}/ {codename} main\n\
         deb {options} {base}/archive/debian/{day}/ {codename}-updates main\n\
         deb {options} {base}/archive/debian-security/{day}/ {codename}-security main\n"
    )
}

/// Debian's codename of this system; none on another distribution, whose packages are others.
fn codename() -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    codename_in(&text)
}

fn codename_in(os_release: &str) -> Option<String> {
    let value = |name: &str| {
        let line = os_release.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('='))?;
        Some(line.trim_matches('"').to_owned())
    };
    (value("ID")? == "debian").then(|| value("VERSION_CODENAME")).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_distributions_have_other_packages() {
        assert_eq!(codename_in("ID=debian\nVERSION_CODENAME=bookworm\n").as_deref(), Some("bookworm"));
        assert_eq!(codename_in("ID=\"debian\"\nVERSION_CODENAME=\"trixie\"\n").as_deref(), Some("trixie"));
        assert_eq!(codename_in("ID=ubuntu\nVERSION_CODENAME=noble\nID_LIKE=debian\n"), None);
        assert_eq!(codename_in("ID=debian\n"), None);
    }

    #[test]
    fn the_list_names_the_day() {
        let list = sources("https://archive", "bookworm");
        assert_eq!(list.lines().count(), 3);
        assert!(list.lines().all(|l| l.contains(fetch::DAY) && l.contains("signed-by=")), "{list}");
    }
}
