//! What the sender of a mail wrote, apart from the mail that is quoted below and from the signature: by the marks that mail programs leave in plain text. Where the sender
//! answered between the lines of the quotation, nothing is split off.

/// The parts of a body; one after the other they are the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts<'a> {
    pub own: &'a str,
    pub signature: &'a str,
    pub quoted: &'a str,
}

/// A longer text is not looked through: nobody wrote it by hand.
const LARGEST: usize = 1 << 20;
/// Lines over which "On … wrote:" may be broken.
const MOST_LINES: usize = 3;
const LONGEST_INTRODUCTION: usize = 400;
/// A signature is no longer than this.
const MOST_SIGNATURE_LINES: usize = 20;

/// How the line begins that introduces a quotation, and the word it holds, in the languages of the large mail programs.
const INTRODUCTIONS: [(&str, &str); 11] = [
    ("on ", "wrote"), ("am ", "schrieb"), ("le ", "écrit"), ("el ", "escribió"), ("il ", "scritto"), ("em ", "escreveu"), ("op ", "schreef"), ("op ", "geschreven"), ("den ", "skrev"),
    ("dnia ", "napisał"), ("w dniu ", "napisał"),
];
/// Between dashes.
const ORIGINAL: [&str; 10] = [
    "original message", "forwarded message", "original appointment", "ursprüngliche nachricht", "weitergeleitete nachricht", "message d'origine", "mensaje original", "messaggio originale",
    "oorspronkelijk bericht", "mensagem original",
];
const FROM: [&str; 8] = ["from:", "von:", "de:", "de :", "da:", "van:", "från:", "fra:"];
const SENT: [&str; 14] = [
    "sent:", "date:", "gesendet:", "datum:", "envoyé:", "envoyé :", "date :", "enviado:", "enviado el:", "inviato:", "data:", "verzonden:", "skickat:", "sendt:",
];
const DEVICES: [&str; 8] = [
    "sent from my ", "sent from outlook", "get outlook for ", "von meinem ", "gesendet von ", "envoyé de mon ", "enviado desde mi ", "inviato da ",
];

pub fn split(text: &str) -> Parts<'_> {
    if text.len() > LARGEST {
        return Parts { own: text, ..Parts::default() };
    }
    let lines = lines(text);
    let ends = Ends::of(&lines);
    let at = (0..lines.len()).find(|n| begins_quotation(&lines, *n, &ends));
    let end = at.and_then(|n| lines.get(n)).map_or(text.len(), |(from, _)| *from);
    let (rest, quoted) = text.split_at_checked(end).unwrap_or((text, ""));
    let (own, signature) = rest.split_at_checked(signature_of(rest)).unwrap_or((rest, ""));
    Parts { own, signature, quoted }
}

/// Where each line begins, and the line.
fn lines(text: &str) -> Vec<(usize, &str)> {
    let mut from = 0;
    let place = |line: &str| {
        let at = from;
        from += line.len();
        at
    };
    let starts: Vec<usize> = text.split_inclusive('\n').map(place).collect();
    starts.into_iter().zip(text.lines()).collect()
}

/// Where the last line stands that is marked as quoted, and the last one with text that is not; counted from 1, 0: there is none.
struct Ends {
    marked: usize,
    plain: usize,
}

impl Ends {
    fn of(lines: &[(usize, &str)]) -> Self {
        let is_marked = |line: &str| line.trim_start().starts_with('>');
        let last = |fits: &dyn Fn(&str) -> bool| lines.iter().rposition(|(_, line)| fits(line)).map_or(0, |n| n + 1);
        Self { marked: last(&is_marked), plain: last(&|line| !line.trim().is_empty() && !is_marked(line)) }
    }
}

/// From this line on, everything is quoted.
fn begins_quotation(lines: &[(usize, &str)], n: usize, ends: &Ends) -> bool {
    let rest = lines.get(n..).unwrap_or_default();
    let Some((_, line)) = rest.first() else { return false };
    let line = plain(line);
    if line.is_empty() {
        return false;
    }
    if line.starts_with('>') {
        return ends.plain <= n;
    }
    let dashed = line.strip_prefix("--").map(|line| line.trim_matches(|c: char| c == '-' || c.is_whitespace()));
    if dashed.is_some_and(|words| ORIGINAL.contains(&words)) {
        return true;
    }
    // The heads of Outlook, below a line of underscores or not.
    let is_from = |line: &str| FROM.iter().any(|label| line.starts_with(label));
    let is_sent = |line: &str| SENT.iter().any(|label| line.starts_with(label));
    let is_head = is_from(&line) && rest.iter().skip(1).take(4).any(|(_, line)| is_sent(&plain(line)));
    let is_rule = line.len() >= 10 && line.chars().all(|c| c == '_');
    let after_rule = rest.iter().take(4).position(|(_, line)| !line.trim().is_empty() && !line.trim().chars().all(|c| c == '_'));
    if is_head || (is_rule && after_rule.is_some_and(|after| is_from(&rest.get(after).map(|(_, line)| plain(line)).unwrap_or_default()))) {
        return true;
    }
    // Without marks all below is the quotation; with them, a line without one is an answer.
    introduction(rest).is_some_and(|length| ends.marked <= n + length || ends.plain <= n + length)
}

/// How many lines "On … wrote:" takes, if it stands here.
fn introduction(rest: &[(usize, &str)]) -> Option<usize> {
    let mut joined = String::new();
    for (n, (_, line)) in rest.iter().take(MOST_LINES).enumerate() {
        let line = plain(line);
        if line.is_empty() || line.starts_with('>') {
            return None;
        }
        joined.push_str(&line);
        joined.push(' ');
        let whole = joined.trim_end();
        if whole.len() > LONGEST_INTRODUCTION {
            return None;
        }
        let is_one = |(begin, verb): &(&str, &str)| whole.starts_with(begin) && whole.contains(verb);
        if whole.ends_with(':') && whole.contains(|c: char| c.is_ascii_digit()) && INTRODUCTIONS.iter().any(is_one) {
            return Some(n + 1);
        }
    }
    None
}

/// A line without blanks around it and marks of bold text, in small letters.
fn plain(line: &str) -> String {
    line.trim().trim_matches('*').trim().replace(":*", ":").to_lowercase()
}

/// Where the signature begins; the length of the text, if there is none.
fn signature_of(text: &str) -> usize {
    let lines = lines(text);
    let below = |n: usize| lines.iter().skip(n + 1).filter(|(_, line)| !line.trim().is_empty()).count();
    let dashes = lines.iter().enumerate().rev().find(|(_, (_, line))| matches!(*line, "--" | "-- "));
    if let Some((n, (at, _))) = dashes
        && below(n) <= MOST_SIGNATURE_LINES
    {
        return *at;
    }
    let last = lines.iter().rfind(|(_, line)| !line.trim().is_empty());
    let is_device = |line: &str| line.len() < 100 && DEVICES.iter().any(|begin| plain(line).starts_with(begin));
    last.filter(|(_, line)| is_device(line)).map_or(text.len(), |(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (String, String, String) {
        let Parts { own, signature, quoted } = split(text);
        assert_eq!(format!("{own}{signature}{quoted}"), text, "the parts are the whole");
        (own.trim().to_owned(), signature.trim().to_owned(), quoted.trim().to_owned())
    }

    #[test]
    fn quotations_of_every_program_are_split_off() {
        for introduction in [
            "On Thu, Jan 15, 2026 at 9:00 AM Alex Wilber <alex@contoso.com> wrote:",
            "On Thu, Jan 15, 2026 at 9:00 AM\r\nAlex Wilber <alex@contoso.com>\r\nwrote:",
            "Am Do., 15. Jan. 2026 um 09:00 Uhr schrieb Alex Wilber <alex@contoso.com>:",
            "Am 15.01.2026 um 09:00 schrieb Alex Wilber:",
            "Le jeu. 15 janv. 2026 à 09:00, Alex Wilber <alex@contoso.com> a écrit :",
            "El jue, 15 ene 2026 a las 9:00, Alex Wilber escribió:",
            "Il giorno gio 15 gen 2026 alle ore 09:00 Alex Wilber ha scritto:",
            "Em qui., 15 de jan. de 2026 às 09:00, Alex Wilber escreveu:",
            "Op do 15 jan 2026 om 09:00 schreef Alex Wilber <alex@contoso.com>:",
            "Den tors 15 jan. 2026 kl 09:00 skrev Alex Wilber <alex@contoso.com>:",
            "-----Original Message-----",
            "----- Ursprüngliche Nachricht -----",
            "---------- Forwarded message ---------",
            "________________________________\r\nFrom: Alex Wilber",
            "From: Alex Wilber\r\nSent: Thursday, January 15, 2026 9:00 AM\r\nTo: Adele",
            "*Von:* Alex Wilber\r\n*Gesendet:* Donnerstag, 15. Januar 2026",
            "De : Alex Wilber\r\nEnvoyé : jeudi 15 janvier 2026",
        ] {
            for quoted in ["> Old\r\n>> Older", "Old\r\n\r\nOlder"] {
                let text = format!("Yes, at three.\r\n\r\n{introduction}\r\n\r\n{quoted}\r\n");
                assert_eq!(of(&text), ("Yes, at three.".into(), String::new(), format!("{introduction}\r\n\r\n{quoted}")), "{introduction}");
            }
        }
        assert_eq!(of("Yes\n> Old\n> Older\n"), ("Yes".into(), String::new(), "> Old\n> Older".into()));
    }

    #[test]
    fn answers_between_the_lines_stay_whole() {
        for text in [
            "On Thu, Jan 15, 2026 Alex wrote:\n> At three?\nYes.\n> Where?\nHere.",
            "> At three?\nYes.",
            "On time is what I want to be. She wrote: see you at 3",
            "From: the heart\nI thank you.",
            "Am I right? He schrieb nothing.",
            "a -- b\n--- \nc",
            "",
        ] {
            assert_eq!(split(text), Parts { own: text, ..Parts::default() }, "{text}");
        }
    }

    #[test]
    fn signatures_are_split_off() {
        assert_eq!(of("Hi\n\n-- \nAdele Vance\nContoso\n"), ("Hi".into(), "-- \nAdele Vance\nContoso".into(), String::new()));
        assert_eq!(of("Hi\n\nSent from my iPhone\n\nOn 1 Jan 2026 Alex wrote:\n> x"), ("Hi".into(), "Sent from my iPhone".into(), "On 1 Jan 2026 Alex wrote:\n> x".into()));
        assert_eq!(of("Hi\nGet Outlook for iOS<https://aka.ms/o0ukef>\n").1, "Get Outlook for iOS<https://aka.ms/o0ukef>");
        let long = format!("Hi\n--\n{}", "a line\n".repeat(30));
        assert_eq!(of(&long).1, "");
    }
}
