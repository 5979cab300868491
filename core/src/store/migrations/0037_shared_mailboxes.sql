-- Accounts of shared mailboxes. Nobody signs in to one: it is opened with the token of another account of the same owner, and goes with it.

ALTER TABLE accounts ADD COLUMN delegate TEXT;
CREATE INDEX accounts_delegate ON accounts (delegate) WHERE delegate IS NOT NULL;
