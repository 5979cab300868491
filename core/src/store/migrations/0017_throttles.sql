-- Mailboxes that Microsoft asked to be left alone, so that a process that starts anew knows it.

-- `service`: a part of Graph, or `sign_in`, whose rows have the account's id as `user_id` and nothing else. `until`: the end of the Retry-After.
CREATE TABLE throttles (
  client_id TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  service TEXT NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, user_id, client_id, service)
) STRICT, WITHOUT ROWID;

CREATE INDEX accounts_person ON accounts (tenant_id, user_id);
