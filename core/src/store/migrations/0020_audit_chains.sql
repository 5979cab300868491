-- A chain of records for each owner, so that nobody who writes one waits for another. The log so far goes on as the store's own chain, with its signed end.

CREATE TABLE audit_chains (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  -- Keyed hash: whose it is, without saying it. Empty: the store's own.
  owner TEXT NOT NULL UNIQUE,
  -- The last record that was erased from its start, signed; NULL: none was.
  trimmed BLOB,
  -- The last record, signed. NULL only where it was lost.
  signed_end BLOB
) STRICT;

ALTER TABLE audit RENAME TO audit_before;

CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  chain INTEGER NOT NULL,
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  account_id TEXT,
  subject TEXT,
  detail TEXT NOT NULL,
  hash BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX audit_places ON audit (chain, number);

INSERT INTO audit_chains (id, owner, signed_end)
  SELECT 1, '', (SELECT value FROM meta WHERE name = 'audit_end')
  WHERE EXISTS (SELECT 1 FROM audit_before) OR EXISTS (SELECT 1 FROM meta WHERE name = 'audit_end');
DELETE FROM meta WHERE name = 'audit_end';

-- Positions are counted anew: whatever numbers stand there, the next one is free.
INSERT INTO audit (id, chain, number, at, kind, account_id, subject, detail, hash)
  SELECT ROW_NUMBER() OVER (ORDER BY number), 1, number, at, kind, account_id, subject, detail, hash FROM audit_before ORDER BY number;
DROP TABLE audit_before;
