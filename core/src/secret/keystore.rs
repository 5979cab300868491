//! A root key in the key store of the operating system.

use crate::error::{Error, ErrorKind, Result};
use crate::random;
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

/// One entry of a key store.
pub trait Entry {
    /// None only if the store says that there is no such entry; everything else is an error.
    fn get(&self) -> Result<Option<Zeroizing<Vec<u8>>>>;
    fn set(&self, secret: &[u8]) -> Result<()>;
}

/// Two engines of one process make one key.
static TURN: Mutex<()> = Mutex::new(());

pub fn get_or_create(service: &str, user: &str) -> Result<Zeroizing<[u8; 32]>> {
    for (name, value) in [("service", service), ("user", user)] {
        if !(1..=200).contains(&value.chars().count()) || value.chars().any(char::is_control) {
            return Err(Error::invalid(format!("{name} must be 1 to 200 characters, none of them a control character.")));
        }
    }
    let (service, user) = (service.to_owned(), user.to_owned());
    // A thread of its own: the system's libraries may block, and may not be called from a thread that runs async work.
    let thread = std::thread::Builder::new().name("tidings-keyring".into()).spawn(move || key_of(&*system(&service, &user)?));
    let answer = thread.map_err(|e| Error::internal("No thread could be started.").with_source(e))?.join();
    answer.unwrap_or_else(|_| Err(locked("The key store of this system failed.")))
}

/// The key in this entry, made if there is none. Never makes one over something that cannot be read: that would lock the store for ever.
pub(super) fn key_of(entry: &dyn Entry) -> Result<Zeroizing<[u8; 32]>> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = entry.get()? {
        return parse(&found);
    }
    let fresh = Zeroizing::new(random::array::<32>()?);
    // Looked at again right before and after: another process may be making one at the same moment, and what stands there in the end is what counts.
    if let Some(found) = entry.get()? {
        return parse(&found);
    }
    entry.set(fresh.as_slice())?;
    match entry.get()? {
        Some(found) => parse(&found),
        None => Err(locked("The key store of this system did not keep the new key.")),
    }
}

fn parse(found: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    if found.len() != key.len() {
        return Err(locked("What the key store of this system holds under this name is no root key; it was left alone. Take another name."));
    }
    key.copy_from_slice(found);
    Ok(key)
}

fn locked(what: &str) -> Error {
    Error::new(ErrorKind::VaultLocked, format!("{what} Unlock or start it, or open the store with another kind of root key."))
}

#[cfg(not(target_os = "android"))]
fn system(service: &str, user: &str) -> Result<Box<dyn Entry>> {
    struct System(keyring::v1::Entry);
    fn failed(e: keyring::v1::Error) -> Error {
        // In our words alone: some of these errors carry what was found.
        match e {
            keyring::v1::Error::NoStorageAccess(_) => locked("The key store of this system is locked or refuses access."),
            keyring::v1::Error::NoDefaultStore => locked("This system has no key store that can be reached (Keychain, Credential Manager, Secret Service)."),
            keyring::v1::Error::Ambiguous(_) => locked("The key store of this system holds several entries under this name; remove the wrong ones."),
            keyring::v1::Error::TooLong(..) | keyring::v1::Error::Invalid(..) => locked("The key store of this system does not take this service and user."),
            _ => locked("The key store of this system failed."),
        }
    }
    impl Entry for System {
        fn get(&self) -> Result<Option<Zeroizing<Vec<u8>>>> {
            match self.0.get_secret() {
                Ok(secret) => Ok(Some(Zeroizing::new(secret))),
                Err(keyring::v1::Error::NoEntry) => Ok(None),
                Err(e) => Err(failed(e)),
            }
        }
        fn set(&self, secret: &[u8]) -> Result<()> {
            self.0.set_secret(secret).map_err(failed)
        }
    }
    Ok(Box::new(System(keyring::v1::Entry::new(service, user).map_err(failed)?)))
}

#[cfg(target_os = "android")]
fn system(_service: &str, _user: &str) -> Result<Box<dyn Entry>> {
    Err(locked("There is no key store to use on this system."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// A key store that plays other processes and faults.
    #[derive(Default)]
    struct Mock {
        held: RefCell<Option<Vec<u8>>>,
        /// What another process writes right after our `set`.
        intruder: Option<Vec<u8>>,
        fails: bool,
        loses: bool,
    }

    impl Entry for Mock {
        fn get(&self) -> Result<Option<Zeroizing<Vec<u8>>>> {
            if self.fails { Err(locked("It is locked.")) } else { Ok(self.held.borrow().clone().map(Zeroizing::new)) }
        }
        fn set(&self, secret: &[u8]) -> Result<()> {
            if !self.loses {
                *self.held.borrow_mut() = Some(self.intruder.clone().unwrap_or_else(|| secret.to_vec()));
            }
            Ok(())
        }
    }

    #[test]
    fn a_key_is_made_once() {
        let entry = Mock::default();
        let made = key_of(&entry).unwrap();
        assert_eq!(*made, *key_of(&entry).unwrap());
        assert_eq!(entry.held.borrow().as_deref().unwrap(), made.as_slice());
    }

    #[test]
    fn of_two_makers_the_last_to_write_counts() {
        let entry = Mock { intruder: Some(vec![7; 32]), ..Mock::default() };
        assert_eq!(*key_of(&entry).unwrap(), [7; 32]);
    }

    #[test]
    fn what_cannot_be_read_is_never_replaced() {
        let kind = |entry: &Mock| key_of(entry).unwrap_err().kind();
        let unreadable = Mock { held: RefCell::new(Some(vec![1; 32])), fails: true, ..Mock::default() };
        assert_eq!(kind(&unreadable), ErrorKind::VaultLocked);
        assert_eq!(unreadable.held.borrow().as_deref().unwrap(), [1; 32]);
        let foreign = Mock { held: RefCell::new(Some(b"a password".to_vec())), ..Mock::default() };
        assert_eq!(kind(&foreign), ErrorKind::VaultLocked);
        assert_eq!(foreign.held.borrow().as_deref().unwrap(), b"a password");
        assert_eq!(kind(&Mock { loses: true, ..Mock::default() }), ErrorKind::VaultLocked);
    }

    #[test]
    fn names_are_checked_first() {
        for (service, user) in [("", "u"), ("s", ""), ("s\n", "u"), ("s", &"u".repeat(201))] {
            assert_eq!(get_or_create(service, user).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    }
}
