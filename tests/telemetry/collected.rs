//! Who collects spans and figures in these tests, as lines of text.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_core::span::Current;

/// Collects spans.
#[derive(Clone, Default)]
pub(crate) struct Spans(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    spans: Vec<Span>,
    entered: Vec<u64>,
    events: Vec<String>,
}

struct Span {
    meta: &'static tracing::Metadata<'static>,
    parent: Option<u64>,
    fields: String,
    follows: Option<u64>,
    references: usize,
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        }
        .expect("text has room");
    }
}

impl Spans {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All spans of ours, each within its parent, in the order in which they were opened.
    pub(crate) fn tree(&self) -> Vec<String> {
        let state = self.lock();
        let mut lines = Vec::new();
        state.add_children(None, 0, &mut lines);
        lines
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.lock().spans.iter().filter(|span| span.references > 0).count()
    }

    /// What was told, with the names of the spans in which that was.
    pub(crate) fn take_events(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().events)
    }
}

impl State {
    fn add_children(&self, parent: Option<u64>, depth: usize, lines: &mut Vec<String>) {
        for (id, span) in (1..).zip(&self.spans) {
            if span.parent != parent {
                continue;
            }
            let follows = span
                .follows
                .map(|id| format!(" after {}", self.spans[id as usize - 1].meta.name()));
            let (name, fields) = (span.meta.name(), &span.fields);
            lines.push(format!(
                "{}{name}{fields}{}",
                "  ".repeat(depth),
                follows.unwrap_or_default()
            ));
            self.add_children(Some(id), depth + 1, lines);
        }
    }

    fn span(&mut self, id: &Id) -> &mut Span {
        &mut self.spans[id.into_u64() as usize - 1]
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "dacapo" || metadata.target() == "shop"
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut state = self.lock();
        let mut fields = String::new();
        attributes.record(&mut Fields(&mut fields));
        state.spans.push(Span {
            meta: attributes.metadata(),
            parent: attributes.parent().map(Id::into_u64),
            fields,
            follows: None,
            references: 1,
        });
        Id::from_u64(state.spans.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        values.record(&mut Fields(&mut self.lock().span(id).fields));
    }

    fn record_follows_from(&self, id: &Id, follows: &Id) {
        self.lock().span(id).follows = Some(follows.into_u64());
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = String::new();
        let mut state = self.lock();
        for id in state.entered.clone() {
            line.push_str(state.spans[id as usize - 1].meta.name());
            line.push('/');
        }
        write!(line, "{}:", event.metadata().level()).expect("text has room");
        event.record(&mut Fields(&mut line));
        state.events.push(line);
    }

    fn enter(&self, id: &Id) {
        self.lock().entered.push(id.into_u64());
    }

    fn exit(&self, id: &Id) {
        let left = self.lock().entered.pop();
        assert_eq!(left, Some(id.into_u64()), "the one that was entered last is left first");
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.lock().span(id).references += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut state = self.lock();
        let span = state.span(&id);
        span.references -= 1;
        span.references == 0
    }

    fn current_span(&self) -> Current {
        let state = self.lock();
        match state.entered.last() {
            Some(&id) => Current::new(Id::from_u64(id), state.spans[id as usize - 1].meta),
            None => Current::none(),
        }
    }
}

/// Collects figures.
#[derive(Clone, Default)]
pub(crate) struct Figures(Arc<Mutex<BTreeMap<String, Vec<f64>>>>);

struct One {
    name: String,
    all: Figures,
}

impl Figures {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<f64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The values of a histogram, or what a counter or a gauge has.
    pub(crate) fn of(&self, name: &str) -> Vec<f64> {
        self.lock().get(name).cloned().unwrap_or_default()
    }

    fn one(&self, key: &Key) -> Arc<One> {
        let labels = key.labels().map(|label| format!("{{{}={}}}", label.key(), label.value()));
        let name = key.name().to_owned() + &labels.collect::<String>();
        Arc::new(One { name, all: self.clone() })
    }
}

impl One {
    fn change(&self, change: impl FnOnce(&mut Vec<f64>)) {
        change(self.all.lock().entry(self.name.clone()).or_default());
    }
}

impl CounterFn for One {
    fn increment(&self, value: u64) {
        self.change(|values| {
            let sum = values.iter().sum::<f64>();
            *values = vec![sum + value as f64];
        });
    }

    fn absolute(&self, value: u64) {
        self.change(|values| *values = vec![value as f64]);
    }
}

impl GaugeFn for One {
    fn increment(&self, value: f64) {
        self.change(|values| values.push(value));
    }

    fn decrement(&self, value: f64) {
        self.change(|values| values.push(-value));
    }

    fn set(&self, value: f64) {
        self.change(|values| *values = vec![value]);
    }
}

impl HistogramFn for One {
    fn record(&self, value: f64) {
        self.change(|values| values.push(value));
    }
}

impl Recorder for Figures {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        assert!(key.as_str().ends_with("_total"), "{key:?}");
    }

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.one(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.one(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.one(key))
    }
}
