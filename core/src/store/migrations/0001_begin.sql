-- Times are milliseconds since 1970. Sealed columns hold envelopes (see seal). Ids of Microsoft differ by letter case: all comparisons are
-- byte by byte (BINARY, the default).

CREATE TABLE meta (
  name TEXT NOT NULL PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A destroyed key keeps its row without the key, so that it is plain that it existed.
CREATE TABLE keys (
  id INTEGER PRIMARY KEY,
  purpose TEXT NOT NULL,
  account_id TEXT NOT NULL DEFAULT '',
  wrapped BLOB,
  is_active INTEGER NOT NULL DEFAULT 1,
  uses INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX keys_active ON keys (purpose, account_id) WHERE is_active = 1;

CREATE TABLE attempts (
  state_hash BLOB NOT NULL PRIMARY KEY,
  sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_expiry ON attempts (expires_at);

CREATE TABLE accounts (
  num INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  owner TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  state TEXT NOT NULL,
  features TEXT NOT NULL DEFAULT '[]',
  scopes TEXT NOT NULL DEFAULT '[]',
  problem TEXT,
  profile BLOB NOT NULL,
  profile_version INTEGER NOT NULL,
  generation INTEGER NOT NULL DEFAULT 1,
  connected_at INTEGER NOT NULL,
  UNIQUE (owner, tenant_id, user_id)
) STRICT;

CREATE TABLE tokens (
  account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id),
  version INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  expires_at INTEGER NOT NULL,
  refreshed_at INTEGER NOT NULL
) STRICT;

-- The fence only grows, so a row stays when its lease is given back.
CREATE TABLE leases (
  name TEXT NOT NULL PRIMARY KEY,
  holder TEXT NOT NULL DEFAULT '',
  fence INTEGER NOT NULL DEFAULT 1,
  expires_at INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  route TEXT NOT NULL,
  lane TEXT NOT NULL,
  key TEXT,
  content_hash BLOB NOT NULL,
  state TEXT NOT NULL,
  is_open INTEGER NOT NULL DEFAULT 1,
  attempts INTEGER NOT NULL DEFAULT 0,
  payload BLOB NOT NULL,
  progress BLOB,
  progress_version INTEGER NOT NULL DEFAULT 0,
  reason TEXT,
  created_at INTEGER NOT NULL,
  sent_at INTEGER,
  next_at INTEGER,
  fence INTEGER NOT NULL DEFAULT 0,
  lease_until INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX outbox_key ON outbox (account_id, key) WHERE key IS NOT NULL;
CREATE INDEX outbox_open ON outbox (account_id, lane, id) WHERE is_open = 1;
-- Claims take the oldest: in this order they stop at the first they find.
CREATE INDEX outbox_order ON outbox (id) WHERE is_open = 1;
CREATE INDEX outbox_state ON outbox (state, id);

CREATE TABLE folders (
  num INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  graph_id TEXT NOT NULL,
  parent_id TEXT,
  well_known_name TEXT,
  name BLOB NOT NULL,
  version INTEGER NOT NULL,
  total INTEGER NOT NULL DEFAULT 0,
  unread INTEGER NOT NULL DEFAULT 0,
  is_synced INTEGER NOT NULL DEFAULT 0,
  -- 0 once Microsoft no longer lists it; the row stays, since its pass must go on from where it was if the folder returns.
  is_listed INTEGER NOT NULL DEFAULT 1,
  stored INTEGER NOT NULL DEFAULT 0,
  link BLOB,
  link_version INTEGER NOT NULL DEFAULT 0,
  link_is_delta INTEGER NOT NULL DEFAULT 0,
  pass INTEGER NOT NULL DEFAULT 1,
  was_complete INTEGER NOT NULL DEFAULT 0,
  resync_since INTEGER,
  UNIQUE (account_id, graph_id)
) STRICT;

-- A removed message keeps its row (a tombstone) without head and body.
CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  graph_id TEXT NOT NULL,
  folder_id TEXT NOT NULL,
  conversation_id TEXT NOT NULL DEFAULT '',
  change_key TEXT NOT NULL DEFAULT '',
  received_at INTEGER,
  -- received_at, or 0 without one: what lists are ordered by.
  sort_at INTEGER NOT NULL DEFAULT 0,
  is_read INTEGER NOT NULL DEFAULT 0,
  is_draft INTEGER NOT NULL DEFAULT 0,
  is_removed INTEGER NOT NULL DEFAULT 0,
  pass INTEGER NOT NULL DEFAULT 0,
  version INTEGER NOT NULL,
  head BLOB,
  UNIQUE (account_id, graph_id)
) STRICT;
CREATE INDEX messages_by_folder ON messages (account_id, folder_id, sort_at, id) WHERE is_removed = 0;
CREATE INDEX messages_by_time ON messages (sort_at, id) WHERE is_removed = 0;
CREATE INDEX messages_by_account ON messages (account_id, sort_at, id) WHERE is_removed = 0;
CREATE INDEX messages_by_conversation ON messages (account_id, conversation_id, sort_at, id) WHERE is_removed = 0;

CREATE TABLE bodies (
  message_id INTEGER PRIMARY KEY REFERENCES messages (id),
  version INTEGER NOT NULL,
  sealed BLOB NOT NULL
) STRICT;

-- Messages said to have left a folder: questions until proven.
CREATE TABLE suspects (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  graph_id TEXT NOT NULL,
  folder_id TEXT NOT NULL,
  noted_at INTEGER NOT NULL,
  UNIQUE (account_id, graph_id)
) STRICT;

CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  folder_id TEXT NOT NULL,
  graph_id TEXT,
  -- Version of the cursor its page was committed with: a page that comes again replaces its own items.
  page_version INTEGER NOT NULL,
  raw BLOB NOT NULL,
  reason TEXT NOT NULL,
  noted_at INTEGER NOT NULL
) STRICT;
CREATE INDEX quarantine_by_account ON quarantine (account_id, folder_id, graph_id);

CREATE TABLE changes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  account_id TEXT NOT NULL,
  subject INTEGER,
  at INTEGER NOT NULL
) STRICT;
