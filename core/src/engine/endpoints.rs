//! Verbs of endpoints: where subscribers are told something.

use super::{Engine, Inner};
use crate::clock::to_ms;
use crate::endpoints::{Wanted, changed_row, check_context, check_subscriber, context_hash, new_row, shown};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::model::{AccountKind, AuditKind, Endpoint, EndpointChange, EndpointKind, EndpointPage, EndpointQuery, EndpointRequest, EndpointState, EndpointTarget, Feature};
use crate::outbox::{check_address, check_id, check_recipient};
use crate::store::{EndpointRow, EndpointWindow, Entry};
use crate::sync::check_limit;

/// Why one that a host retired gets nothing.
const BY_HOST: &str = "It was retired by change_endpoint.";
/// How often a change is tried that another one came before.
const CHANGE_TRIES: u32 = 5;

impl Engine {
    /// Adds a place where a subscriber is told something. The same target for the same subscriber and context is the same endpoint: it is made active if it was retired, and
    /// answered. Touches no network but to renew a sign-in; whether the place is there turns out with the first message. Durable when it returns. Errors: InvalidInput; NotFound (the account or workflow, of
    /// this owner); NotConnected, NeedsReconnect, ConsentMissing; Forbidden (an account of a kind that cannot write there); LimitExceeded (100 of one subscriber);
    /// Conflict (the subscriber is an owner who was deleted).
    pub async fn add_endpoint(&self, request: EndpointRequest) -> Result<Endpoint> {
        self.finish(|inner| async move { inner.add_endpoint(request).await }).await
    }

    /// Endpoints in the order in which they were made, retired ones too. Touches no network. Errors: InvalidInput (also when neither owner, account nor subscriber is named,
    /// or the cursor is another query's), NotFound.
    pub async fn endpoints(&self, query: EndpointQuery) -> Result<EndpointPage> {
        self.finish(|inner| async move { inner.endpoints(query).await }).await
    }

    /// Changes an endpoint; it keeps its id. A new target makes it active. What is under way to the old one is not called back, and can retire it no more. Durable when it returns. With
    /// `owner`, an endpoint whose subscriber, account or workflow is not theirs is NotFound. Errors: as `add_endpoint`; NotFound; Conflict (there is one like it).
    pub async fn change_endpoint(&self, endpoint_id: String, change: EndpointChange, owner: Option<String>) -> Result<Endpoint> {
        self.finish(|inner| async move { inner.change_endpoint(&endpoint_id, change, owner.as_deref()).await }).await
    }

    /// Removes an endpoint. What is under way to it goes on, and receipts stay. With `owner`, as `change_endpoint`. Errors: NotFound.
    pub async fn remove_endpoint(&self, endpoint_id: String, owner: Option<String>) -> Result<()> {
        self.finish(|inner| async move {
            let row = inner.endpoint_row(&endpoint_id, owner.as_deref()).await?;
            if inner.store.remove_endpoint(&row.id).await? { Ok(()) } else { Err(none()) }
        })
        .await
    }
}

fn none() -> Error {
    Error::new(ErrorKind::NotFound, "There is no endpoint with this id.")
}

/// What is wrong in itself, before anything is read.
fn check_target(target: &EndpointTarget) -> Result<()> {
    match target {
        EndpointTarget::TeamsChannel { team_id, channel_id } => {
            check_id("team_id", team_id)?;
            check_id("channel_id", channel_id)
        }
        EndpointTarget::TeamsUser { user } if user.contains('@') => check_address("user", user),
        EndpointTarget::TeamsUser { user } => check_id("user", user),
        EndpointTarget::Workflow { workflow_id } => check_id("workflow_id", workflow_id),
        EndpointTarget::Chat { to: Some(to), chat_id: None } => check_address("to", to),
        EndpointTarget::Chat { to: None, chat_id: Some(chat_id) } => check_id("chat_id", chat_id),
        EndpointTarget::Chat { .. } => Err(Error::invalid("Give either to or chat_id: a chat with one person, or one there is.")),
        EndpointTarget::Mail { address } => check_recipient("address", address),
    }
}

/// What it goes through: the account that is named, or its workflow.
fn way<'a>(account_id: &'a str, target: &'a EndpointTarget) -> Result<&'a str> {
    match target {
        EndpointTarget::Workflow { workflow_id } if account_id.is_empty() || account_id == workflow_id => Ok(workflow_id),
        EndpointTarget::Workflow { .. } => Err(Error::invalid("A workflow goes through no account. Leave account_id empty.")),
        _ if account_id.is_empty() => Err(Error::invalid("account_id is empty. Pass the id of the account that the endpoint goes through.")),
        _ => Ok(account_id),
    }
}

impl Inner {
    pub(super) async fn add_endpoint(&self, request: EndpointRequest) -> Result<Endpoint> {
        let EndpointRequest { subscriber, context, account_id, target, owner } = &request;
        check_subscriber(subscriber)?;
        context.as_deref().map_or(Ok(()), check_context)?;
        check_target(target)?;
        let account_id = way(account_id, target)?;
        self.check_way(account_id, target, owner.as_deref()).await?;
        let wanted = Wanted { subscriber, context: context.as_deref(), account_id, target };
        let now = to_ms(self.clock.now());
        let write = async || {
            let key = self.vault.content(account_id).await?;
            let row = self.store.add_endpoint(&new_row(&self.vault, &key, &wanted, now)?).await?;
            shown(&key, row)
        };
        let added = self.vault.with_current_keys(write).await?;
        tracing::info!(target: "tidings::engine", endpoint = added.id, account = account_id, kind = ?added.kind, "an endpoint was added");
        self.fed();
        Ok(added)
    }

    /// That the account or workflow is the owner's, and can write to such a place.
    async fn check_way(&self, account_id: &str, target: &EndpointTarget, owner: Option<&str>) -> Result<()> {
        if target.kind() == EndpointKind::Workflow {
            owner.map_or(Ok(()), super::scope::check)?;
            let row = self.store.workflow(account_id).await?.filter(|row| owner.is_none_or(|owner| owner == row.owner));
            return row.map(drop).ok_or_else(|| Error::new(ErrorKind::NotFound, "There is no workflow with this id. Add it with add_workflow."));
        }
        let row = self.owned(account_id, owner).await?;
        match (target.kind(), row.kind) {
            (EndpointKind::TeamsUser, _) | (EndpointKind::TeamsChannel, AccountKind::Tenant) => self.usable_by_bot(account_id).await.map(drop),
            (EndpointKind::TeamsChannel, _) => self.usable(account_id, Feature::Channels).await.map(drop),
            (EndpointKind::Chat, _) => self.usable(account_id, Feature::Chat).await.map(drop),
            (EndpointKind::Mail, _) => self.usable(account_id, Feature::MailSend).await.map(drop),
            (EndpointKind::Workflow, _) => Err(Error::new(ErrorKind::Forbidden, "A workflow goes through no account.").with_remedy(Remedy::Developer)),
        }
    }

    async fn endpoints(&self, query: EndpointQuery) -> Result<EndpointPage> {
        check_limit(query.limit)?;
        query.subscriber.as_deref().map_or(Ok(()), check_subscriber)?;
        let context_hash = match (&query.subscriber, query.context.as_deref()) {
            (_, None) => None,
            (None, Some(_)) => return Err(Error::invalid("context needs a subscriber. Name one, or leave it out.")),
            (Some(subscriber), Some("")) => Some(context_hash(&self.vault, subscriber, None)?),
            (Some(subscriber), Some(context)) => {
                check_context(context)?;
                Some(context_hash(&self.vault, subscriber, Some(context))?)
            }
        };
        let account_ids = self.ways(&query).await?;
        let named = [&query.owner, &query.account_id, &query.subscriber, &query.context].map(|text| text.as_deref().unwrap_or_default().as_bytes());
        let state: &[u8] = match query.state {
            None => b"",
            Some(EndpointState::Active) => b"active",
            Some(EndpointState::Retired) => b"retired",
        };
        let list: [&[u8]; 6] = [b"endpoints", named[0], named[1], named[2], named[3], state];
        let after = query.cursor.as_deref().map(|cursor| self.vault.position::<1>(&list, cursor)).transpose()?.map_or(0, |[row]| row);
        let window = EndpointWindow { account_ids, subscriber: query.subscriber.clone(), context_hash, state: query.state, after, limit: query.limit };
        let read = async || {
            let mut rows = self.store.endpoints(&window).await?;
            let more = rows.len() > query.limit as usize;
            rows.truncate(query.limit as usize);
            let next = rows.last().filter(|_| more).map(|row| self.vault.cursor(&list, &[row.row_id])).transpose()?;
            Ok(EndpointPage { items: self.vault.open_rows(rows, |row| &row.account_id, shown).await?, next })
        };
        let page = self.vault.with_current_keys(read).await?;
        let entry = Entry::new(AuditKind::ContentRead, format!("A list of endpoints was read, {} of them.", page.items.len()));
        let entry = match query.owner.as_ref().or(query.subscriber.as_ref()) {
            Some(owner) => entry.of(self.vault.audit_signer().owner(owner)?),
            None => query.account_id.iter().fold(entry, |entry, id| entry.on(id)),
        };
        self.store.record(&[entry], to_ms(self.clock.now())).await?;
        Ok(page)
    }

    /// Accounts and workflows that a query is about. None: of any.
    async fn ways(&self, query: &EndpointQuery) -> Result<Option<Vec<String>>> {
        let owner = query.owner.as_deref();
        owner.map_or(Ok(()), super::scope::check)?;
        match (&query.account_id, owner) {
            (Some(id), owner) => {
                match self.store.workflow(id).await?.filter(|row| owner.is_none_or(|owner| owner == row.owner)) {
                    Some(row) => Ok(Some(vec![row.id])),
                    None => Ok(Some(vec![self.owned(id, owner).await?.id])),
                }
            }
            (None, Some(owner)) => Ok(Some(self.store.account_ids(owner, false).await?)),
            (None, None) if query.subscriber.is_some() => Ok(None),
            (None, None) => Err(Error::invalid("Name an owner, an account_id or a subscriber: without one of them this would be about everybody's endpoints.")),
        }
    }

    /// With an owner, only if subscriber, account or workflow is theirs.
    async fn endpoint_row(&self, id: &str, owner: Option<&str>) -> Result<EndpointRow> {
        check_id("endpoint_id", id)?;
        owner.map_or(Ok(()), super::scope::check)?;
        let row = self.store.endpoint(id).await?.ok_or_else(none)?;
        let is_theirs = match owner {
            None => true,
            Some(owner) => owner == row.subscriber || self.store.account_ids(owner, false).await?.contains(&row.account_id),
        };
        if is_theirs { Ok(row) } else { Err(none()) }
    }

    async fn change_endpoint(&self, id: &str, change: EndpointChange, owner: Option<&str>) -> Result<Endpoint> {
        change.target.as_ref().map_or(Ok(()), check_target)?;
        change.context.as_deref().filter(|context| !context.is_empty()).map_or(Ok(()), check_context)?;
        if change.account_id.is_some() && change.target.is_none() {
            return Err(Error::invalid("account_id is given with a target alone: another account may not reach the old one."));
        }
        for _ in 0..CHANGE_TRIES {
            let now = to_ms(self.clock.now());
            let read = async || {
                let seen = self.endpoint_row(id, owner).await?;
                let old = shown(&self.vault.content(&seen.account_id).await?, seen.clone())?;
                Ok((seen, old))
            };
            let (seen, old) = self.vault.with_current_keys(read).await?;
            let target = change.target.clone().unwrap_or(old.target);
            let account_id = match (&change.target, &change.account_id) {
                (Some(EndpointTarget::Workflow { .. }), None) => way("", &target)?,
                (Some(_), None) => way(&seen.account_id, &target)?,
                (Some(_), Some(account_id)) => way(account_id, &target)?,
                (None, _) => &seen.account_id,
            };
            if change.target.is_some() {
                self.check_way(account_id, &target, owner.filter(|owner| *owner != seen.subscriber)).await?;
            }
            let context = match change.context.as_deref() {
                None => old.context,
                Some("") => None,
                Some(context) => Some(context.to_owned()),
            };
            let wanted = Wanted { subscriber: &seen.subscriber, context: context.as_deref(), account_id, target: &target };
            let state = match (change.is_active, &change.target) {
                (Some(true), _) | (None, Some(_)) => EndpointState::Active,
                (Some(false), _) => EndpointState::Retired,
                (None, None) => seen.state,
            };
            let reason = match (state, change.is_active) {
                (EndpointState::Active, _) => None,
                (EndpointState::Retired, Some(false)) if seen.state == EndpointState::Active => Some(BY_HOST.to_owned()),
                (EndpointState::Retired, _) => seen.reason.clone(),
            };
            let write = async || {
                let key = self.vault.content(account_id).await?;
                let row = EndpointRow { state, reason: reason.clone(), ..changed_row(&self.vault, &key, &seen, &wanted, now)? };
                self.store.change_endpoint(&seen, &row).await?.map(|row| shown(&key, row)).transpose()
            };
            if let Some(changed) = self.vault.with_current_keys(write).await? {
                tracing::info!(target: "tidings::engine", endpoint = changed.id, account = changed.account_id, state = ?changed.state, "an endpoint was changed");
                self.fed();
                return Ok(changed);
            }
        }
        Err(Error::new(ErrorKind::StoreBusy, "The endpoint is being changed by others at this moment; nothing was changed. Try again."))
    }

    /// The change feed may have grown.
    fn fed(&self) {
        self.news.send_modify(|n| *n = n.wrapping_add(1));
    }
}
