-- What became of the last syncs of an account; no row until there was one. `error` is in our own words. A success clears the error.
CREATE TABLE health (
  account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
  last_success_at INTEGER,
  last_error_at INTEGER,
  error_kind TEXT,
  error TEXT
) STRICT, WITHOUT ROWID;
