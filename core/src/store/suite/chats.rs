//! Chats by whom they are with.

use super::*;

pub async fn a_chat_is_known_by_whom_it_is_with(s: &dyn Store) {
    for id in ["a", "b"] {
        connect(s, id).await;
    }
    let (alex, group) = ([1; 32], [2; 32]);
    assert_eq!(s.chat("a", &alex).await.unwrap(), None);
    s.keep_chat("a", &alex, Some("19:alex"), 7).await.unwrap();
    s.keep_chat("a", &group, Some("19:group"), 7).await.unwrap();
    s.keep_chat("b", &alex, Some("19:other"), 7).await.unwrap();
    assert_eq!((s.chat("a", &alex).await.unwrap(), s.chat("b", &alex).await.unwrap()), (Some(("19:alex".into(), 7)), Some(("19:other".into(), 7))));
    s.keep_chat("a", &alex, Some("19:new"), 7).await.unwrap();
    assert_eq!(s.chat("a", &alex).await.unwrap(), Some(("19:new".into(), 7)), "the later one");
    s.keep_chat("a", &alex, None, 7).await.unwrap();
    assert_eq!((s.chat("a", &alex).await.unwrap(), s.chat("a", &group).await.unwrap()), (None, Some(("19:group".into(), 7))));
    s.keep_chat("nobody", &alex, Some("19:x"), 7).await.unwrap();
    assert_eq!(s.chat("nobody", &alex).await.unwrap(), None, "nothing of strangers");
}
