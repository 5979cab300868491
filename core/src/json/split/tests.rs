use super::*;
use proptest::prelude::*;
use serde_json::Value;

const MOST: usize = 1 << 20;

/// What is cut out of a text that comes in pieces of these lengths, and once more of them, to its end.
fn split(bytes: &[u8], lengths: &[usize]) -> Result<(Vec<String>, String), Fault> {
    let mut splitter = Splitter::new("value", MOST);
    let mut elements = Vec::new();
    let mut keep = |element: &[u8]| elements.push(text(element).into_owned());
    let (mut rest, mut lengths) = (bytes, lengths.iter().cycle());
    while !rest.is_empty() {
        let length = lengths.next().map_or(rest.len(), |n| (*n).clamp(1, rest.len()));
        let (piece, after) = rest.split_at(length);
        splitter.take(piece, &mut keep);
        rest = after;
    }
    let around = splitter.finish(&mut keep)?;
    Ok((elements, around))
}

fn whole(bytes: &[u8]) -> Result<(Vec<String>, String), Fault> {
    split(bytes, &[])
}

fn cut(text: &str) -> (Vec<String>, String) {
    let cut = whole(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    for length in 1..5 {
        assert_eq!(split(text.as_bytes(), &[length]).as_ref(), Ok(&cut), "{text} in pieces of {length}");
    }
    cut
}

#[test]
fn elements_are_cut_out_wherever_the_list_stands() {
    for (text, elements, around) in [
        (r#"{"value":[]}"#, vec![], r#"{"value":[]}"#),
        (r#"{"a":[1,{"value":[2]}],"value":[{"b":[1,"]"]},{}],"c":"d"}"#, vec![r#"{"b":[1,"]"]}"#, "{}"], r#"{"a":[1,{"value":[2]}],"value":[],"c":"d"}"#),
        (" {\n\"value\" : [ 1 , true,\tnull, \"x,]\\\"\" ,[[]] ] } ", vec!["1", "true", "null", r#""x,]\"""#, "[[]]"], " {\n\"value\" : [] } "),
        (r#"{"x":"value","value":["\\","\\\\\""]}"#, vec![r#""\\""#, r#""\\\\\"""#], r#"{"x":"value","value":[]}"#),
        (r#"{"\u0076alue":[7],"value\u0000":[8]}"#, vec!["7"], r#"{"\u0076alue":[],"value\u0000":[8]}"#),
        // What stands there twice is for the reader to refuse.
        (r#"{"value":[1],"value":[2]}"#, vec!["1", "2"], r#"{"value":[],"value":[]}"#),
        (r#"{"value":{"value":[1]}}"#, vec![], r#"{"value":{"value":[1]}}"#),
        (r#"{"value":null,"Value":[1]}"#, vec![], r#"{"value":null,"Value":[1]}"#),
        ("\u{FEFF}{\"value\":\u{FEFF}[\u{FEFF}{\u{FEFF}\"a\":\"\u{FEFF}\"}\u{FEFF},2\u{FEFF}]}", vec!["{\"a\":\"\u{FEFF}\"}", "2"], r#"{"value":[]}"#),
    ] {
        assert_eq!(cut(text), (elements.into_iter().map(str::to_owned).collect(), around.to_owned()), "{text}");
    }
}

#[test]
fn what_is_no_list_of_an_object_is_told() {
    let deep = format!(r#"{{"value":[{}]}}"#, "[".repeat(63));
    for text in [r#"{"value":[1"#, r#"{"value":["#, r#"{"value":[,1]}"#, r#"{"value":[1,]}"#, r#"{"value":[1 2]}"#, r#"{"value":[1}"#, r#"{"value":["x"#, "[]", " [[1]]", &deep] {
        assert_eq!(whole(text.as_bytes()), Err(Fault::Unreadable), "{text}");
        assert_eq!(split(text.as_bytes(), &[1]), Err(Fault::Unreadable), "{text}");
    }
    assert!(whole(format!(r#"{{"value":[{}{}]}}"#, "[".repeat(62), "]".repeat(62)).as_bytes()).is_ok());
    // These are for whoever reads what stands around.
    for text in ["", "{", "7", r#"{"value":[]}}"#, r#"{"value":[]"#] {
        assert!(whole(text.as_bytes()).is_ok_and(|(elements, around)| elements.is_empty() && serde_json::from_str::<Value>(&around).is_err() || around == "7"), "{text}");
    }
}

#[test]
fn what_is_held_is_bounded() {
    let text = format!(r#"{{"value":[1,"{}"],"x":"{}"}}"#, "a".repeat(30), "b".repeat(40));
    for (most, fits) in [(100, true), (59, true), (58, false), (31, false)] {
        for length in [1, 7, text.len()] {
            let mut splitter = Splitter::new("value", most);
            text.as_bytes().chunks(length).for_each(|piece| splitter.take(piece, &mut |element| assert!(element.len() <= most)));
            assert_eq!(splitter.finish(&mut |_| {}).err(), (!fits).then_some(Fault::TooLarge), "{most} in pieces of {length}");
        }
    }
}

#[test]
fn odd_bytes_are_put_right_as_in_a_whole_text() {
    let wide: Vec<u8> = [0xFF, 0xFE].into_iter().chain(r#"{"value":[{"a":"ü"},2]}"#.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for (bytes, wanted) in [(wide.as_slice(), r#"{"a":"ü"}"#), (b"{\"value\":[{\"a\":\"\xff\xc3\"},2]}", "{\"a\":\"\u{FFFD}\u{FFFD}\"}"), (br#"{"value":[{"a":"\ud83d"},2]}"#, "{\"a\":\"\u{FFFD}\"}")] {
        for lengths in [&[][..], &[1], &[2], &[3]] {
            assert_eq!(split(bytes, lengths), Ok((vec![wanted.to_owned(), "2".to_owned()], r#"{"value":[]}"#.to_owned())), "{lengths:?}");
        }
    }
}

/// Any JSON, with texts that look like the marks between elements.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from), "[\\[\\]{},:\"\\\\ avlue\u{FEFF}ü]{0,12}".prop_map(Value::from)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("value|[a\"\\\\\\[]{1,3}", inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// The list of an object, whatever stands in it and beside it, and in whatever pieces it comes.
    #[test]
    fn the_pieces_a_text_comes_in_change_nothing(list in proptest::collection::vec(json(), 0..6), beside in json(), is_pretty: bool, lengths in proptest::collection::vec(1usize..40, 1..6)) {
        let object = serde_json::json!({ "a": beside, "value": list, "z": beside });
        let text = if is_pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) }.unwrap();
        let (elements, around) = split(text.as_bytes(), &lengths).unwrap();
        let read: Vec<Value> = elements.iter().map(|element| serde_json::from_str(element).unwrap()).collect();
        prop_assert_eq!(&read, &list);
        prop_assert_eq!(serde_json::from_str::<Value>(&around).unwrap(), serde_json::json!({ "a": beside, "value": [], "z": beside }));
    }

    /// Text that is no JSON as well: marks in any order.
    #[test]
    fn a_whole_text_and_its_pieces_say_the_same(bytes in "(\\{\"value\":\\[)?([\\[\\]{},:\"\\\\ 1a\u{FEFF}]|\"value\"|\\{\\}){0,30}(\\]\\})?", lengths in proptest::collection::vec(1usize..6, 1..6)) {
        prop_assert_eq!(split(bytes.as_bytes(), &lengths), whole(bytes.as_bytes()));
    }

    #[test]
    fn and_so_do_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..60), lengths in proptest::collection::vec(1usize..6, 1..6)) {
        prop_assert_eq!(split(&bytes, &lengths), whole(&bytes));
    }
}
