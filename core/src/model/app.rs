use super::endpoint::SubscriberLink;
use serde::{Deserialize, Serialize};

/// Where an app's bot works. `Personal`: one person's own chat with it; `Team`: the channels of a team; `GroupChat`: chats of several people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppScope {
    Personal,
    Team,
    GroupChat,
}

/// Who makes an app, as Teams shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppDeveloper {
    /// 1 to 32 characters.
    pub name: String,
    /// These three are https addresses of at most 2,048 characters.
    pub website_url: String,
    pub privacy_url: String,
    pub terms_url: String,
}

/// What Teams says of an app in one language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppTexts {
    /// 1 to 30 characters.
    pub name: String,
    /// 1 to 80 characters.
    pub description: String,
    /// 1 to 4,000 characters.
    pub full_description: String,
    /// 1 to 100 characters. None: the name.
    pub full_name: Option<String>,
}

/// The texts of an app in a further language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppLocalization {
    /// A language tag, as in `fr` or `fr-ca`.
    pub language: String,
    pub texts: AppTexts,
}

/// A Teams app with a bot, as it is uploaded in Teams, in its admin centre or to the catalogue. Lengths count UTF-16 units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppPackage {
    /// A GUID that the app keeps over all its versions; the catalogue calls it the external id.
    pub app_id: String,
    /// Three numbers, as in `1.0.0`. A changed package needs a higher one.
    pub version: String,
    pub developer: AppDeveloper,
    pub texts: AppTexts,
    /// A PNG of 192 × 192 pixels, 1 MB at the most.
    pub color_icon: Vec<u8>,
    /// A PNG of 32 × 32 pixels, white on a transparent ground, 1 MB at the most.
    pub outline_icon: Vec<u8>,
    /// Where the bot works, one at least.
    pub scopes: Vec<AppScope>,
    /// The ground behind the icon, as in `#4464EE`.
    pub accent_color: String,
    /// The application id of the bot. None: the `client_id`.
    pub bot_id: Option<String>,
    /// The application in Entra whose tokens may install the app for itself. None: that of `bot_app`, or else of the configuration.
    pub client_id: Option<String>,
    /// The resource of single sign-on. None: `api://` and the `client_id`.
    pub resource: Option<String>,
    /// People cannot write to the bot; it only tells.
    pub is_notification_only: bool,
    /// The bot sends and takes files in personal chats.
    pub supports_files: bool,
    /// Hosts that what the bot shows may open, at most 16: no `https://`, no path; whole parts may be `*`, as in `*.contoso.com`.
    pub valid_domains: Vec<String>,
    /// Language tag of `texts`, which are shown as well where there is no better language.
    pub language: String,
    /// At most 100 further languages.
    pub localizations: Vec<AppLocalization>,
}

impl Default for AppPackage {
    fn default() -> Self {
        Self {
            app_id: String::new(),
            version: String::new(),
            developer: AppDeveloper::default(),
            texts: AppTexts::default(),
            color_icon: Vec::new(),
            outline_icon: Vec::new(),
            scopes: Vec::new(),
            accent_color: "#FFFFFF".to_owned(),
            bot_id: None,
            client_id: None,
            resource: None,
            is_notification_only: false,
            supports_files: false,
            valid_domains: Vec::new(),
            language: "en-us".to_owned(),
            localizations: Vec::new(),
        }
    }
}

/// Which app, and where: exactly one of `team_id` and `user` is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstallRequest {
    /// The account that asks: of a person, or of an organisation.
    pub account_id: String,
    /// The id in the app's manifest.
    pub external_id: String,
    pub team_id: Option<String>,
    /// A person of the organisation, by mail address or object id.
    pub user: Option<String>,
    /// Whose the account must be.
    pub owner: Option<String>,
    /// With `install_app` through the account of an organisation: an endpoint is made there once the app is installed, for the person, or in the channel General of the team. None: no endpoint.
    pub endpoint: Option<SubscriberLink>,
}

/// An app as it is installed for a team or a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppInstall {
    pub installation_id: String,
    /// The catalogue's id of the app.
    pub app_id: String,
    /// The person's own chat with the bot. None: for a team, and where Microsoft has made none yet.
    pub chat_id: Option<String>,
    /// It was installed before this call.
    pub was_there: bool,
    /// Of the app that is installed, as in its manifest; none where Microsoft does not tell.
    pub version: Option<String>,
}
