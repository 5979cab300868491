-- How far back the mail of an account is fetched, and how far that has come.

-- `since`: mail received before is not fetched; null for all of it. `phase`: what is at work; `wish`: what the host wants of it. `done` and `estimated` count
-- messages; `worked_ms` is the time at work on them. `turn` rises with each process that takes it, which has it until `lease_until`. `generation`: that of the
-- account when it was last taken.
CREATE TABLE backfills (
  account_id TEXT NOT NULL,
  reach TEXT NOT NULL,
  since INTEGER,
  phase TEXT NOT NULL,
  wish TEXT NOT NULL,
  estimated INTEGER NOT NULL,
  done INTEGER NOT NULL,
  worked_ms INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  problem_kind TEXT,
  problem TEXT,
  turn INTEGER NOT NULL,
  lease_until INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  PRIMARY KEY (account_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX backfills_due ON backfills (next_at) WHERE phase <> 'done';

-- Parts of a folder by time of receipt. Of a part, what was received at `lower` or later and before `reached` is still to be listed; it is done when they are
-- the same. All that came later than the oldest part's `lower`, and is in no such gap, was listed.
CREATE TABLE backfill_windows (
  account_id TEXT NOT NULL,
  folder_id TEXT NOT NULL,
  lower INTEGER NOT NULL,
  reached INTEGER NOT NULL,
  PRIMARY KEY (account_id, folder_id, lower)
) STRICT, WITHOUT ROWID;

-- Mail that was moved to folders that are not synced is asked about once a day: when next, and the row that was asked about last.
CREATE TABLE unsynced_looks (
  account_id TEXT NOT NULL,
  next_at INTEGER NOT NULL,
  after INTEGER NOT NULL,
  PRIMARY KEY (account_id)
) STRICT, WITHOUT ROWID;
