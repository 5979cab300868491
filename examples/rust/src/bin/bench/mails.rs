//! Mails as people get them: HTML of 2 to 10 KB with tables, links and inline styles, replies that quote, a handful of senders.

use super::Outcome;
use serde_json::{Value, json};
use std::fmt::Write;
use std::ops::Range;
use tidings_examples::control::Control;

/// Requests to the simulator at a time.
const AT_ONCE: u32 = 16;

const PEOPLE: [(&str, &str); 4] =
    [("Alex Wilber", "alex@contoso.com"), ("Megan Bowen", "megan@contoso.com"), ("Nestor Wilke", "nestor@contoso.com"), ("Fred Fabrikam", "fred@fabrikam.com")];

const WORDS: [&str; 40] = [
    "the", "interview", "candidate", "please", "find", "attached", "schedule", "Thursday", "we", "would", "like", "to", "confirm", "your", "meeting", "with", "our", "team", "regarding", "position",
    "experience", "and", "references", "offer", "salary", "start", "date", "project", "review", "next", "week", "available", "thank", "you", "for", "time", "feedback", "role", "platform", "engineer",
];

/// Those with these numbers.
pub async fn fill(control: &Control, numbers: Range<u32>) -> Outcome<()> {
    let mut next = numbers.start;
    while next < numbers.end {
        let batch: Vec<_> = (next..numbers.end.min(next + AT_ONCE))
            .map(|n| {
                let control = control.clone();
                tokio::spawn(async move { control.post("mail", mail(n)).await })
            })
            .collect();
        for posted in batch {
            posted.await??;
        }
        next += AT_ONCE;
    }
    Ok(())
}

fn mail(n: u32) -> Value {
    let mut dice = Dice(u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (name, address) = PEOPLE[dice.below(PEOPLE.len())];
    let subject = sentence(&mut dice, 6);
    json!({
        "mailbox": "adele@contoso.com",
        "subject": if n.is_multiple_of(3) { format!("Re: {subject}") } else { subject },
        "from": { "name": name, "address": address },
        "to": [{ "name": "Adele Vance", "address": "adele@contoso.com" }],
        "html": html(&mut dice),
        "is_read": n.is_multiple_of(2),
        "received": format!("2025-{:02}-{:02}T{:02}:{:02}:{:02}Z", 1 + n / 864 % 12, 1 + n / 32 % 27, n % 24, n / 24 % 60, n % 60),
    })
}

/// Between 2 and 10 KB.
fn html(dice: &mut Dice) -> String {
    let size = 2_000 + dice.below(8_000);
    let mut out = String::from("<html><head><style>p { margin: 0; font-family: Calibri, sans-serif }</style></head><body>");
    while out.len() < size {
        match dice.below(6) {
            0 => {
                out.push_str("<table border=\"0\" cellpadding=\"4\"><tbody>");
                for _ in 0..3 {
                    let _ = write!(out, "<tr><td style=\"color: #444\">{}</td><td>{}</td></tr>", sentence(dice, 3), sentence(dice, 4));
                }
                out.push_str("</tbody></table>");
            }
            1 => {
                let _ = write!(out, "<p><a href=\"https://example.com/jobs/{}?ref={}\">{}</a></p>", dice.below(9000), dice.below(1 << 30), sentence(dice, 4));
            }
            2 => {
                let _ = write!(out, "<blockquote style=\"border-left: 2px solid #ccc; padding-left: 8px\"><p>{}</p></blockquote>", sentence(dice, 30));
            }
            _ => {
                let _ = write!(out, "<p class=\"MsoNormal\"><span style=\"font-size: 11pt\">{}</span></p><p>&nbsp;</p>", sentence(dice, 40));
            }
        }
    }
    out.push_str("</body></html>");
    out
}

fn sentence(dice: &mut Dice, words: usize) -> String {
    let words: Vec<&str> = (0..words).map(|_| WORDS[dice.below(WORDS.len())]).collect();
    words.join(" ")
}

/// The same mails on every machine (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap_or_default()
    }
}
