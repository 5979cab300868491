#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{Ids, build, check::check};
use crate::error::ErrorKind;
use crate::model::{AppDeveloper, AppLocalization, AppPackage, AppScope, AppTexts};
use png::{BitDepth, ColorType};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::{Cursor, Read};
use std::sync::LazyLock;

const APP: &str = "1c9a4f5e-7b2d-4c3a-9e8f-0a1b2c3d4e5f";
const CLIENT: &str = "4f2b6f0a-0000-4000-8000-000000000002";

/// A PNG of this size whose samples come from each pixel's place.
fn png_of(side: u32, color: ColorType, depth: BitDepth, pixel: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == ColorType::Indexed {
        encoder.set_palette(vec![255, 255, 255, 0, 0, 0]);
        encoder.set_trns(vec![255, 0]);
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&(0..side * side).flat_map(pixel).collect::<Vec<u8>>()).unwrap();
    writer.finish().unwrap();
    bytes
}

fn rgba(side: u32, pixel: impl Fn(u32) -> [u8; 4]) -> Vec<u8> {
    png_of(side, ColorType::Rgba, BitDepth::Eight, |n| pixel(n).to_vec())
}

static COLOR: LazyLock<Vec<u8>> = LazyLock::new(|| rgba(192, |n| [n as u8, 70, 200, 255]));
/// Every second pixel is white.
static OUTLINE: LazyLock<Vec<u8>> = LazyLock::new(|| rgba(32, |n| if n % 2 == 0 { [255; 4] } else { [0; 4] }));

fn outline() -> Vec<u8> {
    OUTLINE.clone()
}

fn texts(name: &str) -> AppTexts {
    AppTexts { name: name.into(), description: "Tells of candidates.".into(), full_description: "Tells of candidates.\nAnd of interviews.".into(), full_name: None }
}

fn package() -> AppPackage {
    let address = |page: &str| format!("https://contoso.com/{page}");
    AppPackage {
        app_id: APP.into(),
        version: "1.0.0".into(),
        developer: AppDeveloper { name: "Contoso".into(), website_url: address(""), privacy_url: address("privacy"), terms_url: address("terms") },
        texts: texts("Candidates"),
        color_icon: COLOR.clone(),
        outline_icon: outline(),
        scopes: vec![AppScope::Team, AppScope::Personal, AppScope::Team],
        ..AppPackage::default()
    }
}

fn files(zip: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    (0..archive.len())
        .map(|n| {
            let mut file = archive.by_index(n).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            (file.name().unwrap().into_owned(), content)
        })
        .collect()
}

fn manifest(package: &AppPackage) -> Value {
    let zip = build(package, CLIENT).unwrap();
    serde_json::from_slice(&files(&zip)[0].1).unwrap()
}

#[test]
fn the_package_holds_the_manifest_both_icons_and_every_language() {
    let mut package = package();
    package.localizations = vec![
        AppLocalization { language: "fr-CA".into(), texts: AppTexts { full_name: Some("Candidats de Contoso".into()), ..texts("Candidats") } },
        // A tag that is legal, and whose file must not take the place of the manifest.
        AppLocalization { language: "manifest".into(), texts: texts("Odd") },
    ];
    let zip = build(&package, CLIENT).unwrap();
    let files = files(&zip);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["manifest.json", "color.png", "outline.png", "language-fr-ca.json", "language-manifest.json"]);
    assert_eq!((&files[1].1, &files[2].1), (&package.color_icon, &package.outline_icon));
    let manifest: Value = serde_json::from_slice(&files[0].1).unwrap();
    assert_eq!(
        manifest,
        json!({
            "$schema": "https://developer.microsoft.com/en-us/json-schemas/teams/v1.25/MicrosoftTeams.schema.json",
            "manifestVersion": "1.25",
            "version": "1.0.0",
            "id": APP,
            "developer": { "name": "Contoso", "websiteUrl": "https://contoso.com/", "privacyUrl": "https://contoso.com/privacy", "termsOfUseUrl": "https://contoso.com/terms" },
            "localizationInfo": {
                "defaultLanguageTag": "en-us",
                "additionalLanguages": [{ "languageTag": "fr-CA", "file": "language-fr-ca.json" }, { "languageTag": "manifest", "file": "language-manifest.json" }],
            },
            "name": { "short": "Candidates", "full": "Candidates" },
            "description": { "short": "Tells of candidates.", "full": "Tells of candidates.\nAnd of interviews." },
            "icons": { "color": "color.png", "outline": "outline.png" },
            "accentColor": "#FFFFFF",
            "bots": [{ "botId": CLIENT, "scopes": ["personal", "team"], "isNotificationOnly": false, "supportsCalling": false, "supportsVideo": false, "supportsFiles": false }],
            "validDomains": [],
            "webApplicationInfo": { "id": CLIENT, "resource": format!("api://{CLIENT}") },
            "supportsChannelFeatures": "tier1",
        })
    );
    let french: Value = serde_json::from_slice(&files[3].1).unwrap();
    assert_eq!(
        french,
        json!({
            "$schema": "https://developer.microsoft.com/en-us/json-schemas/teams/v1.25/MicrosoftTeams.Localization.schema.json",
            "name.short": "Candidats", "name.full": "Candidats de Contoso",
            "description.short": "Tells of candidates.", "description.full": "Tells of candidates.\nAnd of interviews.",
        })
    );
}

#[test]
fn what_is_given_takes_the_place_of_what_is_usual() {
    let bot = "9d1e2f3a-0000-4000-8000-00000000b07b";
    let given = AppPackage {
        bot_id: Some(bot.into()),
        client_id: Some(APP.into()),
        resource: Some("https://notapplicable".into()),
        scopes: vec![AppScope::GroupChat],
        is_notification_only: true,
        supports_files: true,
        accent_color: "#4464ee".into(),
        valid_domains: vec!["bot.contoso.com".into(), "*.*.contoso.com".into(), "localhost:53000".into()],
        language: "de".into(),
        ..package()
    };
    let manifest = manifest(&given);
    assert_eq!(manifest["bots"][0]["botId"], bot);
    assert_eq!(manifest["bots"][0]["scopes"], json!(["groupChat"]));
    assert_eq!((&manifest["bots"][0]["isNotificationOnly"], &manifest["bots"][0]["supportsFiles"]), (&json!(true), &json!(true)));
    assert_eq!(manifest["webApplicationInfo"], json!({ "id": APP, "resource": "https://notapplicable" }));
    assert_eq!(manifest["localizationInfo"], json!({ "defaultLanguageTag": "de" }));
    assert_eq!(manifest["validDomains"], json!(["bot.contoso.com", "*.*.contoso.com", "localhost:53000"]));
    assert_eq!(manifest["supportsChannelFeatures"], Value::Null, "an app that is in no team says nothing of channels");
}

/// What is compared anywhere, by a hash say, does not change from one build or machine to the next.
#[test]
fn the_same_package_gives_the_same_bytes() {
    let first = build(&package(), CLIENT).unwrap();
    let again = AppPackage { scopes: vec![AppScope::Personal, AppScope::Team], ..package() };
    assert_eq!(first, build(&again, CLIENT).unwrap(), "the order of scopes says nothing");
    let mut archive = zip::ZipArchive::new(Cursor::new(&first)).unwrap();
    for n in 0..archive.len() {
        let file = archive.by_index(n).unwrap();
        assert_eq!(file.last_modified(), Some(zip::DateTime::default()), "{:?}", file.name());
        assert_eq!((file.compression(), file.unix_mode()), (zip::CompressionMethod::Stored, Some(0o100_644)), "{:?}", file.name());
    }
}

type Change = fn(&mut AppPackage, String);
/// A field, how it is set, what is just allowed and what is not.
type Case = (&'static str, Change, (Vec<String>, Vec<String>));

fn long(n: usize) -> String {
    "x".repeat(n)
}

fn url_of(n: usize) -> String {
    format!("https://c.example/{}", long(n - "https://c.example/".len()))
}

/// Each field: what is just allowed, and what is not.
#[test]
fn every_limit_is_kept_and_its_field_is_named() {
    let good_guids = vec![APP.to_owned(), APP.to_ascii_uppercase()];
    let bad_guids = ["", "1c9a4f5e7b2d4c3a9e8f0a1b2c3d4e5f", "{1c9a4f5e-7b2d-4c3a-9e8f-0a1b2c3d4e5f}", "1c9a4f5e-7b2d-4c3a-9e8f-0a1b2c3d4e5", "1c9a4f5e-7b2d-4c3a-9e8f-0a1b2c3d4e5g", "1c9a4f5e-7b2d-4c3a-9e8f-0a1b2c3d4e5f-"].map(str::to_owned).to_vec();
    let good_urls = vec!["https://contoso.com".to_owned(), "HTTPS://contoso.com/a?b#c".to_owned(), url_of(2048)];
    let bad_urls = vec![
        String::new(), "http://contoso.com".into(), "contoso.com".into(), "https://".into(), "https:contoso.com".into(), "https:/contoso.com".into(), "https://user:pw@contoso.com".into(),
        "https://contoso.com/a b".into(), " https://contoso.com".into(), "https://contoso.com\n".into(), "https:\\\\contoso.com".into(), "ftp://contoso.com".into(), url_of(2049),
    ];
    let texts = |most: usize| (vec![long(1), long(most), "é".repeat(most), "😀".repeat(most / 2)], vec![String::new(), "  ".to_owned(), long(most + 1), "😀".repeat(most / 2 + 1), "a\u{7}b".to_owned()]);
    let (names, descriptions) = (texts(30), texts(80));
    let one_line = |(good, mut bad): (Vec<String>, Vec<String>)| {
        bad.push("a\nb".to_owned());
        (good, bad)
    };
    let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let localization = |p: &mut AppPackage| p.localizations = vec![AppLocalization { language: "fr".into(), texts: self::texts("Candidats") }];
    let cases: Vec<Case> = vec![
        ("app_id", |p, text| p.app_id = text, (good_guids.clone(), bad_guids.clone())),
        ("bot_id", |p, text| p.bot_id = Some(text), (good_guids.clone(), bad_guids.clone())),
        ("client_id", |p, text| p.client_id = Some(text), (good_guids, bad_guids)),
        ("version", |p, text| p.version = text, (own(&["0.0.1", "1.20.300", "999999999.0.0"]), own(&["", "1", "1.0", "1.0.0.0", "01.0.0", "1.0.0-beta", "1.0.x", "1..0", "1.0.0 ", "-1.0.0", "1.0.9999999999"]))),
        ("developer.name", |p, text| p.developer.name = text, one_line(texts(32))),
        ("developer.website_url", |p, text| p.developer.website_url = text, (good_urls.clone(), bad_urls.clone())),
        ("developer.privacy_url", |p, text| p.developer.privacy_url = text, (good_urls.clone(), bad_urls.clone())),
        ("developer.terms_url", |p, text| p.developer.terms_url = text, (good_urls, bad_urls)),
        ("texts.name", |p, text| p.texts.name = text, one_line(names.clone())),
        ("texts.full_name", |p, text| p.texts.full_name = Some(text), one_line(texts(100))),
        ("texts.description", |p, text| p.texts.description = text, one_line(descriptions.clone())),
        ("texts.full_description", |p, text| p.texts.full_description = text, texts(4000)),
        ("accent_color", |p, text| p.accent_color = text, (own(&["#000000", "#aAbBcC"]), own(&["", "000000", "#000", "#00000g", "#0000000", "red"]))),
        ("resource", |p, text| p.resource = Some(text), (vec!["api://x".into(), long(2048)], vec![String::new(), "a b".into(), "a\u{1}".into(), long(2049)])),
        (
            "valid_domains[0]",
            |p, text| p.valid_domains = vec![text],
            (
                own(&["contoso.com", "a.b.contoso.com:8443", "*.contoso.com", "*.*.contoso.com", "a.*.contoso.com", "localhost", "localhost:53000", "xn--bcher-kva.example", "a_b.contoso.com", &format!("{}.com", long(63))]),
                own(&[
                    "", "https://contoso.com", "contoso.com/", "contoso.com/path", "*", "*.com", "*.*", "contoso.*", "a*.contoso.com", "contoso", ".contoso.com", "contoso..com", "contoso.com.", "-a.contoso.com",
                    "a-.contoso.com", "bücher.example", "con toso.com", "contoso.com:", "contoso.com:0", "contoso.com:65536", "contoso.com:+80", "user@contoso.com", &format!("{}.com", long(64)), &format!("{}com", "abcdefgh.".repeat(30)),
                ]),
            ),
        ),
        ("language", |p, text| p.language = text, (own(&["en", "en-us", "zh-Hans-CN", "a1"]), own(&["", "en_us", "en-", "abcdefghi", "a-b-c-d", "dé"]))),
        ("localizations[0].language", |p, text| p.localizations[0].language = text, (own(&["fr", "pt-BR"]), own(&["", "../fr", "fr/ca", "EN-US"]))),
        ("localizations[0].texts.name", |p, text| p.localizations[0].texts.name = text, one_line(names)),
        ("localizations[0].texts.full_name", |p, text| p.localizations[0].texts.full_name = Some(text), one_line(texts(100))),
        ("localizations[0].texts.description", |p, text| p.localizations[0].texts.description = text, one_line(descriptions)),
        ("localizations[0].texts.full_description", |p, text| p.localizations[0].texts.full_description = text, texts(4000)),
    ];
    for (field, change, (good, bad)) in cases {
        for (text, is_good) in good.into_iter().map(|text| (text, true)).chain(bad.into_iter().map(|text| (text, false))) {
            let mut package = package();
            localization(&mut package);
            change(&mut package, text.clone());
            match check(&package, Ids::of(&package, CLIENT)) {
                Ok(()) => assert!(is_good, "{field} took {text:?}"),
                Err(error) => {
                    assert!(!is_good, "{field} refused {text:?}: {error}");
                    assert_eq!(error.kind(), ErrorKind::InvalidInput);
                    assert!(error.reason().starts_with(&format!("{field} ")), "{field}, {text:?}: {error}");
                    assert!(text.len() < 30 || !error.reason().contains(&text), "the error repeats {text:?}");
                }
            }
        }
    }
}

#[test]
fn lists_have_limits_too() {
    let refused = |change: fn(&mut AppPackage)| {
        let mut package = package();
        change(&mut package);
        build(&package, CLIENT).unwrap_err().reason().to_owned()
    };
    assert!(refused(|p| p.scopes.clear()).starts_with("scopes must"));
    assert!(refused(|p| p.valid_domains = (0..17).map(|n| format!("a{n}.contoso.com")).collect()).starts_with("valid_domains may name 16"));
    assert!(refused(|p| p.valid_domains = vec!["contoso.com".into(), "Contoso.com".into()]).starts_with("valid_domains[1] "));
    let language = |tag: String| AppLocalization { language: tag, texts: texts("x") };
    let mut many = package();
    many.localizations = (0..101).map(|n| language(format!("l{n}"))).collect();
    assert!(build(&many, CLIENT).unwrap_err().reason().starts_with("localizations may name 100"));
    many.localizations.truncate(100);
    assert!(build(&many, CLIENT).is_ok());
    many.localizations = vec![language("fr".into()), language("FR".into())];
    assert!(build(&many, CLIENT).unwrap_err().reason().starts_with("localizations[1].language is there already"));
    let own_id = build(&package(), "not-a-guid").unwrap_err();
    assert!(own_id.reason().starts_with("client_id must be a GUID"));
}

#[test]
fn icons_are_looked_at() {
    let color = |bytes: Vec<u8>| build(&AppPackage { color_icon: bytes, ..package() }, CLIENT).map(drop).map_err(|e| e.reason().to_owned());
    let outline = |bytes: Vec<u8>| build(&AppPackage { outline_icon: bytes, ..package() }, CLIENT).map(drop).map_err(|e| e.reason().to_owned());
    // Every kind of PNG.
    for (kind, depth, sample) in [
        (ColorType::Rgb, BitDepth::Eight, vec![1, 2, 3]),
        (ColorType::Rgba, BitDepth::Sixteen, vec![1, 1, 2, 2, 3, 3, 255, 255]),
        (ColorType::Grayscale, BitDepth::Eight, vec![9]),
        (ColorType::GrayscaleAlpha, BitDepth::Eight, vec![9, 255]),
        (ColorType::Indexed, BitDepth::Eight, vec![1]),
    ] {
        assert_eq!(color(png_of(192, kind, depth, |_| sample.clone())), Ok(()), "{kind:?}");
    }
    for (kind, sample) in [(ColorType::GrayscaleAlpha, [[255, 255], [0, 0]].map(|s| s.to_vec())), (ColorType::Indexed, [vec![0], vec![1]])] {
        assert_eq!(outline(png_of(32, kind, BitDepth::Eight, |n| sample[(n % 2) as usize].clone())), Ok(()), "{kind:?}");
    }
    // Edges that are partly transparent may be dark.
    assert_eq!(outline(rgba(32, |n| [[255; 4], [0; 4], [10, 10, 10, 60]][(n % 3) as usize])), Ok(()));
    let whole = rgba(192, |_| [1, 2, 3, 255]);
    let cut = |n: usize| whole[..n].to_vec();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for (field, outcome, says) in [
        ("color_icon", color(Vec::new()), "no PNG"),
        ("color_icon", color(b"GIF89a".to_vec()), "no PNG"),
        ("color_icon", color(b"\xff\xd8\xff\xe0 a photo".to_vec()), "no PNG"),
        ("color_icon", color(cut(20)), "no PNG"),
        ("color_icon", color(cut(60)), "damaged"),
        ("color_icon", color(cut(whole.len() - 12)), "damaged"),
        ("color_icon", color(flipped), "damaged"),
        ("color_icon", color(rgba(191, |_| [0; 4])), "it is 191 × 191"),
        ("color_icon", color(self::outline()), "it is 32 × 32"),
        ("color_icon", color(vec![0; (1 << 20) + 1]), "more than 1 MB"),
        ("outline_icon", outline(rgba(192, |_| [255; 4])), "it is 192 × 192"),
        ("outline_icon", outline(rgba(32, |_| [255; 4])), "no transparent pixel"),
        ("outline_icon", outline(png_of(32, ColorType::Rgb, BitDepth::Eight, |_| vec![255; 3])), "no transparent pixel"),
        ("outline_icon", outline(rgba(32, |_| [0; 4])), "shows nothing"),
        ("outline_icon", outline(rgba(32, |n| if n == 0 { [0; 4] } else { [0, 0, 255, 255] })), "another colour"),
    ] {
        let reason = outcome.unwrap_err();
        assert!(reason.starts_with(field) && reason.contains(says), "{says}: {reason}");
    }
}

/// An animation would be shown as a still picture, and not everywhere.
#[test]
fn an_animated_icon_is_refused() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 192, 192);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    let frame = vec![0; 192 * 192];
    writer.write_image_data(&frame).unwrap();
    writer.write_image_data(&frame).unwrap();
    writer.finish().unwrap();
    let error = build(&AppPackage { color_icon: bytes, ..package() }, CLIENT).unwrap_err();
    assert!(error.reason().contains("animated"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is handed in as an icon: it is taken or refused, and nothing breaks.
    #[test]
    fn no_bytes_break_the_check_of_icons(noise in proptest::collection::vec(any::<u8>(), 0..200), changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), cut in any::<prop::sample::Index>()) {
        for bytes in [noise.clone(), [b"\x89PNG\r\n\x1a\n".to_vec(), noise].concat()] {
            let _ = super::icon::check_color("color_icon", &bytes);
        }
        let mut changed = outline();
        for (place, byte) in changes {
            let n = place.index(changed.len());
            changed[n] = byte;
        }
        let _ = super::icon::check_outline("outline_icon", &changed);
        changed.truncate(cut.index(changed.len()));
        let _ = super::icon::check_outline("outline_icon", &changed);
    }

    /// Texts of any kind never make a manifest that is no JSON, and what is taken stands in it to the letter.
    #[test]
    fn texts_stand_in_the_manifest_to_the_letter(name in "\\PC{1,40}", full in "(?s).{1,60}") {
        let mut package = package();
        package.texts.name.clone_from(&name);
        package.texts.full_description.clone_from(&full);
        let ids = Ids::of(&package, CLIENT);
        if check(&package, ids).is_ok() {
            let manifest: Value = serde_json::from_slice(&super::manifest::manifest(&package, ids).unwrap()).unwrap();
            prop_assert_eq!(&manifest["name"]["short"], &Value::from(name));
            prop_assert_eq!(&manifest["description"]["full"], &Value::from(full));
        }
    }
}
