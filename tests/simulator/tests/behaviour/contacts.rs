use crate::client::*;
use serde_json::{Value, json};

async fn adele(world: &World) -> Person<'_> {
    let tokens = world.tokens("adele@contoso.com", &format!("{SCOPE} Contacts.ReadWrite")).await;
    Person { world, token: tokens["access_token"].as_str().unwrap().into() }
}

fn ann(name: &str) -> Value {
    json!({"displayName": name, "givenName": "Ann", "companyName": "Fabrikam", "emailAddresses": [{"name": "Ann", "address": "ann@fabrikam.com"}], "businessPhones": ["+49 1"]})
}

#[tokio::test]
async fn contacts_are_made_read_changed_and_deleted() {
    let world = world().await;
    let adele = adele(&world).await;
    let made = adele.post("/me/contacts", ann("Ann")).await;
    assert_eq!(made.status, 201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let read = adele.get(&format!("/me/contacts/{id}")).await.json();
    assert_eq!((&read["displayName"], &read["primaryEmailAddress"]["address"], &read["businessPhones"]), (&json!("Ann"), &json!("ann@fabrikam.com"), &json!(["+49 1"])));
    assert!(read["surname"].is_null() && read["imAddresses"] == json!([]));
    let changed = adele.send("PATCH", &format!("/me/contacts/{id}"), Some(json!({"surname": "Beta"}))).await.json();
    assert_eq!((&changed["surname"], &changed["givenName"]), (&json!("Beta"), &json!("Ann")));
    assert_ne!(changed["changeKey"], read["changeKey"]);
    assert_eq!(adele.send("DELETE", &format!("/me/contacts/{id}"), None).await.status, 204);
    assert_eq!(adele.get(&format!("/me/contacts/{id}")).await.code(), "ErrorItemNotFound");
    assert_eq!(adele.post("/me/contacts", json!({"nick": "x"})).await.code(), "RequestBodyRead");
    assert_eq!(adele.post("/me/contacts", json!({"yomiSurname": "x"})).await.code(), "SimulatorLacks");
}

#[tokio::test]
async fn the_default_folder_stands_in_no_list_and_lists_ten_at_a_time() {
    let world = world().await;
    let adele = adele(&world).await;
    for n in 0..12 {
        world.control("/contacts", json!({"mailbox": "adele@contoso.com", "set": ann(&format!("C {n}"))})).await;
    }
    assert_eq!(adele.get("/me/contactFolders").await.json()["value"], json!([]));
    let page = adele.get("/me/contacts?$select=displayName,parentFolderId").await.json();
    assert_eq!(page["value"].as_array().unwrap().len(), 10);
    let default = page["value"][0]["parentFolderId"].as_str().unwrap().to_owned();
    assert!(page["@odata.nextLink"].as_str().unwrap().contains("skip=10"));
    let made = adele.post("/me/contactFolders", json!({"displayName": "Candidates"})).await.json();
    assert_eq!(made["parentFolderId"], json!(default));
    let candidates = made["id"].as_str().unwrap();
    assert_eq!(adele.post(&format!("/me/contactFolders/{candidates}/contacts"), ann("Ben")).await.status, 201);
    let names = |list: Value| list["value"].as_array().unwrap().iter().map(|c| c["displayName"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(adele.get("/me/contactFolders").await.json()), ["Candidates"]);
    assert_eq!(names(adele.get(&format!("/me/contactFolders/{candidates}/contacts")).await.json()), ["Ben"]);
    assert_eq!(adele.get(&format!("/me/contactFolders/{default}")).await.json()["displayName"], "Contacts");
    assert_eq!(adele.post("/me/contactFolders", json!({"displayName": "Candidates"})).await.code(), "ErrorFolderExists");
    assert_eq!(adele.send("DELETE", &format!("/me/contactFolders/{default}"), None).await.status, 403);
    assert_eq!(adele.send("DELETE", &format!("/me/contactFolders/{candidates}"), None).await.status, 204);
    assert_eq!(adele.get(&format!("/me/contactFolders/{candidates}/contacts")).await.status, 404);
}

#[tokio::test]
async fn changes_are_told_once_and_with_immutable_ids() {
    let world = world().await;
    let adele = adele(&world).await;
    for n in 0..5 {
        world.control("/contacts", json!({"mailbox": "adele@contoso.com", "set": ann(&format!("C {n}"))})).await;
    }
    let (all, link) = adele.round("/me/contacts/delta?$select=displayName,emailAddresses", 2).await;
    assert_eq!(all.len(), 5);
    assert!(all[0]["companyName"].is_null() && all[0]["emailAddresses"][0]["address"] == "ann@fabrikam.com");
    world.control("/contacts/change", json!({"mailbox": "adele@contoso.com", "contact": "C 1", "set": {"displayName": "New"}})).await;
    world.control("/contacts/delete", json!({"mailbox": "adele@contoso.com", "contact": "C 2"})).await;
    let (changed, link) = adele.round(&link, 2).await;
    assert_eq!((changed.len(), &changed[0]["displayName"], &changed[1]["id"], &changed[1]["@removed"]["reason"]), (2, &json!("New"), &all[2]["id"], &json!("deleted")));
    assert!(adele.round(&link, 2).await.0.is_empty());
    assert_eq!(adele.get("/me/contacts/delta?$filter=displayName eq 'x'").await.code(), "SimulatorLacks");
    assert!(world.accusations().await.is_empty());
}

#[tokio::test]
async fn contacts_need_their_own_permission() {
    let world = world().await;
    let adele = world.person("adele").await;
    assert_eq!(adele.get("/me/contacts").await.code(), "ErrorAccessDenied");
    let reads = world.tokens("adele@contoso.com", &format!("{SCOPE} Contacts.Read")).await;
    let reads = Person { world: &world, token: reads["access_token"].as_str().unwrap().into() };
    assert_eq!((reads.get("/me/contacts").await.status, reads.post("/me/contacts", ann("A")).await.status), (200, 403));
}
