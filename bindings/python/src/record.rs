//! Records: frozen classes with keyword arguments, `==`, `repr` and `match`.

/// `short` names the field that stands for the whole when a text is given; `hidden` are fields that `repr` leaves out.
macro_rules! record {
    (
        $(#[$docs:meta])* $class:ident $name:ident $shown:literal [$($equal:ident)?] short($($short:ident)?) hidden($($hidden:literal)*)
        { $($(#[$field_docs:meta])* $field:ident: $ty:ty $(= $default:expr)?),* }
    ) => {
        $(#[$docs])*
        #[pyclass(frozen, name = $shown, module = "tidings")]
        pub struct $class(tidings::$name);

        #[pymethods]
        impl $class {
            #[new]
            #[pyo3(signature = ($($field $(= V($default))?),*))]
            fn new($($field: V<$ty>),*) -> Self {
                Self(tidings::$name { $($field: $field.0),* })
            }
            $($(#[$field_docs])* #[getter] fn $field(&self) -> V<$ty> { V(self.0.$field.clone()) })*
            #[classattr]
            fn __match_args__(py: Python<'_>) -> PyResult<Py<PyTuple>> {
                Ok(PyTuple::new(py, [$(stringify!($field)),*])?.unbind())
            }
            fn __repr__(it: &Bound<'_, Self>) -> PyResult<String> {
                repr(it, $shown, &[$(stringify!($field)),*], &[$($hidden),*])
            }
            fn __reduce_ex__(&self, _protocol: &Bound<'_, PyAny>) -> PyResult<()> {
                Err(uncopied($shown, CONSTANT))
            }
            $(fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
                let $equal = other.cast::<Self>();
                $equal.is_ok_and(|other| other.get().0 == self.0)
            })?
        }

        impl Value for tidings::$name {
            fn to_py(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
                Ok(Bound::new(py, $class(self))?.into_any())
            }
            fn from_py(it: &Bound<'_, PyAny>) -> PyResult<Self> {
                $(if it.is_instance_of::<PyString>() {
                    let _ = stringify!($short);
                    return Self::from_py(&it.py().get_type::<$class>().call1((it,))?);
                })?
                if let Ok(fields) = it.cast::<PyDict>() {
                    return Self::from_py(&it.py().get_type::<$class>().call((), Some(fields))?);
                }
                Ok(it.cast::<$class>().map_err(|_| expected($shown, it))?.get().0.clone())
            }
            $(fn many(it: &Bound<'_, PyAny>) -> PyResult<Vec<Self>> {
                let _ = stringify!($short);
                one_or_many(it)
            })?
        }
    };
}
