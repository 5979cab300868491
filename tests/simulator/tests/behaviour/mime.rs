use crate::client::*;
use serde_json::json;

impl Person<'_> {
    async fn mime(&self, path: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {}", self.token);
        http("POST", &format!("{}{path}", self.world.sim.graph()), &[("authorization", &bearer), ("content-type", "text/plain")], body.as_bytes()).await.unwrap()
    }
}

fn coded(mime: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(mime.replace('\n', "\r\n"))
}

const MAIL: &str = "From: Other <other@fabrikam.com>\nTo: alex@contoso.com\nBcc: megan@contoso.com\nSubject: Plan\nMIME-Version: 1.0\n\
    Content-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/html\n\n<p>See</p>\n--B\n\
    Content-Type: text/plain; name=a.txt\nContent-Disposition: attachment; filename=a.txt\n\nhi\n--B--\n";

#[tokio::test]
async fn a_mail_comes_as_mime_and_leaves_in_the_name_of_its_mailbox() {
    let world = world().await;
    let adele = world.person("adele").await;
    assert_eq!(adele.mime("/me/sendMail", &coded(MAIL)).await.status, 202);
    for (mailbox, folder) in [("alex@contoso.com", "inbox"), ("megan@contoso.com", "inbox"), ("adele@contoso.com", "sentitems")] {
        let list = world.control("/mail/list", json!({"mailbox": mailbox, "folder": folder})).await;
        let one = &list["items"][0];
        assert_eq!((&list["total"], &one["subject"], &one["from"]["address"], &one["attachments"], &one["body_type"]), (&json!(1), &json!("Plan"), &json!("adele@contoso.com"), &json!(["a.txt"]), &json!("html")), "{mailbox}");
    }
    // A draft is sent by its id.
    let draft = adele.mime("/me/messages", &coded(&MAIL.replace("Plan", "Draft"))).await;
    assert_eq!((draft.status, &draft.json()["isDraft"]), (201, &json!(true)));
    assert_eq!(adele.send("POST", &format!("/me/messages/{}/send", draft.json()["id"].as_str().unwrap()), None).await.status, 202);
    assert_eq!(world.control("/mail/list", json!({"mailbox": "alex@contoso.com"})).await["total"], 2);
    for path in ["/me/sendMail", "/me/messages"] {
        let refused = adele.mime(path, "no base64!").await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "ErrorMimeContentInvalidBase64String"), "{path}");
    }
    assert_eq!(world.accusations().await, [""; 0]);
}
