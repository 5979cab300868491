//! The event bus: what just happened, to whoever listens. Bounded; a slow reader loses the oldest and is told how many.

use crate::error::Result;
use crate::model::Event;
use tokio::sync::{Mutex, broadcast};

const KEPT: usize = 1024;

/// Publishes; held by the modules that have news.
#[derive(Debug, Clone)]
pub struct EventBus {
    sender: std::sync::Arc<std::sync::RwLock<Option<broadcast::Sender<Event>>>>,
}

impl EventBus {
    pub fn new() -> Self {
        Self { sender: std::sync::Arc::new(std::sync::RwLock::new(Some(broadcast::Sender::new(KEPT)))) }
    }

    pub fn publish(&self, event: Event) {
        // Taken out of the lock before anything is sent: sending wakes readers, and a host's reader may need a lock that another thread holds while it
        // waits here.
        let sender = self.sender.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if let Some(sender) = sender {
            let _ = sender.send(event); // an error means that nobody listens
        }
    }

    pub fn listen(&self) -> Listener {
        let receiver = self.sender.read().unwrap_or_else(std::sync::PoisonError::into_inner).as_ref().map(broadcast::Sender::subscribe);
        Listener { receiver: Mutex::new(receiver) }
    }

    /// Ends every stream.
    pub fn close(&self) {
        let sender = self.sender.write().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        // Outside the lock, since it wakes readers.
        drop(sender);
    }
}

impl Default for EventBus {
    fn default() -> Self {
        Self::new()
    }
}

/// What was published since it was made.
#[derive(Debug)]
pub struct Listener {
    receiver: Mutex<Option<broadcast::Receiver<Event>>>,
}

impl Listener {
    /// Waits for the next event; none after shutdown. A cancelled wait loses nothing.
    pub async fn next(&self) -> Result<Option<Event>> {
        // Awaited in place and not in a task of its own: a cancelled wait in a task would swallow the event it was given.
        let mut receiver = self.receiver.lock().await;
        let Some(receiver) = receiver.as_mut() else { return Ok(None) };
        match receiver.recv().await {
            Ok(event) => Ok(Some(event)),
            Err(broadcast::error::RecvError::Lagged(count)) => Ok(Some(Event::Missed { count })),
            Err(broadcast::error::RecvError::Closed) => Ok(None),
        }
    }
}
