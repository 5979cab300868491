-- What is attached to a message is listed after the message was stored. 1: it is still to be listed.
ALTER TABLE messages ADD COLUMN is_unlisted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX messages_unlisted ON messages (account_id, sort_at) WHERE is_unlisted = 1;

-- Lists that could not be read are asked for alone from now on, not with their message.
UPDATE messages SET is_unlisted = 1 WHERE is_removed = 0 AND id IN
  (SELECT m.id FROM quarantine q JOIN messages m ON m.account_id = q.account_id AND m.graph_id = q.graph_id WHERE q.kind = 'attachments');
