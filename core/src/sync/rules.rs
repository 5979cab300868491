//! Rules by which messages get a host's key: held against mail as it arrives, and against what is here in the background, in bounded steps. An address is
//! looked up by a keyed hash, so however many rules there are, a page costs one look.

use super::edits::Edits;
use super::links;
use super::read::Reader;
use super::record::MessageMetadata;
use super::run::SyncContext;
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::hex::hex;
use crate::model::{LinkRule, is_mail_address};
use crate::runtime::{Stop, blocking};
use crate::store::{LEASE_MS, LeaseRequest, LinkedMessage, RuleRow, hold, link_place, rule_place};
use crate::vault::{DataKey, Vault, host_link};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Addresses and domains of one rule.
const MOST_TERMS: usize = 1_000;
/// Rules of one owner.
const MOST_RULES: u32 = 10_000;
/// Messages held against a rule in one step.
const STEP: u32 = 200;
const LONGEST_DOMAIN: usize = 253;
/// How often it is looked for what another process, or one that was killed, left to be done.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

fn address_term(address: &str) -> String {
    format!("a {}", address.to_lowercase())
}

fn domain_term(domain: &str) -> String {
    format!("d {}", domain.to_lowercase())
}

/// What a message may be linked by: its people's addresses, and their domains with those above them.
fn terms_of(head: &MessageMetadata) -> BTreeSet<String> {
    let mut terms = BTreeSet::new();
    for one in head.from.iter().chain(&head.sender).chain(&head.to).chain(&head.cc) {
        let Some((_, domain)) = one.address.rsplit_once('@') else { continue };
        terms.insert(address_term(&one.address));
        let mut rest = Some(domain);
        while let Some(domain) = rest.filter(|domain| !domain.is_empty() && domain.len() <= LONGEST_DOMAIN) {
            terms.insert(domain_term(domain));
            rest = domain.split_once('.').map(|(_, above)| above);
        }
    }
    terms
}

fn terms_of_rule(rule: &LinkRule) -> BTreeSet<String> {
    rule.addresses.iter().map(|address| address_term(address)).chain(rule.domains.iter().map(|domain| domain_term(domain))).collect()
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && !label.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '@' | '/' | ':' | '*'));
    text.len() <= LONGEST_DOMAIN && text.contains('.') && text.split('.').all(is_label)
}

/// Errors: InvalidInput.
pub fn check_rule(rule: &LinkRule) -> Result<()> {
    links::check(&rule.key)?;
    if !(1..=MOST_TERMS).contains(&(rule.addresses.len() + rule.domains.len())) {
        return Err(Error::invalid("A rule must have 1 to 1,000 addresses and domains together."));
    }
    if let Some(number) = rule.addresses.iter().position(|address| !is_mail_address(address)) {
        return Err(Error::invalid(format!("addresses[{number}] is no mail address.")));
    }
    if let Some(number) = rule.domains.iter().position(|domain| !is_domain(domain)) {
        return Err(Error::invalid(format!("domains[{number}] is no domain, as in contoso.com.")));
    }
    Ok(())
}

fn rule_hash(vault: &Vault, owner: &str, key: &str) -> Result<[u8; 32]> {
    vault.store_hash("link rule", &[owner.as_bytes(), key.as_bytes()])
}

fn term_hash(vault: &Vault, owner: &str, term: &str) -> Result<[u8; 32]> {
    vault.store_hash("link term", &[owner.as_bytes(), term.as_bytes()])
}

fn open_rule(vault: &Vault, row: &RuleRow) -> Result<LinkRule> {
    let text = vault.store_key().open(rule_place(&hex(row.hash), row.version), &row.sealed)?;
    serde_json::from_slice(&text).map_err(|e| Error::new(ErrorKind::Corrupt, "A stored rule cannot be read.").with_source(e))
}

impl Edits {
    /// In place of the owner's rule with the same key. The caller has checked it.
    pub async fn set_rule(&self, rule: &LinkRule) -> Result<()> {
        let Reader { store, vault, .. } = self.reader();
        let hash = rule_hash(vault, &rule.owner, &rule.key)?;
        let terms = terms_of_rule(rule).iter().map(|term| term_hash(vault, &rule.owner, term)).collect::<Result<Vec<_>>>()?;
        let text = serde_json::to_vec(rule).map_err(|e| Error::internal("A rule cannot be written.").with_source(e))?;
        let write = async || loop {
            let seen = store.rule(&hash).await?.map_or(0, |row| row.version);
            let sealed = vault.store_key().seal(rule_place(&hex(hash), seen + 1), &text)?;
            let row = RuleRow { owner: rule.owner.clone(), hash, version: seen + 1, sealed };
            if store.put_rule(row, terms.clone(), seen, MOST_RULES).await? {
                return Ok(());
            }
        };
        vault.with_current_keys(write).await?;
        failpoint!("links.stored_rule");
        self.scan_soon();
        Ok(())
    }

    pub async fn rules(&self, owner: &str) -> Result<Vec<LinkRule>> {
        let Reader { store, vault, .. } = self.reader();
        vault.with_current_keys(async || store.rules(owner).await?.iter().map(|row| open_rule(vault, row)).collect()).await
    }

    /// Errors: NotFound.
    pub async fn remove_rule(&self, owner: &str, key: &str) -> Result<()> {
        let Reader { store, vault, .. } = self.reader();
        if store.remove_rule(&rule_hash(vault, owner, key)?).await? { Ok(()) } else { Err(Error::new(ErrorKind::NotFound, "This owner has no rule with this key.")) }
    }

    /// Holds mail that was here before a rule against it, until told to stop.
    pub async fn apply_rules(self: std::sync::Arc<Self>, stop: Stop) {
        while !stop.is_set() {
            let scan = async {
                let accounts = self.reader().store.accounts_to_scan().await?;
                for account_id in accounts {
                    self.scan(&account_id).await?;
                }
                Ok(())
            };
            tokio::select! {
                outcome = scan => if let Err(error) = outcome {
                    let error: Error = error;
                    tracing::warn!(target: "tidings::sync", kind = ?error.kind(), "rules for keys are applied later");
                },
                () = stop.wait() => return,
            }
            tokio::select! { () = stop.wait() => {}, () = self.scan_asked() => {}, () = self.reader().clock.deadline(LOOK_AGAIN) => {} }
        }
    }

    /// All that is to be held against rules of an account, unless another process does it.
    pub(super) async fn scan(&self, account_id: &str) -> Result<()> {
        let Reader { store, clock, .. } = self.reader();
        let Some(lease) = LeaseRequest::new(store, clock, format!("links:{account_id}"), LEASE_MS)?.take().await? else { return Ok(()) };
        let beat = hold(store.clone(), clock.clone(), lease.clone());
        let steps = async {
            while self.step(account_id).await? {
                failpoint!("links.scanned");
            }
            Ok(())
        };
        let outcome = tokio::select! { outcome = steps => outcome, () = beat => Ok(()) };
        let _ = store.release_lease(&lease).await; // it lapses by itself otherwise
        outcome
    }

    /// False: there is nothing left.
    async fn step(&self, account_id: &str) -> Result<bool> {
        let Reader { store, vault, clock, news, .. } = self.reader();
        let step = async || {
            let Some((row, after)) = store.next_scan(account_id).await? else { return Ok(None) };
            let key = match vault.content(account_id).await {
                Ok(key) => key,
                // It is being purged, and its mail with it.
                Err(e) if e.kind() == ErrorKind::NotConnected => return store.note_scan(account_id, &row, Vec::new(), None, 0).await.map(|_| Some(false)),
                Err(e) => return Err(e),
            };
            let rule = open_rule(vault, &row)?;
            let hash = host_link(&vault.hashes(account_id).await?, &rule.key)?;
            let messages = store.messages_after(account_id, after, STEP).await?;
            let last = messages.last().map(|message| message.row_id).filter(|_| messages.len() == STEP as usize);
            let id = account_id.to_owned();
            let found = blocking(move || {
                let terms = terms_of_rule(&rule);
                let mut found = Vec::new();
                for message in messages {
                    if terms_of(&MessageMetadata::open(&key, &message)?).is_disjoint(&terms) {
                        continue;
                    }
                    let sealed = key.seal(link_place(&id, &hex(hash)), rule.key.as_bytes())?;
                    found.push(LinkedMessage { account_id: id.clone(), graph_id: message.graph_id, hash, sealed: Some(sealed) });
                }
                Ok(found)
            })
            .await?;
            let is_news = !found.is_empty();
            store.note_scan(account_id, &row, found, last, to_ms(clock.now())).await?;
            Ok(Some(is_news))
        };
        let done = vault.with_current_keys(step).await?;
        if done == Some(true) {
            news.send_modify(|n| *n = n.wrapping_add(1));
        }
        Ok(done.is_some())
    }
}

/// Keys that these messages get by the owner's rules as they arrive: (graph id, key).
pub async fn of_page(context: &SyncContext, heads: &[(&str, &MessageMetadata)]) -> Result<Vec<(String, String)>> {
    let owner = context.account.owner.as_str();
    if heads.is_empty() || !context.store.has_rules(owner).await? {
        return Ok(Vec::new());
    }
    let of_message: Vec<(&str, BTreeSet<String>)> = heads.iter().map(|(id, head)| (*id, terms_of(head))).collect();
    let mut terms = HashMap::new();
    for term in of_message.iter().flat_map(|(_, terms)| terms) {
        terms.insert(term_hash(&context.vault, owner, term)?, term.clone());
    }
    let read = async || {
        let mut keys: HashMap<String, Vec<String>> = HashMap::new();
        for (hash, row) in context.store.rules_with(terms.keys().copied().collect()).await? {
            let (Some(term), rule) = (terms.get(&hash), open_rule(&context.vault, &row)?) else { continue };
            keys.entry(term.clone()).or_default().push(rule.key);
        }
        Ok(keys)
    };
    let keys = context.vault.with_current_keys(read).await?;
    let mut found = BTreeSet::new();
    for (id, terms) in of_message {
        for key in terms.iter().filter_map(|term| keys.get(term)).flatten() {
            found.insert((id.to_owned(), key.clone()));
        }
    }
    Ok(found.into_iter().collect())
}

/// They, sealed for the messages of a page.
pub async fn seal(context: &SyncContext, key: &DataKey, linked: &[(String, String)]) -> Result<Vec<LinkedMessage>> {
    if linked.is_empty() {
        return Ok(Vec::new());
    }
    let (account_id, hashes) = (context.account.id.as_str(), context.vault.hashes(&context.account.id).await?);
    let one = |(graph_id, link): &(String, String)| {
        let hash = host_link(&hashes, link)?;
        let sealed = key.seal(link_place(account_id, &hex(hash)), link.as_bytes())?;
        Ok(LinkedMessage { account_id: account_id.to_owned(), graph_id: graph_id.clone(), hash, sealed: Some(sealed) })
    };
    linked.iter().map(one).collect()
}
