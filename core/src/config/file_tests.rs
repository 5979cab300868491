use super::file::{exposed, parse};
use super::*;
use std::ffi::OsString;
use std::path::Path;

const ID: &str = "00000000-0000-0000-0000-000000000000";

fn env(name: &str) -> Option<OsString> {
    match name {
        "SECRET" => Some("s3cret-canary".into()),
        "EMPTY" => Some("".into()),
        "WITH_MARK" => Some("${SECRET}".into()),
        "HOST" => Some("proxy.example".into()),
        _ => None,
    }
}

fn load(text: &str) -> Result<Config> {
    parse(text, Path::new("/etc/app"), &env).map(|(config, _)| config)
}

/// The reason `text` is refused with, below the two keys that every file needs.
fn refused(text: &str) -> String {
    let error = load(&format!("data_dir = \"store\"\nclient_id = \"{ID}\"\n{text}")).map(|_| ()).expect_err(text);
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    error.reason().to_owned()
}

#[test]
fn every_field_is_read_by_its_name() {
    let config = load(&format!(
        r#"
        data_dir = "store"
        client_id = "{ID}"
        cloud = "us_gov"
        client_secret = "${{SECRET}}"
        tenant = "contoso.example"
        content = "clear"
        send_timeout_ms = 1_000
        sign_in_seconds = 60
        page_size = 0x32
        folders = ["inbox", "a$${{b}}"]
        workflow_hosts = [".logic.azure.us"]
        mails_per_minute = 30
        recipients_per_day = 10000
        notification_url = "https://app.example.com/tidings"
        calendar_days_before = 7
        calendar_days_after = 90
        encrypted_notifications = true
        attachment_cache_mb = 200
        bot_app = "default"
        bot_tenant = "contoso.com"
        bot_service_url = "https://smba.trafficmanager.net/emea"
        bot_external_id = "4f2b6f0a-0000-4000-8000-000000000003"
        allow_tls12 = true
        proxy = "http://${{HOST}}:8080"
        ca_certificates = "pem"
        max_tenant_requests = 2
        max_requests = 8
        [apps.sales]
        client_id = "{ID}"
        client_secret = "x${{SECRET}}${{SECRET}}y"
        tenant = "organizations"
        [apps.plain]
        client_id = "{ID}"
        "#
    ))
    .unwrap();
    assert_eq!((config.data_dir.as_str(), config.client_id.as_str(), config.tenant.as_str()), ("/etc/app/store", ID, "contoso.example"));
    assert_eq!((config.cloud, config.content), (Cloud::UsGov, Content::Clear));
    assert_eq!((config.send_timeout_ms, config.sign_in_seconds, config.page_size, config.allow_tls12), (1_000, 60, 50, true));
    assert_eq!((config.max_tenant_requests, config.max_requests), (2, 8));
    let proxy = config.proxy.as_ref().map(|proxy| proxy.expose(str::to_owned));
    assert_eq!((proxy.as_deref(), config.ca_certificates.as_deref()), (Some("http://proxy.example:8080"), Some("pem")));
    assert_eq!(config.folders, ["inbox", "a${b}"]);
    assert_eq!(config.workflow_hosts, [".logic.azure.us"]);
    assert_eq!((config.mails_per_minute, config.recipients_per_day), (30, 10_000));
    assert_eq!(config.notification_url.as_deref(), Some("https://app.example.com/tidings"));
    assert_eq!((config.calendar_days_before, config.calendar_days_after), (7, 90));
    assert!(config.encrypted_notifications);
    assert_eq!(config.attachment_cache_mb, 200);
    assert_eq!([config.bot_app.as_deref(), config.bot_tenant.as_deref(), config.bot_service_url.as_deref(), config.bot_external_id.as_deref()], [Some("default"), Some("contoso.com"), Some("https://smba.trafficmanager.net/emea"), Some("4f2b6f0a-0000-4000-8000-000000000003")]);
    config.client_secret.unwrap().expose(|secret| assert_eq!(secret, "s3cret-canary"));
    let [plain, sales] = config.apps.as_slice() else { panic!() };
    assert_eq!((plain.name.as_str(), plain.tenant.as_str(), plain.client_secret.is_none()), ("plain", "common", true));
    assert_eq!((sales.name.as_str(), sales.tenant.as_str()), ("sales", "organizations"));
    sales.client_secret.as_ref().unwrap().expose(|secret| assert_eq!(secret, "xs3cret-canarys3cret-canaryy"));
}

#[test]
fn what_is_left_out_is_as_in_code() {
    let (file, code) = (load(&format!("\u{feff}data_dir = '/abs'\r\nclient_id = '{ID}'")).unwrap(), Config::new("/abs", ID));
    assert_eq!(format!("{file:?}"), format!("{code:?}"));
    let cloud = |text: &str| load(&format!("data_dir = '/a'\nclient_id = '{ID}'\n{text}")).unwrap().cloud;
    let custom = Cloud::custom("http://127.0.0.1:1", "http://127.0.0.1:2");
    assert_eq!(cloud("cloud = { login = 'http://127.0.0.1:1', graph = 'http://127.0.0.1:2' }"), custom);
    assert_eq!(cloud("[cloud]\nlogin = 'http://127.0.0.1:1'\ngraph = 'http://127.0.0.1:2'"), custom);
    for (name, wanted) in [("public", Cloud::Public), ("us_gov_dod", Cloud::UsGovDod), ("china", Cloud::China)] {
        assert_eq!(cloud(&format!("cloud = '{name}'")), wanted);
    }
}

#[test]
fn a_value_of_the_environment_is_taken_as_it_is() {
    let config = load(&format!("data_dir = 'a'\nclient_id = '{ID}'\nclient_secret = '${{WITH_MARK}}'")).unwrap();
    config.client_secret.unwrap().expose(|secret| assert_eq!(secret, "${SECRET}"));
}

#[test]
fn unknown_keys_name_line_and_nearest() {
    assert_eq!(refused("client_scret = 'canary'"), "client_scret in line 3 of the configuration file is not known here; did you mean client_secret?");
    assert_eq!(refused("\nclientid = 'canary'"), "clientid in line 4 of the configuration file is not known here; did you mean client_id?");
    assert_eq!(refused("[app.x]"), "app in line 3 of the configuration file is not known here; did you mean apps?");
    assert_eq!(refused("[apps.x]\ntenat = 'canary'"), "apps.x.tenat in line 4 of the configuration file is not known here; did you mean apps.x.tenant?");
    assert!(refused("[cloud]\nlogn = 'x'").contains("did you mean cloud.login?"));
    assert!(refused("whatever_it_is = 1").contains("known are data_dir, "));
    assert!(refused("\"an address canary\" = 1").starts_with("Line 3 "));
}

#[test]
fn wrong_types_name_the_key_and_what_is_wanted() {
    for (text, words) in [
        ("page_size = 'canary'", "page_size must be a whole number, without quotes."),
        ("page_size = -1", "page_size must be a whole number from 0 to 4294967295."),
        ("page_size = 1.5", "page_size must be a whole number, without quotes."),
        ("page_size = 4294967296", "page_size must be a whole number from 0"),
        ("allow_tls12 = 'true'", "allow_tls12 must be true or false"),
        ("allow_tls12 = 1", "allow_tls12 must be true or false"),
        ("folders = 'inbox'", "folders must be a list of texts"),
        ("folders = ['inbox', 1]", "folders must be a list of texts"),
        ("client_secret = 12345", "client_secret must be a text in quotes."),
        ("client_secret = ['canary']", "client_secret must be a text in quotes."),
        ("tenant = 2020-01-01", "tenant must be a text"),
        ("certificate = 'canary'", "certificate must be a table of certificate, private_key"),
        ("certificate = {}", "certificate needs certificate (PEM) or certificate_file"),
        ("certificate = { certificate = 'canary' }", "certificate needs private_key (PEM) or private_key_file"),
        ("certificate = { certificate = 'a', certificate_file = 'b', private_key = 'c' }", "one of them"),
        ("certificate = { certificate_file = 'no-such-file', private_key = 'canary' }", "The file that certificate.certificate_file names does not exist."),
        ("ca_file = 'no-such-file'", "The file that ca_file names does not exist."),
        ("ca_file = '.'", "names does not exist"),
        ("ca_file = '/'", "is not a plain file"),
        ("ca_file = 'a'\nca_certificates = 'canary'", "Give one of them."),
        ("apps = 'canary'", "apps must be a table"),
        ("[[apps]]\nclient_id = 'canary'", "apps must be a table"),
        ("apps.x = 'canary'", "apps.x must be a table of client_id"),
        ("[apps.x]\ntenant = 'common'", "apps.x.client_id is missing"),
        ("[apps.'a b']\nclient_id = 'x'", "A name in apps must be 1 to 50"),
        ("cloud = 'canary'", "cloud must be \"public\", "),
        ("cloud = 1", "cloud must be \"public\", "),
        ("cloud = { login = 'x' }", "cloud.graph is missing"),
        ("content = 'canary'", "content must be \"sealed\" or \"clear\"."),
        ("client_secret = ''", "client_secret is empty."),
        ("client_secret = '${EMPTY}'", "client_secret is empty."),
    ] {
        let reason = refused(text);
        assert!(reason.contains(words), "{text}: {reason}");
    }
    assert!(load("").unwrap_err().reason().starts_with("data_dir is missing"));
    assert!(load("data_dir = 'a'").unwrap_err().reason().starts_with("client_id is missing"));
    assert!(load("data_dir = '${EMPTY}'").unwrap_err().reason().starts_with("data_dir is empty"));
}

#[test]
fn variables_that_are_missing_or_misspelt_are_named() {
    assert_eq!(refused("client_secret = 'canary ${NOT_SET}'"), "client_secret needs the environment variable NOT_SET, which is not set.");
    assert_eq!(refused("[apps.x]\nclient_id = '${NOPE}'"), "apps.x.client_id needs the environment variable NOPE, which is not set.");
    for broken in ["${canary", "${}", "${A-B}", "${1A}", "${ SECRET }", "${SECRET:-canary}", "${ü}"] {
        assert!(refused(&format!("client_secret = '{broken}'")).starts_with("client_secret holds ${ without the name"), "{broken}");
    }
    // Not references.
    for plain in ["$", "$SECRET", "}{", "$$", "$${SECRET}", "$$${"] {
        assert!(load(&format!("data_dir = 'a'\nclient_id = '{ID}'\nclient_secret = '{plain}'")).is_ok(), "{plain}");
    }
}

#[test]
fn what_is_not_toml_names_the_line_and_quotes_nothing() {
    for text in ["canary", "client_secret = canary", "tenant = 'a'\ntenant = 'canary'", "a = [", "= 1", "tenant = 'a' 'canary'", "[apps.x]\n[apps.x]", "tenant = \"\\q canary\""] {
        let reason = refused(text);
        assert!(reason.starts_with("Line ") && reason.contains("is not TOML"), "{text}: {reason}");
    }
    assert!(refused("\n\nclient_secret = canary").starts_with("Line 5 "));
    assert!(refused(&format!("a = {}", "[".repeat(100_000))).contains("is not TOML"));
}

#[test]
fn files_that_cannot_be_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Config::from_file(path.to_str().unwrap())
    };
    let good = format!("data_dir = 'store'\nclient_id = '{ID}'\nca_file = 'ca.pem'\ntenant = '${{CARGO_PKG_NAME}}'");
    assert!(read("tidings.toml", good.as_bytes()).unwrap_err().reason().starts_with("The file that ca_file names does not exist."));
    std::fs::write(folder.path().join("ca.pem"), "the pem").unwrap();
    let config = read("tidings.toml", good.as_bytes()).unwrap();
    assert_eq!(config.data_dir, folder.path().join("store").to_str().unwrap());
    assert_eq!((config.ca_certificates.as_deref(), config.tenant.as_str()), (Some("the pem"), "tidings"));
    assert!(read("bad.toml", b"tenant = '\xff'").unwrap_err().reason().contains("is not UTF-8"));
    assert!(read("large.toml", &vec![b'#'; (1 << 20) + 1]).unwrap_err().reason().contains("larger than 1 MB"));
    assert!(Config::from_file(folder.path().join("none.toml").to_str().unwrap()).unwrap_err().reason().contains("does not exist"));
    assert!(Config::from_file(folder.path().to_str().unwrap()).unwrap_err().reason().contains("is not a plain file"));
    assert!(Config::from_file("").is_err());
}

#[test]
fn a_secret_that_stands_in_the_file_is_known() {
    let holds = |text: &str| parse(&format!("data_dir = 'a'\nclient_id = '{ID}'\n{text}"), Path::new("/etc/app"), &env).unwrap().1.itself;
    for written in ["client_secret = 'canary'", "client_secret = 'x${SECRET}'", "proxy = 'http://user:canary@proxy.example'", "proxy = 'user:canary@proxy.example'", "[apps.x]\nclient_id = 'x'\nclient_secret = 'canary'"] {
        assert!(holds(written), "{written}");
    }
    for elsewhere in ["", "client_secret = '${SECRET}'", "proxy = 'http://proxy.example:8080'", "proxy = 'http://user:${SECRET}@${HOST}:8080'", "tenant = 'canary'"] {
        assert!(!holds(elsewhere), "{elsewhere}");
    }
}

#[cfg(unix)]
#[test]
fn files_with_secrets_that_others_may_read_are_named() {
    use super::file::Holds;
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidings.toml");
    let key = folder.path().join("sales.key");
    let told = |itself: bool, mode: u32| {
        for file in [&file, &key] {
            std::fs::write(file, "").unwrap();
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        exposed(&file, folder.path(), &Holds { itself, keys: vec!["sales.key".into()] })
    };
    assert_eq!(told(true, 0o644), [file.clone(), key.clone()]);
    assert_eq!(told(true, 0o640), [file.clone(), key.clone()]);
    assert_eq!(told(false, 0o604), std::slice::from_ref(&key));
    assert!(told(true, 0o600).is_empty());
}
