-- Events of the default calendars of mailboxes.

-- One view of each: from when to when it goes. `link`: sealed for version `link_version`. `round`: rises with each round of changes; `is_whole`: this one
-- shows everything there is.
CREATE TABLE calendar_views (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL UNIQUE,
  from_at INTEGER NOT NULL,
  to_at INTEGER NOT NULL,
  link BLOB,
  link_version INTEGER NOT NULL,
  round INTEGER NOT NULL,
  is_whole INTEGER NOT NULL
) STRICT;
CREATE INDEX calendar_views_key ON calendar_views (substr(link, 1, 10)) WHERE link IS NOT NULL;

-- `series_id`: Microsoft's id of the master of an occurrence, else empty. `is_master`: no event, but what those of a series have in common. `digest`: keyed,
-- of what is sealed. `round`: in which it was shown last. Times are in clear, since lists go by them.
CREATE TABLE calendar_events (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL,
  graph_id TEXT NOT NULL,
  series_id TEXT NOT NULL,
  is_master INTEGER NOT NULL,
  start_at INTEGER NOT NULL,
  end_at INTEGER NOT NULL,
  digest BLOB NOT NULL,
  version INTEGER NOT NULL,
  round INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  UNIQUE (account_id, graph_id)
) STRICT;
CREATE INDEX calendar_events_time ON calendar_events (account_id, start_at, id);
CREATE INDEX calendar_events_series ON calendar_events (account_id, series_id) WHERE series_id <> '';
CREATE INDEX calendar_events_key ON calendar_events (substr(sealed, 1, 10));
