//! The pages that a browser sees.

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub fn frame(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>\
         body{{font:16px/1.5 system-ui,sans-serif;background:#f2f2f2;margin:0}}\
         main{{max-width:26em;margin:4em auto;padding:2em;background:#fff;box-shadow:0 2px 6px #0003}}\
         button{{font:inherit;display:block;width:100%;margin:.4em 0;padding:.6em;text-align:left;border:1px solid #bbb;background:#fff}}\
         button.yes{{background:#0067b8;color:#fff}}small{{color:#555}}</style></head>\
         <body><main><h1>{title}</h1>{body}<p><small>Simulated Microsoft 365</small></p></main></body></html>"
    )
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
}

/// The list of people; each button is one.
pub fn pick(action: &str, query: &str, people: &[(String, String)]) -> String {
    let buttons: String = people
        .iter()
        .map(|(address, name)| {
            let address = escape(address);
            format!("<button name=\"as\" value=\"{address}\">{}<br><small>{address}</small></button>", escape(name))
        })
        .collect();
    let form = format!("<form method=\"post\" action=\"{}\">{}{buttons}</form>", escape(action), hidden("request", query));
    frame("Pick an account", &form)
}

pub fn consent(action: &str, query: &str, address: &str, scopes: &[String]) -> String {
    let list: String = scopes.iter().map(|s| format!("<li>{}</li>", escape(s))).collect();
    let form = format!(
        "<p>{}</p><p>This app would like to:</p><ul>{list}</ul><form method=\"post\" action=\"{}\">{}{}\
         <button class=\"yes\" name=\"decision\" value=\"approve\">Accept</button>\
         <button name=\"decision\" value=\"decline\">Cancel</button>\
         <button name=\"decision\" value=\"admin_required\">Have your administrator approve it (go back)</button></form>",
        escape(address),
        escape(action),
        hidden("request", query),
        hidden("as", address),
    );
    frame("Permissions requested", &form)
}

/// What Microsoft says where people may ask their administrator for approval.
pub const REQUEST: &str = "Approval required. This app requires your admin's approval to do what it asks for. Enter justification for \
                           requesting this app. (AADSTS90095: Admin consent is required; request access.)";
pub const REQUESTED: &str = "Approval required. Request sent. Your admin has received your request and will review it.";

/// The dead end of a person who may not agree.
pub fn needs_admin(action: &str, query: &str, address: &str, may_ask: bool) -> String {
    let (title, text, ask) = match may_ask {
        true => {
            ("Approval required", REQUEST, "<button class=\"yes\" name=\"decision\" value=\"request\">Request approval</button>")
        }
        false => (
            "Need admin approval",
            "This app needs permission to access resources in your organization that only an admin can grant. Please ask an admin to \
             grant permission to this app before you can use it. (AADSTS90094)",
            "",
        ),
    };
    let form = format!(
        "<p>{}</p><p>{text}</p><form method=\"post\" action=\"{}\">{}{}{ask}\
         <button name=\"decision\" value=\"admin_required\">Return to the application without granting consent</button></form>",
        escape(address),
        escape(action),
        hidden("request", query),
        hidden("as", address),
    );
    frame(title, &form)
}

/// The consent page of an administrator, who decides for everyone.
pub fn admin_consent(action: &str, query: &str, address: &str, permissions: &[String]) -> String {
    let list: String = permissions.iter().map(|s| format!("<li>{}</li>", escape(s))).collect();
    let form = format!(
        "<p>{}</p><p>Review for your organization. If you accept, this app will get access for all users in your organization:</p>\
         <ul>{list}</ul><form method=\"post\" action=\"{}\">{}{}\
         <button class=\"yes\" name=\"decision\" value=\"approve\">Accept</button>\
         <button name=\"decision\" value=\"decline\">Cancel</button></form>",
        escape(address),
        escape(action),
        hidden("request", query),
        hidden("as", address),
    );
    frame("Permissions requested", &form)
}

pub fn said(title: &str, text: &str) -> String {
    frame(title, &format!("<p>{}</p>", escape(text)))
}

/// Where a code from another device is typed in.
pub fn device(action: &str, people: &[(String, String)]) -> String {
    let options: String =
        people.iter().map(|(address, name)| format!("<option value=\"{}\">{}</option>", escape(address), escape(name))).collect();
    let form = format!(
        "<form method=\"post\" action=\"{}\"><p><label>Code <input name=\"user_code\" autofocus></label></p>\
         <p><label>Account <select name=\"as\">{options}</select></label></p>\
         <button class=\"yes\" name=\"decision\" value=\"approve\">Continue</button>\
         <button name=\"decision\" value=\"decline\">Cancel</button></form>",
        escape(action)
    );
    frame("Enter code", &form)
}

pub fn error(text: &str) -> String {
    frame("Sorry, but we’re having trouble signing you in.", &format!("<p>{}</p>", escape(text)))
}

/// For `response_mode=form_post`.
pub fn post_back(uri: &str, fields: &[(String, String)]) -> String {
    let inputs: String = fields.iter().map(|(k, v)| hidden(k, v)).collect();
    let form = format!(
        "<form method=\"post\" action=\"{}\" name=\"back\">{inputs}<button>Continue</button></form>\
         <script>document.forms.back.submit()</script>",
        escape(uri)
    );
    frame("Working…", &form)
}
