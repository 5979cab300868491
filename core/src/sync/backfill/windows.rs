//! Pure: how a folder is divided by time of receipt.

use crate::store::{BackfillWindow, OPEN_LOWER, OPEN_UPPER};

const DAY_MS: i64 = 86_400_000;
/// Ages at which one part ends and the next begins: the newest mail comes first, and old mail in parts of about the same number of messages.
const AGES_DAYS: [i64; 10] = [7, 30, 60, 90, 180, 365, 730, 1_460, 2_920, 5_840];
/// A folder of fewer pages is one part.
const FEWEST_PAGES: u32 = 2;

/// The parts of a folder that holds `total` messages, down to `since`; one that is listed already when nothing is wanted of it.
pub fn divide(folder_id: &str, since: Option<i64>, now: i64, total: u32, page_size: u32) -> Vec<BackfillWindow> {
    let since = since.unwrap_or(OPEN_LOWER);
    let window = |lower, reached| BackfillWindow { folder_id: folder_id.to_owned(), lower, reached };
    if since >= now {
        return vec![window(since, since)];
    }
    if total <= page_size.saturating_mul(FEWEST_PAGES) {
        return vec![window(since, OPEN_UPPER)];
    }
    let mut windows = Vec::new();
    let mut upper = OPEN_UPPER;
    for age in AGES_DAYS {
        let lower = now.saturating_sub(age.saturating_mul(DAY_MS));
        if lower <= since {
            break;
        }
        windows.push(window(lower, upper));
        upper = lower;
    }
    windows.push(window(since, upper));
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 20_000 * DAY_MS;

    #[test]
    fn parts_follow_one_another_from_now_to_the_beginning() {
        for since in [None, Some(NOW - 30 * DAY_MS), Some(NOW - 31 * DAY_MS), Some(NOW - 365 * DAY_MS), Some(NOW - 1)] {
            let parts = divide("in", since, NOW, 10_000, 100);
            assert_eq!(parts[0].reached, OPEN_UPPER);
            assert_eq!(parts.last().map(|part| part.lower), Some(since.unwrap_or(OPEN_LOWER)));
            assert!(parts.windows(2).all(|pair| pair[0].lower == pair[1].reached), "{parts:?}");
            assert!(parts.iter().all(|part| part.lower < part.reached), "{parts:?}");
        }
        assert_eq!(divide("in", None, NOW, 10_000, 100).len(), 11);
        assert_eq!(divide("in", Some(NOW - 30 * DAY_MS), NOW, 10_000, 100).len(), 2);
    }

    #[test]
    fn a_small_folder_is_one_part_and_nothing_is_wanted_of_what_is_to_come() {
        assert_eq!(divide("in", None, NOW, 200, 100).len(), 1);
        let none = divide("in", Some(NOW), NOW, 10_000, 100);
        assert!(none.len() == 1 && none[0].lower == none[0].reached);
    }
}
