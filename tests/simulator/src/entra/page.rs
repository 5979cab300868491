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
