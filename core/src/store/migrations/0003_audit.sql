-- The audit log. `hash` is a keyed hash over the row and the hash of the row before it; the signed end of the log is in meta, audit_end.
CREATE TABLE audit (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  account_id TEXT,
  subject TEXT,
  detail TEXT NOT NULL,
  hash BLOB NOT NULL
) STRICT;

-- Owners who were deleted and can still be taken back. The row goes with the purge, and with it the name.
CREATE TABLE owners (
  owner TEXT NOT NULL PRIMARY KEY,
  deleted_at INTEGER NOT NULL,
  purge_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX owners_due ON owners (purge_at);

-- One row per purge, begun or ended: what is left to be done after a crash, and the recorded end.
CREATE TABLE purges (
  account_id TEXT NOT NULL PRIMARY KEY,
  -- Keyed hash: whose it was, without saying it.
  owner TEXT NOT NULL,
  begun_at INTEGER NOT NULL,
  erased INTEGER NOT NULL DEFAULT 0,
  ended_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX purges_open ON purges (begun_at) WHERE ended_at IS NULL;
