//! Connections to workflows lead to public addresses alone: a name on the list may stand for an address inside of this network, by mistake or by somebody's
//! hand in the DNS. A name is looked up once, all that is found is looked at, and the connection goes to what was looked at.
//! Source: IANA, special-purpose address registries of IPv4 and IPv6; RFC 6052; RFC 4291.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A name that leads to an address that is not public.
#[derive(Debug)]
pub struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name leads to an address that is not public")
    }
}

impl std::error::Error for NotPublic {}

/// Looks names up with the system's resolver, and refuses those that lead elsewhere.
pub struct PublicNames {
    /// Also this machine: the simulator's.
    pub loopback: bool,
}

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        let loopback = self.loopback;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let all = checked(found, loopback)?;
            Ok(Box::new(all.into_iter()) as Addrs)
        })
    }
}

/// All of them, or none: which one a connection goes to is chance.
pub fn checked(found: Vec<SocketAddr>, loopback: bool) -> Result<Vec<SocketAddr>, NotPublic> {
    let is_allowed = |address: &SocketAddr| is_public(address.ip()) || (loopback && address.ip().is_loopback());
    if found.iter().all(is_allowed) { Ok(found) } else { Err(NotPublic) }
}

/// It belongs to nobody's inner network and to no special purpose. An address of IPv4 inside of one of IPv6 is looked at itself.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// First address and length of the prefix.
const SPECIAL_V4: [([u8; 4], u32); 17] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
    // Looks public, and is Azure's own inside of every machine there: DHCP, DNS, health and keys of extensions.
    ([168, 63, 129, 16], 32),
    ([192, 31, 196, 0], 24),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    SPECIAL_V4.iter().all(|(first, length)| (bits ^ u32::from_be_bytes(*first)) >> (32 - length) != 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let last = || Ipv4Addr::from_bits((u32::from(g) << 16) | u32::from(h));
    match [a, b, c, d, e, f] {
        // As the system writes addresses of IPv4 where it expects one of IPv6.
        [0, 0, 0, 0, 0, 0xffff] => is_public_v4(last()),
        // Networks of IPv6 alone reach IPv4 by it (NAT64).
        [0x0064, 0xff9b, 0, 0, 0, 0] => is_public_v4(last()),
        // Of what is not set aside for other things, only this eighth is given out; in it, protocols and tunnels (2001::/23 with Teredo, 2002::/16 with an address
        // of IPv4 inside) and what is for examples are none of anybody's hosts.
        _ => a & 0xe000 == 0x2000 && !(a == 0x2001 && b < 0x0200) && !(a == 0x2001 && b == 0x0db8) && a != 0x2002 && !(a == 0x3fff && b < 0x1000) && !(a == 0x2620 && b == 0x004f && c == 0x8000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for public in ["8.8.8.8", "20.42.65.92", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1", "169.253.255.255", "192.0.1.1", "198.17.255.255", "198.20.0.1", "223.255.255.255", "168.63.129.15", "2603:1000::1", "2a01:111:f100::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2001:200::1", "3fff:1000::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for inner in [
            "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255",
            "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.9", "224.0.0.1", "239.255.255.250",
            "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.31.196.1",
            "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::10.1.2.3",
            "64:ff9b:1::8.8.8.8", "64:ff9b:1::10.0.0.1", "100::1", "2001::1", "2001:0:7f00:1::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::1", "2002:a00:1::1", "2002:808:808::1", "3fff::1", "5f00::1",
            "fc00::1", "fd00:ec2::254", "fd12:3456::1", "fe80::1", "fe80::a9fe:a9fe", "febf::1", "fec0::1", "ff02::1", "ff0e::1", "4000::1", "2620:4f:8000::1",
        ] {
            assert!(!is_public(inner.parse().unwrap()), "{inner}");
        }
    }

    #[test]
    fn one_inner_address_is_enough_to_refuse_a_name() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 443);
        assert_eq!(checked(vec![at("20.42.65.92"), at("2603:1000::1")], false).unwrap().len(), 2);
        assert!(checked(vec![at("20.42.65.92"), at("127.0.0.1")], false).is_err());
        assert!(checked(vec![at("127.0.0.1"), at("::1")], true).is_ok());
        assert!(checked(vec![at("127.0.0.1"), at("10.0.0.1")], true).is_err());
    }
}
