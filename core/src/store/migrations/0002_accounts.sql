-- Kinds of accounts, several applications, consent that comes later. A place that nobody has proven yet is spelled in tenant_id and user_id with
-- a slash, which no id of Microsoft's holds (see AccountRow::tenant, AccountRow::person).

ALTER TABLE accounts ADD COLUMN kind TEXT NOT NULL DEFAULT 'person';
ALTER TABLE accounts ADD COLUMN app TEXT NOT NULL DEFAULT 'default';
-- Tenant or domain its tokens are asked at; empty: the application's own.
ALTER TABLE accounts ADD COLUMN authority TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN extra_scopes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE accounts ADD COLUMN state_since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN access_ends_at INTEGER;
-- What Microsoft asked for at its last refusal, under the secrets key.
ALTER TABLE accounts ADD COLUMN claims BLOB;
ALTER TABLE accounts ADD COLUMN claims_version INTEGER NOT NULL DEFAULT 0;
