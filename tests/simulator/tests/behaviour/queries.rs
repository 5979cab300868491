use crate::client::*;
use serde_json::{Value, json};

async fn get(person: &Person<'_>, path: &str, eventual: bool) -> Reply {
    let bearer = format!("Bearer {}", person.token);
    let mut headers = vec![("authorization", bearer.as_str()), ("prefer", IMMUTABLE)];
    if eventual {
        headers.push(("consistencylevel", "eventual"));
    }
    http("GET", &format!("{}{path}", person.world.sim.graph()), &headers, b"").await.unwrap()
}

fn names(reply: &Reply) -> Vec<String> {
    let json = reply.json();
    json["value"].as_array().unwrap_or_else(|| panic!("{json}")).iter().map(|p| p["displayName"].as_str().unwrap_or("").to_string()).collect()
}

#[tokio::test]
async fn the_directory_asks_for_eventual_consistency() {
    let world = world().await;
    let adele = world.person("adele").await;
    for (query, plain) in [
        ("$filter=mail eq 'alex@contoso.com'", true),
        ("$filter=mail in ('alex@contoso.com','x@contoso.com')", true),
        ("$filter=startswith(displayName,'Al')", true),
        ("$filter=proxyAddresses/any(p:p eq 'smtp:alex@contoso.com')", true),
        ("$filter=endswith(mail,'lex@contoso.com')", false),
        ("$filter=not(startswith(displayName,'A') or startswith(displayName,'M') or startswith(displayName,'N'))", false),
        ("$filter=displayName ne 'Adele Vance' and startswith(mail,'alex')", false),
        ("$filter=startswith(mail,'al')&$orderby=displayName", false),
        ("$search=\"displayName:wilb\"", false),
    ] {
        let path = format!("/users?{query}&$count=true");
        let bare = get(&adele, &path, false).await;
        if plain {
            assert_eq!((names(&bare), &bare.json()["@odata.count"]), (vec!["Alex Wilber".to_string()], &Value::Null), "{query}");
        } else {
            assert_eq!((bare.status, bare.code().as_str()), (400, "Request_UnsupportedQuery"), "{query}");
        }
        let eventual = get(&adele, &path, true).await;
        assert!(names(&eventual).len() <= 1 && eventual.json()["@odata.count"].is_u64(), "{query}");
    }
    assert_eq!(get(&adele, "/users/$count", false).await.code(), "Request_BadRequest");
    assert_eq!(get(&adele, "/users/$count", true).await.body, b"4");
    let sorted = get(&adele, "/users?$orderby=displayName desc&$top=2", false).await;
    assert_eq!(names(&sorted), ["Nestor Wilke", "Megan Bowen"]);
    for (query, status) in [
        ("$filter=contains(displayName,'a')", 400),
        ("$filter=nonsense eq 'a'", 400),
        ("$filter=department eq 'a'", 501),
        ("$filter=accountEnabled eq 'yes'", 400),
        ("$filter=tolower(mail) eq 'a'", 501),
        ("$orderby=nonsense", 400),
        ("$select=nonsense", 400),
        ("$select=department", 501),
        ("$search=\"department:x\"", 501),
        ("$top=0", 400),
        ("$top=1000", 400),
        ("$expand=manager", 501),
    ] {
        assert_eq!(get(&adele, &format!("/users?{query}"), true).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn no_option_of_mail_is_passed_over() {
    let world = world().await;
    let adele = world.person("adele").await;
    for (path, status) in [
        ("/me/messages?$filter=nonsense eq 1", 400),
        ("/me/messages?$filter=toRecipients/any(r:r/emailAddress/address eq 'a')", 501),
        ("/me/messages?$filter=receivedDateTime ge '2026-01-01T00:00:00Z'", 400),
        ("/me/messages?$filter=isRead eq 'no'", 400),
        ("/me/messages?$filter=subject eq unquoted", 400),
        ("/me/messages?$filter=importance has 'high'", 501),
        ("/me/messages?$filter=subject in ('a','b')", 200),
        ("/me/messages?$filter=categories/any(c:c eq 'Red')", 200),
        ("/me/messages?$filter=categories/any(c:d eq 'Red')", 400),
        ("/me/messages?$filter=categories/any()", 200),
        ("/me/messages?$filter=not(isRead eq true) and not startswith(subject,'x')", 200),
        ("/me/messages?$orderby=subject desc,receivedDateTime", 200),
        ("/me/messages?$orderby=nonsense", 400),
        ("/me/messages?$orderby=body", 501),
        ("/me/messages?$orderby=subject sideways", 400),
        ("/me/messages?$expand=nonsense", 400),
        ("/me/messages?$expand=extensions", 501),
        ("/me/messages?$expand=attachments($filter=size gt 1)", 501),
        ("/me/messages?$count=perhaps", 400),
        ("/me/messages?$skip=-1", 400),
        ("/me/messages?$skiptoken=abc", 400),
        ("/me/mailFolders?$filter=nonsense eq 1", 400),
        ("/me/mailFolders?$orderby=displayName desc", 200),
        ("/me/mailFolders?$select=nonsense", 400),
        ("/me/mailFolders?$search=\"a\"", 501),
        ("/me/mailFolders/inbox/messages/delta?$filter=nonsense eq 1", 400),
        ("/me/mailFolders/delta?$select=nonsense", 400),
        ("/me/chats?$expand=nonsense", 400),
        ("/me/chats?$expand=installedApps", 501),
        ("/me/chats?$orderby=lastMessagePreview/createdDateTime desc", 200),
        ("/me/chats?$orderby=lastMessagePreview/createdDateTime", 400),
        ("/me/chats?$orderby=topic", 501),
        ("/me/chats?$filter=nonsense eq 'x'", 400),
        ("/me/chats?$filter=chatType eq 'oneOnOne'", 200),
        ("/me?$select=nonsense", 400),
    ] {
        let reply = get(&adele, path, false).await;
        assert_eq!(reply.status, status, "{path}: {}", String::from_utf8_lossy(&reply.body));
    }
    let folders = get(&adele, "/me/mailFolders?$orderby=displayName desc&$top=2", false).await;
    assert_eq!(names(&folders), ["Sent Items", "Outbox"]);
}

#[tokio::test]
async fn a_search_speaks_kql_and_pages_by_token() {
    let world = world().await;
    let adele = world.person("adele").await;
    world.control("/mail/many", json!({"mailbox": "adele@contoso.com", "count": 1025, "subject": "Report"})).await;
    world.control("/mail", json!({"mailbox": "adele@contoso.com", "subject": "Invoice", "from": {"name": "Megan Bowen", "address": "megan@contoso.com"}, "text": "please pay", "attachments": [{"name": "bill.pdf", "text": "x"}]})).await;
    for (search, found) in [
        ("from:megan", 1),
        ("from:\\\"Megan Bowen\\\" subject:invoice", 1),
        ("hasattachment:true", 1),
        ("attachment:bill", 1),
        ("invo*", 1),
        ("invo", 0),
        ("invoice AND NOT pay", 0),
        ("subject:invoice OR body:nothing", 1),
        ("received>=2026-01-15 AND from:megan", 1),
    ] {
        let list = adele.get(&format!("/me/messages?$search=\"{search}\"&$select=subject").replace('*', "%2A").replace('>', "%3E")).await.json();
        assert_eq!(list["value"].as_array().map(Vec::len), Some(found), "{search}: {list}");
    }
    let (mut url, mut seen, mut pages) = ("/me/messages?$search=\"report\"&$top=400&$select=subject,sentDateTime".to_string(), Vec::new(), 0);
    loop {
        let page = adele.get(&url).await.json();
        seen.extend(page["value"].as_array().unwrap().iter().map(|m| m["sentDateTime"].as_str().unwrap().to_string()));
        pages += 1;
        match page["@odata.nextLink"].as_str() {
            Some(link) => {
                assert!(link.contains("$skiptoken=") && !link.contains("$skip="), "{link}");
                url = link.to_string();
            }
            None => break,
        }
    }
    assert_eq!((seen.len(), pages), (1000, 3));
    assert!(seen.windows(2).all(|w| w[0] >= w[1]));
    for (query, code) in [
        ("$search=\"a\"&$filter=isRead eq true", "SearchWithFilter"),
        ("$search=\"a\"&$orderby=subject", "SearchWithOrderBy"),
        ("$search=\"a\"&$skip=1", "SearchWithSkip"),
        ("$search=from:a", "BadRequest"),
        ("$search=\"colour:red\"", "SimulatorLacks"),
        ("$search=\"a\"&$count=true", "SimulatorLacks"),
    ] {
        assert_eq!(adele.get(&format!("/me/messages?{query}")).await.code(), code, "{query}");
    }
}

#[tokio::test]
async fn many_people_are_made_at_once_and_found_by_any_of_their_names() {
    let world = world().await;
    assert_eq!(world.control("/people/many", json!({"domain": "contoso.com", "count": 300, "prefix": "clerk"})).await["count"], 300);
    world.control("/people", json!({"address": "clerk7@contoso.com", "id": "11111111-2222-4333-8444-555555555555"})).await;
    let clerk = world.person("clerk7").await;
    for path in ["/me", "/users/CLERK7@contoso.com", "/users/11111111-2222-4333-8444-555555555555"] {
        assert_eq!(get(&clerk, path, false).await.json()["userPrincipalName"], "clerk7@contoso.com", "{path}");
    }
    let made = world.control("/mail", json!({"mailbox": "11111111-2222-4333-8444-555555555555", "subject": "One", "from": {"address": "clerk300@contoso.com"}, "text": "t"})).await;
    assert!(made["id"].is_string(), "{made}");
}
