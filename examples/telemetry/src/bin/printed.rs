//! Prints spans as they close, what is told within them, and at the end all figures.
//!
//! `cargo run --manifest-path examples/telemetry/Cargo.toml --bin printed`

use dacapo_telemetry::carry_out_orders;
use metrics_exporter_prometheus::PrometheusBuilder;
use tracing_subscriber::fmt::format::FmtSpan;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_span_events(FmtSpan::CLOSE).without_time().init();
    // Before the executor is opened, so that nothing is missed. A service would have it listen.
    let figures = PrometheusBuilder::new().install_recorder()?;
    assert_eq!(carry_out_orders(3)?, 600);
    let figures = figures.render();
    assert!(figures.contains("dacapo_runs_ended_total{outcome=\"completed\"} 3"), "{figures}");
    assert!(figures.contains("dacapo_attempts_failed_total 1"), "{figures}");
    assert!(figures.contains("dacapo_commit_seconds"), "{figures}");
    print!("{figures}");
    Ok(())
}
