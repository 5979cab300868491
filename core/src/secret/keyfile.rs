//! A root key in a file of its own: made once, read afterwards, never written over.
//!
//! The file is one line of base64 (RFC 4648, with padding) and a line break. It is written under another name, and linked to its own when it is whole and
//! durable: nobody reads half a key, and of several processes that start at once all get the key of the one that came first.

use crate::error::{Error, ErrorKind, Result};
use crate::random;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const BYTES: usize = 32;
/// Of the text of a key, without the line break.
const LETTERS: usize = 44;
/// As much as is read; a longer file holds no key.
const LONGEST: usize = 64;

type Key = Zeroizing<[u8; BYTES]>;

pub fn load_or_create(path: &Path) -> Result<Key> {
    let path = &plain(path)?;
    if let Some(key) = read(path)? {
        return Ok(key);
    }
    create(path)?;
    // Read back, whoever made it: what stands in the file is what counts at the next start.
    let key = read(path)?.ok_or_else(|| unusable("The key file was removed right after it was made.", "Start again."))?;
    Ok(key)
}

/// The path with a name of a file at its end.
fn plain(path: &Path) -> Result<PathBuf> {
    let text = path.as_os_str().as_encoded_bytes();
    if text.is_empty() {
        return Err(Error::invalid("The path of the key file is empty. Name a file, as in tidings.key."));
    }
    if text.contains(&0) {
        return Err(Error::invalid("The path of the key file holds a zero byte. Name a file, as in tidings.key."));
    }
    let is_folder = text.last().is_some_and(|last| std::path::is_separator(char::from(*last)));
    match path.file_name() {
        Some(name) if !is_folder => Ok(folder_of(path).join(name)),
        _ => Err(Error::invalid("The path of the key file is that of a folder. Name a file in it, as in tidings.key.")),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The key in this file. None: there is no such file.
fn read(path: &Path) -> Result<Option<Key>> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed("The key file could not be looked at.", e)),
    };
    check_kind(&found)?;
    let mut file = match reading().open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed("The key file could not be read.", e)),
    };
    // The file that was opened counts: the name may lead to another one by now.
    let found = file.metadata().map_err(|e| failed("The key file could not be looked at.", e))?;
    check_kind(&found)?;
    check_private(&found, path)?;
    let mut text = Zeroizing::new([0_u8; LONGEST]);
    let mut length = 0;
    loop {
        match file.read(text.get_mut(length..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(failed("The key file could not be read.", e)),
        }
    }
    parse(text.get(..length).unwrap_or_default()).map(Some)
}

fn parse(text: &[u8]) -> Result<Key> {
    if text.is_empty() {
        return Err(unusable(
            "The key file is empty.",
            "If another process is just making it, start again. Else put the key back from its copy; only for a new store, remove the file and have a new key made.",
        ));
    }
    let no_key = || {
        unusable(
            "The key file holds no root key; it was left as it is.",
            "It must be one line of base64 for 32 random bytes, as `openssl rand -base64 32` writes it. Put the right file there, or name another one.",
        )
    };
    let line = text.strip_suffix(b"\n").unwrap_or(text);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() != LETTERS {
        return Err(no_key());
    }
    let mut decoded = Zeroizing::new([0_u8; LONGEST]);
    let count = STANDARD.decode_slice(line, decoded.as_mut_slice()).map_err(|_| no_key())?;
    let mut key = Zeroizing::new([0_u8; BYTES]);
    if count != key.len() {
        return Err(no_key());
    }
    key.copy_from_slice(decoded.get(..count).unwrap_or_default());
    if key.windows(2).all(|pair| pair.first() == pair.last()) {
        return Err(no_key());
    }
    Ok(key)
}

/// Makes the file with a new key, unless another process was quicker.
fn create(path: &Path) -> Result<()> {
    let could_not = |e| failed("The key file could not be made.", e);
    let folder = folder_of(path);
    let changed = make_folders(folder).map_err(could_not)?;
    let mut key = Zeroizing::new([0_u8; BYTES]);
    random::fill(key.as_mut_slice())?;
    let mut line = Zeroizing::new([b'\n'; LETTERS + 1]);
    STANDARD.encode_slice(key.as_slice(), line.as_mut_slice()).map_err(|e| Error::internal("A key could not be written as text.").with_source(e))?;
    let mut draft = Draft::make(folder)?;
    draft.file.write_all(line.as_slice()).and_then(|()| draft.file.sync_all()).map_err(could_not)?;
    let made = match fs::hard_link(&draft.path, path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => in_place(path, line.as_slice()),
        linked => linked,
    };
    match made {
        Ok(()) => {
            tracing::info!(target: "tidings::keys", file = %path.display(), "a new root key was made; keep a copy of this file, apart from the store: without it nothing in the store can be read");
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(could_not(e)),
    }
    // Also when another process made it: it may not have come so far, and a store must not outlive its key.
    changed.iter().try_for_each(|folder| sync_folder(folder)).map_err(could_not)
}

/// Where the file system knows no links. A process that starts at the same moment may find the file empty; it is told so.
fn in_place(path: &Path, line: &[u8]) -> io::Result<()> {
    let mut file = writing().open(path)?;
    file.write_all(line).and_then(|()| file.sync_all()).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}

/// A file under a name that nobody knows, removed when dropped.
struct Draft {
    path: PathBuf,
    file: File,
}

impl Draft {
    fn make(folder: &Path) -> Result<Self> {
        let path = folder.join(format!(".tidings-key-{}", random::token::<12>()?));
        let file = writing().open(&path).map_err(|e| failed("The key file could not be made.", e))?;
        Ok(Self { path, file })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes the folder and those above it that are missing, for this user alone. The folders whose entries are to be made durable, the file's own first.
fn make_folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let missing = folder.ancestors().take_while(|one| !one.as_os_str().is_empty() && fs::symlink_metadata(one).is_err());
    let changed = std::iter::once(folder.to_owned()).chain(missing.map(|one| folder_of(one).to_owned())).collect();
    let mut maker = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut maker, 0o700);
    maker.recursive(true).create(folder)?;
    Ok(changed)
}

/// Some folders cannot be opened, and some file systems keep names in another way; what the disk refuses is an error.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Ok(opened) = File::open(folder) {
        return opened.sync_all().or_else(|e| match e.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => Ok(()),
            _ => Err(e),
        });
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

fn writing() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Without following a link, and without waiting for the writer of a pipe.
fn reading() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK);
    options
}

fn check_kind(found: &Metadata) -> Result<()> {
    if found.is_symlink() {
        return Err(Error::invalid("The key file is a symbolic link. Name the file itself; read a secret that your platform mounts as a link yourself, and pass it to RootKey.raw."));
    }
    if found.is_dir() {
        return Err(Error::invalid("The path of the key file is that of a folder. Name a file in it, as in tidings.key."));
    }
    if !found.is_file() {
        return Err(Error::invalid("The key file is no plain file. Name another one."));
    }
    Ok(())
}

/// Whoever can read the key can read the store.
#[cfg(unix)]
fn check_private(found: &Metadata, path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    if found.mode() & 0o077 != 0 {
        return Err(unusable(
            "The key file is open to other users of this machine.",
            "Close it (chmod 600). If somebody may have read it, replace the key as well: open the store and call rotate_keys with a new one.",
        ));
    }
    // Some file systems give every file to another user than the one who makes it: one that is made there now tells.
    let is_ours = found.uid() == nix::unistd::geteuid().as_raw()
        || Draft::make(folder_of(path)).is_ok_and(|draft| draft.file.metadata().is_ok_and(|ours| ours.uid() == found.uid()));
    if !is_ours {
        return Err(unusable("The key file belongs to another user of this machine.", "Give it to the user of this process (chown), or name another file."));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_: &Metadata, _: &Path) -> Result<()> {
    Ok(())
}

fn unusable(what: &str, remedy: &str) -> Error {
    Error::new(ErrorKind::VaultLocked, format!("{what} {remedy}"))
}

fn failed(what: &str, e: io::Error) -> Error {
    let (kind, remedy) = match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (ErrorKind::StoreFull, "Make room on the disk."),
        io::ErrorKind::NotADirectory => (ErrorKind::InvalidInput, "A part of its path is no folder. Name a file in a folder."),
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput => (ErrorKind::InvalidInput, "Its path is none that this system takes. Name another file."),
        _ => (ErrorKind::VaultLocked, "Check that the user of this process may read and write there."),
    };
    Error::new(kind, format!("{what} {remedy}")).with_source(e)
}

#[cfg(all(test, unix))]
#[path = "keyfile_tests.rs"]
mod tests;
