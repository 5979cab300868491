-- Messages that a host took a key of its own from: they do not carry it again, whatever their conversation says.
CREATE TABLE unlinks (
  account_id TEXT NOT NULL REFERENCES accounts (id),
  graph_id TEXT NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (account_id, graph_id, hash)
) STRICT, WITHOUT ROWID;
