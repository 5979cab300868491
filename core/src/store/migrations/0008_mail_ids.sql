-- What hosts call a message: 128 random bits, made before the row is. An id that counts up tells how many there are, and the next one is guessed.
-- Rows from before have none and keep the id they were shown under.
ALTER TABLE messages ADD COLUMN shown_id TEXT;
CREATE UNIQUE INDEX messages_shown ON messages (COALESCE(shown_id, 'msg_' || id));
-- Lists are an owner's or an account's; nothing is ordered over all mail of a store any more.
DROP INDEX messages_by_time;

-- The change feed names messages and sends as hosts do, and is read account by account.
ALTER TABLE changes ADD COLUMN subject_id TEXT;
UPDATE changes SET subject_id = CASE kind WHEN 'send_changed' THEN 'snd_' ELSE 'msg_' END || subject WHERE subject IS NOT NULL;
ALTER TABLE changes DROP COLUMN subject;
CREATE INDEX changes_by_account ON changes (account_id, id);

-- The feed of an owner tells of accounts that are gone as well.
CREATE INDEX purges_owner ON purges (owner);
