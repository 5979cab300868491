//! What the text forms of records and variants may show, for the languages whose own would show every field.

use crate::contract::*;
use heck::ToLowerCamelCase;

/// A record, or one variant of an enum with data.
pub struct Printed {
    pub name: String,
    /// The enum it is a variant of.
    pub of: Option<String>,
    /// Names in camel case.
    pub fields: Vec<(String, Form)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Hidden,
    /// May be an address with a password in it; see the core's `shown`.
    Text,
    OptionalText,
    Texts,
    AsItIs,
}

/// All that have a field which is hidden or is a text that a host has written. In the order of the contract.
pub fn printed(contract: &Contract) -> Vec<Printed> {
    let inward = contract.crossing(true);
    let form = |of: &str, field: &Field| match &field.ty {
        _ if is_secret(of, &field.name) => Form::Hidden,
        Type::String => Form::Text,
        Type::Optional { inner_type } if **inner_type == Type::String => Form::OptionalText,
        Type::Sequence { inner_type } if **inner_type == Type::String => Form::Texts,
        _ => Form::AsItIs,
    };
    let fields = |of: &str, fields: &[Field]| fields.iter().map(|f| (f.name.to_lower_camel_case(), form(of, f))).collect::<Vec<_>>();
    let records = contract.records.iter().map(|r| (inward.contains(&r.name.as_str()), Printed { name: r.name.clone(), of: None, fields: fields(&r.name, &r.fields) }));
    let variants = contract.unions.iter().filter(|u| contract.taken(&u.name)).flat_map(|u| {
        u.variants.iter().filter(|v| !v.fields.is_empty()).map(|v| (true, Printed { name: v.name.clone(), of: Some(u.name.clone()), fields: fields(&v.name, &v.fields) }))
    });
    let wanted = |(written, it): (bool, Printed)| {
        let counts = |form: Form| form == Form::Hidden || (written && form != Form::AsItIs);
        it.fields.iter().any(|(_, form)| counts(*form)).then_some(it)
    };
    records.chain(variants).filter_map(wanted).collect()
}

impl Printed {
    /// A Kotlin template; `shown` is written by hand there.
    pub fn in_kotlin(&self) -> String {
        let one = |(field, form): &(String, Form)| match form {
            Form::Hidden => format!("{field}=…"),
            Form::Text => format!("{field}=${{shown(`{field}`)}}"),
            Form::OptionalText => format!("{field}=${{`{field}`?.let(::shown)}}"),
            Form::Texts => format!("{field}=${{`{field}`.map(::shown)}}"),
            Form::AsItIs => format!("{field}=${{`{field}`}}"),
        };
        format!("{}({})", self.name, each(&self.fields, ", ", one))
    }

    fn in_swift(&self, name: &str) -> String {
        let one = |(field, form): &(String, Form)| match form {
            Form::Hidden => format!("{field}: …"),
            Form::Text => format!("{field}: \\(shown({field}))"),
            Form::OptionalText => format!("{field}: \\(String(describing: {field}.map(shown)))"),
            Form::Texts => format!("{field}: \\({field}.map(shown))"),
            Form::AsItIs => format!("{field}: \\(String(describing: {field}))"),
        };
        format!("{name}({})", each(&self.fields, ", ", one))
    }
}

/// The rule of the core's `shown`, which is no part of the contract.
const SHOWN_IN_SWIFT: &str = r#"
/// A text without what in it may be a secret, if it is an address: user, password, query and fragment.
fileprivate func shown(_ text: String) -> String {
    if text.contains(where: { $0.isWhitespace }) { return text }
    guard let scheme = text.range(of: "://") else {
        guard let at = text.lastIndex(of: "@"), text[..<at].contains(":") else { return text }
        return "…" + text[at...]
    }
    let head = text[..<scheme.upperBound], rest = text[scheme.upperBound...]
    let end = rest.firstIndex(where: { "/\\?#".contains($0) }) ?? rest.endIndex
    if rest[end...].contains("@") { return head + "…" }
    var host = String(rest[..<end])
    if let at = host.lastIndex(of: "@") { host = "…" + host[at...] }
    let more = rest[end...].firstIndex(where: { "?#".contains($0) })
    return head + host + rest[end..<(more ?? rest.endIndex)] + (more == nil ? "" : "?…")
}
"#;

pub fn swift_texts(contract: &Contract) -> String {
    let all = printed(contract);
    let described = |name: &str, body: &str| {
        format!("\nextension {name}: CustomStringConvertible, CustomDebugStringConvertible {{\n    public var description: String {{ {body} }}\n    public var debugDescription: String {{ description }}\n}}\n")
    };
    let records = each(all.iter().filter(|p| p.of.is_none()), "", |p| described(&p.name, &format!("\"{}\"", p.in_swift(&p.name))));
    let unions = contract.unions.iter().filter(|u| all.iter().any(|p| p.of.as_deref() == Some(&u.name)));
    let unions = each(unions, "", |u| {
        let cases = each(&u.variants, "; ", |v| {
            let case = v.name.to_lower_camel_case();
            match all.iter().find(|p| p.of.as_deref() == Some(&u.name) && p.name == v.name) {
                Some(p) => format!("case let .{case}({}): return \"{}\"", each(&p.fields, ", ", |(field, _)| field.clone()), p.in_swift(&case)),
                None => format!("case .{case}: return \"{case}\""),
            }
        });
        described(&u.name, &format!("switch self {{ {cases} }}"))
    });
    format!("{SHOWN_IN_SWIFT}{records}{unions}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_requests_are_among_them() {
        let contract = Contract::read().unwrap();
        let all = printed(&contract);
        let form = |name: &str, field: &str| {
            let of = all.iter().find(|p| p.name == name).unwrap_or_else(|| panic!("{name} is missing"));
            of.fields.iter().find(|(f, _)| f == field).unwrap_or_else(|| panic!("{name}.{field} is missing")).1
        };
        for (name, field, wanted) in [
            ("Config", "caCertificates", Form::Hidden),
            ("Config", "dataDir", Form::Text),
            ("Config", "folders", Form::Texts),
            ("Config", "proxy", Form::AsItIs),
            ("Custom", "login", Form::Text),
            ("ConnectRequest", "redirectUri", Form::Text),
            ("ConnectRequest", "loginHint", Form::OptionalText),
            ("ConnectRequest", "context", Form::Hidden),
            ("SignIn", "binding", Form::Hidden),
            ("Account", "context", Form::Hidden),
        ] {
            assert_eq!(form(name, field), wanted, "{name}.{field}");
        }
    }
}
