//! Leases and their fences. A fence only grows: whoever holds an old one changes nothing.

use super::fault::Outcome;
use super::{exists, first, run};
use crate::store::Lease;
use rusqlite::Connection;

/// How far the clocks of two processes may be apart, in milliseconds.
pub const SKEW_MS: i64 = 600_000;

/// A lease that ends much later than any taken now could was taken when the clock stood ahead; it keeps nobody out. The fence protects a holder that lives.
pub fn take(c: &Connection, name: &str, holder: &str, now: i64, for_ms: i64) -> Outcome<Option<Lease>> {
    let until = now.saturating_add(for_ms);
    first(
        c,
        "INSERT INTO leases (name, holder, fence, expires_at) VALUES (?1, ?2, 1, ?4)
         ON CONFLICT (name) DO UPDATE SET
           fence = fence + (holder <> excluded.holder OR expires_at <= ?3 OR expires_at > ?5),
           holder = excluded.holder,
           expires_at = excluded.expires_at
         WHERE expires_at <= ?3 OR expires_at > ?5 OR holder = excluded.holder
         RETURNING fence",
        (name, holder, now, until, until.saturating_add(SKEW_MS)),
        |row| Ok(Lease { name: name.to_owned(), holder: holder.to_owned(), fence: row.get(0)?, expires_at: until }),
    )
}

pub fn renew(c: &Connection, lease: &Lease, now: i64, for_ms: i64) -> Outcome<bool> {
    let changed = run(
        c,
        "UPDATE leases SET expires_at = ?4 WHERE name = ?1 AND holder = ?2 AND fence = ?3",
        (&lease.name, &lease.holder, lease.fence, now.saturating_add(for_ms)),
    )?;
    Ok(changed > 0)
}

pub fn release(c: &Connection, lease: &Lease) -> Outcome<()> {
    run(c, "UPDATE leases SET holder = '', expires_at = 0 WHERE name = ?1 AND holder = ?2 AND fence = ?3", (&lease.name, &lease.holder, lease.fence))?;
    Ok(())
}

/// A lapsed lease that nobody took over is still ours: the fence decides, not the clock.
pub fn is_held(c: &Connection, lease: &Lease) -> Outcome<bool> {
    exists(c, "SELECT 1 FROM leases WHERE name = ?1 AND holder = ?2 AND fence = ?3", (&lease.name, &lease.holder, lease.fence))
}
