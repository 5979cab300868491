-- From which account, and in whose name, an owner wrote last in a context.

-- `context`: a keyed hash of owner and context. `from_address`: sealed for row version `used_at`; null: the account's own.
CREATE TABLE last_senders (
  context BLOB NOT NULL,
  account_id TEXT NOT NULL,
  from_address BLOB,
  used_at INTEGER NOT NULL,
  PRIMARY KEY (context)
) STRICT, WITHOUT ROWID;
CREATE INDEX last_senders_account ON last_senders (account_id);
CREATE INDEX last_senders_used ON last_senders (used_at);
CREATE INDEX last_senders_key ON last_senders (substr(from_address, 1, 10)) WHERE from_address IS NOT NULL;
