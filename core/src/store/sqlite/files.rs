//! The folder and the file of a store: made private, and refused when they are somebody else's.

use crate::error::{Error, ErrorKind, Result};
use crate::random;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

pub const FILE: &str = "tidings.db";
/// How the files begin that show us who we are; another process may have one at the same moment.
pub const PROBE: &str = ".tidings-";

/// Makes or checks the folder and the file in it, and answers where the file is.
pub fn prepare(data_dir: &Path) -> Result<PathBuf> {
    match fs::symlink_metadata(data_dir) {
        Ok(found) if found.is_dir() => {}
        Ok(found) if found.is_symlink() => return Err(Error::invalid("data_dir is a symbolic link. Name the folder itself.")),
        Ok(_) => return Err(Error::invalid("data_dir is not a folder. Name a folder for the store.")),
        Err(_) => make_dir(data_dir)?,
    }
    // From here on without links in the way: SQLite is told to follow none.
    let dir = fs::canonicalize(data_dir).map_err(|e| no_access("The folder of the store could not be found.", e))?;
    let probe = Probe::make(&dir)?;
    check_dir(&dir, probe.me)?;
    let file = dir.join(FILE);
    for (path, _) in beside(&file)? {
        check_file(&path, probe.me)?;
    }
    make_file(&probe, &file)?;
    Ok(file)
}

/// The file of a store that exists, checked in the same way; nothing is made.
pub fn find(data_dir: &Path) -> Result<Option<PathBuf>> {
    match fs::symlink_metadata(data_dir) {
        Ok(found) if found.is_symlink() => return Err(Error::invalid("data_dir is a symbolic link. Name the folder itself.")),
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(Error::invalid("data_dir is not a folder. Name a folder for the store.")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(no_access("The folder of the store could not be read.", e)),
    }
    let dir = fs::canonicalize(data_dir).map_err(|e| no_access("The folder of the store could not be found.", e))?;
    let file = dir.join(FILE);
    match fs::symlink_metadata(&file) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        // Made, but nothing written yet.
        Ok(found) if found.is_file() && found.len() == 0 && !dir.join("tidings.db-wal").exists() => return Ok(None),
        _ => {}
    }
    let probe = Probe::make(&dir)?;
    check_dir(&dir, probe.me)?;
    for (path, _) in beside(&file)? {
        check_file(&path, probe.me)?;
    }
    Ok(Some(file))
}

/// Path and name of the main file and of all that belongs to it by name: log, index, marks.
pub fn beside(file: &Path) -> Result<Vec<(PathBuf, String)>> {
    let dir = file.parent().unwrap_or(file);
    let entries = fs::read_dir(dir).map_err(|e| no_access("The folder of the store could not be read.", e))?;
    Ok(entries
        .flatten()
        .map(|entry| (entry.path(), entry.file_name().to_string_lossy().into_owned()))
        .filter(|(_, name)| name.starts_with(FILE))
        .collect())
}

/// The write-ahead log.
pub fn log(file: &Path) -> PathBuf {
    file.with_file_name(format!("{FILE}-wal"))
}

/// What the file system says this file is: the number it has there, and when it was made. A copy has another of one or both, also under the name of the
/// original; a rename, a move within the file system, a restart and another owner or mode change neither. The device is left out: its number changes
/// with restarts, mounts and containers.
pub fn identity(file: &Path) -> Result<String> {
    let found = fs::metadata(file).map_err(|e| no_access("A file of the store could not be read.", e))?;
    let made = found.created().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).map_or(0, |at| at.as_nanos());
    Ok(format!("{} {made}", number(&found)))
}

/// Two answers of [`identity`] are about one file. Where a file system says when a file was made, that decides on Linux, where nobody can set it: some
/// that come over a network number their files anew at each mount. Where it does not say, the number decides.
pub fn is_same(before: &str, now: &str) -> bool {
    let parts = |text: &str| text.split_once(' ').map(|(number, made)| (number.to_owned(), made.to_owned()));
    let (Some((number, made)), Some((number_now, made_now))) = (parts(before), parts(now)) else { return false };
    if made == "0" || made_now == "0" {
        return number == number_now;
    }
    made == made_now && (cfg!(any(target_os = "linux", target_os = "android")) || number == number_now)
}

#[cfg(unix)]
fn number(found: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> u64 {
    0
}

/// Makes names in the folder durable, where that is possible.
pub fn sync_dir(file: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    if let Some(dir) = file.parent() {
        fs::File::open(dir)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

pub fn unwritable(e: std::io::Error) -> Error {
    no_access("A file of the store could not be written.", e)
}

/// SQLite gives -wal and -shm the mode of the database file, so its mode decides about all three. The file is linked into place closed: closing a
/// descriptor of a database takes away every lock this process holds on it (POSIX), and another engine of ours may just have opened it.
fn make_file(probe: &Probe, file: &Path) -> Result<()> {
    use std::io::ErrorKind::AlreadyExists;
    let linked = fs::hard_link(&probe.path, file).or_else(|e| match e.kind() {
        AlreadyExists => Err(e),
        // Some file systems know no links.
        _ => private_file().write(true).create_new(true).open(file).map(drop),
    });
    match linked {
        Err(e) if e.kind() != AlreadyExists => Err(no_access("The store could not be made.", e)),
        _ => Ok(()),
    }
}

fn no_access(what: &str, e: std::io::Error) -> Error {
    let kind = match e.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::StoreFull,
        std::io::ErrorKind::NotADirectory | std::io::ErrorKind::InvalidFilename => ErrorKind::InvalidInput,
        _ => ErrorKind::Forbidden,
    };
    Error::new(kind, format!("{what} Check that data_dir can be used by this user.")).with_source(e)
}

#[cfg(unix)]
fn make_dir(dir: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| no_access("The folder of the store could not be made.", e))
}

#[cfg(not(unix))]
fn make_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(|e| no_access("The folder of the store could not be made.", e))
}

#[cfg(unix)]
pub fn private_file() -> fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
pub fn private_file() -> fs::OpenOptions {
    fs::OpenOptions::new()
}

/// An empty private file, removed when dropped. Its owner tells who we are: the standard library has no other way to ask.
struct Probe {
    path: PathBuf,
    me: u32,
}

impl Probe {
    fn make(dir: &Path) -> Result<Self> {
        let path = dir.join(format!("{PROBE}{}", random::token::<12>()?));
        let made = private_file().write(true).create_new(true).open(&path).and_then(|file| file.metadata());
        let me = made.map(|found| owner(&found)).map_err(|e| no_access("The folder of the store cannot be written.", e))?;
        Ok(Self { path, me })
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(unix)]
fn owner(found: &Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(found)
}

#[cfg(not(unix))]
fn owner(_: &Metadata) -> u32 {
    0
}

fn check_dir(dir: &Path, me: u32) -> Result<()> {
    let found = fs::symlink_metadata(dir).map_err(|e| no_access("The folder of the store could not be read.", e))?;
    if owner(&found) != me {
        return Err(Error::new(ErrorKind::Forbidden, "data_dir belongs to another user. Name a folder of this user."));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if found.permissions().mode() & 0o077 != 0 {
            // A folder of our own, or an empty one, is closed; one that others use is not ours to close.
            let foreign = fs::read_dir(dir)
                .map_err(|e| no_access("The folder of the store could not be read.", e))?
                .flatten()
                .any(|entry| {
                    let name = entry.file_name();
                    let name = name.to_string_lossy();
                    !name.starts_with(FILE) && !name.starts_with(PROBE)
                });
            if foreign {
                return Err(Error::invalid("data_dir is open to other users and holds other files. Name a folder of its own for the store, or close it (mode 0700)."));
            }
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(|e| no_access("The folder of the store could not be closed to others.", e))?;
        }
    }
    Ok(())
}

fn check_file(file: &Path, me: u32) -> Result<()> {
    let found = match fs::symlink_metadata(file) {
        Ok(found) => found,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(no_access("A file of the store could not be read.", e)),
    };
    if !found.is_file() {
        return Err(Error::invalid("A file of the store is a symbolic link or no plain file. Put the store itself into data_dir."));
    }
    if owner(&found) != me {
        return Err(Error::new(ErrorKind::Forbidden, "A file of the store belongs to another user. Give it to this user or name another folder."));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if found.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).map_err(|e| no_access("A file of the store could not be closed to others.", e))?;
        }
    }
    Ok(())
}
