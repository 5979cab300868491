//! In a test that draws its order of events from a seed, blocking work runs on the test's own thread, with turns of other tasks drawn before and after it:
//! the seed decides the order, and no thread does. What Tokio picks by itself among branches that are ready (`select!`) no seed decides.

use std::cell::RefCell;

type Draw = Box<dyn FnMut(u64) -> u64>;

thread_local! {
    static DRAW: RefCell<Option<Draw>> = const { RefCell::new(None) };
}

/// Turns of other tasks before and after a piece of blocking work, at most.
const TURNS: u64 = 3;

/// The order is drawn on this thread for as long as this lives.
pub struct Drawn(());

impl Drawn {
    /// `draw` answers a number below the one that it is given.
    pub fn by(draw: impl FnMut(u64) -> u64 + 'static) -> Self {
        DRAW.set(Some(Box::new(draw)));
        Self(())
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        DRAW.take();
    }
}

pub fn is_drawn() -> bool {
    DRAW.with_borrow(Option::is_some)
}

/// None: nothing is drawn on this thread.
pub fn draw(below: u64) -> Option<u64> {
    DRAW.with_borrow_mut(|draw| draw.as_mut().map(|draw| draw(below)))
}

/// Other tasks take so many turns, or fewer.
pub async fn turns(most: u64) {
    for _ in 0..draw(most + 1).unwrap_or_default() {
        tokio::task::yield_now().await;
    }
}

/// Dropped in the turns before, the work is not begun; in those after, it was done and nobody hears of it.
pub async fn run<T>(work: impl FnOnce() -> T) -> T {
    turns(TURNS).await;
    let outcome = work();
    turns(TURNS).await;
    outcome
}
