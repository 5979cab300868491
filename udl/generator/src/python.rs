//! PyO3 glue. What it relies on (`V`, `Value`, `raise`, `wait`, `given`, `repr` …) is written by hand in the Python crate.

use crate::contract::*;
use heck::{ToShoutySnakeCase, ToSnakeCase};

pub fn glue(contract: &Contract) -> String {
    let mut out = String::new();
    let (mut classes, mut functions) = (vec![], vec![]);
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
        out += &function(f, None);
        if let Some(o) = f.return_type.as_ref().and_then(|ty| contract.object(ty)).filter(|o| o.has_async()) {
            out += &function(f, Some(o));
            functions.push(format!("blocking_{}", f.name));
        }
        functions.push(f.name.clone());
    }
    let kinds = each(contract.errors.iter().flat_map(|e| &e.variants), ", ", |v| format!("tidings::ErrorKind::{0} => \"{0}Error\"", v.name));
    out += &format!("fn error_class(kind: tidings::ErrorKind) -> &'static str {{ match kind {{ {kinds} }} }}\n");
    let functions = each(&functions, " ", |f| format!("module.add_function(wrap_pyfunction!({f}, module)?)?;"));
    let classes = each(&classes, " ", |c| format!("module.add_class::<Py{c}>()?;"));
    out + &format!("fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {{ {functions} {classes} Ok(()) }}\n")
}

const ERROR: &str = "class TidingsError(Exception):
    kind = ErrorKind.INTERNAL
    def __init__(self, reason, *, account_id=None, request_id=None, retry_after_ms=None, remedy=Remedy.NOBODY):
        super().__init__(reason)
        vars(self).update(reason=reason, account_id=account_id, request_id=request_id, retry_after_ms=retry_after_ms, remedy=Remedy(remedy))
";

/// Enums and exceptions are plain Python, run once when the module is made.
fn prelude(contract: &Contract) -> String {
    let mut out = String::from("import enum\n");
    let quote = |docs: &Option<String>| format!("    \"\"\"{}\"\"\"\n", lines(docs).join("\n    "));
    for e in &contract.flats {
        out += &format!("class {}(str, enum.Enum):\n{}    __str__ = str.__str__\n", e.name, quote(&e.docstring));
        out += &each(&e.variants, "", |v| format!("    {} = {:?}\n", v.name.to_shouty_snake_case(), v.name.to_snake_case()));
    }
    out += ERROR;
    for e in contract.errors.iter() {
        out += &format!("TidingsError.__doc__ = {:?}\n", lines(&e.docstring).join("\n"));
        out += &each(&e.variants, "", |v| format!("class {}Error(TidingsError):\n{}    kind = ErrorKind.{}\n", v.name, quote(&v.docstring), v.name.to_shouty_snake_case()));
    }
    out + "for _it in list(vars().values()):\n    if isinstance(_it, type) and _it.__module__ == __name__:\n        _it.__module__ = \"tidings\"\ndel enum, _it\n"
}

/// For what has asynchronous methods there is a twin that gives the blocking class.
fn function(f: &Function, blocking: Option<&Object>) -> String {
    let (name, answer, wrap) = match blocking {
        Some(o) => (format!("blocking_{}", f.name), format!("PyBlocking{}", o.meta.name), format!("PyBlocking{}::of", o.meta.name)),
        None => (f.name.clone(), format!("V<{}>", rust_or_unit(&f.return_type)), "V".into()),
    };
    // The interpreter is let go of: the core may wait for a thread that needs it.
    let call = outcome(&format!("py.detach(|| tidings::{}({}))", f.name, each(&f.inputs, ", ", |i| format!("{}.0", i.name))), f.throws.is_some(), &wrap);
    format!("{}#[pyfunction] #[pyo3(signature = ({}))]\npub fn {name}(py: Python<'_>, {}) -> PyResult<{answer}> {{ {call} }}\n", docs(&f.docstring), signature(&f.inputs), function_params(&f.inputs))
}

fn record(contract: &Contract, r: &Record) -> String {
    let equal = if contract.has_equality(r) { "equal" } else { "" };
    let hidden = each(r.fields.iter().filter(|f| is_secret(&r.name, &f.name)), " ", |f| format!("{:?}", f.name));
    let fields = each(&r.fields, ", ", |f| {
        let default = default(&f.default).map_or(String::new(), |(value, _)| format!(" = {value}"));
        format!("{}{}: {}{default}", docs(&f.docstring), f.name, rust(&f.ty))
    });
    let short = short_form(r).unwrap_or_default();
    format!("record!({}Py{1} {1} {1:?} [{equal}] short({short}) hidden({hidden}) {{ {fields} }});\n", docs(&r.docstring), r.name)
}

fn union(u: &Enum) -> String {
    let variants = each(&u.variants, ", ", |v| {
        let wraps = wraps(&v.fields).map_or(String::new(), |f| format!("wraps({}: Py{})", f.name, name_of(&f.ty).unwrap_or_default()));
        let fields = each(&v.fields, ", ", |f| format!("{}: {}", f.name, rust(&f.ty)));
        format!("{}{} {:?} {wraps} {{ {fields} }}", docs(&v.docstring), v.name, v.name.to_snake_case())
    });
    format!("union!({}Py{1} {1} {1:?} {{ {variants} }});\n", docs(&u.docstring), u.name)
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
    body += &format!("fn __reduce_ex__(&self, _protocol: &Bound<'_, PyAny>) -> PyResult<()> {{ Err(uncopied({class:?}, BOUND)) }}\n");
    let (docs, name) = (docs(&o.meta.docstring), &o.meta.name);
    let remember = if o.is_closable() { "at_exit::remember" } else { "" };
    let mut out = format!("object!({docs}Py{class} {name} {class:?} ahead({}) at_exit({remember}));\n#[pymethods]\nimpl Py{class} {{\n    {body}}}\n", ahead.unwrap_or_default());
    if !blocking {
        let twin = if o.has_async() { format!("PyBlocking{name}") } else { String::new() };
        let made = o.holds().map_or(String::new(), |(c, ty)| {
            let from = if *ty == Type::Bytes { "PyBytes" } else { "PyString" };
            if c.is_primary() { from.into() } else { format!("{from} {:?}", c.name) }
        });
        out += &format!("object_value!(Py{name} {name} {name:?} twin({twin}) made({made}));\n");
    }
    out
}

fn constructor(o: &Object, c: &Constructor) -> String {
    let attribute = if c.is_primary() { "#[new]" } else { "#[staticmethod]" };
    let call = format!("tidings::{}::{}({})", o.meta.name, c.name, each(&c.inputs, ", ", |i| format!("{}.0", i.name)));
    let mut params = params(&c.inputs);
    let call = match (o.for_file(c), c.inputs.as_slice()) {
        (Some(file), [first, rest @ ..]) => {
            let rest = each(rest, "", |i| format!(", {}.0", i.name));
            params = params.replacen(": V<", ": FileOr<", 1);
            format!("match {0} {{ FileOr::File(path) => tidings::{1}::{2}(path{rest}), FileOr::Value({0}) => tidings::{1}::{3}({0}{rest}) }}", first.name, o.meta.name, file.name, c.name)
        }
        _ => call,
    };
    let call = if c.throws.is_some() { format!("py.detach(|| {call}).map_err(raise)?") } else { format!("py.detach(|| {call})") };
    let signature = signature(&c.inputs);
    format!("{}{attribute} #[pyo3(signature = ({signature}))] fn {}(py: Python<'_>, {}) -> PyResult<Self> {{ Ok(Self::of(Arc::new({call}))) }}\n    ", docs(&c.docstring), c.name, params)
}

fn method(contract: &Contract, m: &Method, blocking: bool) -> String {
    let mut shown = String::new();
    let (mut takes, mut params, mut args) = (
        signature(&m.inputs),
        params(&m.inputs),
        each(&m.inputs, ", ", |i| format!("{}.0", i.name)),
    );
    if let (Some(record), [input]) = (contract.takes_fields(m), m.inputs.as_slice()) {
        takes = format!("{} = None, **fields", input.name);
        params = format!("{}: Option<V<tidings::{}>>, fields: Option<Py<PyDict>>", input.name, record.name);
        shown = format!(", text_signature = \"($self, {}=..., **fields)\"", input.name);
        args = format!("given({:?}, {}, fields)?", record.name, input.name);
    }
    // What a caller handed in is read while Python is held.
    let (first, args) = if m.is_async || shown.is_empty() { (String::new(), args) } else { (format!("let record = {args}; "), "record".to_owned()) };
    let call = format!("self.0.{}({args})", m.name);
    let (head, call) = match (m.is_async, blocking) {
        (true, false) => ("async fn", format!("{call}.await")),
        (true, true) => ("fn", format!("wait(py, {call})?")),
        _ => ("fn", format!("py.detach(|| {call})")),
    };
    let py = if !m.is_async || blocking { "py: Python<'_>, " } else { "" };
    let twin = m.return_type.as_ref().filter(|_| blocking).and_then(|ty| contract.object(ty)).filter(|o| o.has_async());
    let (answer, wrap) = match twin {
        Some(o) => (format!("PyBlocking{}", o.meta.name), format!("PyBlocking{}::of", o.meta.name)),
        None => (format!("V<{}>", rust_or_unit(&m.return_type)), "V".into()),
    };
    let result = outcome(&call, m.throws.is_some(), &wrap);
    format!("{}#[pyo3(name = {:?}, signature = ({takes}){shown})] {head} {}(&self, {py}{params}) -> PyResult<{answer}> {{ {first}{result} }}\n    ", docs(&m.docstring), face_name(&m.name), m.name)
}

fn outcome(call: &str, throws: bool, wrap: &str) -> String {
    if throws { format!("{call}.map({wrap}).map_err(raise)") } else { format!("Ok({wrap}({call}))") }
}

fn params(inputs: &[Param]) -> String {
    each(inputs, ", ", |i| format!("{}: V<{}>", i.name, rust(&i.ty)))
}

fn function_params(inputs: &[Param]) -> String {
    each(inputs, ", ", |i| if is_path(i) { format!("{}: PathText", i.name) } else { params(std::slice::from_ref(i)) })
}

fn signature(inputs: &[Param]) -> String {
    each(inputs, ", ", |i| left_out(i).map_or(i.name.clone(), |value| format!("{} = V({value})", i.name)))
}

fn docs(docs: &Option<String>) -> String {
    each(lines(docs), "", |line| format!("/// {line}\n"))
}
