use crate::contract::*;
pub fn dts(_c: &Contract) -> String { String::new() }
