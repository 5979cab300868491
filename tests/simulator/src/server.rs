//! The listeners: one connection after another, each owned here so that it can be cut.

use crate::faults::{Action, Hit};
use crate::http::{Answer, Call, Host};
use crate::ledger::Row;
use crate::limits::Flight;
use crate::slip::Line;
use crate::outgoing::{CutOff, Outgoing, respond};
use crate::world::World;
use crate::{batch, bot, control, entra, flows, graph, push, spoil};
use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

pub struct Shared {
    pub world: Mutex<World>,
    pub seed: u64,
    pub clock: String,
    pub auto_approve: Option<String>,
    /// Requests wait before anything is seen of them: the clocks of both sides are being moved.
    pub held: watch::Sender<bool>,
    /// There may be something to post.
    pub posts: tokio::sync::Notify,
}

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// What goes back to the client.
pub enum Reply {
    Whole(Answer),
    /// The answer breaks off after so many bytes.
    Part(Answer, usize),
    /// Not a byte.
    Cut,
}

/// Nothing is held in memory beyond this; what is longer is read and thrown away.
const HELD: usize = 40 << 20;

pub async fn listen(listener: TcpListener, host: Host, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (shared, tls) = (shared.clone(), tls.clone());
        tokio::spawn(async move {
            let Some(tls) = tls else {
                return talk(stream, host, "http", shared).await;
            };
            // A client that does not trust us, or speaks another version, goes away here.
            if let Ok(stream) = tls.accept(stream).await {
                talk(stream, host, "https", shared).await;
            }
        });
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, host: Host, scheme: &'static str, shared: Arc<Shared>) {
    let line = Arc::new(Mutex::new(Line::default()));
    let service = hyper::service::service_fn(move |request| serve(request, host, scheme, shared.clone(), line.clone()));
    let io = hyper_util::rt::TokioIo::new(stream);
    // An error here is a connection that was cut, by the client or on purpose.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
}

async fn serve(request: Request<Incoming>, host: Host, scheme: &str, shared: Arc<Shared>, line: Arc<Mutex<Line>>) -> Result<Response<Outgoing>, CutOff> {
    let call = read(request, host, scheme, &shared).await?;
    if host == Host::Control {
        return Ok(respond(control::handle(&shared, &call).await, None, Vec::new()));
    }
    // The sender lives as long as this does.
    let _ = shared.held.subscribe().wait_for(|is_held| !is_held).await;
    let (arrival, flights) = arrive(&shared, &call);
    // In a task of its own: a client that goes away does not undo what it asked for.
    let task = tokio::spawn(process(shared, line, call, arrival));
    match task.await {
        Ok(Reply::Whole(answer)) => Ok(respond(answer, None, flights)),
        Ok(Reply::Part(answer, bytes)) => Ok(respond(answer, Some(bytes), flights)),
        Ok(Reply::Cut) | Err(_) => Err(CutOff),
    }
}

async fn read(request: Request<Incoming>, host: Host, scheme: &str, shared: &Shared) -> Result<Call, CutOff> {
    let (parts, mut body) = request.into_parts();
    let mut held = BytesMut::new();
    let mut too_long = false;
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|_| CutOff)?.into_data().unwrap_or_default();
        too_long |= held.len() + data.len() > HELD;
        if !too_long {
            held.extend_from_slice(&data);
        }
    }
    let headers: Vec<(String, String)> =
        parts.headers.iter().map(|(k, v)| (k.as_str().to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect();
    let named = headers.iter().find(|(k, _)| k == "host").map(|(_, v)| format!("{scheme}://{v}"));
    let origin = named.unwrap_or_else(|| {
        let world = shared.lock();
        match host {
            Host::Login => world.origins.login.clone(),
            Host::Graph | Host::Workflow => world.origins.graph.clone(),
            Host::Stranger => world.origins.stranger.clone(),
            Host::Bot => world.origins.bot.clone(),
            Host::Control => world.origins.control.clone(),
        }
    });
    let host = if host == Host::Graph && flows::is_path(parts.uri.path()) { Host::Workflow } else { host };
    Ok(Call {
        host,
        method: parts.method.as_str().to_string(),
        path: parts.uri.path().to_string(),
        query: parts.uri.query().unwrap_or("").to_string(),
        headers,
        body: held.freeze(),
        too_long,
        origin,
        item_of: None,
    })
}

/// A request that has been written down and has met its fault.
pub struct Arrival {
    pub seq: u64,
    pub epoch: u64,
    pub person: String,
    pub mailbox: Option<usize>,
    pub too_many: bool,
    /// Of a `$batch`: of the items of each mailbox that run at a time, how many, and how many of those are too many.
    pub crowded: HashMap<usize, (u32, u32)>,
    pub hit: Option<Hit>,
}

fn arrive(shared: &Shared, call: &Call) -> (Arrival, Vec<Flight>) {
    let mut world = shared.lock();
    let mut arrival = write_down(&mut world, call);
    let mut flights = Vec::new();
    if let Some(mailbox) = arrival.mailbox {
        let (entered, too_many) = world.limits.enter(mailbox);
        flights.push(entered);
        arrival.too_many = too_many;
    }
    for (mailbox, items) in batch::mailboxes(&world, call) {
        let at_once = items.min(batch::AT_ONCE);
        let (entered, over): (Vec<Flight>, Vec<bool>) = (0..at_once).map(|_| world.limits.enter(mailbox)).unzip();
        flights.extend(entered);
        let refused = over.into_iter().filter(|over| *over).count() as u32;
        arrival.too_many |= refused > 0;
        arrival.crowded.insert(mailbox, (at_once, refused));
    }
    if arrival.too_many {
        let text = format!("{} {} with {} others under way on this mailbox", call.method, call.path, world.limits.concurrency);
        world.ledger.accuse("too_many_at_once", arrival.seq, text);
    }
    (arrival, flights)
}

/// The row in the ledger, the accusations that need no answer, and the fault.
pub fn write_down(world: &mut World, call: &Call) -> Arrival {
    world.secrets.heard(call);
    let hit = world.faults.meet(call);
    let caller = if call.host == Host::Graph { graph::caller(world, call).ok() } else { None };
    let address = caller.as_ref().and_then(|c| c.person).map(|p| world.people.people[p].address.clone());
    // At the login host nobody is known yet; there the same body is the same asker.
    let person = match call.host {
        Host::Login => crate::http::base64url(&Sha256::digest(&call.body)),
        Host::Bot => bot::named(world, call).map(|(app, _)| app).unwrap_or_default(),
        _ => address.clone().unwrap_or_default(),
    };
    let mailbox = caller.as_ref().and_then(|c| graph::mailbox_of(world, c, call));
    let now = world.now();
    let seq = world.ledger.add(Row {
        seq: 0,
        at_ms: now,
        host: call.host.name(),
        method: call.method.clone(),
        path: crate::http::decode(&call.path, false),
        query: crate::http::decode(&call.query, true),
        status: 0,
        person: address,
        has_authorization: call.header("authorization").is_some(),
        prefer: call.header("prefer").map(String::from),
        claims: call.host == Host::Login && asks_claims(call),
        fault: hit.as_ref().map(|h| h.label.clone()),
        batch: call.item_of,
    });
    let bearer = call.header("authorization").is_some_and(|a| !a.to_ascii_lowercase().starts_with("basic "));
    match call.host {
        Host::Stranger => {
            world.ledger.accuse("wrong_host", seq, format!("{} {} at the stranger", call.method, call.path));
            if call.header("authorization").is_some() {
                world.ledger.accuse("token_leak", seq, "Authorization sent to the stranger");
            }
        }
        Host::Workflow if call.header("authorization").is_some() => world.ledger.accuse("token_leak", seq, "Authorization sent to a workflow"),
        // A token is for one service, and shown to no other.
        Host::Graph if bot::named(world, call).is_some_and(|(_, is_bot)| is_bot) => world.ledger.accuse("token_leak", seq, "the token of a bot sent to Graph"),
        Host::Bot if bot::named(world, call).is_some_and(|(_, is_bot)| !is_bot) => world.ledger.accuse("token_leak", seq, "the token of another service sent to the Bot Connector"),
        Host::Login if bearer => world.ledger.accuse("token_leak", seq, "Authorization sent to the login host"),
        _ => {}
    }
    let secret = ["client_secret", "refresh_token", "access_token", "code_verifier", "client_assertion", "password"];
    for (name, _) in call.params() {
        if secret.contains(&name.to_ascii_lowercase().as_str()) {
            world.ledger.accuse("plain_body", seq, format!("{name} in the query"));
        }
    }
    if let Some(early) = world.limits.too_early(&person, call, now) {
        world.ledger.accuse("too_early", seq, format!("{} {} came {early} ms before Retry-After", call.method, call.path));
    }
    Arrival { seq, epoch: world.epoch, person, mailbox, too_many: false, crowded: HashMap::new(), hit }
}

/// Does the request to Entra have a `claims` parameter?
fn asks_claims(call: &Call) -> bool {
    let body = crate::http::form(&String::from_utf8_lossy(&call.body));
    call.params().iter().chain(&body).any(|(name, value)| name == "claims" && !value.is_empty())
}

async fn process(shared: Arc<Shared>, line: Arc<Mutex<Line>>, call: Call, mut arrival: Arrival) -> Reply {
    let action = arrival.hit.as_ref().map(|h| h.action.clone());
    if matches!(action, Some(Action::Refused)) {
        shared.lock().record.add(&call, None);
        return Reply::Cut;
    }
    if let (Some(Action::Hold { after: false }), Some(hit)) = (&action, &mut arrival.hit) {
        hit.held().await;
    }
    // Microsoft asks the notification URL before it answers.
    let is_replaced = matches!(action, Some(Action::Status(_) | Action::Revoked | Action::Gone { .. } | Action::Echo(_)));
    let question = if is_replaced { None } else { push::question(&mut shared.lock(), &call) };
    if let Some(question) = question {
        shared.posts.notify_one();
        let outcome = question.await;
        push::answered(&mut shared.lock(), arrival.seq, outcome);
    }
    let (answer, broken) = {
        let mut world = shared.lock();
        if world.epoch != arrival.epoch {
            return Reply::Cut;
        }
        let done = act(&mut world, &call, &arrival);
        push::collect(&mut world);
        bot::collect(&mut world);
        done
    };
    shared.posts.notify_one();
    match action {
        Some(Action::Slow(ms)) => tokio::time::sleep(Duration::from_millis(ms)).await,
        Some(Action::Hold { after: true }) => {
            if let Some(hit) = &mut arrival.hit {
                hit.held().await;
            }
        }
        _ => {}
    }
    let mut world = shared.lock();
    let lost = broken || matches!(action, Some(Action::LostAnswer | Action::CutRequest(_)));
    let lies = action.as_ref().is_some_and(Action::lies) | world.record.take_spoilt(arrival.seq);
    if world.epoch == arrival.epoch {
        world.ledger.answered(arrival.seq, answer.status);
        // What is not simulated is no answer of Microsoft's.
        let is_recorded = !(lost || lies || answer.status == 501);
        world.record.add(&call, is_recorded.then_some(&answer));
    }
    match action {
        _ if lost => Reply::Cut,
        Some(Action::CutBody(bytes)) => Reply::Part(answer, bytes),
        action => {
            let slip = match (&action, &arrival.hit) {
                (Some(Action::Slip(slip)), Some(hit)) => Some((slip, hit.label.as_str())),
                _ => None,
            };
            let mut line = line.lock().unwrap_or_else(|e| e.into_inner());
            Reply::Whole(line.pass(&mut world, &call, slip, answer))
        }
    }
}

/// The effect and the answer; true when an item of a batch demands that the connection be cut.
pub fn act(world: &mut World, call: &Call, arrival: &Arrival) -> (Answer, bool) {
    let action = arrival.hit.as_ref().map(|h| &h.action);
    if let Some(answer) = action.and_then(|a| a.instead(world, call, &arrival.person)) {
        return (dress(world, call, answer), false);
    }
    let mut broken = false;
    let (own, other) = match action {
        Some(Action::Other(other)) => (call, other.asked(world, call)),
        _ => (call, None),
    };
    let call = other.as_ref().unwrap_or(own);
    let answer = match call.host {
        Host::Login => entra::handle(world, call, arrival.seq),
        Host::Graph if batch::is_batch(call) => {
            let throttle = match action {
                Some(Action::ThrottleItem(seconds)) => Some(*seconds),
                _ => None,
            };
            let (answer, cut) = batch::handle(world, call, arrival, throttle);
            broken = cut;
            answer
        }
        Host::Graph => graph::handle(world, call, arrival),
        Host::Workflow => flows::handle(world, call, arrival),
        Host::Bot => bot::handle(world, call, arrival),
        _ => Answer::raw_json(200, "{}".into()),
    };
    let call = own;
    if call.host == Host::Login {
        world.secrets.keep_of_answer(&answer.body);
    }
    let nth = arrival.hit.as_ref().map_or(0, |h| h.nth);
    let answer = match action {
        Some(action) => action.spoil(world, call, nth, answer),
        None => answer,
    };
    if call.host == Host::Graph {
        spoil::remember_page(world, call, &answer);
    }
    (dress(world, call, answer), broken)
}

fn dress(world: &mut World, call: &Call, answer: Answer) -> Answer {
    match call.host {
        Host::Graph => world.finish(call, answer),
        _ => {
            let answer = match call.host {
                Host::Workflow => flows::told(answer),
                Host::Bot => bot::dressed(answer),
                _ => answer,
            };
            let now = world.now();
            answer.with("Date", crate::clock::http_date(now)).with("Cache-Control", "no-store")
        }
    }
}
