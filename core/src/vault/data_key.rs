//! A handle on one key: seals, opens, counts.

use crate::error::{Error, ErrorKind, Result};
use crate::seal::{Cipher, Place, Sealed};
use crate::store::Store;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use zeroize::Zeroizing;

/// Uses asked for at a time; what a crash leaves of a block is lost, not used twice.
const BLOCK: i64 = 4_096;

/// Seals and opens values of one account and class.
#[derive(Clone)]
pub struct DataKey(Arc<Inner>);

struct Inner {
    cipher: Cipher,
    store: Arc<dyn Store>,
    /// Uses reserved and not yet taken.
    left: AtomicI64,
    most_uses: i64,
}

impl DataKey {
    pub(super) fn new(store: Arc<dyn Store>, cipher: Cipher, left: i64, most_uses: i64) -> Self {
        Self(Arc::new(Inner { cipher, store, left: AtomicI64::new(left), most_uses }))
    }

    pub(super) fn id(&self) -> i64 {
        self.0.cipher.key_id()
    }

    /// The value can be opened in `place` only.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Sealed> {
        self.count()?;
        self.0.cipher.seal(place, plain)
    }

    /// Fails with `Corrupt` when the value was changed or belongs elsewhere.
    pub fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        self.0.cipher.open(place, sealed)
    }

    /// Takes one use. No lock is held while the store is asked: the one who seals may hold the store's writer, and the one who asks needs it.
    fn count(&self) -> Result<()> {
        loop {
            let taken = self.0.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| (left > 0).then(|| left - 1));
            if taken.is_ok() {
                return Ok(());
            }
            let total = self.0.store.reserve_uses(self.id(), BLOCK)?;
            let granted = BLOCK.min(self.0.most_uses.saturating_sub(total.saturating_sub(BLOCK)));
            if granted <= 0 {
                return Err(Error::new(
                    ErrorKind::LimitExceeded,
                    "A key of the store has sealed as many values as is safe; nothing was stored. Disconnect and connect the account to get a new one.",
                ));
            }
            self.0.left.fetch_add(granted, Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}
