//! What an answer other than success means. All of these say that the workflow did not run.

use crate::error::{Error, ErrorKind, Remedy};
use crate::pipeline::{Response, error_code};

pub fn error(response: &Response) -> Error {
    let code = error_code(&response.body);
    let mended_by_a_person = |words: &str| Error::new(ErrorKind::Forbidden, words).with_remedy(Remedy::User);
    let error = match (response.status.as_u16(), code.to_compare()) {
        (300..=399, _) => Error::new(ErrorKind::NotFound, "The address of the workflow leads on to another one, which was not followed. Remove the workflow, and add it with the URL that Power Automate shows now."),
        (_, "workflowtriggerisnotenabled" | "workflowdisabled" | "workflowisnotenabled") => mended_by_a_person("The workflow is turned off. Turn it on in Power Automate, then send it again with retry."),
        (401 | 403, "directapiauthorizationrequired") => {
            mended_by_a_person("The workflow takes posts only of people who have signed in. In its trigger, let anyone trigger the flow, then send it again with retry.")
        }
        (401 | 403, _) => mended_by_a_person("The workflow does not accept the signature in its URL: the URL was made anew, or was not copied whole. Remove the workflow, and add it with the URL that Power Automate shows now."),
        (404 | 410, _) => Error::new(ErrorKind::NotFound, "There is no such workflow any more: it was deleted, or moved to another environment. Make a new one in Teams, and add its URL."),
        (400, "triggerinputschemamismatch") => {
            Error::invalid("The trigger of the workflow has a schema that a card for Teams does not fit. Use the trigger “When a Teams webhook request is received”, without a schema of your own.")
        }
        (413, _) => Error::new(ErrorKind::LimitExceeded, "The post is larger than the workflow takes. Shorten or split it."),
        (status, _) => {
            let code = code.shown(&response.secrets).map_or_else(String::new, |code| format!(", {code}"));
            Error::invalid(format!("Power Automate refused the post (HTTP {status}{code}). Look at the trigger of the workflow."))
        }
    };
    error.with_request_id(response.request_id())
}
