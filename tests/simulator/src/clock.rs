//! The simulator's own time: the wall's, moved by an offset, or one that stands still until it is moved.

use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy)]
pub enum Clock {
    Wall { offset_ms: i64 },
    Standing { now_ms: i64 },
}

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_millis() as i64).unwrap_or(0)
}

impl Clock {
    /// `wall`, or an RFC 3339 time at which the clock stands.
    pub fn parse(text: &str) -> Option<Clock> {
        if text == "wall" {
            return Some(Clock::Wall { offset_ms: 0 });
        }
        parse(text).map(|now_ms| Clock::Standing { now_ms })
    }

    pub fn now_ms(&self) -> i64 {
        match *self {
            Clock::Wall { offset_ms } => wall_ms() + offset_ms,
            Clock::Standing { now_ms } => now_ms,
        }
    }

    pub fn advance(&mut self, by: i64) {
        match self {
            Clock::Wall { offset_ms } => *offset_ms += by,
            Clock::Standing { now_ms } => *now_ms += by,
        }
    }

    pub fn set(&mut self, to: i64) {
        match self {
            Clock::Wall { offset_ms } => *offset_ms = to - wall_ms(),
            Clock::Standing { now_ms } => *now_ms = to,
        }
    }
}

/// RFC 3339, or a date alone.
pub fn parse(text: &str) -> Option<i64> {
    if text.len() == 10 {
        return parse(&format!("{text}T00:00:00Z"));
    }
    text.trim().parse::<jiff::Timestamp>().ok().map(|t| t.as_millisecond())
}

fn civil(ms: i64) -> (i64, i64, i64, i64) {
    let (days, second) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000) / 1000);
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1, second)
}

fn two(out: &mut String, n: i64) {
    out.push((b'0' + (n / 10 % 10) as u8) as char);
    out.push((b'0' + (n % 10) as u8) as char);
}

/// `2026-01-15T09:00:00Z`; written by hand because ten thousand messages have four dates each.
pub fn push_iso(out: &mut String, ms: i64) {
    let (year, month, day, second) = civil(ms);
    two(out, year / 100);
    two(out, year % 100);
    out.push('-');
    two(out, month);
    out.push('-');
    two(out, day);
    out.push('T');
    two(out, second / 3600);
    out.push(':');
    two(out, second / 60 % 60);
    out.push(':');
    two(out, second % 60);
    out.push('Z');
}

pub fn iso(ms: i64) -> String {
    let mut out = String::with_capacity(20);
    push_iso(&mut out, ms);
    out
}

/// With milliseconds, as Teams writes them.
pub fn iso_ms(ms: i64) -> String {
    let text = iso(ms);
    format!("{}.{:03}Z", text.trim_end_matches('Z'), ms.rem_euclid(1000))
}

/// For the Date header.
pub fn http_date(ms: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day, second) = civil(ms);
    let weekday = DAYS[ms.div_euclid(86_400_000).rem_euclid(7) as usize];
    let name = MONTHS[(month - 1).clamp(0, 11) as usize];
    format!("{weekday}, {day:02} {name} {year:04} {:02}:{:02}:{:02} GMT", second / 3600, second / 60 % 60, second % 60)
}
