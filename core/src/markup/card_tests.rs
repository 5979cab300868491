#![allow(clippy::unwrap_used)]

use super::check_card;
use crate::error::ErrorKind;

#[test]
fn cards_as_people_design_them_are_taken() {
    for card in [
        r#"{"type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","text":"Hi","wrap":true}]}"#,
        r#"{"type":"AdaptiveCard","$schema":"http://adaptivecards.io/schemas/adaptive-card.json","version":"1.5","body":[
            {"type":"ColumnSet","columns":[{"type":"Column","items":[{"type":"Image","url":"https://contoso.com/a.png"}]},{"width":"auto","items":[]}]},
            {"type":"FactSet","facts":[{"title":"When","value":"Three"}]},
            {"type":"Table","columns":[{"width":1}],"rows":[{"type":"TableRow","cells":[{"type":"TableCell","items":[{"type":"TextBlock","text":"x"}]}]}]},
            {"type":"Input.ChoiceSet","id":"answer","choices":[{"title":"Yes","value":"y"}]}],
            "actions":[{"type":"Action.OpenUrl","title":"Open","url":"https://contoso.com"},{"type":"Action.ShowCard","title":"More","card":{"type":"AdaptiveCard","body":[{"type":"TextBlock","text":"y"}]}}]}"#,
        r#"{"type":"AdaptiveCard","version":"1.0","body":[{"type":"Carousel","pages":[]},{"type":"TextBlock","text":"x","color":"Accent"}],"msteams":{"width":"Full"}}"#,
        r#"{"type":"AdaptiveCard","version":"1.2","actions":[{"type":"Action.Submit","title":"Go"}]}"#,
    ] {
        check_card(card).unwrap();
    }
}

#[test]
fn what_is_no_card_is_refused_with_the_place() {
    let nested = format!("{}{}{}", r#"{"type":"AdaptiveCard","version":"1.4","body":["#, r#"{"type":"Container","items":["#.repeat(40), "]}".repeat(41));
    for (card, place) in [
        ("", "JSON"),
        ("hello", "JSON"),
        ("[]", "object"),
        ("null", "object"),
        ("{}", "AdaptiveCard"),
        (r#"{"type":"MessageCard","version":"1.4","body":[]}"#, "AdaptiveCard"),
        (r#"{"type":"adaptivecard","version":"1.4","body":[]}"#, "AdaptiveCard"),
        (r#"{"type":"AdaptiveCard","body":[{"type":"TextBlock","text":"x"}]}"#, "version"),
        (r#"{"type":"AdaptiveCard","version":1.4,"body":[{"type":"TextBlock","text":"x"}]}"#, "version"),
        (r#"{"type":"AdaptiveCard","version":"1.9","body":[{"type":"TextBlock","text":"x"}]}"#, "version"),
        (r#"{"type":"AdaptiveCard","version":"new","body":[{"type":"TextBlock","text":"x"}]}"#, "version"),
        (r#"{"type":"AdaptiveCard","version":"1.4","body":[]}"#, "is empty"),
        (r#"{"type":"AdaptiveCard","version":"1.4","body":{}}"#, "body"),
        (r#"{"type":"AdaptiveCard","version":"1.4","body":["x"]}"#, "body[0]"),
        (r#"{"type":"AdaptiveCard","version":"1.4","body":[{"text":"x"}]}"#, "body[0]"),
        (r#"{"type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock"}]}"#, "\"text\""),
        (r#"{"type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","text":7}]}"#, "\"text\""),
        (r#"{"type":"AdaptiveCard","version":"1.4","body":[{"type":"Container","items":[{"type":"Image"}]}]}"#, "items[0]"),
        (r#"{"type":"AdaptiveCard","version":"1.4","body":[{"type":"ColumnSet","columns":[{"type":"Row"}]}]}"#, "columns[0]"),
        (r#"{"type":"AdaptiveCard","version":"1.4","body":[{"type":"FactSet","facts":[{"title":"x"}]}]}"#, "facts[0]"),
        (r#"{"type":"AdaptiveCard","version":"1.4","actions":[{"type":"Action.OpenUrl","url":"javascript:alert(1)"}]}"#, "https"),
        (r#"{"type":"AdaptiveCard","version":"1.4","actions":[{"type":"Action.ShowCard","card":{"type":"Card"}}]}"#, "card"),
        (nested.as_str(), "deeply"),
    ] {
        let error = check_card(card).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{card}");
        assert!(error.reason().contains(place), "{card}: {}", error.reason());
    }
}
