//! Runs that are written out as text, to be read on another machine.

use alloc::borrow::{Cow, ToOwned};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::io::Write;

use dacapo_store::{Entry, RunKey, RunRow};

use super::{Executor, admit};
use crate::bytes::Bytes;
use crate::engine::{no_such_run, parked_error};
use crate::error::{Error, Kind, Result};
use crate::lines::{self, Line, Parent, Run, shape_sum, to_hex};
use crate::record::{Record, SEMANTICS_VERSION};

impl Executor {
    /// Writes runs out, with their histories and the shapes of their values: one JSON object a line, each with a
    /// checksum. Their children come along whose ends they wait for, and theirs. Gives the ids of all.
    ///
    /// [`import`](Self::import) reads it, in this file or another, and `sim::replay` makes a test of it. Of
    /// a run that went on in passes ([`Ctx::again`](crate::Ctx::again)) it is the present one. Values stand beside
    /// the bytes of each record, to be read by people: whoever has the export has all of them.
    ///
    /// # Errors
    ///
    /// If there is no such run ([`Error::is_not_found`]), if a history or a shape is damaged, if `to` refuses, or
    /// if the store failed. The executor goes on.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Result, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let build = || Executor::builder()
    /// #     .workflow(ECHO, async |_: &Ctx, n: u8| Ok::<_, Error>(n));
    /// let executor = build().in_memory();
    /// executor.block_on(executor.start(ECHO, "one", 7)?)?;
    /// let mut exported = Vec::new();
    /// executor.export(&["one"], &mut exported)?;
    ///
    /// let other = build().in_memory();
    /// assert_eq!(other.import(&exported[..])?, ["one"]);
    /// assert_eq!(other.block_on(other.attach(ECHO, "one")?)?, 7);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn export(&self, ids: &[&str], to: &mut impl Write) -> Result<Vec<String>> {
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("runs cannot be exported"))?;
        let family = self.family(ids)?;
        let mut writer = Writer { executor: self, to, shapes: BTreeSet::new(), lines: 0 };
        writer.put(&Line::Export { format: lines::FORMAT, semantics: SEMANTICS_VERSION })?;
        for (row, parent) in &family {
            writer.put_run(row, parent.as_deref())?;
        }
        let lines = writer.lines + 1;
        writer.put(&Line::End { lines })?;
        writer.to.flush().map_err(refused)?;
        Ok(family.into_iter().map(|(row, _)| row.id).collect())
    }

    /// The rows of these runs, and of the children that they wait for, each behind its parent.
    fn family(&self, ids: &[&str]) -> Result<Vec<(RunRow, Option<String>)>> {
        let engine = &self.shared.engine;
        let mut known = BTreeMap::<RunKey, usize>::new();
        let mut family: Vec<(RunRow, Option<String>)> = Vec::new();
        for id in ids {
            let row = engine.find(id)?.ok_or_else(|| no_such_run(id))?;
            if known.insert(row.key, family.len()).is_none() {
                family.push((row, None));
            }
        }
        let mut next = 0;
        while let Some((parent, _)) = family.get(next) {
            let (parent, id) = (parent.key, parent.id.clone());
            for child in engine.started_by(parent)? {
                if child.link.is_none_or(|link| link.parent != parent) {
                    continue;
                }
                match known.get(&child.key) {
                    Some(&at) => family[at].1 = Some(id.clone()),
                    None => {
                        known.insert(child.key, family.len());
                        family.push((child, Some(id.clone())));
                    }
                }
            }
            next += 1;
        }
        Ok(family)
    }
}

/// Writes lines.
struct Writer<'a, W> {
    executor: &'a Executor,
    to: &'a mut W,
    /// Those that are written by now.
    shapes: BTreeSet<u32>,
    lines: u64,
}

impl<W: Write> Writer<'_, W> {
    fn put(&mut self, line: &Line<'_>) -> Result<()> {
        let mut text = serde_json::to_vec(line).map_err(refused)?;
        text.push(b'\n');
        self.lines += 1;
        self.to.write_all(&text).map_err(refused)
    }

    fn put_run(&mut self, row: &RunRow, parent: Option<&str>) -> Result<()> {
        let engine = &self.executor.shared.engine;
        let history = engine.history(row)?.map_err(|fault| parked_error(&row.id, &fault))?;
        let link = row.link.zip(parent);
        let parent = link.map(|(link, id)| {
            let (run, task, local) = (id.to_owned(), link.task, link.local);
            Parent { run, task, local }
        });
        let own = (engine.world.setup.store_id.number, row.key.0);
        let mut keyed = own;
        for entry in &history {
            if Record::read_forked(entry.record).is_some() {
                keyed = own;
            }
            keyed = Record::read_moved(entry.record).unwrap_or(keyed);
        }
        let mut run = Run {
            run: row.id.clone(),
            workflow: row.workflow.clone(),
            state: row.state.name().to_owned(),
            pass: row.pass,
            records: history.len() as u64,
            attributes: row.attributes.clone(),
            parent,
            store: format!("{:016x}", keyed.0),
            key: keyed.1,
            sum: String::new(),
        };
        run.sum = run.sum();
        self.put(&Line::Run(run))?;
        history.iter().try_for_each(|entry| self.put_record(&row.id, &entry))
    }

    fn put_record(&mut self, id: &str, entry: &Entry<'_>) -> Result<()> {
        let record = Record::read(entry.record).map_err(|why| {
            let seq = entry.seq;
            Error::of(Kind::Store, format_args!("record {seq} of run {id:?} cannot be read: {why}"))
        })?;
        let mut values = Vec::new();
        let shapes = self.executor.values();
        record.with_values(&mut |value: &Bytes<'_>| {
            values.push(value.clone().into_owned());
            Ok::<_, Error>(value.clone().into_owned())
        })?;
        let unread = |why: dacapo_values::Error| {
            let seq = entry.seq;
            Error::of(Kind::Store, format_args!("a value of record {seq} of run {id:?}: {why}"))
        };
        let mut shown = Vec::new();
        for value in &values {
            let number = dacapo_values::number_of(value.as_slice()).map_err(unread)?;
            if let Some(shape) = shapes.shapes().shape_bytes(number).map_err(unread)?
                && self.shapes.insert(number)
            {
                let bytes = to_hex(&shape);
                let describes = shapes.shapes().describe(number).map_err(unread)?;
                let sum = shape_sum(number, &bytes);
                self.put(&Line::Shape { number, bytes, describes, sum })?;
            }
            let view = shapes.shapes().view(value.as_slice()).map_err(unread)?;
            // JSON has no map with keys that are no texts, for one.
            let json = serde_json::to_value(&view).ok().filter(|json| levels(json) <= MOST_LEVELS);
            shown.push(json.unwrap_or_else(|| view.to_string().into()));
        }
        let mut line = lines::Entry {
            run: Cow::Borrowed(id),
            seq: entry.seq,
            commit: entry.commit,
            time: entry.time,
            shows: record.to_string(),
            values: shown,
            bytes: to_hex(entry.record),
            sum: String::new(),
        };
        line.sum = line.sum();
        self.put(&Line::Record(line))
    }
}

/// Whoever reads a line gives up at 128 levels, and some of them are the line's own.
const MOST_LEVELS: usize = 100;

fn levels(json: &serde_json::Value) -> usize {
    let inner = |levels: Option<usize>| 1 + levels.unwrap_or_default();
    match json {
        serde_json::Value::Array(parts) => inner(parts.iter().map(levels).max()),
        serde_json::Value::Object(fields) => inner(fields.values().map(levels).max()),
        _ => 0,
    }
}

fn refused(why: impl core::fmt::Display) -> Error {
    Error::of(Kind::Usage, format_args!("the export cannot be written: {why}"))
}
