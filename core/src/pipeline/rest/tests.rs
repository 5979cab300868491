use super::*;
use crate::pipeline::tests::real::{get, serve};
use crate::pipeline::{ReqwestTransport, Transport};

async fn all(rest: &Rest) -> Result<(usize, usize)> {
    let (mut pieces, mut bytes) = (0, 0);
    loop {
        rest.fill().await?;
        let Some(piece) = rest.take().await else { return Ok((pieces, bytes)) };
        (pieces, bytes) = (pieces + 1, bytes + piece.len());
    }
}

#[tokio::test]
async fn a_long_body_comes_in_parts_and_a_short_one_whole() {
    let long = "x".repeat(3_000_000);
    let answer = |status: &str, length: usize, body: &str| &*Box::leak(format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_boxed_str());
    let answers = vec![answer("200 OK", 3_000_000, &long), answer("200 OK", 5, "short"), answer("200 OK", 3_000_001, &long), answer("200 OK", 99, "cut"), answer("404 No", 3_000_000, &long)];
    let (config, served) = serve(answers).await;
    let network = ReqwestTransport::new(&config).unwrap();
    let ask = async || {
        let mut request = get(&config, "x");
        request.extensions_mut().insert(Whole(1 << 20));
        network.call(request, 1000).await
    };
    let answer = ask().await.unwrap();
    let rest = answer.extensions().get::<Rest>().unwrap().clone();
    assert!(answer.body().len() > 1 << 20 && answer.body().len() < 2 << 20);
    let (pieces, bytes) = all(&rest).await.unwrap();
    assert!(answer.body().len() + bytes == 3_000_000 && pieces < 40, "{pieces} pieces");
    assert!(rest.fill().await.is_ok() && rest.take().await.is_none(), "the end stays the end");

    let answer = ask().await.unwrap();
    assert!(answer.body().as_ref() == b"short" && answer.extensions().get::<Rest>().is_none());

    // What broke off never looks like an end.
    let rest = ask().await.unwrap().extensions().get::<Rest>().unwrap().clone();
    for _ in 0..2 {
        assert_eq!(all(&rest).await.unwrap_err().kind(), ErrorKind::Upstream);
    }
    assert_eq!(ask().await.unwrap_err().trouble, Trouble::Broken);
    // A refusal is no download.
    assert_eq!(ask().await.unwrap_err().trouble, Trouble::TooLarge);
    served.await.unwrap();
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_nothing() {
    /// One byte at a time, with a pause before each.
    struct Slow(u8, bool);
    impl Pieces for Slow {
        fn next(&mut self) -> BoxFuture<'_, std::result::Result<Option<Bytes>, TransportError>> {
            Box::pin(async move {
                self.1 = !self.1;
                if self.1 {
                    tokio::task::yield_now().await;
                    self.1 = false;
                }
                self.0 += 1;
                Ok((self.0 <= 100).then(|| Bytes::copy_from_slice(&[self.0])))
            })
        }
    }
    let rest = Rest::new(Slow(0, false));
    loop {
        let filled = futures_util::FutureExt::now_or_never(rest.fill());
        if filled.is_some() {
            break;
        }
    }
    assert_eq!(rest.take().await.unwrap(), Bytes::from((1..=100).collect::<Vec<u8>>()));
    rest.fill().await.unwrap();
    assert!(rest.take().await.is_none());
}
