//! What the agent thinks with. Put a model in its place: text in, text out.

/// Name, when and where.
const CANDIDATES: [(&str, &str, &str); 2] = [("Ann", "on Thursday at 3", "to room 12"), ("Bob", "on Friday at 10", "to room 7")];

/// The answer to `text`; `history` is what people said there before, the oldest first. Whom it is about may stand in either.
pub fn brain(text: &str, history: &[String]) -> String {
    let asks_where = text.to_lowercase().contains("where");
    for said in std::iter::once(text).chain(history.iter().rev().map(String::as_str)) {
        if let Some((name, time, place)) = CANDIDATES.into_iter().find(|(name, ..)| said.contains(name)) {
            return format!("{name} comes {}.", if asks_where { place } else { time });
        }
    }
    "Whom do you mean, Ann or Bob?".into()
}
