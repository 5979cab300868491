-- Who takes part in messages, for lists by an address.

-- `hash`: keyed, of an address.
CREATE TABLE message_addresses (
  account_id TEXT NOT NULL,
  hash BLOB NOT NULL,
  message_id INTEGER NOT NULL,
  PRIMARY KEY (account_id, hash, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_addresses_message ON message_addresses (message_id);
-- The version of a message whose addresses are noted; 0: of none. A list by an address notes what is missing, so who never asks for one stores nothing of it.
ALTER TABLE messages ADD COLUMN addresses_version INTEGER NOT NULL DEFAULT 0;
CREATE INDEX messages_addresses_unknown ON messages (account_id) WHERE is_removed = 0 AND addresses_version <> version;
