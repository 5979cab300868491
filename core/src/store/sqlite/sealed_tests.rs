//! Nothing that is sealed escapes a rotation of keys.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::sealed_columns::{OTHER_BLOBS, SEALED_COLUMNS};
use super::tests::{made, raw};
use std::path::Path;

#[test]
fn every_sealed_column_is_known_to_rotations() {
    let made = made();
    let db = raw(made.dir.path());
    let mut statement = db
        .prepare(
            "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
             WHERE t.type = 'table' AND c.type = 'BLOB' AND t.name NOT LIKE 'search%' AND t.name NOT LIKE 'sqlite%'",
        )
        .unwrap();
    let blobs: Vec<(String, String)> = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(|row| row.unwrap()).collect();
    assert!(blobs.len() > SEALED_COLUMNS.len());
    for (table, column) in blobs {
        let sealed = SEALED_COLUMNS.iter().any(|c| (c.table, c.column) == (table.as_str(), column.as_str()));
        let other = OTHER_BLOBS.contains(&(table.as_str(), column.as_str()));
        assert!(sealed != other, "{table}.{column} holds bytes: name it in sealed_columns.rs, or its values are lost when keys are rotated");
    }
    // Each statement is understood, and those of large tables read an index.
    for column in SEALED_COLUMNS {
        for sql in [column.find, column.holds, column.replace] {
            let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let blanks = vec![rusqlite::types::Null; statement.parameter_count()];
            let plan: Vec<String> = statement.query_map(rusqlite::params_from_iter(blanks), |row| row.get(3)).unwrap().map(|row| row.unwrap()).collect();
            let large = ["messages", "bodies", "outbox", "outbox_payloads", "outbox_parts", "staged_parts", "cached_pieces", "last_senders"].contains(&column.table);
            assert!(!large || plan.iter().all(|line| line.starts_with("SEARCH")), "{sql}: {plan:?}");
        }
    }
}

/// An envelope reaches the file only through a statement that asked `check_active`; a handover is meant to be sealed with the key that goes.
#[test]
fn every_write_of_an_envelope_asks_for_its_key() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sqlite");
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|e| e != "rs") || ["tests.rs", "sealed_tests.rs", "keys.rs", "sealed_columns.rs", "handovers.rs"].contains(&name.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let writes = text.contains("sealed.as_bytes()") || text.contains("Sealed::as_bytes") || text.contains("head.as_bytes()") || text.contains("payload.as_bytes()");
        // Pages and folder lists are asked about where their transaction begins, in mail.rs.
        let asked_above = ["apply.rs", "folders.rs"].contains(&name.as_str());
        assert!(!writes || asked_above || text.contains("check_active"), "{name} writes envelopes and never asks check_active");
    }
}
