-- The first ten bytes of an envelope name its key. Finding, and proving the end of, the values of one key must not read every mail.
CREATE INDEX messages_key ON messages (substr(head, 1, 10)) WHERE head IS NOT NULL;
CREATE INDEX bodies_key ON bodies (substr(sealed, 1, 10));
CREATE INDEX outbox_payload_key ON outbox (substr(payload, 1, 10));
CREATE INDEX outbox_progress_key ON outbox (substr(progress, 1, 10)) WHERE progress IS NOT NULL;
