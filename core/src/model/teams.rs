use super::draft::{BodyType, FileAttachment};
use super::rfc3339;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::SystemTime;

/// `Urgent` tells the recipients every two minutes for twenty minutes, where their organisation allows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatImportance {
    #[default]
    Normal,
    High,
    Urgent,
}

/// Whom or what a mention tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MentionTarget {
    /// Somebody of the organisation, by mail address.
    Person { address: String },
    /// A channel of the team that is posted to, with those who follow it; without an id the channel that is posted to.
    Channel { channel_id: Option<String> },
    /// All members of the team of the channel that is posted to.
    Team,
    /// Those who have this tag in the team of the channel that is posted to. Its name is the text of the mention.
    Tag { tag_id: String },
}

/// A mention. It stands in the body wherever its placeholder stands, under the name that Microsoft has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mention {
    /// Text of your choice that is in the body, as in `@alex`. 1 to 100 characters; each mention has its own.
    pub placeholder: String,
    pub target: MentionTarget,
    /// Shown in place of the name that Microsoft has.
    #[serde(default)]
    pub text: Option<String>,
}

/// A file that is somewhere already, as in SharePoint or OneDrive. Whether those who read the message may open it is as it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLink {
    pub name: String,
    /// An `https` address.
    pub url: String,
}

/// A Teams message in a chat: to one person (`to`), to a group (`members`), or in a chat there is (`chat_id`); one of the three. Messages to one chat leave in
/// the order in which they were handed in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatDraft {
    pub account_id: String,
    /// Mail address of one person; the one-to-one chat is made or reused.
    pub to: String,
    /// Text, HTML or Markdown. HTML is cleaned to what Teams shows. It may be empty beside a card or a file.
    pub body: String,
    pub body_type: BodyType,
    /// Values for the fields of the body, which then is a template; as in `MailDraft`.
    #[serde(skip_serializing)]
    pub merge_fields: Option<HashMap<String, String>>,
    /// Idempotency key, as in `MailDraft`.
    pub key: Option<String>,
    /// Not sent after this time, as in `MailDraft`.
    #[serde(with = "rfc3339::option")]
    pub deadline: Option<SystemTime>,
    /// Not sent before this time, as in `MailDraft`.
    #[serde(with = "rfc3339::option")]
    pub send_at: Option<SystemTime>,
    /// Id of a chat there is, as receipts and `chats` show it.
    pub chat_id: Option<String>,
    /// Mail addresses of the others in a group, up to 249. The group that this account made here for the same members and topic is reused; else one is made.
    pub members: Vec<String>,
    /// Name of the group, up to 250 characters.
    pub topic: Option<String>,
    pub importance: ChatImportance,
    pub mentions: Vec<Mention>,
    /// Adaptive Cards as JSON, up to 10. Buttons that answer to a bot do nothing in a person's message.
    pub cards: Vec<String>,
    /// Files that are somewhere already, up to 10 with the attachments.
    pub files: Vec<FileLink>,
    /// Files that are uploaded before the message is posted: into the folder `Microsoft Teams Chat Files` of the sender's OneDrive, where the others in the
    /// chat may then read them. Where another file has the name already, a number follows it. The account needs `Files.ReadWrite` among the extra scopes, and for a group
    /// by `chat_id` `Chat.ReadBasic`. Files of a message that is not posted are removed again.
    pub attachments: Vec<FileAttachment>,
}

/// A message in a channel of a team, as the person; with `reply_to` an answer in its thread. Messages to one channel leave in the order in which they were
/// handed in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelPostDraft {
    pub account_id: String,
    /// Ids as `teams` and `channels` show them.
    pub team_id: String,
    pub channel_id: String,
    /// As in `ChatDraft`.
    pub body: String,
    pub body_type: BodyType,
    /// Values for the fields of subject and body, which then are templates; as in `MailDraft`.
    #[serde(skip_serializing)]
    pub merge_fields: Option<HashMap<String, String>>,
    /// Id of the message at the head of the thread that is answered, as `graph_id` of its receipt.
    pub reply_to: Option<String>,
    /// Shown above the message; a reply has none.
    pub subject: Option<String>,
    pub importance: ChatImportance,
    pub mentions: Vec<Mention>,
    /// As in `ChatDraft`.
    pub cards: Vec<String>,
    pub files: Vec<FileLink>,
    /// Idempotency key, as in `MailDraft`.
    pub key: Option<String>,
    /// Not sent after this time, as in `MailDraft`.
    #[serde(with = "rfc3339::option")]
    pub deadline: Option<SystemTime>,
    /// Not sent before this time, as in `MailDraft`.
    #[serde(with = "rfc3339::option")]
    pub send_at: Option<SystemTime>,
    /// As in `ChatDraft`, uploaded to the files of the channel. The account needs `Files.ReadWrite.All` among the extra scopes.
    pub attachments: Vec<FileAttachment>,
}
