//! Where a moment is drawn: time from left to right, and what is idle left out.

/// A span of time in which something happened, and the columns that it has.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Busy {
    from: u64,
    to: u64,
    column: usize,
    columns: usize,
}

/// Where moments are drawn. Between two busy spans are a few columns for what is left out.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Axis {
    spans: Vec<Busy>,
    /// How many columns stand for what is left out in one place.
    gap: usize,
    columns: usize,
}

/// A gap is left out if it is longer than this part of what is drawn.
const IDLE: u64 = 20;

/// So many columns stand for a gap, where there is room.
const WIDEST_GAP: usize = 5;

impl Axis {
    /// That of spans in which something happened, in nanoseconds, over so many columns.
    pub(crate) fn new(spans: &[(u64, u64)], columns: usize) -> Self {
        let mut busy = merged(spans);
        let gaps = gaps_left_out(&busy, columns / 8);
        busy = joined(&busy, &gaps);
        let length = |span: &(u64, u64)| span.1 - span.0;
        let all: u64 = busy.iter().map(length).sum();
        let gap = (columns / 3 / gaps.len().max(1)).clamp(1, WIDEST_GAP);
        let room = columns.saturating_sub(gaps.len() * gap);
        let share = |span: &(u64, u64)| match all {
            0 => room / busy.len().max(1),
            all => (u128::from(length(span)) * room as u128 / u128::from(all)) as usize,
        };
        let mut widths: Vec<_> = busy.iter().map(|span| share(span).max(2)).collect();
        fit(&mut widths, room);
        let mut column = 0;
        let spans = busy.iter().zip(widths).map(|(&(from, to), columns)| {
            let span = Busy { from, to, column, columns };
            column += columns + gap;
            span
        });
        Self { spans: spans.collect(), gap, columns }
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The column of a moment, with a part of it.
    pub(crate) fn column(&self, time: u64) -> f64 {
        let place = self.spans.partition_point(|span| span.to < time);
        let Some(span) = self.spans.get(place) else {
            return self.spans.last().map_or(0.0, |span| (span.column + span.columns) as f64);
        };
        let before = place.checked_sub(1).and_then(|place| self.spans.get(place));
        match before {
            Some(before) if time < span.from => {
                let within = part(time, before.to, span.from);
                (span.column - self.gap) as f64 + within * self.gap as f64
            }
            _ => span.column as f64 + part(time, span.from, span.to) * span.columns as f64,
        }
    }

    /// The columns of what is left out.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = usize> {
        let behind = self.spans.iter().skip(1);
        behind.map(|span| span.column - self.gap)
    }

    /// Where each busy span begins, in columns and in time.
    pub(crate) fn marks(&self) -> impl Iterator<Item = (usize, u64)> {
        self.spans.iter().map(|span| (span.column, span.from))
    }
}

/// How far a moment is from one to another: 0 to 1.
fn part(time: u64, from: u64, to: u64) -> f64 {
    time.saturating_sub(from) as f64 / (to - from).max(1) as f64
}

/// Spans that touch are one.
fn merged(spans: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut sorted: Vec<_> = spans.iter().map(|&(from, to)| (from, to.max(from))).collect();
    sorted.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (from, to) in sorted {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// The places of the gaps that are left out: the longest ones, as long as each is long for what remains.
fn gaps_left_out(busy: &[(u64, u64)], most: usize) -> Vec<usize> {
    let (Some(first), Some(last)) = (busy.first(), busy.last()) else { return Vec::new() };
    let mut drawn = last.1 - first.0;
    let mut gaps: Vec<_> =
        busy.windows(2).enumerate().map(|(place, two)| (two[1].0 - two[0].1, place)).collect();
    gaps.sort_unstable_by(|one, other| other.cmp(one));
    let mut left_out = Vec::new();
    for (gap, place) in gaps.into_iter().take(most) {
        if gap <= drawn / IDLE {
            break;
        }
        drawn -= gap;
        left_out.push(place);
    }
    left_out.sort_unstable();
    left_out
}

/// Spans with the gaps between them, but for those that are left out.
fn joined(busy: &[(u64, u64)], left_out: &[usize]) -> Vec<(u64, u64)> {
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (place, &(from, to)) in busy.iter().enumerate() {
        let is_new = place == 0 || left_out.contains(&(place - 1));
        match joined.last_mut() {
            Some(last) if !is_new => last.1 = to,
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// Makes the widths as many columns as there are, by the widest.
fn fit(widths: &mut [usize], room: usize) {
    let mut all: usize = widths.iter().sum();
    while all != room {
        let Some(widest) = widths.iter_mut().max() else { return };
        if all > room {
            if *widest <= 1 {
                return;
            }
            (*widest, all) = (*widest - 1, all - 1);
        } else {
            (*widest, all) = (*widest + room - all, room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_left_out() {
        let axis = Axis::new(&[(0, 100), (1_000_000, 1_000_300), (1_000_310, 1_000_400)], 55);
        assert_eq!(axis.left_out().collect::<Vec<_>>(), [10]);
        assert_eq!(axis.marks().collect::<Vec<_>>(), [(0, 0), (15, 1_000_000)]);
        for (time, column) in [(0, 0.0), (50, 5.0), (100, 10.0), (500_050, 12.5), (1_000_400, 55.0)]
        {
            assert_eq!(axis.column(time), column, "{time}");
        }
    }

    #[test]
    fn moments_have_room_too() {
        assert_eq!(Axis::new(&[], 40).column(7), 0.0);
        let axis = Axis::new(&[(5, 5)], 40);
        assert_eq!((axis.column(5), axis.left_out().count()), (0.0, 0));
        let many: Vec<_> = (0..1_000).map(|n| (n * 1_000_000, n * 1_000_000)).collect();
        let axis = Axis::new(&many, 40);
        assert!(axis.left_out().count() <= 5, "{axis:?}");
        assert!(many.iter().all(|&(time, _)| axis.column(time) <= 40.0));
    }

    #[test]
    fn every_axis_fits() {
        for columns in 10..90 {
            let spans: Vec<_> =
                (0..30_u64).map(|n| (n * n * n * 1_000, n * n * n * 1_000 + n)).collect();
            let axis = Axis::new(&spans, columns);
            let last = axis.spans.last().expect("there are some");
            assert!(last.column + last.columns <= columns, "{columns}: {axis:?}");
        }
    }
}
