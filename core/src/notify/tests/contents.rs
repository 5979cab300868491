//! Certificates for what notifications bring, over their life.

use super::*;

fn name(world: &World) -> String {
    world.only().1.certificate.unwrap()
}

/// Runs what is due until then.
async fn pass(world: &World, notify: &Notify, days: i64) {
    let end = world.now() + days * DAY;
    let mut next = notify.run_due().await.unwrap();
    while world.now() < end {
        world.clock.advance(u64::try_from((next - world.now()).clamp(1, DAY)).unwrap());
        next = notify.run_due().await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_is_replaced_by_the_clock_and_its_key_stays_while_something_may_come_for_it() {
    let world = World { with_content: true, ..World::new().await };
    world.connect("a").await;
    let notify = world.process();
    notify.run_due().await.unwrap();
    let first = name(&world);
    let (id, one) = world.only();
    assert!(one.expires_at <= world.now() + DAY, "a day is what Microsoft allows");
    assert!(notify.content_key(&first).await.unwrap().is_some());
    pass(&world, &notify, 89).await;
    assert_eq!((name(&world), world.only().0), (first.clone(), id), "renewed, and nothing else");
    pass(&world, &notify, 2).await;
    let second = name(&world);
    assert_ne!(second, first);
    assert_eq!(world.row("a").await.certificate, Some(second.clone()));
    // Another process, which holds no keys in memory.
    let other = world.process();
    assert!(other.content_key(&first).await.unwrap().is_some() && other.content_key(&second).await.unwrap().is_some());
    pass(&world, &notify, 3).await;
    assert!(notify.content_key(&first).await.unwrap().is_none(), "erased a day after nothing could come for it any more");
    assert!(world.process().content_key(&first).await.unwrap().is_none());
    assert_eq!(name(&world), second);
}

#[tokio::test]
async fn contents_are_wanted_and_not_wanted_any_more() {
    let mut world = World::new().await;
    world.connect("a").await;
    world.process().run_due().await.unwrap();
    assert_eq!(world.only().1.certificate, None);
    for with_content in [true, false] {
        world.with_content = with_content;
        let notify = world.process();
        world.clear(&notify).await;
        world.clock.advance(u64::try_from(2 * DAY).unwrap());
        notify.run_due().await.unwrap();
        assert_eq!(world.only().1.certificate.is_some(), with_content);
        assert_eq!(world.marks().await, ["a"], "what came in between is looked for");
    }
}
