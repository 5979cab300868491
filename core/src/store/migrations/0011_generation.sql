-- Which run of which store this file is in. The first process to open the store begins a new generation; the same mark stands in a small file beside
-- this one. `stamp` is changed by every transaction that writes: fixed text, store, mark, mark of the generation before, count of commits. It is the last
-- column of the only row, so it ends the page it stands on and is found in the write-ahead log without SQLite.
CREATE TABLE generation (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  number INTEGER NOT NULL DEFAULT 0,
  -- What the file system said this file is; NULL until it was first asked.
  file TEXT,
  -- 1: found to be a copy, and nobody was told yet.
  is_copied INTEGER NOT NULL DEFAULT 0,
  copied_at INTEGER,
  stamp BLOB NOT NULL
) STRICT;
INSERT INTO generation (id, stamp) VALUES (1, CAST('tidings-commit:1' || randomblob(16) || randomblob(16) || zeroblob(24) AS BLOB));

-- 1: was open when the store was copied or restored, so the original may send it. It waits for the host, and nothing waits for it.
ALTER TABLE outbox ADD COLUMN parked INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_parked ON outbox (account_id) WHERE parked = 1;
