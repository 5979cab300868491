//! Apps and installations, as Microsoft really answers: late, twice, unfiltered, and with refusals that pass.

use super::*;

fn team() -> AppPlace {
    AppPlace::Team("team-1".into())
}

fn list(items: Value) -> Answer {
    says(200, json!({ "value": items }).to_string())
}

fn none() -> Answer {
    list(json!([]))
}

fn installed(id: &str, app: &str, version: &str) -> Value {
    json!({ "id": id, "teamsApp": { "id": app, "externalId": "ext", "distributionMethod": "organization" }, "teamsAppDefinition": { "version": version } })
}

fn one(version: &str) -> Answer {
    list(json!([installed("inst-1", "app-1", version)]))
}

fn refusal(status: u16, code: &str) -> Answer {
    says(status, json!({ "error": { "code": code, "message": "Missing role permissions on the request." } }).to_string())
}

impl Bench {
    fn asked(&self) -> Vec<String> {
        let seen = self.service.seen.lock().unwrap();
        seen.iter().map(|request| format!("{} {}", request.method(), request.uri().path().trim_start_matches("/v1.0/"))).collect()
    }

    async fn ensure(&self) -> Result<super::super::apps::EnsuredApp> {
        self.graph.ensure_app(&caller(), &team(), "app-1").await
    }
}

#[tokio::test]
async fn an_app_is_installed_once_and_found() {
    let bench = answers(vec![none(), says(201, ""), one("1.0.0")]);
    let made = bench.ensure().await.unwrap();
    assert_eq!((made.installed.id.as_str(), made.installed.version.as_deref(), made.was_there), ("inst-1", Some("1.0.0"), false));
    assert_eq!(bench.asked(), ["GET teams/team-1/installedApps", "POST teams/team-1/installedApps", "GET teams/team-1/installedApps"]);
    let seen = bench.service.seen.lock().unwrap();
    assert!(seen[0].uri().query().unwrap().contains("$filter=teamsApp/id%20eq%20%27app-1%27"), "{:?}", seen[0].uri());
    let body: Value = serde_json::from_slice(seen[1].body()).unwrap();
    assert_eq!(body, json!({ "teamsApp@odata.bind": "https://graph.microsoft.com/v1.0/appCatalogs/teamsApps/app-1" }));
}

#[tokio::test]
async fn one_that_is_there_is_not_installed_again() {
    // A server that does not filter answers with other apps as well.
    let bench = answers(vec![list(json!([installed("inst-0", "app-0", "9.0.0"), installed("inst-1", "APP-1", "1.0.0")]))]);
    let found = bench.ensure().await.unwrap();
    assert_eq!((found.installed.id.as_str(), found.was_there), ("inst-1", true));
    // Somebody else was quicker.
    let bench = answers(vec![none(), refusal(409, "Conflict"), one("1.0.0")]);
    assert!(!bench.ensure().await.unwrap().was_there);
}

/// Installing is repeated when its answer is lost: what comes back then is that it is there.
#[tokio::test]
async fn a_lost_answer_is_no_doubt() {
    let bench = answers(vec![none(), breaks(Sent::Maybe), refusal(409, "Conflict"), one("1.0.0")]);
    let made = bench.ensure().await.unwrap();
    assert_eq!((made.installed.id.as_str(), made.was_there), ("inst-1", false));
}

#[tokio::test]
async fn a_list_that_is_late_is_waited_for_and_not_for_ever() {
    let bench = answers(vec![none(), says(200, ""), none(), none(), one("1.0.0")]);
    assert_eq!(bench.ensure().await.unwrap().installed.id, "inst-1");
    assert_eq!(passed_ms(&bench.clock), 3_000);
    let bench = answers(vec![none(), says(200, ""), none(), none(), none(), none()]);
    let error = bench.ensure().await.unwrap_err();
    assert_eq!((error.kind(), error.account_id()), (ErrorKind::Upstream, Some("acc")));
    assert!(error.reason().contains("accepted"), "{error}");
}

#[tokio::test]
async fn a_refusal_without_a_reason_passes_or_is_told() {
    let odd = || refusal(400, "BadRequest");
    let bench = answers(vec![none(), odd(), odd(), says(201, ""), one("1.0.0")]);
    assert!(bench.ensure().await.is_ok());
    let bench = answers(vec![none(), odd(), odd(), odd()]);
    assert_eq!(bench.ensure().await.unwrap_err().kind(), ErrorKind::InvalidInput);
    let bench = answers(vec![none(), refusal(403, "Forbidden")]);
    let error = bench.ensure().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.reason().contains("TeamsAppInstallation.ReadWriteSelfForTeam ") && error.reason().contains("ReadWriteSelfForTeam.All"), "{error}");
    for answer in [answers(vec![refusal(404, "NotFound")]), answers(vec![none(), refusal(404, "NotFound")])] {
        assert_eq!(answer.ensure().await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn the_organisations_own_app_comes_before_any_other() {
    let app = |id: &str, external: Value, method: &str| json!({ "id": id, "externalId": external, "distributionMethod": method });
    let find = |answers_: Vec<Answer>| async { answers(answers_).graph.app_in_catalog(&caller(), "ext'1").await.unwrap() };
    let own = list(json!([app("a-0", json!("ext'1"), "sideloaded"), app("a-1", json!("other"), "organization"), app("a-2", json!("EXT'1"), "unknownFutureValue"), app("a-3", json!("ext'1"), "organization")]));
    assert_eq!(find(vec![own]).await.as_deref(), Some("a-3"));
    assert_eq!(find(vec![none(), list(json!([app("EXT'1", Value::Null, "store")]))]).await.as_deref(), Some("EXT'1"));
    assert_eq!(find(vec![list(json!([app("a-0", json!("ext'1"), "sideloaded")])), none()]).await, None);
    let bench = answers(vec![none(), none()]);
    assert_eq!(bench.graph.app_in_catalog(&caller(), "ext'1").await.unwrap(), None);
    let seen = bench.service.seen.lock().unwrap();
    assert!(seen[0].uri().query().unwrap().contains("externalId%20eq%20%27ext%27%271%27"), "{:?}", seen[0].uri());
}

#[tokio::test]
async fn an_upgrade_to_nothing_newer_is_one() {
    let now = |version: &str| InstalledApp { id: "inst-1".into(), version: Some(version.into()) };
    let upgrade = |answers_: Vec<Answer>, version: &'static str| async move { answers(answers_).graph.upgrade_app(&caller(), &team(), "app-1", &now(version)).await.map_err(|e| e.kind()) };
    assert_eq!(upgrade(vec![says(204, "")], "1.0.0").await, Ok(()));
    let definition = |version: &str, state: &str| json!({ "version": version, "publishingState": state });
    let catalog = || list(json!([{ "id": "app-1", "appDefinitions": [definition("1.9.0", "published"), definition("1.10.0", "published"), definition("2.0.0", "submitted")] }]));
    assert_eq!(upgrade(vec![refusal(400, "BadRequest"), catalog()], "1.10.0").await, Ok(()));
    assert_eq!(upgrade(vec![refusal(400, "BadRequest"), catalog()], "1.9.0").await, Err(ErrorKind::InvalidInput));
    assert_eq!(upgrade(vec![refusal(409, "Conflict")], "1.9.0").await, Ok(()));
    assert_eq!(upgrade(vec![refusal(403, "Forbidden")], "1.9.0").await, Err(ErrorKind::Forbidden));
}

#[tokio::test]
async fn removing_what_is_gone_and_chats_that_are_not_there_are_no_failures() {
    for status in [204, 404] {
        assert!(answers(vec![says(status, "")]).graph.uninstall_app(&caller(), &team(), "inst-1").await.is_ok());
    }
    let chat = |answer: Answer| async { answers(vec![answer]).graph.app_chat(&caller(), "user-1", "inst-1", false).await };
    assert_eq!(chat(says(200, json!({ "id": "19:user-1_bot@unq.gbl.spaces" }).to_string())).await.unwrap().as_deref(), Some("19:user-1_bot@unq.gbl.spaces"));
    assert_eq!(chat(refusal(404, "NotFound")).await.unwrap(), None);
    assert_eq!(chat(says(200, "{}")).await.unwrap_err().kind(), ErrorKind::Upstream);
}

#[tokio::test]
async fn each_kind_of_place_has_its_list_and_its_permission() {
    for (place, list, permission) in [
        (AppPlace::Team("t".into()), "teams/t/installedApps", "TeamsAppInstallation.ReadWriteSelfForTeam.All"),
        (AppPlace::User("u".into()), "users/u/teamwork/installedApps", "TeamsAppInstallation.ReadWriteSelfForUser.All"),
        (AppPlace::Chat("19:c@thread.v2".into()), "chats/19:c@thread.v2/installedApps", "TeamsAppInstallation.ReadWriteSelfForChat.All"),
    ] {
        let bench = answers(vec![none(), says(201, ""), one("1.0.0")]);
        assert!(!bench.graph.ensure_app(&caller(), &place, "app-1").await.unwrap().was_there);
        assert_eq!(bench.asked().iter().map(|asked| asked.replace("%3A", ":").replace("%40", "@")).collect::<Vec<_>>(), [format!("GET {list}"), format!("POST {list}"), format!("GET {list}")]);
        let bench = answers(vec![refusal(403, "Forbidden")]);
        let error = bench.graph.ensure_app(&caller(), &place, "app-1").await.unwrap_err();
        assert!(error.reason().contains(permission), "{error}");
    }
}
