use super::*;
use crate::error::ErrorKind;
use crate::pipeline::fake::{Service, clock, says};
use crate::pipeline::tests::real::{get, serve};
use crate::pipeline::tests::{Numbered, plugged, request};
use crate::pipeline::{ReqwestTransport, Safety, Transport};
use std::sync::Mutex;

/// What came of each answer that began.
#[derive(Default)]
struct Seen(Mutex<Vec<Vec<u8>>>);

impl BodySink for Seen {
    fn begin(&self) {
        self.0.lock().unwrap().push(Vec::new());
    }

    fn take(&self, piece: &[u8]) {
        self.0.lock().unwrap().last_mut().expect("an answer that did not begin").extend_from_slice(piece);
    }
}

impl Seen {
    fn lengths(&self) -> Vec<usize> {
        self.0.lock().unwrap().iter().map(Vec::len).collect()
    }
}

#[tokio::test]
async fn the_body_of_a_success_is_handed_on_and_of_a_refusal_kept() {
    let clock = clock();
    let long = vec![b'a'; 10_000];
    let service = Service::script(vec![says(503, "not now"), says(401, "{}"), says(200, long.clone())]);
    let (pipeline, _source) = plugged(&service, &clock, Numbered::default());
    let seen = Arc::new(Seen::default());
    let mut page = request(Safety::Repeatable, 100);
    page.sink = Some(Sink(seen.clone()));
    let response = pipeline.send(page.clone()).await.unwrap();
    assert_eq!((seen.lengths(), response.body.as_ref()), (vec![0, 0, 10_000], &long[..fit::HEAD]));
    // Nothing is not an answer, whoever takes it; one that is too large is none either.
    let service = Service::script(vec![says(200, ""), says(200, "{}")]);
    let (pipeline, _source) = plugged(&service, &clock, Numbered::default());
    assert_eq!(pipeline.send(page.clone()).await.unwrap().body.as_ref(), b"{}");
    page.max_body = 1;
    assert_eq!(pipeline.send(page.clone()).await.err().unwrap().kind(), ErrorKind::LimitExceeded);
    let service = Service::script(vec![says(404, r#"{"error":{"code":"ErrorItemNotFound"}}"#)]);
    let (pipeline, _source) = plugged(&service, &clock, Numbered::default());
    page.max_body = 1000;
    assert!(crate::pipeline::error_code(&pipeline.send(page).await.unwrap().body).is("erroritemnotfound"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_was_handed_on_as_far_as_it_came() {
    let long = "x".repeat(5_000);
    let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nConnection: close\r\n\r\n{long}");
    let unmeasured = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{long}");
    let cut = format!("HTTP/1.1 200 OK\r\nContent-Length: 6000\r\nConnection: close\r\n\r\n{long}");
    let refused = format!("HTTP/1.1 500 No\r\nContent-Length: 5000\r\nConnection: close\r\n\r\n{long}");
    let answers: Vec<&'static str> = [whole, cut, unmeasured, refused].map(|answer| &*Box::leak(answer.into_boxed_str())).to_vec();
    let (config, served) = serve(answers).await;
    let network = ReqwestTransport::new(&config).unwrap();
    let ask = async |seen: &Arc<Seen>, most: usize| {
        let mut request = get(&config, "page");
        seen.begin();
        request.extensions_mut().insert(Sink(seen.clone()));
        network.call(request, most).await
    };
    let seen = Arc::new(Seen::default());
    let answer = ask(&seen, 10_000).await.unwrap();
    assert_eq!((seen.lengths(), answer.body().len(), length(&answer)), (vec![5_000], fit::HEAD, 5_000));
    let seen = Arc::new(Seen::default());
    assert_eq!(ask(&seen, 10_000).await.unwrap_err().trouble, Trouble::Broken);
    assert!(seen.lengths()[0] <= 5_000);
    let seen = Arc::new(Seen::default());
    assert_eq!(ask(&seen, 4_000).await.unwrap_err().trouble, Trouble::TooLarge);
    assert!(seen.lengths()[0] <= 4_000, "what is over the limit is handed to nobody");
    let seen = Arc::new(Seen::default());
    let answer = ask(&seen, 10_000).await.unwrap();
    assert_eq!((seen.lengths(), answer.body().len(), length(&answer)), (vec![0], 5_000, 5_000));
    served.await.unwrap();
}
