//! The bars of a timeline, a sign for each column.

use dacapo_inspect::{Operation, Progress, Site, Type};

use crate::axis::Axis;
use crate::out::Paint;

pub(crate) fn paint(operation: &Operation) -> Option<Paint> {
    match (operation.kind, operation.state) {
        (_, Progress::Failed) => Some(Paint::Bad),
        (Type::Step | Type::Child, Progress::Done) => Some(Paint::Good),
        (_, Progress::Done) => Some(Paint::Faint),
        _ => Some(Paint::Busy),
    }
}

/// Columns that are empty, but for where time is left out.
fn empty(axis: &Axis) -> Vec<char> {
    let mut cells = vec![' '; axis.columns()];
    for column in axis.left_out() {
        if let Some(cell) = cells.get_mut(column) {
            *cell = '╎';
        }
    }
    cells
}

/// When one operation took place.
pub(crate) fn bar(operation: &Operation, axis: &Axis) -> String {
    let mut cells = empty(axis);
    let ended = operation.ended_at.map(|at| at.as_nanos());
    let began = operation.began_at.map(|at| at.as_nanos());
    let waited = operation.at_least.zip(ended).map(|(least, ended)| ended.saturating_sub(least));
    match (operation.kind, began.or(waited), ended) {
        (Type::Step, Some(from), Some(to)) => fill(&mut cells, axis, (from, to), '█'),
        (_, Some(from), Some(to)) => fill(&mut cells, axis, (from, to), '░'),
        (_, Some(from), None) => put(&mut cells, axis, from, '▷'),
        (_, None, Some(at)) => put(&mut cells, axis, at, '•'),
        (_, None, None) => {}
    }
    for at in &operation.restarted_at {
        put(&mut cells, axis, at.as_nanos(), 'R');
    }
    cells.into_iter().collect()
}

fn put(cells: &mut [char], axis: &Axis, time: u64, sign: char) {
    let column = (axis.column(time) as usize).min(cells.len().saturating_sub(1));
    if let Some(cell) = cells.get_mut(column) {
        *cell = sign;
    }
}

/// From one moment to another; the last column by eighths.
fn fill(cells: &mut [char], axis: &Axis, (from, to): (u64, u64), sign: char) {
    const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
    let last = cells.len().saturating_sub(1);
    let (first, end) = ((axis.column(from) as usize).min(last), axis.column(to));
    let whole = (end as usize).min(cells.len());
    for cell in cells.iter_mut().take(whole).skip(first) {
        *cell = sign;
    }
    if whole > first && (end.fract() < 0.125 || whole > last) {
        return;
    }
    let rest = if sign == '█' { EIGHTHS[((end.fract() * 8.0) as usize).min(7)] } else { sign };
    cells[whole.min(last)] = rest;
}

/// How many of a site were under way in each column, as heights.
pub(crate) fn density(site: &Site, axis: &Axis) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let mut numbers = vec![0_i64; axis.columns() + 1];
    for &(from, to) in &site.spans {
        let last = axis.columns() - 1;
        let (from, to) = (axis.column(from) as usize, axis.column(to) as usize);
        numbers[from.min(last)] += 1;
        numbers[to.min(last) + 1] -= 1;
    }
    let mut now = 0;
    let heights: Vec<_> = numbers
        .iter()
        .map(|change| {
            now += change;
            now
        })
        .collect();
    let most = heights.iter().max().copied().unwrap_or(1).max(1);
    let mut cells = empty(axis);
    for (cell, height) in cells.iter_mut().zip(heights).filter(|(_, height)| *height > 0) {
        *cell = HEIGHTS[usize::try_from((height * 8 - 1) / most).unwrap_or(0).min(7)];
    }
    cells.into_iter().collect()
}
