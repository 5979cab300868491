-- How Microsoft is asked to tell that something changed in a mailbox, and of which mailboxes it has told.

-- `client_hash`: keyed hash of the word by which a notification proves that it belongs to this subscription; the word itself is kept nowhere.
-- `generation`: that of the account when the subscription was last made or renewed. `version` goes on with every change.
CREATE TABLE subscriptions (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL UNIQUE REFERENCES accounts (id),
  is_wanted INTEGER NOT NULL,
  state TEXT NOT NULL,
  state_since INTEGER NOT NULL,
  graph_id TEXT,
  client_hash BLOB,
  expires_at INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  must_reauthorize INTEGER NOT NULL DEFAULT 0,
  problem TEXT,
  generation INTEGER NOT NULL DEFAULT 0,
  version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX subscriptions_due ON subscriptions (next_at);
CREATE UNIQUE INDEX subscriptions_client ON subscriptions (client_hash) WHERE client_hash IS NOT NULL;

-- An account of which something new was told and that was not synced since. `holder`: the process that was told; `number` goes on each time.
CREATE TABLE news (
  account_id TEXT NOT NULL REFERENCES accounts (id),
  holder TEXT NOT NULL,
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (account_id, holder)
) STRICT, WITHOUT ROWID;
