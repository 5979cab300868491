//! PyO3 glue. What it relies on (`V`, `Value`, `raise`, `wait`, `given`, `repr` …) is written by hand in the Python crate.

use crate::contract::*;
use heck::{ToShoutySnakeCase, ToSnakeCase};

pub fn glue(contract: &Contract) -> String {
    let mut out = String::new();
    let mut classes = vec![];
    out += &format!("const PRELUDE: &std::ffi::CStr = cr#\"{}\"#;\n", prelude(contract));
    for e in contract.flats.iter() {
        let names = each(&e.variants, ", ", |v| format!("{} = {:?}", v.name, v.name.to_snake_case()));
        out += &format!("flat!({} {{ {names} }});\n", e.name);
    }
    for r in &contract.records {
        out += &record(contract, r);
        classes.push(r.name.clone());
    }
    for u in &contract.unions {
        out += &union(u);
        classes.push(u.name.clone());
    }
    for o in &contract.objects {
        out += &object(contract, o, false);
        classes.push(o.meta.name.clone());
        if o.has_async() {
            out += &object(contract, o, true);
            classes.push(format!("Blocking{}", o.meta.name));
        }
    }
    for f in &contract.functions {
        let call = outcome(&format!("tidings::{}()", f.name), f.throws.is_some(), "V");
        out += &format!("{}#[pyfunction]\npub fn {}() -> PyResult<V<{}>> {{ {call} }}\n", docs(&f.docstring), f.name, rust_or_unit(&f.return_type));
    }
    let kinds = each(contract.errors.iter().flat_map(|e| &e.variants), ", ", |v| format!("tidings::ErrorKind::{0} => \"{0}Error\"", v.name));
    out += &format!("fn error_class(kind: tidings::ErrorKind) -> &'static str {{ match kind {{ {kinds} }} }}\n");
    let functions = each(&contract.functions, " ", |f| format!("module.add_function(wrap_pyfunction!({}, module)?)?;", f.name));
    let classes = each(&classes, " ", |c| format!("module.add_class::<Py{c}>()?;"));
    out + &format!("fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {{ {functions} {classes} Ok(()) }}\n")
}

/// Enums and exceptions are plain Python, run once when the module is made.
fn prelude(contract: &Contract) -> String {
    let mut out = String::from("import enum\n");
    let quote = |docs: &Option<String>| format!("    \"\"\"{}\"\"\"\n", lines(docs).join("\n    "));
    for e in &contract.flats {
        out += &format!("class {}(str, enum.Enum):\n{}    __str__ = str.__str__\n", e.name, quote(&e.docstring));
        out += &each(&e.variants, "", |v| format!("    {} = {:?}\n", v.name.to_shouty_snake_case(), v.name.to_snake_case()));
    }
    for e in &contract.errors {
        out += &fill(
            "class TidingsError(Exception):
$docs    kind = ErrorKind.INTERNAL
    def __init__(self, reason, *, account_id=None, request_id=None, retry_after_ms=None, remedy=Remedy.NOBODY):
        super().__init__(reason)
        self.reason = reason
        self.account_id = account_id
        self.request_id = request_id
        self.retry_after_ms = retry_after_ms
        self.remedy = Remedy(remedy)
",
            &[("docs", &quote(&e.docstring))],
        );
        out += &each(&e.variants, "", |v| format!("class {}Error(TidingsError):\n{}    kind = ErrorKind.{}\n", v.name, quote(&v.docstring), v.name.to_shouty_snake_case()));
    }
    out + "for _it in list(vars().values()):\n    if isinstance(_it, type) and _it.__module__ == __name__:\n        _it.__module__ = \"tidings\"\ndel enum, _it\n"
}

fn record(contract: &Contract, r: &Record) -> String {
    let short = short_form(r).map_or(String::new(), |field| {
        let rest = each(r.fields.iter().filter(|f| f.name != field), ", ", |f| format!("{}: {}", f.name, default(&f.default).map(|d| d.0).unwrap_or_default()));
        let make = format!("tidings::{} {{ {field}: String::from_py(it)?, {rest} }}", r.name);
        format!("if it.is_instance_of::<PyString>() {{ return Ok({make}); }}")
    });
    let many = if short.is_empty() { "" } else { "fn many(it: &Bound<'_, PyAny>) -> PyResult<Vec<Self>> { one_or_many(it) }" };
    let eq = "fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool { other.cast::<Self>().is_ok_and(|other| other.get().0 == self.0) }";
    fill(
        r#"
$docs#[pyclass(frozen, name = "$name", module = "tidings")]
pub struct Py$name(tidings::$name);
#[pymethods]
impl Py$name {
    #[new]
    #[pyo3(signature = ($signature))]
    fn new($params) -> Self { Self(tidings::$name { $fields }) }
    $getters
    #[classattr]
    fn __match_args__(py: Python<'_>) -> PyResult<Py<PyTuple>> { Ok(PyTuple::new(py, [$names])?.unbind()) }
    fn __repr__(it: &Bound<'_, Self>) -> PyResult<String> { repr(it, "$name", &[$names], &[$hidden]) }
    $eq
}
impl Value for tidings::$name {
    fn to_py(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> { Ok(Bound::new(py, Py$name(self))?.into_any()) }
    fn from_py(it: &Bound<'_, PyAny>) -> PyResult<Self> {
        $short
        Ok(it.cast::<Py$name>().map_err(|_| expected("$name", it))?.get().0.clone())
    }
    $many
}
"#,
        &[
            ("docs", &docs(&r.docstring)),
            ("name", &r.name),
            ("signature", &signature(false, r.fields.iter().map(|f| (f.name.as_str(), &f.ty, default(&f.default))))),
            ("params", &each(&r.fields, ", ", |f| format!("{}: V<{}>", f.name, rust(&f.ty)))),
            ("fields", &each(&r.fields, ", ", |f| format!("{0}: {0}.0", f.name))),
            ("getters", &each(&r.fields, "\n    ", |f| format!("{}#[getter] fn {1}(&self) -> V<{2}> {{ V(self.0.{1}.clone()) }}", docs(&f.docstring), f.name, rust(&f.ty)))),
            ("names", &each(&r.fields, ", ", |f| format!("{:?}", f.name))),
            ("hidden", &each(r.fields.iter().filter(|f| is_secret(&r.name, &f.name)), ", ", |f| format!("{:?}", f.name))),
            ("eq", if contract.has_equality(r) { eq } else { "" }),
            ("short", &short),
            ("many", many),
        ],
    )
}

fn union(u: &Enum) -> String {
    let held = |v: &uniffi_meta::VariantMetadata| each(&v.fields, ", ", |f| f.name.clone());
    let core = |v: &uniffi_meta::VariantMetadata, inner: String| format!("tidings::{}::{}{}", u.name, v.name, if v.fields.is_empty() { String::new() } else { format!(" {{ {inner} }}") });
    fill(
        r#"
$docs#[pyclass(frozen, name = "$name", module = "tidings")]
pub enum Py$name { $variants }
impl Py$name {
    fn core(&self) -> tidings::$name { match self { $to_core } }
}
#[pymethods]
impl Py$name {
    fn __repr__(it: &Bound<'_, Self>) -> PyResult<String> { match it.get() { $reprs } }
    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool { other.cast::<Self>().is_ok_and(|other| other.get().core() == self.core()) }
}
impl Value for tidings::$name {
    fn to_py(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> { Ok(match self { $from_core }.into_pyobject(py)?.into_any()) }
    fn from_py(it: &Bound<'_, PyAny>) -> PyResult<Self> {
        $short
        Ok(it.cast::<Py$name>().map_err(|_| expected("$name", it))?.get().core())
    }
}
"#,
        &[
            ("docs", &docs(&u.docstring)),
            ("name", &u.name),
            ("variants", &each(&u.variants, ", ", |v| format!("{}{} {{ {} }}", docs(&v.docstring), v.name, each(&v.fields, ", ", |f| format!("{}: V<{}>", f.name, rust(&f.ty)))))),
            ("to_core", &each(&u.variants, ", ", |v| format!("Self::{} {{ {} }} => {}", v.name, held(v), core(v, each(&v.fields, ", ", |f| format!("{0}: {0}.0.clone()", f.name)))))),
            ("from_core", &each(&u.variants, ", ", |v| format!("{} => Py{}::{} {{ {} }}", core(v, held(v)), u.name, v.name, each(&v.fields, ", ", |f| format!("{0}: V({0})", f.name))))),
            ("reprs", &each(&u.variants, ", ", |v| format!("Self::{1} {{ .. }} => repr(it, \"{0}.{1}\", &[{2}], &[])", u.name, v.name, each(&v.fields, ", ", |f| format!("{:?}", f.name))))),
            (
                "short",
                &each(&u.variants, "\n        ", |v| match wraps(&v.fields) {
                    Some(f) => format!("if it.is_instance_of::<Py{}>() {{ return Ok({}); }}", name_of(&f.ty).unwrap_or_default(), core(v, format!("{}: Value::from_py(it)?", f.name))),
                    None => String::new(),
                }),
            ),
        ],
    )
}

fn object(contract: &Contract, o: &Object, blocking: bool) -> String {
    let class = format!("{}{}", if blocking { "Blocking" } else { "" }, o.meta.name);
    let ahead = o.stream().map(|(_, item)| rust(item));
    let mut body = each(&o.constructors, "", |c| constructor(o, c));
    body += &each(&o.methods, "", |m| method(contract, m, blocking));
    if let Some((next, item)) = o.stream() {
        let limit = if next.inputs.is_empty() { "" } else { "AHEAD" };
        body += &fill(
            if blocking {
                "fn __iter__(it: Py<Self>) -> Py<Self> { it }
    fn __next__(&self, py: Python<'_>) -> PyResult<Option<V<$item>>> {
        if let Some(item) = self.1.take() { return Ok(Some(V(item))); }
        Ok(self.1.fill(wait(py, self.0.next($limit))?.map_err(raise)?).map(V))
    }\n"
            } else {
                "fn __aiter__(it: Py<Self>) -> Py<Self> { it }
    fn __anext__<'py>(it: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> { it.call_method0(\"_step\") }
    async fn _step(&self) -> PyResult<V<$item>> {
        if let Some(item) = self.1.take() { return Ok(V(item)); }
        self.1.fill(self.0.next($limit).await.map_err(raise)?).map(V).ok_or_else(|| PyStopAsyncIteration::new_err(()))
    }\n"
            },
            &[("item", &rust(item)), ("limit", limit)],
        );
    }
    if o.is_closable() {
        body += if blocking {
            "fn __enter__(it: Py<Self>) -> Py<Self> { it }
    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, py: Python<'_>, _exc: &Bound<'_, PyTuple>) -> PyResult<()> { wait(py, self.0.shutdown()) }\n"
        } else {
            "async fn __aenter__(it: Py<Self>) -> PyResult<Py<Self>> { Ok(it) }
    #[pyo3(signature = (*_exc))]
    async fn __aexit__(&self, _exc: Py<PyTuple>) -> PyResult<()> { self.0.shutdown().await; Ok(()) }\n"
        };
    }
    let twin = if o.has_async() { format!("if let Ok(it) = it.cast::<PyBlocking{}>() {{ return Ok(it.get().0.clone()); }}", o.meta.name) } else { String::new() };
    let short = o.holds().map_or(String::new(), |(c, ty)| {
        let call = format!("tidings::{}::{}(<{}>::from_py(it)?)", o.meta.name, c.name, rust(ty));
        let test = if *ty == Type::Bytes { "PyBytes" } else { "PyString" };
        format!("if it.is_instance_of::<{test}>() {{ return {}; }}", outcome(&call, c.throws.is_some(), "Arc::new"))
    });
    let value = fill(
        r#"impl Value for Arc<tidings::$name> {
    fn to_py(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> { Ok(Bound::new(py, Py$name::of(self))?.into_any()) }
    fn from_py(it: &Bound<'_, PyAny>) -> PyResult<Self> {
        $short
        $twin
        Ok(it.cast::<Py$name>().map_err(|_| expected("$name", it))?.get().0.clone())
    }
}
"#,
        &[("name", &o.meta.name), ("short", &short), ("twin", &twin)],
    );
    fill(
        r#"
$docs#[pyclass(frozen, name = "$class", module = "tidings")]
pub struct Py$class(Arc<tidings::$name>$ahead);
impl Py$class {
    fn of(inner: Arc<tidings::$name>) -> Self { $remember Self(inner$empty) }
}
#[pymethods]
impl Py$class {
    $body
}
$value"#,
        &[
            ("docs", &docs(&o.meta.docstring)),
            ("class", &class),
            ("name", &o.meta.name),
            ("ahead", &ahead.as_ref().map_or(String::new(), |item| format!(", Ahead<{item}>"))),
            ("empty", if ahead.is_some() { ", Ahead::default()" } else { "" }),
            ("remember", if o.is_closable() { "at_exit::remember(&inner);" } else { "" }),
            ("body", &body),
            ("value", if blocking { "" } else { &value }),
        ],
    )
}

fn constructor(o: &Object, c: &Constructor) -> String {
    let attribute = if c.is_primary() { "#[new]" } else { "#[staticmethod]" };
    let call = format!("tidings::{}::{}({})", o.meta.name, c.name, each(&c.inputs, ", ", |i| format!("{}.0", i.name)));
    let call = if c.throws.is_some() { format!("py.detach(|| {call}).map_err(raise)?") } else { format!("py.detach(|| {call})") };
    let signature = signature(true, c.inputs.iter().map(|i| (i.name.as_str(), &i.ty, None)));
    format!("{}{attribute} #[pyo3(signature = ({signature}))] fn {}(py: Python<'_>, {}) -> PyResult<Self> {{ Ok(Self::of(Arc::new({call}))) }}\n    ", docs(&c.docstring), c.name, params(&c.inputs))
}

fn method(contract: &Contract, m: &Method, blocking: bool) -> String {
    let mut shown = String::new();
    let (mut takes, mut params, mut args) = (
        signature(true, m.inputs.iter().map(|i| (i.name.as_str(), &i.ty, None))),
        params(&m.inputs),
        each(&m.inputs, ", ", |i| format!("{}.0", i.name)),
    );
    if let (Some(record), [input]) = (contract.takes_fields(m), m.inputs.as_slice()) {
        takes = format!("{} = None, **fields", input.name);
        params = format!("{}: Option<V<tidings::{}>>, fields: Option<Py<PyDict>>", input.name, record.name);
        shown = format!(", text_signature = \"($self, {}=..., **fields)\"", input.name);
        args = format!("given({:?}, {}, fields)?", record.name, input.name);
    }
    let call = format!("self.0.{}({args})", m.name);
    let (head, call) = match (m.is_async, blocking) {
        (true, false) => ("async fn", format!("{call}.await")),
        (true, true) => ("fn", format!("wait(py, {call})?")),
        _ => ("fn", call),
    };
    let py = if m.is_async && blocking { "py: Python<'_>, " } else { "" };
    let twin = m.return_type.as_ref().filter(|_| blocking).and_then(|ty| contract.object(ty)).filter(|o| o.has_async());
    let (answer, wrap) = match twin {
        Some(o) => (format!("PyBlocking{}", o.meta.name), format!("PyBlocking{}::of", o.meta.name)),
        None => (format!("V<{}>", rust_or_unit(&m.return_type)), "V".into()),
    };
    let result = outcome(&call, m.throws.is_some(), &wrap);
    format!("{}#[pyo3(name = {:?}, signature = ({takes}){shown})] {head} {}(&self, {py}{params}) -> PyResult<{answer}> {{ {result} }}\n    ", docs(&m.docstring), face_name(&m.name), m.name)
}

fn outcome(call: &str, throws: bool, wrap: &str) -> String {
    if throws { format!("{call}.map({wrap}).map_err(raise)") } else { format!("Ok({wrap}({call}))") }
}

fn params(inputs: &[Param]) -> String {
    each(inputs, ", ", |i| format!("{}: V<{}>", i.name, rust(&i.ty)))
}

/// Optional arguments without a default are none when left out.
fn signature<'a>(is_call: bool, arguments: impl Iterator<Item = (&'a str, &'a Type, Option<(String, String)>)>) -> String {
    each(arguments, ", ", |(name, ty, default)| match default {
        Some((value, _)) => format!("{name} = V({value})"),
        None if is_call && matches!(ty, Type::Optional { .. }) => format!("{name} = V(None)"),
        None => name.to_owned(),
    })
}

fn docs(docs: &Option<String>) -> String {
    each(lines(docs), "", |line| format!("/// {line}\n"))
}
