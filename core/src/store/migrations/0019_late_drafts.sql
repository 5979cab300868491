-- What a worker that lost its claim may have had on its way is looked for until then.
ALTER TABLE outbox ADD COLUMN tidy_until INTEGER;
