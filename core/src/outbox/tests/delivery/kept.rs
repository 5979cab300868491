//! What is kept of sends: in older stores, in pieces, and without the keys.

use super::*;

#[tokio::test]
async fn the_same_content_of_an_older_store_is_the_same() {
    let bench = bench(|_, _| breaks(Sent::No));
    let draft = MailDraft { key: Some("k".into()), ..letter() };
    let receipt = bench.outbox.enqueue(draft.clone().into(), true).await.unwrap();
    // As the first versions stored it.
    let old = crate::outbox::content::content_hash(&crate::runtime::block_on(bench.vault.hashes("a")).unwrap(), &draft.clone().into(), &Default::default(), 0).unwrap();
    let hex: String = old.iter().map(|b| format!("{b:02x}")).collect();
    crate::store::tamper(&bench._folder.path().join("store"), &format!("UPDATE outbox SET content_hash = x'{hex}', hash_version = 0"));
    assert_eq!(bench.outbox.enqueue(draft.clone().into(), true).await.unwrap().id, receipt.id);
    let other = bench.outbox.enqueue(MailDraft { body: "Other".into(), ..draft }.into(), true).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Conflict);
    assert!(receipt.id.strip_prefix("snd_").is_some_and(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())), "{}", receipt.id);
}

#[tokio::test]
async fn a_file_of_any_size_comes_back_from_its_pieces() {
    let bench = bench(|_, _| breaks(Sent::No));
    let key = bench.vault.content("a").await.unwrap().ready().await;
    let size = |n: usize| FileAttachment { name: format!("{n}"), content: (0..n).map(|i| (i % 251) as u8).collect(), content_type: "a/b".into(), content_id: None, staged: None };
    let draft = RouteDraft::from(MailDraft { attachments: [0, 1, 524_288, 524_289, 1_300_000].map(size).to_vec(), ..letter() });
    let content = seal_content(&key, "a", "snd_x", &draft).unwrap();
    let bytes: usize = content.parts.iter().map(|p| p.sealed.as_bytes().len()).sum();
    assert!(bytes < 2_400_000 && content.payload.as_bytes().len() < 2_000, "bytes are bytes: {bytes}");
    let open = |content: &Content| crate::outbox::payload::open_content(&key, "a", "snd_x", content);
    assert_eq!(open(&content).unwrap(), draft);
    // Taken away, swapped, or of another send: noticed.
    let mut short = content.clone();
    short.parts.pop();
    let mut swapped = content.clone();
    let sealed = swapped.parts[0].sealed.clone();
    swapped.parts[0].sealed = std::mem::replace(&mut swapped.parts[1].sealed, sealed);
    for bad in [short, swapped] {
        assert_eq!(open(&bad).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    assert!(crate::outbox::payload::open_content(&key, "a", "snd_y", &content).is_err());
    // The form of the first versions.
    let text = serde_json::to_vec(&draft).unwrap();
    let old = Content { payload: key.seal(payload_place("a", "x", 1), &text).unwrap(), version: 1, parts: vec![], staged: vec![] };
    assert_eq!(open(&old).unwrap(), draft);
}

#[tokio::test]
async fn what_was_under_way_at_a_disconnect_does_not_wait_for_the_next_connect() {
    let store: Arc<Mutex<Option<Arc<dyn Store>>>> = Arc::default();
    let within = store.clone();
    let bench = bench(move |request, _| match request.uri().path() {
        "/v1.0/users/alex@contoso.com" | "/v1.0/users/alex%40contoso.com" => says(200, r#"{"id":"you"}"#),
        "/v1.0/chats" => says(201, r#"{"id":"c"}"#),
        _ => {
            block_on(within.lock().unwrap().as_ref().unwrap().disconnect_account("a", "gone", 5)).unwrap();
            crate::pipeline::fake::says_with(429, ("retry-after", "600"), "")
        }
    });
    *store.lock().unwrap() = Some(bench.store.clone());
    assert_eq!(bench.deliver(chat()).await.state, SendState::Cancelled);
}

#[tokio::test]
async fn a_process_without_the_keys_leaves_sends_to_others() {
    let bench = bench(|request, _| match (request.method().as_str(), request.uri().path()) {
        ("POST", "/v1.0/me/messages") => made(request, "d"),
        ("POST", _) => says(202, ""),
        _ => found(json!([])),
    });
    let before = bench.outbox.enqueue(letter().into(), true).await.unwrap();
    // Another process replaces everything, and what leads from the old keys to the new ones is gone before this one looked.
    let root = || Arc::new(RootKey::raw((1..33).collect()).unwrap());
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&bench._folder.path().join("store"), Duration::from_secs(5)).unwrap());
    let other = block_on(Vault::open(store.clone(), Arc::new(RootKey::raw((0..32).collect()).unwrap()), 0)).unwrap();
    let everything = crate::vault::Order { new_root: Some(root()), store_key: true, data_keys: true, account_id: None };
    other.rotate(&everything, &bench.clock, None).await.unwrap();
    store.drop_expired(bench.now() + crate::store::HANDOVER_MS).await.unwrap();
    let running = tokio::spawn(bench.outbox.clone().run(bench.runtime.stop()));
    for _ in 0..20 {
        bench.clock.advance(60_000);
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    running.abort();
    let row = store.item(&before.id, None).await.unwrap().unwrap();
    assert_eq!((row.state, row.attempts, row.fence, bench.service.calls()), (ItemState::Queued, 0, 0, 0));
    let pipeline = bench.service.pipeline(&bench.clock);
    pipeline.plug_tokens(bench._tokens.clone());
    let flows = Flows::new(pipeline.clone());
    let graph = Graph::new(pipeline, Endpoints::of(&Cloud::Public).unwrap());
    let heir = Outbox::new(store, other, graph, (flows, None), Arc::new(bench.clock.clone()), EventBus::new(), Pace::default());
    let bench = Bench { outbox: heir, ..bench };
    assert_eq!(bench.settle(&before.id).await.state, SendState::Sent);
}

#[tokio::test]
async fn one_account_whose_key_is_out_of_reach_is_left_alone() {
    let bench = bench(|_, _| says(202, ""));
    let receipt = bench.outbox.enqueue(letter().into(), true).await.unwrap();
    // Destroyed, as at the beginning of a purge, while the row is still open.
    crate::store::tamper(&bench._folder.path().join("store"), "UPDATE keys SET wrapped = NULL, is_active = 0 WHERE purpose = 'content'");
    let running = tokio::spawn(bench.outbox.clone().run(bench.runtime.stop()));
    for _ in 0..200 {
        bench.clock.advance(1_000);
        tokio::task::yield_now().await;
    }
    running.abort();
    let row = bench.store.item(&receipt.id, None).await.unwrap().unwrap();
    assert!(row.state.is_open() && row.attempts <= 1 && bench.service.calls() == 0, "{row:?}");
}

#[tokio::test]
async fn an_item_that_cannot_be_opened_keeps_none_behind_it_waiting() {
    let bench = bench(|request, _| match request.uri().path() {
        "/v1.0/users" => says(200, r#"{"value":[]}"#),
        "/v1.0/users/alex%40contoso.com" | "/v1.0/users/alex@contoso.com" => says(200, r#"{"id":"you"}"#),
        _ => says(201, r#"{"id":"1"}"#),
    });
    let key = bench.vault.content("a").await.unwrap().ready().await;
    let item = |id: &str| NewItem {
        id: id.into(),
        account_id: "a".into(),
        route: SendRoute::Chat,
        ordering_key: "l".into(),
        key: None,
        content_hash: vec![1],
        hash_version: 1,
        deadline: None,
        send_at: None,
        created_at: 1,
        is_bulk: true,
        last_sender: None,
        part: None,
        progress: None,
    };
    // Sealed for another row: the first cannot be opened, the second can.
    for (id, row) in [("snd_1", "snd_7"), ("snd_2", "snd_2")] {
        bench.store.put(&item(id), &seal_content(&key, "a", row, &chat().into()).unwrap()).await.unwrap();
    }
    assert_eq!((bench.settle("snd_2").await.state, bench.settle("snd_1").await.state), (SendState::Sent, SendState::Failed));
}
