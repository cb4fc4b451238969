//! Many phones on few addresses: whose message is it, and who must be woken next.
//!
//! A branch that one of the phones made begins with its place, so an answer finds it without a table. A request goes to
//! the phone whose address and user it names, else to whose Call-ID it has, else to the first at that address: a carrier
//! has many numbers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use crate::access::Access;
use crate::phone::{Phone, PhoneConfig};
use crate::report::Output;

/// A phone's place among the others, counted from 0.
pub type Place = usize;

/// Many phones.
#[derive(Debug, Default)]
pub struct Crowd {
    phones: Vec<Phone>,
    by_user: BTreeMap<(SocketAddr, String), Place>,
    by_address: BTreeMap<SocketAddr, Place>,
    wakes: BTreeSet<(Duration, Place)>,
    wake_of: Vec<Option<Duration>>,
    /// Those with something to say.
    stirred: VecDeque<Place>,
    astray: u64,
}

impl Crowd {
    /// Adds a phone; its place stands in for what `access` says of it.
    pub fn add(&mut self, config: PhoneConfig, access: Access, rng: ChaCha8Rng) -> Place {
        let place = self.phones.len();
        self.by_user.insert((config.address, config.user.clone()), place);
        self.by_address.entry(config.address).or_insert(place);
        self.phones.push(Phone::connected(config, Access { place: Some(place), ..access }, rng));
        self.wake_of.push(None);
        place
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.phones.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.phones.is_empty()
    }

    /// The phone at `place`.
    #[must_use]
    pub fn phone(&self, place: Place) -> Option<&Phone> {
        self.phones.get(place)
    }

    /// Messages that were nobody's.
    #[must_use]
    pub const fn astray(&self) -> u64 {
        self.astray
    }

    /// Does something with one of the phones; none when there is no such.
    pub fn with<T>(&mut self, place: Place, act: impl FnOnce(&mut Phone) -> T) -> Option<T> {
        let phone = self.phones.get_mut(place)?;
        let done = act(phone);
        let wake = phone.poll_timeout();
        if let Some(noted) = self.wake_of.get_mut(place)
            && *noted != wake
        {
            if let Some(old) = noted.take() {
                self.wakes.remove(&(old, place));
            }
            if let Some(at) = wake {
                self.wakes.insert((at, place));
            }
            *noted = wake;
        }
        if self.stirred.back() != Some(&place) {
            self.stirred.push_back(place);
        }
        Some(done)
    }

    /// Takes a SIP message that came to `local`.
    pub fn handle_sip(&mut self, now: Duration, local: SocketAddr, source: SocketAddr, bytes: &[u8]) {
        match self.whose(local, bytes) {
            Some(place) => drop(self.with(place, |phone| phone.handle_sip(now, source, bytes))),
            None => self.astray += 1,
        }
    }

    /// Takes an RTP or RTCP packet that came to an address of the phone at `place`.
    pub fn handle_rtp(
        &mut self,
        now: Duration,
        place: Place,
        local: SocketAddr,
        source: SocketAddr,
        bytes: &[u8],
    ) {
        self.with(place, |phone| phone.handle_rtp(now, local, source, bytes));
    }

    /// A connection from `local` to the server is gone.
    pub fn connection_lost(&mut self, now: Duration, local: SocketAddr) {
        for place in 0..self.phones.len() {
            if self.phones.get(place).is_some_and(|phone| phone.config().address == local) {
                self.with(place, |phone| phone.connection_lost(now));
            }
        }
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        while let Some((at, place)) = self.wakes.first().copied() {
            if at > now {
                return;
            }
            self.with(place, |phone| phone.handle_timeout(now));
        }
    }

    /// When [`Crowd::handle_timeout`] should be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// The next output and whose it is, until `None`.
    pub fn poll_output(&mut self) -> Option<(Place, Output)> {
        while let Some(place) = self.stirred.front().copied() {
            match self.phones.get_mut(place).and_then(Phone::poll_output) {
                Some(output) => return Some((place, output)),
                None => drop(self.stirred.pop_front()),
            }
        }
        None
    }

    fn whose(&self, local: SocketAddr, bytes: &[u8]) -> Option<Place> {
        let at_home =
            |place: &Place| self.phones.get(*place).is_some_and(|phone| phone.config().address == local);
        if bytes.starts_with(b"SIP/2.0 ") {
            return branch(bytes).and_then(Access::place_in).filter(at_home);
        }
        let by_call_id = || call_id(bytes).and_then(Access::place_in).filter(at_home);
        let by_user =
            request_user(bytes).and_then(|user| self.by_user.get(&(local, user.to_owned())).copied());
        by_user.or_else(by_call_id).or_else(|| self.by_address.get(&local).copied())
    }
}

/// The user part of the Request-URI.
fn request_user(bytes: &[u8]) -> Option<&str> {
    let line = bytes.split(|byte| *byte == b'\r').next()?;
    let uri = std::str::from_utf8(line).ok()?.split(' ').nth(1)?;
    Some(uri.strip_prefix("sip:").or_else(|| uri.strip_prefix("sips:"))?.split_once('@')?.0)
}

/// The value of Call-ID, in its long or short form (RFC 3261 §7.3.3).
fn call_id(bytes: &[u8]) -> Option<&str> {
    header(bytes, b"call-id", b"i")
}

/// The branch of the topmost Via.
fn branch(bytes: &[u8]) -> Option<&str> {
    let parameters = header(bytes, b"via", b"v")?.split([';', ',']);
    parameters.map(str::trim).find_map(|parameter| parameter.strip_prefix("branch="))
}

/// The value of a header's first line, by its long or short name.
fn header<'a>(bytes: &'a [u8], long: &[u8], short: &[u8]) -> Option<&'a str> {
    bytes.split(|byte| *byte == b'\n').take_while(|line| line.len() > 1).find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        let name = name.trim_ascii();
        let known = name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short);
        known.then(|| std::str::from_utf8(value.get(1..)?.trim_ascii()).ok()).flatten()
    })
}
