-- Messages of the Teams chats of accounts.

-- When the chats of an account were looked at last.
CREATE TABLE chat_looks (
  account_id TEXT PRIMARY KEY,
  looked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `mark`: keyed, of what tells whether anything happened in the chat. `known_to`: all that was said or changed until then is here.
CREATE TABLE chat_places (
  account_id TEXT NOT NULL,
  chat_id TEXT NOT NULL,
  mark BLOB NOT NULL,
  known_to INTEGER NOT NULL,
  PRIMARY KEY (account_id, chat_id)
) STRICT, WITHOUT ROWID;

-- `digest`: keyed, of what is sealed.
CREATE TABLE chat_messages (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL,
  chat_id TEXT NOT NULL,
  graph_id TEXT NOT NULL,
  sent_at INTEGER NOT NULL,
  digest BLOB NOT NULL,
  version INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  UNIQUE (account_id, chat_id, graph_id)
) STRICT;
CREATE INDEX chat_messages_time ON chat_messages (account_id, sent_at, id);
CREATE INDEX chat_messages_chat ON chat_messages (account_id, chat_id, sent_at, id);
CREATE INDEX chat_messages_key ON chat_messages (substr(sealed, 1, 10));
