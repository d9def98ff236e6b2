//! Dates, times and intervals as PostgreSQL prints them, to numbers.
//!
//! The calendar is the proleptic Gregorian one, as PostgreSQL counts. What does not look as PostgreSQL prints it is not
//! understood, and nothing is guessed.

pub(super) fn infinite(text: &str) -> Option<String> {
    matches!(text, "infinity" | "-infinity").then(|| text.to_owned())
}

/// Days since 1970-01-01 of `YYYY-MM-DD` with an optional ` BC`.
pub(super) fn days(text: &str) -> Option<i64> {
    let (date, before_christ) = match text.strip_suffix(" BC") {
        Some(date) => (date, true),
        None => (text, false),
    };
    let mut parts = date.splitn(3, '-').map(number);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year > 10_000_000 {
        return None;
    }
    // Year 1 BC is the astronomical year 0.
    let year = if before_christ { 1 - year } else { year };
    Some(days_from_civil(year, month, day))
}

/// Proleptic Gregorian calendar, as PostgreSQL counts. The year is made to begin in March, so that the leap day
/// is its last; a 400-year era always has 146,097 days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    era * 146_097 + day_of_era - 719_468
}

/// µs of the day of `HH:MM:SS[.ffffff]`; 24:00:00 is a time to PostgreSQL.
pub(super) fn time_micros(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let (hours, minutes) = (number(parts.next()?)?, number(parts.next()?)?);
    let rest = parts.next()?;
    let (seconds, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    if fraction.is_empty() || fraction.len() > 6 || hours > 24 || minutes > 59 {
        return None;
    }
    let seconds = number(seconds).filter(|seconds| *seconds <= 60)?;
    let micros = number(&format!("{fraction:0<6}"))?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros)
}

/// µs since 1970 of `YYYY-MM-DD HH:MM:SS[.ffffff]` with an optional ` BC`.
pub(super) fn timestamp_micros(text: &str) -> Option<String> {
    let (stamp, era) = match text.strip_suffix(" BC") {
        Some(stamp) => (stamp, " BC"),
        None => (text, ""),
    };
    let (date, time) = stamp.split_once(' ')?;
    let days = days(&format!("{date}{era}"))?;
    let micros = i128::from(days) * 86_400_000_000 + i128::from(time_micros(time)?);
    Some(micros.to_string())
}

/// µs since 1970 of `YYYY-MM-DDTHH:MM:SS[.ffffff]` in a year of our era: what most instants look like in ISO 8601.
pub(crate) fn usual_stamp(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators
        .iter()
        .any(|(at, separator)| bytes.get(*at) != Some(separator))
    {
        return None;
    }
    let digits = |from: usize, count: usize| {
        let digits = bytes.get(from..from + count)?;
        digits.iter().try_fold(0, |number, digit| {
            let digit = char::from(*digit).to_digit(10)?;
            Some(number * 10 + i64::from(digit))
        })
    };
    let (year, month, day) = (digits(0, 4)?, digits(5, 2)?, digits(8, 2)?);
    let (hours, minutes, seconds) = (digits(11, 2)?, digits(14, 2)?, digits(17, 2)?);
    let fraction = match bytes.get(19) {
        None => 0,
        Some(b'.') if (21..=26).contains(&bytes.len()) => {
            let count = bytes.len() - 20;
            digits(20, count)? * 10_i64.pow(6 - u32::try_from(count).ok()?)
        }
        Some(_) => return None,
    };
    let dated = year > 0 && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !dated || hours > 24 || minutes > 59 || seconds > 60 {
        return None;
    }
    let within = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction;
    Some(days_from_civil(year, month, day) * 86_400_000_000 + within)
}

fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// µs since 1970 of `YYYY-MM-DD HH:MM:SS[.ffffff]±HH[:MM[:SS]]` with an optional ` BC`, whatever the offset.
pub(super) fn zoned_micros(text: &str) -> Option<String> {
    let (stamp, era) = match text.strip_suffix(" BC") {
        Some(stamp) => (stamp, " BC"),
        None => (text, ""),
    };
    // The date's hyphens stand in front of the first colon.
    let clock = stamp.find(':')?;
    let at = clock + stamp.get(clock..)?.find(['+', '-'])?;
    let (local, offset) = stamp.split_at_checked(at)?;
    let micros: i128 = timestamp_micros(&format!("{local}{era}"))?.parse().ok()?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let mut seconds = 0;
    let mut unit = 3600;
    for part in offset.get(1..)?.splitn(3, ':') {
        seconds += number(part).filter(|part| *part < 60)? * unit;
        unit /= 60;
    }
    Some((micros - i128::from(sign * seconds) * 1_000_000).to_string())
}

/// Months, days and µs, the three numbers that PostgreSQL keeps, in a form that it reads again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) months: i64,
    pub(crate) days: i64,
    pub(crate) micros: i128,
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} mons {} days {} us",
            self.months, self.days, self.micros
        )
    }
}

impl Interval {
    /// `1 year -2 mons +3 days 04:05:06.7`, as printed with `IntervalStyle` `postgres`.
    pub(super) fn parse(text: &str) -> Option<Interval> {
        let mut interval = Interval::default();
        let mut words = text.split(' ');
        let mut any = false;
        while let Some(word) = words.next() {
            any = true;
            if word.contains(':') {
                interval.micros = Interval::clock(word)?;
                return words.next().is_none().then_some(interval);
            }
            let count = signed(word)?;
            match words.next()? {
                "year" | "years" => interval.months += count.checked_mul(12)?,
                "mon" | "mons" => interval.months += count,
                "day" | "days" => interval.days = count,
                _ => return None,
            }
        }
        any.then_some(interval)
    }

    /// `[±]HH:MM:SS[.ffffff]` with as many digits for hours as it takes.
    fn clock(text: &str) -> Option<i128> {
        let (sign, text) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let (hours, rest) = text.split_once(':')?;
        let within = time_micros(&format!("00:{rest}"))?;
        Some(sign * (i128::from(number(hours)?) * 3_600_000_000 + i128::from(within)))
    }
}

fn signed(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(rest) => number(rest).map(|number| -number),
        None => number(text.strip_prefix('+').unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_three_numbers() {
        let table = [
            (
                "1 year 2 mons 3 days 04:05:06.789",
                "14 mons 3 days 14706789000 us",
            ),
            ("-1 days +00:00:01", "0 mons -1 days 1000000 us"),
            ("00:00:00", "0 mons 0 days 0 us"),
            ("-00:00:00.000001", "0 mons 0 days -1 us"),
            (
                "-1 years -2 mons +3 days -04:05:06.7",
                "-14 mons 3 days -14706700000 us",
            ),
            (
                "2562047788:00:54.775807",
                "0 mons 0 days 9223372036854775807 us",
            ),
            ("1 mon", "1 mons 0 days 0 us"),
        ];
        for (text, wanted) in table {
            let got = Interval::parse(text).map(|interval| interval.to_string());
            assert_eq!(got.as_deref(), Some(wanted), "{text}");
        }
        for text in [
            "",
            "1",
            "1 week",
            "P1Y",
            "1 day 2",
            "00:00:00 1 day",
            "@ 1 day",
        ] {
            assert_eq!(Interval::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_instant_is_the_same_whatever_its_offset() {
        let same = [
            "2024-03-01 13:14:15.5+00",
            "2024-03-01 18:44:15.5+05:30",
            "2024-03-01 12:14:05.5-01:00:10",
        ];
        for text in same {
            assert_eq!(
                zoned_micros(text).as_deref(),
                Some("1709298855500000"),
                "{text}"
            );
        }
        assert_eq!(
            zoned_micros("0044-03-15 12:00:00+00 BC"),
            timestamp_micros("0044-03-15 12:00:00 BC")
        );
        for text in [
            "2024-03-01 13:14:15",
            "2024-03-01",
            "2024-03-01 13:14:15+99",
            "",
        ] {
            assert_eq!(zoned_micros(text), None, "{text}");
        }
    }
}
