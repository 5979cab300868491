//! A bot that notifies: a card to a person, news into a channel, and a correction of it.

use tidings::{BodyType, BotDraft, Engine, InstallRequest};
use tidings_examples::bots::{app_id, organisation, root_key, setting, settings};
use tidings_examples::word;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::open(settings()?, root_key()?)?;
    let account = organisation(&engine).await?;
    println!("organisation: {}", word(account.state));
    let account_id = account.id;

    // Whoever has not got the app yet gets it with the first message. The key says which notification this is.
    let card = BotDraft {
        account_id: account_id.clone(),
        to: setting("TIDINGS_TO", "alex@contoso.com"),
        summary: Some("Interview with Ann Lee: Thursday at 3".into()),
        cards: vec![include_str!("../../../bots/card.json").into()],
        notify: true,
        key: Some("candidate-7/card".into()),
        ..BotDraft::default()
    };
    let told = engine.send(card.clone().into()).await?;
    println!("card: {} by {}", word(told.state), word(told.route));
    let again = engine.send(card.into()).await?;
    println!("the same again: {}, {}", word(again.state), which(again.id == told.id));

    // A team has to have it before. To install it where it is does no harm.
    let (team_name, channel_name) = (setting("TIDINGS_TEAM", "Recruiting"), setting("TIDINGS_CHANNEL", "Interviews"));
    let team = engine.teams(account_id.clone(), None).await?.into_iter().find(|team| team.name == team_name).ok_or("there is no such team")?;
    let channels = engine.channels(account_id.clone(), team.id.clone(), None).await?;
    let channel = channels.into_iter().find(|channel| channel.name == channel_name).ok_or("there is no such channel")?;
    let request = InstallRequest { account_id: account_id.clone(), external_id: app_id()?, team_id: Some(team.id), ..InstallRequest::default() };
    let installed = engine.install_app(request).await?;
    println!("app in the team: {}", if installed.was_there { "was there" } else { "installed" });

    let news = |time: &str| BotDraft {
        account_id: account_id.clone(),
        channel_id: Some(channel.id.clone()),
        body: format!("Ann Lee comes on **{time}**."),
        body_type: BodyType::Markdown,
        key: Some("candidate-7/news".into()),
        ..BotDraft::default()
    };
    let posted = engine.send(news("Thursday at 3").into()).await?;
    println!("news: {} by {}, {} an id", word(posted.state), word(posted.route), if posted.graph_id.is_some() { "has" } else { "lacks" });
    let edited = engine.edit_sent(posted.id.clone(), news("Friday at 10").into(), None).await?;
    println!("corrected: {}, {}", word(edited.state), which(edited.id == posted.id));
    engine.shutdown().await;
    Ok(())
}

fn which(is_same: bool) -> &'static str {
    if is_same { "same receipt" } else { "another receipt" }
}
