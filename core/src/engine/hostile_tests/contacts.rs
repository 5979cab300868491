//! Contacts of any form.

use super::*;

const LIST: &str = "me/contacts/delta";

fn named(id: &str, name: &str) -> String {
    json!({ "id": id, "changeKey": "1", "displayName": name, "emailAddresses": [{ "address": format!("{id}@contoso.com") }] }).to_string()
}

fn removed(id: &str) -> String {
    json!({ "id": id, "@removed": { "reason": "deleted" } }).to_string()
}

/// A mailbox whose default folder shows this page.
fn shows(items: Vec<String>) -> impl Fn(&Seen) -> Answer + Send + Sync {
    move |request| match request.uri().path() {
        "/v1.0/me/contactFolders" => list(&[]),
        "/v1.0/me/contacts/delta" => last_page(LIST, &items),
        other => panic!("nobody here answers {other}"),
    }
}

#[tokio::test]
async fn whatever_stands_in_a_page_the_others_of_it_are_stored() {
    let mut bad: Vec<String> = ["null", "7", "\"x\"", "[]", "{}", r#"{"id":null}"#, r#"{"id":7}"#, r#"{"id":["a"]}"#, r#"{"id":{}}"#, r#"{"id":""}"#, r#"{"id":"."}"#, r#"{"id":".."}"#, r#"{"id":"a\u0000b"}"#, r#"{"displayName":"No id"}"#].into_iter().map(str::to_owned).collect();
    bad.push(format!(r#"{{"id":"{}"}}"#, "x".repeat(10_000)));
    bad.push(deep());
    bad.push(format!(r#"{{"id":{}}}"#, deep()));
    let mut items = vec![named("first", "First")];
    items.extend(bad);
    items.extend([named("last", "Last"), named("last", "Last, told again"), named("Last", "Another id")]);
    let world = World::new(shows(items)).await;
    assert_eq!(world.sync_contacts().await.unwrap(), 3);
    assert_eq!(world.names().await, ["Another id", "First", "Last, told again"]);
    assert_eq!(world.sync_contacts().await.unwrap(), 0, "and nothing is asked for again");
}

#[tokio::test]
async fn a_property_of_any_type_leaves_the_others_as_they_are() {
    let properties = ["changeKey", "displayName", "givenName", "surname", "companyName", "department", "jobTitle", "emailAddresses", "businessPhones", "homePhones", "mobilePhone", "categories", "unknown", "@removed.x"];
    let mut items = Vec::new();
    for (p, property) in properties.iter().enumerate() {
        for (v, value) in odd_values().iter().enumerate() {
            // What is told twice counts as it is told last.
            items.push(format!(r#"{{"id":"{p}.{v}","mobilePhone":"1","mobilePhone":"2","jobTitle":"Boss","{property}":{value}}}"#));
        }
    }
    let count = items.len();
    let world = World::new(shows(items)).await;
    assert_eq!(world.sync_contacts().await.unwrap() as usize, count);
    for contact in world.contacts(None).await {
        let property = properties[contact.graph_id.split('.').next().unwrap().parse::<usize>().unwrap()];
        assert!(contact.job_title.as_deref() == Some("Boss") || property == "jobTitle", "{contact:?}");
        assert!(contact.mobile_phone.as_deref() == Some("2") || property == "mobilePhone", "{contact:?}");
    }
}

#[tokio::test]
async fn what_is_large_is_kept_within_bounds() {
    let many: Vec<Value> = (0..10_000).map(|n| json!({ "name": "N", "address": format!("a{n}@contoso.com") })).collect();
    let odd = json!({ "id": "odd", "displayName": "\u{0}\u{fffd}", "emailAddresses": [null, 7, {}, { "name": "Nameless" }, { "address": " Ann@Contoso.com " }, { "address": "x".repeat(100_000) }] });
    let items = vec![
        json!({ "id": "many", "displayName": "Many", "emailAddresses": many }).to_string(),
        json!({ "id": "long", "displayName": "n".repeat(1 << 20), "changeKey": "k".repeat(1 << 20) }).to_string(),
        odd.to_string(),
        named("last", "Last"),
    ];
    let world = World::new(shows(items)).await;
    assert_eq!(world.sync_contacts().await.unwrap(), 4);
    let all = world.contacts(None).await;
    let of = |id: &str| all.iter().find(|one| one.graph_id == id).unwrap();
    assert_eq!((of("many").addresses.len(), of("long").display_name.len(), of("odd").addresses.len()), (10_000, 1 << 20, 2));
    assert_eq!(world.contacts(Some("ann@contoso.com")).await.len(), 1);
    assert_eq!((world.contacts(Some("a99@contoso.com")).await.len(), world.contacts(Some("a9999@contoso.com")).await.len()), (1, 0), "found by the first hundred");
    let known = world.store.known_contacts("a", &["long".into()]).await.unwrap();
    assert_eq!(known[0].change_key, "", "a key as long as that is none");
}

#[tokio::test]
async fn the_last_word_of_a_page_counts() {
    for (items, left) in [
        (vec![named("a", "A"), removed("a")], vec![]),
        (vec![removed("a"), named("a", "A")], vec!["A"]),
        (vec![removed("a"), named("a", "A"), removed("a")], vec![]),
        (vec![removed("a"), removed("a"), named("A", "Other")], vec!["Other"]),
        (vec![named("a", "A"), named("a", "B"), named("a", "C")], vec!["C"]),
    ] {
        let world = World::new(shows(vec![named("a", "Before")])).await;
        world.sync_contacts().await.unwrap();
        world.becomes(shows(items.clone().into_iter().map(|item| item.replace("\"1\"", "\"2\"")).collect()));
        world.sync_contacts().await.unwrap();
        assert_eq!(world.names().await, left, "{items:?}");
        // The same upon nothing.
        let world = World::new(shows(items.clone())).await;
        world.sync_contacts().await.unwrap();
        assert_eq!(world.names().await, left, "{items:?}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_keeps_none_of_the_others_out() {
    let folders = texts(&[r#"{"id":"f1"}"#, r#"{"id":7}"#, "null", "[]", r#"{"id":"contacts"}"#, r#"{"id":"f1"}"#, r#"{"id":"f2"}"#, r#"{"id":"F2"}"#]);
    let answer = |folders: Vec<String>, broken: bool| {
        move |request: &Seen| match request.uri().path() {
            "/v1.0/me/contactFolders" => list(&folders),
            // What lies in a folder leads back to where it began.
            "/v1.0/me/contactFolders/f2/childFolders" => list(&texts(&[r#"{"id":"f1"}"#, r#"{"id":"f2"}"#])),
            "/v1.0/me/contactFolders/F2/childFolders" if broken => says(200, "not JSON"),
            path if path.ends_with("/childFolders") => list(&[]),
            "/v1.0/me/contacts/delta" => last_page(LIST, &[named("d", "Default")]),
            "/v1.0/me/contactFolders/f1/contacts/delta" if broken => says(200, r#"{"value":"none"}"#),
            path => {
                let id = path.split('/').nth(4).unwrap();
                last_page(path.trim_start_matches("/v1.0/"), &[named(id, id)])
            }
        }
    };
    let world = World::new(answer(folders.clone(), true)).await;
    world.sync_contacts().await.unwrap_err();
    assert_eq!(world.names().await, ["Default", "F2", "f2"]);
    world.becomes(answer(folders, false));
    world.sync_contacts().await.unwrap();
    assert_eq!(world.names().await, ["Default", "F2", "f1", "f2"]);
    // A folder whose id is not told any more: what is here of it stays.
    world.becomes(answer(texts(&[r#"{"id":"f2"}"#, r#"{"id":null}"#]), false));
    world.sync_contacts().await.unwrap();
    assert_eq!(world.names().await, ["Default", "F2", "f1", "f2"]);
    world.becomes(answer(texts(&[r#"{"id":"f2"}"#]), false));
    world.sync_contacts().await.unwrap();
    assert_eq!(world.names().await, ["Default", "f1", "f2"]);
}

#[tokio::test]
async fn pages_too_large_for_one_answer_come_in_smaller_ones() {
    let large = vec![b' '; (32 << 20) + 1];
    let world = World::new(move |request| match request.uri().path() {
        "/v1.0/me/contactFolders" => list(&[]),
        _ if request.headers()["prefer"].to_str().unwrap().ends_with("maxpagesize=1") => last_page(LIST, &[named("a", "A")]),
        _ => says(200, large.clone()),
    })
    .await;
    assert_eq!(world.sync_contacts().await.unwrap(), 1);
    assert_eq!(world.names().await, ["A"]);
}
