-- Certificates that Microsoft encrypts contents of notifications for.

-- `name`: what Microsoft calls it. `sealed`: the private key, under the store key, its place is `name`. `unused_since`: no subscription was made with it any more then.
CREATE TABLE certificates (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  certificate TEXT NOT NULL,
  made_at INTEGER NOT NULL,
  unused_since INTEGER,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX certificates_key ON certificates (substr(sealed, 1, 10));

-- The certificate that its contents are encrypted for; null: it brings none.
ALTER TABLE subscriptions ADD COLUMN certificate TEXT;
