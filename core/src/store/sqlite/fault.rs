//! What SQLite's codes mean. The only place that decides it.

pub use crate::store::words::corrupt;
use crate::error::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// A failure inside a transaction: SQLite's, or already in our own words.
#[derive(Debug)]
pub enum Fault {
    Sql(rusqlite::Error),
    Ours(Error),
}

pub type Outcome<T> = std::result::Result<T, Fault>;

impl From<rusqlite::Error> for Fault {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sql(e)
    }
}

impl From<Error> for Fault {
    fn from(e: Error) -> Self {
        Self::Ours(e)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Sql(e) => explain(e),
            Fault::Ours(e) => e,
        }
    }
}

/// Corruption is what SQLite calls corruption and nothing else; a full disk or a lock is no damage.
pub fn explain(e: rusqlite::Error) -> Error {
    use rusqlite::Error as Sql;
    let (kind, reason) = match &e {
        Sql::SqliteFailure(code, _) | Sql::SqlInputError { error: code, .. } => by_code(code.code),
        // A column that holds another type than the schema says, a number out of range, text that is not UTF-8: the file was changed by others.
        Sql::FromSqlConversionFailure(..) | Sql::IntegralValueOutOfRange(..) | Sql::InvalidColumnType(..) | Sql::Utf8Error(..) => {
            by_code(ErrorCode::DatabaseCorrupt)
        }
        _ => (ErrorKind::Internal, "A defect of Tidings in its store; nothing was changed. Please report it."),
    };
    Error::new(kind, reason).with_source(e)
}

fn by_code(code: ErrorCode) -> (ErrorKind, &'static str) {
    match code {
        ErrorCode::DatabaseCorrupt => (ErrorKind::Corrupt, "The store is damaged. It was left as it is; keep a copy of the folder and restore the store from a backup."),
        ErrorCode::NotADatabase => (ErrorKind::Corrupt, "The file tidings.db is no store. It was left as it is; name another folder or restore the file from a backup."),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            (ErrorKind::StoreBusy, "Another process held the store for too long; nothing was changed. Try again.")
        }
        ErrorCode::DiskFull => (ErrorKind::StoreFull, "There is no space left for the store; nothing was changed. Free some space and try again."),
        ErrorCode::ReadOnly => (ErrorKind::Forbidden, "The store may not be written. Give this user the right to write in data_dir."),
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            (ErrorKind::Forbidden, "The store could not be opened. Check that data_dir exists, belongs to this user and holds plain files.")
        }
        ErrorCode::SystemIoFailure => (ErrorKind::Internal, "The disk failed to read or write the store; nothing was changed. Check the disk."),
        ErrorCode::OutOfMemory => (ErrorKind::Internal, "There was not enough memory for the store; nothing was changed."),
        ErrorCode::TooBig => (ErrorKind::LimitExceeded, "The value is too large for the store; nothing was changed."),
        _ => (ErrorKind::Internal, "A defect of Tidings in its store; nothing was changed. Please report it."),
    }
}

