use crate::client::*;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// GET over TLS, and the version that was spoken. None: trust nobody.
async fn get(
    url: &str,
    name: &str,
    ca: Option<&str>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> io::Result<(String, Value)> {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(pem) = ca {
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")).expect("a certificate");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (host, path) = url.strip_prefix("https://").expect("https").split_once('/').expect("a path");
    let stream = TcpStream::connect(host).await?;
    let name = ServerName::try_from(name.to_string()).expect("a name");
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let version = format!("{:?}", stream.get_ref().1.protocol_version().expect("a version"));
    stream.write_all(format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut raw = String::new();
    let _ = stream.read_to_string(&mut raw).await;
    let body = raw.split_once("\r\n\r\n").map_or("", |(_, b)| b).to_string();
    Ok((version, serde_json::from_str(&body).unwrap_or(Value::Null)))
}

#[tokio::test]
async fn it_speaks_tls_to_who_trusts_its_authority() {
    use rustls::version::{TLS12, TLS13};
    let world = world().await;
    let line = http("GET", &format!("{}/control", world.sim.control()), &[], b"").await.unwrap().json();
    let ca = line["tls"]["ca"].as_str().unwrap();
    let metadata =
        |group: &str| format!("{}/common/v2.0/.well-known/openid-configuration", line[group]["login"].as_str().unwrap());
    let both: [&'static rustls::SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    let (version, answer) = get(&metadata("tls"), "localhost", Some(ca), &both).await.unwrap();
    assert_eq!(version, "TLSv1_3");
    assert!(answer["token_endpoint"].as_str().unwrap().starts_with(line["tls"]["login"].as_str().unwrap()));
    let graph = line["tls"]["graph"].as_str().unwrap();
    assert!(graph.starts_with(answer["userinfo_endpoint"].as_str().unwrap().trim_end_matches("/oidc/userinfo")));
    let (version, _) = get(&metadata("tls12"), "127.0.0.1", Some(ca), &both).await.unwrap();
    assert_eq!(version, "TLSv1_2");
    assert!(get(&metadata("tls12"), "localhost", Some(ca), &[&TLS13]).await.is_err());
    assert!(get(&metadata("tls"), "localhost", None, &both).await.is_err());
    assert!(get(&metadata("tls"), "elsewhere.example", Some(ca), &both).await.is_err());
    let (_, refused) = get(&format!("{graph}/me"), "127.0.0.1", Some(ca), &both).await.unwrap();
    assert_eq!(refused["error"]["code"], "InvalidAuthenticationToken");
}
