//! Who the account is, and whether there is a mailbox that programs may use.

use super::{Caller, Graph, fault, told, wire};
use crate::error::{ErrorKind, Result};
use crate::json::lenient;
use crate::model::{MailboxState, is_mail_address};
use crate::pipeline::error_code;
use http::StatusCode;
use serde::Deserialize;

/// As the directory has it now.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GraphPerson {
    #[serde(deserialize_with = "lenient::scalar")]
    pub id: Option<String>,
    #[serde(deserialize_with = "lenient::scalar")]
    pub display_name: Option<String>,
    #[serde(deserialize_with = "lenient::scalar")]
    pub mail: Option<String>,
    #[serde(deserialize_with = "lenient::scalar")]
    pub user_principal_name: Option<String>,
}

impl GraphPerson {
    /// The address mail reaches this person at. A guest's user name (`…#EXT#…`) is none, though it looks like one.
    pub fn address(&self) -> Option<String> {
        let usable = |text: &&String| is_mail_address(text);
        self.mail.as_ref().filter(usable).or_else(|| self.user_principal_name.as_ref().filter(usable)).cloned()
    }
}

impl Graph {
    pub async fn me(&self, caller: &Caller) -> Result<GraphPerson> {
        let url = self.url("me", &[("$select", "id,displayName,mail,userPrincipalName")])?;
        let response = self.ask(self.get(caller, url)).await?;
        let person: GraphPerson = wire::read(&response.body)?;
        // What repeats a secret is nobody's name.
        let shown = [&person.id, &person.display_name, &person.mail, &person.user_principal_name];
        if !response.secrets.are_in_any(shown.into_iter().flatten().map(String::as_str)) {
            return Ok(person);
        }
        let own = |text: Option<String>| text.filter(|text| !response.secrets.are_in_any([text.as_str()]));
        Ok(GraphPerson { id: own(person.id), display_name: own(person.display_name), mail: own(person.mail), user_principal_name: own(person.user_principal_name) })
    }

    /// That Graph takes an organisation's token, and the organisation it is for. None: it is not told, for want of a permission. Source: Graph, organization: list.
    pub async fn organisation(&self, caller: &Caller) -> Result<Option<String>> {
        let response = self.pipeline.send(self.get(caller, self.url("organization", &[("$select", "id")])?)).await?;
        if response.status == StatusCode::FORBIDDEN {
            return Ok(None);
        }
        let response = told(response, Some(caller.account_id.clone()))?;
        let found = wire::read::<wire::Page<GraphPerson>>(&response.body)?.items()?.into_iter().next();
        Ok(found.and_then(|one| one.id).filter(|id| !response.repeats(id)))
    }

    /// Errors: those that say nothing of the mailbox (the sign-in, the network).
    pub async fn mailbox(&self, caller: &Caller) -> Result<MailboxState> {
        let url = self.url(&self.path(caller, "mailFolders/inbox").await?, &[("$select", "id")])?;
        let response = match self.pipeline.send(self.get(caller, url)).await {
            Ok(response) => response,
            Err(e) if matches!(e.kind(), ErrorKind::Upstream | ErrorKind::Throttled) => return Ok(MailboxState::Unreachable),
            Err(e) => return Err(e),
        };
        let code = error_code(&response.body);
        Ok(match response.status.as_u16() {
            200..=299 => MailboxState::Reachable,
            _ if fault::is_no_mailbox(code.to_compare()) => match self.has_exchange(caller).await {
                Some(true) => MailboxState::OnPremises,
                // Without an answer it is the commoner of the two.
                Some(false) | None => MailboxState::Unlicensed,
            },
            401 => return Err(fault::error(response.status, &response.body, &response.secrets).with_request_id(response.request_id()).on_account(&caller.account_id)),
            403 => MailboxState::Forbidden,
            _ => MailboxState::Unreachable,
        })
    }

    /// A licence holds Exchange Online; None: Microsoft does not say.
    async fn has_exchange(&self, caller: &Caller) -> Option<bool> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Person {
            #[serde(deserialize_with = "lenient::objects")]
            assigned_plans: Vec<Plan>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct Plan {
            #[serde(deserialize_with = "lenient::scalar")]
            service: Option<String>,
            #[serde(deserialize_with = "lenient::scalar")]
            capability_status: Option<String>,
        }
        let url = self.url("me", &[("$select", "assignedPlans")]).ok()?;
        let response = self.ask(self.get(caller, url)).await.ok()?;
        let is = |text: &Option<String>, word: &str| text.as_deref().is_some_and(|text| text.eq_ignore_ascii_case(word));
        let person: Person = wire::read(&response.body).ok()?;
        Some(person.assigned_plans.iter().any(|plan| is(&plan.service, "exchange") && is(&plan.capability_status, "Enabled")))
    }
}
