//! Tries the seeds of each fuzz target and writes them, one file each, to `corpus/TARGET` in the folder that is named.

use std::path::Path;
use std::process::ExitCode;

#[path = "../../../media/tests/exercise/mod.rs"]
mod media;
#[path = "../../../sbc/tests/exercise/mod.rs"]
mod sbc;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: seeds FOLDER");
        return ExitCode::from(2);
    };
    let media = media::ENTRIES.iter().map(|entry| (entry.name, (entry.seeds)()));
    let sbc = sbc::ENTRIES.iter().map(|entry| (entry.name, (entry.seeds)()));
    media.clone().for_each(|(name, seeds)| seeds.iter().for_each(|seed| media::read(name, seed)));
    sbc.clone().for_each(|(name, seeds)| seeds.iter().for_each(|seed| sbc::read(name, seed)));
    for (name, seeds) in media.chain(sbc) {
        if let Err(error) = write(&Path::new(&folder).join("corpus").join(name), &seeds) {
            eprintln!("{name}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn write(folder: &Path, seeds: &[Vec<u8>]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    (0..)
        .zip(seeds)
        .try_for_each(|(n, seed): (u32, _)| std::fs::write(folder.join(format!("seed-{n:02}")), seed))
}
