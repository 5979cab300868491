//! An authorize request: is it sound, who may enter by its tenant, and how an answer gets back to the app.

use super::grants::{is_oidc, short};
use super::{page, resource, tenant_known};
use crate::apps::{App, Audience};
use crate::http::{Answer, form};
use crate::people::{BOT_FRAMEWORK, PERSONAL};
use crate::world::World;

/// Whose sign-ins an endpoint takes, by the tenant segment of its path. Source: Microsoft identity platform, authority.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    Anyone,
    Work,
    Tenant(usize),
}

pub struct Request {
    pub client_id: String,
    pub redirect_uri: String,
    pub scopes: Vec<String>,
    pub state: Option<String>,
    pub nonce: Option<String>,
    pub challenge: Option<(String, bool)>,
    pub mode: String,
    pub prompt: String,
    pub hint: Option<String>,
    pub authority: Authority,
}

/// A request that cannot go on.
pub enum Refusal {
    /// Shown to the person; the app never hears of it.
    Page(String),
    /// Told to the app.
    Back(Box<Request>, &'static str, String),
}

impl Authority {
    pub fn of(world: &World, tenant: &str) -> Authority {
        match tenant.to_ascii_lowercase().as_str() {
            "common" => Authority::Anyone,
            "organizations" => Authority::Work,
            _ => world.people.tenant(tenant).map_or(Authority::Anyone, Authority::Tenant),
        }
    }

    pub fn admits(self, world: &World, person: usize) -> bool {
        match self {
            Authority::Anyone => true,
            Authority::Work => !world.people.is_personal(person),
            Authority::Tenant(tenant) => world.people.people[person].tenant == tenant,
        }
    }
}

/// Whether the registration allows this authority. The number and text of the refusal, if not.
pub fn audience(world: &World, app: &App, tenant: &str, authority: Authority) -> Result<(), (u32, String)> {
    let name = format!("'{}'(Simulated app)", app.client_id);
    match (&app.audience, authority) {
        (Audience::Single(_), Authority::Anyone | Authority::Work) => Err((
            50_194,
            format!(
                "Application {name} is not configured as a multi-tenant application. Usage of the /{tenant} endpoint is not \
                 supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application \
                 to be multi-tenant."
            ),
        )),
        (Audience::Single(domain), Authority::Tenant(at)) if world.people.tenants[at].domain != *domain => {
            let tenant = &world.people.tenants[at].id;
            Err((700_016, super::token::unknown_app(&app.client_id, if tenant == BOT_FRAMEWORK { "Bot Framework" } else { tenant })))
        }
        (Audience::Work, Authority::Tenant(at)) if world.people.tenants[at].id == PERSONAL => Err((
            9_002_332,
            format!(
                "Application {name} is configured for use by Azure Active Directory users only. Please do not use the /consumers \
                 endpoint to serve this request."
            ),
        )),
        _ => Ok(()),
    }
}

/// The app of a page, and that it may be sent back to where it says.
pub fn app_of(world: &World, tenant: &str, client_id: Option<String>, redirect: Option<String>) -> Result<(App, String), String> {
    let missing = |name: &str| format!("AADSTS900144: The request body must contain the following parameter: '{name}'.");
    if !tenant_known(world, tenant) {
        return Err(format!("AADSTS90002: Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."));
    }
    let client_id = client_id.ok_or_else(|| missing("client_id"))?;
    let Some(app) = world.people.app(&client_id) else {
        return Err(format!("AADSTS700016: {}", super::token::unknown_app(&client_id, tenant)));
    };
    let redirect = redirect.ok_or_else(|| missing("redirect_uri"))?;
    if !app.takes_redirect(&redirect) {
        return Err(format!(
            "AADSTS50011: The redirect URI '{redirect}' specified in the request does not match the redirect URIs configured for \
             the application '{client_id}'."
        ));
    }
    audience(world, app, tenant, Authority::of(world, tenant)).map_err(|(number, text)| format!("AADSTS{number}: {text}"))?;
    Ok((app.clone(), redirect))
}

/// The page for a permission that the registration does not name.
pub fn undeclared(app: &App, scopes: &[String]) -> Option<String> {
    let odd = app.undeclared(scopes)?;
    if app.permissions.as_ref().is_some_and(Vec::is_empty) {
        return Some(format!(
            "AADSTS650057: Invalid resource. The client has requested access to a resource which is not listed in the requested \
             permissions in the client's application registration. Client app ID: {}(Simulated app). Resource value from request: \
             https://graph.microsoft.com. Resource app ID: 00000003-0000-0000-c000-000000000000. List of valid resources from app \
             registration: .",
            app.client_id
        ));
    }
    Some(format!(
        "AADSTS650053: The application 'Simulated app' asked for scope '{}' that doesn't exist on the resource \
         '00000003-0000-0000-c000-000000000000'. Contact the app vendor.",
        short(odd)
    ))
}

pub fn check(world: &World, tenant: &str, query: &str) -> Result<Request, Refusal> {
    let pairs = form(query);
    let get = |name: &str| pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()).filter(|v| !v.is_empty());
    let (app, redirect_uri) = app_of(world, tenant, get("client_id"), get("redirect_uri")).map_err(Refusal::Page)?;
    let method = get("code_challenge_method");
    let request = Request {
        client_id: get("client_id").unwrap_or_default(),
        redirect_uri,
        scopes: get("scope").unwrap_or_default().split_whitespace().map(String::from).collect(),
        state: get("state"),
        nonce: get("nonce"),
        challenge: get("code_challenge").map(|c| (c, method.as_deref() == Some("S256"))),
        mode: get("response_mode").unwrap_or_else(|| "query".into()),
        prompt: get("prompt").unwrap_or_default(),
        hint: get("login_hint"),
        authority: Authority::of(world, tenant),
    };
    let back = |request: Request, error, number: u32, text: &str| {
        Err(Refusal::Back(Box::new(request), error, format!("AADSTS{number}: {text}")))
    };
    match get("response_type").as_deref() {
        Some("code") => {}
        None => {
            let text = "The request body must contain the following parameter: 'response_type'.";
            return back(request, "invalid_request", 900_144, text);
        }
        Some(_) => {
            return back(request, "unsupported_response_type", 700_051, "response_type is not enabled for the application.");
        }
    }
    if request.scopes.is_empty() {
        return back(request, "invalid_request", 900_144, "The request body must contain the following parameter: 'scope'.");
    }
    if let Some((error, number, text)) = resource::wrong(world, tenant, &request.scopes) {
        return back(request, error, number, &text);
    }
    if let Some(odd) = request.scopes.iter().find(|s| !plausible(s)) {
        let text = format!("The application asked for scope '{odd}' that doesn't exist on the resource.");
        return back(request, "invalid_client", 650_053, &text);
    }
    if let Some(text) = undeclared(&app, &request.scopes) {
        return Err(Refusal::Page(text));
    }
    if method.is_some_and(|m| m != "S256" && m != "plain") {
        return back(request, "invalid_request", 501_490, "The code_challenge_method is not supported.");
    }
    if request.challenge.as_ref().is_some_and(|(c, _)| !(43..=128).contains(&c.len())) {
        return back(request, "invalid_request", 501_491, "Invalid size of Code_Challenge parameter.");
    }
    if !matches!(request.mode.as_str(), "query" | "fragment" | "form_post") {
        return back(request, "invalid_request", 70_007, "The response_mode is not supported.");
    }
    if get("claims").is_some_and(|c| serde_json::from_str::<serde_json::Map<_, _>>(&c).is_err()) {
        let text = "Invalid request. The request is malformed or invalid: 'claims' is not a JSON object.";
        return back(request, "invalid_request", 9_002_313, text);
    }
    Ok(request)
}

/// A scope of sign-in, or one that looks like Graph's.
pub fn plausible(scope: &str) -> bool {
    if is_oidc(scope) {
        return true;
    }
    let name = short(scope);
    if !resource::is_graph(scope) {
        return !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    }
    let words = name.split('.').all(|w| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    name == ".default" || (name.contains('.') && words)
}

/// What goes to the redirect URI.
pub struct Back {
    pub uri: String,
    pub mode: String,
    pub fields: Vec<(String, String)>,
}

impl Request {
    pub fn back(&self, fields: &[(&str, &str)]) -> Back {
        let mut fields: Vec<(String, String)> = fields.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        fields.extend(self.state.clone().map(|s| ("state".to_string(), s)));
        Back { uri: self.redirect_uri.clone(), mode: self.mode.clone(), fields }
    }
}

impl Back {
    pub fn location(&self) -> String {
        let Ok(mut url) = url::Url::parse(&self.uri) else {
            return self.uri.clone();
        };
        if self.mode == "fragment" {
            let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish();
            url.set_fragment(Some(&text));
        } else {
            url.query_pairs_mut().extend_pairs(&self.fields);
        }
        url.to_string()
    }

    pub fn answer(&self) -> Answer {
        match self.mode.as_str() {
            "form_post" => Answer::html(200, page::post_back(&self.uri, &self.fields)),
            _ => Answer::redirect(&self.location()),
        }
    }
}
