//! How figures read for people, in one place; documents carry them exact.

/// A count: exact up to 9,999, then three digits with a thousand's letter.
#[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
pub(crate) fn count(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        1000..10_000 => format!("{},{:03}", number / 1000, number % 1000),
        _ => scaled(number as f64, 1000.0, &["", " k", " M", " G", " T", " P", " E"]),
    }
}

/// Bytes, in powers of 1024.
#[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
pub(crate) fn bytes(number: u64) -> String {
    bytes_f64(number as f64)
}

/// Bytes that were computed.
pub(crate) fn bytes_f64(number: f64) -> String {
    scaled(number, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"])
}

/// So many a second.
pub(crate) fn rate(per_second: f64) -> String {
    format!("{}/s", scaled(per_second, 1000.0, &["", " k", " M", " G", " T"]))
}

/// So many a minute.
pub(crate) fn per_minute(per_minute: f64) -> String {
    format!("{}/min", scaled(per_minute, 1000.0, &["", " k", " M", " G", " T"]))
}

/// Minutes, as [`span`] writes them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is left until a limit is not negative, and beyond a million years all is the same"
)]
pub(crate) fn minutes(minutes: f64) -> String {
    span((minutes * 60_000.0) as u64)
}

/// A share from 0 to 1.
pub(crate) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.000_5 {
        "<0.1 %".to_owned()
    } else {
        format!("{:.1} %", share * 100.0)
    }
}

/// Milliseconds: `2.04 us`, `1.2 ms`, `340 ms`, `2.50 s`.
pub(crate) fn ms(ms: f64) -> String {
    if ms > 0.0 && ms < 0.0995 {
        format!("{} us", three_digits(ms * 1000.0))
    } else if ms < 999.5 {
        format!("{} ms", three_digits(ms))
    } else {
        format!("{} s", three_digits(ms / 1000.0))
    }
}

/// Microseconds, as [`ms`] writes them.
#[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
pub(crate) fn micros(us: u64) -> String {
    ms(us as f64 / 1000.0)
}

/// Time of one call, in microseconds: `85 ns`, `2.04 us`.
pub(crate) fn each_us(us: f64) -> String {
    if us < 1.0 { format!("{:.0} ns", us * 1000.0) } else { ms(us / 1000.0) }
}

/// A long time: `3 d 4 h`, `12 min 5 s`, and a short one as [`ms`] writes it.
#[expect(clippy::cast_precision_loss, reason = "below a minute")]
pub(crate) fn span(ms: u64) -> String {
    let (minutes, seconds) = (ms / 60_000, ms / 1000 % 60);
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => self::ms(ms as f64),
        (0, 0, minutes) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// One figure of how many, 0 where there is none.
#[expect(clippy::cast_precision_loss, reason = "shares are shown to a tenth of a percent")]
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// A bar of this many characters, readable without colour and in every encoding.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share is clamped to 0..=1, a bar is short"
)]
pub(crate) fn bar(share: f64, width: usize) -> String {
    let filled = (share.clamp(0.0, 1.0) * width as f64).round() as usize;
    format!("[{}{}]", "#".repeat(filled), ".".repeat(width - filled.min(width)))
}

fn scaled(mut number: f64, step: f64, units: &[&str]) -> String {
    let mut unit = units.iter();
    let mut name = unit.next().copied().unwrap_or_default();
    // 999.5 would be written as 1000 of the smaller unit.
    for larger in unit {
        if number < step - 0.5 {
            break;
        }
        number /= step;
        name = larger;
    }
    // Bare counts and bytes come in wholes.
    let whole = number.fract() == 0.0 && (name.is_empty() || name == " B");
    if whole { format!("{number:.0}{name}") } else { format!("{}{name}", three_digits(number)) }
}

fn three_digits(number: f64) -> String {
    if number < 9.995 {
        format!("{number:.2}")
    } else if number < 99.95 {
        format!("{number:.1}")
    } else {
        format!("{number:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_exact_until_they_are_long() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (9999, "9,999"),
            (10_000, "10.0 k"),
            (262_144, "262 k"),
            (999_499, "999 k"),
            (999_500, "1.00 M"),
            (1_234_567, "1.23 M"),
            (u64::MAX, "18.4 E"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn bytes_are_powers_of_1024() {
        for (number, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (3_565_158, "3.40 MiB"),
            (1 << 40, "1.00 TiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn small_shares_are_not_called_nothing() {
        assert_eq!(percent(0.0), "0.0 %");
        assert_eq!(percent(0.000_1), "<0.1 %");
        assert_eq!(percent(0.812_34), "81.2 %");
        assert_eq!(bar(0.5, 10), "[#####.....]");
        assert_eq!(bar(7.0, 4), "[####]");
        assert_eq!(bar(f64::NAN, 4), "[....]");
    }

    #[test]
    fn times_and_rates_read_well() {
        assert_eq!(ms(0.25), "0.25 ms");
        assert_eq!(ms(2500.0), "2.50 s");
        assert_eq!(span(340), "340 ms");
        assert_eq!(span(59_000), "59.0 s");
        assert_eq!(span(61_000), "1 min 1 s");
        assert_eq!(span(3_600_000 * 27), "1 d 3 h");
        assert_eq!(rate(0.0), "0/s");
        assert_eq!(rate(12_345_678.0), "12.3 M/s");
    }
}
