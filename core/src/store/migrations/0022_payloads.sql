-- Without its reference to the send: with it, SQLite copies every page that a delete touches, so as to take it back should the check fail. A send goes after
-- its payload.
CREATE TABLE payloads (
  item_id INTEGER PRIMARY KEY,
  version INTEGER NOT NULL,
  -- Sealed for outbox.payload, where versions before 0018 kept it.
  sealed BLOB NOT NULL
) STRICT;
INSERT INTO payloads (item_id, version, sealed) SELECT item_id, version, sealed FROM outbox_payloads ORDER BY item_id;
DROP TABLE outbox_payloads;
ALTER TABLE payloads RENAME TO outbox_payloads;
CREATE INDEX outbox_payloads_key ON outbox_payloads (substr(sealed, 1, 10));
