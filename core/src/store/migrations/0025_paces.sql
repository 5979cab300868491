-- When mails left a mailbox in the last day, and which wait for their time, so that a pace holds over restarts and processes.

-- `mailbox`: of a tenant and a person. `has_passed`: it was let go at `at`; else it waits until then.
CREATE TABLE paces (
  mailbox TEXT NOT NULL,
  item TEXT NOT NULL,
  account_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  recipients INTEGER NOT NULL,
  is_bulk INTEGER NOT NULL,
  has_passed INTEGER NOT NULL,
  PRIMARY KEY (mailbox, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX paces_at ON paces (at);
CREATE INDEX paces_account ON paces (account_id);
