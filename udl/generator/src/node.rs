//! N-API glue. What it relies on (`V`, `record!`, `union!`, `promise` …) is written by hand in the Node crate; a thin layer of
//! JavaScript, driven by `shape`, makes it idiomatic.

use crate::contract::*;
use heck::{ToLowerCamelCase, ToSnakeCase};

pub fn glue(contract: &Contract) -> String {
    let mut out = String::new();
    for e in contract.flats.iter() {
        out += &format!("flat!({} {{ {} }});\n", e.name, each(&e.variants, ", ", |v| format!("{} = {:?}", v.name, v.name.to_snake_case())));
    }
    for r in &contract.records {
        let fields = each(&r.fields, ", ", |f| format!("{}: {}{}", f.name, key(f), default(&f.default).map_or(String::new(), |(value, _)| format!(" = {value}"))));
        let short = short_form(r).map_or(String::new(), |field| format!(" short {:?}", field.to_lower_camel_case()));
        out += &format!("record!({}{short} {{ {fields} }});\n", r.name);
    }
    for u in &contract.unions {
        let variants = each(&u.variants, ", ", |v| format!("{} {:?} {{ {} }}", v.name, v.name.to_snake_case(), each(&v.fields, ", ", |f| format!("{}: {}", f.name, key(f)))));
        out += &format!("union!({} {{ {variants} }});\n", u.name);
    }
    out += &each(&contract.objects, "", object);
    for f in &contract.functions {
        let call = outcome(&format!("tidings::{}({})", f.name, args(&f.inputs)), f.throws.is_some());
        out += &format!("#[napi(js_name = {:?})]\npub fn {}({}) -> Result<V<{}>> {{ {call} }}\n", f.name.to_lower_camel_case(), f.name, params(&f.inputs), rust_or_unit(&f.return_type));
    }
    out + &format!("/// What the layer of JavaScript needs to know, as JSON.\n#[napi]\npub fn shape() -> &'static str {{ r#\"{}\"# }}\n", shape(contract))
}

fn object(o: &Object) -> String {
    let mut body = String::new();
    for c in &o.constructors {
        let attribute = if c.is_primary() { "constructor".into() } else { format!("factory, js_name = {:?}", c.name.to_lower_camel_case()) };
        let call = format!("tidings::{}::{}({})", o.meta.name, c.name, args(&c.inputs));
        let call = if c.throws.is_some() { format!("{call}.map_err(|e| reject(&e))?") } else { call };
        body += &format!("    #[napi({attribute})]\n    pub fn {}({}) -> Result<Self> {{ Ok(Self::of(Arc::new({call}))) }}\n", c.name, params(&c.inputs));
    }
    for m in &o.methods {
        let name = face_name(&m.name).to_lower_camel_case();
        let answer = rust_or_unit(&m.return_type);
        let call = format!("inner.{}({})", m.name, args(&m.inputs));
        body += &if m.is_async {
            let call = if m.throws.is_some() { format!("{call}.await") } else { format!("Ok({call}.await)") };
            format!(
                "    #[napi(js_name = {name:?})]\n    pub fn {}<'env>(&self, env: &'env Env, {}, cancel: &Cancel) -> Result<PromiseRaw<'env, V<{answer}>>> {{
        let inner = self.inner.clone();\n        promise(env, cancel, async move {{ {call} }})\n    }}\n",
                m.name,
                params(&m.inputs)
            )
            .replace("Env, , ", "Env, ")
        } else {
            format!("    #[napi(js_name = {name:?})]\n    pub fn {}(&self, {}) -> Result<V<{answer}>> {{ let inner = &self.inner; {} }}\n", m.name, params(&m.inputs), outcome(&call, m.throws.is_some()))
        };
    }
    let short = o.holds().map_or(String::new(), |(c, ty)| {
        let call = format!("tidings::{}::{}(<{}>::from_js(it)?)", o.meta.name, c.name, rust(ty));
        let call = if c.throws.is_some() { format!("{call}.map_err(|e| Refusal::new(e.reason()))?") } else { call };
        format!("if {}(&it) {{ return Ok(Arc::new({call})); }}", if *ty == Type::Bytes { "is_bytes" } else { "is_text" })
    });
    fill(
        r#"
#[napi(js_name = "$name")]
pub struct Node$name { inner: Arc<tidings::$name> }
impl Node$name {
    fn of(inner: Arc<tidings::$name>) -> Self { $remember Self { inner } }
}
#[napi]
impl Node$name {
$body}
impl Value for Arc<tidings::$name> {
    fn to_js(self, env: &Env) -> Result<Unknown<'_>> { Ok(Node$name::of(self).into_instance(env)?.to_unknown()) }
    fn from_js(it: Unknown<'_>) -> Read<Self> {
        $short
        ClassInstance::<Node$name>::from_unknown(it).map(|it| it.inner.clone()).map_err(|_| Refusal::new("must be a $name"))
    }
}
"#,
        &[
            ("name", &o.meta.name),
            ("body", &body),
            ("short", &short),
            ("remember", if o.is_closable() { "at_exit::remember(&inner);" } else { "" }),
        ],
    )
}

/// Per class: async methods with their number of arguments, other methods, static ones; whether it can be looped over, in batches, and closed.
fn shape(contract: &Contract) -> String {
    let names = |names: Vec<&str>| each(names, ",", |n| format!("{:?}", n.to_lower_camel_case()));
    let classes = each(&contract.objects, ",", |o| {
        let asyncs = each(o.methods.iter().filter(|m| m.is_async), ",", |m| format!("{:?}:{}", face_name(&m.name).to_lower_camel_case(), m.inputs.len()));
        let plain = names(o.methods.iter().filter(|m| !m.is_async).map(|m| m.name.as_str()).collect());
        let statics = names(o.constructors.iter().filter(|c| !c.is_primary()).map(|c| c.name.as_str()).collect());
        let stream = o.stream().map_or("null", |(next, _)| if next.inputs.is_empty() { "\"one\"" } else { "\"batch\"" });
        format!("{:?}:{{\"async\":{{{asyncs}}},\"plain\":[{plain}],\"static\":[{statics}],\"stream\":{stream},\"closable\":{}}}", o.meta.name, o.is_closable())
    });
    let kinds = each(contract.errors.iter().flat_map(|e| &e.variants), ",", |v| format!("\"{}\":\"{}Error\"", v.name.to_snake_case(), v.name));
    let functions = names(contract.functions.iter().map(|f| f.name.as_str()).collect());
    let hidden = each(contract.records.iter().flat_map(|r| r.fields.iter().filter(|f| is_secret(&r.name, &f.name))), ",", |f| format!("{:?}", f.name.to_lower_camel_case()));
    format!("{{\"classes\":{{{classes}}},\"functions\":[{functions}],\"errors\":{{{kinds}}},\"secret\":[{hidden}]}}")
}

fn key(f: &Field) -> String {
    format!("{:?}", f.name.to_lower_camel_case())
}

/// What has a default and is left out arrives as undefined.
fn has_default(i: &Param) -> bool {
    !matches!(i.ty, Type::Optional { .. }) && i.default.is_some()
}

fn params(inputs: &[Param]) -> String {
    each(inputs, ", ", |i| if has_default(i) { format!("{}: V<Option<{}>>", i.name, rust(&i.ty)) } else { format!("{}: V<{}>", i.name, rust(&i.ty)) })
}

fn args(inputs: &[Param]) -> String {
    each(inputs, ", ", |i| match left_out(i).filter(|_| has_default(i)) {
        Some(value) if value == "Vec::new()" => format!("{}.0.unwrap_or_default()", i.name),
        Some(value) => format!("{}.0.unwrap_or({value})", i.name),
        None => format!("{}.0", i.name),
    })
}

fn outcome(call: &str, throws: bool) -> String {
    if throws { format!("{call}.map(V).map_err(|e| reject(&e))") } else { format!("Ok(V({call}))") }
}
