//! Which address is what.

use std::io::Write;

use crate::act::{self, Given};
use crate::answer::{Answer, Cut};
use crate::ask::{Act, LISTING, VIEW, attributes, needed, usage};
use crate::door::Door;
use crate::file;
use crate::follow;
use crate::http::Request;
use crate::lines::{self, Turn};
use crate::look;
use crate::problem::Problem;

/// Answers a request.
pub(crate) fn answer(
    door: &Door,
    request: Request,
    answer: &mut Answer<impl Write>,
) -> Result<(), Cut> {
    let target = &request.target;
    let path: Vec<_> = target.path.iter().map(String::as_str).collect();
    let known = |names: &[&str]| match target.unknown(names) {
        None => Ok(()),
        Some(name) => Err(usage(format_args!("there is no {name:?} here: {}", names.join(", ")))),
    };
    let act_of = |word: &str| Act::ALL.into_iter().find(|act| act.word() == word);
    // Who is there, and the numbers, are told also while the executor is busy.
    match (request.is_post, &path[..]) {
        (false, ["api"]) => return Ok(answer.end()?),
        (false, ["api", "statistics"]) => return look::statistics(door, answer),
        _ => door.knock()?,
    }
    match (request.is_post, &path[..]) {
        (false, ["api", "runs"]) => {
            known(&[&LISTING[..], &["n"]].concat())?;
            look::runs(door, target, answer)
        }
        (false, ["api", "counted"]) => {
            known(&LISTING)?;
            look::counted(door, target, answer)
        }
        (false, ["api", "counted", id]) => {
            known(&["children"])?;
            look::family(door, id, target, answer)
        }
        (false, ["api", "runs", id]) => {
            known(&VIEW)?;
            look::run(door, id, target, answer)
        }
        (false, ["api", "runs", id, "values", which]) => {
            known(&["pass"])?;
            look::value(door, (id, which), target, answer)
        }
        (false, ["api", "runs", id, "watch"]) => follow::run(door, id, answer),
        (false, ["api", "watch"]) => follow::all(door, answer),
        (false, ["api", "parked"]) => {
            known(&["id"])?;
            look::parked(door, target, answer)
        }
        (false, ["api", "check"]) => look::check(door, answer),
        (false, ["api", "verify"]) => look::verify(door, answer),
        (false, ["api", "export"]) => {
            known(&["id"])?;
            look::export(door, target, answer)
        }
        (false, ["api", of @ ("queues" | "schedules")]) => lines::all(door, of, answer),
        (true, ["api", of @ ("queues" | "schedules"), name, act]) => {
            known(&["why"])?;
            let turn = Turn::read(of, name, act, target);
            lines::turn(door, &turn.ok_or_else(|| unknown(true, &path))?, answer)
        }
        (true, ["api", "compact"]) => file::compact(door, answer),
        (true, ["api", "import"]) => act::import(door, request, answer),
        (true, ["api", "runs", id, "fork"]) => {
            known(&["at", "before", "as", "run", "dry_run"])?;
            act::fork(door, id, target, answer)
        }
        (true, ["api", "runs", id, "send"]) => {
            known(&["channel", "key"])?;
            let key = target.get("key").map(str::to_owned);
            let (to, channel) = ((*id).to_owned(), needed(target, "channel")?);
            act::given(door, &Given::Message { to, channel, key }, &request.body, answer)
        }
        (true, ["api", "start"]) => {
            known(&["workflow", "id", "attribute"])?;
            let (workflow, id) = (needed(target, "workflow")?, needed(target, "id")?);
            let attributes = attributes(target)?;
            let given = Given::Input { workflow, id, attributes };
            act::given(door, &given, &request.body, answer)
        }
        (true, ["api", "runs", id, word]) if act_of(word).is_some() => {
            act::run(door, act_of(word).expect("it is one"), id, answer)
        }
        (true, ["api", word]) if act_of(word).is_some() => {
            act::all(door, act_of(word).expect("it is one"), &request.body, answer)
        }
        (is_post, _) => Err(unknown(is_post, &path).into()),
    }
}

fn unknown(is_post: bool, path: &[&str]) -> Problem {
    let method = if is_post { "POST" } else { "GET" };
    usage(format_args!("there is no {method} /{}", path.join("/")))
}
