use super::*;

fn stamp(mark: u8, base: u8, commits: u64) -> Stamp {
    Stamp { store: [1; 16], mark: [mark; 16], base: [base; 16], commits }
}

#[test]
fn a_stamp_comes_back_and_nothing_else_is_one() {
    let written = stamp(2, 3, 4).bytes();
    assert_eq!(written.len(), LENGTH);
    assert_eq!(Stamp::parse(&written), Some(stamp(2, 3, 4)));
    assert_eq!(Stamp::parse(&written[1..]), None);
    assert_eq!(Stamp::parse(&[written.as_slice(), b"x"].concat()), None);
    assert_eq!(Stamp::parse(&[0; LENGTH]), None);
}

#[test]
fn a_log_belongs_to_the_file_it_was_begun_on() {
    let log = Log(vec![stamp(2, 1, 5), stamp(2, 1, 6), stamp(3, 2, 7), stamp(3, 2, 8)]);
    let seen = stamp(3, 2, 8);
    for (main, wanted) in [
        (stamp(2, 1, 4), true),   // begun on it
        (stamp(1, 0, 4), true),   // with a new generation
        (stamp(2, 1, 6), true),   // partly copied back
        (stamp(3, 2, 8), true),   // wholly
        (stamp(2, 1, 3), false),  // older
        (stamp(3, 2, 9), false),  // newer
        (stamp(9, 1, 4), false),  // of another life
        (stamp(9, 1, 6), false),
        (Stamp { store: [7; 16], ..stamp(2, 1, 4) }, false),
    ] {
        assert_eq!(log.belongs(&main, &seen, 9), wanted, "{main:?}");
    }
    // What was torn off at the end does not count.
    assert!(!log.belongs(&stamp(3, 2, 8), &stamp(3, 2, 7), 9));
    // An empty log adds nothing; one without commits of ours is another's.
    assert!(Log::default().belongs(&stamp(1, 1, 1), &stamp(1, 1, 1), 0));
    assert!(!Log::default().belongs(&stamp(1, 1, 1), &stamp(1, 1, 1), 1));
}
