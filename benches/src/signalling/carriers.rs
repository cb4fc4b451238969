//! The carriers on either side: SIPp as caller and as callee.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// The carrier that calls.
pub const CALLER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 10), 5_070));
/// The carrier that is called.
pub const CALLEE: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 11), 5_071));

/// How calls are made.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// New calls a second.
    pub rate: u32,
    /// How many altogether.
    pub calls: u32,
    /// How long each lasts.
    pub hold: Duration,
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// Calls that went as they should.
    pub succeeded: u64,
    /// Calls that did not.
    pub failed: u64,
    /// Messages that had to be sent again, by the caller.
    pub retransmissions: u64,
    /// New calls a second, as they were really made.
    pub rate: f64,
}

/// The callee, which answers everybody.
pub struct Carriers {
    callee: Child,
    folder: TempDir,
}

impl Carriers {
    /// Starts the callee.
    ///
    /// # Errors
    /// When SIPp is not installed (Debian's `sip-tester`).
    pub fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let callee = sipp("callee", CALLEE, folder.path())?.spawn()?;
        Ok(Self { callee, folder })
    }

    /// Makes calls to `subject`, and waits for their end.
    ///
    /// # Errors
    /// When SIPp cannot say what became of them.
    pub fn call(&self, subject: SocketAddr, load: Load) -> io::Result<Traffic> {
        const COLUMNS: [&str; 4] =
            ["SuccessfulCall(C)", "FailedCall(C)", "Retransmissions(C)", "CallRate(C)"];
        let statistics = self.folder.path().join("caller.csv");
        let _ = fs::remove_file(&statistics);
        let mut command = sipp("caller", CALLER, self.folder.path())?;
        command
            .arg(subject.to_string())
            .args(["-s", "+15559999", "-r", &load.rate.to_string(), "-m", &load.calls.to_string()])
            .args(["-d", &load.hold.as_millis().to_string(), "-timeout", "180"])
            .args(["-trace_stat", "-fd", "1", "-stf"])
            .arg(&statistics);
        // Its status says no more than that some call failed.
        command.status()?;
        let text = fs::read_to_string(&statistics)?;
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split(';').collect();
        let last: Vec<&str> = lines.next_back().unwrap_or_default().split(';').collect();
        let value = |name: &str| {
            let place = header.iter().position(|column| *column == name)?;
            last.get(place)?.trim().parse::<f64>().ok()
        };
        let [Some(succeeded), Some(failed), Some(retransmissions), Some(_)] = COLUMNS.map(value) else {
            return Err(io::Error::other("SIPp left no statistics"));
        };
        let rate = self.sending_rate(&header, &text, load.calls);
        Ok(Traffic {
            succeeded: succeeded as u64,
            failed: failed as u64,
            retransmissions: retransmissions as u64,
            rate,
        })
    }

    /// The rate while calls were still being made: what comes after the last one begun does not count.
    fn sending_rate(&self, header: &[&str], text: &str, calls: u32) -> f64 {
        let place = |name: &str| header.iter().position(|column| *column == name);
        let (Some(created), Some(elapsed)) = (place("OutgoingCall(C)"), place("ElapsedTime(C)")) else {
            return 0.0;
        };
        let samples = text.lines().skip(1).filter_map(|line| {
            let fields: Vec<&str> = line.split(';').collect();
            let made: f64 = fields.get(created)?.trim().parse().ok()?;
            Some((made, seconds(fields.get(elapsed)?)?))
        });
        let all = f64::from(calls);
        samples.take_while(|(made, _)| *made < all).last().map_or(0.0, |(made, after)| made / after.max(1e-3))
    }
}

impl Drop for Carriers {
    fn drop(&mut self) {
        // It has ended already, or nothing more can be done about it.
        let _ = self.callee.kill();
        let _ = self.callee.wait();
    }
}

/// `00:00:10:003` or `00:00:10` (hours, minutes, seconds, and milli- or microseconds).
fn seconds(text: &str) -> Option<f64> {
    let mut fields = text.trim().split(':');
    let (hours, minutes, seconds): (f64, f64, f64) =
        (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let fraction = match fields.next() {
        Some(digits) => digits.parse::<f64>().ok()? / 10_f64.powi(i32::try_from(digits.len()).ok()?),
        None => 0.0,
    };
    Some((hours * 60.0 + minutes) * 60.0 + seconds + fraction)
}

fn sipp(scenario: &str, at: SocketAddr, folder: &Path) -> io::Result<Command> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("sipp").join(scenario).with_extension("xml");
    let mut command = Command::new("sipp");
    command
        .current_dir(folder)
        .arg("-sf")
        .arg(file)
        .args(["-i", &at.ip().to_string(), "-p", &at.port().to_string(), "-mi", &at.ip().to_string()])
        // At its coarser resolutions SIPp sends what is due in several milliseconds at once, as no carrier does.
        .args(["-l", "200000", "-nostdin", "-buff_size", "8388608", "-timer_resol", "1"])
        .args(["-recv_timeout", "40000", "-max_recv_loops", "5000", "-max_sched_loops", "5000"])
        .stdin(Stdio::null())
        .stdout(File::create(folder.join(scenario).with_extension("screen"))?)
        .stderr(Stdio::null());
    Ok(command)
}
