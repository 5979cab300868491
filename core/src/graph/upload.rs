//! Large contents: an upload session takes them range by range, at an address that is open to whoever has it. It is a secret, and gets no token.
//! Source: Graph, attachment: createUploadSession; Attach large files to Outlook messages; driveItem: createUploadSession.

use super::mail::WireFile;
use super::wire;
use super::{Caller, Graph, segment};
use crate::error::{Error, ErrorKind, Result};
use crate::json::lenient;
use crate::model::FileAttachment;
use crate::pipeline::{Purpose, Request, Response, Safety};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_RANGE, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Bytes of one range: a multiple of 320 KB, as OneDrive wants it, and below the 4 MB that Outlook takes.
pub const RANGE: u64 = 12 * SMALLEST_RANGE;
/// After trouble: less is lost to the next.
pub const SMALLEST_RANGE: u64 = 320 << 10;
const RANGE_TYPE: &str = "application/octet-stream";

/// What is to be uploaded.
pub struct NewUpload<'a> {
    pub file: &'a FileAttachment,
    pub size: u64,
}

/// The address of a session.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UploadUrl(String);

impl fmt::Debug for UploadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UploadUrl(…)")
    }
}

/// What a session is for; each has hosts of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadOf {
    Mail,
    File,
}

impl UploadOf {
    fn purpose(self) -> Purpose {
        match self {
            Self::Mail => Purpose::Upload,
            Self::File => Purpose::FileUpload,
        }
    }
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upload {
    /// It waits for this byte.
    Next(u64),
    /// It is over: everything arrived, or it expired.
    Over,
}

/// What became of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// The session waits for this byte.
    Next(u64),
    /// It was the last one: the attachment or file is there.
    All,
    /// The session has to be asked how far it is.
    Unclear,
}

#[derive(Serialize)]
struct WireStart<'a> {
    #[serde(rename = "AttachmentItem")]
    item: WireItem<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireItem<'a> {
    attachment_type: &'static str,
    name: &'a str,
    size: u64,
    content_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_id: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_inline: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSession {
    upload_url: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireProgress {
    #[serde(alias = "NextExpectedRanges", deserialize_with = "lenient::scalars")]
    next_expected_ranges: Vec<String>,
    /// Of what was made of it.
    #[serde(deserialize_with = "lenient::scalar")]
    id: Option<String>,
}

impl WireProgress {
    /// The first byte that is missing; ranges are `0-`, `5-9` or several of them.
    fn next(&self) -> Option<u64> {
        self.next_expected_ranges.iter().filter_map(|range| range.split('-').next()?.trim().parse().ok()).min()
    }
}

impl Graph {
    /// How many attachments a draft has. None: there is no such draft.
    pub async fn count_attachments(&self, caller: &Caller, draft_id: &str) -> Result<Option<usize>> {
        let url = self.url(&self.path(caller, &format!("messages/{}/attachments", segment(draft_id)?)).await?, &[("$select", "id,name,size")])?;
        #[derive(Deserialize)]
        struct Id {
            #[serde(deserialize_with = "wire::id")]
            #[allow(dead_code)] // what has none is no attachment
            id: String,
        }
        let Some(list) = self.list::<Id>(caller, url).await? else { return Ok(None) };
        Ok(Some(list.all()?.len()))
    }

    /// Adds a file below 3 MB to a draft. Not repeated in doubt: [`count_attachments`](Self::count_attachments) tells.
    pub async fn attach(&self, caller: &Caller, draft_id: &str, file: &FileAttachment) -> Result<()> {
        let url = self.url(&self.path(caller, &format!("messages/{}/attachments", segment(draft_id)?)).await?, &[])?;
        self.ask(self.write(caller, Method::POST, url, written(&WireFile::from(file))?, Safety::Once)).await.map(drop)
    }

    /// Opens a session for one file of a draft. One that nobody uses expires, so in doubt it is opened again. Errors: LimitExceeded when the message would be
    /// larger than the organisation allows; LinkRejected when the address is on no host for uploads.
    pub async fn begin_upload(&self, caller: &Caller, draft_id: &str, upload: &NewUpload<'_>) -> Result<UploadUrl> {
        let NewUpload { file, size } = upload;
        let item = WireItem { attachment_type: "file", name: &file.name, size: *size, content_type: &file.content_type, content_id: file.content_id.as_deref(), is_inline: file.content_id.is_some() };
        let url = self.url(&self.path(caller, &format!("messages/{}/attachments/createUploadSession", segment(draft_id)?)).await?, &[])?;
        let response = self.ask(self.write(caller, Method::POST, url, written(&WireStart { item })?, Safety::Repeatable)).await?;
        self.session_of(&response, UploadOf::Mail)
    }

    /// The address in an answer. Errors: LinkRejected.
    pub(super) fn session_of(&self, response: &Response, of: UploadOf) -> Result<UploadUrl> {
        let session: WireSession = wire::read(&response.body)?;
        // An address that repeats the token would carry it to another host.
        if response.repeats(&session.upload_url) {
            return Err(wire::repeating());
        }
        self.pipeline.hosts().received(&session.upload_url, of.purpose())?;
        Ok(UploadUrl(session.upload_url))
    }

    /// One range. A connection that breaks in between leaves it open how much arrived.
    pub async fn put_range(&self, caller: &Caller, (of, url): (UploadOf, &UploadUrl), from: u64, total: u64, bytes: Bytes) -> Result<Arrived> {
        let last = from.saturating_add(bytes.len() as u64).saturating_sub(1);
        let range = HeaderValue::from_str(&format!("bytes {from}-{last}/{total}")).map_err(|_| Error::internal("A range could not be written."))?;
        let mut request = self.at_session(caller, of, url)?.with_body(Method::PUT, RANGE_TYPE, bytes).header(CONTENT_RANGE, range);
        request.safety = Safety::Once;
        let response = match self.pipeline.send(request).await {
            Ok(response) => response,
            Err(error) if error.kind() == ErrorKind::OutcomeUnknown => return Ok(Arrived::Unclear),
            Err(error) => return Err(error),
        };
        match response.status {
            StatusCode::CREATED => Ok(Arrived::All),
            // The last answer names what was made, the others what is still missing; an answer that does neither tells nothing.
            StatusCode::OK | StatusCode::ACCEPTED => {
                Ok(match wire::read::<WireProgress>(&response.body) {
                    Ok(progress) if progress.next_expected_ranges.is_empty() && progress.id.is_some() => Arrived::All,
                    Ok(progress) => progress.next().map_or(Arrived::Unclear, Arrived::Next),
                    Err(_) => Arrived::Unclear,
                })
            }
            // Received before, or the session is over: it is asked.
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::CONFLICT => Ok(Arrived::Unclear),
            status if is_over(status) => Ok(Arrived::Unclear),
            _ => super::told(response, Some(caller.account_id.clone())).map(|_| Arrived::Unclear),
        }
    }

    /// How far a session is.
    pub async fn upload_state(&self, caller: &Caller, (of, url): (UploadOf, &UploadUrl)) -> Result<Upload> {
        let response = self.pipeline.send(self.at_session(caller, of, url)?).await?;
        match response.status {
            status if is_over(status) => Ok(Upload::Over),
            _ => {
                let response = super::told(response, Some(caller.account_id.clone()))?;
                let next = wire::read::<WireProgress>(&response.body)?.next();
                next.map(Upload::Next).ok_or_else(|| Error::new(ErrorKind::Upstream, "Microsoft does not tell how far an upload is. Try again later."))
            }
        }
    }

    fn at_session(&self, caller: &Caller, of: UploadOf, url: &UploadUrl) -> Result<Request> {
        // It may have been stored by another version, or for another cloud.
        let url = self.pipeline.hosts().received(&url.0, of.purpose())?;
        let mut request = Request::get(url, of.purpose());
        request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        request.headers.remove(CONTENT_TYPE);
        request.account_id = Some(caller.account_id.clone());
        request.priority = caller.priority;
        request.max_wait = caller.max_wait;
        Ok(request)
    }
}

/// There is no such session, or no more. That it is turned away says nothing of the account's sign-in, which such an address does not ask for.
fn is_over(status: StatusCode) -> bool {
    matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE | StatusCode::UNAUTHORIZED)
}

fn written<T: Serialize>(what: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(what).map_err(|_| Error::internal("An attachment could not be written."))
}
