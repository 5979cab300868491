//! Who is in a team or conversation. Source: Teams, get Teams specific context for your bot (fetch the roster).

use super::{Ask, BotCaller, Connector};
use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, lenient};
use serde::Deserialize;

/// People asked for at a time; Teams gives 50 to 500.
pub const MOST: u32 = 500;
pub const FEWEST: u32 = 50;
const LONGEST_TOKEN: usize = 4 << 10;

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// `29:…`, this bot's own id for somebody.
    #[serde(default, deserialize_with = "lenient::scalar")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    aad_object_id: Option<String>,
    /// The same under an older name.
    #[serde(default, deserialize_with = "lenient::scalar")]
    object_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub email: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub user_principal_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub user_role: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub tenant_id: Option<String>,
}

impl Member {
    /// None: it is nobody that one can write to.
    pub fn user_id(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| super::is_teams_user(id))
    }

    /// In small letters, as Entra compares it.
    pub fn object_id(&self) -> Option<String> {
        self.aad_object_id.as_deref().or(self.object_id.as_deref()).filter(|id| super::ids::is_object_id(id)).map(str::to_ascii_lowercase)
    }
}

pub struct RosterPage {
    pub members: Vec<Member>,
    /// None: that was the last.
    pub next: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePage {
    #[serde(default, deserialize_with = "lenient::objects")]
    members: Vec<Member>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    continuation_token: Option<String>,
}

impl Connector {
    /// One page. `team`: the id of a team or conversation as the Bot Connector has it; `token`: of the page before.
    pub async fn roster(&self, caller: &BotCaller, team: &str, size: u32, token: Option<&str>) -> Result<RosterPage> {
        let size = size.clamp(FEWEST, MOST).to_string();
        let mut query = vec![("pageSize", size.as_str())];
        query.extend(token.map(|token| ("continuationToken", token)));
        let response = self.send(caller, &Ask::get(&["conversations", team, "pagedMembers"], team, &query)).await?.response;
        let unreadable = || Error::new(ErrorKind::Upstream, "The Bot Connector answered with a roster that cannot be read. Try again later.").with_request_id(response.request_id());
        let page: WirePage = json::read(&response.body).map_err(|_| unreadable())?;
        let next = page.continuation_token.filter(|token| !token.is_empty());
        match next {
            Some(same) if token == Some(same.as_str()) || same.len() > LONGEST_TOKEN => Err(unreadable()),
            next => Ok(RosterPage { members: page.members, next }),
        }
    }

    /// Somebody of a team or conversation, by `29:…`, object id or user name. None: nobody of that name is in it.
    pub async fn member(&self, caller: &BotCaller, team: &str, who: &str) -> Result<Option<Member>> {
        match self.send(caller, &Ask::get(&["conversations", team, "members", who], team, &[])).await {
            Ok(answered) => json::read::<Member>(&answered.response.body).map(Some).map_err(|_| Error::new(ErrorKind::Upstream, "The Bot Connector answered with somebody who cannot be read. Try again later.")),
            // Teams says so of whoever is not in it.
            Err(error) if matches!(error.kind(), ErrorKind::ConversationGone | ErrorKind::NotFound | ErrorKind::InvalidInput) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
