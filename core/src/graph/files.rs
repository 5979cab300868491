//! Files in OneDrive and in the libraries of teams. Source: Graph, driveItem: put content, createUploadSession, get, update, invite and delete; channel: get
//! filesFolder; chat: list members.

use super::upload::{UploadOf, UploadUrl};
use super::wire;
use super::{Caller, Graph, fault, segment};
use crate::error::{Error, ErrorKind, Result};
use crate::json::lenient;
use crate::pipeline::{Request, Response, Safety, error_code};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

/// Where Teams itself puts the files of a person's chats.
const CHAT_FILES: &str = "Microsoft Teams Chat Files";
const CONTENT_TYPE: &str = "application/octet-stream";
/// People of one invitation.
const INVITED: usize = 50;

/// A folder that files are put into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFolder {
    /// For files of chats, in the OneDrive of the account's own person. It is made when the first file comes.
    OfChats,
    /// Of a channel.
    In { drive_id: String, item_id: String },
}

impl FileFolder {
    /// The path of a file in it, as a beginning: what is asked of it follows behind a colon.
    fn file(&self, name: &str) -> Result<String> {
        let name = segment(name)?;
        Ok(match self {
            Self::OfChats => format!("me/drive/root:/{}/{name}", segment(CHAT_FILES)?),
            Self::In { drive_id, item_id } => format!("drives/{}/items/{}:/{name}", segment(drive_id)?, segment(item_id)?),
        })
    }

    /// What a refusal means here.
    fn error(&self, response: Response, caller: &Caller) -> Error {
        let status = response.status;
        let error = told(&response, caller);
        let (whose, absent) = match self {
            Self::OfChats => (
                "The OneDrive of this account",
                "This account has no OneDrive that programs may use, so no file can go into a chat: its licence has none, or it was never opened. Open OneDrive once in a browser, or ask an administrator",
            ),
            Self::In { .. } => ("The site of the team", "The folder of the channel's files is not there. Open the Files tab of the channel once, or check the channel"),
        };
        let words = match status.as_u16() {
            404 => absent.to_owned(),
            507 | 509 => format!("{whose} has no room for the file. Make room; it is tried again"),
            423 => format!("{whose} is locked at this moment, or a file in it is"),
            403 => format!("{whose} does not take the file: Microsoft does not allow this account to put it there"),
            _ => return error,
        };
        error.with_reason(format!("{words} (HTTP {}).", status.as_u16()))
    }
}

/// A file as Microsoft has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveFile {
    pub drive_id: String,
    pub item_id: String,
    /// The id by which Teams knows it: that of its eTag.
    pub guid: String,
    pub name: String,
    /// Its address for people, which ends with its name.
    pub url: String,
}

/// Somebody who may open a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatReader {
    /// By object id.
    Id(String),
    Address(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireItem {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    e_tag: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    web_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    web_dav_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::object")]
    parent_reference: Option<WireParent>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireParent {
    #[serde(deserialize_with = "lenient::scalar")]
    drive_id: Option<String>,
}

impl WireItem {
    fn drive_id(&self) -> Result<String> {
        self.parent_reference.as_ref().and_then(|parent| parent.drive_id.clone()).filter(|id| wire::is_id(id)).ok_or_else(wire::unreadable)
    }

    /// All that a message says of a file. None: something of it is missing.
    fn file(self) -> Result<DriveFile> {
        let drive_id = self.drive_id()?;
        let guid = self.e_tag.as_deref().and_then(guid_of).ok_or_else(wire::unreadable)?;
        let name = self.name.filter(|name| !name.is_empty()).ok_or_else(wire::unreadable)?;
        // Where Office opens a file in the browser, its web address is one of a page that shows it; Teams wants that of the file.
        let url = [self.web_dav_url, self.web_url].into_iter().flatten().find(|url| is_address(url)).ok_or_else(wire::unreadable)?;
        Ok(DriveFile { drive_id, item_id: self.id, guid, name, url })
    }
}

/// `"{8A3C…},2"`, with or without the braces.
fn guid_of(e_tag: &str) -> Option<String> {
    let guid = e_tag.trim_start_matches("W/").trim_matches('"').split(',').next()?.trim_matches(['{', '}']);
    let is_guid = guid.len() == 36 && guid.bytes().enumerate().all(|(at, c)| if [8, 13, 18, 23].contains(&at) { c == b'-' } else { c.is_ascii_hexdigit() });
    is_guid.then(|| guid.to_ascii_lowercase())
}

/// It is shown to people in a message, and no request of ours goes there.
fn is_address(url: &str) -> bool {
    url.len() <= 2048 && !url.chars().any(|c| c.is_control() || c.is_whitespace()) && Url::parse(url).is_ok_and(|url| url.scheme() == "https" && url.has_host())
}

impl Graph {
    /// The folder of a channel's files. Errors: NotFound, Forbidden.
    pub async fn files_folder(&self, caller: &Caller, team: &str, channel: &str) -> Result<FileFolder> {
        let url = self.url(&format!("teams/{}/channels/{}/filesFolder", segment(team)?, segment(channel)?), &[])?;
        let response = self.ask(self.get(caller, url)).await?;
        let item: WireItem = kept(&response)?;
        Ok(FileFolder::In { drive_id: item.drive_id()?, item_id: item.id })
    }

    /// Puts a file of at most 4 MB into a folder, in the place of one that has this name: done twice, it is the same, unless the file was given another name in
    /// between. So it is not repeated in doubt.
    pub async fn put_file(&self, caller: &Caller, folder: &FileFolder, name: &str, content: Bytes) -> Result<()> {
        let url = self.url(&format!("{}:/content", folder.file(name)?), &[("@microsoft.graph.conflictBehavior", "replace")])?;
        let mut request = self.get(caller, url).with_body(Method::PUT, CONTENT_TYPE, content);
        request.safety = Safety::Once;
        self.ask_folder(caller, folder, request).await.map(drop)
    }

    /// Opens a session for a file of a folder, which takes the place of one that has this name. One that nobody uses expires, so in doubt it is opened again.
    /// Errors: LimitExceeded when there is no room; LinkRejected when the address is on no host for files.
    pub async fn begin_file(&self, caller: &Caller, folder: &FileFolder, name: &str) -> Result<UploadUrl> {
        let url = self.url(&format!("{}:/createUploadSession", folder.file(name)?), &[])?;
        let body = json!({ "item": { "@microsoft.graph.conflictBehavior": "replace" } }).to_string().into_bytes();
        let response = self.ask_folder(caller, folder, self.write(caller, Method::POST, url, body, Safety::Repeatable)).await?;
        self.session_of(&response, UploadOf::File)
    }

    /// The file of this name. None: there is none.
    pub async fn file_named(&self, caller: &Caller, folder: &FileFolder, name: &str) -> Result<Option<DriveFile>> {
        let url = self.url(&folder.file(name)?, &[FILE])?;
        self.look(self.get(caller, url)).await?.map(|response| kept::<WireItem>(&response)?.file()).transpose()
    }

    /// A file by its ids. None: it is gone.
    pub async fn file(&self, caller: &Caller, (drive_id, item_id): (&str, &str)) -> Result<Option<DriveFile>> {
        let url = self.url(&item_path(drive_id, item_id)?, &[FILE])?;
        self.look(self.get(caller, url)).await?.map(|response| kept::<WireItem>(&response)?.file()).transpose()
    }

    /// Gives a file another name; done twice, it is the same. False: another file of the folder has it.
    pub async fn name_file(&self, caller: &Caller, (drive_id, item_id): (&str, &str), name: &str) -> Result<bool> {
        let url = self.url(&item_path(drive_id, item_id)?, &[])?;
        let body = json!({ "name": name }).to_string().into_bytes();
        let response = self.pipeline.send(self.write(caller, Method::PATCH, url, body, Safety::Repeatable)).await?;
        match response.status {
            StatusCode::CONFLICT if error_code(&response.body).is("namealreadyexists") => Ok(false),
            status if status.is_success() => Ok(true),
            StatusCode::LOCKED => {
                let error = told(&response, caller);
                Err(error.with_reason("The file is locked at Microsoft at this moment (HTTP 423)."))
            }
            _ => Err(told(&response, caller)),
        }
    }

    /// Lets people read a file, without a mail to them; done twice, it is the same. Errors: Forbidden when the organisation's rules let somebody not.
    pub async fn share_file(&self, caller: &Caller, (drive_id, item_id): (&str, &str), readers: &[ChatReader]) -> Result<()> {
        let url = self.url(&format!("{}/invite", item_path(drive_id, item_id)?), &[])?;
        for some in readers.chunks(INVITED) {
            let recipient = |one: &ChatReader| match one {
                ChatReader::Id(id) => json!({ "objectId": id }),
                ChatReader::Address(address) => json!({ "email": address }),
            };
            let body = json!({ "recipients": some.iter().map(recipient).collect::<Vec<_>>(), "roles": ["read"], "requireSignIn": true, "sendInvitation": false });
            let response = self.pipeline.send(self.write(caller, Method::POST, url.clone(), body.to_string().into_bytes(), Safety::Repeatable)).await?;
            match response.status {
                StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => return Err(unshared(&response, caller)),
                status if status.is_success() && may_all(&response) => {}
                status if status.is_success() => return Err(unshared(&response, caller)),
                _ => return Err(told(&response, caller)),
            }
        }
        Ok(())
    }

    /// Removes a file; it goes to the recycle bin of its place. Done twice, it is the same.
    pub async fn delete_file(&self, caller: &Caller, (drive_id, item_id): (&str, &str)) -> Result<()> {
        let url = self.url(&item_path(drive_id, item_id)?, &[])?;
        self.look(self.write(caller, Method::DELETE, url, Vec::new(), Safety::Repeatable)).await.map(drop)
    }

    /// Object ids of those who are in a chat. Errors: NotFound, Forbidden.
    pub async fn chat_members(&self, caller: &Caller, chat_id: &str) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Member {
            #[serde(default, deserialize_with = "lenient::scalar")]
            user_id: Option<String>,
        }
        let url = self.url(&format!("chats/{}/members", segment(chat_id)?), &[])?;
        let gone = || Error::new(ErrorKind::NotFound, "There is no chat with this id, or the person is not in it.");
        let members = self.list::<Member>(caller, url).await?.ok_or_else(gone)?.all()?;
        Ok(members.into_iter().filter_map(|member| member.user_id).filter(|id| wire::is_id(id)).collect())
    }

    async fn ask_folder(&self, caller: &Caller, folder: &FileFolder, request: Request) -> Result<Response> {
        let response = self.pipeline.send(request).await?;
        if response.status.is_success() { Ok(response) } else { Err(folder.error(response, caller)) }
    }
}

/// Of which a message needs all.
const FILE: (&str, &str) = ("$select", "id,name,eTag,webUrl,webDavUrl,parentReference");

fn item_path(drive_id: &str, item_id: &str) -> Result<String> {
    Ok(format!("drives/{}/items/{}", segment(drive_id)?, segment(item_id)?))
}

/// What is stored and shown of an answer repeats no secret.
fn kept<T: serde::de::DeserializeOwned>(response: &Response) -> Result<T> {
    let text = crate::json::text(&response.body);
    if response.repeats(&text) {
        return Err(wire::repeating());
    }
    wire::of_text(&text).and_then(|value: serde_json::Value| serde_json::from_value(value).map_err(|_| wire::unreadable()))
}

fn told(response: &Response, caller: &Caller) -> Error {
    fault::error(response.status, &response.body, &response.secrets).with_request_id(response.request_id()).on_account(&caller.account_id)
}

/// Nobody who was invited has an error in the place of a permission.
fn may_all(response: &Response) -> bool {
    let answer: serde_json::Value = wire::read(&response.body).unwrap_or_default();
    answer.get("value").and_then(|list| list.as_array()).is_none_or(|list| list.iter().all(|one| one.get("error").is_none_or(serde_json::Value::is_null)))
}

fn unshared(response: &Response, caller: &Caller) -> Error {
    let words = "The file could not be opened to everybody in the chat: Microsoft, or a rule of the organisation, does not let it be shared with one of them. Send a link instead.";
    Error::new(ErrorKind::Forbidden, words).with_request_id(response.request_id()).on_account(&caller.account_id)
}

#[cfg(test)]
mod tests {
    use super::guid_of;

    #[test]
    fn the_id_of_a_file_is_that_of_its_etag() {
        let guid = Some("153fa47d-18c9-4179-be08-9879815a9f90".to_owned());
        for text in ["\"{153FA47D-18C9-4179-BE08-9879815A9F90},2\"", "153fa47d-18c9-4179-be08-9879815a9f90", "W/\"{153fa47d-18c9-4179-be08-9879815a9f90},12\""] {
            assert_eq!(guid_of(text), guid, "{text}");
        }
        for text in ["", "\"{},2\"", "\"aTo0,2\"", "153fa47d-18c9-4179-be08-9879815a9f9g", "153fa47d018c9-4179-be08-9879815a9f90"] {
            assert_eq!(guid_of(text), None, "{text}");
        }
    }
}
