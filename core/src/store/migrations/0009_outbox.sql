-- Sends get ids that say nothing, attachments rows of their own, and counts that tell what may have had an effect from what only waits.

-- What hosts call it. Ids handed out by older versions stay as they are.
ALTER TABLE outbox ADD COLUMN public_id TEXT NOT NULL DEFAULT '';
UPDATE outbox SET public_id = 'snd_' || id;
CREATE UNIQUE INDEX outbox_public_id ON outbox (public_id);

-- 0: the hash is over the JSON text that versions before this one stored; 1 and later: over the canonical form of that number.
ALTER TABLE outbox ADD COLUMN hash_version INTEGER NOT NULL DEFAULT 0;
-- 1: the whole draft with its attachments, as JSON. 2: the draft as JSON, its attachments in outbox_parts.
ALTER TABLE outbox ADD COLUMN payload_version INTEGER NOT NULL DEFAULT 1;
-- Claims in a row that no worker gave back.
ALTER TABLE outbox ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
-- Times it was given back to wait; the pause grows with them.
ALTER TABLE outbox ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN deadline INTEGER;
-- When to look for drafts that a send left in the mailbox; null when there is nothing to look for.
ALTER TABLE outbox ADD COLUMN tidy_at INTEGER;
CREATE INDEX outbox_deadline ON outbox (deadline) WHERE is_open = 1 AND deadline IS NOT NULL;
CREATE INDEX outbox_tidy ON outbox (tidy_at) WHERE tidy_at IS NOT NULL;
CREATE INDEX outbox_account ON outbox (account_id, id);

CREATE TABLE outbox_parts (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  item_id INTEGER NOT NULL REFERENCES outbox (id),
  file INTEGER NOT NULL,
  part INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  UNIQUE (item_id, file, part)
) STRICT;
CREATE INDEX outbox_parts_account ON outbox_parts (account_id);
CREATE INDEX outbox_parts_key ON outbox_parts (substr(sealed, 1, 10));

-- What was sent or taken back needs its content no more.
UPDATE outbox SET payload = x'' WHERE state IN ('sent', 'cancelled');
