//! People, and the chats with them.

use super::*;

/// Answers by what is asked for: `mail`, `proxy`, `other`, `name`, `quoted`.
fn directory(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Bench {
    bench(Service::new(move |request: &Seen, _| {
        let uri = request.uri().to_string();
        let kind = [("mail%20eq", "mail"), ("proxyAddresses", "proxy"), ("otherMails", "other"), ("users('", "quoted")].iter().find(|(part, _)| uri.contains(part));
        answer(kind.map_or("name", |(_, kind)| kind))
    }))
}

fn people(ids: &[&str]) -> Answer {
    says(200, json!({ "value": ids.iter().map(|id| json!({ "id": id, "userType": "Member" })).collect::<Vec<_>>() }).to_string())
}

#[tokio::test]
async fn a_person_is_the_one_whose_mail_it_is() {
    let found = async |answer: Box<dyn Fn(&str) -> Answer + Send + Sync>| directory(answer).graph.find_person(&caller(), "o'neil#x@c").await.map(|p| p.map(|p| p.id));
    let missing = || says(404, r#"{"error":{"code":"Request_ResourceNotFound"}}"#);
    // Somebody else's user name is this person's mail.
    let by = found(Box::new(|kind| if kind == "mail" { people(&["mail"]) } else { says(200, r#"{"id":"name"}"#) })).await;
    assert_eq!(by.unwrap().as_deref(), Some("mail"));
    for (only, id) in [("proxy", "proxy"), ("other", "other")] {
        let by = found(Box::new(move |kind| if kind == only { people(&[id]) } else if matches!(kind, "name" | "quoted") { says(200, r#"{"id":"name"}"#) } else { people(&[]) })).await;
        assert_eq!(by.unwrap().as_deref(), Some(id));
    }
    let by = found(Box::new(|kind| if kind == "name" { says(200, r#"{"id":"name"}"#) } else { people(&[]) })).await;
    assert_eq!(by.unwrap().as_deref(), Some("name"));
    // Refused spellings: each step gives way to the next.
    for status in [400, 404, 403] {
        let by = found(Box::new(move |kind| if kind == "quoted" { says(200, r#"{"id":"quoted"}"#) } else { says(status, "") })).await;
        assert_eq!(by.unwrap().as_deref(), Some("quoted"), "{status}");
    }
    assert_eq!(found(Box::new(move |kind| if matches!(kind, "name" | "quoted") { missing() } else { people(&[]) })).await.unwrap(), None);
    assert_eq!(found(Box::new(|_| says(400, ""))).await.unwrap(), None);
    assert_eq!(found(Box::new(|_| says(403, ""))).await.unwrap_err().kind(), ErrorKind::Forbidden);
    let two = found(Box::new(|kind| if kind == "mail" { people(&["a", "b"]) } else { people(&[]) })).await.unwrap_err();
    assert!(two.kind() == ErrorKind::Conflict && !two.reason().contains("o'neil"));

    // A server that does not filter answers with others; only who is asked for by name is believed.
    let unfiltered = || says(200, json!({ "value": [{ "id": "me", "mail": "me@c" }] }).to_string());
    let by = found(Box::new(move |kind| if kind == "name" { says(200, r#"{"id":"name"}"#) } else { unfiltered() })).await;
    assert_eq!(by.unwrap().as_deref(), Some("name"));

    let bench = directory(|kind| if kind == "quoted" { says(404, "") } else if kind == "name" { says(400, "") } else { people(&[]) });
    bench.graph.find_person(&caller(), "o'neil#x@c").await.unwrap();
    let asked: Vec<String> = bench.service.seen.lock().unwrap().iter().map(|r| r.uri().to_string()).collect();
    assert!(asked[0].starts_with("https://graph.microsoft.com/v1.0/users?$filter=mail%20eq%20%27o%27%27neil%23x%40c%27&$select=id,userType,userPrincipalName"), "{}", asked[0]);
    assert!(asked[3].starts_with("https://graph.microsoft.com/v1.0/users/o%27neil%23x%40c?"), "{}", asked[3]);
    assert!(asked[4].starts_with("https://graph.microsoft.com/v1.0/users('o''neil%23x%40c')?"), "{}", asked[4]);
}

#[tokio::test]
async fn a_search_for_people_reads_every_page_and_no_circle() {
    let page = |people: serde_json::Value, next: Option<&str>| {
        let link = next.map(|n| format!("https://graph.microsoft.com/v1.0/users?$skiptoken={n}"));
        says(200, json!({ "value": people, "@odata.nextLink": link }).to_string())
    };
    let found = async |answers_: Vec<Answer>| answers(answers_).graph.find_person(&caller(), "a@b").await;
    let one = json!([{ "id": "one" }]);
    // The first page may be empty, and one person may be on two pages.
    assert_eq!(found(vec![page(json!([]), Some("1")), page(one.clone(), Some("2")), page(one.clone(), None)]).await.unwrap().unwrap().id, "one");
    let two = found(vec![page(one.clone(), Some("1")), page(json!([{ "id": "two" }]), None)]).await;
    assert_eq!(two.unwrap_err().kind(), ErrorKind::Conflict);
    let circle = found(vec![page(json!([]), Some("1")), page(json!([]), Some("2")), page(json!([]), Some("1"))]).await.unwrap_err();
    assert!(circle.kind() == ErrorKind::Upstream && circle.reason().contains("circle"), "{circle}");
    // A list that is not there says nothing of who is in it.
    assert_eq!(found(vec![says(200, "{}")]).await.unwrap_err().kind(), ErrorKind::Upstream);
}

#[tokio::test]
async fn a_list_that_is_not_there_is_no_empty_list() {
    for body in ["{}", r#"{"value":null}"#] {
        assert_eq!(answers(vec![says(200, body)]).graph.find_by_mark(&caller(), "k").await.unwrap_err().kind(), ErrorKind::Upstream, "{body}");
    }
    let link = "https://graph.microsoft.com/v1.0/me/mailFolders/f1/messages/delta?$deltatoken=1";
    let page = answers(vec![says(200, json!({ "@odata.deltaLink": link }).to_string())]).start().await;
    assert_eq!(page.err().map(|e| e.kind()), Some(ErrorKind::Upstream));
}

#[tokio::test]
async fn a_guest_joins_a_chat_as_a_guest() {
    let person = |user_type: Option<&str>, name: &str| teams::Person { id: "you2".into(), user_type: user_type.map(str::to_owned), user_principal_name: Some(name.into()), mail: None, display_name: None, job_title: None };
    for (other, role) in [
        (person(Some("Guest"), "a@b"), "guest"),
        (person(Some("guest"), "a@b"), "guest"),
        (person(Some("Member"), "a_b#EXT#@c"), "owner"),
        (person(None, "a_b#EXT#@c"), "guest"),
        (person(Some(""), "a_b#ext#@c"), "guest"),
        (person(None, "a@b"), "owner"),
    ] {
        let bench = answers(vec![says(201, r#"{"id":"19:x@thread.v2"}"#)]);
        bench.graph.one_to_one_chat(&caller(), "me1", &other).await.unwrap();
        let roles: Vec<_> = bench.last().1["members"].as_array().unwrap().iter().map(|m| m["roles"][0].clone()).collect();
        assert_eq!(roles, ["owner", role], "{other:?}");
    }
    // The sender may be the guest.
    let bench = answers(vec![says(400, ""), says(200, r#"{"id":"me1","userType":"Guest"}"#), says(201, r#"{"id":"19:x@thread.v2"}"#)]);
    bench.graph.one_to_one_chat(&caller(), "me1", &person(Some("Member"), "a@b")).await.unwrap();
    assert_eq!(bench.last().1["members"][0]["roles"][0], "guest");
}

#[tokio::test]
async fn chats_and_posts_have_their_exact_form() {
    let bench = answers(vec![says(201, r#"{"id":"19:a_b@unq.gbl.spaces"}"#), says(201, r#"{"id":"1616990032035"}"#)]);
    let chat = bench.graph.one_to_one_chat(&caller(), "me1", &teams::Person { id: "you2".into(), user_type: None, user_principal_name: None, mail: None, display_name: None, job_title: None }).await.unwrap();
    let member = |id: &str| json!({ "@odata.type": "#microsoft.graph.aadUserConversationMember", "roles": ["owner"], "user@odata.bind": format!("https://graph.microsoft.com/v1.0/users('{id}')") });
    assert_eq!(bench.last(), ("POST https://graph.microsoft.com/v1.0/chats".into(), json!({ "chatType": "oneOnOne", "members": [member("me1"), member("you2")] })));
    assert_eq!(post(&bench.graph, &chat, "hi").await.unwrap(), "1616990032035");
    assert_eq!(bench.last(), ("POST https://graph.microsoft.com/v1.0/chats/19%3Aa_b%40unq.gbl.spaces/messages".into(), json!({ "body": { "contentType": "text", "content": "hi" } })));
}

/// Every property of a message in every shape: only the id sets an item aside.
#[tokio::test]
async fn a_chat_of_other_people_is_not_taken() {
    let id = |n: u8| format!("{n:08}-0000-4000-8000-000000000000");
    let (me, you, other) = (id(1), id(2), id(3));
    for (a, b, taken) in [(&me, &you, true), (&you, &me, true), (&me, &other, false), (&other, &you, false)] {
        let bench = answers(vec![says(201, json!({ "id": format!("19:{a}_{b}@unq.gbl.spaces") }).to_string())]);
        assert_eq!(bench.graph.one_to_one_chat(&caller(), &me, &teams::Person { id: you.clone(), user_type: None, user_principal_name: None, mail: None, display_name: None, job_title: None }).await.is_ok(), taken, "{a} {b}");
    }
}
