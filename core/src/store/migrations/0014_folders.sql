-- Folders are chosen per account, and what is new among them is asked for.

-- Well-known names and ids, or `all`; empty: those of the configuration.
ALTER TABLE accounts ADD COLUMN folders TEXT NOT NULL DEFAULT '[]';
-- Where the list of folders goes on, under the secrets key; NULL: it is read anew. Version of the row it is sealed for.
ALTER TABLE accounts ADD COLUMN folder_link BLOB;
ALTER TABLE accounts ADD COLUMN folder_link_version INTEGER NOT NULL DEFAULT 0;

-- What time alone changes is found beside any number of other accounts.
CREATE INDEX accounts_awaiting ON accounts (state_since) WHERE state = 'awaiting_admin';
CREATE INDEX accounts_ending ON accounts (access_ends_at) WHERE access_ends_at IS NOT NULL;
CREATE INDEX accounts_list ON accounts (owner, num);

-- A search folder shows messages of others and is never synced.
ALTER TABLE folders ADD COLUMN is_search INTEGER NOT NULL DEFAULT 0;
