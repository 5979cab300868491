//! The front door: one short method per verb.

use crate::clock::TestClock;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::events::EventStream;
use crate::model::*;
use crate::secret::RootKey;
use std::sync::Arc;

#[derive(Debug)]
pub struct Engine {}

#[derive(Debug)]
pub struct LoopbackSignIn {}

#[derive(Debug)]
pub struct ChangeStream {}

fn unbuilt<T>() -> Result<T> {
    Err(Error::internal("not built yet"))
}

impl LoopbackSignIn {
    pub fn url(&self) -> String {
        String::new()
    }
    pub async fn wait(&self) -> Result<Account> {
        unbuilt()
    }
}

impl ChangeStream {
    pub async fn next(&self, _limit: u32) -> Result<Vec<Change>> {
        unbuilt()
    }
    pub async fn ready(&self, _limit: u32) -> Result<Vec<Change>> {
        unbuilt()
    }
}

impl Engine {
    pub fn open(config: Config, _root_key: Arc<RootKey>) -> Result<Self> {
        config.check()?;
        unbuilt()
    }
    pub fn open_with_clock(config: Config, _root_key: Arc<RootKey>, _clock: Arc<TestClock>) -> Result<Self> {
        config.check()?;
        unbuilt()
    }
    pub async fn shutdown(&self) {}
    pub async fn connect(&self, _request: ConnectRequest) -> Result<SignIn> {
        unbuilt()
    }
    pub async fn finish_connect(&self, _callback_url: String, _binding: String) -> Result<Account> {
        unbuilt()
    }
    pub async fn connect_here(&self, _request: ConnectRequest) -> Result<Arc<LoopbackSignIn>> {
        unbuilt()
    }
    pub async fn accounts(&self, _filter: AccountFilter) -> Result<Vec<Account>> {
        unbuilt()
    }
    pub async fn account(&self, _account_id: String) -> Result<Account> {
        unbuilt()
    }
    pub async fn disconnect(&self, _account_id: String) -> Result<Account> {
        unbuilt()
    }
    pub async fn send(&self, _draft: Draft) -> Result<Receipt> {
        unbuilt()
    }
    pub async fn enqueue(&self, _draft: Draft) -> Result<Receipt> {
        unbuilt()
    }
    pub async fn receipt(&self, _receipt_id: String) -> Result<Receipt> {
        unbuilt()
    }
    pub async fn outbox(&self, _filter: OutboxFilter) -> Result<Vec<Receipt>> {
        unbuilt()
    }
    pub async fn sync(&self, _account_id: String) -> Result<SyncReport> {
        unbuilt()
    }
    pub async fn folders(&self, _account_id: String) -> Result<Vec<Folder>> {
        unbuilt()
    }
    pub async fn messages(&self, _query: MessageQuery) -> Result<MessagePage> {
        unbuilt()
    }
    pub async fn message(&self, _message_id: String) -> Result<Message> {
        unbuilt()
    }
    pub async fn body(&self, _message_id: String) -> Result<MessageBody> {
        unbuilt()
    }
    pub async fn thread(&self, _message_id: String) -> Result<MailThread> {
        unbuilt()
    }
    pub async fn mark_read(&self, _message_id: String, _is_read: bool) -> Result<Message> {
        unbuilt()
    }
    pub fn events(&self) -> Arc<EventStream> {
        Arc::new(crate::events::Bell::new().listen())
    }
    pub fn changes(&self, _cursor: Option<String>) -> Arc<ChangeStream> {
        Arc::new(ChangeStream {})
    }
}
