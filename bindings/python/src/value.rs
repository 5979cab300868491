//! How values cross between the core and Python.

use crate::error::{expected, invalid};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyMapping, PyString};
use std::collections::HashMap;
use std::time::SystemTime;

/// A type of the core that Python can hand over and receive.
pub trait Value: Sized {
    fn to_py(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>>;
    fn from_py(it: &Bound<'_, PyAny>) -> PyResult<Self>;

    /// A list of them. A text is never taken for a list of letters.
    fn many(it: &Bound<'_, PyAny>) -> PyResult<Vec<Self>> {
        if it.is_instance_of::<PyString>() || it.is_instance_of::<PyBytes>() {
            return Err(expected("a list", it));
        }
        it.try_iter().map_err(|_| expected("a list", it))?.map(|item| Self::from_py(&item?)).collect()
    }
}

/// For types with a short form: one of them stands for a list of one.
pub fn one_or_many<T: Value>(it: &Bound<'_, PyAny>) -> PyResult<Vec<T>> {
    if it.is_instance_of::<PyString>() || it.is_instance_of::<PyDict>() || it.try_iter().is_err() {
        return Ok(vec![T::from_py(it)?]);
    }
    it.try_iter()?.map(|item| T::from_py(&item?)).collect()
}

/// An argument or an answer of a generated method.
#[derive(Clone)]
pub struct V<T>(pub T);

impl<'a, 'py, T: Value> FromPyObject<'a, 'py> for V<T> {
    type Error = PyErr;
    fn extract(it: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        T::from_py(&it).map(V)
    }
}

impl<'py, T: Value> IntoPyObject<'py> for V<T> {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;
    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        self.0.to_py(py)
    }
}

/// The path of a file, as a text or as a path of Python's.
pub struct PathText(pub String);

impl<'a, 'py> FromPyObject<'a, 'py> for PathText {
    type Error = PyErr;
    fn extract(it: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if !it.is_instance_of::<PyString>() && it.hasattr("__fspath__")? {
            return String::from_py(&it.call_method0("__fspath__")?).map(Self);
        }
        String::from_py(&it).map(Self)
    }
}

/// A record, or a file that holds it: a text or a path.
pub enum FileOr<T> {
    File(String),
    Value(T),
}

impl<'a, 'py, T: Value> FromPyObject<'a, 'py> for FileOr<T> {
    type Error = PyErr;
    fn extract(it: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if it.is_instance_of::<PyString>() {
            return String::from_py(&it).map(Self::File);
        }
        if it.hasattr("__fspath__")? {
            return String::from_py(&it.call_method0("__fspath__")?).map(Self::File);
        }
        T::from_py(&it).map(Self::Value)
    }
}

macro_rules! plain {
    ($($ty:ty, $name:literal;)*) => {
        $(impl Value for $ty {
            fn to_py(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
                self.into_bound_py_any(py)
            }
            fn from_py(it: &Bound<'_, PyAny>) -> PyResult<Self> {
                it.extract().map_err(|e: PyErr| match e.is_instance_of::<PyTypeError>(it.py()) {
                    true => expected($name, it),
                    false => invalid(concat!("This must be ", $name, ".")),
                })
            }
        })*
    };
}

plain! {
    String, "a text of valid Unicode";
    bool, "True or False";
    u32, "a whole number from 0 to 4294967295";
    u64, "a whole number from 0 to 18446744073709551615";
    SystemTime, "a datetime with a time zone";
}

impl Value for Vec<u8> {
    fn to_py(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(PyBytes::new(py, &self).into_any())
    }
    fn from_py(it: &Bound<'_, PyAny>) -> PyResult<Self> {
        if it.is_instance_of::<PyString>() {
            return Err(expected("bytes", it));
        }
        it.extract().map_err(|_| expected("bytes", it))
    }
}

impl Value for () {
    fn to_py(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(py.None().into_bound(py))
    }
    fn from_py(_it: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(())
    }
}

impl<T: Value> Value for Option<T> {
    fn to_py(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        self.map_or_else(|| ().to_py(py), |it| it.to_py(py))
    }
    fn from_py(it: &Bound<'_, PyAny>) -> PyResult<Self> {
        if it.is_none() { Ok(None) } else { T::from_py(it).map(Some) }
    }
}

impl<T: Value> Value for Vec<T> {
    fn to_py(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let list = PyList::empty(py);
        for item in self {
            list.append(item.to_py(py)?)?;
        }
        Ok(list.into_any())
    }
    fn from_py(it: &Bound<'_, PyAny>) -> PyResult<Self> {
        T::many(it)
    }
}

impl<T: Value> Value for HashMap<String, T> {
    fn to_py(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let dict = PyDict::new(py);
        for (key, value) in self {
            dict.set_item(key, value.to_py(py)?)?;
        }
        Ok(dict.into_any())
    }
    fn from_py(it: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mapping = it.cast::<PyMapping>().map_err(|_| expected("a mapping", it))?;
        mapping.items()?.iter().map(|item| {
            let (key, value) = (item.get_item(0)?, item.get_item(1)?);
            Ok((String::from_py(&key)?, T::from_py(&value)?))
        }).collect()
    }
}

/// An enum of bare names: a `str` enum in Python, taken also as its text.
macro_rules! flat {
    ($name:ident { $($variant:ident = $text:literal),* }) => {
        impl $crate::value::Value for tidings::$name {
            fn to_py(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
                let text = match self { $(Self::$variant => $text),* };
                $crate::value::named(py, stringify!($name))?.call1((text,))
            }
            fn from_py(it: &Bound<'_, PyAny>) -> PyResult<Self> {
                match String::from_py(it)?.as_str() {
                    $($text => Ok(Self::$variant),)*
                    _ => Err($crate::error::invalid(concat!("This is not one of the values of ", stringify!($name), ":" $(, " ", $text)*, "."))),
                }
            }
        }
    };
}

/// The record a method takes: given as one, or by its fields.
pub fn given<T: Value>(class: &str, value: Option<V<T>>, fields: Option<Py<PyDict>>) -> PyResult<T> {
    Python::attach(|py| match (value, fields) {
        (Some(value), None) => Ok(value.0),
        (None, fields) => T::from_py(&named(py, class)?.call((), fields.as_ref().map(|f| f.bind(py)))?),
        (Some(_), Some(_)) => Err(invalid(&format!("Give either a {class} or its fields, not both."))),
    })
}

/// `Name(field=…, …)` with secrets and contents left out.
pub fn repr<T>(it: &Bound<'_, T>, name: &str, fields: &[&str], hidden: &[&str]) -> PyResult<String> {
    let mut parts = Vec::with_capacity(fields.len());
    for field in fields {
        let value = it.as_any().getattr(*field)?;
        let shown = match value.cast::<PyBytes>() {
            _ if hidden.contains(field) => "'…'".to_owned(),
            Ok(bytes) => format!("<{} bytes>", bytes.as_bytes().len()),
            Err(_) => without_login(&value)?.repr()?.to_string(),
        };
        parts.push(format!("{field}={shown}"));
    }
    Ok(format!("{name}({})", parts.join(", ")))
}

/// A text, or a list of texts, that may be an address with a password in it; anything else is left as it is.
fn without_login<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(PyString::new(value.py(), &tidings::shown(&text.to_string_lossy())).into_any());
    }
    let Ok(list) = value.cast::<PyList>() else { return Ok(value.clone()) };
    let items = list.iter().map(|item| if item.is_exact_instance_of::<PyString>() { without_login(&item) } else { Ok(item) }).collect::<PyResult<Vec<_>>>()?;
    Ok(PyList::new(value.py(), items)?.into_any())
}

static NAMES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// Remembers the module's names, where enums and exceptions are found.
pub fn keep_names(names: &Bound<'_, PyDict>) {
    let _ = NAMES.set(names.py(), names.clone().unbind()); // a second import of the module finds the same names
}

pub fn named<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let names = NAMES.get(py).ok_or_else(|| pyo3::exceptions::PyRuntimeError::new_err("tidings is not imported"))?;
    names.bind(py).get_item(name)?.ok_or_else(|| pyo3::exceptions::PyNameError::new_err(name.to_owned()))
}
