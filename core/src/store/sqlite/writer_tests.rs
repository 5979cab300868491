#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::error::ErrorKind;
use std::path::Path;
use std::sync::Arc;

struct Made {
    writer: Arc<Writer>,
    commits: Arc<AtomicUsize>,
    dir: tempfile::TempDir,
}

/// What one thread does.
type StepOf<T> = Box<dyn FnOnce(&Made) -> T + Send>;

fn made() -> Made {
    let dir = tempfile::tempdir().unwrap();
    let connection = open(dir.path());
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; CREATE TABLE kept (n INTEGER PRIMARY KEY, text TEXT) STRICT; CREATE TABLE child (n INTEGER REFERENCES kept (n) DEFERRABLE INITIALLY DEFERRED) STRICT").unwrap();
    Made { writer: Arc::new(Writer::new(connection)), commits: Arc::default(), dir }
}

fn open(dir: &Path) -> Connection {
    Connection::open(dir.join("store")).unwrap()
}

impl Made {
    fn write<T: Send + 'static>(&self, work: impl FnMut(&Connection) -> Outcome<T> + Send + 'static) -> Result<T> {
        let (step, answer) = step(work);
        if self.writer.enqueue(step) {
            let (writer, commits) = (self.writer.clone(), self.commits.clone());
            std::thread::spawn(move || {
                let end = |_: &Connection, is_changed: bool| Ok(is_changed);
                writer.drive(|_| {}, end, |is_changed| {
                    commits.fetch_add(usize::from(is_changed), Ordering::SeqCst);
                }, drop);
            });
        }
        answer.blocking_recv().unwrap()
    }

    fn insert(&self, n: i64) -> Result<()> {
        self.write(move |c| {
            c.execute("INSERT INTO kept (n) VALUES (?1)", [n])?;
            Ok(())
        })
    }

    /// Runs the steps so that all of them have come before the first of them begins.
    fn together<T: Send>(&self, steps: Vec<StepOf<T>>) -> Vec<std::thread::Result<T>> {
        let count = steps.len();
        std::thread::scope(|scope| {
            let alone = self.writer.alone();
            let running: Vec<_> = steps.into_iter().map(|step| scope.spawn(move || step(self))).collect();
            while self.writer.waiting() < count {
                std::thread::yield_now();
            }
            drop(alone);
            running.into_iter().map(|one| one.join()).collect()
        })
    }

    fn numbers(&self) -> Vec<i64> {
        let connection = open(self.dir.path());
        let mut statement = connection.prepare("SELECT n FROM kept ORDER BY n").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(|n| n.unwrap()).collect()
    }

    fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }
}

#[test]
fn steps_that_come_together_share_a_commit_and_are_durable_when_answered() {
    let made = made();
    let dir = made.dir.path().to_owned();
    let one = |n: i64| {
        let dir = dir.clone();
        Box::new(move |made: &Made| {
            made.insert(n).unwrap();
            open(&dir).query_row("SELECT COUNT(*) FROM kept WHERE n = ?1", [n], |row| row.get::<_, i64>(0)).unwrap()
        }) as StepOf<i64>
    };
    let seen = made.together((0..20).map(one).collect());
    assert!(seen.into_iter().all(|seen| seen.unwrap() == 1), "another connection sees it as soon as it was answered");
    assert_eq!((made.numbers().len(), made.commits()), (20, 1));
    made.insert(100).unwrap();
    assert_eq!(made.commits(), 2, "alone, a step waits for nobody");
}

#[test]
fn a_transaction_takes_a_bounded_number_of_steps() {
    let made = made();
    let steps: Vec<StepOf<()>> = (0..300).map(|n| Box::new(move |made: &Made| made.insert(n).unwrap()) as Box<_>).collect();
    assert!(made.together(steps).into_iter().all(|one| one.is_ok()));
    assert_eq!((made.numbers().len(), made.commits()), (300, 2));
}

#[test]
fn a_step_that_fails_or_panics_leaves_the_others() {
    let made = made();
    made.insert(7).unwrap();
    let mut steps: Vec<StepOf<Result<()>>> = Vec::new();
    for n in 10..14 {
        steps.push(Box::new(move |made: &Made| made.insert(n)));
        // Half done when it fails: neither half stays.
        steps.push(Box::new(move |made: &Made| {
            made.write(move |c| {
                c.execute("INSERT INTO kept (n) VALUES (?1)", [n + 100])?;
                c.execute("INSERT INTO kept (n) VALUES (7)", [])?;
                Ok(())
            })
        }));
        steps.push(Box::new(move |made: &Made| {
            made.write(move |c| {
                c.execute("INSERT INTO kept (n) VALUES (?1)", [n + 200])?;
                Err(Error::new(ErrorKind::Conflict, "no").into())
            })
        }));
        steps.push(Box::new(move |made: &Made| {
            made.write(move |c| {
                c.execute("INSERT INTO kept (n) VALUES (?1)", [n + 300])?;
                if n > 0 {
                    panic!("a defect")
                }
                Ok(())
            })
        }));
    }
    let ended = made.together(steps);
    let kinds: Vec<_> = ended.iter().map(|one| one.as_ref().ok().map(|one| one.as_ref().err().map(|e| e.kind()))).collect();
    for of_one in kinds.chunks(4) {
        assert_eq!(of_one, [Some(None), Some(Some(ErrorKind::Internal)), Some(Some(ErrorKind::Conflict)), Some(Some(ErrorKind::Internal))]);
    }
    assert_eq!(made.numbers(), [7, 10, 11, 12, 13]);
    made.insert(8).unwrap();
}

#[test]
fn a_commit_that_fails_fails_for_all_of_its_steps_and_for_no_later_one() {
    let made = made();
    let mut steps: Vec<StepOf<Result<()>>> = (0..6).map(|n| Box::new(move |made: &Made| made.insert(n)) as Box<_>).collect();
    steps.push(Box::new(|made: &Made| {
        made.write(move |c| {
            c.execute("INSERT INTO child (n) VALUES (99)", [])?;
            Ok(())
        })
    }));
    let ended = made.together(steps);
    assert!(ended.into_iter().all(|one| one.unwrap().is_err()), "nobody is told that something is durable which is not");
    assert_eq!((made.numbers(), made.commits()), (vec![], 0));
    made.insert(1).unwrap();
    assert_eq!(made.numbers(), [1]);
}

#[test]
fn on_a_full_disk_each_step_is_told_what_became_of_it() {
    let made = made();
    made.write(move |c| {
        let pages: i64 = c.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        c.query_row(&format!("PRAGMA max_page_count = {}", pages + 2), [], |_| Ok(()))?;
        Ok(())
    })
    .unwrap();
    let step = |n: i64| {
        Box::new(move |made: &Made| {
            made.write(move |c| {
                c.execute("INSERT INTO kept (n, text) VALUES (?1, ?2)", (n, "x".repeat(if n % 3 == 0 { 200_000 } else { 10 })))?;
                Ok(())
            })
        }) as StepOf<Result<()>>
    };
    let ended: Vec<_> = made.together((0..12).map(step).collect()).into_iter().map(|one| one.unwrap()).collect();
    let kept: Vec<i64> = (0..).zip(&ended).filter(|(_, one)| one.is_ok()).map(|(n, _)| n).collect();
    assert_eq!(made.numbers(), kept);
    for (n, one) in ended.iter().enumerate() {
        assert!(n % 3 == 0 || one.is_ok() || one.as_ref().is_err_and(|e| e.kind() == ErrorKind::StoreFull), "{n}: {one:?}");
        assert!(n % 3 != 0 || one.as_ref().is_err_and(|e| e.kind() == ErrorKind::StoreFull), "{n}: {one:?}");
    }
    made.insert(50).unwrap();
}

#[test]
fn whoever_needs_the_connection_alone_gets_it_between_two_transactions() {
    let made = made();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let made = &made;
            scope.spawn(move || (0..50).for_each(|k| made.insert(n * 1_000 + k).unwrap()));
        }
        for _ in 0..50 {
            let alone = made.writer.alone();
            assert!(alone.as_ref().unwrap().is_autocommit());
        }
    });
    assert_eq!(made.numbers().len(), 400);
    let closed = made.writer.alone().take();
    assert!(closed.is_some());
    assert_eq!(made.insert(1).unwrap_err().kind(), ErrorKind::Closed);
}
