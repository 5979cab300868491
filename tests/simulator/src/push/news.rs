//! What happened in the mailboxes becomes something to tell.

use super::content::{Wrong, encrypted};
use super::Item;
use crate::mail::store::Happened;
use crate::world::World;
use serde_json::{Value, json};

/// After every request and every doing of a test.
pub fn collect(world: &mut World) {
    super::look_at_time(world);
    let mailboxes: Vec<usize> = world.push.subscriptions.iter().map(|one| one.mailbox).collect();
    // What happens while nobody has a subscription is told to nobody.
    for (at, mailbox) in world.mail.iter_mut().enumerate().filter(|(_, mailbox)| mailbox.is_watched) {
        if !mailboxes.contains(&at) {
            mailbox.is_watched = false;
            mailbox.happened.clear();
        }
    }
    let (doubled, shuffled, mixed) = (world.odd("notifications_doubled"), world.odd("notifications_shuffled"), world.odd("notifications_mixed"));
    let wrong = Wrong { signature: world.odd("contents_changed"), certificate: world.odd("contents_for_others"), message: world.odd("contents_of_others") };
    let replayed = world.odd("contents_replayed");
    world.push.foreign_tokens = world.odd("foreign_validation_tokens");
    let mut items = Vec::new();
    for (at, mailbox) in world.mail.iter_mut().enumerate() {
        if !mailbox.is_watched {
            continue;
        }
        for Happened { what, id, immutable, folder } in std::mem::take(&mut mailbox.happened) {
            let person = &world.people.people[at].id;
            for one in world.push.subscriptions.iter().filter(|one| one.mailbox == at && one.changes.iter().any(|change| change == what)) {
                if one.folder.as_deref().is_some_and(|name| mailbox.folder(name) != Some(folder)) {
                    continue;
                }
                let id = if one.immutable { &immutable } else { &id };
                let place = format!("Users/{person}/Messages/{id}");
                let mut value = json!({
                    "subscriptionId": one.id, "subscriptionExpirationDateTime": crate::clock::iso_ms(one.expires_ms), "changeType": what, "resource": place,
                    "resourceData": {"@odata.type": "#Microsoft.Graph.Message", "@odata.id": place, "@odata.etag": "W/\"CQAAAB\"", "id": id},
                    "clientState": one.client_state, "tenantId": Value::Null,
                });
                // What is gone brings nothing.
                let message = mailbox.find(id).and_then(|key| mailbox.get(key)).filter(|_| what != "deleted");
                if let (Some(encryption), Some(message)) = (&one.encryption, message) {
                    value["encryptedContent"] = json!(encrypted(encryption, message, &mailbox.folders[folder].id, id, wrong));
                }
                if replayed && value["encryptedContent"].is_object() {
                    items.push(Item { url: one.url.clone(), subscription: one.id.clone(), value: value.clone() });
                }
                items.push(Item { url: one.url.clone(), subscription: one.id.clone(), value });
            }
        }
    }
    if shuffled {
        items.reverse();
    }
    for item in items {
        if mixed {
            // Of another organisation, of a stranger who knows the id, and of nobody.
            for (name, value) in [("tenantId", json!(world.noise.guid())), ("clientState", json!("guessed")), ("subscriptionId", json!(world.noise.guid()))] {
                let mut other = item.value.clone();
                other[name] = value;
                world.push.items.push(Item { url: item.url.clone(), subscription: item.subscription.clone(), value: other });
            }
        }
        if doubled {
            world.push.items.push(Item { url: item.url.clone(), subscription: item.subscription.clone(), value: item.value.clone() });
        }
        world.push.items.push(item);
    }
    name_tenants(world);
}

/// Every item names the tenant of its subscription.
pub fn name_tenants(world: &mut World) {
    for item in &mut world.push.items {
        let tenant = world.push.subscriptions.iter().find(|one| one.id == item.subscription).map(|one| one.tenant);
        if let (Value::Null, Some(tenant)) = (&item.value["tenantId"], tenant) {
            item.value["tenantId"] = json!(world.people.tenants[tenant].id);
        }
    }
}
