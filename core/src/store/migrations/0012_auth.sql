-- Whether somebody who may approve for the organisation has signed in to its account: unsaid, refused (somebody who may not), proven.
ALTER TABLE accounts ADD COLUMN approver TEXT NOT NULL DEFAULT 'unsaid';
-- Those that have tokens were connected before anybody asked.
UPDATE accounts SET approver = 'proven' WHERE kind = 'tenant' AND EXISTS (SELECT 1 FROM tokens WHERE tokens.account_id = accounts.id);
