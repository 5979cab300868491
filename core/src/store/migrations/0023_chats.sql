-- Chats that were made or found, so that the next message to the same people goes to the same chat: a group is made anew each time Microsoft is asked.

-- `people`: a keyed hash of whom it is with and, for a group, of its topic.
CREATE TABLE chats (
  account_id TEXT NOT NULL,
  people BLOB NOT NULL,
  chat_id TEXT NOT NULL,
  kept_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, people)
) STRICT, WITHOUT ROWID;
