//! Texts of settings as they may be printed. Somebody puts a password into an address, and prints the settings before they are checked.

/// `text` without what in it may be a secret, if it is an address: the user and password in front of the host, the query and the fragment.
pub fn shown(text: &str) -> String {
    if text.contains(char::is_whitespace) {
        return text.to_owned();
    }
    let Some((scheme, rest)) = text.split_once("://") else { return without_scheme(text) };
    let (host, path) = rest.split_at(rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len()));
    // A password with one of these characters ends the host early; then nothing is sure.
    if path.contains('@') {
        return format!("{scheme}://…");
    }
    let host = match host.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => host.to_owned(),
    };
    let (path, more) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
    format!("{scheme}://{host}{path}{}", if more.is_empty() { "" } else { "?…" })
}

/// `user:password@host`, where the scheme was forgotten; a plain mail address is shown.
fn without_scheme(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((login, host)) if login.contains(':') => format!("…@{host}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        for (text, wanted) in [
            ("https://login.example/v1.0", "https://login.example/v1.0"),
            ("https://user:hush@login.example:8080/v1.0", "https://…@login.example:8080/v1.0"),
            ("https://hush@login.example", "https://…@login.example"),
            ("https://user:hu@sh@login.example/", "https://…@login.example/"),
            ("https://user:hu/sh@login.example/", "https://…"),
            ("https://user:hu#sh@login.example/", "https://…"),
            ("https://app.example/callback?token=hush", "https://app.example/callback?…"),
            ("https://app.example/callback#hush", "https://app.example/callback?…"),
            ("https:user:hush@login.example", "…@login.example"),
            ("user:hush@proxy.example:8080", "…@proxy.example:8080"),
            ("megan@contoso.com", "megan@contoso.com"),
            ("a sentence with https://contoso.com?x", "a sentence with https://contoso.com?x"),
            ("/var/lib/tidings", "/var/lib/tidings"),
            ("", ""),
        ] {
            assert_eq!(shown(text), wanted);
        }
    }
}
