//! The case "engine": everything that `sync` does, with the store sealed.

use super::{Outcome, measure};
use tidings::{ConnectRequest, Feature};
use tidings_examples::control::Control;

pub async fn run() -> Outcome<()> {
    let engine = tidings_examples::open()?;
    let request = ConnectRequest {
        owner: "bench".into(),
        features: vec![Feature::MailSync],
        redirect_uri: "http://localhost/callback".into(),
        ..ConnectRequest::default()
    };
    let sign_in = engine.connect(request).await?;
    let callback = Control::from_env()?.sign_in(&sign_in.url, "adele@contoso.com").await?;
    let account = engine.finish_connect(callback, sign_in.binding).await?;

    let began = measure::Began::now();
    let report = engine.sync(account.id, None).await?;
    let (took, stages) = (began.ended(), measure::stages());
    engine.shutdown().await;
    measure::answer(&took, report.added, stages)
}
