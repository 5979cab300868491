-- Contents of large attachments, handed in before the sends that name them.
CREATE TABLE staged (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  size INTEGER NOT NULL DEFAULT 0,
  -- Keyed hash of the content; null until all of it is there.
  digest BLOB,
  -- Its content is erased, or about to be.
  is_gone INTEGER NOT NULL DEFAULT 0,
  -- When it is erased unless a send names it; null while one needs it, and when its content is erased.
  erase_at INTEGER
) STRICT;
CREATE INDEX staged_account ON staged (account_id);
CREATE INDEX staged_erase ON staged (erase_at) WHERE erase_at IS NOT NULL;

CREATE TABLE staged_parts (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  staged_id INTEGER NOT NULL REFERENCES staged (id),
  part INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  UNIQUE (staged_id, part)
) STRICT;
CREATE INDEX staged_parts_account ON staged_parts (account_id);
CREATE INDEX staged_parts_key ON staged_parts (substr(sealed, 1, 10));

-- Which sends name which contents. A send that still has its payload needs them.
CREATE TABLE outbox_staged (
  item_id INTEGER NOT NULL REFERENCES outbox (id),
  staged_id INTEGER NOT NULL REFERENCES staged (id),
  account_id TEXT NOT NULL REFERENCES accounts (id),
  PRIMARY KEY (item_id, staged_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_staged_content ON outbox_staged (staged_id);
CREATE INDEX outbox_staged_account ON outbox_staged (account_id);
