-- Whose a sign-in is, so that it ends with them: the account it is about or has led to, and what its owner is called in the audit log. Empty: of none.
-- Of those under way now nobody can tell; they are good for minutes only and are started again.
DELETE FROM attempts;
ALTER TABLE attempts ADD COLUMN account_id TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN owner TEXT NOT NULL DEFAULT '';
CREATE INDEX attempts_account ON attempts (account_id);
CREATE INDEX attempts_owner ON attempts (owner);
