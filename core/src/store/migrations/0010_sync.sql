-- What could not be read or told is asked for again with growing pauses. `kind`: what is missing, `message` as a whole or its `attachments`.
-- `place`: the row that `raw` is sealed for; rows of older versions were sealed for their folder.
ALTER TABLE quarantine ADD COLUMN kind TEXT NOT NULL DEFAULT 'message';
ALTER TABLE quarantine ADD COLUMN place TEXT;
ALTER TABLE quarantine ADD COLUMN tries INTEGER NOT NULL DEFAULT 1;
ALTER TABLE quarantine ADD COLUMN next_at INTEGER NOT NULL DEFAULT 0;
-- A removal that the mailbox would not prove: how often it was asked, when it is next, why. 0: it was not refused yet.
ALTER TABLE suspects ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE suspects ADD COLUMN next_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE suspects ADD COLUMN reason TEXT;
-- Messages asked for per page where the usual number is too much for the service, and since when.
ALTER TABLE folders ADD COLUMN page_size INTEGER;
ALTER TABLE folders ADD COLUMN page_size_at INTEGER NOT NULL DEFAULT 0;
-- How often the stored link was refused in a row.
ALTER TABLE folders ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
-- How often the folder was read anew because of items without an id.
ALTER TABLE folders ADD COLUMN nameless_tries INTEGER NOT NULL DEFAULT 0;
