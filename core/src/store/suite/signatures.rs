//! Signatures of accounts.

use super::*;
use crate::error::ErrorKind;
use crate::store::SignatureRow;

pub async fn a_signature_is_replaced_by_who_saw_it(s: &dyn Store) {
    for id in ["a", "b"] {
        connect(s, id).await;
    }
    let (one, two) = (sealed("one"), sealed("two"));
    let row = |sealed: &Sealed, version| SignatureRow { sealed: Some(sealed.clone()), version };
    let bytes = async |id: &str| s.signature(id).await.unwrap().map(|row| (row.sealed.map(|sealed| sealed.as_bytes().to_vec()), row.version));
    assert_eq!(bytes("a").await, None);
    assert!(s.set_signature("a", &row(&one, 1)).await.unwrap());
    assert!(s.set_signature("a", &row(&two, 2)).await.unwrap());
    assert!(!s.set_signature("a", &row(&one, 2)).await.unwrap(), "it is another one by now");
    assert_eq!((bytes("a").await, bytes("b").await), (Some((Some(two.as_bytes().to_vec()), 2)), None));
    assert!(s.set_signature("a", &SignatureRow { sealed: None, version: 3 }).await.unwrap());
    assert_eq!(bytes("a").await, Some((None, 3)), "its versions go on");
    assert!(s.set_signature("a", &row(&one, 4)).await.unwrap());
    assert_eq!(s.set_signature("nobody", &row(&one, 1)).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(bytes("nobody").await, None);
}
