-- A send changes its state several times. What it says lies in a row of its own, so that this does not write it anew each time.
CREATE TABLE outbox_payloads (
  item_id INTEGER PRIMARY KEY REFERENCES outbox (id),
  version INTEGER NOT NULL,
  -- Sealed for outbox.payload, where versions before this one kept it.
  sealed BLOB NOT NULL
) STRICT;
INSERT INTO outbox_payloads (item_id, version, sealed) SELECT id, payload_version, payload FROM outbox WHERE payload <> x'' ORDER BY id;
CREATE INDEX outbox_payloads_key ON outbox_payloads (substr(sealed, 1, 10));

DROP INDEX outbox_payload_key;
ALTER TABLE outbox DROP COLUMN payload;
ALTER TABLE outbox DROP COLUMN payload_version;

-- No query reads along it, and every change of a state wrote to it twice.
DROP INDEX outbox_state;
