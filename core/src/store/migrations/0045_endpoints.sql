-- Where subscribers are told something, and what was sent to several places at once.

-- `context_hash`, `target_hash`, `place_hash`: keyed. The last is of the person or the team alone, which an installation of the app is about. `version`: counts changes;
-- what was sent to an older one retires nothing. `returns`: it is active again once the app of the bot is installed there. `sealed`: context and target, under the content key, for this version.
CREATE TABLE endpoints (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL,
  subscriber TEXT NOT NULL,
  context_hash BLOB NOT NULL,
  kind TEXT NOT NULL,
  target_hash BLOB NOT NULL,
  place_hash BLOB NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  returns INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  UNIQUE (subscriber, context_hash, account_id, kind, target_hash)
) STRICT;
CREATE INDEX endpoints_account ON endpoints (account_id, id);
CREATE INDEX endpoints_place ON endpoints (account_id, place_hash) WHERE state = 'retired';
CREATE INDEX endpoints_key ON endpoints (substr(sealed, 1, 10));

-- One row for each message that went to endpoints. Its parts are sends of their own. `refused`: endpoints that were not sent to, with the reasons, as JSON.
CREATE TABLE endpoint_sends (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,
  subscriber TEXT NOT NULL,
  key TEXT,
  content_hash BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  refused TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX endpoint_sends_key ON endpoint_sends (subscriber, key) WHERE key IS NOT NULL;
CREATE INDEX endpoint_sends_created ON endpoint_sends (created_at);

ALTER TABLE outbox ADD COLUMN whole_id TEXT;
ALTER TABLE outbox ADD COLUMN endpoint_id TEXT;
ALTER TABLE outbox ADD COLUMN endpoint_version INTEGER;
CREATE INDEX outbox_whole ON outbox (whole_id) WHERE whole_id IS NOT NULL;
