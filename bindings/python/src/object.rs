//! Objects of the core behind classes of Python.

/// The class; `ahead` keeps what a stream delivered in one batch, `at_exit` is told of objects to close.
macro_rules! object {
    ($(#[$docs:meta])* $class:ident $name:ident $shown:literal ahead($($item:ty)?) at_exit($($remember:path)?)) => {
        $(#[$docs])*
        #[pyclass(frozen, name = $shown, module = "tidings")]
        pub struct $class(Arc<tidings::$name>, $(Ahead<$item>)?);

        impl $class {
            fn of(inner: Arc<tidings::$name>) -> Self {
                $($remember(&inner);)?
                Self(inner, $(Ahead::<$item>::default())?)
            }
        }
    };
}

/// As an argument: an object of the class, of its blocking twin, or the one value it is made of.
macro_rules! object_value {
    ($class:ident $name:ident $shown:literal twin($($twin:ident)?) made($($held:ident $($named:literal)?)?)) => {
        impl Value for Arc<tidings::$name> {
            fn to_py(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
                Ok(Bound::new(py, $class::of(self))?.into_any())
            }
            fn from_py(it: &Bound<'_, PyAny>) -> PyResult<Self> {
                $(if it.is_instance_of::<$held>() {
                    let make = it.py().get_type::<$class>().into_any();
                    $(let make = make.getattr($named)?;)?
                    return Self::from_py(&make.call1((it,))?);
                })?
                $(if let Ok(it) = it.cast::<$twin>() { return Ok(it.get().0.clone()); })?
                Ok(it.cast::<$class>().map_err(|_| expected($shown, it))?.get().0.clone())
            }
        }
    };
}
