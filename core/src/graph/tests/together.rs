//! Pages of several folders in one request, and what is new among the folders.

use super::*;

fn link(folder: &str, token: &str) -> String {
    format!("https://graph.microsoft.com/v1.0/me/mailFolders('{folder}')/messages/delta?$deltatoken={token}")
}

fn page(folder: &str, ids: &[&str]) -> Value {
    let items: Vec<Value> = ids.iter().map(|id| json!({ "id": id, "parentFolderId": folder, "isRead": true })).collect();
    json!({ "value": items, "@odata.deltaLink": link(folder, "next") })
}

async fn pages_of(list: Vec<Answer>) -> (Bench, Result<Vec<(String, usize)>>) {
    let bench = answers(list);
    let folders: Vec<(String, String)> = ["f1", "f2", "f3"].map(|id| (id.to_owned(), link(id, "old"))).to_vec();
    let pages = bench.graph.delta_pages(&caller(), &folders, 10).await;
    let told = pages.map(|pages| pages.into_iter().map(|(id, page)| (id, page.items.len())).collect());
    (bench, told)
}

#[tokio::test]
async fn pages_of_several_folders_come_in_one_request() {
    let responses = json!({ "responses": [
        { "id": "3", "status": 200, "body": page("f3", &["m3", "m4"]) },
        { "id": "1", "status": 200, "body": page("f1", &[]) },
        { "id": "2", "status": 410, "body": { "error": { "code": "SyncStateNotFound" } } },
    ] });
    let (bench, told) = pages_of(vec![says(200, responses.to_string())]).await;
    assert_eq!(told.unwrap(), [("f1".to_owned(), 0), ("f3".to_owned(), 2)], "the lost place of f2 is its own business");
    let (asked, body) = bench.last();
    assert!(asked.starts_with("POST ") && asked.ends_with("/$batch"), "{asked}");
    let first = &body["requests"][0];
    assert_eq!(first["url"], "/me/mailFolders('f1')/messages/delta?$deltatoken=old");
    assert_eq!(first["headers"]["Prefer"], "IdType=\"ImmutableId\", odata.maxpagesize=10");
}

#[tokio::test]
async fn what_is_wrong_with_one_page_leaves_it_out() {
    let elsewhere = json!({ "value": [{ "id": "a", "parentFolderId": "f9-a-long-id-of-a-folder" }, { "id": "b", "parentFolderId": "f9-a-long-id-of-a-folder" }], "@odata.deltaLink": link("f1", "n") });
    let foreign = json!({ "value": [], "@odata.deltaLink": link("f9", "n") });
    for wrong in [json!({ "value": [] }), foreign, json!({ "@odata.deltaLink": link("f1", "n") }), json!(7), elsewhere] {
        let responses = json!({ "responses": [{ "id": "1", "status": 200, "body": wrong }, { "id": "2", "status": 200, "body": page("f2", &["m"]) }, { "id": "2", "status": 404 }] });
        let (_, told) = pages_of(vec![says(200, responses.to_string())]).await;
        let told = told.unwrap();
        assert!(told.iter().all(|(id, _)| id == "f1") && told.len() <= 1, "{wrong}: {told:?}; f2 was told twice");
    }
}

#[tokio::test]
async fn a_batch_that_fails_leaves_all_of_them_out_and_a_sign_in_that_ended_does_not() {
    for status in [400, 413] {
        let (_, told) = pages_of(vec![says(status, "{}")]).await;
        assert_eq!(told.unwrap(), []);
    }
    let (_, told) = pages_of(vec![says(401, "{}"), says(401, "{}"), says(401, "{}")]).await;
    assert_eq!(told.unwrap_err().kind(), ErrorKind::NeedsReconnect);
}

fn folder_page(value: &Value, link: &str) -> Answer {
    says(200, json!({ "value": value, "@odata.deltaLink": link }).to_string())
}

const FOLDERS: &str = "https://graph.microsoft.com/v1.0/me/mailFolders/delta?$deltatoken=f1";

#[tokio::test]
async fn of_folders_told_more_than_once_the_last_word_counts() {
    let next = "https://graph.microsoft.com/v1.0/me/mailFolders/delta?$skiptoken=s";
    let first = json!({ "value": [{ "id": "a", "displayName": "A" }, { "id": "b", "displayName": "B" }], "@odata.nextLink": next });
    let second = json!([{ "id": "a", "@removed": { "reason": "deleted" } }, { "id": "b", "displayName": "B2", "totalItemCount": "7" }]);
    let bench = answers(vec![says(200, first.to_string()), folder_page(&second, FOLDERS)]);
    let changes = bench.graph.folder_changes(&caller(), Some(FOLDERS)).await.unwrap().unwrap();
    assert_eq!(changes.gone, ["a"]);
    assert_eq!(changes.changed.iter().map(|f| (f.display_name.as_str(), f.total)).collect::<Vec<_>>(), [("B2", 7)]);
    assert_eq!(changes.link.as_deref(), Some(FOLDERS));
}

#[tokio::test]
async fn a_place_among_the_folders_is_lost_when_it_is_forgotten_or_leads_elsewhere() {
    for answer in [says(410, "{}"), says(400, r#"{"error":{"code":"SyncStateInvalid"}}"#), says(404, r#"{"error":{"code":"SyncStateNotFound"}}"#)] {
        assert!(answers(vec![answer]).graph.folder_changes(&caller(), Some(FOLDERS)).await.unwrap().is_none());
    }
    let stranger = answers(vec![]);
    assert!(stranger.graph.folder_changes(&caller(), Some("https://evil.example/v1.0/me/mailFolders/delta?$deltatoken=x")).await.unwrap().is_none());
    assert_eq!(stranger.service.calls(), 0, "nothing was sent there");
    // Without a place there is nothing to lose.
    assert!(answers(vec![says(410, "{}")]).graph.folder_changes(&caller(), None).await.is_err());
}

#[tokio::test]
async fn a_folder_without_an_id_keeps_the_place_from_being_used() {
    let odd = json!([{ "displayName": "no id" }, { "id": "b", "displayName": "B" }]);
    let changes = answers(vec![folder_page(&odd, FOLDERS)]).graph.folder_changes(&caller(), Some(FOLDERS)).await.unwrap().unwrap();
    assert_eq!((changes.changed.len(), changes.link), (1, None));
    let elsewhere = "https://graph.microsoft.com/v1.0/users/someone/mailFolders/delta?$deltatoken=x";
    assert_eq!(answers(vec![folder_page(&json!([]), elsewhere)]).graph.folder_changes(&caller(), Some(FOLDERS)).await.unwrap_err().kind(), ErrorKind::LinkRejected);
}
