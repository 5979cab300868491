//! A shared mailbox is asked for by its address, whatever is asked of it, and is no other mailbox.

use super::*;

/// `acc` is the shared mailbox of this address.
struct Shared;

const JOBS: &str = "jobs@contoso.com";

impl TokenSource for Shared {
    fn token(&self, _: String, _: Option<AccessToken>, _: Option<String>) -> BoxFuture<'static, Result<AccessToken>> {
        Box::pin(std::future::ready(Ok(AccessToken::new("t"))))
    }
    fn shared_mailbox(&self, account_id: &str) -> BoxFuture<'static, Result<Option<Arc<str>>>> {
        let known = match account_id {
            "acc" => Ok(Some(JOBS.into())),
            "damaged" => Err(Error::new(ErrorKind::Corrupt, "no address")),
            _ => Ok(None),
        };
        Box::pin(std::future::ready(known))
    }
}

fn shared(service: Arc<Service>) -> Bench {
    let clock = clock();
    let pipeline = service.pipeline(&clock);
    let tokens: Arc<dyn TokenSource> = Arc::new(Shared);
    pipeline.plug_tokens(tokens.clone());
    Bench { graph: Graph::new(pipeline, Endpoints::of(&Cloud::Public).unwrap()), service, clock, _tokens: tokens }
}

fn draft() -> MailDraft {
    MailDraft { account_id: "acc".into(), to: vec![Address { name: String::new(), address: "ann@x".into() }], subject: "s".into(), body: "b".into(), ..MailDraft::default() }
}

/// Paths of all requests, those within batches as well.
fn paths(bench: &Bench) -> Vec<String> {
    let seen = bench.service.seen.lock().unwrap();
    let mut paths = Vec::new();
    for request in seen.iter() {
        match request.uri().path().strip_prefix("/v1.0").unwrap() {
            "/$batch" => {
                let body: Value = serde_json::from_slice(request.body()).unwrap();
                paths.extend(body["requests"].as_array().unwrap().iter().map(|one| one["url"].as_str().unwrap().to_owned()));
            }
            path => paths.push(path.to_owned()),
        }
    }
    paths
}

#[tokio::test]
async fn whatever_is_asked_of_a_mailbox_is_asked_of_the_shared_one() {
    let bench = shared(Service::new(|_, _| says(404, r#"{"error":{"code":"ErrorItemNotFound"}}"#)));
    let (graph, caller, mail) = (&bench.graph, caller(), draft());
    let id = || "m1".to_owned();
    let place = |attachment_id: Option<&str>| ContentPlace { message_id: "m1".into(), attachment_id: attachment_id.map(str::to_owned) };
    let outgoing = OutgoingMail { draft: &mail, internet_message_id: "<m@x>", mark: "mark" };
    let range = ListingRange { folder_id: "f1".into(), from: None, to: None, order: ListingOrder::NewestFirst };
    let file = FileAttachment { name: "a".into(), content: vec![1], content_type: "text/plain".into(), content_id: None, staged: None };
    let _ = graph.folder_changes(&caller, None).await;
    let _ = graph.folders(&caller).await;
    let _ = graph.well_known(&caller).await;
    let _ = graph.delta_page(&caller, DeltaFrom::Start { folder_id: "f1".into(), page_size: 5 }, keep).await;
    let link = format!("https://graph.microsoft.com/v1.0/users/{JOBS}/mailFolders/f1/messages/delta?$deltatoken=d");
    let _ = graph.delta_pages(&caller, &[("f1".to_owned(), link)], 5).await;
    let mut listing = graph.listing(&caller, &range, 5).await.unwrap();
    let _ = graph.listed(&caller, &mut listing, keep).await;
    let mut search = graph.mail_search(&caller, &["a".to_owned()]).await.unwrap();
    let _ = graph.mails_found(&caller, &mut search).await;
    let _ = graph.attachments(&caller, &[id()]).await;
    let _ = graph.verify(&caller, &[id()]).await;
    let _ = graph.editable(&caller, &[id()]).await;
    let _ = graph.set_read(&caller, "m1", true, "ck").await;
    let _ = graph.edit_message(&caller, "m1", &MailEdit { is_read: Some(true), ..MailEdit::default() }, None).await;
    let _ = graph.move_message(&caller, "m1", "f2").await;
    let _ = graph.is_read(&caller, "m1").await;
    let _ = graph.content(&caller, &place(None)).await;
    let _ = graph.content(&caller, &place(Some("a1"))).await;
    let _ = graph.attachment(&caller, &place(Some("a1"))).await;
    let _ = graph.create_draft(&caller, &outgoing).await;
    let _ = graph.message_state(&caller, "m1").await;
    let _ = graph.find_by_mark(&caller, "mark").await;
    let _ = graph.send_draft(&caller, "m1").await;
    let _ = graph.delete_draft(&caller, "m1", "ck").await;
    let _ = graph.count_attachments(&caller, "m1").await;
    let _ = graph.attach(&caller, "m1", &file).await;
    let _ = graph.begin_upload(&caller, "m1", &NewUpload { file: &file, size: 5_000_000 }).await;
    let _ = graph.mailbox(&caller).await;
    let _ = graph.contact_folders(&caller).await;
    let _ = graph.contact_changes(&caller, "contacts", None).await;
    let all = paths(&bench);
    assert!(all.len() >= 30, "{all:?}");
    let own: Vec<&String> = all.iter().filter(|path| !path.starts_with("/users/jobs%40contoso.com/") && !path.starts_with(&format!("/users/{JOBS}/"))).collect();
    assert!(own.is_empty(), "{own:?}");
}

#[tokio::test]
async fn a_mailbox_whose_address_is_not_known_is_not_the_persons_own() {
    let bench = shared(Service::new(|_, _| says(404, "{}")));
    let caller = Caller::new("damaged", Priority::Interactive, Duration::ZERO);
    assert_eq!(bench.graph.message_state(&caller, "m1").await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(bench.service.calls(), 0);
    let own = Caller::new("own", Priority::Interactive, Duration::ZERO);
    assert_eq!(bench.graph.message_state(&own, "m1").await.unwrap(), None);
    assert_eq!(paths(&bench), ["/me/messages/m1"]);
}

#[tokio::test]
async fn what_it_sends_names_it() {
    let bench = shared(Service::new(|_, _| says(500, "{}")));
    let mail = draft();
    let named = MailDraft { from_address: Some(Address { name: "Sales".into(), address: "sales@contoso.com".into() }), ..draft() };
    for (mail, caller, from) in [(&mail, caller(), Some(JOBS)), (&named, caller(), Some("sales@contoso.com")), (&mail, Caller::new("own", Priority::Interactive, Duration::ZERO), None)] {
        let _ = bench.graph.create_draft(&caller, &OutgoingMail { draft: mail, internet_message_id: "<m@x>", mark: "mark" }).await;
        let (_, body) = bench.last();
        assert_eq!(body["from"]["emailAddress"]["address"].as_str(), from);
    }
}

#[tokio::test]
async fn an_answer_about_another_mailbox_is_none() {
    let page = |user: &str| json!({ "@odata.context": format!("https://graph.microsoft.com/v1.0/$metadata#users('{user}')/messages/$entity"), "id": "m1", "isDraft": false }).to_string();
    for (user, fits) in [("jobs%40contoso.com", true), ("JOBS@contoso.com", true), ("87d349ed-44d7-43e1-9a83-5f2406dee5bd", true), ("adele%40contoso.com", false)] {
        let body = page(user);
        let bench = shared(Service::new(move |_, _| says(200, body.clone())));
        assert_eq!(bench.graph.message_state(&caller(), "m1").await.is_ok(), fits, "{user}");
    }
}

#[tokio::test]
async fn a_draft_that_shows_access_is_removed() {
    let at = Caller { mailbox: Some(JOBS.into()), ..Caller::new("own", Priority::Interactive, Duration::from_secs(5)) };
    let from = Address { name: String::new(), address: JOBS.into() };
    // Made, and the answer lost or not: the mark finds it, and it is removed.
    for is_lost in [false, true] {
        let bench = shared(Service::new(move |request, _| {
            let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
            let path = request.uri().path().to_owned();
            match request.method().as_str() {
                "POST" if is_lost => breaks(Sent::Maybe),
                "POST" => says(201, json!({ "id": "d1", "isDraft": true, "internetMessageId": body["internetMessageId"] }).to_string()),
                "DELETE" => says(204, ""),
                _ if path.contains("/drafts/") => {
                    let query = request.uri().query().unwrap();
                    let mark = query.split("ep/value%20eq%20%27").nth(1).or_else(|| query.split("ep/value%20eq%20'").nth(1)).unwrap().split(['%', '\'']).next().unwrap().to_owned();
                    let property = json!([{ "id": crate::graph::mail::MARK, "value": mark }]);
                    says(200, json!({ "value": [{ "id": "d1", "isDraft": true, "changeKey": "ck", "singleValueExtendedProperties": property }] }).to_string())
                }
                _ => says(200, r#"{"value":[]}"#),
            }
        }));
        assert!(bench.graph.try_to_write(&at, &from).await.unwrap());
        let removed = bench.service.seen.lock().unwrap().iter().filter(|request| request.method() == "DELETE").count();
        assert_eq!(removed, 1, "{is_lost}");
        assert!(paths(&bench).iter().all(|path| path.starts_with("/users/jobs%40contoso.com/")));
    }
    for (status, written) in [(403, Some(false)), (404, Some(false)), (500, None)] {
        let bench = shared(Service::new(move |request, _| if request.method() == "POST" { says(status, "{}") } else { says(200, r#"{"value":[]}"#) }));
        assert_eq!(bench.graph.try_to_write(&at, &from).await.ok(), written, "{status}");
    }
}

#[tokio::test]
async fn why_a_mailbox_cannot_be_read_is_told_apart() {
    let at = Caller { mailbox: Some(JOBS.into()), ..Caller::new("own", Priority::Interactive, Duration::ZERO) };
    let kept_out = || Error::new(ErrorKind::ConsentMissing, "Not granted.");
    for (status, code, kind) in [
        (403, "ErrorAccessDenied", ErrorKind::ConsentMissing),
        (404, "ErrorInvalidUser", ErrorKind::NotFound),
        (404, "ErrorItemNotFound", ErrorKind::NotFound),
        (404, "ResourceNotFound", ErrorKind::NotFound),
        (404, "MailboxNotEnabledForRESTAPI", ErrorKind::Forbidden),
        (403, "ErrorMailboxNotEnabledForRESTAPI", ErrorKind::Forbidden),
        (400, "BadRequest", ErrorKind::InvalidInput),
    ] {
        let bench = answers(vec![says(status, format!(r#"{{"error":{{"code":"{code}"}}}}"#))]);
        assert_eq!(bench.graph.try_to_read(&at, kept_out()).await.unwrap_err().kind(), kind, "{code}");
    }
    let bench = answers(vec![says(200, r#"{"id":"inbox"}"#)]);
    bench.graph.try_to_read(&at, kept_out()).await.unwrap();
}
