//! Properties that an answer left out. What is absent is not empty: an update may hold only what changed, so what is here of it stays.

/// A property of a message whose absence is no reason to fetch the message whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageProperty {
    Attachments,
    Bcc,
    Categories,
    Cc,
    Conversation,
    Draft,
    Flag,
    From,
    Importance,
    InternetMessageId,
    Preview,
    Read,
    Received,
    ReplyTo,
    Sender,
    Sent,
    WebLink,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Untold(u32);

impl Untold {
    pub fn is_any(self) -> bool {
        self.0 != 0
    }

    pub fn has(self, property: MessageProperty) -> bool {
        self.0 & 1 << property as u32 != 0
    }

    /// The value, or the empty one and a note that it was not told.
    pub fn take<T: Default>(&mut self, property: MessageProperty, value: Option<T>) -> T {
        value.unwrap_or_else(|| {
            self.0 |= 1 << property as u32;
            T::default()
        })
    }
}
