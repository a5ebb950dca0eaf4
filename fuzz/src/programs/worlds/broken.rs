//! Each assert notices what it is for: files of worlds that are broken in one way each.

mod queued;

use dacapo::store::RunState;

use super::assert::{Known, check, check_parked};
use super::booked;
use super::delivered::{self, check_places};
use super::judge::judge_stand;
use super::queues::Exempt;
use super::records::{Asked, Cause, Entry, Mark, Note, Record, Run, runs};
use super::{World, carry_out, decode, generate};

/// Breaks something at a record, if it is of that kind.
type Break = fn(&mut [Run], usize, usize) -> Option<()>;

struct Case {
    /// Its number in the contract, and what is broken.
    name: &'static str,
    breaks: Break,
    /// What is said of it.
    why: &'static str,
}

const CASES: [Case; 19] = [
    Case {
        name: "1: a message is sent, and does not arrive",
        breaks: |runs, run, at| {
            remove(runs, run, at, |r| matches!(r, Record::MessageArrived { .. }))
        },
        why: "arrived are 0",
    },
    Case {
        name: "1: a message arrives that nobody sent",
        breaks: |runs, run, at| {
            remove(runs, run, at, |r| {
                matches!(r, Record::OperationEnded { asked: Asked::Send { .. }, .. })
            })
        },
        why: "sent 0 on",
    },
    Case {
        name: "2: a child has a link to a parent that has ended",
        breaks: |runs, run, _| {
            let link = runs[run].row.link?;
            let parent = runs.iter_mut().find(|run| run.row.key == link.parent)?;
            parent.row.state = RunState::Completed;
            parent.row.wake_at = None;
            let record = Record::Finished { outcome: Ok(Vec::new()), was_dropped: false };
            let last = parent.entries.last()?.clone();
            parent.entries.push(Entry { commit: last.commit + 1, record, ..last });
            Some(())
        },
        why: "its parent has ended",
    },
    Case {
        name: "2: a child has a link to another operation",
        breaks: |runs, run, _| {
            runs[run].row.link.as_mut()?.local += 1;
            Some(())
        },
        why: "its link is",
    },
    Case {
        name: "2: a child that was let go has its parent back in its next pass",
        breaks: |runs, run, _| {
            let before = runs[run].submission()?.before?;
            let pass = runs.iter_mut().find(|run| run.row.key.0 == before)?;
            match &mut pass.entries[0].record {
                Record::Submitted(submission) => submission.link.take().map(drop),
                _ => None,
            }
        },
        why: "its link is",
    },
    Case {
        name: "3: a child ends that was not started",
        breaks: |runs, run, at| {
            remove(runs, run, at, |r| {
                matches!(r, Record::OperationNoted { note: Note::ChildStarted { .. }, .. })
            })
        },
        why: "ends that was not started",
    },
    Case {
        name: "3: a child ends that was dropped",
        breaks: |runs, run, at| {
            let entry = runs[run].entries[at].clone();
            let Record::OperationEnded { number, asked: Asked::Child { .. }, .. } = entry.record
            else {
                return None;
            };
            let record = Record::Marked { number, mark: Mark::ChildDropped };
            let commit = runs[run].entries[at - 1].commit;
            runs[run].entries.insert(at, Entry { record, commit, ..entry });
            Some(())
        },
        why: "ends that was let go",
    },
    Case {
        name: "5: a post stands before what the run asked for",
        breaks: |runs, run, at| {
            let entries = &mut runs[run].entries;
            let (one, next) = (entries.get(at)?, entries.get(at + 1)?);
            let is_post = matches!(next.record, Record::MessageArrived { .. });
            (is_post && one.commit == next.commit).then(|| entries.swap(at, at + 1))
        },
        why: " stands behind MessageArrived",
    },
    Case {
        name: "6: a run is asked to end twice",
        breaks: |runs, run, at| {
            let entry = runs[run].entries[at].clone();
            let is_it = matches!(entry.record, Record::CancelRequested { cause: Cause::Asked });
            is_it.then(|| runs[run].entries.insert(at, entry))
        },
        why: "asked to end twice",
    },
    Case {
        name: "6: a request to end goes over with another cause",
        breaks: |runs, run, at| {
            let is_over = runs[run].row.pass > 1;
            match &mut runs[run].entries[at].record {
                Record::CancelRequested { cause } if is_over => *cause = Cause::Terminated,
                _ => return None,
            }
            Some(())
        },
        why: "the request to end did not go over",
    },
    Case {
        name: "7: a message does not go over to the next pass",
        breaks: |runs, run, at| {
            let is_over = runs[run].row.pass > 1;
            remove(runs, run, at, |r| is_over && matches!(r, Record::MessageArrived { .. }))
        },
        why: "it left ",
    },
    Case {
        name: "8: what was published stands in another order",
        breaks: |runs, run, at| {
            let entries = &mut runs[run].entries;
            let is_mark = |entry: Option<&Entry>| {
                matches!(entry?.record, Record::Marked { mark: Mark::Published { .. }, .. })
                    .then_some(())
            };
            is_mark(entries.get(at)).and(is_mark(entries.get(at + 1)))?;
            entries.swap(at, at + 1);
            Some(())
        },
        why: "comes before",
    },
    Case {
        name: "8: a value is not published",
        breaks: |runs, run, at| {
            remove(runs, run, at, |r| {
                matches!(r, Record::Marked { mark: Mark::Published { .. }, .. })
            })
        },
        why: "and nothing came of",
    },
    Case {
        name: "8: another value is published",
        breaks: |runs, run, at| match &mut runs[run].entries[at].record {
            Record::Marked { mark: Mark::Published { value, .. }, .. } => {
                *value.last_mut()? ^= 1;
                Some(())
            }
            _ => None,
        },
        why: "comes before",
    },
    Case {
        name: "8: the next pass counts anew",
        breaks: |runs, run, _| match &mut runs[run].entries[0].record {
            Record::Submitted(submission) => submission.topics.pop().map(drop),
            _ => None,
        },
        why: "of the topics",
    },
    Case {
        name: "an answer does not go over",
        breaks: |runs, run, _| {
            let Record::Submitted(submission) = &mut runs[run].entries[0].record else {
                return None;
            };
            let keyed = submission.keys.iter_mut().find(|key| key.3.is_some())?;
            keyed.3 = Some(Ok(vec![12, 7]));
            Some(())
        },
        why: "of the answer",
    },
    Case {
        name: "a question is answered twice",
        breaks: |runs, run, at| {
            let entry = runs[run].entries[at].clone();
            let is_it = matches!(&entry.record, Record::Marked { mark: Mark::Answered { .. }, .. });
            is_it.then(|| runs[run].entries.insert(at, entry))
        },
        why: "no open question",
    },
    Case {
        name: "a step ends before what its body published",
        breaks: |runs, run, at| remove(runs, run, at, |r| matches!(r, Record::Reported { .. })),
        why: "has not published",
    },
    Case {
        name: "9: the row of a run out of memory says another time",
        breaks: |runs, run, _| {
            let wake_at = runs[run].row.wake_at.as_mut()?;
            *wake_at -= 1;
            Some(())
        },
        why: "by its history it wakes at",
    },
];

fn remove(runs: &mut [Run], run: usize, at: usize, is_it: impl Fn(&Record) -> bool) -> Option<()> {
    let entries = &mut runs[run].entries;
    is_it(&entries[at].record).then(|| drop(entries.remove(at)))
}

/// All that is asserted of a file and its histories.
fn judge(world: &World, runs: &[Run]) -> Result<(), String> {
    let exempt = Exempt::default();
    check(runs, Known { exempt: Some(&exempt), ..Known::default() })?;
    for run in runs {
        if run.row.state == RunState::Continued {
            world.judge_pass(run, runs).map_err(|why| why.to_string())?;
        } else if run.row.state != RunState::Parked
            && !run.has_not_begun()
            && let Some(stand) = world.stand(run, 0, |_| String::new())?
        {
            judge_stand(run, &stand, false)?;
        }
    }
    Ok(())
}

/// Whether the case is noticed in this file, at any of its records.
fn is_noticed(case: &Case, world: &World, file: &[Run]) -> bool {
    let places = |run: usize| (0..file[run].entries.len()).map(move |at| (run, at));
    (0..file.len()).flat_map(places).any(|(run, at)| {
        let mut broken = file.to_vec();
        (case.breaks)(&mut broken, run, at).is_some()
            && judge(world, &broken).is_err_and(|why| why.contains(case.why))
    })
}

#[test]
fn each_assert_notices_what_it_is_for() {
    let mut left: Vec<_> = CASES.iter().chain(&queued::CASES).collect();
    for seed in 0..2_000 {
        let world = decode(&generate(seed));
        let mut files = Vec::new();
        let mut show = |kept: &super::Kept| {
            files.push(runs(&*kept.copy().expect("it can be read")).expect("it is whole"));
        };
        carry_out(&world, &mut show).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        // In others what is deleted may be the other half.
        for file in files.iter().filter(|file| judge(&world, file).is_ok()) {
            left.retain(|case| !is_noticed(case, &world, file));
        }
        if left.is_empty() {
            return;
        }
    }
    panic!("nobody notices {:?}", left.iter().map(|case| case.name).collect::<Vec<_>>());
}

/// A transaction that has booked without a record, or has a record and has not.
#[test]
fn what_has_booked_is_recorded() {
    let mut noticed = 0;
    for seed in 0..400 {
        let mut file = None;
        let world = decode(&generate(seed));
        carry_out(&world, |kept| file = Some(kept.copy().expect("it can be read"))).expect("fine");
        let store = file.expect("it has a life");
        let mut all = runs(&*store).expect("it is whole");
        let check = |all: &[Run]| booked::check(&*store, all, Known::default());
        // Where something was deleted it may not be whole.
        let is_whole = check(&all).is_ok();
        let records =
            all.iter_mut().flat_map(|run| &mut run.entries).map(|entry| &mut entry.record);
        let Some(booking) = records.into_iter().find(|record| booked::is_booking(record)) else {
            continue;
        };
        *booking = Record::Again;
        noticed += u32::from(is_whole && check(&all).is_err());
    }
    assert!(noticed > 5, "{noticed}");
}

/// Asserts 4 and 11.
#[test]
fn nothing_is_added_to_a_parked_run_or_delivered_twice() {
    let world = decode(&generate(0));
    let mut file = Vec::new();
    carry_out(&world, |kept| file = runs(&*kept.copy().expect("it can be read")).expect("whole"))
        .expect("nothing is wrong with it");
    let mut run = file.remove(0);
    run.row.state = RunState::Parked;
    let place = run.entries.len();
    assert!(check_parked(&run, place).is_ok());
    let last = run.entries[place - 1].clone();
    let post = Record::CancelRequested { cause: Cause::Parent };
    run.entries.push(Entry { record: post, ..last.clone() });
    assert!(check_parked(&run, place).is_ok());
    let own = Record::OperationNoted { number: (0, 1), note: Note::Begun };
    run.entries.push(Entry { record: own, ..last });
    assert!(check_parked(&run, place).is_err_and(|why| why.contains("it is parked, and holds")));

    assert!(check_places(&trace(&[0, 1, 2]), |_| true).is_ok());
    assert!(check_places(&trace(&[0, 1, 1]), |_| true).is_err());
}

fn trace(seqs: &[u64]) -> Vec<String> {
    seqs.iter().map(|seq| format!("deliver {seq}: a message")).collect()
}

/// What a run had delivered that was taken up again, or is about to be.
#[test]
fn what_a_retry_takes_back_is_not_delivered_after_it() {
    let mut file = Vec::new();
    let show = |kept: &super::Kept| file = runs(&*kept.copy().expect("memory")).expect("whole");
    carry_out(&decode(&generate(0)), show).expect("nothing is wrong with it");
    let mut run = file.remove(0);
    run.entries.truncate(1);
    let mut push = |record| {
        let first = run.entries[0].clone();
        run.entries.push(Entry { record, ..first });
        run.clone()
    };
    push(Record::Void(Box::new(Record::CancelRequested { cause: Cause::Asked })));
    push(Record::MessageSkipped { seq: 0 });
    let retried = push(Record::Retried { from: 1 });
    let goes_on = push(Record::OperationNoted { number: (0, 1), note: Note::Begun });
    // The history before the retry, the one behind it, and a replay that ends on the way to it.
    let cases: [(&[u64], _, _); 6] = [
        (&[0], true, true),
        (&[0, 1, 2], true, true),
        (&[0, 2, 3], true, true),
        (&[0, 2], true, false),
        (&[0, 1, 2, 3], false, false),
        (&[0, 1, 3], false, false),
    ];
    for (seqs, without, with) in cases {
        assert_eq!(delivered::check(&retried, &trace(seqs)).is_ok(), without, "{seqs:?}");
        assert_eq!(delivered::check(&goes_on, &trace(seqs)).is_ok(), with, "{seqs:?}");
    }
}
