//! The verb that makes a Teams app's package.

use super::Engine;
use crate::error::Result;
use crate::model::AppPackage;

impl Engine {
    /// A Teams app with a bot as the zip that is uploaded: manifest 1.25, both icons, and a file for each further language. Everything is checked by the rules of
    /// Microsoft's schema before anything is made; the same package gives the same bytes, on every machine. Stores nothing and touches no network.
    /// Errors: InvalidInput, which names the field. Source: Microsoft Teams, app manifest schema 1.25.
    pub async fn app_package(&self, package: AppPackage) -> Result<Vec<u8>> {
        self.finish(|inner| async move {
            let own = inner.bots.connector.as_ref().map_or_else(|| inner.auth.client_id(), |bot| bot.client_id());
            crate::app_package::build(&package, own)
        })
        .await
    }
}
