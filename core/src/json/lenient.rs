//! Properties that nobody depends on, read as they were meant: a number that came as text, a list with a hole in it, an object where there is none.
//! What cannot be read at all is not there. Streamed, without a tree in between.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// A property whose shape is not to be relied on.
pub trait Lenient: Sized {
    fn of_text(_text: &str) -> Option<Self> {
        None
    }
    fn of_owned(text: String) -> Option<Self> {
        Self::of_text(&text)
    }
    fn of_number(_number: f64) -> Option<Self> {
        None
    }
    fn of_integer(number: i64) -> Option<Self> {
        Self::of_number(number as f64)
    }
    fn of_flag(_flag: bool) -> Option<Self> {
        None
    }
}

impl Lenient for String {
    fn of_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
    fn of_owned(text: String) -> Option<Self> {
        Some(text)
    }
    fn of_number(number: f64) -> Option<Self> {
        Some(number.to_string())
    }
    fn of_integer(number: i64) -> Option<Self> {
        Some(number.to_string())
    }
    fn of_flag(flag: bool) -> Option<Self> {
        Some(flag.to_string())
    }
}

impl Lenient for i64 {
    fn of_text(text: &str) -> Option<Self> {
        let text = text.trim();
        text.parse().ok().or_else(|| text.parse::<f64>().ok().and_then(Self::of_number))
    }
    fn of_number(number: f64) -> Option<Self> {
        // Beyond 2^53 a fraction no longer says which whole number is meant.
        (number.is_finite() && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
    }
    fn of_integer(number: i64) -> Option<Self> {
        Some(number)
    }
}

impl Lenient for bool {
    fn of_text(text: &str) -> Option<Self> {
        match text.trim() {
            text if text.eq_ignore_ascii_case("true") || text == "1" => Some(true),
            text if text.eq_ignore_ascii_case("false") || text == "0" => Some(false),
            _ => None,
        }
    }
    fn of_number(number: f64) -> Option<Self> {
        match number {
            0.0 => Some(false),
            1.0 => Some(true),
            _ => None,
        }
    }
    fn of_flag(flag: bool) -> Option<Self> {
        Some(flag)
    }
}

struct Scalar<T>(PhantomData<T>);

macro_rules! scalars {
    ($wrap:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok($wrap(T::of_text(text)))
        }
        fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
            Ok($wrap(T::of_owned(text)))
        }
        fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
            Ok($wrap(T::of_integer(number)))
        }
        fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
            Ok($wrap(i64::try_from(number).map_or_else(|_| T::of_number(number as f64), T::of_integer)))
        }
        fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
            Ok($wrap(T::of_number(number)))
        }
        fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
            Ok($wrap(T::of_flag(flag)))
        }
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok($wrap(None))
        }
        fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
            Ok($wrap(None))
        }
        fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
            input.deserialize_any(self)
        }
    };
}

impl<'de, T: Lenient> Visitor<'de> for Scalar<T> {
    type Value = Option<T>;
    scalars!(std::convert::identity);
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// For `deserialize_with`: a text, number or flag, whatever its shape.
pub fn scalar<'de, D: Deserializer<'de>, T: Lenient>(input: D) -> Result<Option<T>, D::Error> {
    input.deserialize_any(Scalar(PhantomData))
}

/// As [`scalar`], for a property of which it matters whether it is there at all, be it null.
pub fn present<'de, D: Deserializer<'de>, T: Lenient>(input: D) -> Result<Option<Option<T>>, D::Error> {
    scalar(input).map(Some)
}

/// One value of any shape.
struct Any<T>(Option<T>);

impl<'de, T: Lenient> Deserialize<'de> for Any<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        scalar(input).map(Self)
    }
}

struct Scalars<T>(PhantomData<T>);

impl<'de, T: Lenient> Visitor<'de> for Scalars<T> {
    type Value = Vec<T>;
    scalars!(|one: Option<T>| one.into_iter().collect());
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Any(one)) = seq.next_element()? {
            all.extend(one);
        }
        Ok(all)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Vec::new())
    }
}

/// A list of texts or numbers: what is none is left out, and one alone is a list of one.
pub fn scalars<'de, D: Deserializer<'de>, T: Lenient>(input: D) -> Result<Vec<T>, D::Error> {
    input.deserialize_any(Scalars(PhantomData))
}

struct Part<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Part<T> {
    type Value = Option<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_any(self)
    }
}

/// An object, or nothing where something else stands. Its own properties have to be lenient.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(input: D) -> Result<Option<T>, D::Error> {
    input.deserialize_any(Part(PhantomData))
}

/// As [`object`], for a property of which it matters whether it is there at all.
pub fn present_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(input: D) -> Result<Option<Option<T>>, D::Error> {
    object(input).map(Some)
}

struct AnyObject<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AnyObject<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        object(input).map(Self)
    }
}

struct Objects<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Objects<T> {
    type Value = Vec<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(AnyObject(one)) = seq.next_element()? {
            all.extend(one);
        }
        Ok(all)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|one| vec![one])
    }
    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_any(self)
    }
}

/// A list of objects: what is none is left out, and one alone is a list of one.
pub fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(input: D) -> Result<Vec<T>, D::Error> {
    input.deserialize_any(Objects(PhantomData))
}

/// As [`objects`], for a property of which it matters whether it is there at all.
pub fn present_objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(input: D) -> Result<Option<Vec<T>>, D::Error> {
    objects(input).map(Some)
}

/// As [`scalars`], for a property of which it matters whether it is there at all.
pub fn present_scalars<'de, D: Deserializer<'de>, T: Lenient>(input: D) -> Result<Option<Vec<T>>, D::Error> {
    scalars(input).map(Some)
}
