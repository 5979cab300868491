use crate::contract::*;
pub fn glue(_c: &Contract) -> String { String::new() }
