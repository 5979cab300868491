//! How much is asked again at once. When most requests of a tenant fail, asking each of them again makes an outage longer; then each is asked once, until
//! enough of them succeed. Refusals with a Retry-After have a fence of their own and do not count. Source: gRPC, proposal A6, throttling of retries.

use super::scope::{RateScope, Service};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Of each tenant and service: a failure takes so many, a success gives one back, and below half of the most nothing is asked again.
const MOST: u32 = 128;
const FAILURE: u32 = 2;
/// Tenants remembered; those that have all of it are not.
const TENANTS: usize = 10_000;

#[derive(Default)]
pub struct RetryBudget(Mutex<HashMap<(Service, String), u32>>);

impl RetryBudget {
    /// A request of this scope failed for a reason that passes. Whether it may be asked again.
    pub fn failed(&self, scope: &RateScope) -> bool {
        let Some(key) = key(scope) else { return true };
        let mut left = self.left();
        if left.len() >= TENANTS && !left.contains_key(&key) {
            left.clear();
        }
        let of_tenant = left.entry(key).or_insert(MOST);
        *of_tenant = of_tenant.saturating_sub(FAILURE);
        *of_tenant >= MOST / 2
    }

    /// The service answered a request of this scope.
    pub fn succeeded(&self, scope: &RateScope) {
        let mut left = self.left();
        if left.is_empty() {
            return;
        }
        let Some(key) = key(scope) else { return };
        let Some(of_tenant) = left.get_mut(&key) else { return };
        *of_tenant += 1;
        if *of_tenant >= MOST {
            left.remove(&key);
        }
    }

    fn left(&self) -> MutexGuard<'_, HashMap<(Service, String), u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// None: sign-ins have their own patience.
fn key(scope: &RateScope) -> Option<(Service, String)> {
    if let RateScope::Graph(service, mailbox) = scope { Some((*service, mailbox.tenant_id.clone())) } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::scope::Mailbox;
    use super::*;
    use std::sync::Arc;

    fn scope(tenant: &str, service: Service) -> RateScope {
        RateScope::Graph(service, Arc::new(Mailbox { client_id: "app".into(), tenant_id: tenant.into(), user_id: "u".into() }))
    }

    #[test]
    fn an_outage_of_a_tenant_ends_its_retries_and_no_one_elses() {
        let (budget, mail) = (RetryBudget::default(), scope("t", Service::Outlook));
        let retried = (0..10_000).filter(|_| budget.failed(&mail)).count();
        assert_eq!(retried as u32, MOST / 2 / FAILURE);
        assert!(budget.failed(&scope("u", Service::Outlook)) && budget.failed(&scope("t", Service::Teams)));
        assert!((0..1000).all(|_| budget.failed(&RateScope::None)));
    }

    #[test]
    fn retries_come_back_with_what_succeeds_and_seldom_failures_never_end_them() {
        let (budget, mail) = (RetryBudget::default(), scope("t", Service::Outlook));
        (0..1000).for_each(|_| _ = budget.failed(&mail));
        for _ in 0..MOST / 2 + FAILURE - 1 {
            budget.succeeded(&mail);
        }
        assert!(!budget.failed(&mail), "not enough yet");
        (0..FAILURE + 1).for_each(|_| budget.succeeded(&mail));
        assert!(budget.failed(&mail));
        (0..MOST).for_each(|_| budget.succeeded(&mail));
        assert!(budget.left().is_empty(), "who has all of it is not remembered");
        for _ in 0..10_000 {
            assert!(budget.failed(&mail), "a fourth of all requests");
            (0..3).for_each(|_| budget.succeeded(&mail));
        }
    }
}
