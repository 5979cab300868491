//! Questions about several items in one request.

use super::*;

#[tokio::test]
async fn removals_are_proven_in_batches_of_twenty() {
    let bench = batches(|path, _| {
        let id = path.strip_prefix("/me/messages/").unwrap().split('?').next().unwrap();
        match id {
            "m3" => json!({ "status": 404, "body": { "error": { "code": "ErrorItemNotFound" } } }),
            _ => json!({ "status": 200, "body": { "id": id, "parentFolderId": format!("of {id}") } }),
        }
    });
    let ids: Vec<String> = (0..45).map(|n| format!("m{n}")).collect();
    let proofs = bench.graph.verify(&caller(), &ids).await.unwrap();
    assert_eq!(bench.service.calls(), 3);
    for (n, (id, verified)) in proofs.iter().enumerate() {
        assert_eq!(id, &ids[n]);
        match verified {
            Verified::Gone => assert_eq!(n, 3),
            Verified::There(message) => assert_eq!((message.id.as_str(), message.folder_id.as_str()), (id.as_str(), format!("of m{n}").as_str())),
            Verified::Unclear(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_throttled_item_goes_again_alone_after_its_own_wait() {
    let bench = batches(|path, n| match (path.contains("/m1/") || path.contains("/m1?"), n) {
        (true, 0) => json!({ "status": 429, "headers": { "Retry-After": "4" }, "body": { "error": { "code": "TooManyRequests" } } }),
        (true, 1) => json!({ "status": 503, "body": {} }),
        _ => json!({ "status": 200, "body": { "value": [{ "id": "a1", "name": "x.pdf", "contentType": "application/pdf", "size": 12, "isInline": false }] } }),
    });
    let ids = ["m0".to_owned(), "m1".to_owned(), "m2/..".to_owned()];
    let found = bench.graph.attachments(&caller(), &ids).await.unwrap();
    assert!(found.iter().all(|(_, list)| matches!(list, Attached::Listed(l) if l.len() == 1 && l[0].name == "x.pdf" && l[0].size == 12)));
    assert!((4300..=6000).contains(&passed_ms(&bench.clock)), "{}", passed_ms(&bench.clock));
    let sizes: Vec<usize> = bench.service.seen.lock().unwrap().iter().map(|r| serde_json::from_slice::<Value>(r.body()).unwrap()["requests"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [3, 1, 1]);
    let first: Value = serde_json::from_slice(bench.service.seen.lock().unwrap()[0].body()).unwrap();
    assert_eq!(first["requests"][2]["url"], "/me/messages/m2%2F../attachments?$select=id,name,contentType,size,isInline");

    let never = batches(|_, _| json!({ "status": 429, "headers": { "Retry-After": "4000" } }));
    let told = never.graph.verify(&caller(), &["m".to_owned()]).await.unwrap_err();
    assert_eq!((told.kind(), never.service.calls()), (ErrorKind::Throttled, 1));
    let denied = batches(|_, _| json!({ "status": 403, "body": { "error": { "code": "ErrorAccessDenied" } } }));
    assert_eq!(unclear(&denied).await, ErrorKind::Forbidden);
    let silent = self::bench(Service::new(|_: &Seen, _| says(200, r#"{"responses":[]}"#)));
    assert_eq!(unclear(&silent).await, ErrorKind::Upstream);
    let empty = batches(|_, _| json!({ "status": 200 }));
    assert_eq!(unclear(&empty).await, ErrorKind::Upstream);
}
