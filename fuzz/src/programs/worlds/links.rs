//! Who waits for the end of whom.

use std::collections::BTreeMap;

use dacapo::store::{RunKey, RunState};

use super::assert::{Checked, Known, shown};
use super::records::{Entry, Note, Number, Record, Run};

/// The key of who waits for a run, and for which operation.
type Link = (u64, Number);

/// A row whose link stands has a parent that has not ended, and waits for it.
pub(super) fn check(run: &Run, by_key: &BTreeMap<RunKey, &Run>) -> Checked {
    if let Some(before) = before(run, by_key) {
        check_origin(before, link_of(run), by_key)?;
    }
    let Some(link) = run.row.link else { return Ok(()) };
    check_origin(run, Some((link.parent.0, (link.task, link.local))), by_key)?;
    let Some(parent) = by_key.get(&link.parent) else {
        return Err("its parent is not there".into());
    };
    if parent.row.state.has_ended() || parent.row.state == RunState::Continued {
        return Err(format!("its parent has ended: {}", shown(parent, "")));
    }
    match awaited(parent).get(&(link.task, link.local)) {
        Some(id) if *id == run.row.id => Ok(()),
        _ => Err(format!("its parent does not wait for it: {}", shown(parent, ""))),
    }
}

/// Who waits for a run at the end of a pass did so when the pass began. Or it had let the run go, and was retried
/// since: then it waits for the run that it started, as before.
fn check_origin(pass: &Run, link: Option<Link>, by_key: &BTreeMap<RunKey, &Run>) -> Checked {
    let own = link_of(pass);
    let Some(link) = link.filter(|link| own != Some(*link)) else { return Ok(()) };
    let is_retry = |entry: &Entry| {
        matches!(entry.record, Record::Retried { .. }) && entry.commit >= pass.entries[0].commit
    };
    // Of one that was deleted since then it is not known.
    let is_retried = by_key.get(&RunKey(link.0)).is_none_or(|run| run.entries.iter().any(is_retry));
    let mut first = pass;
    while let Some(pass) = before(first, by_key) {
        first = pass;
    }
    match own.is_none() && is_retried && link_of(first) == Some(link) {
        true => Ok(()),
        false => Err(format!("its link is {link:?}, and was {own:?}")),
    }
}

fn link_of(pass: &Run) -> Option<Link> {
    pass.submission().and_then(|submission| submission.link)
}

fn before<'a>(pass: &Run, by_key: &BTreeMap<RunKey, &'a Run>) -> Option<&'a Run> {
    by_key.get(&RunKey(pass.submission()?.before?)).copied()
}

/// The children that were started, whose ends the run does not know, and that it did not let go.
fn awaited(run: &Run) -> BTreeMap<Number, &str> {
    let mut children = BTreeMap::new();
    for entry in &run.entries {
        match &entry.record {
            Record::OperationNoted { number, note: Note::ChildStarted { id, .. } } => {
                children.insert(*number, &**id);
            }
            Record::OperationEnded { number, .. } | Record::Marked { number, .. } => {
                children.remove(number);
            }
            _ => {}
        }
    }
    children
}

/// Whether a run was taken up again after a child of it was deleted, and is parked for that.
fn is_parked_without(run: &Run, id: &str) -> bool {
    let is_retried = run.entries.iter().any(|entry| matches!(entry.record, Record::Retried { .. }));
    let why = format!("run {id:?}, which this file does not hold");
    let note = String::from_utf8_lossy(&run.row.note);
    run.row.state == RunState::Parked && is_retried && note.contains(&why)
}

/// A run that has not ended waits for children that have not ended, and know it.
pub(super) fn check_children(run: &Run, by_id: &BTreeMap<&str, &Run>, known: Known<'_>) -> Checked {
    let may_have_ended = run.row.state == RunState::Running && !known.is_quiet;
    let has_ended = run.row.state.has_ended() || run.row.state == RunState::Continued;
    if may_have_ended || has_ended {
        return Ok(());
    }
    for (number, id) in awaited(run) {
        if is_parked_without(run, id) {
            return Ok(());
        }
        let Some(child) = by_id.get(id) else {
            return Err(format!("it waits for {id:?}, which is not there"));
        };
        let link = child.row.link.map(|link| (link.parent, (link.task, link.local)));
        if link != Some((run.row.key, number)) {
            return Err(format!("it waits for {number:?}, but {}", shown(child, "")));
        }
    }
    Ok(())
}
