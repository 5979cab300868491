-- What was changed of messages here and is on its way to the mailbox: one row a message and property, the newest change alone.

-- `property`: read, flag, categories or place. `number`: of the change; a newer one of the same property has a higher one. `sealed`: what it is to be and
-- what the mailbox had; its place is message and property, `version` is of that. `is_begun`: a request that moves the message may have been made.
-- `is_open`: it is to be delivered; else it arrived, and the row stays for a while so that pages from before that are known. `modified`: when the mailbox
-- says it changed then.
CREATE TABLE edits (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  graph_id TEXT NOT NULL,
  property TEXT NOT NULL,
  number INTEGER NOT NULL,
  version INTEGER NOT NULL,
  edited_at INTEGER NOT NULL,
  is_open INTEGER NOT NULL DEFAULT 1,
  is_begun INTEGER NOT NULL DEFAULT 0,
  tries INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER NOT NULL DEFAULT 0,
  modified INTEGER,
  settled_at INTEGER,
  sealed BLOB NOT NULL,
  UNIQUE (account_id, graph_id, property)
) STRICT;
CREATE INDEX edits_open ON edits (next_at, account_id) WHERE is_open = 1;
CREATE INDEX edits_settled ON edits (settled_at) WHERE is_open = 0;
CREATE INDEX edits_key ON edits (substr(sealed, 1, 10));
