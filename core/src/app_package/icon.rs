//! Icons: what Teams asks of them is looked for in the decoded picture, since a wrong one is refused only when the package is uploaded, or shown wrongly.

use crate::error::{Error, Result};
use png::{ColorType, Decoder, Limits, Transformations};
use std::io::Cursor;

const COLOR_SIDE: u32 = 192;
const OUTLINE_SIDE: u32 = 32;
const MOST_BYTES: usize = 1 << 20;
/// What the decoder may take beside the picture.
const DECODER_BYTES: usize = 4 << 20;
/// Edges of a drawing are partly transparent, and some programs write dark pixels there.
const CLEARLY_SEEN: u8 = 128;
/// Programs round.
const WHITE: u8 = 240;

pub fn check_color(field: &str, bytes: &[u8]) -> Result<()> {
    decode(field, bytes, COLOR_SIDE).map(drop)
}

/// A drawing in white on a transparent ground: Teams colours it itself.
pub fn check_outline(field: &str, bytes: &[u8]) -> Result<()> {
    let pixels = decode(field, bytes, OUTLINE_SIDE)?;
    if !pixels.iter().any(|pixel| pixel.alpha == 0) {
        return Err(Error::invalid(format!("{field} has no transparent pixel. It must be white on a transparent ground.")));
    }
    if !pixels.iter().any(|pixel| pixel.alpha >= CLEARLY_SEEN) {
        return Err(Error::invalid(format!("{field} shows nothing: every pixel is transparent. It must be white on a transparent ground.")));
    }
    if pixels.iter().any(|pixel| pixel.alpha >= CLEARLY_SEEN && pixel.darkest < WHITE) {
        return Err(Error::invalid(format!("{field} has another colour than white. It must be white on a transparent ground.")));
    }
    Ok(())
}

struct Pixel {
    /// The smallest of red, green and blue.
    darkest: u8,
    alpha: u8,
}

/// A whole PNG of this size, without animation.
fn decode(field: &str, bytes: &[u8], side: u32) -> Result<Vec<Pixel>> {
    let refuse = |what: &str| Error::invalid(format!("{field} must be a PNG of {side} × {side} pixels; {what}."));
    if bytes.len() > MOST_BYTES {
        return Err(refuse("it has more than 1 MB"));
    }
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: DECODER_BYTES });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    // The size first: a picture of another one is not decoded at all.
    let (width, height) = decoder.read_header_info().map(|info| (info.width, info.height)).map_err(|e| refuse("it is no PNG").with_source(e))?;
    if (width, height) != (side, side) {
        return Err(refuse(&format!("it is {width} × {height}")));
    }
    decoder.set_transformations(Transformations::normalize_to_color8() | Transformations::ALPHA);
    let damaged = |e: png::DecodingError| refuse("it is damaged").with_source(e);
    let mut reader = decoder.read_info().map_err(damaged)?;
    if reader.info().animation_control.is_some() {
        return Err(refuse("it is animated"));
    }
    let mut buffer = vec![0; reader.output_buffer_size().ok_or_else(|| refuse("it is damaged"))?];
    let frame = reader.next_frame(&mut buffer).map_err(damaged)?;
    reader.finish().map_err(damaged)?;
    buffer.truncate(frame.buffer_size());
    let samples = match frame.color_type {
        ColorType::Rgba => 4,
        ColorType::GrayscaleAlpha => 2,
        _ => return Err(refuse("its colours cannot be read")),
    };
    let pixel = |samples: &[u8]| {
        let (alpha, colors) = samples.split_last()?;
        Some(Pixel { darkest: colors.iter().copied().min()?, alpha: *alpha })
    };
    buffer.chunks_exact(samples).map(|samples| pixel(samples).ok_or_else(|| refuse("it is damaged"))).collect()
}
