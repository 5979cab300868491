-- What a bot knows: its tokens, the people it has seen, and the conversations it may write to.

-- `name`: the bot and where its token is asked. `sealed`: the token, under the store key.
CREATE TABLE bot_tokens (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  version INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX bot_tokens_key ON bot_tokens (substr(sealed, 1, 10));

-- `teams_user_id`: what this bot calls somebody (29:…). `object_id`: what Entra calls them. `hashes`: keyed, of the mail address and of the user name.
CREATE TABLE bot_people (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL,
  teams_user_id TEXT NOT NULL,
  object_id TEXT,
  address_hash BLOB,
  user_name_hash BLOB,
  seen_at INTEGER NOT NULL,
  version INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  UNIQUE (account_id, teams_user_id)
) STRICT;
CREATE INDEX bot_people_object ON bot_people (account_id, object_id) WHERE object_id IS NOT NULL;
CREATE INDEX bot_people_address ON bot_people (account_id, address_hash) WHERE address_hash IS NOT NULL;
CREATE INDEX bot_people_user_name ON bot_people (account_id, user_name_hash) WHERE user_name_hash IS NOT NULL;
CREATE INDEX bot_people_key ON bot_people (substr(sealed, 1, 10));

-- `teams_user_id`: with whom, of one with a person. `service_url`: where the Bot Connector is for it; null: nobody has said. `active_at`: when something was said or
-- happened there last. `sealed`: names, under the content key; null: none are known.
CREATE TABLE bot_conversations (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  teams_user_id TEXT,
  service_url TEXT,
  state TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  active_at INTEGER NOT NULL,
  version INTEGER NOT NULL,
  sealed BLOB,
  UNIQUE (account_id, conversation_id)
) STRICT;
CREATE INDEX bot_conversations_user ON bot_conversations (account_id, teams_user_id) WHERE teams_user_id IS NOT NULL;
CREATE INDEX bot_conversations_service ON bot_conversations (account_id, updated_at) WHERE service_url IS NOT NULL;

-- Threads in channels, which are as many as messages that begin one.
CREATE INDEX bot_conversations_threads ON bot_conversations (updated_at) WHERE instr(conversation_id, ';messageid=') > 0;
CREATE INDEX bot_conversations_active ON bot_conversations (account_id, active_at, id);
CREATE INDEX bot_conversations_key ON bot_conversations (substr(sealed, 1, 10)) WHERE sealed IS NOT NULL;

-- What was said to the bot, and what it was told. `mark`: what tells one that is posted again from another one.
CREATE TABLE bot_activities (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  activity_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  mark TEXT NOT NULL,
  at INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  UNIQUE (account_id, mark)
) STRICT;
CREATE INDEX bot_activities_time ON bot_activities (account_id, at, id);
CREATE INDEX bot_activities_conversation ON bot_activities (account_id, conversation_id, at, id);
CREATE INDEX bot_activities_received ON bot_activities (received_at);
CREATE INDEX bot_activities_key ON bot_activities (substr(sealed, 1, 10));

-- Whose bot an activity is for.
CREATE INDEX accounts_organisation ON accounts (tenant_id) WHERE kind = 'tenant';
