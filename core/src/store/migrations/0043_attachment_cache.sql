-- Contents of attachments that were read from a mailbox, sealed, for the next who reads them. Others go when room is needed.
-- Without a message: it is about to be erased, and served to nobody.
CREATE TABLE cached_attachments (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  message_id INTEGER REFERENCES messages (id),
  attachment_id TEXT NOT NULL,
  -- As the list of the message told it when the content was read.
  listed_size INTEGER NOT NULL,
  -- Bytes of the content; 0 until all of it is there.
  size INTEGER NOT NULL DEFAULT 0,
  -- Bytes of its pieces as they are stored.
  stored INTEGER NOT NULL DEFAULT 0,
  is_complete INTEGER NOT NULL DEFAULT 0,
  -- To a minute. 0 without a message.
  used_at INTEGER NOT NULL
) STRICT;
CREATE INDEX cached_attachments_account ON cached_attachments (account_id);
CREATE UNIQUE INDEX cached_attachments_message ON cached_attachments (message_id, attachment_id) WHERE message_id IS NOT NULL;
CREATE INDEX cached_attachments_used ON cached_attachments (used_at, id, stored);
CREATE INDEX cached_attachments_open ON cached_attachments (used_at) WHERE is_complete = 0;

CREATE TABLE cached_pieces (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  cached_id INTEGER NOT NULL REFERENCES cached_attachments (id),
  part INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  UNIQUE (cached_id, part)
) STRICT;
CREATE INDEX cached_pieces_account ON cached_pieces (account_id);
CREATE INDEX cached_pieces_key ON cached_pieces (substr(sealed, 1, 10));
