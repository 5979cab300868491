//! The manifest and its languages, as JSON. Fields stand in the order in which they are written here.

use super::Ids;
use crate::error::{Error, Result};
use crate::model::{AppPackage, AppScope, AppTexts};
use serde::Serialize;

pub const FILE: &str = "manifest.json";
pub const COLOR: &str = "color.png";
pub const OUTLINE: &str = "outline.png";

const SCHEMA: &str = "https://developer.microsoft.com/en-us/json-schemas/teams/v1.25/MicrosoftTeams.schema.json";
const LANGUAGE_SCHEMA: &str = "https://developer.microsoft.com/en-us/json-schemas/teams/v1.25/MicrosoftTeams.Localization.schema.json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    manifest_version: &'static str,
    version: &'a str,
    id: &'a str,
    developer: Developer<'a>,
    localization_info: Localizations<'a>,
    name: Texts<'a>,
    description: Texts<'a>,
    icons: Icons,
    accent_color: &'a str,
    bots: [Bot<'a>; 1],
    valid_domains: &'a [String],
    web_application_info: WebApplication<'a>,
    /// From 1.25 on an app of teams says that it knows private and shared channels, or is refused; at the root, for the schema takes it nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    supports_channel_features: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Developer<'a> {
    name: &'a str,
    website_url: &'a str,
    privacy_url: &'a str,
    terms_of_use_url: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Localizations<'a> {
    default_language_tag: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    additional_languages: Vec<Language<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Language<'a> {
    language_tag: &'a str,
    file: String,
}

#[derive(Serialize)]
struct Texts<'a> {
    short: &'a str,
    full: &'a str,
}

#[derive(Serialize)]
struct Icons {
    color: &'static str,
    outline: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bot<'a> {
    bot_id: &'a str,
    scopes: Vec<&'static str>,
    is_notification_only: bool,
    supports_calling: bool,
    supports_video: bool,
    supports_files: bool,
}

#[derive(Serialize)]
struct WebApplication<'a> {
    id: &'a str,
    resource: String,
}

#[derive(Serialize)]
struct LanguageFile<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    #[serde(rename = "name.short")]
    name: &'a str,
    #[serde(rename = "name.full")]
    full_name: &'a str,
    #[serde(rename = "description.short")]
    description: &'a str,
    #[serde(rename = "description.full")]
    full_description: &'a str,
}

/// A name of its own, so that no language is called like the manifest.
fn language_file(language: &str) -> String {
    format!("language-{}.json", language.to_ascii_lowercase())
}

fn full_name(texts: &AppTexts) -> &str {
    texts.full_name.as_deref().unwrap_or(&texts.name)
}

/// Each scope once, in the order in which they are declared.
fn scopes(package: &AppPackage) -> Vec<&'static str> {
    let mut scopes = package.scopes.clone();
    scopes.sort_unstable();
    scopes.dedup();
    let name = |scope| match scope {
        AppScope::Personal => "personal",
        AppScope::Team => "team",
        AppScope::GroupChat => "groupChat",
    };
    scopes.into_iter().map(name).collect()
}

/// The package was checked.
pub fn manifest(package: &AppPackage, ids: Ids<'_>) -> Result<Vec<u8>> {
    let language = |one: &'_ crate::model::AppLocalization| language_file(&one.language);
    let (developer, texts) = (&package.developer, &package.texts);
    json(&Manifest {
        schema: SCHEMA,
        manifest_version: "1.25",
        version: &package.version,
        id: &package.app_id,
        developer: Developer { name: &developer.name, website_url: &developer.website_url, privacy_url: &developer.privacy_url, terms_of_use_url: &developer.terms_url },
        localization_info: Localizations {
            default_language_tag: &package.language,
            additional_languages: package.localizations.iter().map(|one| Language { language_tag: &one.language, file: language(one) }).collect(),
        },
        name: Texts { short: &texts.name, full: full_name(texts) },
        description: Texts { short: &texts.description, full: &texts.full_description },
        icons: Icons { color: COLOR, outline: OUTLINE },
        accent_color: &package.accent_color,
        bots: [Bot {
            bot_id: ids.bot,
            scopes: scopes(package),
            is_notification_only: package.is_notification_only,
            supports_calling: false,
            supports_video: false,
            supports_files: package.supports_files,
        }],
        valid_domains: &package.valid_domains,
        web_application_info: WebApplication { id: ids.client, resource: package.resource.clone().unwrap_or_else(|| format!("api://{}", ids.client)) },
        supports_channel_features: package.scopes.contains(&AppScope::Team).then_some("tier1"),
    })
}

/// Name and content of a file for each further language.
pub fn languages(package: &AppPackage) -> Result<Vec<(String, Vec<u8>)>> {
    let file = |one: &crate::model::AppLocalization| {
        let texts = &one.texts;
        let file = LanguageFile { schema: LANGUAGE_SCHEMA, name: &texts.name, full_name: full_name(texts), description: &texts.description, full_description: &texts.full_description };
        Ok((language_file(&one.language), json(&file)?))
    };
    package.localizations.iter().map(file).collect()
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(|e| Error::internal("The app's manifest could not be written.").with_source(e))
}
