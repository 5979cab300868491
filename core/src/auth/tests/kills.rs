//! A process is killed within a renewal; the next one has a token all the same, and asks with a refresh token that Microsoft takes.

use super::*;
use crate::failpoint::Armed;

/// Kills the renewal at this point, and has the next process ask for a token.
async fn renewed_after(fixture: &Fixture, account: &Account, point: &str) -> Result<String> {
    let armed = Armed::at(point, 0);
    tokio::select! { () = armed.reached() => {}, outcome = fixture.token(account, None) => panic!("{point} was passed: {outcome:?}") }
    drop(armed);
    let (next, _store, _pipeline) = open(&fixture.folder, &fixture.service, &fixture.clock, &fixture.event_bus);
    next.token(account.id.clone(), None, None).await.map(|token| token.expose(str::to_owned))
}

#[tokio::test]
async fn a_renewal_that_was_killed_is_made_again_or_taken_over() {
    // Nothing is stored: the next one asks with the same refresh token. Stored: it is used.
    for (point, token, asked, with) in [("refresh.answered", "at3", 3, "rt1"), ("refresh.stored", "at2", 2, "rt1")] {
        let fixture = fixture();
        let account = fixture.connect().await;
        fixture.clock.advance(3_600_000);
        assert_eq!(renewed_after(&fixture, &account, point).await.unwrap(), token, "{point}");
        assert_eq!(fixture.entra.asked(), asked, "{point}");
        assert_eq!(fixture.entra.forms.lock().unwrap().last().unwrap()["refresh_token"], with, "{point}");
    }
}
