//! Messages of a folder by date.

use super::*;
use std::time::{SystemTime, UNIX_EPOCH};

const LIST: &str = "https://graph.microsoft.com/v1.0/me/mailFolders/f1/messages";

fn range(from: Option<u64>, to: Option<u64>, order: ListingOrder) -> ListingRange {
    let at = |seconds: Option<u64>| -> Option<SystemTime> { seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)) };
    ListingRange { folder_id: "f1".into(), from: at(from), to: at(to), order }
}

fn page(ids: &[&str], next: Option<&str>) -> Answer {
    let items: Vec<Value> = ids.iter().map(|id| message(id)).collect();
    says(200, json!({ "value": items, "@odata.nextLink": next }).to_string())
}

fn ids(items: &[DeltaItem]) -> Vec<&str> {
    items.iter().map(|item| if let DeltaItem::Message(message) = item { message.id.as_str() } else { "?" }).collect()
}

#[tokio::test]
async fn a_range_comes_first_in_the_filter_and_is_what_the_list_is_ordered_by() {
    let (from, to) = (1_767_225_600, 1_769_904_000);
    for (range, size, wanted) in [
        (range(None, None, ListingOrder::NewestFirst), 50, "$top=50&$orderby=receivedDateTime%20desc"),
        (range(Some(from), None, ListingOrder::OldestFirst), 0, "$top=1&$orderby=receivedDateTime%20asc&$filter=receivedDateTime%20ge%202026-01-01T00:00:00Z"),
        (range(None, Some(to), ListingOrder::NewestFirst), 5_000, "$top=1000&$orderby=receivedDateTime%20desc&$filter=receivedDateTime%20lt%202026-02-01T00:00:00Z"),
        (
            range(Some(from), Some(to), ListingOrder::NewestFirst),
            7,
            "$top=7&$orderby=receivedDateTime%20desc&$filter=receivedDateTime%20ge%202026-01-01T00:00:00Z%20and%20receivedDateTime%20lt%202026-02-01T00:00:00Z",
        ),
    ] {
        let bench = answers(vec![page(&["m1"], None)]);
        let mut listing = bench.graph.listing(&caller(), &range, size).await.unwrap();
        assert_eq!(ids(&bench.graph.listed(&caller(), &mut listing, keep).await.unwrap().unwrap()), ["m1"]);
        assert!(bench.graph.listed(&caller(), &mut listing, keep).await.unwrap().is_none() && bench.service.calls() == 1);
        assert_eq!(bench.last().0, format!("GET {LIST}?$select={}&{wanted}", crate::graph::delta::MESSAGE));
    }
    let nowhere = ListingRange { folder_id: "..".into(), ..range(None, None, ListingOrder::NewestFirst) };
    assert_eq!(answers(vec![]).graph.listing(&caller(), &nowhere, 1).await.err().unwrap().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn its_pages_are_followed_within_the_folder_and_not_in_a_circle() {
    let next = format!("{LIST}?$skip=2");
    let bench = answers(vec![page(&["m1", "m2"], Some(&next)), says(503, ""), says(503, ""), page(&["m3"], None)]);
    let mut listing = bench.graph.listing(&caller(), &range(None, None, ListingOrder::NewestFirst), 2).await.unwrap();
    assert_eq!(ids(&bench.graph.listed(&caller(), &mut listing, keep).await.unwrap().unwrap()), ["m1", "m2"]);
    // A page that fails is asked for again.
    assert!(bench.graph.listed(&caller(), &mut listing, keep).await.unwrap_err().is_overload());
    assert_eq!(ids(&bench.graph.listed(&caller(), &mut listing, keep).await.unwrap().unwrap()), ["m3"]);
    assert_eq!(bench.last().0, format!("GET {next}"));
    for (link, kind) in [
        ("https://graph.microsoft.com/v1.0/me/mailFolders/f2/messages?$skip=2", ErrorKind::LinkRejected),
        ("https://graph.microsoft.com/v1.0/me/mailFolders/f1/messages/delta?$skip=2", ErrorKind::LinkRejected),
        ("https://evil.example/v1.0/me/mailFolders/f1/messages?$skip=2", ErrorKind::LinkRejected),
        (&next, ErrorKind::Upstream),
    ] {
        let bench = answers(vec![page(&["m1"], Some(&next)), page(&["m2"], Some(link))]);
        let mut listing = bench.graph.listing(&caller(), &range(None, None, ListingOrder::NewestFirst), 2).await.unwrap();
        bench.graph.listed(&caller(), &mut listing, keep).await.unwrap();
        // What came with a bad link is taken.
        assert_eq!(ids(&bench.graph.listed(&caller(), &mut listing, keep).await.unwrap().unwrap()), ["m2"]);
        assert!(listing.has_more());
        assert_eq!(bench.graph.listed(&caller(), &mut listing, keep).await.unwrap_err().kind(), kind, "{link}");
        assert!(bench.graph.listed(&caller(), &mut listing, keep).await.unwrap().is_none() && bench.service.calls() == 2, "{link}");
    }
}

#[tokio::test]
async fn a_page_of_another_folder_or_without_a_list_is_refused() {
    let other: Vec<Value> = ["m1", "m2"].iter().map(|id| { let mut m = message(id); m["parentFolderId"] = json!("f2"); m }).collect();
    for (folder, body) in [("f1", json!({ "value": null })), ("f1", json!({})), ("a folder id of some length", json!({ "value": other }))] {
        let bench = answers(vec![says(200, body.to_string())]);
        let wanted = ListingRange { folder_id: folder.into(), ..range(None, None, ListingOrder::NewestFirst) };
        let mut listing = bench.graph.listing(&caller(), &wanted, 2).await.unwrap();
        assert_eq!(bench.graph.listed(&caller(), &mut listing, keep).await.unwrap_err().kind(), ErrorKind::Upstream, "{body}");
    }
}
