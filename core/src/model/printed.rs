//! What `Debug` shows of records that hold something secret: it ends up in logs.

use super::{Account, Approval, BotInvoke, ConnectRequest, HttpRequest, HttpResponse, LinkRequest, RawOutcome, RawPage, RawRequest, SignIn, TenantRequest, Workflow};
use crate::secret::shown;
use std::fmt;

/// A new field must be put on one of the sides, or this does not compile.
macro_rules! prints {
    ($name:ident shows { $($shown:ident),* } addresses { $($address:ident),* } hides { $($hidden:ident),* }) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Self { $($shown,)* $($address,)* $($hidden: _,)* } = self;
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($shown), $shown))*
                    $(.field(stringify!($address), &shown($address)))*
                    .finish_non_exhaustive()
            }
        }
    };
}

// `context` is whatever the host keeps there; it is sealed in the store.
prints!(ConnectRequest shows { owner, features, login_hint, extra_scopes, app, tenant } addresses { redirect_uri } hides { context });
prints!(TenantRequest shows { owner, app, tenant, endpoint } addresses { redirect_uri } hides { context });
prints!(LinkRequest shows { owner, app, tenant, login_hint, endpoint } addresses { redirect_uri } hides { context });
prints!(Account shows {
    id, owner, kind, state, app, address, display_name, tenant_id, user_id, features, scopes, missing, connected_at, folders, problem, warnings, access_ends_at, delegate
} addresses {} hides { context });
prints!(Workflow shows { id, owner, name, url, host, added_at } addresses {} hides { context });
// The URL carries `state`, the binding is a secret.
prints!(SignIn shows { expires_at } addresses {} hides { url, binding });
prints!(Approval shows { account_id, expires_at } addresses {} hides { url, binding, justification, sheet });
// What a host sends to Graph and gets from there may hold anything, and links carry what opens them.
prints!(RawRequest shows { method, version, repeat, background, max_wait_ms } addresses { path } hides { query, headers, json, body });
prints!(RawPage shows {} addresses {} hides { items, envelope, next_link, delta_link });
prints!(RawOutcome shows { status, request_id, error_kind, error, retry_after_ms } addresses {} hides { headers, body });
// What proves that a notification is Microsoft's.
prints!(HttpRequest shows { method } addresses { path } hides { query, headers, body });
prints!(HttpResponse shows { status } addresses {} hides { headers, body });
// What a person wrote or pressed, and the code of a sign-in.
prints!(BotInvoke shows { account_id, conversation_id, activity_id, sender_id, sender_object_id, name, is_automatic, reply_to, locale } addresses {} hides { sender_name, value, verb, data, sign_in_state });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_a_request_tells_no_secret() {
        let redirect_uri = || "https://user:hush@app.example/callback?token=hush".to_owned();
        let context = || Some("hush".to_owned());
        let printed = [
            format!("{:?}", ConnectRequest { owner: "me".into(), redirect_uri: redirect_uri(), context: context(), ..Default::default() }),
            format!("{:?}", TenantRequest { owner: "me".into(), redirect_uri: redirect_uri(), context: context(), ..Default::default() }),
            format!("{:?}", LinkRequest { owner: "me".into(), redirect_uri: redirect_uri(), context: context(), ..Default::default() }),
        ];
        for text in printed {
            assert!(!text.contains("hush") && text.contains("https://…@app.example/callback?…") && text.contains("\"me\""), "{text}");
        }
    }
}
