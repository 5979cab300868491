-- Requests of late of a mailbox, so that a process that starts anew knows what is left of its window.

-- When they were counted, and how many in each sub-span, four bytes each (little-endian), the oldest first.
ALTER TABLE throttles ADD COLUMN counted_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE throttles ADD COLUMN counts BLOB NOT NULL DEFAULT x'';
