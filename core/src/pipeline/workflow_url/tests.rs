use super::*;
use crate::clock::TestClock;
use crate::config::{Cloud, Config, Endpoints};
use crate::pipeline::fake::Service;
use crate::pipeline::transport::PublicOnly;
use crate::pipeline::{Limits, Pipeline, Purpose, ReqwestTransport, Request, Safety, Sent, Transport, Trouble};
use bytes::Bytes;
use http::Method;
use std::net::TcpListener;
use std::sync::Arc;

const PATH: &str = "/workflows/0f3a5b7c/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA";

fn public() -> Hosts {
    Hosts::new(Endpoints::of(&Cloud::Public).unwrap())
}

#[test]
fn what_power_automate_shows_is_taken() {
    for url in [
        format!("https://prod-12.westeurope.logic.azure.com:443{PATH}"),
        format!("https://prod-12.westeurope.logic.azure.com{PATH}"),
        "https://default0f3a5b7c9d1e4f60a1b2c3d4e5f60718.1a.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/0f3a/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=a-b_c".to_owned(),
        format!("https://tenant.1.api.powerplatform.com{PATH}"),
        format!("HTTPS://PROD-12.westeurope.LOGIC.azure.COM{PATH}"),
    ] {
        let taken = public().workflow(&url).unwrap_or_else(|e| panic!("{url}: {e}"));
        assert!(taken.scheme() == "https" && taken.port().is_none() && public().check(&taken, Purpose::Workflow).is_ok(), "{url}");
    }
}

/// What somebody may try, with whatever else is in it; none of it is a workflow. `{p}` is the path, `{d}` a listener on this machine that must hear nothing.
const HOSTILE: &[&str] = &[
    // Another scheme, or none.
    "http://prod-12.logic.azure.com{p}",
    "ftp://prod-12.logic.azure.com{p}",
    "ws://prod-12.logic.azure.com{p}",
    "file:///etc/passwd?sig=abcdefghijkl",
    "gopher://127.0.0.1:{d}/_{p}",
    "data:text/plain,https://prod-12.logic.azure.com{p}",
    "javascript:fetch('https://prod-12.logic.azure.com{p}')",
    "//prod-12.logic.azure.com{p}",
    "prod-12.logic.azure.com{p}",
    "https:prod-12.logic.azure.com{p}",
    "https:/prod-12.logic.azure.com{p}",
    "https:///prod-12.logic.azure.com{p}",
    "https:\\\\prod-12.logic.azure.com{p}",
    // Another port.
    "https://prod-12.logic.azure.com:80{p}",
    "https://prod-12.logic.azure.com:8443{p}",
    "https://prod-12.logic.azure.com:{d}{p}",
    "https://prod-12.logic.azure.com:0443{p}",
    "https://prod-12.logic.azure.com:{p}",
    "https://prod-12.logic.azure.com:443:443{p}",
    "https://prod-12.logic.azure.com:+443{p}",
    // A user name, and what looks like the host before it.
    "https://user@prod-12.logic.azure.com{p}",
    "https://user:pw@prod-12.logic.azure.com{p}",
    "https://:pw@prod-12.logic.azure.com{p}",
    "https://@prod-12.logic.azure.com{p}",
    "https://prod-12.logic.azure.com@127.0.0.1:{d}{p}",
    "https://prod-12.logic.azure.com:443@127.0.0.1:{d}{p}",
    "https://prod-12.logic.azure.com%40127.0.0.1:{d}{p}",
    "https://127.0.0.1:{d}%40prod-12.logic.azure.com{p}",
    "https://127.0.0.1:{d}\\@prod-12.logic.azure.com{p}",
    "https://prod-12.logic.azure.com\\@127.0.0.1:{d}{p}",
    // Another host that has the name in it.
    "https://prod-12.logic.azure.com.evil.example{p}",
    "https://prod-12.logic.azure.com-evil.example{p}",
    "https://evil-logic.azure.com{p}",
    "https://xlogic.azure.com{p}",
    "https://logic.azure.com{p}",
    "https://.logic.azure.com{p}",
    "https://azure.com{p}",
    "https://evil.example/prod-12.logic.azure.com{p}",
    "https://evil.example?x=.logic.azure.com&sig=abcdefghijkl",
    "https://evil.example#.logic.azure.com{p}",
    "https://evil.example/.logic.azure.com{p}",
    "https://evil.example%2f.logic.azure.com{p}",
    "https://evil.example%23.logic.azure.com{p}",
    "https://evil.example%00.logic.azure.com{p}",
    "https://evil.example;.logic.azure.com{p}",
    "https://evil.example,prod-12.logic.azure.com{p}",
    "https://prod-12.logic.azure.comm{p}",
    "https://prod-12.logic.azure.co{p}",
    "https://prod-12.api.powerplatform.com.evil.example{p}",
    "https://api.powerplatform.com{p}",
    "https://graph.microsoft.com{p}",
    "https://management.azure.com{p}",
    // The same host in another spelling, which not everybody reads alike.
    "https://prod-12.logic.azure.com.{p}",
    "https://prod-12.logic.azure.com..{p}",
    "https://prod-12..logic.azure.com{p}",
    "https://prod-12.logic%2eazure.com{p}",
    "https://prod-12.%6cogic.azure.com{p}",
    "https://prod-12.lоgic.azure.com{p}",
    "https://prod-12.logic。azure。com{p}",
    "https://prod-12.logic．azure．com{p}",
    "https://ｐrod-12.logic.azure.com{p}",
    "https://prod-12.logic.azure.com\u{200b}{p}",
    "https://prod\u{ad}-12.logic.azure.com{p}",
    "https://xn--prd-12-xqf.logic.azure.com{p}",
    "https://prod-12.xn--lgic-55d.azure.com{p}",
    "https://prod_12.logic.azure.com{p}",
    "https://-prod.logic.azure.com{p}",
    "https://prod-.logic.azure.com{p}",
    "https://*.logic.azure.com{p}",
    // Addresses, in every notation.
    "https://127.0.0.1:{d}{p}",
    "https://127.0.0.1{p}",
    "https://127.1{p}",
    "https://2130706433{p}",
    "https://0x7f000001{p}",
    "https://0x7f.0.0.1{p}",
    "https://0177.0.0.1{p}",
    "https://017700000001{p}",
    "https://①②⑦.0.0.1{p}",
    "https://169.254.169.254{p}",
    "https://[::1]:{d}{p}",
    "https://[::1]{p}",
    "https://[::ffff:127.0.0.1]:{d}{p}",
    "https://[::ffff:7f00:1]{p}",
    "https://[64:ff9b::7f00:1]{p}",
    "https://[fd00:ec2::254]{p}",
    "https://[fe80::1%25eth0]{p}",
    "https://[2603:1000::1]{p}",
    "https://20.42.65.92{p}",
    "https://localhost:{d}{p}",
    "https://localhost{p}",
    "https://127.0.0.1.nip.io{p}",
    "https://127.0.0.1.logic.azure.com:{d}{p}",
    // Characters that parsers leave out or turn around.
    " https://prod-12.logic.azure.com{p}",
    "https://prod-12.logic.azure.com{p} ",
    "https://evil.example/\t.logic.azure.com{p}",
    "https://prod-12.logic\t.azure.com{p}",
    "https://prod-12.logic\n.azure.com{p}",
    "https://evil.example\r\nHost: prod-12.logic.azure.com{p}",
    "https://prod-12.logic.azure.com{p}\r\nX-Evil: 1",
    "https://evil.example\\.logic.azure.com{p}",
    "https://prod-12.logic.azure.com\\..\\..{p}",
    "https://prod-12.logic.azure.com{p}#fragment",
    "https://prod-12.logic.azure.com{p}\"",
    "https://prod-12.logic.azure.com{p}\0",
    "<https://prod-12.logic.azure.com{p}>",
    // Not the whole URL, or more than that.
    "https://prod-12.logic.azure.com",
    "https://prod-12.logic.azure.com/",
    "https://prod-12.logic.azure.com/?sig=abcdefghijkl",
    "https://prod-12.logic.azure.com?sig=abcdefghijkl",
    "https://prod-12.logic.azure.com/workflows/a/triggers/manual/paths/invoke",
    "https://prod-12.logic.azure.com/workflows/a/triggers/manual/paths/invoke?api-version=1",
    "https://prod-12.logic.azure.com/workflows/a/triggers/manual/paths/invoke?sig=",
    "https://prod-12.logic.azure.com/workflows/a/triggers/manual/paths/invoke?sig=%20",
    "https://prod-12.logic.azure.com/workflows/a/triggers/manual/paths/invoke?sig=abcdefgh&sig=ijklmnop",
    "https://prod-12.logic.azure.com/workflows/a/triggers/manual/paths/invoke?sig=abcdefgh&SIG=ijklmnop",
    "https://prod-12.logic.azure.com/workflows/..%2f..%2fadmin{p}",
    "https://prod-12.logic.azure.com/workflows/%2e%2e%5cadmin{p}",
    "",
    "https://",
    "https://?sig=abcdefghijkl",
    // What Microsoft retires.
    "https://contoso.webhook.office.com/webhookb2/0f3a@1b2c/IncomingWebhook/9d8e/7f6a",
    "https://outlook.office.com/webhook/0f3a@1b2c/IncomingWebhook/9d8e/7f6a",
    "https://outlook.office365.com/webhook/0f3a@1b2c/IncomingWebhook/9d8e/7f6a",
];

fn filled(pattern: &str, port: u16) -> String {
    pattern.replace("{p}", PATH).replace("{d}", &port.to_string())
}

#[tokio::test]
async fn nothing_else_is_taken_and_nothing_is_sent_there() {
    let decoy = TcpListener::bind("127.0.0.1:0").unwrap();
    decoy.set_nonblocking(true).unwrap();
    let port = decoy.local_addr().unwrap().port();
    assert!(HOSTILE.len() >= 60);
    // The real transport, as in the public cloud and as beside a simulator: whatever is wrong with a check, the network shows it.
    let config = |cloud| Config { cloud, ..Config::new("unused", "00000000-0000-0000-0000-000000000000") };
    for cloud in [Cloud::Public, Cloud::custom("http://127.0.0.1:9", "http://127.0.0.1:9")] {
        let mut endpoints = Endpoints::of(&cloud).unwrap();
        endpoints.workflows = Endpoints::of(&Cloud::Public).unwrap().workflows;
        let transport = Arc::new(ReqwestTransport::new(&config(cloud)).unwrap());
        let pipeline = Pipeline::new(endpoints, transport, Arc::new(TestClock::new(1)), Limits::default());
        for pattern in HOSTILE {
            let url = filled(pattern, port);
            let refused = pipeline.hosts().workflow(&url).expect_err(&url);
            assert!(matches!(refused.kind(), ErrorKind::InvalidInput | ErrorKind::LinkRejected), "{url}: {refused:?}");
            assert!(!refused.reason().contains("Zm9v") && !refused.reason().contains("evil"), "{url}: an error repeats it: {refused}");
            // Were it taken all the same, the way out would still be closed; where a parser makes a workflow's URL of it, it is that one that is meant.
            let Ok(parsed) = Url::parse(&url) else { continue };
            if pipeline.hosts().check(&parsed, Purpose::Workflow).is_err() {
                let mut request = Request::get(parsed, Purpose::Workflow).with_body(Method::POST, "application/json", "{}");
                request.safety = Safety::Once;
                request.account_id = Some("wfl_1".into());
                assert_eq!(pipeline.send(request).await.err().map(|e| e.kind()), Some(ErrorKind::LinkRejected), "{url}");
            } else {
                assert!(parsed.scheme() == "https" && parsed.port().is_none() && parsed.host_str() == Some("prod-12.logic.azure.com"), "{url}");
            }
        }
    }
    assert!(decoy.accept().is_err(), "the decoy heard something");
}

#[test]
fn a_simulator_is_taken_at_its_own_origin_alone() {
    let hosts = Hosts::new(Endpoints::of(&Cloud::custom("http://127.0.0.1:4000", "http://127.0.0.1:4001")).unwrap());
    assert!(hosts.workflow(&format!("http://127.0.0.1:4001{PATH}")).is_ok());
    for other in ["http://127.0.0.1:4000", "http://127.0.0.1:4002", "http://localhost:4001", "http://127.0.0.1", "https://127.0.0.1:4001", "http://user@127.0.0.1:4001", "http://127.1:4002", "https://prod-12.logic.azure.com"] {
        assert!(hosts.workflow(&format!("{other}{PATH}")).is_err(), "{other}");
    }
    assert!(hosts.workflow("http://127.0.0.1:4001/workflows/a").is_err(), "without its sig");
    // A cloud that is no simulator's takes nothing over plain HTTP, and nothing of this machine.
    let other = Hosts::new(Endpoints::of(&Cloud::custom("https://login.example", "https://graph.example")).unwrap());
    assert!(other.workflow(&format!("https://graph.example{PATH}")).is_err());
    assert!(public().workflow(&format!("http://127.0.0.1:4001{PATH}")).is_err());
}

#[test]
fn the_operator_says_which_hosts_there_are() {
    let config = |hosts: &[&str]| Config { workflow_hosts: hosts.iter().map(|host| (*host).to_owned()).collect(), cloud: Cloud::UsGov, tenant: "organizations".into(), ..Config::new("unused", "00000000-0000-0000-0000-000000000000") };
    let hosts = Hosts::new(config(&[".logic.azure.us", "flows.contoso.com"]).check().unwrap());
    for (url, taken) in [
        ("https://prod-1.usgovvirginia.logic.azure.us", true),
        ("https://flows.contoso.com", true),
        ("https://a.flows.contoso.com", false),
        ("https://logic.azure.us", false),
        ("https://prod-12.logic.azure.com", false),
    ] {
        assert_eq!(hosts.workflow(&format!("{url}{PATH}")).is_ok(), taken, "{url}");
    }
    // None are known of that cloud until somebody names them.
    let none = Hosts::new(config(&[]).check().unwrap());
    let refused = none.workflow(&format!("https://prod-1.usgovvirginia.logic.azure.us{PATH}")).unwrap_err();
    assert!(refused.kind() == ErrorKind::LinkRejected && refused.reason().contains("workflow_hosts"), "{refused}");
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_not_connected_to() {
    let decoy = TcpListener::bind("127.0.0.1:0").unwrap();
    decoy.set_nonblocking(true).unwrap();
    let port = decoy.local_addr().unwrap().port();
    let transport = ReqwestTransport::new(&Config::new("unused", "00000000-0000-0000-0000-000000000000")).unwrap();
    // As if the DNS said so of a name on the list.
    let mut request = http::Request::post(format!("https://localhost:{port}{PATH}")).body(Bytes::from_static(b"{}")).unwrap();
    request.extensions_mut().insert(PublicOnly);
    let failed = transport.call(request, 1 << 10).await.unwrap_err();
    assert_eq!((failed.sent, failed.trouble), (Sent::No, Trouble::NotPublic));
    assert!(decoy.accept().is_err(), "the decoy heard something");
    // It is this way that is closed: others of this machine's names lead where they lead.
    let request = http::Request::post(format!("https://localhost:{port}{PATH}")).body(Bytes::new()).unwrap();
    let (others, heard) = (transport.call(request, 1 << 10), std::thread::spawn(move || {
        decoy.set_nonblocking(false).unwrap();
        decoy.accept().map(drop)
    }));
    assert!(others.await.is_err() && heard.join().unwrap().is_ok());
}

#[tokio::test]
async fn what_is_sent_to_a_workflow_proves_nothing_of_an_account() {
    let service = Service::script(vec![crate::pipeline::fake::says(202, "")]);
    let pipeline = service.pipeline(&TestClock::new(1));
    let url = pipeline.hosts().workflow(&format!("https://prod-12.logic.azure.com{PATH}")).unwrap();
    let mut request = Request::get(url, Purpose::Workflow).with_body(Method::POST, "application/json", "{}");
    request.safety = Safety::Once;
    request.account_id = Some("wfl_1".into());
    request.headers.insert(http::header::AUTHORIZATION, "Bearer something".parse().unwrap());
    request.bearer = Some(crate::pipeline::AccessToken::new("something"));
    assert_eq!(pipeline.send(request).await.unwrap().status, 202);
    let seen = service.seen.lock().unwrap();
    assert!(seen.len() == 1 && seen[0].headers().get("authorization").is_none() && seen[0].headers().get("client-request-id").is_none());
    assert!(seen[0].extensions().get::<PublicOnly>().is_some());
}
