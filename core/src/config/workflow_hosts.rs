//! Names of the hosts that workflows may be at.

use super::Cloud;
use crate::error::{Error, Result};

const MOST: usize = 100;

/// Those of a cloud. Microsoft documents those of the public cloud; those of the others are for the operator to name. Source: Power Automate, HTTP request
/// trigger; Azure Logic Apps, request trigger.
pub(super) fn of_cloud(cloud: &Cloud) -> &'static [&'static str] {
    match cloud {
        Cloud::Public => &[".logic.azure.com", ".environment.api.powerplatform.com", ".api.powerplatform.com"],
        Cloud::UsGov | Cloud::UsGovDod | Cloud::China | Cloud::Custom { .. } => &[],
    }
}

/// A host by its name or, with a dot before it, all hosts below that name.
pub(super) fn check(hosts: &[String]) -> Result<()> {
    if hosts.len() > MOST {
        return Err(Error::invalid("workflow_hosts names more than 100 hosts."));
    }
    match hosts.iter().any(|host| !is_host(host)) {
        true => Err(Error::invalid("workflow_hosts holds what is no name of hosts. Write .logic.azure.com for all hosts below that name, or one host in full: small letters, digits, - and dots, without scheme, port or path.")),
        false => Ok(()),
    }
}

fn is_host(host: &str) -> bool {
    let name = host.strip_prefix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') && !label.starts_with('-') && !label.ends_with('-') && !label.starts_with("xn--")
    };
    // What lies below a whole top-level domain is anybody's, and a name that ends in digits is an address.
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253 && name.contains('.') && name.split('.').all(is_label) && last.bytes().all(|b| b.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names() {
        for good in [".logic.azure.com", "flows.contoso.com", ".logic.azure.us", ".a-b.c1.example"] {
            assert!(check(&[good.to_owned()]).is_ok(), "{good}");
        }
        for bad in ["", ".", ".com", "com", "logic.azure.com.", "..azure.com", "https://logic.azure.com", "logic.azure.com:443", "a b.com", "10.0.0.1", ".0.0.1", "*.azure.com", "LOGIC.azure.com", "xn--lgic-55d.azure.com", "-a.com", "localhost", "logic.azure.com/x", "a..b"] {
            assert!(check(&[bad.to_owned()]).is_err(), "{bad}");
        }
        assert!(check(&vec![".a.example".to_owned(); 101]).is_err());
        assert!(of_cloud(&Cloud::Public).iter().all(|host| is_host(host)));
    }
}
