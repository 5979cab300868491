//! How values cross between the core and JavaScript.

use crate::error::{Read, Refusal};
use napi::bindgen_prelude::{Array, Buffer, FromNapiValue, Null, Object, ToNapiValue, Uint8Array, Unknown};
use napi::{Env, JsDate, JsString, JsValue, Result, ValueType, sys};
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A type of the core that JavaScript can hand over and receive.
pub trait Value: Sized {
    fn to_js(self, env: &Env) -> Result<Unknown<'_>>;
    fn from_js(it: Unknown<'_>) -> Read<Self>;

    /// A list of them.
    fn many(it: Unknown<'_>) -> Read<Vec<Self>> {
        items(&Array::from_unknown(it).map_err(|_| Refusal::new("must be an array"))?)
    }
}

/// An argument or an answer of a generated method.
pub struct V<T>(pub T);

impl<T: Value> FromNapiValue for V<T> {
    // napi's own interface is unsafe because it hands over raw pointers; they are passed on as they came.
    #[allow(unsafe_code)]
    unsafe fn from_napi_value(env: sys::napi_env, it: sys::napi_value) -> Result<Self> {
        let it = unsafe { Unknown::from_napi_value(env, it)? };
        Ok(V(T::from_js(it)?))
    }
}

impl<T: Value> ToNapiValue for V<T> {
    #[allow(unsafe_code)] // as above
    unsafe fn to_napi_value(env: sys::napi_env, it: Self) -> Result<sys::napi_value> {
        it.0.to_js(&Env::from_raw(env)).map(|it| it.raw())
    }
}

pub fn is(it: &Unknown<'_>, kind: ValueType) -> bool {
    it.get_type().is_ok_and(|found| found == kind)
}

pub fn is_text(it: &Unknown<'_>) -> bool {
    is(it, ValueType::String)
}

pub fn is_bytes(it: &Unknown<'_>) -> bool {
    Uint8Array::from_unknown(it.to_unknown()).is_ok()
}

fn is_none(it: &Unknown<'_>) -> bool {
    is(it, ValueType::Undefined) || is(it, ValueType::Null)
}

impl Value for String {
    fn to_js(self, env: &Env) -> Result<Unknown<'_>> {
        Ok(env.create_string(&self)?.to_unknown())
    }
    fn from_js(it: Unknown<'_>) -> Read<Self> {
        if !is_text(&it) {
            return Err(Refusal::new("must be a string"));
        }
        // Through UTF-16, since Node would silently replace half a character.
        JsString::from_unknown(it)?.into_utf16()?.as_str().map_err(|_| Refusal::new("must be valid Unicode"))
    }
}

impl Value for bool {
    fn to_js(self, env: &Env) -> Result<Unknown<'_>> {
        self.into_unknown(env)
    }
    fn from_js(it: Unknown<'_>) -> Read<Self> {
        bool::from_unknown(it).map_err(|_| Refusal::new("must be true or false"))
    }
}

/// The largest whole number that JavaScript counts exactly.
const SAFE: f64 = 9_007_199_254_740_991.0;

fn whole(it: Unknown<'_>, largest: f64) -> Read<u64> {
    let refuse = || Refusal::new(&format!("must be a whole number from 0 to {largest}"));
    let number = f64::from_unknown(it).map_err(|_| refuse())?;
    let fits = number.fract() == 0.0 && (0.0..=largest).contains(&number);
    if fits { Ok(number as u64) } else { Err(refuse()) }
}

impl Value for u32 {
    fn to_js(self, env: &Env) -> Result<Unknown<'_>> {
        self.into_unknown(env)
    }
    fn from_js(it: Unknown<'_>) -> Read<Self> {
        u32::try_from(whole(it, f64::from(u32::MAX))?).map_err(|_| Refusal::new("is too large"))
    }
}

impl Value for u64 {
    fn to_js(self, env: &Env) -> Result<Unknown<'_>> {
        let number = self as f64;
        if number > SAFE {
            return Err(crate::error::reject(&tidings::Error::internal("A number is larger than JavaScript can count.")));
        }
        number.into_unknown(env)
    }
    fn from_js(it: Unknown<'_>) -> Read<Self> {
        whole(it, SAFE)
    }
}

impl Value for SystemTime {
    fn to_js(self, env: &Env) -> Result<Unknown<'_>> {
        let ms = match self.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_millis() as f64,
            Err(before) => -(before.duration().as_millis() as f64),
        };
        Ok(env.create_date(ms)?.to_unknown())
    }
    fn from_js(it: Unknown<'_>) -> Read<Self> {
        let ms = JsDate::from_unknown(it).and_then(|date| date.value_of()).map_err(|_| Refusal::new("must be a Date"))?;
        let distance = Duration::try_from_secs_f64(ms.abs() / 1000.0).map_err(|_| Refusal::new("must be a valid Date"))?;
        let at = if ms < 0.0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
        at.ok_or_else(|| Refusal::new("must be a valid Date"))
    }
}

impl Value for Vec<u8> {
    fn to_js(self, env: &Env) -> Result<Unknown<'_>> {
        Buffer::from(self).into_unknown(env)
    }
    fn from_js(it: Unknown<'_>) -> Read<Self> {
        Uint8Array::from_unknown(it).map(|bytes| bytes.to_vec()).map_err(|_| Refusal::new("must be a Buffer or Uint8Array"))
    }
}

impl Value for () {
    fn to_js(self, env: &Env) -> Result<Unknown<'_>> {
        ().into_unknown(env)
    }
    fn from_js(_it: Unknown<'_>) -> Read<Self> {
        Ok(())
    }
}

impl<T: Value> Value for Option<T> {
    fn to_js(self, env: &Env) -> Result<Unknown<'_>> {
        self.map_or_else(|| Null.into_unknown(env), |it| it.to_js(env))
    }
    fn from_js(it: Unknown<'_>) -> Read<Self> {
        if is_none(&it) { Ok(None) } else { T::from_js(it).map(Some) }
    }
}

impl<T: Value> Value for Vec<T> {
    fn to_js(self, env: &Env) -> Result<Unknown<'_>> {
        let items = self.into_iter().map(|item| item.to_js(env)).collect::<Result<Vec<_>>>()?;
        Ok(Array::from_vec(env, items)?.to_unknown())
    }
    fn from_js(it: Unknown<'_>) -> Read<Self> {
        T::many(it)
    }
}

impl<T: Value> Value for HashMap<String, T> {
    fn to_js(self, env: &Env) -> Result<Unknown<'_>> {
        let mut object = Object::new(env)?;
        for (key, value) in self {
            object.set(key, value.to_js(env)?)?;
        }
        Ok(object.to_unknown())
    }
    fn from_js(it: Unknown<'_>) -> Read<Self> {
        if !is(&it, ValueType::Object) || it.is_array()? {
            return Err(Refusal::new("must be an object"));
        }
        let object = Object::from_unknown(it)?;
        // Whose entries are no properties: it would pass for an empty one.
        if object.get::<Unknown>("entries")?.is_some_and(|entries| is(&entries, ValueType::Function)) {
            return Err(Refusal::new("must be a plain object, not a Map, Headers or URLSearchParams (see Object.fromEntries)"));
        }
        let read = |key: String| {
            let value = field(&object, &key, None)?;
            Ok((key, value))
        };
        Object::keys(&object)?.into_iter().map(read).collect()
    }
}

/// Reads the field of a record; `default` fills in for one that is left out.
pub fn field<T: Value>(of: &Object<'_>, name: &str, default: Option<T>) -> Read<T> {
    match (of.get::<Unknown>(name)?, default) {
        (Some(it), Some(default)) if is(&it, ValueType::Undefined) => Ok(default),
        (Some(it), _) => T::from_js(it).map_err(|refusal| refusal.inside(name)),
        (None, Some(default)) => Ok(default),
        (None, None) => Err(Refusal::new("is missing").inside(name)),
    }
}

/// The fields of a record; one that is left out has none.
pub fn fields(it: Unknown<'_>) -> Read<Object<'_>> {
    match it.get_type()? {
        ValueType::Undefined => Ok(Object::new(&Env::from_raw(it.value().env)).map(|o| Object::from_raw(it.value().env, o.raw()))?),
        ValueType::Object => Ok(Object::from_unknown(it)?),
        _ => Err(Refusal::new("must be an object")),
    }
}

/// `{key: it}`, what a short form stands for.
pub fn object_of<'env>(key: &str, it: Unknown<'env>) -> Read<Unknown<'env>> {
    let mut object = Object::from_raw(it.value().env, Object::new(&Env::from_raw(it.value().env))?.raw());
    object.set(key, it)?;
    Ok(object.to_unknown())
}

/// Which variant is meant.
pub fn tag(object: &Object<'_>, tags: &[&str]) -> Read<String> {
    if let Some(tag) = field::<Option<String>>(object, "type", Some(None))? {
        return Ok(tag);
    }
    for tag in tags {
        if object.get::<Unknown>(&in_camel_case(tag))?.is_some() {
            return Ok((*tag).to_owned());
        }
    }
    Err(Refusal::new("is missing").inside("type"))
}

/// `channelPost` of `channel_post`.
fn in_camel_case(tag: &str) -> String {
    let mut parts = tag.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| {
        let mut letters = part.chars();
        name + &letters.next().map_or_else(String::new, |letter| letter.to_ascii_uppercase().to_string()) + letters.as_str()
    })
}

/// The default of a field, when it has one.
pub fn first<T>(default: &[fn() -> T]) -> Option<T> {
    default.first().map(|make| make())
}

/// For types with a short form: one of them stands for a list of one.
pub fn one_or_many<T: Value>(it: Unknown<'_>) -> Read<Vec<T>> {
    match Array::from_unknown(it) {
        Ok(list) => items(&list),
        Err(_) => Ok(vec![T::from_js(it)?]),
    }
}

fn items<T: Value>(list: &Array<'_>) -> Read<Vec<T>> {
    (0..list.len())
        .map(|i| match list.get::<Unknown>(i)? {
            Some(item) => T::from_js(item).map_err(|refusal| refusal.inside(&format!("[{i}]"))),
            None => Err(Refusal::new("is missing").inside(&format!("[{i}]"))),
        })
        .collect()
}

/// An enum of bare names: a union of strings.
macro_rules! flat {
    ($name:ident { $($variant:ident = $text:literal),* }) => {
        impl Value for tidings::$name {
            fn to_js(self, env: &Env) -> Result<Unknown<'_>> {
                match self { $(Self::$variant => $text),* }.to_owned().to_js(env)
            }
            fn from_js(it: Unknown<'_>) -> Read<Self> {
                match String::from_js(it)?.as_str() {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(Refusal::new(concat!("is not one of the values of ", stringify!($name), ":" $(, " ", $text)*))),
                }
            }
        }
    };
}

/// A record: a plain object.
macro_rules! record {
    ($name:ident $(short $short:literal)? { $($field:ident: $key:literal $(= $default:expr)?),* }) => {
        impl Value for tidings::$name {
            fn to_js(self, env: &Env) -> Result<Unknown<'_>> {
                let Self { $($field),* } = self;
                let mut object = napi::bindgen_prelude::Object::new(env)?;
                $(object.set($key, $field.to_js(env)?)?;)*
                Ok(object.to_unknown())
            }
            fn from_js(it: Unknown<'_>) -> Read<Self> {
                $(if is_text(&it) {
                    return Self::from_js($crate::value::object_of($short, it)?);
                })?
                let object = $crate::value::fields(it)?;
                Ok(Self { $($field: $crate::value::field(&object, $key, $crate::value::first(&[$(|| $default)?]))?),* })
            }
            $(fn many(it: Unknown<'_>) -> Read<Vec<Self>> {
                let _ = $short;
                $crate::value::one_or_many(it)
            })?
        }
    };
}

/// An enum with data: objects told apart by `type`. Without it the first variant whose name is a field is meant; a bare string is a variant
/// without fields.
macro_rules! union {
    ($name:ident { $($variant:ident $tag:literal { $($field:ident: $key:literal),* }),* }) => {
        impl Value for tidings::$name {
            fn to_js(self, env: &Env) -> Result<Unknown<'_>> {
                let mut object = napi::bindgen_prelude::Object::new(env)?;
                match self {
                    $(Self::$variant { $($field),* } => {
                        object.set("type", $tag)?;
                        $(object.set($key, $field.to_js(env)?)?;)*
                    })*
                }
                Ok(object.to_unknown())
            }
            fn from_js(it: Unknown<'_>) -> Read<Self> {
                let object = $crate::value::fields(if is_text(&it) { $crate::value::object_of("type", it)? } else { it })?;
                let tag = $crate::value::tag(&object, &[$($tag),*])?;
                match tag.as_str() {
                    $($tag => Ok(Self::$variant { $($field: $crate::value::field(&object, $key, None)?),* }),)*
                    _ => Err(Refusal::new(concat!("is not one of the types of ", stringify!($name), ":" $(, " ", $tag)*))),
                }
            }
        }
    };
}
