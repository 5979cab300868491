//! Who has the store open, told without SQLite: one small locked file per open store. It keeps machines apart, which share no index of the write-ahead
//! log, and it is the lock of another kind where the file system keeps none.

use super::files::{self, FILE, PROBE};
use super::forks::Opened;
use super::locking::Sharing;
use crate::error::{Error, ErrorKind, Result};
use crate::random;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

const PREFIX: &str = "-open-";
/// How often a store that only one process may open is asked for, and the longest wait between.
const TRIES: u32 = 12;
const BETWEEN_MS: f64 = 200.0;

/// This process has the store open.
#[derive(Debug)]
pub struct Presence {
    path: PathBuf,
    process: u32,
    /// Locked for as long as it is open.
    _file: File,
    _opened: Opened,
}

/// What a file of presence says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Who {
    /// Of the running kernel.
    boot: String,
    machine: String,
    /// Names of processes, and the process in it: its number and when it began.
    space: String,
    process: String,
    /// The number of this very file: a copy of it is nobody.
    file: String,
    alone: bool,
    /// Which copy of this library in that process; empty in files of versions that did not say.
    copy: String,
}

/// Two copies of this library in one process, as of two class loaders or two installed packages, do not know of each other's handles, and POSIX gives up all
/// locks of a process with the first handle that is closed.
fn copy() -> Result<String> {
    static COPY: OnceLock<String> = OnceLock::new();
    let fresh = random::token::<12>()?;
    Ok(COPY.get_or_init(|| fresh).clone())
}

#[derive(Debug, PartialEq, Eq)]
enum Life {
    Gone,
    /// Lives on this machine.
    Here,
    /// Lives on another one.
    Elsewhere,
    /// Did not say good-bye, on a file system and machine where that cannot be looked into.
    Unclear,
}

impl Presence {
    /// Says so, then looks who else is there: of two that do this at once, at least one sees the other. Errors: StoreBusy.
    pub fn enter(main: &Path, sharing: Sharing) -> Result<Self> {
        let mut tries = TRIES;
        loop {
            let (own, who) = Self::make(main, sharing)?;
            let refused = own.look_around(main, &who);
            match refused {
                Ok(()) => return Ok(own),
                Err(e) if tries == 0 => return Err(e),
                Err(_) => tries -= 1,
            }
            drop(own);
            std::thread::park_timeout(Duration::from_millis(((0.2 + random::jitter()) * BETWEEN_MS) as u64));
        }
    }

    fn make(main: &Path, sharing: Sharing) -> Result<(Self, Who)> {
        let name = random::token::<12>()?;
        let copy = copy()?;
        let opened = Opened::count()?;
        // Under another name until it is locked and whole.
        let draft = main.with_file_name(format!("{PROBE}{name}"));
        let path = main.with_file_name(format!("{FILE}{PREFIX}{name}"));
        let make = || {
            let mut file = files::private_file().read(true).write(true).create_new(true).open(&draft)?;
            // Without locks the words in it must do.
            let _ = file.try_lock();
            let who = Who::here(&file, sharing == Sharing::Alone, &copy)?;
            file.write_all(who.text().as_bytes())?;
            std::fs::rename(&draft, &path)?;
            Ok((file, who))
        };
        let (file, who) = make().map_err(|e| {
            let _ = std::fs::remove_file(&draft);
            files::unwritable(e)
        })?;
        Ok((Self { path, process: std::process::id(), _file: file, _opened: opened }, who))
    }

    fn look_around(&self, main: &Path, own: &Who) -> Result<()> {
        let keeps_locks = self.is_locked_for_others();
        for (path, name) in files::beside(main)? {
            if !name.strip_prefix(FILE).is_some_and(|rest| rest.starts_with(PREFIX)) || path == self.path {
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let Some(who) = Who::parse(&text) else { continue };
            let busy = |why: String| Err(Error::new(ErrorKind::StoreBusy, why));
            if who.is_process(own) {
                // A file that nobody holds was left by an earlier process of the same number.
                if who.copy == own.copy || is_locked(&path) != Some(true) {
                    continue;
                }
                return busy("The store is open in this process already, with another copy of the Tidings library (another class loader, or a second installed package). Use one copy, \
                             or close the store there first.".to_owned());
            }
            match life(&path, &who, own, keeps_locks) {
                Life::Gone => {
                    let _ = std::fs::remove_file(&path);
                }
                Life::Here if own.alone || who.alone => {
                    return busy("The store is open in another process, and its file system does not keep locks, so it can be open in one process at a time. Close the other \
                                 one, or put data_dir on a local disk.".to_owned());
                }
                Life::Here => {}
                Life::Elsewhere => {
                    return busy("The store is open on another machine. A store is for the processes of one machine at a time; close it there, or name another data_dir.".to_owned());
                }
                Life::Unclear => {
                    return busy(format!("The store was opened in another container or on another machine and not closed, and its file system cannot tell whether it is still in \
                                         use. Close it there; if nobody uses it any more, remove the file {name} from data_dir."));
                }
            }
        }
        Ok(())
    }

    /// Our own lock keeps out a second handle.
    fn is_locked_for_others(&self) -> bool {
        is_locked(&self.path) == Some(true)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // After a fork it is the parent's.
        if self.process == std::process::id() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn life(path: &Path, who: &Who, own: &Who, keeps_locks: bool) -> Life {
    let same_kernel = who.boot == own.boot && !own.boot.is_empty();
    let Ok(file) = File::open(path) else { return Life::Gone };
    if file_number(&file).is_ok_and(|number| number != who.file) {
        return Life::Gone;
    }
    if is_locked(path) == Some(true) {
        return if same_kernel || own.boot.is_empty() { Life::Here } else { Life::Elsewhere };
    }
    if same_kernel && keeps_locks {
        return Life::Gone;
    }
    if same_kernel && who.space == own.space && !own.space.is_empty() {
        return if started(&who.process) { Life::Here } else { Life::Gone };
    }
    // The same machine, started anew; or a disk that was taken to another machine.
    let restarted = !same_kernel && who.machine == own.machine && !own.machine.is_empty();
    if restarted || (!same_kernel && keeps_locks && is_local(path)) { Life::Gone } else { Life::Unclear }
}

/// None: the file system or the system cannot say.
fn is_locked(path: &Path) -> Option<bool> {
    match File::open(path).ok()?.try_lock() {
        Ok(()) => Some(false),
        Err(std::fs::TryLockError::WouldBlock) => Some(true),
        Err(std::fs::TryLockError::Error(_)) => None,
    }
}

/// On a disk that one machine has at a time.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_local(path: &Path) -> bool {
    use nix::sys::statfs::{FsType, NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, statfs};
    // CIFS, SMB2, 9p, FUSE, Ceph, GFS2, OCFS2, AFS; see statfs(2).
    const OTHERS: [u64; 8] = [0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x6573_5546, 0x00c3_6400, 0x0116_1970, 0x7461_636f, 0x5346_414f];
    let shared = |kind: FsType| kind == NFS_SUPER_MAGIC || kind == SMB_SUPER_MAGIC || OTHERS.contains(&(kind.0 as u64 & 0xffff_ffff));
    statfs(path).is_ok_and(|found| !shared(found.filesystem_type()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_local(_: &Path) -> bool {
    true
}

impl Who {
    fn here(file: &File, alone: bool, copy: &str) -> std::io::Result<Self> {
        let line = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self {
            boot: line("/proc/sys/kernel/random/boot_id"),
            machine: line("/etc/machine-id"),
            space,
            process: format!("{} {}", std::process::id(), began(std::process::id())),
            file: file_number(file)?,
            alone,
            copy: copy.to_owned(),
        })
    }

    fn is_process(&self, other: &Self) -> bool {
        (&self.boot, &self.space, &self.process) == (&other.boot, &other.space, &other.process)
    }

    fn text(&self) -> String {
        let Self { boot, machine, space, process, file, alone, copy } = self;
        format!("tidings open 1\nboot {boot}\nmachine {machine}\nspace {space}\nprocess {process}\nfile {file}\nalone {alone}\ncopy {copy}\n")
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut next = |name: &str| lines.next()?.strip_prefix(name).map(|rest| rest.trim().to_owned());
        next("tidings open 1")?;
        Some(Self { boot: next("boot")?, machine: next("machine")?, space: next("space")?, process: next("process")?, file: next("file")?, alone: next("alone")? == "true", copy: next("copy").unwrap_or_default() })
    }
}

/// When a process began, in the kernel's count; empty when there is none or it cannot be seen.
fn began(process: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The second field, the name, may hold anything; the twenty-second is what is asked for.
    stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(19)).unwrap_or_default().to_owned()
}

/// This process, as written by `Who::here`, runs.
fn started(process: &str) -> bool {
    let (number, when) = process.split_once(' ').unwrap_or((process, ""));
    number.parse().is_ok_and(|number: u32| !when.is_empty() && began(number) == when)
}

#[cfg(unix)]
fn file_number(file: &File) -> std::io::Result<String> {
    file.metadata().map(|found| std::os::unix::fs::MetadataExt::ino(&found).to_string())
}

#[cfg(not(unix))]
fn file_number(_: &File) -> std::io::Result<String> {
    Ok(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_copy_of_the_library_in_this_process_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join(FILE);
        let ours = Presence::enter(&main, Sharing::Shared).unwrap();
        let again = Presence::enter(&main, Sharing::Shared).unwrap();
        drop(again);
        let text = std::fs::read_to_string(&ours.path).unwrap();
        std::fs::write(&ours.path, text.replace(&copy().unwrap(), "another")).unwrap();
        let error = Presence::enter(&main, Sharing::Shared).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreBusy);
        assert!(error.reason().contains("another copy of the Tidings library"), "{error}");
        // What an earlier process of the same number left does not stand in the way.
        let left = std::fs::read(&ours.path).unwrap();
        drop(ours);
        std::fs::write(folder.path().join(format!("{FILE}{PREFIX}left")), left).unwrap();
        Presence::enter(&main, Sharing::Shared).unwrap();
    }
}
