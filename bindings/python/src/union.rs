//! Enums with data: one class per variant, for `match`.

/// A variant without data is also taken as its name, one that `wraps` a record also as that record.
macro_rules! union {
    (
        $(#[$docs:meta])* $class:ident $name:ident $shown:literal
        { $($(#[$variant_docs:meta])* $variant:ident $text:literal $(wraps($only:ident: $record:ident))? { $($field:ident: $ty:ty),* }),* }
    ) => {
        $(#[$docs])*
        #[pyclass(frozen, name = $shown, module = "tidings")]
        pub enum $class { $($(#[$variant_docs])* $variant { $($field: V<$ty>),* }),* }

        impl $class {
            fn core(&self) -> tidings::$name {
                match self { $(Self::$variant { $($field),* } => tidings::$name::$variant { $($field: $field.0.clone()),* }),* }
            }
            /// The variant of this name, if it has no data.
            fn named(name: &str) -> Option<tidings::$name> {
                match name { $($text => bare!($name $variant $($field)*),)* _ => None }
            }
        }

        #[pymethods]
        impl $class {
            fn __repr__(it: &Bound<'_, Self>) -> PyResult<String> {
                match it.get() { $(Self::$variant { .. } => repr(it, concat!($shown, ".", stringify!($variant)), &[$(stringify!($field)),*], &[])),* }
            }
            fn __reduce_ex__(&self, _protocol: &Bound<'_, PyAny>) -> PyResult<()> {
                Err(uncopied($shown, CONSTANT))
            }
            fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
                other.cast::<Self>().is_ok_and(|other| other.get().core() == self.core())
            }
        }

        impl Value for tidings::$name {
            fn to_py(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
                let it = match self { $(Self::$variant { $($field),* } => $class::$variant { $($field: V($field)),* }),* };
                Ok(it.into_pyobject(py)?.into_any())
            }
            fn from_py(it: &Bound<'_, PyAny>) -> PyResult<Self> {
                $($(if it.is_instance_of::<$record>() { return Ok(Self::$variant { $only: Value::from_py(it)? }); })?)*
                if let Some(bare) = it.cast::<PyString>().ok().and_then(|name| $class::named(&name.to_string_lossy())) {
                    return Ok(bare);
                }
                Ok(it.cast::<$class>().map_err(|_| expected($shown, it))?.get().core())
            }
        }
    };
}

macro_rules! bare {
    ($name:ident $variant:ident) => { Some(tidings::$name::$variant {}) };
    ($name:ident $variant:ident $($field:ident)+) => { None };
}
