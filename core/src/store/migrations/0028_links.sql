-- What a host's own keys are for: messages by their immutable id, and conversations from some moment on.

-- `hash`: keyed hash of the host's key; `sealed`: that key, its place is `hash`. `since`: messages of a conversation that came before are not meant.
-- `awaits`: a message whose conversation is meant as well, as soon as the mailbox tells which it is.
CREATE TABLE links (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  kind TEXT NOT NULL,
  target TEXT NOT NULL,
  hash BLOB NOT NULL,
  since INTEGER NOT NULL,
  awaits INTEGER NOT NULL DEFAULT 0,
  sealed BLOB NOT NULL,
  UNIQUE (account_id, kind, target, hash)
) STRICT;
CREATE INDEX links_hash ON links (account_id, hash, kind);
CREATE INDEX links_awaiting ON links (account_id) WHERE awaits = 1;
CREATE INDEX links_key ON links (substr(sealed, 1, 10));
