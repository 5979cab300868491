//! Contents that came with notifications are proven after the post was answered: who posts, then each content. What fails is dropped and counted. Either way the mailbox was
//! marked before: a content is a hint, and what it says is read from the mailbox.

use super::Notify;
use super::decrypt::{EncryptedContent, Fault};
use crate::runtime::{Stop, blocking};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Posts that wait, of 4 MB each at the most; what does not fit is dropped.
const MOST_WAITING: usize = 8;
/// Validation tokens of one post that are looked at.
const MOST_TOKENS: usize = 50;
/// Contents that are known again if they are shown twice.
const MOST_SEEN: usize = 20_000;

/// A content of a notification that belongs to a subscription.
pub struct Told {
    pub account_id: String,
    pub tenant_id: String,
    /// Name of the application it was connected through.
    pub app: String,
    /// What the notification is about, as it says outside.
    pub graph_id: Option<String>,
    pub content: EncryptedContent,
}

/// The contents of one post.
pub struct Post {
    pub tokens: Vec<String>,
    pub contents: Vec<Told>,
}

pub struct Proofs {
    queue: mpsc::Sender<Post>,
    queued: Mutex<Option<mpsc::Receiver<Post>>>,
    seen: Mutex<Seen>,
}

/// Hashes of contents, in the order in which they came.
#[derive(Default)]
struct Seen {
    order: VecDeque<[u8; 32]>,
    all: HashSet<[u8; 32]>,
}

impl Seen {
    /// False: it was there.
    fn is_new(&mut self, hash: [u8; 32]) -> bool {
        if !self.all.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > MOST_SEEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
        true
    }
}

impl Default for Proofs {
    fn default() -> Self {
        let (queue, queued) = mpsc::channel(MOST_WAITING);
        Self { queue, queued: Mutex::new(Some(queued)), seen: Mutex::default() }
    }
}

impl Notify {
    pub(super) fn prove_later(&self, post: Post) {
        let count = u32::try_from(post.contents.len()).unwrap_or(u32::MAX);
        if count > 0 && self.proofs.queue.try_send(post).is_err() {
            self.parts.graph.meters().contents_refused.add(count);
        }
    }

    /// Until the engine stops.
    pub async fn prove(self: Arc<Self>, stop: Stop) {
        let Some(mut queued) = self.proofs.queued.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        loop {
            tokio::select! {
                () = stop.wait() => return,
                post = queued.recv() => match post {
                    Some(post) => self.prove_post(post).await,
                    None => return,
                },
            }
        }
    }

    async fn prove_post(&self, Post { tokens, contents }: Post) {
        let mut senders: BTreeMap<(String, String), bool> = BTreeMap::new();
        let meters = self.parts.graph.meters();
        for told in contents {
            let sender = (told.app.clone(), told.tenant_id.clone());
            let is_proven = match senders.get(&sender) {
                Some(is_proven) => *is_proven,
                None => {
                    let is_proven = self.is_microsofts(&tokens, &told).await;
                    senders.insert(sender, is_proven);
                    is_proven
                }
            };
            let outcome = if is_proven { self.open(&told).await } else { Err("the post does not prove that it is Microsoft's") };
            match outcome {
                Ok(()) => meters.contents_proven.up(),
                Err(why) => {
                    meters.contents_refused.up();
                    tracing::warn!(target: "tidings::notify", account = told.account_id, why, "the content of a notification was dropped; the mailbox is read");
                }
            }
        }
    }

    /// One of the tokens is for this application and tenant.
    async fn is_microsofts(&self, tokens: &[String], told: &Told) -> bool {
        let Some(client_id) = self.parts.client_ids.get(&told.app) else { return false };
        for token in tokens.iter().take(MOST_TOKENS) {
            if self.parts.trust.validation_token(token, &told.tenant_id, client_id).await.is_ok() {
                return true;
            }
        }
        false
    }

    async fn open(&self, told: &Told) -> Result<(), &'static str> {
        let name = &told.content.encryption_certificate_id;
        let Ok(found) = self.content_key(name).await else { return Err("the key of its certificate cannot be read now") };
        let Some(key) = found else { return Err(why(Fault::Certificate)) };
        let content = told.content.clone();
        let opened = blocking(move || Ok(key.open(&content))).await;
        let message = match opened {
            Ok(Ok(message)) => message,
            Ok(Err(fault)) => return Err(why(fault)),
            Err(_) => return Err("it could not be opened"),
        };
        if told.graph_id.is_none() || message.get("id").and_then(serde_json::Value::as_str) != told.graph_id.as_deref() {
            return Err("it is about another message than the notification");
        }
        let hash: [u8; 32] = Sha256::new_with_prefix(&told.content.data_signature).chain_update(&told.content.data).finalize().into();
        if !self.proofs.seen.lock().unwrap_or_else(PoisonError::into_inner).is_new(hash) {
            return Err("it came before");
        }
        Ok(())
    }
}

fn why(fault: Fault) -> &'static str {
    match fault {
        Fault::Certificate => "it is encrypted for no certificate of this store",
        Fault::Encoding => "it is not base64",
        Fault::Key => "its key cannot be opened",
        Fault::Signature => "its signature is wrong",
        Fault::Cipher => "it cannot be decrypted",
        Fault::Json => "it is no JSON",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_is_known_again_within_bounds() {
        let mut seen = Seen::default();
        let hash = |n: usize| <[u8; 32]>::from(Sha256::digest(n.to_le_bytes()));
        assert!(seen.is_new(hash(0)) && !seen.is_new(hash(0)));
        assert!((1..=MOST_SEEN).all(|n| seen.is_new(hash(n))));
        assert_eq!((seen.order.len(), seen.all.len()), (MOST_SEEN, MOST_SEEN));
        assert!(seen.is_new(hash(0)), "the oldest is forgotten");
    }
}
