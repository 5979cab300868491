-- Filters of lists, each along an index of its own.

-- Attachments other than inline ones. NULL: a row of an older version, whose sealed part tells; it is filled in before the first list that asks for it.
ALTER TABLE messages ADD COLUMN has_attachments INTEGER;
CREATE INDEX messages_with_files ON messages (account_id, sort_at, id, folder_id) WHERE is_removed = 0 AND has_attachments = 1;
CREATE INDEX messages_files_unknown ON messages (account_id) WHERE is_removed = 0 AND has_attachments IS NULL;
CREATE INDEX messages_unread ON messages (account_id, sort_at, id, folder_id) WHERE is_removed = 0 AND is_read = 0;
