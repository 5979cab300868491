//! Mail that was there before: a range of it is fetched in the background, the newest first, while syncs go on bringing what is new.
//!
//! Each folder is divided into parts by time of receipt ([`windows`]), which are listed page by page, a few parts at once; a page and how far it brings its part
//! are stored in one transaction ([`list`]). Then the folders are walked once by delta, which makes their delta links and proves what the lists showed; what is
//! older than the range is left out on the way. All of it happens in slices ([`slice`]) under the lease of the account's syncs, so that a sync never meets it, and
//! goes first when it waits. The row in the store says how far it is and what the host wants of it; any process of the store goes on with it ([`work`]).

mod list;
mod look;
mod shown;
mod slice;
mod windows;
mod work;

pub use look::look;
pub use work::Backfills;
