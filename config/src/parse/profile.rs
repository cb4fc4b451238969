//! How a peer is spoken to: keys that stand in a trunk's section, and in that of the phones.

use crate::model::{Profile, SrtpPolicy};
use crate::reader::Section;

pub(super) fn read_profile(section: &Section<'_, '_>) -> Option<Profile> {
    let srtp = read_srtp(section);
    Some(Profile { srtp: srtp? })
}

fn read_srtp(section: &Section<'_, '_>) -> Option<SrtpPolicy> {
    section.parsed_or("srtp", "off, offered or required", SrtpPolicy::Off, |text| match text {
        "off" => Some(SrtpPolicy::Off),
        "offered" => Some(SrtpPolicy::Offered),
        "required" => Some(SrtpPolicy::Required),
        _ => None,
    })
}
