//! What a sign-in leaves in the store: account, keys and token become durable together.

use super::approver::approver_of;
use super::attempt::{Aim, Attempt, hash};
use super::token::{Grant, StoredToken};
use super::{Auth, Profile, profile_place, scopes, token_place};
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::endpoints::{Wanted, new_row};
use crate::model::{Account, AccountKind, AccountState, EndpointTarget, Event, Feature, SubscriberLink};
use crate::random;
use crate::store::{AccountQuery, AccountRow, Approver, EndpointRow, KeyPurpose, Lease, LeaseRequest, NewConnection, TokenRow};
use crate::trust::Identity;
use crate::vault::DataKey;
use std::collections::BTreeSet;

const CONNECT_LEASE_MS: i64 = 30_000;
/// Looks for it: 20 seconds.
const CONNECT_LOOKS: u32 = 80;
pub(super) const WAITS: &str = "An administrator of the organisation must approve first. Ask for it with approval.";
const LONGEST_NAME: usize = 100;

/// What became of it.
struct Kept {
    row: AccountRow,
    /// An account that nobody had signed in to and that this one replaces.
    replaced: Option<String>,
}

impl Auth {
    pub(super) async fn keep(&self, attempt: &Attempt, identity: Identity, grant: Grant, profile: Profile) -> Result<Account> {
        // One at a time per person, so that two sign-ins of one do not make two accounts.
        let lease = self.connect_lease(&format!("{}\0{}\0{}", attempt.owner, identity.tenant_id, identity.user_id)).await?;
        let now = self.now();
        let expires_at = now.saturating_add(i64::try_from(grant.lifetime.as_millis()).unwrap_or(0));
        let access_token = grant.access_token.clone();
        let wish = Wish::of(attempt);
        let kept = self.vault.with_current_keys(async || self.assign_account(&wish, &identity, &grant, &profile, now, expires_at).await).await;
        self.release(lease).await;
        let Kept { row, replaced } = kept?;
        if let Some(id) = replaced {
            self.forget(&id);
        }
        if row.kind == AccountKind::Person {
            self.token_cache.remember(&row.id, access_token, row.generation, now, expires_at);
        }
        self.event_bus.publish(match row.state {
            AccountState::Connected => Event::AccountConnected { account_id: row.id.clone() },
            state => Event::AccountChanged { account_id: row.id.clone(), state },
        });
        self.publish_opened(&row.id, row.state).await;
        self.describe(&row).await
    }

    pub(super) async fn connect_lease(&self, whose: &str) -> Result<Lease> {
        let request = LeaseRequest::new(&self.store, &self.clock, format!("connect/{}", hex(hash(whose))), CONNECT_LEASE_MS)?;
        for _ in 0..CONNECT_LOOKS {
            if let Some(lease) = request.take().await? {
                return Ok(lease);
            }
            request.pause().await;
        }
        Err(Error::new(ErrorKind::StoreBusy, "Another sign-in of the same person is being stored. Start the sign-in again."))
    }

    /// Finds the account this sign-in belongs to, or makes one.
    async fn assign_account(&self, wish: &Wish, identity: &Identity, grant: &Grant, profile: &Profile, now: i64, expires_at: i64) -> Result<Kept> {
        let named = match wish.aim.account() {
            Some(id) => Some(self.store.account(id).await?.ok_or_else(|| Error::new(ErrorKind::NotFound, "The account was erased meanwhile. Nothing was stored.").on_account(id))?),
            None => None,
        };
        if let Some(row) = &named {
            self.same_person(row, identity, profile).await?;
        }
        // Whoever signs in by connect has perhaps been waiting since an earlier one.
        let named = match named {
            Some(row) => Some(row),
            None => self.awaited(wish, identity, profile).await?,
        };
        let kind = match (&wish.aim, &named) {
            (_, Some(row)) => row.kind,
            (Aim::Tenant, _) => AccountKind::Tenant,
            (Aim::Link, _) => AccountKind::Link,
            _ => AccountKind::Person,
        };
        let user_id = match kind {
            AccountKind::Person => identity.user_id.clone(),
            AccountKind::Link => AccountRow::known(&identity.user_id),
            AccountKind::Tenant => AccountRow::organisation(&wish.app),
            AccountKind::SharedMailbox => return Err(Error::new(ErrorKind::Conflict, "This account is a shared mailbox, to which nobody signs in. Nothing was stored.")),
        };
        let holder = self.store.accounts(AccountQuery::Person { owner: &wish.owner, tenant_id: &identity.tenant_id, user_id: &user_id }).await?.pop();
        if let Some(link) = &wish.endpoint
            && kind == AccountKind::Link
            && self.organisation_of(&link.account_id).await?.tenant_id != identity.tenant_id
        {
            return Err(Error::new(ErrorKind::Forbidden, "Who signed in belongs to another organisation than the one whose bot is to write to them. Nothing was stored."));
        }
        if kind == AccountKind::Tenant
            && let Some(row) = holder.as_ref().filter(|row| row.state == AccountState::Connected)
        {
            // It has its tokens; that somebody proves the organisation once more changes nothing of it.
            if let Some(endpoint) = self.endpoint_of(wish, &row.id, &identity.user_id, None, now).await? {
                self.store.add_endpoint(&endpoint).await?;
            }
            return Ok(Kept { row: row.clone(), replaced: None });
        }
        let (known, replaced) = match (named, holder) {
            (Some(named), Some(holder)) if holder.id != named.id => (Some((holder, named.features)), Some(named.id)),
            (Some(named), _) => (Some((named, Vec::new())), None),
            (None, holder) => (holder.map(|row| (row, Vec::new())), None),
        };
        let id = match &known {
            Some((row, _)) => row.id.clone(),
            None => new_id()?,
        };
        let old = match &known {
            Some((row, _)) => self.profile_of(row).await?,
            None => Profile::default(),
        };
        let profile = Profile { context: wish.context.clone().or(old.context), login_hint: None, ..profile.clone() };
        let mut features: BTreeSet<Feature> = wish.features.iter().copied().collect();
        if wish.aim.account().is_some() {
            // What was added between the two halves of this sign-in stays asked for.
            features.extend(known.iter().flat_map(|(row, waiting)| row.features.iter().chain(waiting)).copied());
        }

        let mut extra_scopes: BTreeSet<String> = wish.extra_scopes.iter().cloned().collect();
        // A connect of somebody who is connected already asks for more; nothing is taken away by it.
        let asks_for_more = |row: &AccountRow| row.state != AccountState::Disconnected && row.app == wish.app && row.authority == wish.authority;
        if let Some((row, _)) = known.as_ref().filter(|(row, _)| asks_for_more(row)) {
            features.extend(row.features.iter().copied());
            extra_scopes.extend(row.extra_scopes.iter().cloned());
        }

        let with_content = known.is_none() || self.store.active_key(KeyPurpose::Content, Some(&id)).await?.is_none();
        let keys = self.vault.new_account_keys(&id, with_content, now)?;
        let opened = self.vault.adopt(&id, &keys).await?;
        let earlier = known.as_ref().map(|(row, _)| row);
        let profile_version = earlier.map_or(1, |row| row.profile_version + 1);
        let plain = serde_json::to_vec(&profile).map_err(|_| Error::internal("A profile could not be written."))?;
        let sealed = opened.content.seal(profile_place(&id, profile_version), &plain)?;
        let token = match kind {
            AccountKind::Person => {
                let version = self.store.token(&id).await?.map_or(1, |row| row.version + 1);
                let token = StoredToken { refresh_token: grant.refresh_token.as_deref().cloned().unwrap_or_default(), access_token: grant.access_token.expose(str::to_owned), subject: identity.subject.clone(), unproven: None };
                Some(TokenRow { account_id: id.clone(), version, sealed: opened.secrets.seal(token_place(&id, version), &token.to_json()?)?, expires_at, refreshed_at: now })
            }
            // Who somebody is, is known now; the token has done its work.
            AccountKind::Link | AccountKind::Tenant | AccountKind::SharedMailbox => None,
        };
        let waits = kind == AccountKind::Tenant;
        // What an administrator has proven for this account stays proven while it waits; a disconnected one begins anew.
        let known_approver = earlier.filter(|row| row.kind == AccountKind::Tenant && row.state != AccountState::Disconnected).map(|row| row.approver);
        let approver = match (waits, approver_of(identity), known_approver) {
            (false, ..) => Approver::Unsaid,
            (true, _, Some(Approver::Proven)) => Approver::Proven,
            (true, said, _) => said,
        };
        let row = AccountRow {
            tenant_id: identity.tenant_id.clone(),
            user_id,
            kind,
            app: wish.app.clone(),
            authority: wish.authority.clone(),
            state: if waits { AccountState::AwaitingAdmin } else { AccountState::Connected },
            problem: waits.then(|| approver.problem().unwrap_or(WAITS).to_owned()),
            approver,
            features: features.into_iter().collect(),
            scopes: grant.scopes.clone().unwrap_or_else(|| wish.scopes.iter().map(|s| scopes::short(s).to_owned()).collect()),
            extra_scopes: extra_scopes.into_iter().collect(),
            profile_version,
            generation: earlier.map_or(1, |row| row.generation + 1),
            access_ends_at: (kind == AccountKind::Person && grant.refresh_token.is_none()).then_some(expires_at),
            claims_version: earlier.map_or(0, |row| row.claims_version),
            ..AccountRow::new(id, wish.owner.clone(), sealed, now)
        };
        let row = if waits { AccountRow { scopes: Vec::new(), ..row } } else { row };
        let endpoint = match kind {
            AccountKind::Tenant => self.endpoint_of(wish, &row.id, &identity.user_id, Some(&opened.content), now).await?,
            AccountKind::Link => self.endpoint_of(wish, wish.endpoint.as_ref().map_or("", |link| &link.account_id), &identity.user_id, None, now).await?,
            AccountKind::Person | AccountKind::SharedMailbox => None,
        };
        let row = self.store.connect_account(NewConnection { attempt: Some(&wish.hash), account: &row, token: token.as_ref(), keys: &keys, replaces: replaced.as_deref(), endpoint: endpoint.as_ref() }, now).await?;
        Ok(Kept { row, replaced })
    }

    /// An organisation through whose bot people can be told something. Errors: NotFound, Forbidden (another kind of account).
    pub(super) async fn organisation_of(&self, account_id: &str) -> Result<AccountRow> {
        let row = self.store.account(account_id).await?.filter(|row| row.state != AccountState::Disconnected);
        let row = row.ok_or_else(|| Error::new(ErrorKind::NotFound, "There is no connected organisation with the account_id of the endpoint. Pass the id that connect_tenant led to."))?;
        if row.kind == AccountKind::Tenant { Ok(row) } else { Err(Error::new(ErrorKind::Forbidden, "The endpoint of a person goes through the bot of an organisation, and this account is none. Pass the id that connect_tenant led to.").on_account(account_id)) }
    }

    /// The endpoint that was asked for with this sign-in, of the person who signed in. `key`: the content key, if it is in hand.
    async fn endpoint_of(&self, wish: &Wish, account_id: &str, user_id: &str, key: Option<&DataKey>, now: i64) -> Result<Option<EndpointRow>> {
        let Some(link) = &wish.endpoint else { return Ok(None) };
        let read = match key {
            Some(_) => None,
            None => Some(self.vault.content(account_id).await?),
        };
        let Some(key) = key.or(read.as_ref()) else { return Ok(None) };
        let target = EndpointTarget::TeamsUser { user: user_id.to_owned() };
        let wanted = Wanted { subscriber: &link.subscriber, context: link.context.as_deref(), account_id, target: &target };
        new_row(&self.vault, key, &wanted, now).map(Some)
    }

    /// A new sign-in never puts another mailbox in an account's place. The two names are all an error ever says of people.
    async fn same_person(&self, row: &AccountRow, identity: &Identity, profile: &Profile) -> Result<()> {
        let Some(person) = row.person() else { return Ok(()) };
        if (row.tenant_id.as_str(), person) == (identity.tenant_id.as_str(), identity.user_id.as_str()) {
            return Ok(());
        }
        let (new, old) = (shown(&profile.display_name), shown(&self.profile_of(row).await?.display_name));
        Err(Error::new(ErrorKind::Conflict, format!("{new} signed in, but this account is that of {old}. Nothing was changed; sign in as {old}, or connect {new} as an account of its own.")).on_account(&row.id))
    }
}

/// What an attempt asks for, as it goes into a row.
#[derive(Clone)]
pub(super) struct Wish {
    pub aim: Aim,
    pub owner: String,
    pub app: String,
    pub authority: String,
    pub features: Vec<Feature>,
    pub scopes: Vec<String>,
    pub extra_scopes: Vec<String>,
    pub login_hint: Option<String>,
    pub context: Option<String>,
    pub endpoint: Option<SubscriberLink>,
    pub hash: Vec<u8>,
}

impl Wish {
    pub fn of(attempt: &Attempt) -> Self {
        Self {
            aim: attempt.aim.clone(),
            owner: attempt.owner.clone(),
            app: attempt.app.clone(),
            authority: attempt.authority.clone(),
            features: attempt.features.clone(),
            scopes: attempt.scopes.clone(),
            extra_scopes: attempt.extra_scopes.clone(),
            login_hint: attempt.login_hint.clone(),
            context: attempt.context.clone(),
            endpoint: attempt.endpoint.clone(),
            hash: attempt.hash.clone(),
        }
    }
}

pub(super) fn new_id() -> Result<String> {
    Ok(format!("acc_{}", random::token::<16>()?))
}

/// A name for an error: short, and nothing that a terminal or a page would take for more than text.
fn shown(name: &str) -> String {
    let text: String = name.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>' | '&' | '"' | '@')).take(LONGEST_NAME).collect();
    if text.trim().is_empty() { "somebody without a name".to_owned() } else { format!("“{}”", text.trim()) }
}
