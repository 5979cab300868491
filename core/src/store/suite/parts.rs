//! Parts of what the outbox asks for, one at a time.

use super::*;
use crate::error::Result;
use async_trait::async_trait;

#[async_trait]
pub trait OutboxParts {
    async fn put(&self, item: &NewItem, content: &Content) -> Result<Enqueued>;
    /// One of what is in the queues.
    async fn claim(&self, now: i64, lease_ms: i64, except: &[String]) -> Result<Option<ItemRow>>;
    async fn claim_wanted(&self, now: i64, lease_ms: i64, wanted: &Wanted) -> Result<Vec<ItemRow>>;
    async fn claim_awaited(&self, now: i64, lease_ms: i64, awaited: &Awaited) -> Result<Vec<ItemRow>>;
    async fn claim_tidy(&self, now: i64, lease_ms: i64) -> Result<Option<ItemRow>>;
    async fn expire(&self, now: i64) -> Result<Vec<String>>;
    async fn end_tidy(&self, id: &str, fence: i64, progress: Option<&Sealed>, again_at: Option<i64>) -> Result<bool>;
    async fn tidy_again(&self, id: &str, until: i64) -> Result<bool>;
    async fn next_claim(&self, now: i64, except: &[String]) -> Result<Option<Due>>;
    async fn next_awaited(&self, now: i64, awaited: &Awaited) -> Result<Option<Due>>;
    async fn next_upkeep(&self) -> Result<Option<i64>>;
}

#[async_trait]
impl<S: OutboxStore + Sync + ?Sized> OutboxParts for S {
    async fn put(&self, item: &NewItem, content: &Content) -> Result<Enqueued> {
        Ok(self.enqueue(vec![(item.clone(), content.clone())], |_, _| true).await?.pop().unwrap())
    }

    async fn claim(&self, now: i64, lease_ms: i64, except: &[String]) -> Result<Option<ItemRow>> {
        let wanted = Wanted { most: 1, except: except.to_vec(), in_hand: Default::default(), of_one_route: usize::MAX };
        Ok(self.claim_wanted(now, lease_ms, &wanted).await?.pop())
    }

    async fn claim_wanted(&self, now: i64, lease_ms: i64, wanted: &Wanted) -> Result<Vec<ItemRow>> {
        match self.claims(ClaimRequest { now, lease_ms, wanted: Some(wanted.clone()), ..Default::default() }).await?.claimed {
            Claimed::Nothing => Ok(Vec::new()),
            Claimed::Wanted(taken) => Ok(taken.into_iter().map(|(item, _)| item).collect()),
            other => panic!("{other:?}"),
        }
    }

    async fn claim_awaited(&self, now: i64, lease_ms: i64, awaited: &Awaited) -> Result<Vec<ItemRow>> {
        match self.claims(ClaimRequest { now, lease_ms, awaited: Some(awaited.clone()), ..Default::default() }).await?.claimed {
            Claimed::Nothing => Ok(Vec::new()),
            Claimed::Awaited(taken) => Ok(taken.into_iter().map(|(item, _)| item).collect()),
            other => panic!("{other:?}"),
        }
    }

    async fn claim_tidy(&self, now: i64, lease_ms: i64) -> Result<Option<ItemRow>> {
        match self.claims(ClaimRequest { now, lease_ms, tidy: true, ..Default::default() }).await?.claimed {
            Claimed::Nothing => Ok(None),
            Claimed::Tidy(item) => Ok(Some(*item)),
            other => panic!("{other:?}"),
        }
    }

    async fn expire(&self, now: i64) -> Result<Vec<String>> {
        Ok(self.claims(ClaimRequest { now, expire: true, ..Default::default() }).await?.expired)
    }

    async fn end_tidy(&self, id: &str, fence: i64, progress: Option<&Sealed>, again_at: Option<i64>) -> Result<bool> {
        self.tidied(id, &Tidied::Ended { fence, progress: progress.cloned(), again_at }).await
    }

    async fn tidy_again(&self, id: &str, until: i64) -> Result<bool> {
        self.tidied(id, &Tidied::MayFollow { until }).await
    }

    async fn next_claim(&self, now: i64, except: &[String]) -> Result<Option<Due>> {
        Ok(self.next_due(DueRequest { now, except: Some(except.to_vec()), awaited: None }).await?.claim)
    }

    async fn next_awaited(&self, now: i64, awaited: &Awaited) -> Result<Option<Due>> {
        Ok(self.next_due(DueRequest { now, except: None, awaited: Some(awaited.clone()) }).await?.claim)
    }

    async fn next_upkeep(&self) -> Result<Option<i64>> {
        Ok(self.next_due(DueRequest::default()).await?.upkeep)
    }
}
