//! The Python stub, `tidings/_native.pyi`.

use crate::contract::*;
use heck::{ToShoutySnakeCase, ToSnakeCase};

pub fn pyi(contract: &Contract) -> String {
    let mut out = String::from(
        "# Written from udl/src/*.udl by `cargo run -p tidings-generator -- stubs`. Do not edit.
import enum
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import ClassVar, Literal, TypeAlias, TypedDict, final, overload

from typing_extensions import NotRequired, Self, disjoint_base
",
    );
    for e in &contract.flats {
        out += &format!("\nclass {}(str, enum.Enum):\n{}", e.name, docs(&e.docstring, 4));
        out += &each(&e.variants, "", |v| format!("    {} = {:?}\n", v.name.to_shouty_snake_case(), v.name.to_snake_case()));
        out += "    def __new__(cls, value: object) -> Self: ...\n";
        out += &format!("\n_{0}: TypeAlias = {0} | Literal[{1}]\n", e.name, each(&e.variants, ", ", |v| format!("{:?}", v.name.to_snake_case())));
    }
    for e in &contract.errors {
        let fields = e.variants.first().map(|v| v.fields.as_slice()).unwrap_or_default();
        out += &format!("\nclass TidingsError(Exception):\n{}    kind: ErrorKind\n", docs(&e.docstring, 4));
        out += &each(fields, "", |f| format!("    {}: {}\n", f.name, outward(&f.ty)));
        out += "    def __init__(self, reason: str, *, account_id: str | None = None, request_id: str | None = None, retry_after_ms: int | None = None, remedy: _Remedy = ...) -> None: ...\n";
        out += &each(&e.variants, "", |v| format!("\nclass {}Error(TidingsError):\n{}", v.name, docs_or_dots(&v.docstring, 4)));
    }
    for r in &contract.records {
        out += &format!("\n@final\nclass {}:\n{}", r.name, docs(&r.docstring, 4));
        out += &members(contract, &r.fields, 4);
        if contract.has_equality(r) {
            out += "    def __eq__(self, other: object, /) -> bool: ...\n    __hash__: ClassVar[None]  # type: ignore[assignment]\n";
        }
        if contract.is_listed(r) {
            out += &format!("\nclass _{}Fields(TypedDict):\n", r.name);
            out += &each(&r.fields, "", |f| {
                let ty = inward(contract, &f.ty);
                format!("    {}: {}\n", f.name, if f.default.is_some() { format!("NotRequired[{ty}]") } else { ty })
            });
        }
        let fields = if contract.is_listed(r) { format!(" | _{}Fields", r.name) } else { String::new() };
        if let Some(field) = short_form(r) {
            out += &format!("\n# A text stands for the {field} alone.\n_{0}: TypeAlias = {0}{fields} | str\n", r.name);
        } else if contract.is_listed(r) {
            out += &format!("\n_{0}: TypeAlias = {0}{fields}\n", r.name);
        }
    }
    for u in &contract.unions {
        out += &format!("\n@disjoint_base\nclass {}:\n{}", u.name, docs(&u.docstring, 4));
        for v in &u.variants {
            out += &format!("    @final\n    class {}({}):\n{}{}", v.name, u.name, docs(&v.docstring, 8), members(contract, &v.fields, 8));
        }
        out += "    def __eq__(self, other: object, /) -> bool: ...\n    __hash__: ClassVar[None]  # type: ignore[assignment]\n";
        let also = each(&u.variants, "", |v| match wraps(&v.fields) {
            Some(f) => format!(" | {}", outward(&f.ty)),
            None if v.fields.is_empty() => format!(" | Literal[{:?}]", v.name.to_snake_case()),
            None => String::new(),
        });
        out += &format!("\n_{0}: TypeAlias = {0}{also}\n", u.name);
    }
    for o in &contract.objects {
        out += &object(contract, o, false);
        if o.has_async() {
            out += &object(contract, o, true);
        }
        let twin = if o.has_async() { format!(" | Blocking{}", o.meta.name) } else { String::new() };
        let held = o.holds().map_or(String::new(), |(_, ty)| format!(" | {}", outward(ty)));
        out += &format!("\n_{0}: TypeAlias = {0}{twin}{held}\n", o.meta.name);
    }
    out += PUMP;
    out + &each(&contract.functions, "", |f| {
        let mut taken = inputs(contract, &f.inputs);
        if f.inputs.iter().any(is_path) {
            taken = taken.replacen("path: str", "path: str | os.PathLike[str]", 1);
        }
        let rest = |twin: &str| format!("({taken}) -> {twin}{}:\n{}", answer(&f.return_type), docs_or_dots(&f.docstring, 4));
        let blocks = f.return_type.as_ref().and_then(|ty| contract.object(ty)).is_some_and(Object::has_async);
        let twin = if blocks { format!("\ndef blocking_{}{}", f.name, rest("Blocking")) } else { String::new() };
        format!("\ndef {}{}{twin}", f.name, rest(""))
    })
}

/// Written by hand in the Python crate, for the package's own use.
const PUMP: &str = "
@final
class _LogPump:
    def __new__(cls, level: _LogLevel) -> Self: ...
    def next(self) -> LogRecord | None: ...
    def stop(self) -> None: ...
";

fn members(contract: &Contract, fields: &[Field], indent: usize) -> String {
    let pad = " ".repeat(indent);
    let comma = if fields.len() == 1 { "," } else { "" };
    let mut out = format!("{pad}__match_args__ = ({}{comma})\n", each(fields, ", ", |f| format!("{:?}", f.name)));
    out += &format!("{pad}def __new__(cls{}) -> Self: ...\n", each(fields, "", |f| format!(", {}", argument(contract, f))));
    out + &each(fields, "", |f| {
        let body = if f.docstring.is_some() { format!("\n{}", docs(&f.docstring, indent + 4)) } else { " ...\n".into() };
        format!("{pad}@property\n{pad}def {}(self) -> {}:{body}", f.name, outward(&f.ty))
    })
}

fn argument(contract: &Contract, f: &Field) -> String {
    format!("{}: {}{}", f.name, inward(contract, &f.ty), if f.default.is_some() { " = ..." } else { "" })
}

fn object(contract: &Contract, o: &Object, blocking: bool) -> String {
    let mut out = format!("\n@final\nclass {}{}:\n{}", if blocking { "Blocking" } else { "" }, o.meta.name, docs(&o.meta.docstring, 4));
    for c in &o.constructors {
        let mut inputs = inputs(contract, &c.inputs);
        if o.for_file(c).is_some() {
            inputs = inputs.replacen(", ", " | str | os.PathLike[str], ", 1);
        }
        out += &if c.is_primary() {
            format!("    def __new__(cls, {inputs}) -> Self:\n")
        } else {
            format!("    @staticmethod\n    def {}({inputs}) -> {}{}:\n", c.name, if blocking { "Blocking" } else { "" }, o.meta.name)
        };
        out += &docs_or_dots(&c.docstring, 8);
    }
    for m in &o.methods {
        let head = if m.is_async && !blocking { "async def" } else { "def" };
        let twin = m.return_type.as_ref().filter(|_| blocking).and_then(|ty| contract.object(ty)).filter(|o| o.has_async());
        let result = format!("{}{}", if twin.is_some() { "Blocking" } else { "" }, answer(&m.return_type));
        let name = face_name(&m.name);
        let body = docs_or_dots(&m.docstring, 8);
        if let (Some(record), [input]) = (contract.takes_fields(m), m.inputs.as_slice()) {
            out += &format!("    @overload\n    {head} {name}(self, {}: {}) -> {result}:\n{body}", input.name, record.name);
            out += &format!("    @overload\n    {head} {name}(self, *, {}) -> {result}: ...\n", each(&record.fields, ", ", |f| argument(contract, f)));
        } else {
            let inputs = if m.inputs.is_empty() { String::new() } else { format!(", {}", inputs(contract, &m.inputs)) };
            out += &format!("    {head} {name}(self{inputs}) -> {result}:\n{body}");
        }
    }
    if let Some((_, item)) = o.stream() {
        out += &if blocking {
            format!("    def __iter__(self) -> Self: ...\n    def __next__(self) -> {}: ...\n", outward(item))
        } else {
            format!("    def __aiter__(self) -> Self: ...\n    async def __anext__(self) -> {}: ...\n", outward(item))
        };
    }
    if o.is_closable() {
        let (head, a) = if blocking { ("def", "") } else { ("async def", "a") };
        out += &format!("    {head} __{a}enter__(self) -> Self: ...\n    {head} __{a}exit__(self, *_exc: type[BaseException] | BaseException | TracebackType | None) -> None: ...\n");
    }
    out
}

fn inputs(contract: &Contract, inputs: &[Param]) -> String {
    each(inputs, ", ", |i| format!("{}: {}{}", i.name, inward(contract, &i.ty), if left_out(i).is_some() { " = ..." } else { "" }))
}

/// What a call takes: enums also as text, short forms, any sequence.
fn inward(contract: &Contract, ty: &Type) -> String {
    match ty {
        Type::Optional { inner_type } => format!("{} | None", inward(contract, inner_type)),
        Type::Sequence { inner_type } if contract.record(inner_type).is_some_and(|r| short_form(r).is_some()) => {
            let one = inward(contract, inner_type);
            format!("{one} | Sequence[{one}]")
        }
        Type::Sequence { inner_type } => format!("Sequence[{}]", inward(contract, inner_type)),
        Type::Map { key_type, value_type } => format!("Mapping[{}, {}]", inward(contract, key_type), inward(contract, value_type)),
        Type::Record { name, .. } if contract.record(ty).is_none_or(|r| short_form(r).is_none() && !contract.is_listed(r)) => name.clone(),
        Type::Record { name, .. } | Type::Enum { name, .. } | Type::Object { name, .. } => format!("_{name}"),
        _ => outward(ty),
    }
}

fn outward(ty: &Type) -> String {
    match ty {
        Type::String => "str".into(),
        Type::Boolean => "bool".into(),
        Type::UInt32 | Type::UInt64 => "int".into(),
        Type::Bytes => "bytes".into(),
        Type::Timestamp => "datetime".into(),
        Type::Optional { inner_type } => format!("{} | None", outward(inner_type)),
        Type::Sequence { inner_type } => format!("list[{}]", outward(inner_type)),
        Type::Map { key_type, value_type } => format!("dict[{}, {}]", outward(key_type), outward(value_type)),
        ty => name_of(ty).unwrap_or("object").into(),
    }
}

fn answer(ty: &Option<Type>) -> String {
    ty.as_ref().map_or("None".into(), outward)
}

fn docs(docs: &Option<String>, indent: usize) -> String {
    let pad = " ".repeat(indent);
    if docs.is_none() { String::new() } else { format!("{pad}\"\"\"{}\"\"\"\n", lines(docs).join(&format!("\n{pad}"))) }
}

fn docs_or_dots(it: &Option<String>, indent: usize) -> String {
    if it.is_none() { format!("{}...\n", " ".repeat(indent)) } else { docs(it, indent) }
}
