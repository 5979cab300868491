-- Claims find what is ready by index, whatever waits beside it.

-- 1: the lowest row of its lane that is open and not parked; the others wait for it.
ALTER TABLE outbox ADD COLUMN is_head INTEGER NOT NULL DEFAULT 0;
-- 1: nobody waits for it at this moment, so what somebody waits for goes first.
ALTER TABLE outbox ADD COLUMN is_bulk INTEGER NOT NULL DEFAULT 1;
-- When it may be claimed: at its time, or at its deadline if that comes first, and not while a claim on it holds. 0: at once.
ALTER TABLE outbox ADD COLUMN free_at INTEGER
  GENERATED ALWAYS AS (MAX(MIN(COALESCE(next_at, 0), COALESCE(deadline, 9223372036854775807)), lease_until)) VIRTUAL;

DROP INDEX outbox_open;
DROP INDEX outbox_order;
CREATE INDEX outbox_lane ON outbox (account_id, lane, id) WHERE is_open = 1 AND parked <> 1;
CREATE INDEX outbox_ready ON outbox (account_id, route, free_at, is_bulk, id) WHERE is_head = 1;
CREATE INDEX outbox_leases ON outbox (lease_until) WHERE is_open = 1 AND lease_until > 0;

UPDATE outbox SET is_head = 1 WHERE is_open = 1 AND parked <> 1
  AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.is_open = 1 AND e.parked <> 1 AND e.account_id = outbox.account_id AND e.lane = outbox.lane AND e.id < outbox.id);

-- The heads of one account by one route. `due_at`: when the first of them may be claimed, or earlier; 0: now. The lowest id is next, and goes to the end
-- when something of it was claimed.
CREATE TABLE outbox_queues (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL,
  route TEXT NOT NULL,
  due_at INTEGER NOT NULL,
  UNIQUE (account_id, route)
) STRICT;
CREATE INDEX outbox_queues_due ON outbox_queues (due_at);
INSERT INTO outbox_queues (account_id, route, due_at) SELECT account_id, route, MIN(free_at) FROM outbox WHERE is_head = 1 GROUP BY account_id, route ORDER BY MIN(id);
