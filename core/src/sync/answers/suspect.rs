//! Which new messages are worth a look. A guess by what delta brings anyway: it costs a request, and proves nothing.

use crate::graph::MailItem;
use crate::model::{Address, ChangeKind};
use crate::sync::plan::Upsert;

/// Who reports for mail systems, before the `@`.
const REPORTERS: &[&str] = &["postmaster", "mailer-daemon", "mailerdaemon", "mail-daemon"];
/// Exchange reports as `MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@…`.
const EXCHANGE: &str = "microsoftexchange";

/// With what subjects begin that Exchange and Outlook give automatic replies and reports, in lower case. Some languages put a space before the colon.
const BEGINNINGS: &[&str] = &[
    "automatic reply",
    "out of office",
    "undeliverable",
    "delivery delayed",
    "automatische antwort",
    "abwesend",
    "unzustellbar",
    "zustellung verzögert",
    "réponse automatique",
    "absence du bureau",
    "non remis",
    "remise retardée",
    "自動応答",
    "配信不能",
    "配信遅延",
    "respuesta automática",
    "no se puede entregar",
    "risposta automatica",
    "non recapitabile",
    "automatisch antwoord",
    "onbestelbaar",
    "resposta automática",
    "não é possível entregar",
    "automatyczna odpowiedź",
    "niedostarczalne",
    "automatiskt svar",
    "autosvar",
    "automatisk svar",
    "automaattinen vastaus",
    "automatická odpověď",
    "otomatik yanıt",
    "автоматический ответ",
    "недоставляемое",
    "自动答复",
    "自動回覆",
    "无法送达",
    "자동 회신",
];

/// Graph ids of those that look as if no person wrote them.
pub fn candidates(upserts: &[Upsert]) -> Vec<String> {
    let is_new = |upsert: &&Upsert| upsert.change == Some(ChangeKind::MessageAdded);
    upserts.iter().filter(is_new).map(|upsert| &upsert.item).filter(|item| is_suspect(item)).map(|item| item.id.clone()).collect()
}

fn is_suspect(item: &MailItem) -> bool {
    !item.is_draft && (item.from.iter().chain(&item.sender).any(reports) || begins_like_one(&item.subject))
}

fn reports(who: &Address) -> bool {
    let address = who.address.to_lowercase();
    let local = address.split_once('@').map_or(address.as_str(), |(local, _)| local);
    REPORTERS.contains(&local) || local.starts_with(EXCHANGE)
}

fn begins_like_one(subject: &str) -> bool {
    // What is longer than the beginnings does not matter.
    let start = subject.trim_start().chars().take(40).collect::<String>().to_lowercase();
    BEGINNINGS.iter().any(|beginning| start.strip_prefix(beginning).is_some_and(|rest| rest.trim_start().starts_with([':', '：'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str, subject: &str) -> MailItem {
        MailItem { from: Some(Address { name: String::new(), address: address.into() }), subject: subject.into(), ..MailItem::default() }
    }

    #[test]
    fn reporters_and_beginnings_in_any_language_are_worth_a_look() {
        for address in ["postmaster@contoso.com", "MAILER-DAEMON@mx.example", "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.com"] {
            assert!(is_suspect(&from(address, "x")), "{address}");
        }
        for subject in ["Automatic reply: Interview", "Réponse automatique : Entretien", "自動応答: 面接", "Unzustellbar: Angebot", "Автоматический ответ: x", "自動応答： 面接"] {
            assert!(is_suspect(&from("alex@contoso.com", subject)), "{subject}");
        }
    }

    #[test]
    fn what_people_write_is_not() {
        for subject in ["Automatic replies are annoying", "Re: Automatic reply: x", "Undeliverable goods: see list", "", "Interview"] {
            assert!(!is_suspect(&from("alex@contoso.com", subject)), "{subject}");
        }
        assert!(!is_suspect(&from("my-postmaster@contoso.com", "x")));
        assert!(!is_suspect(&MailItem { is_draft: true, ..from("postmaster@contoso.com", "x") }));
    }
}
