//! The UDL as this crate sees it, and the few rules by which a face follows from it.

use crate::join;
use heck::ToSnakeCase;
pub use uniffi_meta::{ConstructorMetadata as Constructor, EnumMetadata as Enum, FieldMetadata as Field, FnMetadata as Function};
pub use uniffi_meta::{FnParamMetadata as Param, MethodMetadata as Method, RecordMetadata as Record, Type};
use uniffi_meta::{DefaultValueMetadata as Default, LiteralMetadata as Literal, Metadata, ObjectMetadata};

/// Fields that no text form may show: links with their `state`, bindings, what the host keeps at an account, and a private key that somebody puts among
/// certificates by mistake. What is a `Secret`, a `RootKey` or a `ClientCertificate` shows nothing anyway.
const SECRET: [(&str, &str); 15] = [
    ("SignIn", "url"),
    ("SignIn", "binding"),
    ("Approval", "url"),
    ("Approval", "binding"),
    ("Config", "ca_certificates"),
    ("ConnectRequest", "context"),
    ("TenantRequest", "context"),
    ("LinkRequest", "context"),
    ("Account", "context"),
    ("RawRequest", "headers"),
    ("RawOutcome", "headers"),
    ("RawPage", "next_link"),
    ("RawPage", "delta_link"),
    ("HttpRequest", "headers"),
    ("BotInvoke", "sign_in_state"),
];

pub struct Contract {
    pub functions: Vec<Function>,
    pub records: Vec<Record>,
    /// Enums of bare names.
    pub flats: Vec<Enum>,
    /// Enums whose variants carry data.
    pub unions: Vec<Enum>,
    /// One variant per kind of failure.
    pub errors: Vec<Enum>,
    pub objects: Vec<Object>,
}

pub struct Object {
    pub meta: ObjectMetadata,
    pub constructors: Vec<Constructor>,
    pub methods: Vec<Method>,
}

impl Contract {
    pub fn read() -> Result<Self, Box<dyn std::error::Error>> {
        Self::of(&join::contract()?)
    }

    /// From the joined text.
    pub fn of(udl: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let group = uniffi_udl::parse_udl(udl, "tidings")?;
        let mut it = Self { functions: vec![], records: vec![], flats: vec![], unions: vec![], errors: vec![], objects: vec![] };
        let (mut constructors, mut methods) = (vec![], vec![]);
        for item in group.items {
            match item {
                Metadata::Func(f) => it.functions.push(f),
                Metadata::Record(r) => it.records.push(r),
                Metadata::Enum(e) if e.shape.is_error() => it.errors.push(e),
                Metadata::Enum(e) if is_flat(&e) => it.flats.push(e),
                Metadata::Enum(e) => it.unions.push(e),
                Metadata::Object(meta) => it.objects.push(Object { meta, constructors: vec![], methods: vec![] }),
                Metadata::Constructor(c) => constructors.push(c),
                Metadata::Method(m) => methods.push(m),
                Metadata::Namespace(_) | Metadata::UdlFile(_) => {}
                other => return Err(format!("{other:?} has no glue yet").into()),
            }
        }
        // The parser sorts by name; readers want the order of the text.
        let place = |word: &str, name: &str, from: usize| udl.get(from..).and_then(|rest| rest.find(&format!("{word}{name}"))).unwrap_or(usize::MAX);
        it.records.sort_by_key(|r| place("dictionary ", &format!("{} {{", r.name), 0));
        it.flats.sort_by_key(|e| place("enum ", &format!("{} {{", e.name), 0));
        it.unions.sort_by_key(|e| place("interface ", &format!("{} {{", e.name), 0));
        it.objects.sort_by_key(|o| place("interface ", &format!("{} {{", o.meta.name), 0));
        for object in &mut it.objects {
            let start = place("interface ", &format!("{} {{", object.meta.name), 0);
            object.constructors = constructors.iter().filter(|c| c.self_name == object.meta.name).cloned().collect();
            object.constructors.sort_by_key(|c| if c.is_primary() { 0 } else { place("Name=", &c.name, start) });
            object.methods = methods.iter().filter(|m| m.self_name == object.meta.name).cloned().collect();
            object.methods.sort_by_key(|m| place(" ", &format!("{}(", m.name), start));
        }
        Ok(it)
    }

    pub fn record(&self, ty: &Type) -> Option<&Record> {
        matches!(ty, Type::Record { .. }).then(|| self.records.iter().find(|r| Some(r.name.as_str()) == name_of(ty))).flatten()
    }

    pub fn object(&self, ty: &Type) -> Option<&Object> {
        matches!(ty, Type::Object { .. }).then(|| self.objects.iter().find(|o| Some(o.meta.name.as_str()) == name_of(ty))).flatten()
    }

    /// Records that calls take, or that they answer with.
    pub fn crossing(&self, inward: bool) -> Vec<&str> {
        self.reached(inward).0.iter().map(|r| r.name.as_str()).collect()
    }

    /// Whether calls take this enum with data.
    pub fn taken(&self, union: &str) -> bool {
        self.reached(true).1.iter().any(|u| u.name == union)
    }

    fn reached(&self, inward: bool) -> (Vec<&Record>, Vec<&Enum>) {
        let (mut found, mut unions): (Vec<&Record>, Vec<&Enum>) = (vec![], vec![]);
        let calls = self.objects.iter().flat_map(|o| {
            let outs = o.methods.iter().filter_map(|m| m.return_type.as_ref());
            let ins = o.methods.iter().flat_map(|m| &m.inputs).chain(o.constructors.iter().flat_map(|c| &c.inputs)).map(|i| &i.ty);
            if inward { ins.collect::<Vec<_>>() } else { outs.collect() }
        });
        let mut open: Vec<&Type> = calls.collect();
        while let Some(ty) = open.pop() {
            if let Type::Optional { inner_type } | Type::Sequence { inner_type } = ty {
                open.push(inner_type);
            } else if let Some(record) = self.record(ty) {
                if !found.contains(&record) {
                    found.push(record);
                    open.extend(record.fields.iter().map(|f| &f.ty));
                }
            } else if let Some(union) = self.unions.iter().find(|u| Some(u.name.as_str()) == name_of(ty))
                && !unions.contains(&union)
            {
                unions.push(union);
                open.extend(union.variants.iter().flat_map(|v| &v.fields).map(|f| &f.ty));
            }
        }
        (found, unions)
    }

    /// Records that hold objects are equal only to themselves.
    pub fn has_equality(&self, r: &Record) -> bool {
        !r.fields.iter().any(|f| match &f.ty {
            Type::Optional { inner_type } => self.object(inner_type).is_some(),
            ty => self.object(ty).is_some(),
        })
    }

    /// Records that others hold lists of; they are written as bare fields more often than not.
    pub fn is_listed(&self, r: &Record) -> bool {
        let listed = |f: &Field| matches!(&f.ty, Type::Sequence { inner_type } if name_of(inner_type) == Some(&r.name));
        self.crossing(true).contains(&r.name.as_str()) && self.records.iter().any(|other| self.crossing(true).contains(&other.name.as_str()) && other.fields.iter().any(listed))
    }

    /// A method that takes one record can also be given the record's fields.
    pub fn takes_fields<'a>(&'a self, method: &Method) -> Option<&'a Record> {
        if let [input] = method.inputs.as_slice() { self.record(&input.ty) } else { None }
    }
}

impl Object {
    pub fn has_async(&self) -> bool {
        self.methods.iter().any(|m| m.is_async)
    }

    /// An object with `shutdown` is closed by the host, at exit at the latest.
    pub fn is_closable(&self) -> bool {
        self.methods.iter().any(|m| m.name == "shutdown")
    }

    /// An object with an async `next` can be looped over: the method, and what it yields one by one.
    pub fn stream(&self) -> Option<(&Method, &Type)> {
        let next = self.methods.iter().find(|m| m.name == "next" && m.is_async)?;
        match next.return_type.as_ref()? {
            Type::Optional { inner_type } | Type::Sequence { inner_type } => Some((next, inner_type)),
            _ => None,
        }
    }

    /// A constructor of a record also takes the path of a file, where there is one for files: `open` and `open_file`.
    pub fn for_file(&self, c: &Constructor) -> Option<&Constructor> {
        let of_record = matches!(c.inputs.first()?.ty, Type::Record { .. });
        self.constructors.iter().find(|f| of_record && f.name == format!("{}_file", c.name) && f.inputs.len() == c.inputs.len())
    }

    /// An object that only holds what its first constructor takes is also accepted as that value.
    pub fn holds(&self) -> Option<(&Constructor, &Type)> {
        let first = self.constructors.first().filter(|_| self.methods.is_empty())?;
        if let [only] = first.inputs.as_slice() { Some((first, &only.ty)) } else { None }
    }
}

/// A record with one required text field is also accepted as that text, and a list of such as one of them. An account alone is no such record.
pub fn short_form(record: &Record) -> Option<&str> {
    let mut required = record.fields.iter().filter(|f| f.default.is_none());
    match (required.next(), required.next(), record.fields.len() > 1) {
        (Some(field), None, true) if field.ty == Type::String && field.name != "account_id" => Some(&field.name),
        _ => None,
    }
}

/// A variant that only wraps a record is also accepted as that record.
pub fn wraps(fields: &[Field]) -> Option<&Field> {
    if let [field] = fields { matches!(field.ty, Type::Record { .. }).then_some(field) } else { None }
}

pub fn is_flat(e: &Enum) -> bool {
    e.variants.iter().all(|v| v.fields.is_empty())
}

pub fn is_secret(record: &str, field: &str) -> bool {
    SECRET.contains(&(record, field))
}

pub fn name_of(ty: &Type) -> Option<&str> {
    match ty {
        Type::Record { name, .. } | Type::Enum { name, .. } | Type::Object { name, .. } => Some(name),
        _ => None,
    }
}

/// `shutdown` is called `close` where closing is an idiom of the language.
pub fn face_name(method: &str) -> &str {
    if method == "shutdown" { "close" } else { method }
}

/// The core's type.
pub fn rust(ty: &Type) -> String {
    match ty {
        Type::String => "String".into(),
        Type::Boolean => "bool".into(),
        Type::UInt32 => "u32".into(),
        Type::UInt64 => "u64".into(),
        Type::Bytes => "Vec<u8>".into(),
        Type::Timestamp => "SystemTime".into(),
        Type::Optional { inner_type } => format!("Option<{}>", rust(inner_type)),
        Type::Sequence { inner_type } => format!("Vec<{}>", rust(inner_type)),
        Type::Map { key_type, value_type } => format!("std::collections::HashMap<{}, {}>", rust(key_type), rust(value_type)),
        Type::Record { name, .. } | Type::Enum { name, .. } => format!("tidings::{name}"),
        Type::Object { name, .. } => format!("Arc<tidings::{name}>"),
        // It happens in the build, to whoever adds such a type.
        #[allow(clippy::panic)]
        other => panic!("{other:?} has no glue yet"),
    }
}

pub fn rust_or_unit(ty: &Option<Type>) -> String {
    ty.as_ref().map_or("()".into(), rust)
}

/// A default as a Rust expression, and as the text that Python and TypeScript readers see.
pub fn default(value: &Option<Default>) -> Option<(String, String)> {
    let Some(Default::Literal(literal)) = value else { return None };
    Some(match literal {
        Literal::Boolean(b) => (b.to_string(), b.to_string()),
        Literal::String(s) => (format!("{s:?}.to_owned()"), format!("{s:?}")),
        Literal::UInt(n, ..) => (n.to_string(), n.to_string()),
        Literal::Int(n, ..) => (n.to_string(), n.to_string()),
        Literal::Enum(variant, ty) => (format!("{}::{variant}", rust(ty)), format!("{:?}", variant.to_snake_case())),
        Literal::EmptySequence => ("Vec::new()".into(), "[]".into()),
        Literal::EmptyMap => ("Default::default()".into(), "{}".into()),
        Literal::None => ("None".into(), "null".into()),
        #[allow(clippy::panic)]
        other => panic!("the default {other:?} has no glue yet"),
    })
}

/// A function also takes a path as the language writes one.
pub fn is_path(i: &Param) -> bool {
    i.name == "path" && i.ty == Type::String
}

/// What an argument is when it is left out, as a Rust expression; an optional one without a default is none.
pub fn left_out(input: &Param) -> Option<String> {
    let none = matches!(input.ty, Type::Optional { .. }).then(|| "None".to_owned());
    default(&input.default).map(|(value, _)| value).or(none)
}

/// Fills `$name` places of a template.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut values = values.to_vec();
    values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value))
}

pub fn each<T>(items: impl IntoIterator<Item = T>, separator: &str, write: impl FnMut(T) -> String) -> String {
    items.into_iter().map(write).collect::<Vec<_>>().join(separator)
}

/// The contract's comment, trimmed, line by line.
pub fn lines(docs: &Option<String>) -> Vec<&str> {
    docs.as_deref().map(|d| d.trim().lines().map(str::trim).collect()).unwrap_or_default()
}
