//! Every column that holds envelopes, and the place its values are valid in. A rotation of keys seals anew what stands here; a column that is missing
//! would lose its values with the old key, so a test compares this list with the tables.

/// One sealed column, as the statements that find, replace and look for values of a key.
pub struct SealedColumn {
    #[cfg(test)]
    pub table: &'static str,
    /// The table of the place its values are sealed for: where they were when they were first sealed.
    pub place_table: &'static str,
    #[cfg(test)]
    pub column: &'static str,
    /// ?1: first bytes of the envelope, ?2: limit. Answers: where, place's column, account, row, version, envelope.
    pub find: &'static str,
    /// ?1: where, ?2: the old envelope, ?3: the new one.
    pub replace: &'static str,
    /// ?1: first bytes of the envelope.
    pub holds: &'static str,
}

macro_rules! sealed_column {
    ($table:literal . $column:literal, of $place_table:literal, at $at:literal, place $place:literal, account $account:literal, row $row:literal, version $version:literal $(, join $join:literal)?) => {
        SealedColumn {
            #[cfg(test)]
            table: $table,
            place_table: $place_table,
            #[cfg(test)]
            column: $column,
            find: concat!(
                "SELECT t.", $at, ", ", $place, ", ", $account, ", ", $row, ", ", $version, ", t.", $column, " FROM ", $table, " AS t ", $($join,)?
                " WHERE t.", $column, " IS NOT NULL AND substr(t.", $column, ", 1, 10) = ?1 LIMIT ?2"
            ),
            replace: concat!("UPDATE ", $table, " SET ", $column, " = ?3 WHERE ", $at, " = ?1 AND ", $column, " = ?2"),
            holds: concat!("SELECT 1 FROM ", $table, " WHERE ", $column, " IS NOT NULL AND substr(", $column, ", 1, 10) = ?1"),
        }
    };
    ($table:literal . $column:literal, $($rest:tt)*) => { sealed_column!($table . $column, of $table, $($rest)*) };
}

pub const SEALED_COLUMNS: &[SealedColumn] = &[
    sealed_column!("keys"."wrapped", at "id", place "'wrapped ' || t.purpose || ' key'", account "t.account_id", row "CAST(t.id AS TEXT)", version "1"),
    sealed_column!("attempts"."sealed", at "state_hash", place "'sealed'", account "''", row "lower(hex(t.state_hash))", version "1"),
    sealed_column!("accounts"."profile", at "num", place "'profile'", account "t.id", row "t.id", version "t.profile_version"),
    sealed_column!("accounts"."claims", at "num", place "'claims'", account "t.id", row "t.id", version "t.claims_version"),
    sealed_column!("accounts"."folder_link", at "num", place "'folder_link'", account "t.id", row "t.id", version "t.folder_link_version"),
    sealed_column!("tokens"."sealed", at "rowid", place "'sealed'", account "t.account_id", row "t.account_id", version "t.version"),
    sealed_column!("folders"."name", at "num", place "'name'", account "t.account_id", row "t.graph_id", version "t.version"),
    sealed_column!("folders"."link", at "num", place "'cursor'", account "t.account_id", row "t.graph_id", version "t.link_version"),
    sealed_column!("messages"."head", at "id", place "'head'", account "t.account_id", row "t.graph_id", version "t.version"),
    sealed_column!("bodies"."sealed", at "message_id", place "'body'", account "m.account_id", row "m.graph_id", version "t.version", join "JOIN messages AS m ON m.id = t.message_id"),
    // Ids begin with snd_ (SEND_ID).
    sealed_column!("outbox_payloads"."sealed", of "outbox", at "item_id", place "'payload'", account "o.account_id", row "substr(o.public_id, 5)", version "t.version", join "JOIN outbox AS o ON o.id = t.item_id"),
    sealed_column!("outbox"."progress", at "id", place "'progress'", account "t.account_id", row "substr(t.public_id, 5)", version "t.progress_version"),
    sealed_column!("outbox_parts"."sealed", at "id", place "'part'", account "t.account_id", row "substr(o.public_id, 5) || '/' || t.file || '/' || t.part", version "1", join "JOIN outbox AS o ON o.id = t.item_id"),
    // Ids begin with stg_ (STAGED_ID).
    sealed_column!("staged_parts"."sealed", at "id", place "'part'", account "t.account_id", row "substr(s.public_id, 5) || '/' || t.part", version "1", join "JOIN staged AS s ON s.id = t.staged_id"),
    sealed_column!("cached_pieces"."sealed", at "id", place "'piece'", account "t.account_id", row "a.public_id || '/' || t.part", version "1", join "JOIN cached_attachments AS a ON a.id = t.cached_id"),
    sealed_column!("last_senders"."from_address", at "context", place "'from_address'", account "t.account_id", row "lower(hex(t.context))", version "t.used_at"),
    sealed_column!("signatures"."sealed", at "id", place "'sealed'", account "t.account_id", row "t.account_id", version "t.version"),
    sealed_column!("links"."sealed", at "id", place "'sealed'", account "t.account_id", row "lower(hex(t.hash))", version "1"),
    sealed_column!("contacts"."sealed", at "id", place "'sealed'", account "t.account_id", row "t.graph_id", version "t.version"),
    sealed_column!("contact_folders"."link", at "id", place "'link'", account "t.account_id", row "t.graph_id", version "t.link_version"),
    sealed_column!("calendar_events"."sealed", at "id", place "'sealed'", account "t.account_id", row "t.graph_id", version "t.version"),
    sealed_column!("calendar_views"."link", at "id", place "'link'", account "t.account_id", row "t.account_id", version "t.link_version"),
    sealed_column!("chat_messages"."sealed", at "id", place "'sealed'", account "t.account_id", row "t.chat_id || '/' || t.graph_id", version "t.version"),
    sealed_column!("link_rules"."sealed", at "id", place "'sealed'", account "''", row "lower(hex(t.hash))", version "t.version"),
    sealed_column!("certificates"."sealed", at "id", place "'sealed'", account "''", row "t.name", version "1"),
    sealed_column!("bot_tokens"."sealed", at "id", place "'sealed'", account "''", row "t.name", version "t.version"),
    sealed_column!("bot_people"."sealed", at "id", place "'sealed'", account "t.account_id", row "t.teams_user_id", version "t.version"),
    sealed_column!("bot_conversations"."sealed", at "id", place "'sealed'", account "t.account_id", row "t.conversation_id", version "t.version"),
    sealed_column!("endpoints"."sealed", at "id", place "'sealed'", account "t.account_id", row "t.public_id", version "t.version"),
    sealed_column!("bot_activities"."sealed", at "id", place "'sealed'", account "t.account_id", row "t.public_id", version "1"),
    sealed_column!("edits"."sealed", at "id", place "'sealed'", account "t.account_id", row "t.graph_id || '/' || t.property", version "t.version"),
    sealed_column!("send_answers"."sealed", at "id", place "'sealed'", account "t.account_id", row "substr(o.public_id, 5) || '/' || t.graph_id", version "1", join "JOIN outbox AS o ON o.id = t.item_id"),
    sealed_column!("quarantine"."raw", at "id", place "'raw'", account "t.account_id", row "COALESCE(t.place, t.folder_id)", version "1"),
];

/// BLOB columns that hold no envelope of a store or data key that would have to last: a handover in `meta` goes with the key it was sealed with.
#[cfg(test)]
pub const OTHER_BLOBS: &[(&str, &str)] = &[
    ("meta", "value"),
    ("attempts", "state_hash"),
    ("outbox", "content_hash"),
    ("audit", "hash"),
    ("audit_chains", "trimmed"),
    ("audit_chains", "signed_end"),
    ("generation", "stamp"),
    ("staged", "digest"),
    ("chats", "people"),
    ("contact_addresses", "hash"),
    ("calendar_events", "digest"),
    ("chat_messages", "digest"),
    ("endpoints", "context_hash"),
    ("endpoints", "target_hash"),
    ("endpoints", "place_hash"),
    ("endpoint_sends", "content_hash"),
    ("bot_people", "address_hash"),
    ("bot_people", "user_name_hash"),
    ("chat_places", "mark"),
    ("last_senders", "context"),
    ("links", "hash"),
    ("message_addresses", "hash"),
    ("unlinks", "hash"),
    ("sent_mails", "hash"),
    ("link_rules", "hash"),
    ("link_terms", "term"),
    ("throttles", "counts"),
    ("subscriptions", "client_hash"),
];
