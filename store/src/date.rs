//! Instants of a node into dates.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tandem_time::Instant;

/// When the node's [`Instant::START`] was, so that its instants become dates.
#[derive(Clone, Copy, Debug)]
pub struct NodeClock {
    start: Duration,
}

impl NodeClock {
    /// A clock whose [`Instant::START`] was at `start`.
    #[must_use]
    pub fn starting_at(start: SystemTime) -> Self {
        // A clock before 1970 is one that was never set; its dates are as wrong either way.
        Self { start: start.duration_since(UNIX_EPOCH).unwrap_or_default() }
    }

    /// UTC as ISO 8601 with milliseconds: `2026-11-21T09:05:12.345Z`.
    #[must_use]
    pub fn date(&self, at: Instant) -> String {
        let since_epoch = self.start + at.since_start();
        let (days, seconds) = (since_epoch.as_secs() / 86_400, since_epoch.as_secs() % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let millis = u64::from(since_epoch.subsec_millis());
        // A record has a dozen dates, and `format!` takes ten times as long.
        let mut date = String::with_capacity("2026-11-21T09:05:12.345Z".len());
        let parts = [(year, 4, '-'), (month, 2, '-'), (day, 2, 'T'), (hour, 2, ':'), (minute, 2, ':')];
        for (number, digits, behind) in parts.into_iter().chain([(second, 2, '.'), (millis, 3, 'Z')]) {
            let places = (0..digits).rev().map(|place| number / 10_u64.pow(place) % 10);
            date.extend(places.map(|digit| char::from(b'0' + digit as u8)));
            date.push(behind);
        }
        date
    }
}

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01.
///
/// The year is taken to begin in March, so that the leap day is its last: 400 years are 146,097 days.
const fn civil(days: u64) -> (u64, u64, u64) {
    let since_march_0000 = days + 719_468;
    let (era, day_of_era) = (since_march_0000 / 146_097, since_march_0000 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_become_dates() {
        let clock = NodeClock::starting_at(UNIX_EPOCH + Duration::from_millis(1_795_251_912_345));
        assert_eq!(clock.date(Instant::START), "2026-11-21T09:05:12.345Z");
        assert_eq!(clock.date(Instant::from_millis(54_055_000 - 345 + 1_655)), "2026-11-22T00:06:08.655Z");
    }

    #[test]
    fn leap_days_are_where_the_calendar_has_them() {
        let date = |days: u64| civil(days);
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29), "divisible by 400");
        assert_eq!(date(11_017), (2000, 3, 1));
        assert_eq!(date(19_782), (2024, 2, 29));
        assert_eq!(date(47_540), (2100, 2, 28), "divisible by 100");
        assert_eq!(date(47_541), (2100, 3, 1));
    }
}
