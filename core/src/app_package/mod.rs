//! A Teams app as the zip that is uploaded: manifest, icons, languages. The same input gives the same bytes.
//! Source: Microsoft Teams, app manifest schema 1.25 and localization schema 1.25; “Teams app package”.

mod archive;
mod check;
mod icon;
mod manifest;

#[cfg(test)]
mod tests;

use crate::error::Result;
use crate::model::AppPackage;

/// What stands for an id that the package leaves out.
#[derive(Debug, Clone, Copy)]
struct Ids<'a> {
    client: &'a str,
    bot: &'a str,
}

impl<'a> Ids<'a> {
    fn of(package: &'a AppPackage, own_client_id: &'a str) -> Self {
        let client = package.client_id.as_deref().unwrap_or(own_client_id);
        Self { client, bot: package.bot_id.as_deref().unwrap_or(client) }
    }
}

/// `own_client_id`: of the bot, or of the configuration. Errors: InvalidInput, which names the field.
pub fn build(package: &AppPackage, own_client_id: &str) -> Result<Vec<u8>> {
    let ids = Ids::of(package, own_client_id);
    check::check(package, ids)?;
    icon::check_color("color_icon", &package.color_icon)?;
    icon::check_outline("outline_icon", &package.outline_icon)?;
    let mut files = vec![(manifest::FILE.to_owned(), manifest::manifest(package, ids)?)];
    files.push((manifest::COLOR.to_owned(), package.color_icon.clone()));
    files.push((manifest::OUTLINE.to_owned(), package.outline_icon.clone()));
    files.extend(manifest::languages(package)?);
    archive::archive(&files)
}
