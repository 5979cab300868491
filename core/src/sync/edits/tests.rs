//! Changes here and in the mailbox in every order, by the rule alone.

use super::deliver::{Message, judged};
use super::rule::{Edit, Verdict, judge, reconcile};
use super::settle::Done;
use super::wish::{Local, Value, Wish};
use crate::clock::from_ms;
use crate::graph::{MailFlag, MailItem, MessageProperty, Untold};
use crate::model::FlagStatus;
use crate::seal::{AadContext, Cipher, KeyBytes};
use crate::store::{EditRow, EditedProperty};
use crate::sync::record::MessageMetadata;

const START: i64 = 1_790_000_000_000;

fn due(day: i64) -> Value {
    Value::Flag { status: FlagStatus::Flagged, due: Some(day * 86_400_000) }
}

fn row(number: i64, edited_at: i64) -> EditRow {
    let key = KeyBytes::from_slice(&[7; 32]).unwrap();
    let sealed = Cipher::new(b"suite", 2, &key).seal(AadContext { table: "t", column: "c", account_id: "", row: "", version: 1 }, b"").unwrap();
    EditRow { account_id: "a".into(), graph_id: "m".into(), property: EditedProperty::Flag, number, version: number, edited_at, is_open: true, is_begun: false, tries: 0, modified: None, sealed }
}

fn item(value: &Value, modified: i64) -> MailItem {
    let mut item = MailItem { id: "m".into(), folder_id: "in".into(), modified_at: Some(from_ms(modified)), ..MailItem::default() };
    value.put_in(&mut item);
    item
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// Changed here.
    Local,
    /// Changed in the mailbox.
    Remote,
    /// Something else of the message was changed in the mailbox.
    Other,
    Deliver,
    /// It arrives, and nobody hears of it.
    Lost,
    Sync,
    /// A page is asked for, and stored later.
    Fetch,
    Restart,
}

const STEPS: [Step; 8] = [Step::Local, Step::Remote, Step::Other, Step::Deliver, Step::Lost, Step::Sync, Step::Fetch, Step::Restart];

/// One message with a flag, here and there.
struct World {
    now: i64,
    /// Days made up so far.
    days: i64,
    there: Value,
    modified: i64,
    /// Changes there, and those that the cursor has passed.
    seq: u64,
    cursor: u64,
    here: Value,
    edit: Option<Edit>,
    page: Option<(Value, i64, u64)>,
    newest: Value,
    /// Changes that a reader of the feed was told of.
    told: usize,
}

impl World {
    fn new() -> Self {
        Self { now: START, days: 0, there: due(0), modified: START, seq: 0, cursor: 0, here: due(0), edit: None, page: None, newest: due(0), told: 0 }
    }

    fn fresh(&mut self) -> Value {
        self.days += 1;
        due(self.days)
    }

    fn show(&mut self, value: Value) {
        self.told += usize::from(self.here != value);
        self.here = value;
    }

    fn change_there(&mut self, value: Value) {
        self.there = value;
        self.modified = self.now;
        self.seq += 1;
    }

    fn step(&mut self, step: Step) {
        // Longer than a change stays fresh, so that each delivery looks first.
        self.now += 20_000;
        match step {
            Step::Local => {
                let wanted = self.fresh();
                let mut head = MessageMetadata::default();
                if let Value::Flag { status, due } = &self.here {
                    head.set_flag(MailFlag { status: *status, due_at: due.map(from_ms) });
                }
                let local = Local { is_read: false, folder_id: "in".into(), head };
                let number = self.edit.as_ref().map_or(1, |edit| edit.row.number + 1);
                let wish = Wish::over(&local, self.edit.take().map(|edit| (edit.row.is_open, edit.wish)), wanted.clone());
                self.edit = Some(Edit { row: row(number, self.now), wish });
                self.newest = wanted.clone();
                self.show(wanted);
            }
            Step::Remote => {
                let value = self.fresh();
                self.newest = value.clone();
                self.change_there(value);
            }
            Step::Other => self.change_there(self.there.clone()),
            Step::Deliver => self.deliver(true),
            Step::Lost => self.deliver(false),
            Step::Fetch => self.fetch(),
            Step::Sync => {
                self.fetch();
                self.store();
            }
            Step::Restart => self.page = None,
        }
    }

    /// The pages of a folder come one after the other.
    fn fetch(&mut self) {
        self.store();
        if self.seq > self.cursor {
            self.page = Some((self.there.clone(), self.modified, self.seq));
        }
    }

    fn store(&mut self) {
        let Some((value, modified, seq)) = self.page.take() else { return };
        let mut item = item(&value, modified);
        let edits: Vec<Edit> = self.edit.iter().cloned().collect();
        let verdict = edits.first().map(|edit| judge(edit, &value, item.modified_at));
        let planned = reconcile(&edits, &mut item, &mut "in".to_owned());
        assert_eq!(planned.is_empty(), matches!(verdict, None | Some(Verdict::Keep)));
        match (verdict, &mut self.edit) {
            (Some(Verdict::Yield), edit) => *edit = None,
            (Some(Verdict::Arrived), Some(edit)) => (edit.row.is_open, edit.row.modified) = (false, Some(modified)),
            (Some(Verdict::KeepOver(base)), Some(edit)) => edit.wish = edit.wish.clone().rebased(base),
            _ => {}
        }
        self.cursor = seq;
        self.show(Value::flag(item.flag));
    }

    fn deliver(&mut self, is_heard: bool) {
        let Some(edit) = self.edit.clone().filter(|edit| edit.row.is_open) else { return };
        let (rest, outcome) = judged(Message { graph_id: "m".into(), edits: vec![edit], item: None }, item(&self.there, self.modified));
        for (mut edit, done) in outcome.done {
            match done {
                Done::Arrived(_) => {
                    (edit.row.is_open, edit.row.modified) = (false, Some(self.modified));
                    self.edit = Some(edit);
                }
                Done::Overtaken(item) => {
                    (edit.row.is_open, edit.row.modified, edit.wish.wanted) = (false, Some(self.modified), Value::flag(item.flag));
                    self.edit = Some(edit);
                    self.show(Value::flag(item.flag));
                }
                other => panic!("{other:?}"),
            }
        }
        let Some(mut edit) = rest.and_then(|mut rest| rest.edits.pop()) else { return };
        self.change_there(edit.wish.wanted.clone());
        edit.row.tries += 1;
        if is_heard {
            (edit.row.is_open, edit.row.modified) = (false, Some(self.modified));
        }
        self.edit = Some(edit);
    }
}

/// Every order of six steps, then all that is open is delivered and synced.
#[test]
fn in_every_order_the_newest_change_counts() {
    for number in 0..STEPS.len().pow(6) {
        let steps: Vec<Step> = (0..6).scan(number, |rest, _| {
            let step = STEPS[*rest % STEPS.len()];
            *rest /= STEPS.len();
            Some(step)
        }).collect();
        let mut world = World::new();
        steps.iter().for_each(|step| world.step(*step));
        [Step::Sync, Step::Deliver, Step::Sync, Step::Sync].into_iter().for_each(|step| world.step(step));
        assert!(world.edit.as_ref().is_none_or(|edit| !edit.row.is_open), "{steps:?}: it waits for ever");
        assert_eq!(world.here, world.there, "{steps:?}: what is shown is not what is there");
        let made = steps.iter().filter(|step| matches!(step, Step::Local | Step::Remote)).count();
        assert!(world.told <= made, "{steps:?}: {} changes were told of {made}", world.told);
        // Microsoft tells one time for the whole message: another change after one that was not seen yet makes that one look newer than it is.
        if !steps.contains(&Step::Other) {
            assert_eq!(world.here, world.newest, "{steps:?}: an older change counts");
        }
    }
}

#[test]
fn within_a_second_and_without_a_time_ours_counts() {
    let edit = |edited_at| Edit { row: row(1, edited_at), wish: Wish { wanted: due(1), base: due(0), earlier: vec![due(5)] } };
    let at = |ms| Some(from_ms(START + ms));
    let judged = |shown, modified| judge(&edit(START + 500), &due(shown), modified);
    assert_eq!(judged(2, at(999)), Verdict::KeepOver(due(2)));
    assert_eq!(judged(2, at(1_000)), Verdict::Yield);
    assert_eq!(judged(2, None), Verdict::KeepOver(due(2)));
    assert_eq!((judged(0, at(9_000)), judged(5, at(9_000))), (Verdict::Keep, Verdict::Keep), "what was there, and what we had sent");
    assert_eq!((judged(1, at(0)), judged(1, at(-1)), judged(1, None)), (Verdict::Arrived, Verdict::Keep, Verdict::Keep));
    let arrived = |shown, modified| {
        let mut edit = edit(START);
        (edit.row.is_open, edit.row.modified) = (false, Some(START + 5_000));
        judge(&edit, &due(shown), modified)
    };
    assert_eq!((arrived(0, at(4_999)), arrived(2, at(5_000)), arrived(2, None)), (Verdict::Keep, Verdict::Yield, Verdict::Yield));
}

#[test]
fn what_a_page_does_not_tell_is_decided_by_the_next() {
    let edit = Edit { row: row(1, START), wish: Wish { wanted: due(1), base: due(0), earlier: Vec::new() } };
    let mut untold = Untold::default();
    untold.take::<()>(MessageProperty::Flag, None);
    let mut item = MailItem { untold, ..item(&due(0), START + 60_000) };
    assert!(reconcile(&[edit], &mut item, &mut "in".to_owned()).is_empty());
}
