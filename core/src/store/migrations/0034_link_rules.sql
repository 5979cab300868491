-- Rules by which messages get a host's key: an owner's, by addresses and domains.

-- `hash`: keyed hash of owner and key; `sealed`: the rule, under the store key, its place is `hash` and `version`.
CREATE TABLE link_rules (
  id INTEGER PRIMARY KEY,
  owner TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  version INTEGER NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX link_rules_owner ON link_rules (owner, id);
CREATE INDEX link_rules_key ON link_rules (substr(sealed, 1, 10));

-- Keyed hashes of an owner and an address or domain.
CREATE TABLE link_terms (
  term BLOB NOT NULL,
  rule INTEGER NOT NULL REFERENCES link_rules (id),
  PRIMARY KEY (term, rule)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_terms_rule ON link_terms (rule);

-- Mail that was here before a rule: it is held against the rule up to and including the row `after`.
CREATE TABLE link_scans (
  account_id TEXT NOT NULL REFERENCES accounts (id),
  rule INTEGER NOT NULL REFERENCES link_rules (id),
  after INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, rule)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_scans_rule ON link_scans (rule);
