//! Values as flows hold them: dates and times (ISO 8601), amounts of money.

use super::template::Field;

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// Reads `2026-11-21`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let year = digits(parts.next()?, 4)?;
        let (month, day) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
        let date = Self { year, month: month as u8, day: day as u8 };
        let known = (1..=12).contains(&month) && (1..=date.days_of_month()).contains(&date.day);
        (known && parts.next().is_none()).then_some(date)
    }

    pub(super) const fn field(self, field: Field) -> Option<i64> {
        match field {
            Field::Year => Some(self.year as i64),
            Field::Month => Some(self.month as i64),
            Field::Day => Some(self.day as i64),
            Field::Weekday => Some(self.weekday()),
            _ => None,
        }
    }

    const fn is_leap_year(self) -> bool {
        self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400))
    }

    const fn days_of_month(self) -> u8 {
        match self.month {
            2 if self.is_leap_year() => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// 1 is Monday, 7 is Sunday (Zeller's congruence, with March as the first month of a year).
    const fn weekday(self) -> i64 {
        let early = self.month < 3;
        let month = if early { self.month as i64 + 12 } else { self.month as i64 };
        let year = if early { self.year as i64 - 1 } else { self.year as i64 };
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        let since_saturday = (self.day as i64 + 13 * (month + 1) / 5 + year + leap_days).rem_euclid(7);
        (since_saturday + 5) % 7 + 1
    }
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    hour: u8,
    minute: u8,
}

impl Time {
    /// Reads `17:30` or `17:30:00`; seconds are not said.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split(':');
        let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
        let second = parts.next().map_or(Some(0), |second| digits(second, 2))?;
        let known = hour < 24 && minute < 60 && second < 60 && parts.next().is_none();
        known.then_some(Self { hour: hour as u8, minute: minute as u8 })
    }

    pub(super) const fn field(self, field: Field) -> Option<i64> {
        match field {
            Field::Hour => Some(self.hour as i64),
            Field::Hour12 => Some(((self.hour + 11) % 12 + 1) as i64),
            Field::Minute => Some(self.minute as i64),
            Field::Half => Some((self.hour / 12) as i64),
            _ => None,
        }
    }
}

/// An amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) is_negative: bool,
    pub(super) units: i64,
    pub(super) subunits: i64,
}

impl Amount {
    /// Reads `12`, `12.5` or `-12.50`; a currency has so many decimals.
    pub(super) fn parse(text: &str, decimals: u8) -> Option<Self> {
        let text = text.trim();
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (units, part) = text.split_once('.').unwrap_or((text, ""));
        let all_digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
        if units.is_empty() || !all_digits(units) || !all_digits(part) || part.len() > usize::from(decimals) {
            return None;
        }
        let padded = format!("{part:0<width$}", width = usize::from(decimals));
        let subunits = if padded.is_empty() { 0 } else { padded.parse().ok()? };
        let units = units.parse().ok()?;
        Some(Self { is_negative: is_negative && (units, subunits) != (0, 0), units, subunits })
    }
}

/// A number of so many digits at most.
fn digits(text: &str, at_most: usize) -> Option<u16> {
    let fits = (1..=at_most).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_week_are_known_back_to_the_first_year() {
        let weekday = |text| Date::parse(text).and_then(|date| date.field(Field::Weekday));
        // Known days: the moon landing, a leap day, a century that is no leap year, the last day of a year.
        assert_eq!(weekday("1969-07-20"), Some(7));
        assert_eq!(weekday("2024-02-29"), Some(4));
        assert_eq!(weekday("1900-03-01"), Some(4));
        assert_eq!(weekday("1999-12-31"), Some(5));
        assert_eq!(weekday("2026-11-21"), Some(6));
    }

    #[test]
    fn days_and_times_that_do_not_exist_are_refused() {
        for wrong in ["2026-02-29", "1900-02-29", "2026-13-01", "2026-00-01", "2026-04-31", "2026-1", "x-1-1"]
        {
            assert_eq!(Date::parse(wrong), None, "{wrong}");
        }
        for wrong in ["24:00", "12:60", "12", "12:00:60", "12:00:00:00", "-1:00", "1:+5"] {
            assert_eq!(Time::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn midnight_and_noon_are_twelve() {
        let hour = |text| Time::parse(text).and_then(|time| time.field(Field::Hour12));
        assert_eq!(
            [hour("00:10"), hour("12:10"), hour("13:10"), hour("23:10")].map(|it| it),
            [Some(12), Some(12), Some(1), Some(11)]
        );
    }

    #[test]
    fn amounts_have_as_many_decimals_as_their_currency() {
        let amount = |text, decimals| Amount::parse(text, decimals).map(|it| (it.units, it.subunits));
        assert_eq!(amount("12.5", 2), Some((12, 50)));
        assert_eq!(amount("12", 0), Some((12, 0)));
        assert_eq!(amount("12.505", 3), Some((12, 505)));
        assert_eq!(amount("12.505", 2), None);
        assert_eq!(amount("12.5", 0), None);
        assert_eq!(amount(".5", 2), None);
        assert_eq!(Amount::parse("-0.00", 2).map(|it| it.is_negative), Some(false));
    }
}
