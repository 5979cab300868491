//! Signatures of accounts: kept sealed, and put below what a mail says when its draft is handed in.

use super::channel::{Channel, by_draft};
use super::attached::{check_file, is_content_id};
use super::deliver::Outbox;
use super::job::Tools;
use super::payload::work_of;
use crate::error::{Error, ErrorKind, Result};
use crate::markup::{as_html, markdown};
use crate::model::{BodyType, RouteDraft, FileAttachment, Preview, Signature};
use crate::seal::AadContext;
use crate::store::SignatureRow;
use std::collections::{BTreeSet, HashMap};

/// Bytes of all of it.
const LARGEST: usize = 256 * 1024;
/// Times it is written anew because somebody else changed it meanwhile.
const TRIES: u32 = 10;

impl Outbox {
    /// None: the account has none from now on. Errors: InvalidInput, LimitExceeded, NotFound.
    pub async fn set_signature(&self, account_id: &str, signature: Option<Signature>) -> Result<()> {
        signature.as_ref().map_or(Ok(()), check).map_err(|e| e.on_account(account_id))?;
        let text = signature.map(|signature| serde_json::to_vec(&signature)).transpose().map_err(|e| Error::internal("The signature cannot be written.").with_source(e))?;
        let (Tools { store, vault, .. }, text) = (&*self.tools, &text);
        for _ in 0..TRIES {
            let written = vault.with_current_keys(async || {
                let version = store.signature(account_id).await?.map_or(0, |row| row.version) + 1;
                let key = vault.content(account_id).await?;
                let sealed = text.as_ref().map(|text| key.seal(place(account_id, version), text)).transpose()?;
                store.set_signature(account_id, &SignatureRow { sealed, version }).await
            });
            if written.await? {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::StoreBusy, "Somebody else changes the signature at the same time. Try again.").on_account(account_id))
    }

    pub async fn signature(&self, account_id: &str) -> Result<Option<Signature>> {
        stored(&self.tools, account_id).await
    }

    /// What a draft that was filled and checked says, signed where it asks for that. Errors: InvalidInput, LimitExceeded.
    pub async fn preview(&self, draft: RouteDraft) -> Result<Preview> {
        let signatures = Signatures::of(&self.tools, [&draft]).await?;
        let signed = signatures.signed(&draft).await?;
        Ok(super::fill::preview(signed.unwrap_or(draft)))
    }
}

fn place(account_id: &str, version: i64) -> AadContext<'_> {
    AadContext { table: "signatures", column: "sealed", account_id, row: account_id, version }
}

async fn stored(tools: &Tools, account_id: &str) -> Result<Option<Signature>> {
    let Tools { store, vault, .. } = tools;
    let text = vault.with_current_keys(async || match store.signature(account_id).await? {
        Some(SignatureRow { sealed: Some(sealed), version }) => vault.content(account_id).await?.open(place(account_id, version), &sealed).map(Some),
        _ => Ok(None),
    });
    let read = |text: &[u8]| serde_json::from_slice(text).map_err(|e| Error::new(ErrorKind::Corrupt, "The stored signature of an account cannot be read.").with_source(e));
    text.await?.map(|text| read(&text)).transpose()
}

/// Errors: InvalidInput, LimitExceeded.
fn check(signature: &Signature) -> Result<()> {
    if signature.text.trim().is_empty() {
        return Err(Error::invalid("The signature has no text. Fill it in: mails whose body is text show it, and those of HTML where the signature has no html."));
    }
    if signature.html.trim().is_empty() && !signature.images.is_empty() {
        return Err(Error::invalid("The signature has images, but no html that shows them. Fill it in, or leave the images out."));
    }
    let mut ids = BTreeSet::new();
    for file in &signature.images {
        check_file(&file.name, &file.content_type)?;
        if file.staged.is_some() || file.content.is_empty() {
            return Err(Error::invalid("An image of the signature has no content of its own. Pass its bytes: what is staged is kept for a send alone."));
        }
        let Some(id) = file.content_id.as_deref().filter(|id| is_content_id(id)) else {
            return Err(Error::invalid("An image of the signature needs a content_id of 1 to 255 letters, digits or marks like . - _ @, by which the html shows it, as in <img src=\"cid:logo\">."));
        };
        if !ids.insert(id) {
            return Err(Error::invalid("Two images of the signature have the same content_id. Give each its own."));
        }
    }
    let total = signature.images.iter().fold(signature.text.len() + signature.html.len(), |sum, file| sum + file.content.len());
    if total > LARGEST {
        return Err(Error::new(ErrorKind::LimitExceeded, "The signature is larger than 256 KB with its images. Make the images smaller."));
    }
    Ok(())
}

/// Of the accounts whose drafts ask for it, by account. None: it has none.
pub struct Signatures(HashMap<String, Option<Signature>>);

impl Signatures {
    pub async fn of<'a>(tools: &Tools, drafts: impl IntoIterator<Item = &'a RouteDraft>) -> Result<Self> {
        let mut found = HashMap::new();
        for draft in drafts.into_iter().filter(|draft| wants_one(draft)) {
            let account_id = draft.account_id();
            if !found.contains_key(account_id) {
                found.insert(account_id.to_owned(), stored(tools, account_id).await?);
            }
        }
        Ok(Self(found))
    }

    /// The draft with the signature below its body; None: it asks for none. Errors: InvalidInput, when the account has none, or an image of it has the name of one in
    /// the draft; LimitExceeded.
    pub async fn signed(&self, draft: &RouteDraft) -> Result<Option<RouteDraft>> {
        if !wants_one(draft) {
            return Ok(None);
        }
        let account_id = draft.account_id().to_owned();
        let Some(signature) = self.0.get(&account_id).cloned().flatten() else {
            return Err(Error::invalid("The account has no signature to add. Give it one with set_signature, or leave add_signature out.").on_account(account_id));
        };
        let (draft, weight) = (draft.clone(), by_draft!(draft, C, one => C::weight(one)));
        work_of(weight, move || sign(draft, &signature)).await.map(Some).map_err(|e| e.on_account(account_id))
    }
}

fn wants_one(draft: &RouteDraft) -> bool {
    match draft {
        RouteDraft::Mail { mail } => mail.add_signature,
        RouteDraft::Reply { reply } => reply.add_signature,
        RouteDraft::Forward { forward } => forward.add_signature,
        RouteDraft::Chat { .. } | RouteDraft::ChannelPost { .. } | RouteDraft::Workflow { .. } | RouteDraft::Bot { .. } => false,
    }
}

fn sign(mut draft: RouteDraft, signature: &Signature) -> Result<RouteDraft> {
    match &mut draft {
        RouteDraft::Mail { mail } => {
            mail.add_signature = false;
            put_in(&mut mail.body, &mut mail.body_type, &mut mail.attachments, signature)?;
        }
        RouteDraft::Reply { reply } => {
            reply.add_signature = false;
            put_in(&mut reply.body, &mut reply.body_type, &mut reply.attachments, signature)?;
        }
        RouteDraft::Forward { forward } => {
            forward.add_signature = false;
            put_in(&mut forward.body, &mut forward.body_type, &mut forward.attachments, signature)?;
        }
        RouteDraft::Chat { .. } | RouteDraft::ChannelPost { .. } | RouteDraft::Workflow { .. } | RouteDraft::Bot { .. } => {}
    }
    // It is larger than what was checked.
    by_draft!(&draft, C, one => C::check(one))?;
    Ok(draft)
}

fn put_in(body: &mut String, kind: &mut BodyType, files: &mut Vec<FileAttachment>, signature: &Signature) -> Result<()> {
    if *kind == BodyType::Text {
        *body = below_text(body, &signature.text);
        return Ok(());
    }
    for image in &signature.images {
        if let Some(id) = image.content_id.as_ref().filter(|id| files.iter().any(|file| file.content_id.as_ref() == Some(id))) {
            return Err(Error::invalid(format!("An attachment has the content_id {id}, which an image of the account's signature has. Give it another one.")));
        }
    }
    // As it is made when a mail in Markdown is sent.
    let html = if *kind == BodyType::Markdown { markdown(body) } else { std::mem::take(body) };
    let own = if signature.html.trim().is_empty() { as_html(&signature.text) } else { signature.html.clone() };
    (*body, *kind) = (below_html(&html, &own), BodyType::Html);
    files.extend(signature.images.iter().cloned());
    Ok(())
}

/// Behind the line that mail programs know a signature by. Source: RFC 3676, 4.3.
fn below_text(body: &str, signature: &str) -> String {
    let end = if body.is_empty() || body.ends_with('\n') { "" } else { "\n" };
    format!("{body}{end}-- \n{signature}")
}

/// At the end of the body, which may be a whole document.
fn below_html(body: &str, signature: &str) -> String {
    let lower = body.to_ascii_lowercase();
    let at = lower.rfind("</body").or_else(|| lower.rfind("</html")).unwrap_or(body.len());
    let (above, below) = body.split_at_checked(at).unwrap_or((body, ""));
    format!("{above}<br><div>{signature}</div>{below}")
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
