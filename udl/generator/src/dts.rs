//! The TypeScript declarations, `lib/native.d.ts`.

use crate::contract::*;
use heck::{ToLowerCamelCase, ToSnakeCase};

pub fn dts(contract: &Contract) -> String {
    let mut out = String::from(
        "// Written from udl/src/*.udl by `cargo run -p tidings-generator -- stubs`. Do not edit.

/** Last argument of every asynchronous method. Aborting stops the wait and rejects with the signal's reason; durable steps still run to their end. */
export interface CallOptions {
  signal?: AbortSignal;
}
",
    );
    for e in &contract.flats {
        out += &format!("\n{}export type {} = {};\n", docs(&e.docstring, 0), e.name, each(&e.variants, " | ", |v| format!("'{}'", v.name.to_snake_case())));
    }
    let (ins, outs) = (contract.crossing(true), contract.crossing(false));
    for r in &contract.records {
        let name = r.name.as_str();
        let (taken, given) = (ins.contains(&name), outs.contains(&name));
        if given || !taken {
            out += &format!("\n{}export interface {name} {{\n{}}}\n", docs(&r.docstring, 0), each(&r.fields, "", |f| format!("{}  {}: {};\n", docs(&f.docstring, 2), camel(&f.name), outward(&f.ty))));
        }
        if taken {
            let input = if given { format!("{name}Input") } else { name.to_owned() };
            let fields = each(&r.fields, "", |f| {
                let (mark, none) = if let Some((_, value)) = default(&f.default) { ("?", format!("{}  ", docs_with_default(&f.docstring, &value))) } else { ("", format!("{}  ", docs(&f.docstring, 2))) };
                format!("{none}{}{mark}: {};\n", camel(&f.name), inward(contract, &outs, &f.ty))
            });
            if short_form(r).is_some() {
                out += &format!("\n{}export type {input} = string | {{\n{fields}}};\n", docs(&r.docstring, 0));
            } else {
                out += &format!("\n{}export interface {input} {{\n{fields}}}\n", docs(&r.docstring, 0));
            }
        }
    }
    for u in &contract.unions {
        let taken = contract.objects.iter().flat_map(|o| &o.methods).flat_map(|m| &m.inputs).any(|i| name_of(&i.ty) == Some(&u.name))
            || contract.records.iter().filter(|r| ins.contains(&r.name.as_str())).flat_map(|r| &r.fields).any(|f| name_of(&f.ty) == Some(&u.name));
        let variants = each(&u.variants, "", |v| {
            let fields = each(&v.fields, "", |f| format!("; {}: {}", camel(&f.name), if taken { inward(contract, &outs, &f.ty) } else { outward(&f.ty) }));
            let tag = v.name.to_snake_case();
            let kind = match (taken, v.fields.is_empty()) {
                (true, true) => format!("'{tag}' | {{ type: '{tag}' }}"),
                (true, false) if v.fields.first().is_some_and(|f| f.name == tag) => format!("{{ type?: '{tag}'{fields} }}"),
                _ => format!("{{ type: '{tag}'{fields} }}"),
            };
            format!("\n{}  | {kind}", docs(&v.docstring, 2))
        });
        out += &format!("\n{}export type {} ={variants};\n", docs(&u.docstring, 0), u.name);
    }
    for e in &contract.errors {
        let fields = e.variants.first().map(|v| v.fields.as_slice()).unwrap_or_default();
        let fields = each(fields, "", |f| format!("  readonly {}: {};\n", camel(&f.name), outward(&f.ty)));
        out += &format!("\n{}export class TidingsError extends Error {{\n  readonly kind: ErrorKind;\n{fields}}}\n", docs(&e.docstring, 0));
        out += &each(&e.variants, "", |v| format!("\n{}export class {}Error extends TidingsError {{\n  readonly kind: '{}';\n}}\n", docs(&v.docstring, 0), v.name, v.name.to_snake_case()));
    }
    for o in &contract.objects {
        out += &object(contract, &outs, o);
    }
    out + &each(&contract.functions, "", |f| format!("\n{}export function {}({}): {};\n", docs(&f.docstring, 0), camel(&f.name), function_inputs(contract, &outs, &f.inputs), answer(&f.return_type)))
}

fn function_inputs(contract: &Contract, outs: &[&str], given: &[Param]) -> String {
    let taken = inputs(contract, outs, given);
    if given.iter().any(is_path) { taken.replacen("path: string", "path: string | URL", 1) } else { taken }
}

fn object(contract: &Contract, outs: &[&str], o: &Object) -> String {
    let implements = match (o.stream(), o.is_closable()) {
        (Some((_, item)), _) => format!(" implements AsyncIterable<{}>", outward(item)),
        (None, true) => " implements AsyncDisposable".into(),
        _ => String::new(),
    };
    let mut out = format!("\n{}export class {}{implements} {{\n", docs(&o.meta.docstring, 0), o.meta.name);
    if !o.constructors.iter().any(|c| c.is_primary()) {
        out += "  private constructor();\n";
    }
    for c in &o.constructors {
        let mut inputs = inputs(contract, outs, &c.inputs);
        if o.for_file(c).is_some() {
            inputs = inputs.replacen(", ", " | string | URL, ", 1);
        }
        out += &docs(&c.docstring, 2);
        out += &if c.is_primary() { format!("  constructor({inputs});\n") } else { format!("  static {}({inputs}): {};\n", camel(&c.name), o.meta.name) };
    }
    for m in &o.methods {
        let mut inputs = inputs(contract, outs, &m.inputs);
        let mut result = answer(&m.return_type);
        if m.is_async {
            // A verb may have options of its own.
            let own = if inputs.contains("options?:") || inputs.contains("options:") { "callOptions" } else { "options" };
            let before = if inputs.is_empty() { "" } else { ", " };
            inputs += &format!("{before}{own}?: CallOptions");
            result = format!("Promise<{result}>");
        }
        out += &format!("{}  {}({inputs}): {result};\n", docs(&m.docstring, 2), camel(face_name(&m.name)));
    }
    if let Some((_, item)) = o.stream() {
        out += &format!("  [Symbol.asyncIterator](): AsyncIterableIterator<{}>;\n", outward(item));
    }
    if o.is_closable() {
        out += "  [Symbol.asyncDispose](): Promise<void>;\n";
    }
    out + "}\n"
}

fn inputs(contract: &Contract, outs: &[&str], inputs: &[Param]) -> String {
    let optional = |i: &Param| left_out(i).is_some() || contract.record(&i.ty).is_some_and(|r| r.fields.iter().all(|f| f.default.is_some()));
    each(inputs, ", ", |i| format!("{}{}: {}", camel(&i.name), if optional(i) { "?" } else { "" }, inward(contract, outs, &i.ty)))
}

fn inward(contract: &Contract, outs: &[&str], ty: &Type) -> String {
    match ty {
        Type::Optional { inner_type } => format!("{} | null", inward(contract, outs, inner_type)),
        Type::Sequence { inner_type } => {
            let one = inward(contract, outs, inner_type);
            let short = contract.record(inner_type).is_some_and(|r| short_form(r).is_some());
            if short { format!("{one} | readonly {one}[]") } else { format!("readonly {one}[]") }
        }
        Type::Record { name, .. } if outs.contains(&name.as_str()) => format!("{name}Input"),
        Type::Object { name, .. } => match contract.object(ty).and_then(Object::holds) {
            Some((_, held)) => format!("{name} | {}", inward(contract, outs, held)),
            None => name.clone(),
        },
        Type::Map { key_type, value_type } => format!("Readonly<Record<{}, {}>>", inward(contract, outs, key_type), inward(contract, outs, value_type)),
        Type::Bytes => "Uint8Array".into(),
        _ => outward(ty),
    }
}

fn outward(ty: &Type) -> String {
    match ty {
        Type::String => "string".into(),
        Type::Boolean => "boolean".into(),
        Type::UInt32 | Type::UInt64 => "number".into(),
        Type::Bytes => "Buffer".into(),
        Type::Timestamp => "Date".into(),
        Type::Optional { inner_type } => format!("{} | null", outward(inner_type)),
        Type::Sequence { inner_type } => format!("{}[]", outward(inner_type)),
        Type::Map { key_type, value_type } => format!("Record<{}, {}>", outward(key_type), outward(value_type)),
        ty => name_of(ty).unwrap_or("unknown").into(),
    }
}

fn answer(ty: &Option<Type>) -> String {
    ty.as_ref().map_or("void".into(), outward)
}

fn camel(name: &str) -> String {
    name.to_lower_camel_case()
}

fn docs(docs: &Option<String>, indent: usize) -> String {
    let pad = " ".repeat(indent);
    if docs.is_none() { String::new() } else { format!("{pad}/** {} */\n", lines(docs).join(&format!("\n{pad} * "))) }
}

fn docs_with_default(it: &Option<String>, value: &str) -> String {
    let default = if value == "null" { String::new() } else { format!("Default: `{value}`.") };
    let text = [lines(it).join("\n"), default].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ");
    docs(&Some(text).filter(|t| !t.is_empty()), 2)
}
