//! What the engines log while the scenarios run.

use crate::verbs::{Outcome, error};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidings::LogLevel;

/// Records come through a stream of their own, a moment after the call that caused them; this long a silence means that all are there.
const SILENCE: Duration = Duration::from_millis(20);

/// The records since the scenario began; or why there are none to be had.
#[derive(Clone)]
pub struct Logs {
    records: Arc<Mutex<Vec<Value>>>,
    refused: Option<Value>,
}

impl Logs {
    /// Listens from now on, to the end of the process.
    pub fn listen() -> Self {
        let records = Arc::new(Mutex::new(Vec::new()));
        let stream = match tidings::logs(LogLevel::Trace) {
            Ok(stream) => stream,
            Err(e) => return Self { records, refused: Some(error(e)) },
        };
        let into = records.clone();
        tokio::spawn(async move {
            while let Ok(Some(record)) = stream.next().await {
                let record = serde_json::to_value(record).unwrap_or_default();
                into.lock().unwrap_or_else(PoisonError::into_inner).push(record);
            }
        });
        Self { records, refused: None }
    }

    /// A new scenario begins.
    pub async fn begin(&self) {
        let _ = self.all().await;
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// All records of the scenario so far.
    pub async fn all(&self) -> Outcome {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        let count = || self.records.lock().unwrap_or_else(PoisonError::into_inner).len();
        loop {
            let before = count();
            tokio::time::sleep(SILENCE).await;
            if count() == before {
                return Ok(Value::Array(self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()));
            }
        }
    }

    /// None of these may stand in any record.
    pub async fn check(&self, secrets: &[Vec<u8>]) -> Result<(), String> {
        let Ok(Value::Array(records)) = self.all().await else { return Ok(()) };
        keep(&records)?;
        for record in &records {
            let texts = [&record["message"], &record["target"]].into_iter().chain(record["fields"].as_array().into_iter().flatten().flat_map(|f| [&f["name"], &f["value"]]));
            let texts: Vec<&str> = texts.filter_map(Value::as_str).collect();
            let found = secrets.iter().find(|s| !s.is_empty() && texts.iter().any(|text| text.as_bytes().windows(s.len()).any(|w| w == s.as_slice())));
            if let Some(secret) = found {
                return Err(format!("a log record holds {:?}: {record}", String::from_utf8_lossy(secret)));
            }
        }
        Ok(())
    }
}

/// For the search of the whole run.
fn keep(records: &[Value]) -> Result<(), String> {
    let Some(folder) = std::env::var_os("TIDINGS_EVIDENCE") else { return Ok(()) };
    let text: String = records.iter().map(|record| format!("{record}\n")).collect();
    let mut options = std::fs::OpenOptions::new();
    let file = options.create(true).append(true).open(std::path::Path::new(&folder).join("logs-rust.jsonl"));
    file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes())).map_err(|e| e.to_string())
}
