-- Contacts of mailboxes.

-- `graph_id`: `contacts` for the default folder. `link`: sealed for version `link_version`. `enumeration`: rises when the folder is read anew.
CREATE TABLE contact_folders (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL,
  graph_id TEXT NOT NULL,
  link BLOB,
  link_version INTEGER NOT NULL,
  enumeration INTEGER NOT NULL,
  UNIQUE (account_id, graph_id)
) STRICT;
CREATE INDEX contact_folders_key ON contact_folders (substr(link, 1, 10)) WHERE link IS NOT NULL;

-- `folder_id`: empty once it was removed from its folder, until the sync has seen that it is in no other. `enumeration`: of its folder, when it was shown last.
CREATE TABLE contacts (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL,
  graph_id TEXT NOT NULL,
  folder_id TEXT NOT NULL,
  change_key TEXT NOT NULL,
  version INTEGER NOT NULL,
  enumeration INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  UNIQUE (account_id, graph_id)
) STRICT;
CREATE INDEX contacts_folder ON contacts (account_id, folder_id);
CREATE INDEX contacts_key ON contacts (substr(sealed, 1, 10));

-- `hash`: keyed, of an address in lower case.
CREATE TABLE contact_addresses (
  account_id TEXT NOT NULL,
  hash BLOB NOT NULL,
  contact_id INTEGER NOT NULL,
  PRIMARY KEY (account_id, hash, contact_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_addresses_contact ON contact_addresses (contact_id);
