//! The world's telephone numbers, from the metadata of libphonenumber. It lives in the shell: its caches and locks
//! would be the only ones in the core.

use std::str::FromStr;

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, Region};
use tandem_sbc::rules::NumberingPlan;

/// The numbering plan as it is seen from one country.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Country {
    region: Region,
    calling_code: i32,
}

impl Country {
    /// A country by its two letters; `None` when there is none of them.
    pub(crate) fn of(letters: &str) -> Option<Self> {
        let region = Region::from_str(letters).ok()?;
        let calling_code = PHONE_NUMBER_UTIL.get_country_code_for_region(region)?;
        Some(Self { region, calling_code })
    }
}

impl NumberingPlan for Country {
    fn e164(&self, dialled: &str) -> Option<String> {
        let number = PHONE_NUMBER_UTIL.parse(dialled, Some(self.region)).ok()?;
        is_possible(&number).then(|| number.format_as(PhoneNumberFormat::E164).into_owned())
    }

    fn national(&self, e164: &str) -> Option<String> {
        let number = PHONE_NUMBER_UTIL.parse(e164, None).ok()?;
        if number.country_code != self.calling_code {
            return None;
        }
        let written = number.format_as(PhoneNumberFormat::National);
        Some(written.chars().filter(char::is_ascii_digit).collect())
    }
}

/// Of a length that can be dialled from anywhere, whether or not somebody was given it.
fn is_possible(number: &PhoneNumber) -> bool {
    matches!(number.is_possible_with_reason(), Ok(NumberLengthType::IsPossible))
}
