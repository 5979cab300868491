//! Named points between two durable steps, at which a test ends the process it plays: work that reaches an armed one never goes on.
//!
//! There is nothing of it in a product: the macro is empty outside of the tests of this crate, and no feature of Cargo can change that.

/// `failpoint!("outbox.enqueued")`, or with a value that tells points of one name apart: `failpoint!("outbox.stored", state)`.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(test)]
        crate::failpoint::reach($name).await
    };
    ($name:literal, $which:expr) => {
        #[cfg(test)]
        crate::failpoint::reach(&format!("{}.{:?}", $name, $which)).await
    };
}
pub(crate) use failpoint;

/// `meanwhile!("sync.planned_page")`: a point within blocking work, at which a test lets something else happen first.
macro_rules! meanwhile {
    ($name:literal) => {
        #[cfg(test)]
        crate::failpoint::happen($name)
    };
}
pub(crate) use meanwhile;

#[cfg(test)]
pub use armed::{Armed, reach};
#[cfg(test)]
pub use happening::{Meanwhile, happen};

#[cfg(test)]
mod armed {
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::sync::Notify;

    /// The registry of `fail` is the process's, and tests run side by side: the names in it begin with the number of the test.
    static TESTS: AtomicU64 = AtomicU64::new(0);

    thread_local! {
        /// What the test of this thread has armed. Its tasks run on this thread alone.
        static ARMED: RefCell<Option<(String, Arc<Notify>)>> = const { RefCell::new(None) };
    }

    /// One point that is armed for as long as this lives.
    pub struct Armed {
        name: String,
        reached: Arc<Notify>,
    }

    impl Armed {
        /// It lets this many pass, and holds the next.
        pub fn at(point: &str, passing: usize) -> Self {
            let test = TESTS.fetch_add(1, Ordering::Relaxed).to_string();
            let (name, reached) = (format!("{test}/{point}"), Arc::new(Notify::new()));
            fail::cfg(&name, &format!("{passing}*off->1*return")).unwrap();
            ARMED.set(Some((test, reached.clone())));
            Self { name, reached }
        }

        pub async fn reached(&self) {
            self.reached.notified().await;
        }
    }

    impl Drop for Armed {
        fn drop(&mut self) {
            fail::remove(&self.name);
            ARMED.take();
        }
    }

    /// Never returns where the point is armed.
    pub async fn reach(point: &str) {
        let Some((test, reached)) = ARMED.with_borrow(Clone::clone) else { return };
        if holds(&format!("{test}/{point}")) {
            reached.notify_one();
            std::future::pending::<()>().await;
        }
    }

    fn holds(name: &str) -> bool {
        fail::fail_point!(name, |_| true);
        false
    }
}

#[cfg(test)]
mod happening {
    use std::cell::RefCell;

    type Happening = Box<dyn FnMut()>;

    thread_local! {
        static HAPPENING: RefCell<Option<(&'static str, Happening)>> = const { RefCell::new(None) };
    }

    /// What happens at a point for as long as this lives, in a test whose blocking work runs on its own thread.
    pub struct Meanwhile(());

    impl Meanwhile {
        pub fn at(point: &'static str, happens: impl FnMut() + 'static) -> Self {
            HAPPENING.set(Some((point, Box::new(happens))));
            Self(())
        }
    }

    impl Drop for Meanwhile {
        fn drop(&mut self) {
            HAPPENING.take();
        }
    }

    pub fn happen(point: &str) {
        HAPPENING.with_borrow_mut(|happening| match happening {
            Some((at, happens)) if *at == point => happens(),
            _ => {}
        });
    }
}
