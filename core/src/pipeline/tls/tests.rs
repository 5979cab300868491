use super::super::fake::clock;
use super::super::transport::{Negotiated, Transport};
use super::super::{Limits, Pipeline, Purpose, ReqwestTransport, Request};
use super::authorities;
use crate::config::{Cloud, Config, Endpoints};
use crate::error::{Error, ErrorKind, Remedy, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

/// An authority, and a service on a port of this machine with a certificate of it.
struct Office {
    ca: String,
    origin: String,
}

async fn office(versions: &[&'static rustls::SupportedProtocolVersion]) -> Office {
    office_with(versions, CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()).await
}

async fn office_with(versions: &[&'static rustls::SupportedProtocolVersion], leaf: CertificateParams) -> Office {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = leaf.signed_by(&key, &ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").await;
                let _ = stream.shutdown().await;
            });
        }
    });
    Office { ca: ca.pem(), origin }
}

impl Office {
    async fn ask(&self, ca_certificates: Option<String>, allow_tls12: bool) -> Result<()> {
        let mut config = Config::new("unused", "unused");
        config.cloud = Cloud::custom(&self.origin, &self.origin);
        config.ca_certificates = ca_certificates;
        config.allow_tls12 = allow_tls12;
        let pipeline = Pipeline::new(Endpoints::of(&config.cloud).unwrap(), Arc::new(ReqwestTransport::new(&config)?), Arc::new(clock()), Limits::default());
        let answer = pipeline.send(Request::get(Url::parse(&format!("{}/keys", self.origin)).unwrap(), Purpose::Identity)).await?;
        assert_eq!(answer.body, "{}");
        Ok(())
    }
}

fn told(error: &Error) -> (ErrorKind, Remedy, bool, bool) {
    (error.kind(), error.remedy(), error.reason().contains("ca_certificates"), error.reason().contains("allow_tls12"))
}

#[tokio::test]
async fn an_authority_of_the_host_is_trusted_and_no_other() {
    let (ours, other) = (office(&[&TLS12, &TLS13]).await, office(&[&TLS13]).await);
    ours.ask(Some(ours.ca.clone()), false).await.unwrap();
    ours.ask(Some(format!("{}\n{}", other.ca, ours.ca)), true).await.unwrap();
    for wrong in [None, Some(other.ca.clone())] {
        let error = ours.ask(wrong, false).await.unwrap_err();
        assert_eq!(told(&error), (ErrorKind::Network, Remedy::Developer, true, false), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_of_another_name_or_time_is_no_outage() {
    let named = |name: &str| CertificateParams::new(vec![name.to_owned()]).unwrap();
    let (mut expired, mut early) = (named("localhost"), named("localhost"));
    (expired.not_before, expired.not_after) = (rcgen::date_time_ymd(2001, 1, 1), rcgen::date_time_ymd(2002, 1, 1));
    (early.not_before, early.not_after) = (rcgen::date_time_ymd(3001, 1, 1), rcgen::date_time_ymd(3002, 1, 1));
    for (what, leaf) in [("another name", named("graph.microsoft.com")), ("expired", expired), ("not yet valid", early)] {
        let office = office_with(&[&TLS13], leaf).await;
        let error = office.ask(Some(office.ca.clone()), false).await.unwrap_err();
        assert_eq!(told(&error), (ErrorKind::Network, Remedy::Developer, true, false), "{what}: {error}");
    }
}

#[tokio::test]
async fn tls_12_is_spoken_when_it_is_allowed() {
    let old = office(&[&TLS12]).await;
    let error = old.ask(Some(old.ca.clone()), false).await.unwrap_err();
    assert_eq!(told(&error), (ErrorKind::Network, Remedy::Developer, false, true), "{error}");
    old.ask(Some(old.ca.clone()), true).await.unwrap();
}

#[tokio::test]
async fn the_negotiated_version_is_known() {
    for (versions, wanted) in [(&[&TLS12][..], "1.2"), (&[&TLS12, &TLS13], "1.3")] {
        let office = office(versions).await;
        let mut config = Config::new("unused", "unused");
        (config.ca_certificates, config.allow_tls12) = (Some(office.ca.clone()), true);
        config.cloud = Cloud::custom(&office.origin, &office.origin);
        let request = http::Request::get(&office.origin).body(bytes::Bytes::new()).unwrap();
        let answer = ReqwestTransport::new(&config).unwrap().call(request, 100).await.unwrap();
        assert_eq!(answer.extensions().get::<Negotiated>().unwrap().0, wanted);
    }
}

#[test]
fn what_are_no_certificates_is_refused_at_once() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let block = |inside: &str| format!("-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n");
    for bad in [String::new(), "canary".into(), block("canary"), block("Y2FuYXJ5"), block("%%%"), "-----BEGIN CERTIFICATE-----\nY2FuYXJ5".into(), key, "x".repeat(super::LARGEST + 1)] {
        let error = authorities(Some(&bad)).unwrap_err();
        assert!(error.kind() == ErrorKind::InvalidInput && error.reason().starts_with("ca_certificates ") && !error.reason().contains("canary"), "{error}");
    }
    assert!(authorities(None).unwrap().is_empty());
}
