-- Answers that no person wrote: reports of mail systems and automatic replies.

-- What a message is; null: an ordinary one, or one that was not looked at.
ALTER TABLE messages ADD COLUMN kind TEXT;

-- What a mail that was sent is known by in its mailbox. `graph_id`: of its copy; `hash`: keyed hash of its Message-ID.
CREATE TABLE sent_mails (
  item_id INTEGER PRIMARY KEY REFERENCES outbox (id),
  account_id TEXT NOT NULL REFERENCES accounts (id),
  graph_id TEXT NOT NULL,
  conversation_id TEXT,
  hash BLOB NOT NULL
) STRICT;
CREATE INDEX sent_mails_hash ON sent_mails (account_id, hash);
CREATE INDEX sent_mails_conversation ON sent_mails (account_id, conversation_id) WHERE conversation_id IS NOT NULL;

-- Messages that may be such answers, and are looked at from `next_at` on.
CREATE TABLE answer_candidates (
  account_id TEXT NOT NULL REFERENCES accounts (id),
  graph_id TEXT NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, graph_id)
) STRICT, WITHOUT ROWID;

-- What a message says of a send, once for each. `sealed`: its place is the send's id without its beginning, a slash and `graph_id`.
CREATE TABLE send_answers (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  item_id INTEGER NOT NULL REFERENCES outbox (id),
  graph_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  UNIQUE (item_id, graph_id)
) STRICT;
CREATE INDEX send_answers_account ON send_answers (account_id);
CREATE INDEX send_answers_key ON send_answers (substr(sealed, 1, 10));
