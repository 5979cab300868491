/// Something mail can be sent to. The user name of a guest (`name_home.example#EXT#@tenant`) looks like an address and is none: no mail server knows it.
pub fn is_mail_address(text: &str) -> bool {
    let sound = !text.chars().any(|c| c.is_control() || c.is_whitespace());
    sound && text.rsplit_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty()) && !text.to_ascii_uppercase().contains("#EXT#")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_user_name_of_a_guest_is_no_address() {
        for (text, is) in [
            ("ann@contoso.com", true),
            ("o'neil+x@contoso.com", true),
            ("ann_home.example#EXT#@contoso.onmicrosoft.com", false),
            ("ann_home.example#ext#@contoso.onmicrosoft.com", false),
            ("ann", false),
            ("@contoso.com", false),
            ("ann@", false),
            ("an n@contoso.com", false),
            ("", false),
        ] {
            assert_eq!(super::is_mail_address(text), is, "{text}");
        }
    }
}
