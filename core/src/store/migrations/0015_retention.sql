-- Nothing grows without end: what is older than a store keeps is found by index and erased.

-- The last change of an account that was erased from the feed. Who reads on from before it has missed something.
CREATE TABLE feed_horizons (
  account_id TEXT PRIMARY KEY NOT NULL,
  change_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- When a send was settled; NULL while it is open.
ALTER TABLE outbox ADD COLUMN settled_at INTEGER;
UPDATE outbox SET settled_at = MAX(created_at, COALESCE(sent_at, 0)) WHERE is_open = 0;
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE is_open = 0;

-- When a message was found to be gone. 0: by an earlier version.
ALTER TABLE messages ADD COLUMN removed_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX messages_removed ON messages (removed_at) WHERE is_removed = 1;
