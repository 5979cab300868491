use crate::client::*;
use serde_json::Value;

async fn get(url: &str) -> Value {
    http("GET", url, &[], b"").await.expect("login answers").json()
}

#[tokio::test]
async fn it_tells_of_itself_in_both_generations() {
    let world = world().await;
    let login = world.sim.login();
    let v2 = get(&format!("{login}/common/v2.0/.well-known/openid-configuration")).await;
    let v1 = get(&format!("{login}/common/.well-known/openid-configuration")).await;
    assert_eq!(v2["issuer"], format!("{login}/{{tenantid}}/v2.0"));
    assert_eq!(v1["issuer"], format!("{login}/{{tenantid}}/"));
    for (metadata, version) in [(&v2, "oauth2/v2.0"), (&v1, "oauth2")] {
        for (name, end) in [("token_endpoint", "token"), ("authorization_endpoint", "authorize")] {
            assert_eq!(metadata[name], format!("{login}/common/{version}/{end}"));
        }
        let keys = get(metadata["jwks_uri"].as_str().unwrap()).await;
        assert!(!keys["keys"].as_array().unwrap().is_empty());
    }
    let personal = get(&format!("{login}/consumers/v2.0/.well-known/openid-configuration")).await;
    assert!(personal["issuer"].as_str().unwrap().contains("9188040d-6c67-4c5b-b112-36a304b66dad"));
    assert_eq!(get(&format!("{login}/nowhere.example/.well-known/openid-configuration")).await["error_codes"][0], 90_002);
}

#[tokio::test]
async fn it_vouches_for_its_own_instance_alone() {
    let world = world().await;
    let login = world.sim.login();
    let ask = |endpoint: &str| format!("{login}/common/discovery/instance?api-version=1.1&authorization_endpoint={endpoint}");
    let own = get(&ask(&format!("{login}/common/oauth2/v2.0/authorize"))).await;
    assert_eq!(own["tenant_discovery_endpoint"], format!("{login}/common/v2.0/.well-known/openid-configuration"));
    let host = login.strip_prefix("http://").unwrap();
    assert_eq!(own["metadata"][0]["preferred_network"], host);
    assert_eq!(get(own["tenant_discovery_endpoint"].as_str().unwrap()).await["token_endpoint"], format!("{login}/common/oauth2/v2.0/token"));
    let other = get(&ask("https://login.example/common/oauth2/v2.0/authorize")).await;
    assert_eq!((other["error"].as_str(), other["error_codes"][0].as_u64()), (Some("invalid_instance"), Some(50_049)));
    assert_eq!(get(&format!("{login}/common/discovery/instance")).await["error_codes"][0], 900_144);
}

#[tokio::test]
async fn refusals_point_to_the_side_that_was_asked() {
    let world = world().await;
    let refused = world.token(&[("client_id", "nobody"), ("grant_type", "refresh_token")]).await.json();
    let place = refused["error_uri"].as_str().unwrap();
    assert!(place.starts_with(world.sim.login()), "{place}");
    assert_eq!(http("GET", place, &[], b"").await.unwrap().status, 200);
    // The same listener by its other name.
    let named = world.sim.login().replace("127.0.0.1", "localhost");
    let url = format!("{named}/common/oauth2/v2.0/token");
    let refused = http("POST", &url, &[], b"client_id=nobody&grant_type=refresh_token").await.unwrap().json();
    assert!(refused["error_uri"].as_str().unwrap().starts_with(&named), "{refused}");
}
