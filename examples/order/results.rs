//! What became of the orders.

use std::path::Path;

use dacapo::{BoxError, Result};

use crate::workflow::Receipt;

/// Counts the completed and the refused orders, and writes what became of each.
pub(crate) fn sum_up(
    file: Option<&Path>,
    ids: &[String],
    receipts: Vec<Result<Receipt>>,
) -> Result<(usize, usize), BoxError> {
    let (mut text, mut completed) = (String::new(), 0);
    for (id, receipt) in ids.iter().zip(&receipts) {
        match receipt {
            Ok(Receipt { charge, tracking }) => {
                text += &format!("{id}\tcompleted\t{charge}\t{tracking}\n");
                completed += 1;
            }
            Err(error) if error.is_parked() || error.is_store() => {
                return Err(error.clone().into());
            }
            Err(refusal) => text += &format!("{id}\trefused\t{refusal}\n"),
        }
    }
    if let Some(file) = file {
        std::fs::write(file, text).map_err(|why| format!("{}: {why}", file.display()))?;
    }
    Ok((completed, receipts.len() - completed))
}
