//! Chats by whom they are with.

use super::*;

pub async fn a_chat_is_known_by_whom_it_is_with(s: &dyn Store) {
    for id in ["a", "b"] {
        connect(s, id).await;
    }
    let (alex, group) = ([1; 32], [2; 32]);
    assert_eq!(s.chat("a", &alex).await.unwrap(), None);
    s.keep_chat("a", &alex, Some("19:alex")).await.unwrap();
    s.keep_chat("a", &group, Some("19:group")).await.unwrap();
    s.keep_chat("b", &alex, Some("19:other")).await.unwrap();
    assert_eq!((s.chat("a", &alex).await.unwrap().as_deref(), s.chat("b", &alex).await.unwrap().as_deref()), (Some("19:alex"), Some("19:other")));
    s.keep_chat("a", &alex, Some("19:new")).await.unwrap();
    assert_eq!(s.chat("a", &alex).await.unwrap().as_deref(), Some("19:new"), "the later one");
    s.keep_chat("a", &alex, None).await.unwrap();
    assert_eq!((s.chat("a", &alex).await.unwrap(), s.chat("a", &group).await.unwrap().as_deref()), (None, Some("19:group")));
    s.keep_chat("nobody", &alex, Some("19:x")).await.unwrap();
    assert_eq!(s.chat("nobody", &alex).await.unwrap(), None, "nothing of strangers");
}
