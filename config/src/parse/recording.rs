//! `[recording]`, and who is recorded.

use super::Files;
use crate::model::Recording;
use crate::reader::Section;

/// `Some(None)` when there is none, `None` when it is wrong.
pub(super) fn read_recording(root: &Section<'_, '_>, files: &Files<'_>) -> Option<Option<Recording>> {
    root.know(&["recording"]);
    if !root.has("recording") {
        return Some(None);
    }
    let section = root.table("recording");
    let folder = files.folder(&section, "folder").filter(|folder| {
        let is_writable = files.disk.is_writable(folder);
        if !is_writable {
            let message = format!("nothing can be written in {}", folder.display());
            section.problem_at("folder", message, "give it to the user that the node runs as".into());
        }
        is_writable
    });
    let max = section.integer_or("max", 1..=100_000, 1_000);
    section.finish();
    Some(Some(Recording { folder: folder?, max: max? }))
}

/// `record`: whether the calls of a trunk or queue are recorded.
pub(super) fn read_record(root: &Section<'_, '_>, section: &Section<'_, '_>) -> Option<bool> {
    let record = section.boolean_or("record", false)?;
    if record && !root.has("recording") {
        let advice = "add [recording] with folder = \"…\", or remove record".into();
        section.problem_at("record", "it is not said where recordings go".into(), advice);
        return None;
    }
    Some(record)
}
