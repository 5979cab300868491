-- When each mailbox is looked at next, and who does that now, so that several processes share the work.

-- `next_at`: not before. `pause_ms`: what was waited last. `turn`: rises with each that takes it. `lease_until`: taken until then. `soon_at`: asked for by then
-- while it was taken. `since`: looked at without a longer break.
CREATE TABLE polls (
  account_id TEXT NOT NULL,
  next_at INTEGER NOT NULL,
  pause_ms INTEGER NOT NULL,
  turn INTEGER NOT NULL,
  lease_until INTEGER NOT NULL,
  soon_at INTEGER,
  since INTEGER NOT NULL,
  PRIMARY KEY (account_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX polls_next ON polls (next_at);
