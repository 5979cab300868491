//! The second process of a scenario: one verb on the store it is told, then the end.

use tidings_tests::sim::{Sim, text};
use crate::opening;
use crate::verbs;
use serde_json::{Value, json};
use std::sync::Arc;
use tidings::TestClock;

pub async fn serve() {
    let order: Value = serde_json::from_reader(std::io::stdin()).unwrap_or_else(|e| panic!("{e}"));
    let sim = Arc::new(Sim::at(text(&order["control"]), Value::Null));
    let clock = order["now_ms"].as_u64().map(|now| Arc::new(TestClock::new(now)));
    if let Some(clock) = clock.clone().filter(|_| order["still"] != true) {
        tokio::spawn(sim.follow(clock));
    }
    let hex = text(&order["key"]);
    let key = (0..hex.len()).step_by(2).filter_map(|i| hex.get(i..i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect();
    let said = match opening::open(&order["settings"], key, clock) {
        Err(error) => Err(error),
        Ok(player) => {
            println!("opened");
            let outcome = verbs::call(player.clone(), text(&order["verb"]), order["with"].clone()).await;
            if order["stays"] == true {
                // What goes on in the background is what it is killed in. Long enough for whoever kills it; not for ever, should that one be gone.
                tokio::time::sleep(std::time::Duration::from_secs(150)).await;
            }
            player.engine.shutdown().await;
            outcome
        }
    };
    println!("{}", said.map_or_else(|error| json!({ "error": error }), |ok| json!({ "ok": ok })));
}
