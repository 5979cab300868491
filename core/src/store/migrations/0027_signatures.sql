-- The signature of an account, its texts and images as one sealed record.

-- `sealed`: none once it was taken away; `version` goes on, so that an older one is never good for its place again.
CREATE TABLE signatures (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL UNIQUE,
  sealed BLOB,
  version INTEGER NOT NULL
) STRICT;
